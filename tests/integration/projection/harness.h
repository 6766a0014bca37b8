/* harness.h - what the tests of the projection share: server, history, fake clock, contents */
#ifndef USHER_TESTS_PROJECTION_HARNESS_H
#define USHER_TESTS_PROJECTION_HARNESS_H

#include "replay/postgres/projection.h"
#include "replay/postgres/sql.h"
#include "tests/integration/projection/postgres_fixture.h"
#include "tests/unit/replay/history.h"

/* One line per table: how many rows, and a digest over all of them. */
#define CONTENTS_BYTES 1200u

struct harness {
    struct postgres postgres;
    struct memory_log log;
    struct history history;
    struct record_source source;
    uint64_t now_ms; /* the fake clock */
    uint32_t runs;   /* options that were asked for: each projection has an id of its own */
    uint32_t alarms;
    struct projection_status alarmed; /* what the alarm said */
};

/* harness_create - a server; the history of this seed is projected nowhere yet */
struct harness *harness_create(void);
void harness_free(struct harness *harness);

/* harness_begin - empty database, and a new history of so many requests, settled
 * Prints the seed. */
void harness_begin(struct harness *harness, uint64_t seed, uint32_t requests);
/* harness_end - forget the history */
void harness_end(struct harness *harness);

/* harness_options - of a projection of the log under the fake clock */
struct projection_options harness_options(struct harness *harness, uint32_t batch_records);

/* harness_run - step until there is nothing to do or it stops; the clock moves over every pause
 * Return: the last step's result */
int harness_run(struct harness *harness, struct projection *projection);

/* harness_project - everything, from nothing, without incident: the reference */
void harness_project(struct harness *harness, uint32_t batch_records,
                     char ret_contents[CONTENTS_BYTES]);

void harness_contents(struct harness *harness, char ret_contents[CONTENTS_BYTES]);

/* harness_sql - run as an administrator, on a connection of its own */
void harness_sql(struct harness *harness, const char *statements);
/* harness_number - the one number that a query returns */
uint64_t harness_number(struct harness *harness, const char *query);

/* harness_drop - no schema usher */
void harness_drop(struct harness *harness);

#endif
