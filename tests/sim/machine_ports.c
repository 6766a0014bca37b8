/* machine_ports.c - see machine_parts.h: journal, clock, entropy, frames and replies */
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/tell/describe.h"
#include "tests/sim/machine_parts.h"
#include "wal/bytes.h"

/* --- clock and entropy ------------------------------------------------------------------------ */

/* As a shard sees it: each look at the clock may take a while. */
static uint64_t shard_now_ms(void *context) {
    struct machine *machine = context;
    struct sim_run *run = machine->run;
    if (run->plan.rounds_take_time && random_chance(&machine->random, 300000)) {
        run->now_us += random_below(&machine->random, 3000);
    }
    uint64_t now_ms = machine_now_ms(machine);
    if (machine->in_round && machine->looks < machine->shards) {
        uint32_t shard = machine->looks;
        machine->looks = PLAN_SHARDS_MAX;
        machine_watch_round(machine, shard, now_ms);
    }
    return now_ms;
}

void machine_fill(void *context, void *bytes, uint32_t size) {
    struct machine *machine = context;
    for (uint32_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)(random_next(&machine->entropy) >> 32);
    }
}

/* --- the diary, and what follows from it ------------------------------------------------------ */

static void note(struct machine *machine, const uint8_t *bytes, uint32_t size) {
    struct machine_diary *diary = &machine->diary;
    if (diary->size + size > diary->capacity) {
        while (diary->size + size > diary->capacity) {
            diary->capacity = diary->capacity ? diary->capacity * 2 : 64 * 1024;
        }
        diary->bytes = realloc(diary->bytes, diary->capacity);
        REQUIRE(diary->bytes != NULL);
    }
    memcpy(diary->bytes + diary->size, bytes, size);
    diary->size += size;
}

static void print(const struct machine *machine, const struct decision *decision, uint64_t lsn) {
    char text[DESCRIBE_LINE_BYTES];
    (void)machine;
    (void)describe_text(decision, lsn, 0, text); /* its length does not matter */
    printf("#                                  %s\n", text);
}

/* The next record of the diary. Return: false if it cannot be */
static bool follow(struct machine *machine, const uint8_t *record, uint32_t size, uint64_t lsn) {
    struct decision decision;
    if (!model_apply(machine->model, record, size, lsn)) return false;
    if (decision_decode(record, size, &decision) != DECISION_DECODE_OK) return false;
    if (run_is_verbose(machine->run) && machine->model->counting) print(machine, &decision, lsn);
    int applied = world_apply(machine->follower, &decision);
    if (applied != WORLD_APPLIED) {
        run_fail(machine->run, SIM_CHECK_HASH, "LSN %llu, %s: replay cannot apply it (%d)",
                 (unsigned long long)lsn, decision_name(decision.kind), applied);
    }
    if (decision.kind == DECISION_DATE_CREATED) machine->newborn = 4 * machine->shards;
    return applied == WORLD_APPLIED;
}

static void follow_all(struct machine *machine, uint64_t from, uint64_t to) {
    while (from < to) {
        const uint8_t *record = machine->diary.bytes + from;
        uint32_t size = bytes_get_u32(record);
        if (size < RECORD_HEADER_BYTES || from + size > to) {
            run_fail(machine->run, SIM_CHECK_RECORD, "at LSN %llu there is no whole record",
                     (unsigned long long)from);
            return;
        }
        if (!follow(machine, record, size, from + size)) return;
        from += size;
    }
}

void machine_believe(struct machine *machine, uint64_t lsn) {
    struct id128 seed;
    machine_fill(machine, &seed, sizeof seed);
    model_free(machine->model);
    world_free(machine->follower);
    machine->model = model_create(machine->run);
    machine->follower = world_create(&seed);
    machine->diary.size = lsn;
    follow_all(machine, 0, lsn);
    machine->newborn = 0;
    machine->model->counting = true;
    machine->model->outages = machine->outages;
    machine->model->asks = (struct model_asks){machine->people, people_keeps_asking};
}

static int diary_seek(void *context, uint64_t lsn, struct source_error *ret_error) {
    (void)ret_error; /* every LSN of ours is in it */
    ((struct diary_source *)context)->at = lsn;
    return 0;
}

static uint64_t diary_end(void *context) {
    const struct diary_source *source = context;
    return source->limit_lsn ? source->limit_lsn : source->diary->size;
}

static int diary_next(void *context, struct source_record *ret_record,
                      struct source_error *ret_error) {
    struct diary_source *source = context;
    (void)ret_error; /* likewise */
    if (source->at >= diary_end(context)) return SOURCE_CAUGHT_UP;
    ret_record->bytes = source->diary->bytes + source->at;
    ret_record->size = bytes_get_u32(ret_record->bytes);
    source->at += ret_record->size;
    ret_record->lsn = source->at;
    ret_record->more = source->at < diary_end(context);
    return 0;
}

struct record_source machine_diary_source(struct diary_source *source) {
    return (struct record_source){source, diary_seek, diary_next, diary_end, NULL};
}

/* --- the journal ------------------------------------------------------------------------------ */

/* A crash that is aimed at what a crash can do most harm to: money on its way between
 * partitions. */
static bool has_money(const uint8_t *bytes, uint32_t size) {
    for (uint32_t at = 0; at < size; at += bytes_get_u32(bytes + at)) {
        switch (bytes[at + 4] | bytes[at + 5] << 8) {
        case DECISION_PAYMENT_STARTED:
        case DECISION_PAYMENT_REFUSED:
        case DECISION_SEATS_SOLD:
        case DECISION_REFUND_STARTED:
        case DECISION_FUNDS_RESERVED:
        case DECISION_FUNDS_REFUSED:
        case DECISION_FUNDS_REFUNDED: return true;
        default: break;
        }
    }
    return false;
}

/* The other shards stand still: what follows from a drain takes its time. */
static void hold_up(struct machine *machine, uint32_t appender, uint64_t us) {
    for (uint32_t i = 0; i < machine->shards; i++) {
        if (i != appender) machine->stalled_until_us[i] = machine->run->now_us + us;
    }
}

/* The organiser cancels a date, of all moments, while somebody pays. */
static void tempt(struct machine *machine, uint32_t appender, const uint8_t *bytes, uint32_t size) {
    struct sim_run *run = machine->run;
    if (run->calm || !run->plan.organiser_is_restless || machine->shards == 1) return;
    for (uint32_t at = 0; at < size; at += bytes_get_u32(bytes + at)) {
        bool pays = (bytes[at + 4] | bytes[at + 5] << 8) == DECISION_PAYMENT_STARTED;
        if (!pays || !random_chance(&machine->random, 200000)) continue;
        people_tempt(machine->people, bytes_get_u32(bytes + at + 8) - PARTITION_DATE_FIRST);
        hold_up(machine, appender, 10ull * run->plan.net_us + 300ull * run->plan.step_us + 5000);
    }
}

static void aim(struct machine *machine, uint32_t appender, const uint8_t *bytes, uint32_t size) {
    if (machine->aim != AIM_WORD || !has_money(bytes, size)) return;
    machine->aim = random_chance(&machine->random, 500000) ? AIM_DURABLE : AIM_STEPS;
    machine->aim_lsn = machine->diary.size;
    machine->aim_steps = (uint32_t)random_below(&machine->random, 60);
    hold_up(machine, appender, 2000000);
}

static int append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                  uint64_t *ret_lsn) {
    struct machine *machine = context;
    struct sim_run *run = machine->run;
    uint64_t lsn = 0, from = machine->diary.size;
    int result = JOURNAL_FULL;
    if (!run_fault(run, SIM_FAULT_JOURNAL_FULL)) {
        result = machine->journal.append(machine->journal.context, appender, bytes, size, &lsn);
    }
    machine->pending[appender] = result != 0;
    machine_watch_append(machine, appender, lsn);
    if (result != 0) {
        run->counters.journal_fulls++;
        run_event(run, RUN_EVENT_APPEND_FULL, appender, size);
        return result;
    }
    if (lsn != from + size) {
        run_fail(run, SIM_CHECK_RECORD, "%u bytes appended at LSN %llu end at %llu", size,
                 (unsigned long long)from, (unsigned long long)lsn);
    }
    note(machine, bytes, size);
    run_mix(run, bytes, size);
    run_event(run, RUN_EVENT_APPEND, appender, lsn);
    if (!run->failed) follow_all(machine, from, machine->diary.size);
    if (!run->failed) aim(machine, appender, bytes, size);
    tempt(machine, appender, bytes, size);
    *ret_lsn = lsn;
    return 0;
}

static uint64_t durable_lsn(void *context) {
    struct machine *machine = context;
    return machine->journal.durable_lsn(machine->journal.context);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* Signs of life, for the model. A request that is refused (the date is cancelled, or closed) may
 * have been one. */
static void hear(struct machine *machine, const struct request *request,
                 const struct reply *reply) {
    const struct command *command = &request->command;
    uint64_t now_ms = machine_now_ms(machine);
    if (command->kind == COMMAND_QUEUE_ENTER) {
        model_asked(machine->model, command->partition - PARTITION_DATE_FIRST, &command->enter.user,
                    now_ms);
    }
    if (command->kind == COMMAND_QUEUE_STATUS) {
        uint32_t date = command->queue.token.date;
        const struct oracle_place *place = oracle_place(oracle_date(&machine->model->oracle, date),
                                                        command->queue.token.place);
        if (place) model_asked(machine->model, date, &place->user, now_ms);
    }
    if (reply->kind == REPLY_TOKEN && reply->token.state == TOKEN_WAITING) {
        model_heard(machine->model, reply->token.token.date, reply->token.token.place,
                    reply->now_ms);
    }
}

static void encode(void *context, struct request *request, const struct reply *reply) {
    struct machine *machine = context;
    hear(machine, request, reply);
    frame_sink_encode(&machine->shared, request, reply);
}

static void release(void *context, struct request *request) {
    struct machine *machine = context;
    frame_sink_release(&machine->shared, request);
}

static void gather(struct machine *machine, const struct frame *frame, uint32_t total) {
    if (total > machine->reply_capacity) {
        machine->reply_capacity = total * 2;
        machine->reply = realloc(machine->reply, machine->reply_capacity);
        REQUIRE(machine->reply != NULL);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t size;
        const uint8_t *bytes = frame_reply_at(frame, i, &size);
        memcpy(machine->reply + at, bytes, size);
        at += size;
    }
}

static void answered(void *context, struct frame *frame) {
    struct machine_slot *slot = context;
    struct machine *machine = slot->machine;
    uint32_t total = frame_reply_bytes(frame);
    REQUIRE(total > 0); /* there is memory */
    gather(machine, frame, total);
    frame_recycle(frame);
    (void)frame_end(frame->shared); /* machine_stop() looks by itself */
    free(slot->bytes);
    slot->bytes = NULL;
    slot->busy = false;
    slot->window.to_lsn = durable_lsn(machine);
    slot->window.to_ms = machine_now_ms(machine);
    run_mix(machine->run, machine->reply, total);
    run_event(machine->run, RUN_EVENT_REPLY, slot->gateway, total);
    judge_reply(machine->judge, machine->model, &slot->window, machine->reply, total,
                &machine->told_lsn);
    network_send(machine->network, slot->gateway, false, machine->reply, total);
}

/* --- frames ----------------------------------------------------------------------------------- */

static uint32_t shard_of(void *context, const struct command *command) {
    return engine_shard_of(((struct machine *)context)->engine, command);
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    struct machine *machine = context;
    if (run_fault(machine->run, SIM_FAULT_MAILBOX_FULL)) return ENGINE_BUSY;
    return engine_submit(machine->engine, shard, chain);
}

bool machine_receive(struct machine *machine, struct network_frame *frame) {
    if (!machine->up) return false;
    struct machine_slot *slot = NULL;
    for (uint32_t i = 0; i < MACHINE_SLOTS && !slot; i++) {
        if (!machine->slots[i].busy) slot = &machine->slots[i];
    }
    if (!slot) return false;
    if (!slot->ready) {
        slot->machine = machine;
        REQUIRE(frame_init(&slot->frame, &machine->shared, false, answered, slot) == 0);
        slot->ready = true;
    }
    slot->busy = true;
    slot->gateway = frame->gateway;
    slot->bytes = frame->bytes;
    slot->frame.admin = frame->gateway == NETWORK_ADMIN;
    slot->window.from_lsn = machine->model->oracle.lsn;
    slot->window.from_ms = UINT64_MAX;
    for (uint32_t i = 0; i < machine->shards; i++) {
        uint64_t decides_ms = machine_decides_ms(machine, i, machine_now_ms(machine));
        if (decides_ms < slot->window.from_ms) slot->window.from_ms = decides_ms;
    }
    run_event(machine->run, RUN_EVENT_FRAME, frame->gateway, frame->size);
    frame_run(&slot->frame, slot->bytes, frame->size);
    return true;
}

/* Frames that the process was at when it died: nobody answers them any more. */
void machine_slots_close(struct machine *machine) {
    for (uint32_t i = 0; i < MACHINE_SLOTS; i++) {
        struct machine_slot *slot = &machine->slots[i];
        if (!slot->ready) continue;
        atomic_store(&slot->frame.pending, 0);
        frame_recycle(&slot->frame);
        frame_deinit(&slot->frame);
        free(slot->bytes);
        *slot = (struct machine_slot){0};
    }
}

void machine_ports_open(struct machine *machine, struct engine_options *ret_options) {
    ret_options->journal = (struct journal){machine, append, durable_lsn};
    ret_options->sink = (struct reply_sink){machine, encode, release};
    ret_options->clock = (struct clock_port){machine, shard_now_ms};
    ret_options->entropy = (struct entropy_port){machine, machine_fill};
    memset(&machine->shared, 0, sizeof machine->shared);
    memset(machine->pending, 0, sizeof machine->pending);
    memset(machine->stalled_until_us, 0, sizeof machine->stalled_until_us);
    machine->net_engine = (struct net_engine){.context = machine,
                                              .shard_of = shard_of,
                                              .submit = submit,
                                              .journal = ret_options->journal};
}
