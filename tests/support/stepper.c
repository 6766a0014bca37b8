/* stepper.c - see stepper.h */
#include "tests/support/stepper.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/require.h"

#define NOW_MS 1700000000000u

static const struct text word = {"A", 1};

struct stepper *stepper_new(struct world *world) {
    static const struct id128 seed = {{7, 7, 7}};
    struct stepper *stepper = calloc(1, sizeof *stepper);
    REQUIRE(stepper != NULL);
    stepper->world = world ? world : world_create(&seed);
    stepper->now_ms = NOW_MS;
    stepper->log_capacity = sizeof stepper->log;
    return stepper;
}

void stepper_free(struct stepper *stepper) {
    if (stepper->world) world_free(stepper->world);
    free(stepper);
}

void stepper_flush(struct stepper *stepper) {
    if (stepper->flush && stepper->log_bytes > 0) {
        stepper->flush(stepper->flush_context, stepper->log, stepper->log_bytes);
    }
    stepper->log_bytes = 0;
}

/* Apply as replay does, and demand that the decision fits. */
static void apply_strictly(struct stepper *stepper, const struct partition *partition,
                           const struct decision *decision) {
    REQUIRE(decision->partition == partition->id && decision->time_ms == stepper->now_ms);
    REQUIRE(stepper->apply(stepper->world, decision) == WORLD_APPLIED);
    if (decision->kind != DECISION_DATE_CREATED) return;
    partition_resume(stepper->world->dates[decision->date_created.date], stepper->now_ms);
}

/* As a shard does. */
static void apply(struct stepper *stepper, struct partition *partition,
                  const struct decision *decision) {
    partition_apply(partition, decision);
    if (decision->kind != DECISION_DATE_CREATED) return;
    struct partition *date = &date_create(&decision->date_created)->partition;
    world_adopt(stepper->world, date);
    partition_resume(date, stepper->now_ms);
}

static inline void carry_out(struct stepper *stepper, struct partition *partition,
                             const struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct decision *decision = &verdict->decisions[i];
        if (stepper->log_bytes + RECORD_BYTES_MAX > stepper->log_capacity) stepper_flush(stepper);
        stepper->log_bytes += decision_encode(decision, stepper->log + stepper->log_bytes);
        if (stepper->apply) {
            apply_strictly(stepper, partition, decision);
        } else {
            apply(stepper, partition, decision);
        }
    }
    stepper->decisions += verdict->count;
}

void stepper_carry_out(struct stepper *stepper, struct partition *partition,
                       const struct verdict *verdict) {
    carry_out(stepper, partition, verdict);
}

void stepper_step(struct stepper *stepper, struct partition *partition,
                  const struct command *command) {
    partition_heard(partition, command, stepper->now_ms);
    partition_decide(partition, command, stepper->now_ms, &stepper->verdict);
    carry_out(stepper, partition, &stepper->verdict);
}

bool stepper_due_once(struct stepper *stepper, struct partition *partition) {
    if (!partition_due(partition, stepper->now_ms, &stepper->due)) return false;
    carry_out(stepper, partition, &stepper->due);
    return true;
}

void stepper_decide(struct stepper *stepper, struct partition *partition, struct command *command) {
    command->partition = partition->id;
    stepper_step(stepper, partition, command);
    if (stepper->verdict.count > 0) stepper_due(stepper, partition);
}

void stepper_due(struct stepper *stepper, struct partition *partition) {
    while (partition_next_due_ms(partition) <= stepper->now_ms &&
           stepper_due_once(stepper, partition)) {
        REQUIRE(!stepper->due.has_message);
    }
}

void stepper_decide_all(struct stepper *stepper, struct partition *partition,
                        struct command *command) {
    stepper_decide(stepper, partition, command);
    while (stepper->verdict.has_message) {
        struct command message = stepper->verdict.message;
        stepper_decide(stepper, world_find(stepper->world, message.partition), &message);
    }
}

struct partition *stepper_date(struct stepper *stepper, uint32_t seats, uint64_t active_capacity) {
    struct policy policy;
    policy_default(&policy);
    policy.active_capacity = active_capacity;
    struct command command = {.kind = COMMAND_CONCERT_CREATE, .concert.title = word};
    stepper_decide(stepper, stepper->world->catalogue, &command);
    uint32_t date = stepper->world->date_count + 1;
    command = (struct command){.kind = COMMAND_DATE_CREATE,
                               .date = {.concert = date, .title = word, .policy = &policy}};
    stepper_decide(stepper, stepper->world->catalogue, &command);
    struct partition *partition = stepper->world->dates[date];
    for (uint32_t i = 1; i <= seats; i++) {
        char row[12], number[12];
        struct seat_spec spec = {.price = 100, .for_sale = true, .section = word};
        spec.row = (struct text){row, (uint8_t)snprintf(row, sizeof row, "%u", i / 40)};
        spec.seat = (struct text){number, (uint8_t)snprintf(number, sizeof number, "%u", i % 40)};
        command = (struct command){.kind = COMMAND_SEATS_ADD,
                                   .seats = {.first = i, .count = 1, .seats = &spec}};
        stepper_decide(stepper, partition, &command);
    }
    command = (struct command){.kind = COMMAND_DATE_OPEN};
    stepper_decide(stepper, partition, &command);
    return partition;
}

struct id128 stepper_user(uint32_t n) {
    struct id128 user = {{0}};
    uint64_t mixed = (n + 1) * 0x9e3779b97f4a7c15ull; /* Fibonacci hashing (Knuth): ids spread */
    memcpy(user.bytes, &mixed, sizeof mixed);
    memcpy(user.bytes + 8, &n, sizeof n);
    user.bytes[15] = (uint8_t)(mixed >> 56);
    return user;
}

struct token stepper_enter(struct stepper *stepper, struct partition *date, uint32_t n) {
    struct command command = {
        .kind = COMMAND_QUEUE_ENTER,
        .enter = {.user = stepper_user(n), .secret = stepper_user(n ^ 0x5555)}};
    stepper_decide(stepper, date, &command);
    const struct date *entered = (const struct date *)date;
    return (struct token){entered->id, entered->room.last, command.enter.secret};
}

void stepper_charge(struct stepper *stepper, uint32_t n, uint64_t amount) {
    struct id128 user = stepper_user(n);
    struct command command = {.kind = COMMAND_WALLET_CHARGE,
                              .wallet = {.user = user, .amount = amount, .key = user}};
    stepper_decide(stepper, world_find(stepper->world, partition_of_user(&user)), &command);
}

uint64_t stepper_hold(struct stepper *stepper, struct partition *date, const struct token *token,
                      uint32_t seat) {
    struct seat_ref ref = {.number = seat};
    struct command command = {.kind = COMMAND_SEATS_HOLD,
                              .hold = {.token = *token, .seats = &ref, .count = 1}};
    stepper_decide(stepper, date, &command);
    if (stepper->verdict.reply_kind == REPLY_ERROR) return 0;
    return dated_id(token->date, ((const struct date *)date)->reservations.sequence_count);
}

void stepper_release(struct stepper *stepper, struct partition *date, const struct token *token,
                     uint64_t reservation) {
    struct command command = {.kind = COMMAND_SEATS_RELEASE,
                              .release = {.token = *token, .reservation = reservation}};
    stepper_decide(stepper, date, &command);
}

void stepper_leave(struct stepper *stepper, struct partition *date, const struct token *token) {
    struct command command = {.kind = COMMAND_QUEUE_LEAVE, .queue.token = *token};
    stepper_decide(stepper, date, &command);
}

void stepper_pay(struct stepper *stepper, struct partition *date, const struct token *token,
                 uint64_t reservation) {
    struct command command = {
        .kind = COMMAND_PAYMENT_PAY,
        .pay = {.token = *token, .reservation = reservation, .key = token->secret}};
    stepper_decide_all(stepper, date, &command);
}
