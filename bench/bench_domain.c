/* bench_domain.c - decisions per second of the domain alone, on one core
 *
 * What is timed is what a shard does for a command between mailbox and journal: decide, encode the
 * record, apply, and what follows at once (admission). No thread, no socket, no disk. Each figure
 * is the median of ROUNDS rounds on fresh state.
 */
#include "tests/support/stepper.h"
#include "bench/measure.h"
#include "engine/base/require.h"

#define ROUNDS 5
#define SEATS 100000u
#define HALL 2000u
#define HOLDS 500000u
#define WAITERS 1000000u
#define AHEAD 16u /* as far as a shard looks ahead; divides WAITERS */

/* A million fans enter a room in which nobody is admitted. Return: ns per decision */
static double enter_line(void) {
    struct stepper *stepper = stepper_new(NULL);
    struct partition *date = stepper_date(stepper, 1, 0);
    uint64_t before = stepper->decisions, began = measure_cpu_ns();
    for (uint32_t n = 0; n < WAITERS; n++) (void)stepper_enter(stepper, date, n);
    double ns = (double)(measure_cpu_ns() - began) / (double)(stepper->decisions - before);
    stepper_free(stepper);
    return ns;
}

/* A poll each, after a look at all of them, as a shard takes the requests of a frame.
 * Return: a sum of what came out */
static uint64_t poll_some(struct stepper *stepper, struct partition *date,
                          const struct command *commands, uint32_t count) {
    uint64_t sum = 0;
    for (enum prefetch step = PREFETCH_FIRST; step <= PREFETCH_LAST && count > 1; step++) {
        for (uint32_t i = 0; i < count; i++) {
            world_prefetch_command(stepper->world, &commands[i], step);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct reply reply;
        partition_heard(date, &commands[i], stepper->now_ms);
        partition_decide(date, &commands[i], stepper->now_ms, &stepper->verdict);
        partition_answer(date, &commands[i], &stepper->verdict, stepper->now_ms, &reply);
        sum += reply.token.ahead;
    }
    return sum;
}

/* Polls of random waiters among a million, so many in a frame. Return: ns per poll */
static double poll_line(uint32_t per_frame) {
    struct stepper *stepper = stepper_new(NULL);
    struct partition *date = stepper_date(stepper, 1, 0);
    static struct token tokens[WAITERS];
    for (uint32_t n = 0; n < WAITERS; n++) tokens[n] = stepper_enter(stepper, date, n);
    uint64_t sum = 0, random = 88172645463325252ull, began = measure_cpu_ns();
    for (uint32_t i = 0; i < WAITERS; i += per_frame) {
        struct command commands[AHEAD];
        for (uint32_t j = 0; j < per_frame; j++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            commands[j] = (struct command){.kind = COMMAND_QUEUE_STATUS,
                                           .partition = date->id,
                                           .queue.token = tokens[random % WAITERS]};
        }
        sum += poll_some(stepper, date, commands, per_frame);
    }
    double ns = (double)(measure_cpu_ns() - began) / WAITERS;
    REQUIRE(sum > 0);
    stepper_free(stepper);
    return ns;
}

/* As many active users as `seats` hold one seat each, in shuffled order, and release it, again and
 * again. Return: ns per decision */
static double hold_release(uint32_t seats) {
    struct stepper *stepper = stepper_new(NULL);
    struct partition *date = stepper_date(stepper, SEATS, SEATS);
    static struct token tokens[SEATS];
    static uint64_t reservations[SEATS];
    for (uint32_t n = 0; n < seats; n++) tokens[n] = stepper_enter(stepper, date, n);
    uint64_t before = stepper->decisions, began = measure_cpu_ns();
    for (uint32_t round = 0; round < HOLDS / seats; round++) {
        for (uint32_t i = 0; i < seats; i++) {
            uint32_t seat = (uint32_t)((i * 48271ull + round) % seats) + 1;
            reservations[i] = stepper_hold(stepper, date, &tokens[i], seat);
        }
        for (uint32_t i = 0; i < seats; i++) {
            stepper_release(stepper, date, &tokens[i], reservations[i]);
        }
    }
    double ns = (double)(measure_cpu_ns() - began) / (double)(stepper->decisions - before);
    REQUIRE(stepper->decisions - before == 2ull * HOLDS);
    stepper_free(stepper);
    return ns;
}

/* Whole bookings: enter, admitted, charge, hold, pay (four messages). Return: ns per booking;
 * @ret_decisions: decisions per booking */
static double book(double *ret_decisions) {
    struct stepper *stepper = stepper_new(NULL);
    struct partition *date = stepper_date(stepper, SEATS, 1000);
    uint64_t before = stepper->decisions, began = measure_cpu_ns();
    for (uint32_t n = 0; n < SEATS; n++) {
        struct token token = stepper_enter(stepper, date, n);
        stepper_charge(stepper, n, 100);
        stepper_pay(stepper, date, &token, stepper_hold(stepper, date, &token, n + 1));
    }
    double ns = (double)(measure_cpu_ns() - began) / SEATS;
    *ret_decisions = (double)(stepper->decisions - before) / SEATS;
    struct money_totals money;
    world_money(stepper->world, &money);
    REQUIRE(money.spent == 100ull * SEATS && ((struct date *)date)->seats.free == 0);
    stepper_free(stepper);
    return ns;
}

int main(void) {
    volatile uint32_t alone = 1, ahead = AHEAD; /* known at run time only: the same code for both */
    double line[ROUNDS], poll[ROUNDS], polls[ROUNDS], hall[ROUNDS], seats[ROUNDS], booking[ROUNDS],
        per_booking = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        line[i] = enter_line();
        poll[i] = poll_line(alone);
        polls[i] = poll_line(ahead);
        hall[i] = hold_release(HALL);
        seats[i] = hold_release(SEATS);
        booking[i] = book(&per_booking);
    }
    double ns = measure_median(booking, ROUNDS);
    printf("domain alone, one core, median of %d rounds\n", ROUNDS);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "enter a line of 1,000,000, per decision",
           measure_median(line, ROUNDS), 1e3 / line[ROUNDS / 2]);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "poll among 1,000,000 waiters, alone",
           measure_median(poll, ROUNDS), 1e3 / poll[ROUNDS / 2]);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "poll among 1,000,000 waiters, 16 in a frame",
           measure_median(polls, ROUNDS), 1e3 / polls[ROUNDS / 2]);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "hold and release 2,000 seats, per decision",
           measure_median(hall, ROUNDS), 1e3 / hall[ROUNDS / 2]);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "hold and release 100,000 seats, per decision",
           measure_median(seats, ROUNDS), 1e3 / seats[ROUNDS / 2]);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "whole booking, per decision", ns / per_booking,
           1e3 * per_booking / ns);
    printf("  %-44s %8.0f ns %8.2f M/s (%.0f decisions each)\n", "whole booking", ns, 1e3 / ns,
           per_booking);
    return 0;
}
