/* callers.h - the job that every system of bench/compare does, and the clock that times it
 *
 * So many callers, each with one hold under way and the next one as soon as that is answered (a
 * closed loop), for a second of warming up and some seconds that count. Who drives the network asks
 * callers_next() what a caller wants and tells callers_answer() what came of it; both only write
 * what belongs to that hold, so any threads may call them for different callers at once. Nothing is
 * summed up before the end, so that measuring costs the same everywhere: a clock and two stores.
 *
 * Hold number n wants a seat that no other hold wants, in the order in which bench/sale_fixture.c
 * sells: one date after the other, 100,000 seats in shuffled order, 6,250 active users taking
 * turns.
 *
 * What goes wrong ends the process with a message: a benchmark of something broken has no figures.
 */
#ifndef USHER_BENCH_PEERS_CALLERS_H
#define USHER_BENCH_PEERS_CALLERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/common/histogram.h"

#define CALLERS_SEATS_PER_DATE 100000u
#define CALLERS_USERS_PER_DATE 6250u
#define CALLERS_WARM_UP_MS 700u
#define CALLERS_HOLD_TTL_MS 3600000u

/* The command line of every load generator. */
struct callers_options {
    const char *name;     /* of the row in the report */
    const char *address;  /* usher: the program; Redis, Tarantool: a socket; PostgreSQL: conninfo */
    const char *folder;   /* on the disk where the system's log is */
    uint32_t callers;     /* 1.. */
    uint32_t connections; /* 1..callers; usher: frames in flight */
    uint32_t seats;       /* there are; a multiple of CALLERS_SEATS_PER_DATE */
    uint32_t seconds;     /* that count; 1..60 */
    bool batch;           /* the holds that gather on a connection are one command there */
    bool half;            /* usher: then an open loop at half of the rate that was found */
    uint32_t rate; /* of an open loop, holds a second, each by a caller of its own; 0: closed */
};

struct callers_hold {
    uint32_t number;
    uint32_t user; /* 0.. */
    uint32_t seat; /* 0.. ; date = seat / CALLERS_SEATS_PER_DATE */
};

/* What the device of the folder has done, by the kernel's count: whether a system really writes and
 * flushes does not depend on what it says. All zero where the kernel does not tell. */
struct callers_disk {
    uint64_t writes, sectors_written, flushes; /* sectors of 512 bytes */
};

struct callers {
    const struct callers_options *options;
    struct callers_disk disk, disk_after; /* at the beginning and the end */
    uint64_t begun_ns;
    uint32_t window_begin_us, window_end_us;
    uint32_t first;           /* holds before this one were done by an earlier run */
    struct histogram late_us; /* open loop: from when a hold was due until it was asked for */
    uint32_t *current;        /* by caller: the hold under way */
    uint32_t *asked_us;
    uint32_t *answered_us; /* by hold; 0: not yet */
    _Atomic uint32_t next; /* hold that nobody has asked for */
    _Atomic uint32_t answered, held;
};

_Noreturn void callers_fail(const char *what, const char *why);

/* callers_read_options - from the command line; mistakes end the process */
void callers_read_options(int argc, char **argv, struct callers_options *ret_options);

/* callers_token - what user number `user` shows. A peer's tokens are 32 bits: easier work than
 * usher's 48 digits. The same formula stands in postgres.sql and tarantool.lua. */
static inline uint32_t callers_token(uint32_t user) { return (user + 1) * 2654435761u; }
static inline uint32_t callers_users(const struct callers_options *options) {
    return options->seats / CALLERS_SEATS_PER_DATE * CALLERS_USERS_PER_DATE;
}

/* callers_begin - everything is ready; the clock starts
 * @first: the number of the first hold: 0, or what an earlier run on the same system has left */
void callers_begin(struct callers *callers, const struct callers_options *options, uint32_t first);

/* callers_hold - what hold number n is about */
struct callers_hold callers_hold(uint32_t number);

/* callers_next - the caller's next hold. Return: false when the time is over or seats are sold
 * out */
bool callers_next(struct callers *callers, uint32_t caller, struct callers_hold *ret_hold);

/* callers_open_loop - options->rate holds a second, each of a caller of its own and due at its
 * time, whatever became of those before it; until the time is over or no caller or seat is left
 * @ask: to ask for that hold; it may block, which delays those that follow
 * A hold's latency counts from when it was due, so that a stall shows in all the holds that it held
 * up. Sleeps until the next CALLERS_TICK_US, then asks for all that is due: with two cores for
 * everybody it could not spin. What it oversleeps counts as latency, and is told beside it
 * (late_*_us). */
#define CALLERS_TICK_US 100u
void callers_open_loop(struct callers *callers,
                       void (*ask)(void *context, uint32_t caller, const struct callers_hold *hold),
                       void *context);

/* callers_clock_us - since callers_begin(); from 1 */
uint32_t callers_clock_us(const struct callers *callers);

/* callers_answer - the caller's hold is answered; held: with a seat */
void callers_answer(struct callers *callers, uint32_t caller, bool held);

/* callers_all_answered - no hold is under way, and none will be */
bool callers_all_answered(const struct callers *callers);

/* callers_end - all are answered */
void callers_end(struct callers *callers);

/* What counts: answers that came between the end of the warming up and the end of the time. */
struct callers_figures {
    double seconds, per_second;
    uint64_t count, p50_us, p99_us, p999_us;
    bool sold_out; /* before the time was over; what counts ends with the last answer */
};

/* callers_figures - after callers_end(). Anything that was refused ends the process with a
 * message. */
void callers_figures(const struct callers *callers, struct callers_figures *ret_figures);

/* callers_counts - whether hold number n is one that counts */
bool callers_counts(const struct callers *callers, uint32_t number);

/* callers_report - one line of JSON on standard output
 * @held_there: seats that the system itself says are held. Anything but one seat for each hold that
 *              was answered, in earlier runs too, ends the process with a message. */
void callers_report(const struct callers *callers, uint64_t held_there);
void callers_free(struct callers *callers);

#endif
