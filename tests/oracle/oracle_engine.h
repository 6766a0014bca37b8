/* oracle_engine.h - the end of a test with a whole engine in one process (support/engine_fixture.h)
 *
 * Thread: the test's.
 */
#ifndef USHER_TESTS_ORACLE_ORACLE_ENGINE_H
#define USHER_TESTS_ORACLE_ORACLE_ENGINE_H

struct engine_fixture;

/* oracle_finish - fixture_finish(), and then no decision of the whole log may break a rule, and
 * nothing may be half done */
void oracle_finish(struct engine_fixture *fixture);

#endif
