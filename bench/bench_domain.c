/* bench_domain.c - decisions per second of the domain alone, on one core
 *
 * What is timed is what a shard does for a command between mailbox and journal: decide, encode the
 * record, apply, and what follows at once (admission). No thread, no socket, no disk. Each figure is
 * the median of ROUNDS rounds on fresh state.
 */
#include <string.h>

#include "bench/measure.h"
#include "engine/domain/date.h"
#include "engine/domain/world.h"
#include "engine/require.h"

#define ROUNDS 5
#define SEATS 100000u
#define HALL 2000u
#define HOLDS 500000u
#define WAITERS 1000000u
#define NOW_MS 1700000000000u

struct bench {
    struct world *world;
    struct partition *date;
    uint64_t now_ms;
    uint64_t decisions;
    uint8_t log[DRAIN_BYTES_MAX];
    uint32_t log_bytes;
    struct verdict verdict;
};

static void carry_out(struct bench *bench, struct partition *partition) {
    for (uint32_t i = 0; i < bench->verdict.count; i++) {
        if (bench->log_bytes + RECORD_BYTES_MAX > sizeof bench->log) bench->log_bytes = 0;
        bench->log_bytes += decision_encode(&bench->verdict.decisions[i],
                                            bench->log + bench->log_bytes);
        partition_apply(partition, &bench->verdict.decisions[i]);
    }
    bench->decisions += bench->verdict.count;
}

static void decide(struct bench *bench, struct partition *partition, struct command *command) {
    command->partition = partition->id;
    partition_heard(partition, command, bench->now_ms);
    partition_decide(partition, command, bench->now_ms, &bench->verdict);
    if (bench->verdict.count == 0) return;
    carry_out(bench, partition);
    while (partition_next_due_ms(partition) <= bench->now_ms &&
           partition_due(partition, bench->now_ms, &bench->verdict)) {
        carry_out(bench, partition);
    }
}

/* A payment's messages, delivered at once as within one shard. */
static void decide_all(struct bench *bench, struct partition *partition, struct command *command) {
    decide(bench, partition, command);
    while (bench->verdict.has_message) {
        struct command message = bench->verdict.message;
        decide(bench, world_find(bench->world, message.partition), &message);
    }
}

static struct id128 user_of(uint32_t n) {
    struct id128 user = {{0}};
    uint64_t mixed = (n + 1) * 0x9e3779b97f4a7c15ull;
    memcpy(user.bytes, &mixed, sizeof mixed);
    memcpy(user.bytes + 8, &n, sizeof n);
    user.bytes[15] = (uint8_t)(mixed >> 56);
    return user;
}

static struct bench *start(uint64_t active_capacity) {
    static const struct id128 seed = {{7, 7, 7}};
    static const struct text word = {"A", 1};
    struct bench *bench = calloc(1, sizeof *bench);
    struct policy policy;
    REQUIRE(bench != NULL);
    bench->now_ms = NOW_MS;
    bench->world = world_create(&seed);
    policy_default(&policy);
    policy.active_capacity = active_capacity;
    struct command command = {.kind = COMMAND_CONCERT_CREATE, .concert.title = word};
    decide(bench, bench->world->catalogue, &command);
    command = (struct command){.kind = COMMAND_DATE_CREATE,
                               .date = {.concert = 1, .title = word, .policy = &policy}};
    partition_decide(bench->world->catalogue, &command, NOW_MS, &bench->verdict);
    REQUIRE(world_apply(bench->world, &bench->verdict.decisions[0]) == WORLD_APPLIED);
    bench->date = bench->world->dates[1];
    struct seat_spec spec = {
        .price = 100, .for_sale = true, .section = word, .row = word, .seat = word};
    for (uint32_t i = 1; i <= SEATS; i++) {
        command = (struct command){.kind = COMMAND_SEATS_ADD,
                                   .seats = {.first = i, .count = 1, .seats = &spec}};
        decide(bench, bench->date, &command);
    }
    command = (struct command){.kind = COMMAND_DATE_OPEN};
    decide(bench, bench->date, &command);
    partition_resume(bench->date, NOW_MS);
    bench->decisions = 0;
    return bench;
}

static struct token enter(struct bench *bench, uint32_t n) {
    struct command command = {.kind = COMMAND_QUEUE_ENTER,
                              .enter = {.user = user_of(n), .secret = user_of(n ^ 0x5555)}};
    decide(bench, bench->date, &command);
    return (struct token){1, n + 1, command.enter.secret};
}

static void stop(struct bench *bench) {
    world_free(bench->world);
    free(bench);
}

/* --- the figures ------------------------------------------------------------------------------- */

/* A million fans enter a room in which nobody is admitted. Return: ns per decision */
static double enter_line(void) {
    struct bench *bench = start(0);
    uint64_t began = measure_cpu_ns();
    for (uint32_t n = 0; n < WAITERS; n++) (void)enter(bench, n);
    double ns = (double)(measure_cpu_ns() - began) / (double)bench->decisions;
    stop(bench);
    return ns;
}

/* Polls of random waiters among a million. Return: ns per poll */
static double poll_line(void) {
    struct bench *bench = start(0);
    static struct token tokens[WAITERS];
    for (uint32_t n = 0; n < WAITERS; n++) tokens[n] = enter(bench, n);
    uint64_t sum = 0, random = 88172645463325252ull, began = measure_cpu_ns();
    for (uint32_t i = 0; i < WAITERS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        struct command command = {.kind = COMMAND_QUEUE_STATUS, .partition = bench->date->id};
        struct reply reply;
        command.queue.token = tokens[random % WAITERS];
        partition_heard(bench->date, &command, bench->now_ms);
        partition_decide(bench->date, &command, bench->now_ms, &bench->verdict);
        partition_answer(bench->date, &command, &bench->verdict, bench->now_ms, &reply);
        sum += reply.token.ahead;
    }
    double ns = (double)(measure_cpu_ns() - began) / WAITERS;
    REQUIRE(sum > 0);
    stop(bench);
    return ns;
}

/* As many active users as `seats` hold one seat each, in shuffled order, and release it, again and
 * again. Return: ns per decision */
static double hold_release(uint32_t seats) {
    struct bench *bench = start(SEATS);
    static struct token tokens[SEATS];
    for (uint32_t n = 0; n < seats; n++) tokens[n] = enter(bench, n);
    bench->decisions = 0;
    uint32_t reservation = 0;
    uint64_t began = measure_cpu_ns();
    for (uint32_t round = 0; round < HOLDS / seats; round++) {
        uint32_t first = reservation + 1;
        for (uint32_t i = 0; i < seats; i++, reservation++) {
            struct seat_ref seat = {.number = (uint32_t)((i * 48271ull + round) % seats) + 1};
            struct command command = {.kind = COMMAND_SEATS_HOLD,
                                      .hold = {.token = tokens[i], .seats = &seat, .count = 1}};
            decide(bench, bench->date, &command);
        }
        for (uint32_t i = 0; i < seats; i++) {
            struct command command = {
                .kind = COMMAND_SEATS_RELEASE,
                .pay = {.token = tokens[i], .reservation = dated_id(1, first + i)}};
            decide(bench, bench->date, &command);
        }
    }
    double ns = (double)(measure_cpu_ns() - began) / (double)bench->decisions;
    REQUIRE(bench->decisions == 2ull * HOLDS);
    stop(bench);
    return ns;
}

/* Whole bookings: enter, admitted, charge, hold, pay (four messages). Return: ns per booking;
 * @ret_decisions: decisions per booking */
static double book(double *ret_decisions) {
    struct bench *bench = start(1000);
    uint64_t began = measure_cpu_ns();
    for (uint32_t n = 0; n < SEATS; n++) {
        struct id128 user = user_of(n);
        struct token token = enter(bench, n);
        struct command command = {.kind = COMMAND_WALLET_CHARGE,
                                  .wallet = {.user = user, .amount = 100, .key = user}};
        decide(bench, world_find(bench->world, partition_of_user(&user)), &command);
        struct seat_ref seat = {.number = n + 1};
        command = (struct command){.kind = COMMAND_SEATS_HOLD,
                                   .hold = {.token = token, .seats = &seat, .count = 1}};
        decide(bench, bench->date, &command);
        command = (struct command){
            .kind = COMMAND_PAYMENT_PAY,
            .pay = {.token = token, .reservation = dated_id(1, n + 1), .key = user}};
        decide_all(bench, bench->date, &command);
    }
    double ns = (double)(measure_cpu_ns() - began) / SEATS;
    *ret_decisions = (double)bench->decisions / SEATS;
    struct money_totals money;
    world_money(bench->world, &money);
    REQUIRE(money.spent == 100ull * SEATS && ((struct date *)bench->date)->seats.free == 0);
    stop(bench);
    return ns;
}

int main(void) {
    double line[ROUNDS], poll[ROUNDS], hall[ROUNDS], seats[ROUNDS], booking[ROUNDS],
        per_booking = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        line[i] = enter_line();
        poll[i] = poll_line();
        hall[i] = hold_release(HALL);
        seats[i] = hold_release(SEATS);
        booking[i] = book(&per_booking);
    }
    double ns = measure_median(booking, ROUNDS);
    printf("domain alone, one core, median of %d rounds\n", ROUNDS);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "enter a line of 1,000,000, per decision",
           measure_median(line, ROUNDS), 1e3 / line[ROUNDS / 2]);
    printf("  %-44s %8.0f ns %8.2f M/s\n", "poll among 1,000,000 waiters, per poll",
           measure_median(poll, ROUNDS), 1e3 / poll[ROUNDS / 2]);
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
