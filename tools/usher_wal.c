/* usher_wal.c - `usher wal verify DIR` and `usher wal cat DIR`: look at a log */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/domain/decision.h"
#include "engine/require.h"
#include "replay/describe.h"
#include "replay/text.h"
#include "tools/log_folder.h"
#include "tools/usher.h"
#include "wal/reader.h"

struct wal_arguments {
    const char *directory;
    uint64_t from_lsn;
    uint32_t flags; /* of describe.h */
    bool json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct wal_arguments *arguments = state->input;
    char *end;
    switch (key) {
    case 'j': arguments->json = true; return 0;
    case 's': arguments->flags |= DESCRIBE_TOKEN_SECRETS; return 0;
    case 'f':
        arguments->from_lsn = strtoull(argument, &end, 10);
        if (argument[0] < '0' || argument[0] > '9' || *end != '\0') {
            argp_error(state, "--from-lsn \"%s\" must be a whole number", argument);
        }
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one folder at a time");
        arguments->directory = argument;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "DIR is missing: usherd's --data folder"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* --- verify ---------------------------------------------------------------------------------- */

static void print_state(const struct wal_recovery *state) {
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

static int verify(int argc, char **argv) {
    static const struct argp_option no_options[] = {{0}};
    static const struct argp argp = {
        no_options,
        parse_option,
        "DIR",
        "Read the whole log and check every checksum and the chain of blocks. Changes nothing, "
        "takes no lock.\vExit status: 0 the log is sound, 1 it is not, or cannot be read.",
        NULL,
        NULL,
        NULL};
    struct wal_arguments arguments = {0};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    struct log_folder folder;
    if (log_folder_open(arguments.directory, &folder) < 0) return USHER_FAILED;
    bool found = folder.state.found;
    if (found) {
        print_state(&folder.state);
    } else {
        (void)fprintf(stderr, "usher: %s: there is no log in this folder\n",
                      arguments.directory); /* the exit status tells, too */
    }
    log_folder_close(&folder);
    return found && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

/* --- cat ------------------------------------------------------------------------------------- */

static int print_record(const struct wal_record *record, const struct wal_arguments *arguments) {
    char line[DESCRIBE_LINE_BYTES];
    struct decision decision;
    int result = decision_decode(record->bytes, record->size, &decision);
    if (result != DECISION_DECODE_OK) {
        (void)fprintf(stderr,
                      "usher: the record that ends at LSN %" PRIu64 " is not one of this "
                      "usher (%s); was it written by a newer one?\n",
                      record->lsn,
                      result == DECISION_DECODE_UNKNOWN_KIND ? "unknown kind" : "bad form");
        return -1; /* the exit status tells, too */
    }
    size_t size = arguments->json ? describe_json(&decision, record->lsn, arguments->flags, line)
                                  : describe_text(&decision, record->lsn, arguments->flags, line);
    line[size] = '\n';
    return fwrite(line, 1, size + 1, stdout) == size + 1 ? 0 : -1; /* a closed pipe ends it */
}

static int print_records(struct log_folder *folder, const struct wal_arguments *arguments) {
    struct wal_reader *reader;
    struct wal_error error;
    uint64_t start_lsn = folder->state.first_lsn;
    if (wal_reader_open(folder->storage, start_lsn, &reader, &error) < 0) {
        (void)fprintf(stderr, "usher: %s\n", error.text); /* the exit status tells, too */
        return USHER_FAILED;
    }
    struct wal_record record;
    int result;
    while ((result = wal_reader_next(reader, folder->state.end_lsn, &record, &error)) == 0) {
        if (record.lsn <= arguments->from_lsn) continue;
        if (print_record(&record, arguments) < 0) break;
    }
    if (result < 0) (void)fprintf(stderr, "usher: %s\n", error.text); /* likewise */
    wal_reader_close(reader);
    return result == WAL_READER_CAUGHT_UP && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

static int cat(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"json", 'j', NULL, 0, "One JSON object a line", 0},
        {"from-lsn", 'f', "LSN", 0, "Leave out the decisions up to this LSN", 0},
        {"token-secrets", 's', NULL, 0,
         "Show the secrets of tokens; who has one can act for its user", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse_option,
        "DIR",
        "Print every decision of the log in order, one a line: who held seat 12 at 20:00:03?\v"
        "For example: usher wal cat data | grep 'seats_held.*seats=\\[.*\\b12\\b'",
        NULL,
        NULL,
        NULL};
    struct wal_arguments arguments = {0};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    struct log_folder folder;
    if (log_folder_open(arguments.directory, &folder) < 0) return USHER_FAILED;
    int status = folder.state.found ? print_records(&folder, &arguments) : USHER_DONE;
    log_folder_close(&folder);
    return status;
}

int usher_wal(int argc, char **argv) {
    static const struct usher_command commands[] = {
        {"verify", "DIR", "check every checksum and the chain", verify},
        {"cat", "DIR [--json]", "print every decision", cat},
        {0},
    };
    return usher_dispatch("usher wal", "look at the log in usherd's data folder", commands, argc,
                          argv);
}
