/* driver.c - see driver.h */
#include "bench/driver.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/require.h"

#define NOW_MS 1700000000000u

static const struct text word = {"A", 1};

struct driver *driver_new(void) {
    static const struct id128 seed = {{7, 7, 7}};
    struct driver *driver = calloc(1, sizeof *driver);
    REQUIRE(driver != NULL);
    driver->world = world_create(&seed);
    driver->now_ms = NOW_MS;
    driver->log_capacity = sizeof driver->log;
    return driver;
}

void driver_free(struct driver *driver) {
    world_free(driver->world);
    free(driver);
}

void driver_flush(struct driver *driver) {
    if (driver->flush && driver->log_bytes > 0) {
        driver->flush(driver->flush_context, driver->log, driver->log_bytes);
    }
    driver->log_bytes = 0;
}

static void carry_out(struct driver *driver, struct partition *partition,
                      const struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct decision *decision = &verdict->decisions[i];
        if (driver->log_bytes + RECORD_BYTES_MAX > driver->log_capacity) driver_flush(driver);
        driver->log_bytes += decision_encode(decision, driver->log + driver->log_bytes);
        partition_apply(partition, decision);
    }
    driver->decisions += verdict->count;
}

void driver_decide(struct driver *driver, struct partition *partition, struct command *command) {
    command->partition = partition->id;
    partition_heard(partition, command, driver->now_ms);
    partition_decide(partition, command, driver->now_ms, &driver->verdict);
    if (driver->verdict.count == 0) return;
    carry_out(driver, partition, &driver->verdict);
    driver_due(driver, partition);
}

void driver_due(struct driver *driver, struct partition *partition) {
    while (partition_next_due_ms(partition) <= driver->now_ms &&
           partition_due(partition, driver->now_ms, &driver->due)) {
        REQUIRE(!driver->due.has_message);
        carry_out(driver, partition, &driver->due);
    }
}

void driver_decide_all(struct driver *driver, struct partition *partition,
                       struct command *command) {
    driver_decide(driver, partition, command);
    while (driver->verdict.has_message) {
        struct command message = driver->verdict.message;
        driver_decide(driver, world_find(driver->world, message.partition), &message);
    }
}

struct partition *driver_date(struct driver *driver, uint32_t seats, uint64_t active_capacity) {
    struct policy policy;
    policy_default(&policy);
    policy.active_capacity = active_capacity;
    struct command command = {.kind = COMMAND_CONCERT_CREATE, .concert.title = word};
    driver_decide(driver, driver->world->catalogue, &command);
    uint32_t date = driver->world->date_count + 1;
    command = (struct command){.kind = COMMAND_DATE_CREATE,
                               .date = {.concert = date, .title = word, .policy = &policy}};
    driver_decide(driver, driver->world->catalogue, &command);
    struct partition *partition =
        &date_create(&driver->verdict.decisions[0].date_created)->partition;
    world_adopt(driver->world, partition);
    for (uint32_t i = 1; i <= seats; i++) {
        char row[12], number[12];
        struct seat_spec spec = {.price = 100, .for_sale = true, .section = word};
        spec.row = (struct text){row, (uint8_t)snprintf(row, sizeof row, "%u", i / 40)};
        spec.seat = (struct text){number, (uint8_t)snprintf(number, sizeof number, "%u", i % 40)};
        command = (struct command){.kind = COMMAND_SEATS_ADD,
                                   .seats = {.first = i, .count = 1, .seats = &spec}};
        driver_decide(driver, partition, &command);
    }
    command = (struct command){.kind = COMMAND_DATE_OPEN};
    driver_decide(driver, partition, &command);
    partition_resume(partition, driver->now_ms);
    return partition;
}

struct id128 driver_user(uint32_t n) {
    struct id128 user = {{0}};
    uint64_t mixed = (n + 1) * 0x9e3779b97f4a7c15ull; /* Fibonacci hashing (Knuth): ids spread */
    memcpy(user.bytes, &mixed, sizeof mixed);
    memcpy(user.bytes + 8, &n, sizeof n);
    user.bytes[15] = (uint8_t)(mixed >> 56);
    return user;
}

struct token driver_enter(struct driver *driver, struct partition *date, uint32_t n) {
    struct command command = {.kind = COMMAND_QUEUE_ENTER,
                              .enter = {.user = driver_user(n), .secret = driver_user(n ^ 0x5555)}};
    driver_decide(driver, date, &command);
    const struct date *entered = (const struct date *)date;
    return (struct token){entered->id, entered->room.last, command.enter.secret};
}

void driver_charge(struct driver *driver, uint32_t n, uint64_t amount) {
    struct id128 user = driver_user(n);
    struct command command = {.kind = COMMAND_WALLET_CHARGE,
                              .wallet = {.user = user, .amount = amount, .key = user}};
    driver_decide(driver, world_find(driver->world, partition_of_user(&user)), &command);
}

uint64_t driver_hold(struct driver *driver, struct partition *date, const struct token *token,
                     uint32_t seat) {
    struct seat_ref ref = {.number = seat};
    struct command command = {.kind = COMMAND_SEATS_HOLD,
                              .hold = {.token = *token, .seats = &ref, .count = 1}};
    driver_decide(driver, date, &command);
    if (driver->verdict.reply_kind == REPLY_ERROR) return 0;
    return dated_id(token->date, ((const struct date *)date)->reservations.sequence_count);
}

void driver_release(struct driver *driver, struct partition *date, const struct token *token,
                    uint64_t reservation) {
    struct command command = {.kind = COMMAND_SEATS_RELEASE,
                              .release = {.token = *token, .reservation = reservation}};
    driver_decide(driver, date, &command);
}

void driver_leave(struct driver *driver, struct partition *date, const struct token *token) {
    struct command command = {.kind = COMMAND_QUEUE_LEAVE, .queue.token = *token};
    driver_decide(driver, date, &command);
}

void driver_pay(struct driver *driver, struct partition *date, const struct token *token,
                uint64_t reservation) {
    struct command command = {
        .kind = COMMAND_PAYMENT_PAY,
        .pay = {.token = *token, .reservation = reservation, .key = token->secret}};
    driver_decide_all(driver, date, &command);
}
