/* usher_wal.c - `usher wal ls`, `wal verify` and `wal cat`: look at a log */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/tell/describe.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/usher/json_print.h"
#include "tools/usher/log_cursor.h"
#include "tools/usher/log_subject.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"
#include "wal/inspect.h"

/* --- ls --------------------------------------------------------------------------------------- */

struct segment_listing {
    bool json;
    uint32_t count, bad;
};

static void print_segment_json(const struct wal_segment_info *info) {
    json_t *line = json_object();
    json_put_text(line, "segment", info->name);
    json_put_number(line, "number", info->number);
    json_put_text(line, "state", wal_segment_state_name(info->state));
    json_put_number(line, "epoch", info->epoch);
    json_put_number(line, "first_lsn", info->first_lsn);
    json_put_number(line, "end_lsn", info->end_lsn);
    json_put_time(line, "created", info->created_ms);
    json_put_time(line, "first_write", info->first_wall_ms);
    json_put_time(line, "last_write", info->last_wall_ms);
    json_put_number(line, "blocks", info->blocks);
    json_put_number(line, "seals", info->seals);
    json_put_number(line, "records", info->records);
    json_put_number(line, "used_bytes", info->used_bytes);
    json_put_number(line, "file_bytes", info->file_bytes);
    if (info->state == WAL_SEGMENT_DAMAGED) {
        json_put_text(line, "why", info->proof ? info->proof : "");
        json_put_number(line, "bad_offset", info->bad_offset);
        json_put_number(line, "stray_blocks", info->stray_blocks);
        json_put_number(line, "stray_records", info->stray_records);
        json_put_number(line, "stray_first_lsn", info->stray_first_lsn);
        json_put_number(line, "stray_end_lsn", info->stray_end_lsn);
    }
    (void)json_print(line);
}

static void print_segment(const struct wal_segment_info *info) {
    char first[TEXT_TIME_BYTES] = "-", last[TEXT_TIME_BYTES] = "-";
    if (info->first_wall_ms > 0) text_time(info->first_wall_ms, first);
    if (info->last_wall_ms > 0) text_time(info->last_wall_ms, last);
    printf("%-24s  %-7s  %5" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %-24s  %-24s  %8" PRIu64
           "  %9" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "\n",
           info->name, wal_segment_state_name(info->state), info->epoch, info->first_lsn,
           info->end_lsn, first, last, info->blocks, info->records, info->used_bytes,
           info->file_bytes);
    if (info->state != WAL_SEGMENT_DAMAGED) return;
    printf("    damaged at offset %" PRIu64 "%s%s; readable behind it: %" PRIu64
           " records, LSN %" PRIu64 " to %" PRIu64 "\n",
           info->bad_offset, info->proof ? ": " : "", info->proof ? info->proof : "",
           info->stray_records, info->stray_first_lsn, info->stray_end_lsn);
}

static int list_segment(void *context, const struct wal_segment_info *info) {
    struct segment_listing *listing = context;
    if (listing->count++ == 0 && !listing->json) {
        printf("%-24s  %-7s  %5s  %12s  %12s  %-24s  %-24s  %8s  %9s  %10s  %10s\n", "segment",
               "state", "epoch", "first LSN", "end LSN", "first write", "last write", "blocks",
               "records", "used", "size");
    }
    listing->bad += info->state == WAL_SEGMENT_DAMAGED || info->state == WAL_SEGMENT_VERSION ||
                    info->state == WAL_SEGMENT_FOREIGN;
    if (listing->json) {
        print_segment_json(info);
    } else {
        print_segment(info);
    }
    return 0;
}

static int ls(int argc, char **argv) {
    static const struct argp_option options[] = {OPTION_JSON, {0}};
    static const struct usher_usage usage = {
        options,
        "DIR",
        "List the segments of the log: state, LSNs, times, blocks, records, sizes. Reads them "
        "all.\v"
        "Exit status: 0 none is damaged, 1 one is, or they cannot be read.",
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    struct log_folder folder;
    if (log_folder_glance(arguments.folders[0], &folder) < 0) return USHER_FAILED;
    struct segment_listing listing = {.json = arguments.json};
    struct wal_error error;
    int result = wal_inspect(folder.wal, list_segment, &listing, &error);
    log_folder_close(&folder);
    if (result < 0) {
        complain("%s: %s", arguments.folders[0], error.text);
        return USHER_FAILED;
    }
    if (listing.count == 0) {
        complain("%s: there is no log in this folder. Name the folder that "
                 "usherd got with --data.",
                 arguments.folders[0]);
        return USHER_FAILED;
    }
    if (listing.bad > 0) {
        complain("segments are damaged or do not belong here; usher wal verify %s tells "
                 "where, usher wal repair %s what can be done",
                 arguments.folders[0], arguments.folders[0]);
    }
    return listing.bad == 0 && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

/* --- verify ----------------------------------------------------------------------------------- */

static void verify_progress(void *context, uint64_t done, uint64_t total) {
    progress_at(context, done, total, "");
}

static void print_sound(const struct wal_recovery *state) {
    char time[TEXT_TIME_BYTES] = "-";
    if (state->last_wall_ms > 0) text_time(state->last_wall_ms, time);
    printf("log         ");
    for (uint32_t i = 0; i < WAL_LOG_ID_BYTES; i++) printf("%02x", state->log_id[i]);
    printf("\nLSN         %" PRIu64 " to %" PRIu64 "\n", state->first_lsn, state->end_lsn);
    printf("records     %" PRIu64 " in %" PRIu64 " blocks, %" PRIu64 " segments\n", state->records,
           state->blocks, state->segments);
    printf("epochs      %" PRIu64 ", the last is number %" PRIu64 "\n", state->epochs,
           state->epoch);
    printf("torn tails  %" PRIu64 "\n", state->torn_tails);
    printf("last write  %s\n", time);
    if (state->torn) {
        printf("The last write was torn by a crash, in %s at offset %" PRIu64
               ". Nobody was told about it; the next start cuts it off.\n",
               state->torn_file, state->torn_offset);
    }
    printf("The log is sound.\n");
}

static void print_sound_json(const struct wal_recovery *state) {
    json_t *line = json_object();
    json_put(line, "sound", json_true());
    json_put_bytes(line, "log", state->log_id, WAL_LOG_ID_BYTES);
    json_put_number(line, "first_lsn", state->first_lsn);
    json_put_number(line, "end_lsn", state->end_lsn);
    json_put_number(line, "durable_lsn", state->durable_lsn);
    json_put_number(line, "records", state->records);
    json_put_number(line, "blocks", state->blocks);
    json_put_number(line, "seals", state->seals);
    json_put_number(line, "segments", state->segments);
    json_put_number(line, "epochs", state->epochs);
    json_put_number(line, "epoch", state->epoch);
    json_put_number(line, "torn_tails", state->torn_tails);
    json_put_time(line, "last_write", state->last_wall_ms);
    json_t *torn = state->torn ? json_object() : NULL;
    if (torn) {
        json_put_text(torn, "file", state->torn_file);
        json_put_number(torn, "offset", state->torn_offset);
    }
    json_put(line, "torn", torn);
    (void)json_print(line);
}

static void print_unsound(const char *directory, const struct wal_error *error, bool json) {
    if (json) {
        json_t *line = json_object(), *details = json_object();
        json_put(line, "sound", json_false());
        json_put_number(details, "code", (uint64_t)error->code);
        json_put(details, "file", error->file[0] ? json_string(error->file) : NULL);
        json_put_number(details, "offset", error->offset);
        json_put_number(details, "lsn", error->lsn);
        json_put_text(details, "text", error->text);
        json_put(line, "error", details);
        (void)json_print(line);
    }
    complain("%s: %s.", directory, error->text);
    if (error->code == WAL_ERROR_CORRUPT) {
        complain_more("Next: restore the file from a copy of the folder; if there is none, usher "
                      "wal repair %s shows what cutting it off would lose.",
                      directory);
    }
}

static int verify(int argc, char **argv) {
    static const struct argp_option options[] = {OPTION_JSON, {0}};
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Read the whole log and check every checksum and the chain of blocks. Changes nothing; "
        "also beside a running engine.\v"
        "Exit status: 0 the log is sound, 1 it is not, or cannot be read.",
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    struct log_folder folder;
    if (log_folder_glance(arguments.folders[0], &folder) < 0) return USHER_FAILED;
    struct progress progress;
    struct wal_recovery state;
    struct wal_error error;
    progress_begin(&progress, "segments verified");
    int result = wal_verify(folder.wal, verify_progress, &progress, &state, &error);
    log_folder_close(&folder);
    if (progress.drawn || result == 0) {
        uint64_t done = result == 0 ? state.segments : 0;
        progress_end(&progress, done, done, result == 0 ? "" : "damage");
    }
    if (result < 0) {
        print_unsound(arguments.folders[0], &error, arguments.json);
        return USHER_FAILED;
    }
    if (!state.log_exists) {
        error = (struct wal_error){.code = WAL_ERROR_MISSING};
        snprintf(error.text, sizeof error.text,
                 "there is no log in this folder; name the folder that usherd got with --data");
        print_unsound(arguments.folders[0], &error, arguments.json);
        return USHER_FAILED;
    }
    if (arguments.json) {
        print_sound_json(&state);
    } else {
        print_sound(&state);
    }
    return fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

/* --- cat -------------------------------------------------------------------------------------- */

static uint32_t date_of_wallet_decision(const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_FUNDS_RESERVED: return dated_id_date(decision->funds_reserved.payment);
    case DECISION_FUNDS_REFUSED: return dated_id_date(decision->funds_refused.payment);
    case DECISION_FUNDS_POSTED: return dated_id_date(decision->funds_posted.payment);
    case DECISION_FUNDS_VOIDED: return dated_id_date(decision->funds_voided.payment);
    case DECISION_FUNDS_REFUNDED: return dated_id_date(decision->funds_refunded.payment);
    case DECISION_REFUND_CLOSED: return dated_id_date(decision->refund_closed.payment);
    default: return 0;
    }
}

static bool is_of_date(const struct decision *decision, uint32_t date) {
    if (decision->partition == partition_of_date(date)) return true;
    if (decision->kind == DECISION_DATE_CREATED) return decision->date_created.date == date;
    return date_of_wallet_decision(decision) == date;
}

static bool is_wanted(const struct usher_arguments *arguments, struct follow *follow,
                      const struct decision *decision) {
    bool concerned = !follow || follow_decision(follow, decision); /* it learns from all */
    if (arguments->kinds_given && !arguments->kinds[decision->kind]) return false;
    if (arguments->date != 0 && !is_of_date(decision, arguments->date)) return false;
    return concerned;
}

static int print_decision(const struct log_cursor *cursor,
                          const struct usher_arguments *arguments) {
    char line[DESCRIBE_LINE_BYTES];
    size_t size = arguments->json
                      ? describe_json(&cursor->decision, cursor->lsn, arguments->flags, line)
                      : describe_text(&cursor->decision, cursor->lsn, arguments->flags, line);
    line[size] = '\n';
    return fwrite(line, 1, size + 1, stdout) == size + 1 ? 0 : -1; /* a closed pipe ends it */
}

static int print_range(struct log_folder *folder, const struct usher_arguments *arguments,
                       struct follow *follow, uint64_t from_lsn, uint64_t to_lsn) {
    struct log_cursor cursor;
    uint64_t start_lsn = follow ? folder->first_lsn : from_lsn;
    if (log_cursor_open(folder, start_lsn, to_lsn, &cursor) < 0) return USHER_FAILED;
    int result;
    while ((result = log_cursor_next(&cursor)) == 0) {
        if (!is_wanted(arguments, follow, &cursor.decision) || cursor.lsn <= from_lsn) continue;
        if (print_decision(&cursor, arguments) < 0) break;
    }
    log_cursor_close(&cursor);
    return result == LOG_CURSOR_END && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

static int cat_folder(struct log_folder *folder, const struct usher_arguments *arguments) {
    uint64_t from_lsn, to_lsn;
    if (log_point_resolve(folder, &arguments->from, LOG_POINT_FROM, folder->first_lsn, &from_lsn) <
            0 ||
        log_point_resolve(folder, &arguments->to, LOG_POINT_AT, folder->end_lsn, &to_lsn) < 0) {
        return USHER_FAILED;
    }
    struct log_subject subject;
    if (log_subject_open(folder, arguments, to_lsn, false, &subject) < 0) return USHER_FAILED;
    int status = print_range(folder, arguments, subject.follow, from_lsn, to_lsn);
    log_subject_close(&subject);
    if (status == USHER_DONE && folder->damage.code != 0 && !arguments->to.text) {
        complain("this is what is sound: %s.", folder->damage.text);
        status = USHER_FAILED;
    }
    return status;
}

static int cat(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_FROM("Leave out what was decided up to here"),
        OPTION_TO("Leave out what was decided after this"),
        OPTION_KIND,
        OPTION_DATE("Only decisions about this date"),
        OPTION_SEAT,
        OPTION_USER,
        OPTION_RESERVATION,
        OPTION_JSON,
        OPTION_TOKEN_SECRETS,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Print the decisions of the log in order, one a line.\v" X_HELP
        "\n\nFor people, usher history tells the same of a seat, a user or a reservation in "
        "sentences.",
        1,
        1,
        usher_check_subject};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    return usher_in_folder(&arguments, true, cat_folder);
}

int usher_wal(int argc, char **argv) {
    static const struct usher_command commands[] = {
        {"ls", "DIR", "list the segments", ls},
        {"cat", "DIR", "print the decisions", cat},
        {"verify", "DIR", "check every checksum and the chain", verify},
        {"repair", "DIR [--cut]", "show what cutting damage off would lose, or do it",
         usher_wal_repair},
        {0},
    };
    return usher_dispatch("usher wal", "look at the log in usherd's data folder", commands, argc,
                          argv);
}
