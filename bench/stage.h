/* stage.h - a real usherd with dates to sell, for benchmarks over the network
 *
 * Happy path: stage_open, stage_prepare + load_run, stage_held_seats, stage_close. What goes wrong ends the
 * process with a message: a benchmark of something broken has no figures.
 */
#ifndef USHER_BENCH_STAGE_H
#define USHER_BENCH_STAGE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bench/load.h"
#include "net/client.h"

#define STAGE_SEATS_PER_DATE 100000u

struct stage {
    char folder[64]; /* the daemon's data */
    char url[128], admin_url[128];
    pid_t usherd;
    struct client *client;
    uint32_t dates;
    char (*tokens)[49]; /* by user of all dates: each has SEATS_PER_USER_MAX seats */
    uint32_t users_per_date;
    uint32_t next; /* hold to prepare next */
};

_Noreturn void stage_fail(const char *what);

/* stage_start - start a program and read its standard output
 * Return: its process, which dies with this one */
pid_t stage_start(char *const arguments[], FILE **ret_output);

/* stage_open - a daemon on an empty folder, with seats for so many holds and users who may hold them
 * @extra: more arguments for the daemon, the last one NULL; may be NULL */
void stage_open(struct stage *stage, char *usherd, char *const *extra, uint64_t holds);

/* stage_prepare - the next frames of holds, each of a different free seat
 * Free frames.bytes and frames.ends. */
struct frames stage_prepare(struct stage *stage, uint32_t count, uint32_t per_frame);

/* stage_write_hold - the parameters of hold number n, which stage_prepare() has not made and will not */
void stage_write_hold(const struct stage *stage, uint32_t n, struct value_writer *params);

/* stage_held_seats - as the engine shows them */
uint64_t stage_held_seats(struct stage *stage);

/* stage_relistens - listeners that the engine's watchdog had to replace */
uint64_t stage_relistens(struct stage *stage);

/* stage_close - kill the daemon, remove its folder; Return: exit status */
int stage_close(struct stage *stage);

#endif
