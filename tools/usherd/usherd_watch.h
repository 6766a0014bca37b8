/* usherd_watch.h - what the daemon looks at once a second, whatever else hangs
 *
 * A table of checks, each a function that looks at one matter and says what it found. A warning is
 * told when it begins, when it changes (but not more often than once a minute), and when it is
 * over. A finding that makes every further answer a lie ends the process at once.
 * Happy path: usherd_watch_init, usherd_watch_add for each check, usherd_watch_start; at the end
 * usherd_watch_stop. Tests call usherd_watch_step with times of their own.
 * Failure modes: a check that does not return keeps the later ones from being made. So a check
 * reads memory, or asks the kernel what it knows without the disk; who must wait for a disk is no
 * check.
 * Threads: a thread of its own makes the checks, since the main thread may be waiting for a child
 * or for PostgreSQL, and the log's for the disk. What a check reads must bear that.
 */
#ifndef USHER_TOOLS_USHERD_USHERD_WATCH_H
#define USHER_TOOLS_USHERD_USHERD_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WATCH_EVERY_MS 1000u
/* The same matter is not told again before this, whatever its text says by then. */
#define WATCH_AGAIN_MS 60000u
#define WATCH_CHECKS_MAX 16u
#define WATCH_TEXT_BYTES 768u

enum watch_state {
    WATCH_FINE = 0,
    WATCH_WARN = 1, /* the operator must know */
    WATCH_STOP = 2, /* nothing may be acknowledged any more: end now */
};

struct watch_check {
    const char *name; /* of the matter, as people call it; static text */
    /* look - Return: enum watch_state; ret_text (WATCH_TEXT_BYTES) is written unless it is fine:
     * what happened and what to do */
    enum watch_state (*look)(void *context, char *ret_text);
    void *context;
    /* The watch's own. */
    enum watch_state told;
    uint64_t told_ms; /* CLOCK_MONOTONIC */
};

struct usherd_watch {
    /* tell - @state: WATCH_WARN, WATCH_STOP, or WATCH_FINE: it is over. WATCH_STOP does not
     * return. */
    void (*tell)(enum watch_state state, const char *name, const char *text);
    struct watch_check checks[WATCH_CHECKS_MAX];
    uint32_t count;
    pthread_mutex_t mutex; /* guards `leaving` */
    pthread_cond_t leave;
    bool leaving, running;
    pthread_t thread;
};

/* usherd_watch_init - no checks yet
 * @tell: NULL: usherd_watch_tell */
void usherd_watch_init(struct usherd_watch *watch,
                       void (*tell)(enum watch_state state, const char *name, const char *text));

/* usherd_watch_add - another check; before usherd_watch_start */
void usherd_watch_add(struct usherd_watch *watch, const char *name,
                      enum watch_state (*look)(void *context, char *ret_text), void *context);

/* usherd_watch_step - make all checks once
 * @now_ms: monotonic */
void usherd_watch_step(struct usherd_watch *watch, uint64_t now_ms);

/* usherd_watch_start - Return: 0, or an errno; usherd_watch_stop - wait until the thread has
 * ended */
int usherd_watch_start(struct usherd_watch *watch);
void usherd_watch_stop(struct usherd_watch *watch);

/* usherd_watch_tell - on standard error; ends the process where state is WATCH_STOP, also if nobody
 * reads what it says */
void usherd_watch_tell(enum watch_state state, const char *name, const char *text);

#endif
