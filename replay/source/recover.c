/* recover.c - see recover.h */
#include "replay/source/recover.h"

#include <stdio.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"

#define DECISION(number, NAME, name, OWNER) _Static_assert((number) < RECOVER_KINDS_MAX, #name);
#include "engine/domain/decision.def"
#undef DECISION

#define PROGRESS_EVERY 1000000u

static int fail(struct recover_error *ret_error, enum recover_failure failure, uint64_t lsn,
                const struct decision *decision, const char *what) {
    *ret_error = (struct recover_error){.failure = (int)failure, .lsn = lsn};
    if (!decision) {
        snprintf(ret_error->text, sizeof ret_error->text, "LSN %llu: %s", (unsigned long long)lsn,
                 what);
        return -(int)failure;
    }
    char time[TEXT_TIME_BYTES], partition[TEXT_PARTITION_BYTES];
    text_time(decision->time_ms, time);
    text_partition(decision->partition, partition);
    ret_error->kind = decision->kind;
    ret_error->partition = decision->partition;
    snprintf(ret_error->text, sizeof ret_error->text, "LSN %llu, %s of %s at %s: %s",
             (unsigned long long)lsn, decision_name(decision->kind), partition, time, what);
    return -(int)failure;
}

static const char *undecodable_text(int result) {
    switch (result) {
    case DECISION_DECODE_UNKNOWN_KIND:
        return "the record's kind is not known here: it was written by a newer usher. Start that "
               "version, or a later one.";
    case DECISION_DECODE_BAD_SIZE:
        return "the record's size and header disagree although its block's checksum is right: it "
               "was not written by usher, or by another version. Keep the folder and start the "
               "version that wrote it.";
    default:
        return "the record's body cannot be read although its block's checksum is right: it was "
               "written by a newer usher, or not by usher. Keep the folder and start the version "
               "that wrote it.";
    }
}

static int apply(struct world *world, uint64_t lsn, const struct decision *decision,
                 struct recover_error *ret_error) {
    switch (world_apply(world, decision)) {
    case WORLD_APPLIED: return 0;
    case WORLD_NO_PARTITION:
        return fail(ret_error, RECOVER_NO_PARTITION, lsn, decision,
                    "no earlier record created this partition: the log's beginning is missing, or "
                    "it is not a log of usher. Restore the missing segments.");
    case WORLD_HASH_MISMATCH:
        return fail(
            ret_error, RECOVER_HASH_MISMATCH, lsn, decision,
            "replay has reached another state than the engine that wrote this had. Nothing "
            "after it can be trusted to replay. Keep the folder unchanged, start the version "
            "that wrote it, and report this.");
    default:
        return fail(ret_error, RECOVER_NOT_APPLICABLE, lsn, decision,
                    "the record names something that does not exist at this point: it is not a log "
                    "of this usher. Keep the folder and start the version that wrote it.");
    }
}

/* Decisions that were read and are still to be applied. Replaying a big house is mostly waiting for
 * memory: what these will touch is fetched for all of them at once. */
#define WINDOW 16u

struct window {
    uint32_t count;
    struct {
        uint64_t lsn;
        uint32_t size; /* of the record, bytes */
        struct decision decision;
    } items[WINDOW];
};

/* Read ahead, as long as the records' bytes stay. Return: 0; SOURCE_CAUGHT_UP; <0 a failure that
 * comes after what is in the window */
static int window_fill(struct window *window, struct record_source *source, uint64_t last_lsn,
                       struct recover_error *ret_error) {
    struct source_record record = {.more = true};
    window->count = 0;
    while (record.more && window->count < WINDOW) {
        struct source_error error;
        record.more = false;
        int got = source->next(source->context, &record, &error);
        if (got < 0) return fail(ret_error, RECOVER_SOURCE, last_lsn, NULL, error.text);
        if (got != 0) return got;
        REQUIRE(record.lsn > last_lsn); /* a source delivers in order */
        struct decision *decision = &window->items[window->count].decision;
        int decoded = decision_decode(record.bytes, record.size, decision);
        if (decoded != DECISION_DECODE_OK) {
            return fail(ret_error, RECOVER_UNDECODABLE, record.lsn, NULL,
                        undecodable_text(decoded));
        }
        window->items[window->count].lsn = last_lsn = record.lsn;
        window->items[window->count++].size = record.size;
    }
    return 0;
}

static int window_apply(const struct window *window, struct world *world,
                        const struct recover_options *options, struct recover_result *result,
                        struct recover_error *ret_error) {
    uint64_t every = options->progress_every ? options->progress_every : PROGRESS_EVERY;
    for (enum prefetch step = PREFETCH_FIRST; step <= PREFETCH_LAST; step++) {
        for (uint32_t i = 0; i < window->count; i++) {
            world_prefetch(world, &window->items[i].decision, step);
        }
    }
    for (uint32_t i = 0; i < window->count; i++) {
        const struct decision *decision = &window->items[i].decision;
        uint64_t lsn = window->items[i].lsn;
        int applied = apply(world, lsn, decision, ret_error);
        if (applied < 0) return applied;
        result->records++;
        result->bytes += window->items[i].size;
        result->decisions[decision->kind]++;
        result->last_lsn = lsn;
        if (decision->kind != DECISION_STATE_HASHED && decision->time_ms > result->last_time_ms) {
            result->last_time_ms = decision->time_ms;
        }
        if (options->progress && result->records % every == 0) {
            options->progress(options->progress_context, result->records, result->bytes, lsn);
        }
    }
    return 0;
}

int recover(struct record_source *source, struct world *world,
            const struct recover_options *options, struct recover_result *ret_result,
            struct recover_error *ret_error) {
    static const struct recover_options defaults;
    if (!options) options = &defaults;
    struct recover_result result = {.last_lsn = options->from_lsn};
    struct source_error error;
    struct window window;

    int got = source->seek(source->context, options->from_lsn, &error);
    if (got < 0) return fail(ret_error, RECOVER_SOURCE, result.last_lsn, NULL, error.text);
    while (got == 0) {
        got = window_fill(&window, source, result.last_lsn, ret_error);
        int applied = window_apply(&window, world, options, &result, ret_error);
        if (applied < 0) return applied;
    }
    if (got < 0) return got;

    result.hashes_verified = result.decisions[DECISION_STATE_HASHED];
    result.world_hash = world_hash(world);
    if (options->progress) {
        options->progress(options->progress_context, result.records, result.bytes, result.last_lsn);
    }
    *ret_result = result;
    return 0;
}
