/* sale_fixture.h - a real usherd with dates to sell, for benchmarks over the network
 *
 * Happy path: sale_open, sale_prepare + load_run, sale_held_seats, sale_close. What goes wrong
 * ends the process with a message: a benchmark of something broken has no figures.
 */
#ifndef USHER_BENCH_SALE_FIXTURE_H
#define USHER_BENCH_SALE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bench/load.h"
#include "net/client/client.h"

#define SALE_SEATS_PER_DATE 100000u

#define SALE_ARGUMENTS_MAX 12u

/* What is to be on sale. */
struct sale_plan {
    uint32_t dates, seats_per_date;
    uint32_t users_per_date; /* who have entered every date and are active; 0: nobody yet */
    char *const *extra;      /* more arguments for the daemon, the last one NULL; may be NULL */
    bool unix_socket;        /* instead of TCP over the loopback */
};

struct sale_fixture {
    char folder[64]; /* the daemon's data */
    char url[128], admin_url[128];
    char *arguments[SALE_ARGUMENTS_MAX]; /* the daemon's, copied, for a restart */
    pid_t usherd;
    uint64_t recovered; /* decisions that its last start read from the log */
    struct client *client;
    uint32_t dates, seats_per_date;
    char (*tokens)[49]; /* of user u of date d (from 0): tokens[u * dates + d] */
    uint32_t users_per_date;
    uint32_t next; /* hold to prepare next */
};

/* What the kernel says of the daemon. */
struct sale_usage {
    uint64_t resident_bytes, peak_bytes;
    double cpu_seconds; /* of all threads, in user mode and in the kernel */
};

_Noreturn void sale_fail(const char *what);

/* sale_start - start a program and read its standard output
 * Return: its process, which dies with this one */
pid_t sale_start(char *const arguments[], FILE **ret_output);

/* sale_open - a daemon on an empty folder, with seats for so many holds and users who may hold
 * them
 * @extra: as in struct sale_plan */
void sale_open(struct sale_fixture *sale, const char *usherd, char *const *extra, uint64_t holds);

/* sale_open_plan - the same, as planned. However the process exits from now on, the daemon is
 * killed and its folder removed. */
void sale_open_plan(struct sale_fixture *sale, const char *usherd, const struct sale_plan *plan);

/* sale_restart - kill the daemon, start it again on its log, connect anew. Who still uses the
 * client of before loses. Return: seconds from its start until it said `ready` */
double sale_restart(struct sale_fixture *sale);

/* sale_prepare - the next frames of holds, each of a different free seat
 * Free frames.bytes and frames.ends. */
struct frames sale_prepare(struct sale_fixture *sale, uint32_t count, uint32_t per_frame);

/* sale_write_hold - the parameters of hold number n, which sale_prepare() has not made and will
 * not */
void sale_write_hold(const struct sale_fixture *sale, uint32_t n, struct value_writer *params);

/* sale_write_user - user number n, as the text that stands for one */
void sale_write_user(uint32_t n, char ret_text[40]);

/* sale_stats - a number of `system.stats`, e.g. "money", "spent", or NULL, "durable_lsn" */
uint64_t sale_stats(struct sale_fixture *sale, const char *group, const char *name);

struct sale_usage sale_usage(const struct sale_fixture *sale);

/* sale_held_seats - held or sold, as the engine shows them */
uint64_t sale_held_seats(struct sale_fixture *sale);

/* sale_close - kill the daemon, remove its folder; Return: exit status */
int sale_close(struct sale_fixture *sale);

#endif
