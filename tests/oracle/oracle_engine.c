/* oracle_engine.c - see oracle_engine.h */
#include "tests/oracle/oracle_engine.h"

#include "tests/oracle/oracle.h"
#include "tests/support/engine_fixture.h"

/* The oracle needs LSNs for their order only: the n-th decision has n. */
static void judge(void *oracle, const struct decision *decision) {
    oracle_visit(oracle, decision, ((struct oracle *)oracle)->lsn + 1);
}

void oracle_finish(struct engine_fixture *fixture) {
    struct oracle oracle;
    fixture_finish(fixture);
    oracle_init(&oracle, NULL);
    fixture_read_log(fixture, judge, &oracle);
    (void)oracle_rest(&oracle); /* it complains */
    assert_int_equal(oracle.complaints, 0);
    oracle_deinit(&oracle);
}
