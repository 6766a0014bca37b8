/* postgres_fixture.h - a private PostgreSQL server for a test
 *
 * Its data and its Unix socket live in a folder of their own; it listens on no address, so it
 * cannot meet a cluster of the system. As root it runs as user postgres, since PostgreSQL refuses
 * root. It dies with the test.
 */
#ifndef USHER_TESTS_POSTGRES_FIXTURE_H
#define USHER_TESTS_POSTGRES_FIXTURE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct postgres {
    char directory[64]; /* mkdtemp; data/ and the socket are in it */
    char conninfo[160]; /* for libpq; the user is a superuser */
    pid_t pid;          /* 0: not running */
};

/* postgres_available - is there a server to run? A test skips itself if not. */
bool postgres_available(void);

/* postgres_create - make a cluster and start it; ends the test program if that fails */
void postgres_create(struct postgres *postgres);

/* postgres_start - start it again; returns when it accepts connections, after crash recovery */
void postgres_start(struct postgres *postgres);

/* postgres_stop - by pid, and wait until it is gone
 * @signal: SIGINT for an orderly stop, SIGQUIT as if the machine had died (fsync is off, so what
 *          was written survives: only the power is imagined) */
void postgres_stop(struct postgres *postgres, int signal);

/* postgres_database - let conninfo name this database from now on ("postgres" at first) */
void postgres_database(struct postgres *postgres, const char *name);

/* postgres_destroy - stop it and remove its folder */
void postgres_destroy(struct postgres *postgres);

#endif
