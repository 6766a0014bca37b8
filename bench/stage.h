/* stage.h - a real usherd with dates to sell, for benchmarks over the network
 *
 * Happy path: stage_open, stage_prepare + load_run, stage_held_seats, stage_close. What goes wrong
 * ends the process with a message: a benchmark of something broken has no figures.
 */
#ifndef USHER_BENCH_STAGE_H
#define USHER_BENCH_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bench/load.h"
#include "net/client/client.h"

#define STAGE_SEATS_PER_DATE 100000u

#define STAGE_ARGUMENTS_MAX 12u

/* What is to be on sale. */
struct stage_plan {
    uint32_t dates, seats_per_date;
    uint32_t users_per_date; /* who have entered every date and are active; 0: nobody yet */
    char *const *extra;      /* more arguments for the daemon, the last one NULL; may be NULL */
    bool unix_socket;        /* instead of TCP over the loopback */
};

struct stage {
    char folder[64]; /* the daemon's data */
    char url[128], admin_url[128];
    char *arguments[STAGE_ARGUMENTS_MAX]; /* the daemon's, copied, for a restart */
    pid_t usherd;
    uint64_t recovered; /* decisions that its last start read from the log */
    struct client *client;
    uint32_t dates, seats_per_date;
    char (*tokens)[49]; /* of user u of date d (from 0): tokens[u * dates + d] */
    uint32_t users_per_date;
    uint32_t next; /* hold to prepare next */
};

/* What the kernel says of the daemon. */
struct stage_usage {
    uint64_t resident_bytes, peak_bytes;
    double cpu_seconds; /* of all threads, in user mode and in the kernel */
};

_Noreturn void stage_fail(const char *what);

/* stage_start - start a program and read its standard output
 * Return: its process, which dies with this one */
pid_t stage_start(char *const arguments[], FILE **ret_output);

/* stage_open - a daemon on an empty folder, with seats for so many holds and users who may hold
 * them
 * @extra: as in struct stage_plan */
void stage_open(struct stage *stage, const char *usherd, char *const *extra, uint64_t holds);

/* stage_open_plan - the same, as planned. However the process exits from now on, the daemon is
 * killed and its folder removed. */
void stage_open_plan(struct stage *stage, const char *usherd, const struct stage_plan *plan);

/* stage_restart - kill the daemon, start it again on its log, connect anew. Who still uses the
 * client of before loses. Return: seconds from its start until it said `ready` */
double stage_restart(struct stage *stage);

/* stage_prepare - the next frames of holds, each of a different free seat
 * Free frames.bytes and frames.ends. */
struct frames stage_prepare(struct stage *stage, uint32_t count, uint32_t per_frame);

/* stage_write_hold - the parameters of hold number n, which stage_prepare() has not made and will
 * not */
void stage_write_hold(const struct stage *stage, uint32_t n, struct value_writer *params);

/* stage_write_user - user number n, as the text that stands for one */
void stage_write_user(uint32_t n, char ret_text[40]);

/* stage_stats - a number of `system.stats`, e.g. "money", "spent", or NULL, "durable_lsn" */
uint64_t stage_stats(struct stage *stage, const char *group, const char *name);

struct stage_usage stage_usage(const struct stage *stage);

/* stage_held_seats - held or sold, as the engine shows them */
uint64_t stage_held_seats(struct stage *stage);

/* stage_close - kill the daemon, remove its folder; Return: exit status */
int stage_close(struct stage *stage);

#endif
