/* postgres_fixture.h - a private PostgreSQL server for a test
 *
 * Its data and its Unix socket live in a folder of their own; it listens on no address, so it
 * cannot meet a cluster of the system. As root it runs as user postgres, since PostgreSQL refuses
 * root. It dies with the test.
 */
#ifndef USHER_TESTS_SUPPORT_POSTGRES_FIXTURE_H
#define USHER_TESTS_SUPPORT_POSTGRES_FIXTURE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct postgres_fixture {
    char directory[64]; /* mkdtemp; data/ and the socket are in it */
    char conninfo[160]; /* for libpq; the user is a superuser */
    pid_t pid;          /* 0: not running */
};

/* postgres_fixture_available - is there a server to run? A test skips itself if not. */
bool postgres_fixture_available(void);

/* postgres_fixture_create - make a cluster and start it; ends the test program if that fails */
void postgres_fixture_create(struct postgres_fixture *postgres);

/* postgres_fixture_start - start it again; returns when it accepts connections, after crash
 * recovery */
void postgres_fixture_start(struct postgres_fixture *postgres);

/* postgres_fixture_stop - by pid, and wait until it is gone
 * @signal: SIGINT for an orderly stop, SIGQUIT as if the machine had died (fsync is off, so what
 *          was written survives: only the power is imagined) */
void postgres_fixture_stop(struct postgres_fixture *postgres, int signal);

/* postgres_fixture_database - let conninfo name this database from now on ("postgres" at first) */
void postgres_fixture_database(struct postgres_fixture *postgres, const char *name);

/* postgres_fixture_destroy - stop it and remove its folder */
void postgres_fixture_destroy(struct postgres_fixture *postgres);

#endif
