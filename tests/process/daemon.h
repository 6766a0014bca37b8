/* daemon.h - a real usherd in a folder of its own: start, stop, kill, start again
 *
 * Happy path: daemon_create, daemon_start, ..., daemon_stop, daemon_destroy.
 * Failure modes: a daemon that does not start or stop within its deadline is killed and reported;
 * what it wrote on standard error is printed. It dies with the test program, however that ends
 * (PR_SET_PDEATHSIG), so keep it in the program's first thread.
 */
#ifndef USHER_TESTS_PROCESS_DAEMON_H
#define USHER_TESTS_PROCESS_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DAEMON_READY_MS_MAX 30000u
#define DAEMON_STOP_MS_MAX 60000u
#define DAEMON_OUTPUT_BYTES 16384u
#define DAEMON_EXTRA_MAX 16u

struct daemon_options {
    uint32_t shards;
    uint32_t segment_mb;
    uint32_t descriptors_max; /* its hard limit of open descriptors; 0: as ours */
    const char *postgres;     /* libpq connection string; NULL: none. Borrowed. */
    /* More arguments, at most DAEMON_EXTRA_MAX, the last one NULL; NULL: none. Borrowed. */
    const char *const *extra;
};

struct usherd_daemon {
    struct daemon_options options;
    char directory[48]; /* mkdtemp; data/, both sockets and the daemon's standard error are in it */
    char data[64];
    char url[64], admin_url[64];
    pid_t pid;         /* 0: not running */
    int output;        /* its standard output; -1: none */
    uint32_t runs;     /* started so often */
    uint64_t ready_us; /* from its start to `ready`, of the latest run that got there */
    /* What the current run has said so far. */
    char text[DAEMON_OUTPUT_BYTES];
    uint32_t text_bytes;
    /* Read from it; valid where `found`. */
    struct daemon_mark {
        bool found;
        uint64_t lsn, hash;
    } recovered, stopped;
};

/* daemon_create - a folder; usherd itself is named by USHERD in the environment */
void daemon_create(struct usherd_daemon *daemon, const struct daemon_options *options);

/* daemon_launch - start it on the folder and return at once */
void daemon_launch(struct usherd_daemon *daemon);

/* daemon_wait_ready - Return: true once it serves; false if it ended or the deadline passed */
bool daemon_wait_ready(struct usherd_daemon *daemon);

/* daemon_start - both */
bool daemon_start(struct usherd_daemon *daemon);

/* daemon_kill - SIGKILL, and wait until it is gone; nothing if it does not run */
void daemon_kill(struct usherd_daemon *daemon);

/* daemon_stop - SIGTERM, and wait; `stopped` is set if it said so
 * Return: its exit status; -1 if it had to be killed or died of a signal */
int daemon_stop(struct usherd_daemon *daemon);

/* daemon_wait_end - until it ends by itself; killed after the deadline
 * Return: its exit status; -1 if it was killed or died of a signal */
int daemon_wait_end(struct usherd_daemon *daemon, uint32_t deadline_ms);

/* daemon_destroy - kill it and remove the folder (kept where USHER_KEEP is in the environment) */
void daemon_destroy(struct usherd_daemon *daemon);

/* daemon_complained - what all runs wrote on standard error
 * @ret_text: cut where there is more */
void daemon_complained(const struct usherd_daemon *daemon, char *ret_text, uint32_t size);

/* daemon_complaints - print what all runs wrote on standard error */
void daemon_complaints(const struct usherd_daemon *daemon);

#endif
