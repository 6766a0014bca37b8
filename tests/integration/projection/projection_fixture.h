/* projection_fixture.h - what the tests of the projection share: server, history, fake clock,
 * contents */
#ifndef USHER_TESTS_INTEGRATION_PROJECTION_PROJECTION_FIXTURE_H
#define USHER_TESTS_INTEGRATION_PROJECTION_PROJECTION_FIXTURE_H

#include "replay/postgres/projection.h"
#include "replay/postgres/sql.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/random_history.h"

/* One line per table: how many rows, and a digest over all of them. */
#define CONTENTS_BYTES 1200u

struct projection_fixture {
    struct postgres_fixture postgres;
    struct memory_log log;
    struct random_history history;
    struct record_source source;
    uint64_t now_ms; /* the fake clock */
    uint32_t runs;   /* options that were asked for: each projection has an id of its own */
    uint32_t alarms;
    struct projection_status alarmed; /* what the alarm said */
};

/* projection_fixture_create - a server; the history of this seed is projected nowhere yet */
struct projection_fixture *projection_fixture_create(void);
void projection_fixture_free(struct projection_fixture *fixture);

/* projection_fixture_begin - empty database, and a new history of so many requests, settled
 * Prints the seed. */
void projection_fixture_begin(struct projection_fixture *fixture, uint64_t seed, uint32_t requests);
/* projection_fixture_end - forget the history */
void projection_fixture_end(struct projection_fixture *fixture);

/* projection_fixture_options - of a projection of the log under the fake clock */
struct projection_options projection_fixture_options(struct projection_fixture *fixture,
                                                     uint32_t batch_records);

/* projection_fixture_run - step until there is nothing to do or it stops; the clock moves over
 * every pause
 * Return: the last step's result */
int projection_fixture_run(struct projection_fixture *fixture, struct projection *projection);

/* projection_fixture_project - everything, from nothing, without incident: the reference */
void projection_fixture_project(struct projection_fixture *fixture, uint32_t batch_records,
                                char ret_contents[CONTENTS_BYTES]);

void projection_fixture_contents(struct projection_fixture *fixture,
                                 char ret_contents[CONTENTS_BYTES]);

/* projection_fixture_sql - run as an administrator, on a connection of its own */
void projection_fixture_sql(struct projection_fixture *fixture, const char *statements);
/* projection_fixture_number - the one number that a query returns */
uint64_t projection_fixture_number(struct projection_fixture *fixture, const char *query);

/* projection_fixture_drop - no schema usher */
void projection_fixture_drop(struct projection_fixture *fixture);

#endif
