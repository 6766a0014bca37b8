/* shard.c - see shard.h */
#include "engine/runtime/shard.h"

#include <stdlib.h>

#include "engine/domain/account/account.h"
#include "engine/domain/date/date.h"
#include "engine/domain/heap.h"
#include "engine/domain/partition/visit.h"
#include "engine/base/require.h"
#include "engine/base/subject.h"
#include "engine/runtime/gate.h"
#include "engine/runtime/outage.h"

/* Partitions of a shard by a small number: dates by id, then accounts. */
#define SLOT_ACCOUNT_FIRST (DATES_MAX + 1u)
#define SLOT_COUNT (SLOT_ACCOUNT_FIRST + ACCOUNT_PARTITIONS)
#define SLOT_NONE UINT32_MAX /* the catalogue: time decides nothing there */
#define NOT_SCHEDULED UINT64_MAX

/* What one command can add to a drain: admin.seats_add's records, each with four texts. */
#define COMMAND_BYTES_MAX (VERDICT_DECISIONS_MAX * (RECORD_HEADER_BYTES + 16u + 4u * 256u))
_Static_assert(2 * COMMAND_BYTES_MAX < DRAIN_BYTES_MAX, "a drain has room for any command");

#define ENTROPY_BYTES 4096u
/* Rounds without work before a shard goes to sleep: about the time of a wake-up. */
#define IDLE_ROUNDS_MAX 16u
/* The same while answers wait for the disk: longer than a write takes, as a rule. */
#define WAITING_ROUNDS_MAX 1000u
/* Requests that are looked at before the first of them is handled. Eight do as well as 64. */
#define AHEAD_REQUESTS 16u

/* Messages in order: to partitions of this shard, or to another shard whose lane is full. Grows to
 * the most that was ever needed, which the requests in flight and DRAIN_DUE_MAX bound. */
struct queue {
    struct peer_message *messages;
    uint32_t capacity; /* a power of two, or 0 */
    uint64_t head, tail;
};

struct shard {
    struct shard_context *context;
    uint32_t id;
    struct world world;
    struct mailbox *mailbox;
    struct waker waker;

    struct request *chain; /* received, not yet handled */
    struct queue local;
    struct queue outbox[SHARDS_MAX];

    uint8_t *drain; /* DRAIN_BYTES_MAX: decisions since the last append */
    uint32_t drain_bytes;
    struct gate answered; /* replies of this drain: they get its LSN */
    struct gate gate;
    uint64_t last_lsn; /* of this shard's latest append, or of what it has heard from another */
    uint64_t now_ms;   /* of what is decided; stands still while the log does */
    struct outage outage;
    uint64_t resumed_ms; /* everybody was heard from then */
    uint64_t heard_ms;   /* until then what was asked during outages may still be in the sockets */

    /* When time decides something next, per partition; NOT_SCHEDULED: never. */
    struct heap due;
    uint64_t due_ms[SLOT_COUNT];
    uint32_t due_handles[SLOT_COUNT];
    uint32_t due_budget;

    /* Partitions that changed in this drain: their row of the board is stale. */
    uint32_t changed[SLOT_COUNT];
    uint32_t changed_count;
    bool is_changed[SLOT_COUNT];

    uint8_t entropy[ENTROPY_BYTES];
    uint32_t entropy_left;

    struct shard_counters counters;
    struct verdict verdict;     /* of the command */
    struct verdict due_verdict; /* of what time decides after it */
    struct reply reply;
};

struct shard *shard_create(struct shard_context *context, uint32_t id) {
    struct shard *shard = calloc(1, sizeof *shard);
    REQUIRE_MEMORY(shard != NULL);
    shard->context = context;
    shard->id = id;
    shard->mailbox = mailbox_create(MAILBOX_CHAINS_MAX);
    shard->drain = malloc(DRAIN_BYTES_MAX);
    REQUIRE_MEMORY(shard->drain != NULL);
    shard->last_lsn = context->start_lsn;
    outage_init(&shard->outage, context->served_until_ms);
    heap_init(&shard->due);
    memset(shard->due_ms, 0xff, sizeof shard->due_ms);
    return shard;
}

struct world *shard_world(struct shard *shard) {
    return &shard->world;
}

uint32_t shard_of_partition(const struct shard_context *context, uint32_t partition) {
    if (partition_is_date(partition)) {
        return (partition - PARTITION_DATE_FIRST) % context->shard_count;
    }
    if (partition_is_account(partition)) {
        return (partition - PARTITION_ACCOUNT_FIRST) % context->shard_count;
    }
    return 0; /* the catalogue */
}

bool shard_submit(struct shard *shard, struct request *chain) {
    if (!mailbox_send(shard->mailbox, chain)) return false;
    waker_wake(&shard->waker);
    return true;
}

void shard_wake(struct shard *shard) { waker_wake(&shard->waker); }

/* --- queues of messages ----------------------------------------------------------------------- */

static void queue_push(struct queue *queue, const struct peer_message *message) {
    if (queue->tail - queue->head == queue->capacity) {
        uint32_t capacity = queue->capacity ? queue->capacity * 2 : 256;
        struct peer_message *messages = malloc(capacity * sizeof *messages);
        REQUIRE_MEMORY(messages != NULL);
        for (uint64_t i = queue->head; i < queue->tail; i++) {
            messages[i & (capacity - 1)] = queue->messages[i & (queue->capacity - 1)];
        }
        free(queue->messages);
        queue->messages = messages;
        queue->capacity = capacity;
    }
    queue->messages[queue->tail++ & (queue->capacity - 1)] = *message;
}

static struct peer_message *queue_first(struct queue *queue) {
    if (queue->head == queue->tail) return NULL;
    return &queue->messages[queue->head & (queue->capacity - 1)];
}

/* A message that nobody receives any more. */
static void discard(const struct peer_message *message) {
    if (message->kind == PEER_PARTITION) partition_free(message->partition);
}

static void queue_free(struct queue *queue) {
    for (const struct peer_message *first; (first = queue_first(queue)) != NULL; queue->head++) {
        discard(first);
    }
    free(queue->messages);
}

void shard_free(struct shard *shard) {
    for (uint32_t i = 0; i < world_end(&shard->world); i++) {
        partition_free(world_at(&shard->world, i));
    }
    for (uint32_t from = 0; from < shard->context->shard_count; from++) {
        struct peer_message message;
        struct lane *lane = shard->context->lanes[from][shard->id];
        while (lane && lane_receive(lane, &message)) discard(&message);
    }
    mailbox_free(shard->mailbox);
    free(shard->drain);
    queue_free(&shard->local);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) queue_free(&shard->outbox[i]);
    heap_deinit(&shard->due);
    free(shard);
}

/* --- time and the board: what a partition's change leads to ----------------------------------- */

static uint32_t slot_of(const struct partition *partition) {
    if (partition_is_date(partition->id)) return partition->id - PARTITION_DATE_FIRST;
    if (partition_is_account(partition->id)) {
        return partition->id - PARTITION_ACCOUNT_FIRST + SLOT_ACCOUNT_FIRST;
    }
    return SLOT_NONE;
}

static struct partition *partition_at(struct shard *shard, uint32_t slot) {
    return slot < SLOT_ACCOUNT_FIRST ? shard->world.dates[slot]
                                     : shard->world.accounts[slot - SLOT_ACCOUNT_FIRST];
}

static void schedule(struct shard *shard, const struct partition *partition) {
    uint32_t slot = slot_of(partition);
    if (slot == SLOT_NONE) return;
    uint64_t due_ms = partition_next_due_ms(partition);
    if (due_ms == shard->due_ms[slot]) return;
    if (shard->due_ms[slot] != NOT_SCHEDULED) heap_remove(&shard->due, shard->due_handles[slot]);
    shard->due_ms[slot] = due_ms;
    if (due_ms != NOT_SCHEDULED) {
        shard->due_handles[slot] = heap_insert(&shard->due, due_ms, slot);
    }
}

static void mark_changed(struct shard *shard, const struct partition *partition) {
    uint32_t slot = slot_of(partition);
    if (slot == SLOT_NONE || shard->is_changed[slot]) return;
    shard->is_changed[slot] = true;
    shard->changed[shard->changed_count++] = slot;
}

static void publish(struct shard *shard) {
    for (uint32_t i = 0; i < shard->changed_count; i++) {
        uint32_t slot = shard->changed[i];
        const struct partition *partition = partition_at(shard, slot);
        shard->is_changed[slot] = false;
        if (slot < SLOT_ACCOUNT_FIRST) {
            struct date_counters counters;
            date_counters((const struct date *)partition, &counters);
            board_write_date(shard->context->board, slot, &counters, shard->last_lsn);
        } else {
            struct money_totals totals;
            account_totals((const struct account_partition *)partition, &totals);
            board_write_account(shard->context->board, slot - SLOT_ACCOUNT_FIRST, &totals,
                                shard->last_lsn);
        }
    }
    shard->changed_count = 0;
}

/* The moment of whatever is decided next: never before the request was sent that it is about,
 * unless time stands still. */
static void move_time(struct shard *shard, uint64_t now_ms) {
    uint64_t limit_ms = outage_limit_ms(&shard->outage);
    if (now_ms > limit_ms) now_ms = limit_ms;
    if (now_ms > shard->now_ms) shard->now_ms = now_ms;
}

static void tick(struct shard *shard) {
    move_time(shard, shard->context->clock.now_ms(shard->context->clock.context));
}

void shard_adopt(struct shard *shard, struct partition *partition) {
    tick(shard);
    if (partition->last_time_ms > shard->now_ms) shard->now_ms = partition->last_time_ms;
    if (shard->outage.last_ms == 0) shard->resumed_ms = shard->now_ms;
    world_adopt(&shard->world, partition);
    partition_resume(partition, shard->now_ms);
    schedule(shard, partition);
    mark_changed(shard, partition);
}

/* --- append ----------------------------------------------------------------------------------- */

static void raise_lsn(struct request *request, uint64_t lsn) {
    if (request->lsn < lsn) request->lsn = lsn;
}

static uint32_t send_outbox(struct shard *shard) {
    struct shard_context *context = shard->context;
    uint32_t sent = 0;
    for (uint32_t to = 0; to < context->shard_count; to++) {
        uint32_t before = sent;
        struct peer_message *message;
        while ((message = queue_first(&shard->outbox[to])) != NULL) {
            message->lsn = shard->last_lsn;
            if (!lane_send(context->lanes[shard->id][to], message)) break;
            shard->outbox[to].head++;
            sent++;
        }
        if (sent > before) shard_wake(context->shards[to]);
    }
    return sent;
}

/* Append what this drain decided, then let out what follows from it.
 * Return: false if the journal has no room; everything stays as it is */
static bool flush(struct shard *shard) {
    struct shard_context *context = shard->context;
    if (shard->drain_bytes > 0) {
        if (context->journal.append(context->journal.context, shard->id, shard->drain,
                                    shard->drain_bytes, &shard->last_lsn) != 0) {
            shard->counters.journal_full++;
            return false;
        }
        shard->drain_bytes = 0;
        shard->counters.drains++;
    }
    (void)send_outbox(shard); /* what does not fit a lane is sent by a later step */
    publish(shard);
    struct request *request;
    while ((request = gate_leave(&shard->answered, UINT64_MAX)) != NULL) {
        raise_lsn(request, shard->last_lsn);
        gate_enter(&shard->gate, request);
    }
    return true;
}

/* --- decide and apply ------------------------------------------------------------------------- */

static void route(struct shard *shard, const struct peer_message *message, uint32_t to) {
    queue_push(to == shard->id ? &shard->local : &shard->outbox[to], message);
    shard->counters.messages++;
}

static void log_decision(struct shard *shard, const struct decision *decision) {
    REQUIRE(shard->drain_bytes + RECORD_BYTES_MAX <= DRAIN_BYTES_MAX);
    shard->drain_bytes += decision_encode(decision, shard->drain + shard->drain_bytes);
    shard->counters.decisions++;
}

/* Log and apply a verdict's decisions and send its message. */
static void carry_out(struct shard *shard, struct partition *partition,
                      const struct verdict *verdict, uintptr_t origin) {
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct decision *decision = &verdict->decisions[i];
        log_decision(shard, decision);
        partition_apply(partition, decision);
        struct partition *born = partition_born(decision);
        if (born) {
            struct peer_message message = {.kind = PEER_PARTITION, .partition = born};
            route(shard, &message, shard_of_partition(shard->context, born->id));
        }
    }
    if (verdict->count > 0) mark_changed(shard, partition);
    if (verdict->has_message) {
        struct peer_message message = {.kind = PEER_COMMAND, .command = verdict->message};
        message.command.origin = verdict->reply_kind == REPLY_NONE ? origin : 0;
        route(shard, &message, shard_of_partition(shard->context, message.command.partition));
    }
}

/* Whether the drain has room for whatever one more command decides; makes room if it can. */
static bool make_room(struct shard *shard) {
    return shard->drain_bytes + COMMAND_BYTES_MAX + RECORD_BYTES_MAX <= DRAIN_BYTES_MAX ||
           flush(shard);
}

/* What time, or the state as it is now, decides for a partition: admission follows at once from
 * whatever freed a slot. */
static void settle(struct shard *shard, struct partition *partition) {
    subject_set(partition->id);
    while (shard->due_budget > 0 && partition_next_due_ms(partition) <= shard->now_ms &&
           make_room(shard)) {
        shard->due_budget--;
        if (!partition_due(partition, shard->now_ms, &shard->due_verdict)) break;
        carry_out(shard, partition, &shard->due_verdict, 0);
    }
    schedule(shard, partition);
}

static void answer(struct shard *shard, struct request *request) {
    struct reply_sink *sink = &shard->context->sink;
    sink->encode(sink->context, request, &shard->reply);
    shard->counters.requests++;
    shard->counters.refusals += shard->reply.kind == REPLY_ERROR;
    gate_enter(&shard->answered, request);
}

static void fill_entropy(struct shard *shard, struct id128 *ret_id) {
    struct entropy_port *port = &shard->context->entropy;
    if (shard->entropy_left < sizeof *ret_id) {
        port->fill(port->context, shard->entropy, ENTROPY_BYTES);
        shard->entropy_left = ENTROPY_BYTES;
    }
    shard->entropy_left -= (uint32_t)sizeof *ret_id;
    memcpy(ret_id, shard->entropy + shard->entropy_left, sizeof *ret_id);
}

static void handle(struct shard *shard, struct command *command) {
    subject_set(command->partition);
    struct partition *partition = world_asked(&shard->world, command);
    struct verdict *verdict = &shard->verdict;
    uintptr_t origin = command->origin;
    if (partition) {
        struct id128 *random = command_entropy(command);
        if (random) fill_entropy(shard, random);
        partition_heard(partition, command, shard->now_ms);
        partition_decide(partition, command, shard->now_ms, verdict);
    } else {
        REQUIRE(origin != 0); /* a message goes to a partition that exists */
        partition_missing(command, verdict);
    }
    bool answers = verdict->reply_kind != REPLY_NONE;
    REQUIRE(answers || verdict->has_message || origin == 0); /* somebody answers */
    carry_out(shard, partition, verdict, origin);
    if (verdict->count > 0) settle(shard, partition);
    if (!answers || origin == 0) return;
    /* After what followed at once: whoever entered an empty room is told that it is admitted. */
    partition_answer(partition, command, verdict, shard->now_ms, &shard->reply);
    answer(shard, (struct request *)origin);
}

/* --- a request that every date answers, shard by shard ---------------------------------------- */

static void visit(struct shard *shard, struct request *request) {
    struct reply_sink *sink = &shard->context->sink;
    const struct command *command = &request->command;
    struct visit visit;
    visit_begin(&visit, &shard->world, command, &shard->verdict);
    while (visit_next(&visit, shard->now_ms, &shard->reply)) {
        sink->encode(sink->context, request, &shard->reply);
    }
    if (command->partition == PARTITION_EVERY_DATE && shard->id + 1 < shard->context->shard_count) {
        struct peer_message message = {.kind = PEER_VISITOR, .visitor = request};
        route(shard, &message, shard->id + 1);
        return;
    }
    partition_answer(NULL, command, &shard->verdict, shard->now_ms, &shard->reply);
    answer(shard, request);
}

/* --- the step --------------------------------------------------------------------------------- */

static void receive(struct shard *shard, struct peer_message *message) {
    if (shard->last_lsn < message->lsn) shard->last_lsn = message->lsn;
    switch (message->kind) {
    case PEER_COMMAND: handle(shard, &message->command); break;
    case PEER_VISITOR: visit(shard, message->visitor); break;
    case PEER_PARTITION: shard_adopt(shard, message->partition); break;
    default: REQUIRE_NEVER("a message of enum peer_kind");
    }
}

static bool handle_local(struct shard *shard) {
    while (queue_first(&shard->local) != NULL) {
        if (!make_room(shard)) return false;
        struct peer_message message = *queue_first(&shard->local);
        shard->local.head++;
        receive(shard, &message);
    }
    return true;
}

static uint32_t receive_peers(struct shard *shard) {
    uint32_t received = 0;
    for (uint32_t from = 0; from < shard->context->shard_count; from++) {
        struct lane *lane = shard->context->lanes[from][shard->id];
        struct peer_message message;
        while (lane && received < DRAIN_REQUESTS_MAX && handle_local(shard) && make_room(shard) &&
               lane_receive(lane, &message)) {
            receive(shard, &message);
            received++;
        }
    }
    return received;
}

static uint32_t run_due(struct shard *shard) {
    uint32_t before = shard->due_budget;
    const struct heap_entry *first;
    while (shard->due_budget > 0 && (first = heap_first(&shard->due)) != NULL &&
           first->due_ms <= shard->now_ms && make_room(shard)) {
        uint32_t budget = shard->due_budget;
        settle(shard, partition_at(shard, first->item));
        if (!handle_local(shard) || budget == shard->due_budget) break;
    }
    return before - shard->due_budget;
}

/* Ask for the memory that the next requests will touch, so that the waits for it overlap
 * (README.md, "Waiting for memory and for work"). */
static void look_ahead(const struct shard *shard) {
    for (enum prefetch step = PREFETCH_FIRST; step <= PREFETCH_LAST; step++) {
        const struct request *request = shard->chain;
        for (uint32_t i = 0; i < AHEAD_REQUESTS && request; i++, request = request->next) {
            world_prefetch_command(&shard->world, &request->command, step);
        }
    }
}

static void handle_request(struct shard *shard, struct request *request) {
    request->next = NULL;
    request->lsn = 0;
    request->command.origin = (uintptr_t)request;
    if (command_row(request->command.kind)->owner == OWNER_EVERY_DATE) {
        visit(shard, request);
    } else {
        handle(shard, &request->command);
    }
}

static uint32_t handle_requests(struct shard *shard) {
    uint32_t handled = 0, ahead = 0; /* ahead: of the chain's, how many were looked at */
    while (shard->chain && handled < DRAIN_REQUESTS_MAX && handle_local(shard) &&
           make_room(shard)) {
        if (ahead == 0) {
            look_ahead(shard);
            ahead = AHEAD_REQUESTS;
        }
        struct request *request = shard->chain;
        shard->chain = request->next;
        handle_request(shard, request);
        ahead--;
        handled++;
        if (!shard->chain && (shard->chain = mailbox_receive(shard->mailbox)) != NULL) {
            tick(shard);
            ahead = 0;
        }
    }
    return handled;
}

static uint32_t release(struct shard *shard) {
    struct shard_context *context = shard->context;
    uint64_t durable_lsn = context->journal.durable_lsn(context->journal.context);
    struct request *request;
    uint32_t released = 0;
    while ((request = gate_leave(&shard->gate, durable_lsn)) != NULL) {
        context->sink.release(context->sink.context, request);
        released++;
    }
    return released;
}

/* --- outages (README.md, "Time and outages") -------------------------------------------------- */

/* All of a shard's dates get their credit in one step, with one append. */
#define CREDIT_BYTES (RECORD_HEADER_BYTES + 1u + 8u + 8u)
_Static_assert(RECORD_BYTES_MAX + DATES_MAX * CREDIT_BYTES <= DRAIN_BYTES_MAX,
               "an empty drain has room for the credits of all dates");

/* How much is no silence: the outage, and as long again, a moment at most, for what was asked
 * meanwhile. What is left of that moment from the outage before does not count twice: or many short
 * ones would take served time back for good. */
static uint64_t take_unheard(struct shard *shard, enum outage_cause cause, uint64_t since_ms) {
    uint64_t now_ms = shard->now_ms, hearing_ms = now_ms > since_ms ? now_ms - since_ms : 0;
    if (cause == OUTAGE_DOWN || hearing_ms > OUTAGE_HEARING_MS) hearing_ms = OUTAGE_HEARING_MS;
    uint64_t from_ms = since_ms > shard->resumed_ms ? since_ms : shard->resumed_ms;
    uint64_t left_ms = shard->heard_ms > from_ms ? shard->heard_ms - from_ms : 0;
    uint64_t more_ms = hearing_ms > left_ms ? hearing_ms - left_ms : 0;
    shard->heard_ms = now_ms + left_ms + more_ms;
    return (now_ms > from_ms ? now_ms - from_ms : 0) + more_ms;
}

/* An outage is over: what nobody could use of the time is given back. */
static void credit_dates(struct shard *shard) {
    enum outage_cause cause;
    uint64_t since_ms = outage_end(&shard->outage, &cause), now_ms = shard->now_ms;
    uint64_t unheard_ms = take_unheard(shard, cause, since_ms);
    bool felt = false; /* somebody waits, or has a turn or a hold */
    REQUIRE(shard->drain_bytes == 0);
    for (uint32_t i = 1; i <= shard->world.date_count; i++) {
        struct partition *date = shard->world.dates[i];
        if (!date) continue;
        if (partition_unserved(date, unheard_ms)) felt = true;
        if (partition_outage(date, cause, since_ms, now_ms, &shard->due_verdict)) {
            carry_out(shard, date, &shard->due_verdict, 0);
            shard->counters.outage_dates++;
            felt = true;
        }
        schedule(shard, date);
    }
    if (!felt) return;
    shard->counters.outages++;
    shard->counters.outage_ms += now_ms - since_ms;
    if (now_ms - since_ms >= OUTAGE_LONG_MS) shard->counters.outage_long_ms += now_ms - since_ms;
    shard->counters.outage_cause = cause;
}

/* Judge the time since the latest step. */
static enum outage_sight look_at_time(struct shard *shard) {
    struct shard_context *context = shard->context;
    uint64_t now_ms = context->clock.now_ms(context->clock.context);
    uint64_t durable_lsn = context->journal.durable_lsn(context->journal.context);
    bool waits = shard->drain_bytes > 0 || shard->last_lsn > durable_lsn;
    enum outage_sight sight = outage_look(&shard->outage, now_ms, waits, durable_lsn);
    move_time(shard, now_ms);
    return sight;
}

void shard_begin(struct shard *shard) {
    if (look_at_time(shard) == OUTAGE_OVER) credit_dates(shard);
    (void)flush(shard); /* if the journal is full, the first step goes on */
    outage_promise(&shard->outage, shard->drain_bytes > 0 || heap_first(&shard->due) != NULL);
}

uint32_t shard_step(struct shard *shard) {
    shard->due_budget = DRAIN_DUE_MAX;
    uint32_t done = 0;
    uint64_t outages = shard->counters.outages;
    bool whole = flush(shard); /* what an earlier step could not append */
    if (whole && !shard->chain) shard->chain = mailbox_receive(shard->mailbox);
    bool over = look_at_time(shard) == OUTAGE_OVER;
    if (whole) {
        if (over) credit_dates(shard);
        done += receive_peers(shard);
        done += run_due(shard);
        done += handle_requests(shard);
        (void)handle_local(shard); /* if the journal is full, the next step goes on */
        (void)flush(shard);
    }
    done += (shard->counters.outages > outages) + release(shard);
    shard->counters.gate_waiting = shard->gate.count;
    bool waits = shard->gate.count > 0 || shard->drain_bytes > 0;
    outage_promise(&shard->outage, waits || heap_first(&shard->due) != NULL);
    if (done > 0) board_write_shard(shard->context->board, shard->id, &shard->counters);
    return done;
}

uint64_t shard_next_due_ms(const struct shard *shard) {
    const struct heap_entry *first = heap_first(&shard->due);
    uint64_t look_ms = outage_next_look_ms(&shard->outage);
    if (!first || outage_lasts(&shard->outage)) return look_ms; /* time stands still */
    return first->due_ms < look_ms ? first->due_ms : look_ms;
}

static bool has_input(const struct shard *shard) {
    if (shard->chain || !mailbox_is_empty(shard->mailbox)) return true;
    if (shard->drain_bytes > 0 || shard->local.head != shard->local.tail) return true;
    for (uint32_t i = 0; i < shard->context->shard_count; i++) {
        const struct lane *lane = shard->context->lanes[i][shard->id];
        if (lane && !lane_is_empty(lane)) return true;
        if (shard->outbox[i].head != shard->outbox[i].tail) return true;
    }
    return false;
}

bool shard_is_idle(const struct shard *shard) {
    return !has_input(shard) && shard->gate.count == 0 && shard->answered.count == 0;
}

static bool gate_is_open(const struct shard *shard) {
    const struct journal *journal = &shard->context->journal;
    return shard->gate.first && shard->gate.first->lsn <= journal->durable_lsn(journal->context);
}

void shard_log_hashes(struct shard *shard) {
    struct world *world = &shard->world;
    for (uint32_t i = 0; i < 1 + SLOT_COUNT; i++) {
        struct partition *partition = i == SLOT_COUNT ? world->catalogue
                                      : i == 0        ? NULL
                                                      : partition_at(shard, i);
        struct decision hashed;
        if (!partition || !partition_seal(partition, &hashed)) continue;
        REQUIRE(make_room(shard)); /* the caller has emptied the journal */
        log_decision(shard, &hashed);
    }
}

void shard_run(struct shard *shard, const _Atomic bool *stop) {
    uint32_t idle_rounds = 0;
    while (!atomic_load_explicit(stop, memory_order_acquire)) {
        if (shard_step(shard) > 0) {
            idle_rounds = 0;
            continue;
        }
        idle_rounds++;
        if (idle_rounds < IDLE_ROUNDS_MAX) {
            __builtin_ia32_pause();
            continue;
        }
        if (shard->gate.count > 0 && idle_rounds < WAITING_ROUNDS_MAX &&
            waker_linger(&shard->waker)) {
            continue;
        }
        idle_rounds = 0;
        waker_announce(&shard->waker);
        uint64_t due_ms = shard_next_due_ms(shard);
        uint64_t now_ms = shard->context->clock.now_ms(shard->context->clock.context);
        bool stopping = atomic_load_explicit(stop, memory_order_acquire);
        if (stopping || has_input(shard) || gate_is_open(shard) || due_ms <= now_ms) {
            waker_cancel(&shard->waker);
        } else {
            waker_sleep(&shard->waker, due_ms == UINT64_MAX ? UINT64_MAX : due_ms - now_ms);
        }
    }
}
