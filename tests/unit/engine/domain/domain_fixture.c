/* domain_fixture.c - see domain_fixture.h */
#include "tests/unit/engine/domain/domain_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define IDLE_TURNS_MAX 1000000u /* of partition_due() that says "now" and then does nothing */

static const struct id128 world_seed = {{7, 1, 7}};

static void keep_records(void *context, const uint8_t *bytes, uint32_t size);

struct domain *domain_new(void) {
    struct domain *domain = calloc(1, sizeof *domain);
    assert_non_null(domain);
    domain->world = world_create(&world_seed);
    domain->stepper = stepper_new(domain->world);
    domain->stepper->apply = world_apply;
    domain->stepper->flush = keep_records;
    domain->stepper->flush_context = domain;
    domain->now_ms = DOMAIN_EPOCH_MS;
    return domain;
}

void domain_free(struct domain *domain) {
    domain->stepper->world = domain->world;
    stepper_free(domain->stepper);
    free(domain->log);
    free(domain->records);
    free(domain);
}

static struct id128 id_of(uint8_t kind, uint32_t number) {
    struct id128 id = {{kind}};
    memcpy(id.bytes + 4, &number, sizeof number);
    id.bytes[15] = (uint8_t)(number * 37);
    return id;
}

struct id128 domain_user(uint32_t number) {
    return id_of(1, number);
}
struct id128 domain_key(uint32_t number) {
    return id_of(2, number);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void log_append(struct domain *domain, const uint8_t *bytes, uint32_t size) {
    if (domain->log_bytes + size > domain->log_capacity) {
        domain->log_capacity = (domain->log_bytes + size) * 2;
        domain->log = realloc(domain->log, domain->log_capacity);
        assert_non_null(domain->log);
    }
    if (domain->record_count == domain->record_capacity) {
        domain->record_capacity = domain->record_capacity ? domain->record_capacity * 2 : 64;
        domain->records = realloc(domain->records,
                                  domain->record_capacity * sizeof *domain->records);
        assert_non_null(domain->records);
    }
    memcpy(domain->log + domain->log_bytes, bytes, size);
    domain->records[domain->record_count++] = domain->log_bytes;
    domain->log_bytes += size;
}

static uint32_t record_size(const struct domain *domain, uint32_t index) {
    assert_true(index < domain->record_count);
    uint64_t end = index + 1 < domain->record_count ? domain->records[index + 1]
                                                    : domain->log_bytes;
    return (uint32_t)(end - domain->records[index]);
}

struct decision domain_record(const struct domain *domain, uint32_t index) {
    struct decision decision;
    uint32_t size = record_size(domain, index);
    int result = decision_decode(domain->log + domain->records[index], size, &decision);
    assert_int_equal(result, DECISION_DECODE_OK);
    return decision;
}

uint32_t domain_count(const struct domain *domain, enum decision_kind kind) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < domain->record_count; i++) {
        count += domain_record(domain, i).kind == kind;
    }
    return count;
}

/* Each record of what the stepper has logged. */
static void keep_records(void *context, const uint8_t *bytes, uint32_t size) {
    uint32_t record = 0;
    for (uint32_t at = 0; at < size; at += record) {
        memcpy(&record, bytes + at, sizeof record);
        log_append(context, bytes + at, record);
    }
}

/* The stepper, at the world and the moment that the test has put into the fixture. */
static struct stepper *stepper_of(struct domain *domain) {
    domain->stepper->world = domain->world;
    domain->stepper->now_ms = domain->now_ms;
    return domain->stepper;
}

/* What the stepper has carried out: its records are kept, its message is under way. */
static void keep(struct domain *domain, uint32_t partition, const struct verdict *verdict,
                 uintptr_t origin) {
    stepper_flush(domain->stepper);
    if (!verdict->has_message) return;
    assert_true(domain->message_count < DOMAIN_MESSAGES_MAX);
    struct domain_message *message = &domain->messages[domain->message_count++];
    *message = (struct domain_message){.from = partition, .command = verdict->message};
    message->command.origin = origin;
}

void domain_resume(struct domain *domain) {
    uint64_t hash = world_hash(domain->world);
    partition_resume(domain->world->catalogue, domain->now_ms);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        partition_resume(domain->world->accounts[i], domain->now_ms);
    }
    for (uint32_t i = 1; i <= domain->world->date_count; i++) {
        partition_resume(domain->world->dates[i], domain->now_ms);
    }
    assert_true(world_hash(domain->world) == hash); /* resuming is volatile */
}

struct domain *domain_recover(const struct domain *from, uint32_t records) {
    struct domain *domain = domain_new();
    domain->now_ms = from->now_ms;
    domain->origin_last = from->origin_last;
    for (uint32_t i = 0; i < records; i++) {
        struct decision decision = domain_record(from, i);
        log_append(domain, from->log + from->records[i], record_size(from, i));
        assert_int_equal(world_apply(domain->world, &decision), WORLD_APPLIED);
    }
    domain_resume(domain);
    return domain;
}

void domain_crash(struct domain *domain) {
    struct domain *again = domain_recover(domain, domain->record_count);
    assert_true(world_hash(again->world) == world_hash(domain->world));
    world_free(domain->world);
    domain->world = again->world;
    again->world = NULL;
    domain->message_count = 0;
    domain_free(again);
}

/* --- commands, messages, time ----------------------------------------------------------------- */

static void answer(struct domain *domain, const struct partition *partition,
                   const struct command *command) {
    if (domain->stepper->verdict.reply_kind == REPLY_NONE || command->origin == 0) return;
    struct domain_answer *slot = &domain->answers[command->origin % DOMAIN_ANSWERS_KEPT];
    if (slot->origin != command->origin) return; /* asked so long ago that nobody waits */
    assert_false(slot->given);                   /* one request, one reply */
    partition_answer(partition, command, &domain->stepper->verdict, domain->now_ms, &slot->reply);
    if (slot->reply.kind == REPLY_ERROR) assert_non_null(error_row(slot->reply.error));
    slot->given = true;
    domain->reply = slot->reply;
}

static void execute(struct domain *domain, const struct command *command) {
    struct partition *partition = world_find(domain->world, command->partition);
    assert_non_null(partition);
    uint64_t hash = partition_hash(partition);
    /* It must bear whatever a client names. */
    for (enum prefetch step = PREFETCH_FIRST; step <= PREFETCH_LAST; step++) {
        world_prefetch_command(domain->world, command, step);
    }
    partition_heard(partition, command, domain->now_ms);
    partition_decide(partition, command, domain->now_ms, &domain->verdict);
    assert_true(partition_hash(partition) == hash); /* neither hearing nor deciding changes */
    const struct verdict *verdict = &domain->stepper->verdict;
    stepper_step(stepper_of(domain), partition, command);
    assert_int_equal(verdict->count, domain->verdict.count); /* and comes to the same again */
    keep(domain, partition->id, verdict, command->origin);
    answer(domain, partition, command);
}

uint16_t domain_answered(const struct domain *domain, uint64_t origin) {
    const struct domain_answer *slot = &domain->answers[origin % DOMAIN_ANSWERS_KEPT];
    if (!slot->given) return DOMAIN_UNANSWERED;
    return slot->reply.kind == REPLY_ERROR ? slot->reply.error : ERROR_NONE;
}

uint16_t domain_do(struct domain *domain, struct command command) {
    command.origin = ++domain->origin_last;
    domain->answers[command.origin % DOMAIN_ANSWERS_KEPT] = (struct domain_answer){
        .origin = command.origin};
    execute(domain, &command);
    if (!domain->manual) domain_settle(domain);
    return domain_answered(domain, command.origin);
}

bool domain_deliver(struct domain *domain, uint32_t index) {
    if (domain->message_count == 0) return false;
    index %= domain->message_count;
    for (uint32_t i = 0; i < index; i++) { /* an earlier one between the same two goes first */
        if (domain->messages[i].from == domain->messages[index].from &&
            domain->messages[i].command.partition == domain->messages[index].command.partition) {
            index = i;
        }
    }
    struct command command = domain->messages[index].command;
    domain->message_count--;
    memmove(&domain->messages[index], &domain->messages[index + 1],
            (domain->message_count - index) * sizeof domain->messages[0]);
    execute(domain, &command);
    if (domain->duplicate) {
        command.origin = 0;
        execute(domain, &command);
    }
    return true;
}

static bool due_of(struct domain *domain, struct partition *partition) {
    bool any = false;
    for (uint32_t idle = 0; partition_next_due_ms(partition) <= domain->now_ms; idle++) {
        assert_true(idle < IDLE_TURNS_MAX);
        if (!stepper_due_once(stepper_of(domain), partition)) continue;
        assert_true(domain->stepper->due.count > 0 || domain->stepper->due.has_message);
        keep(domain, partition->id, &domain->stepper->due, 0);
        any = true;
        idle = 0;
    }
    /* next_due() knows of everything that due() does. */
    assert_false(partition_due(partition, domain->now_ms, &domain->verdict));
    return any;
}

static bool due_all(struct domain *domain) {
    bool any = false;
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        any |= due_of(domain, domain->world->accounts[i]);
    }
    for (uint32_t i = 1; i <= domain->world->date_count; i++) {
        any |= due_of(domain, domain->world->dates[i]);
    }
    return any;
}

void domain_due(struct domain *domain) { (void)due_all(domain); /* whether there was any */ }

void domain_settle(struct domain *domain) {
    bool any = true;
    while (any) {
        any = due_all(domain);
        while (domain_deliver(domain, 0)) any = true;
    }
}

static uint64_t next_due_ms(const struct domain *domain) {
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        uint64_t due = partition_next_due_ms(domain->world->accounts[i]);
        if (due < next) next = due;
    }
    for (uint32_t i = 1; i <= domain->world->date_count; i++) {
        uint64_t due = partition_next_due_ms(domain->world->dates[i]);
        if (due < next) next = due;
    }
    return next;
}

static void step(struct domain *domain) {
    if (domain->manual) {
        domain_due(domain);
    } else {
        domain_settle(domain);
    }
}

void domain_advance(struct domain *domain, uint64_t ms) {
    uint64_t until_ms = domain->now_ms + ms;
    step(domain);
    for (uint64_t due = next_due_ms(domain); due <= until_ms; due = next_due_ms(domain)) {
        assert_true(due > domain->now_ms); /* all that was due has been done */
        domain->now_ms = due;
        step(domain);
    }
    domain->now_ms = until_ms;
}

void domain_jump(struct domain *domain, uint64_t ms) { domain->now_ms += ms; }

void domain_outage(struct domain *domain, enum outage_cause cause, uint64_t ms) {
    uint64_t since_ms = domain->now_ms;
    domain->now_ms += ms;
    for (uint32_t i = 1; i <= domain->world->date_count; i++) {
        struct partition *date = domain->world->dates[i];
        bool waits = ((const struct date *)date)->room.waiting > 0;
        assert_int_equal(partition_unserved(date, ms), waits);
        if (!partition_outage(date, cause, since_ms, domain->now_ms, &domain->verdict)) continue;
        assert_int_equal(domain->verdict.count, 1);
        stepper_carry_out(stepper_of(domain), date, &domain->verdict);
        keep(domain, date->id, &domain->verdict, 0);
    }
    step(domain);
}

/* --- requests --------------------------------------------------------------------------------- */

uint32_t domain_date(struct domain *domain, const struct policy *policy, uint32_t seats,
                     uint64_t price) {
    struct command concert = {.kind = COMMAND_CONCERT_CREATE, .concert = {.title = {"Concert", 7}}};
    assert_int_equal(domain_do(domain, concert), ERROR_NONE);
    struct command create = {.kind = COMMAND_DATE_CREATE,
                             .date = {.concert = domain->reply.created.concert,
                                      .title = {"Date", 4},
                                      .starts_at = DOMAIN_EPOCH_MS + 1000000000,
                                      .policy = policy,
                                      .seed = id_of(3, domain->record_count)}};
    assert_int_equal(domain_do(domain, create), ERROR_NONE);
    uint32_t date = domain->reply.created.date;
    for (uint32_t first = 1; first <= seats; first += SEATS_ADD_MAX) {
        struct seat_spec specs[SEATS_ADD_MAX];
        char texts[SEATS_ADD_MAX][3][24];
        uint32_t count = seats - first + 1 < SEATS_ADD_MAX ? seats - first + 1 : SEATS_ADD_MAX;
        for (uint32_t i = 0; i < count; i++) {
            int row = snprintf(texts[i][0], 24, "%u", (first + i) / 10);
            int number = snprintf(texts[i][1], 24, "%u", first + i);
            int guid = snprintf(texts[i][2], 24, "seat-%u", first + i);
            specs[i] = (struct seat_spec){.price = price,
                                          .for_sale = true,
                                          .section = {"A", 1},
                                          .row = {texts[i][0], (uint8_t)row},
                                          .seat = {texts[i][1], (uint8_t)number},
                                          .guid = {texts[i][2], (uint8_t)guid}};
        }
        struct command add = {.kind = COMMAND_SEATS_ADD,
                              .partition = partition_of_date(date),
                              .seats = {.first = first, .count = count, .seats = specs}};
        assert_int_equal(domain_do(domain, add), ERROR_NONE);
    }
    if (seats > 0) assert_int_equal(domain_switch(domain, date, COMMAND_DATE_OPEN), ERROR_NONE);
    return date;
}

uint16_t domain_enter(struct domain *domain, uint32_t date, uint32_t user,
                      struct token *ret_token) {
    struct command command = {
        .kind = COMMAND_QUEUE_ENTER,
        .partition = partition_of_date(date),
        .enter = {.user = domain_user(user), .secret = id_of(4, domain->record_count + 1)}};
    uint16_t error = domain_do(domain, command);
    if (error == ERROR_NONE) *ret_token = domain->reply.token.token;
    return error;
}

static uint16_t with_token(struct domain *domain, enum command_kind kind,
                           const struct token *token) {
    struct command command = {.kind = (uint16_t)kind,
                              .partition = partition_of_date(token->date),
                              .queue = {.token = *token}};
    return domain_do(domain, command);
}

uint16_t domain_status(struct domain *domain, const struct token *token) {
    return with_token(domain, COMMAND_QUEUE_STATUS, token);
}

uint16_t domain_leave(struct domain *domain, const struct token *token) {
    return with_token(domain, COMMAND_QUEUE_LEAVE, token);
}

uint16_t domain_list(struct domain *domain, const struct token *token) {
    struct command command = {.kind = COMMAND_SEATS_LIST,
                              .partition = partition_of_date(token->date),
                              .list = {.token = *token, .first = 1, .limit = 10}};
    return domain_do(domain, command);
}

uint16_t domain_hold(struct domain *domain, const struct token *token, const uint32_t *seats,
                     uint64_t *ret_reservation) {
    struct seat_ref refs[SEATS_PER_USER_MAX];
    uint32_t count = 0;
    for (; seats[count] != 0; count++) refs[count] = (struct seat_ref){.number = seats[count]};
    struct command command = {.kind = COMMAND_SEATS_HOLD,
                              .partition = partition_of_date(token->date),
                              .hold = {.token = *token, .seats = refs, .count = count}};
    uint16_t error = domain_do(domain, command);
    if (error == ERROR_NONE && ret_reservation) {
        *ret_reservation = dated_id(token->date, domain->reply.reservation.reservation->sequence);
    }
    return error;
}

uint16_t domain_release(struct domain *domain, const struct token *token, uint64_t reservation) {
    struct command command = {.kind = COMMAND_SEATS_RELEASE,
                              .partition = partition_of_date(token->date),
                              .release = {.token = *token, .reservation = reservation}};
    return domain_do(domain, command);
}

uint16_t domain_pay(struct domain *domain, const struct token *token, uint64_t reservation,
                    uint32_t key) {
    struct command command = {
        .kind = COMMAND_PAYMENT_PAY,
        .partition = partition_of_date(token->date),
        .pay = {.token = *token, .reservation = reservation, .key = domain_key(key)}};
    return domain_do(domain, command);
}

uint16_t domain_cancel(struct domain *domain, uint32_t user, uint64_t reservation, uint32_t key) {
    struct command command = {
        .kind = COMMAND_RESERVATION_CANCEL,
        .partition = partition_of_date(dated_id_date(reservation)),
        .cancel = {.user = domain_user(user), .reservation = reservation, .key = domain_key(key)}};
    return domain_do(domain, command);
}

uint16_t domain_charge(struct domain *domain, uint32_t user, uint64_t amount, uint32_t key) {
    struct id128 id = domain_user(user);
    struct command command = {.kind = COMMAND_WALLET_CHARGE,
                              .partition = partition_of_user(&id),
                              .wallet = {.user = id, .amount = amount, .key = domain_key(key)}};
    return domain_do(domain, command);
}

uint16_t domain_switch(struct domain *domain, uint32_t date, enum command_kind kind) {
    struct command command = {.kind = (uint16_t)kind, .partition = partition_of_date(date)};
    if (kind == COMMAND_DATE_CANCEL) command.confirm.number = date;
    return domain_do(domain, command);
}

uint16_t domain_policy(struct domain *domain, uint32_t date, uint32_t index, uint64_t value) {
    struct policy policy;
    policy_default(&policy);
    policy_set(&policy, index, value);
    struct command command = {.kind = COMMAND_DATE_POLICY,
                              .partition = partition_of_date(date),
                              .policy = {.policy = &policy, .fields = 1ull << index}};
    return domain_do(domain, command);
}

/* --- read ------------------------------------------------------------------------------------- */

const struct date *domain_date_of(const struct domain *domain, uint32_t date) {
    const struct partition *partition = world_find(domain->world, partition_of_date(date));
    assert_non_null(partition);
    return (const struct date *)partition;
}

const struct reservation *domain_reservation(const struct domain *domain, uint64_t reservation) {
    return reservations_find(&domain_date_of(domain, dated_id_date(reservation))->reservations,
                             dated_id_sequence(reservation));
}

uint8_t domain_state(const struct domain *domain, uint64_t reservation) {
    const struct reservation *found = domain_reservation(domain, reservation);
    return found ? found->state : 0;
}

uint32_t domain_holder(const struct domain *domain, uint32_t date, uint32_t seat) {
    return seat_map_seat(&domain_date_of(domain, date)->seats, seat)->reservation;
}

static const struct account *account_of(const struct domain *domain, uint32_t user) {
    struct id128 id = domain_user(user);
    const struct partition *partition = world_find(domain->world, partition_of_user(&id));
    return account_find((const struct account_partition *)partition, &id);
}

uint64_t domain_balance(const struct domain *domain, uint32_t user) {
    const struct account *account = account_of(domain, user);
    return account ? account->balance : 0;
}

uint64_t domain_reserved(const struct domain *domain, uint32_t user) {
    const struct account *account = account_of(domain, user);
    return account ? account->reserved : 0;
}
