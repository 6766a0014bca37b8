/* wall.h - a wall clock for the daemons of a test, which the test sets while they run
 *
 * Happy path: wall_open, wall_set, wall_lend(true), daemon_start, wall_lend(false), wall_set, ...
 * Needs WALL_SHIM in the environment: the path of the library made of wall_shim.c; meson test sets
 * it.
 * Thread: the test's.
 */
#ifndef USHER_TESTS_PROCESS_WALL_H
#define USHER_TESTS_PROCESS_WALL_H

#include <stdbool.h>
#include <stdint.h>

struct wall {
    char path[96];           /* of the file that children read */
    _Atomic int64_t *set_ns; /* what they add to the kernel's clock */
};

/* wall_open - the kernel's clock, until it is set
 * @directory: the file is made there; whoever made the directory removes it */
void wall_open(struct wall *wall, const char *directory);
void wall_close(struct wall *wall);

/* wall_set - from now on the clock goes on from here, Unix ms */
void wall_set(struct wall *wall, uint64_t now_ms);
/* wall_step - it is set forward by so much, or back */
void wall_step(struct wall *wall, int64_t ms);
uint64_t wall_now_ms(const struct wall *wall);

/* wall_lend - children that are started from now on have this clock, or no more */
void wall_lend(const struct wall *wall, bool lend);

#endif
