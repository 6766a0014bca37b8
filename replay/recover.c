#include "replay/recover.h"

#include <stdio.h>

#include "engine/require.h"
#include "replay/text.h"

#define DECISION(number, NAME, name) _Static_assert((number) < RECOVER_KINDS_MAX, #name);
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

int recover(struct record_source *source, struct world *world,
            const struct recover_options *options, struct recover_result *ret_result,
            struct recover_error *ret_error) {
    static const struct recover_options defaults;
    if (!options) options = &defaults;
    uint64_t every = options->progress_every ? options->progress_every : PROGRESS_EVERY;
    struct recover_result result = {.last_lsn = options->from_lsn};
    struct source_error error;
    struct source_record record;
    struct decision decision;

    int got = source->seek(source->context, options->from_lsn, &error);
    while (got == 0 && (got = source->next(source->context, &record, &error)) == 0) {
        REQUIRE(record.lsn > result.last_lsn); /* a source delivers in order */
        int decoded = decision_decode(record.bytes, record.size, &decision);
        if (decoded != DECISION_DECODE_OK) {
            return fail(ret_error, RECOVER_UNDECODABLE, record.lsn, NULL,
                        undecodable_text(decoded));
        }
        int applied = apply(world, record.lsn, &decision, ret_error);
        if (applied < 0) return applied;
        result.records++;
        result.bytes += record.size;
        result.decisions[decision.kind]++;
        result.last_lsn = record.lsn;
        if (decision.time_ms > result.last_time_ms) result.last_time_ms = decision.time_ms;
        if (options->progress && result.records % every == 0) {
            options->progress(options->progress_context, result.records, result.bytes, record.lsn);
        }
    }
    if (got < 0) return fail(ret_error, RECOVER_SOURCE, result.last_lsn, NULL, error.text);

    result.hashes_verified = result.decisions[DECISION_STATE_HASHED];
    result.world_hash = world_hash(world);
    if (options->progress) {
        options->progress(options->progress_context, result.records, result.bytes, result.last_lsn);
    }
    *ret_result = result;
    return 0;
}
