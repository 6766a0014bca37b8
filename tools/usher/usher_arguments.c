/* usher_arguments.c - see usher_arguments.h */
#include "tools/usher/usher_arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "engine/domain/date/date.h"
#include "engine/domain/error.h"
#include "engine/base/uuid.h"
#include "replay/tell/describe.h"
#include "tools/common/complain.h"
#include "tools/common/number.h"
#include "tools/common/unicode.h"
#include "tools/usher/suggest.h"
#include "tools/usher/usher.h"

static uint64_t parse_number(struct argp_state *state, const char *what, const char *text,
                             uint64_t max) {
    uint64_t number = 0;
    if (!number_read(text, 1, max, &number)) {
        argp_error(state, "%s \"%s\" must be a number from 1 to %llu", what, text,
                   (unsigned long long)max);
    }
    return number;
}

static void parse_point(struct argp_state *state, const char *option, const char *text,
                        struct log_point *ret_point) {
    if (log_point_parse(text, ret_point) < 0) {
        argp_error(state, "%s \"%s\" must be " LOG_POINT_FORM, option, text);
    }
}

/* The whole id of the wire, or DATE-NUMBER. */
static uint64_t parse_reservation(struct argp_state *state, const char *text) {
    unsigned date = 0, sequence = 0;
    int used = 0;
    bool digits = text[0] >= '0' && text[0] <= '9';
    if (digits && sscanf(text, "%9u-%10u%n", &date, &sequence, &used) == 2 && text[used] == '\0' &&
        date >= 1 && date <= DATES_MAX && sequence >= 1) {
        return dated_id(date, sequence);
    }
    uint64_t id = 0;
    if (!number_read(text, 1, UINT64_MAX, &id) || dated_id_date(id) == 0 ||
        dated_id_date(id) > DATES_MAX || dated_id_sequence(id) == 0) {
        argp_error(
            state,
            "--reservation \"%s\" must be a whole id, as the engine gives it, or DATE-NUMBER",
            text);
    }
    return id;
}

static void unknown_kind(struct argp_state *state, const char *name) {
    const char *nearest = NULL;
    for (uint32_t kind = 1; kind < RECOVER_KINDS_MAX; kind++) {
        const char *known = decision_name(kind);
        if (strcmp(known, "unknown") == 0 || !suggest_is_close(name, known)) continue;
        if (!nearest || suggest_distance(name, known) < suggest_distance(name, nearest)) {
            nearest = known;
        }
    }
    argp_error(state, "no kind of decision \"%s\"%s%s%s", name, nearest ? "; did you mean \"" : "",
               nearest ? nearest : "", nearest ? "\"?" : "");
}

static void parse_kinds(struct argp_state *state, const char *text,
                        struct usher_arguments *arguments) {
    char *copy = strdup(text), *rest = copy, *name;
    REQUIRE_MEMORY(copy);
    arguments->kinds_given = true;
    while ((name = strsep(&rest, ",")) != NULL) {
        uint32_t kind = 1;
        while (kind < RECOVER_KINDS_MAX && strcmp(decision_name(kind), name) != 0) kind++;
        if (kind == RECOVER_KINDS_MAX || strcmp(name, "unknown") == 0) unknown_kind(state, name);
        if (kind < RECOVER_KINDS_MAX) arguments->kinds[kind] = true;
    }
    free(copy);
}

static void parse_user(struct argp_state *state, const char *text, struct id128 *ret_user) {
    size_t size = strlen(text);
    if (size > UUID_TEXT_BYTES || !uuid_parse(text, (uint32_t)size, ret_user)) {
        argp_error(state, "--user \"%s\" must be a UUID", text);
    }
}

static void parse_folder(struct argp_state *state, const char *text,
                         struct usher_arguments *arguments) {
    if (arguments->folder_count == arguments->usage->folders_max) {
        argp_error(state, "\"%s\" is one argument too many; it takes %s", text,
                   arguments->usage->arguments);
    }
    arguments->folders[arguments->folder_count++] = text;
}

static void check_all(struct argp_state *state, const struct usher_arguments *arguments) {
    const struct usher_usage *usage = arguments->usage;
    if (arguments->folder_count == 0) {
        argp_error(state, "DIR is missing: usherd's --data folder");
    }
    if (arguments->folder_count < usage->folders_min) {
        argp_error(state, "it takes %s", usage->arguments);
    }
    if (usage->check) usage->check(arguments, state);
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct usher_arguments *arguments = state->input;
    switch (key) {
    case KEY_FROM: parse_point(state, "--from", argument, &arguments->from); return 0;
    case KEY_TO: parse_point(state, "--to", argument, &arguments->to); return 0;
    case KEY_AT: parse_point(state, "--at", argument, &arguments->at); return 0;
    case KEY_DATE:
        arguments->date = (uint32_t)parse_number(state, "--date", argument, DATES_MAX);
        return 0;
    case KEY_SEAT: arguments->seat = argument; return 0;
    case KEY_USER: parse_user(state, argument, &arguments->user); return 0;
    case KEY_RESERVATION: arguments->reservation = parse_reservation(state, argument); return 0;
    case KEY_KIND: parse_kinds(state, argument, arguments); return 0;
    case KEY_KEEP:
        arguments->keep = (uint32_t)parse_number(state, "--keep", argument, UINT32_MAX);
        return 0;
    case KEY_CUT: arguments->cut = true; return 0;
    case KEY_AGAINST_LOG: arguments->against_log = true; return 0;
    case KEY_VERIFY: arguments->verify = true; return 0;
    case KEY_FROM_SNAPSHOT: arguments->from_snapshot = true; return 0;
    case KEY_EXIT_CODE: arguments->exit_code = true; return 0;
    case KEY_TOKEN_SECRETS: arguments->flags |= DESCRIBE_TOKEN_SECRETS; return 0;
    case KEY_POSTGRES: arguments->postgres = argument; return 0;
    case KEY_REBUILD: arguments->rebuild = true; return 0;
    case KEY_JSON: arguments->json = true; return 0;
    case ARGP_KEY_ARG: parse_folder(state, argument, arguments); return 0;
    case ARGP_KEY_END: check_all(state, arguments); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

bool usher_parse(const struct usher_usage *usage, int argc, char **argv,
                 struct usher_arguments *ret_arguments) {
    const struct argp argp = {usage->options, parse_option, usage->arguments, usage->about, NULL,
                              NULL,           NULL};
    *ret_arguments = (struct usher_arguments){.usage = usage};
    argp_err_exit_status = USHER_USAGE;
    return argp_parse(&argp, argc, argv, 0, NULL, ret_arguments) == 0;
}

void usher_check_subject(const struct usher_arguments *arguments, struct argp_state *state) {
    bool user = !id128_is_none(&arguments->user);
    int subjects = (arguments->seat != NULL) + user + (arguments->reservation != 0);
    if (subjects > 1) {
        argp_error(state, "a seat, a user and a reservation are three questions: ask one");
    }
    if (arguments->seat && arguments->date == 0) {
        argp_error(state, "--seat needs --date: the date that the seat belongs to");
    }
}

/* --- who or what is asked for ----------------------------------------------------------------- */

/* A number without a world to look it up in is taken as it is. */
static int find_seat(const struct world *world, uint32_t date, const char *text,
                     uint32_t *ret_seat) {
    struct seat_ref ref = {0};
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    size_t size = strlen(text);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0') {
        ref.number = number <= UINT32_MAX ? (uint32_t)number : UINT32_MAX;
    } else {
        ref.name = (struct text){text, (uint8_t)(size <= TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX)};
    }
    if (!world) {
        REQUIRE(!ref.name.bytes);
        *ret_seat = ref.number;
        return 0;
    }
    const struct partition *partition = world_find(world, partition_of_date(date));
    if (!partition) {
        complain("there is no date %u at this point of the log", date);
        return -1;
    }
    const struct seat_map *seats = &((const struct date *)partition)->seats;
    int error = size > TEXT_BYTES_MAX ? ERROR_SEAT_UNKNOWN : seat_map_find(seats, &ref, ret_seat);
    char *nfc = error == ERROR_SEAT_UNKNOWN && ref.name.bytes ? unicode_nfc(text) : NULL;
    if (nfc && strlen(nfc) <= TEXT_BYTES_MAX) { /* as import-plan writes it */
        ref.name = (struct text){nfc, (uint8_t)strlen(nfc)};
        error = seat_map_find(seats, &ref, ret_seat);
    }
    free(nfc);
    if (error == ERROR_NONE) return 0;
    complain(error == ERROR_SEAT_AMBIGUOUS
                 ? "date %u has several seats \"%s\"; name it by its number "
                   "(usher state DIR --date %u lists them)"
                 : "date %u has no seat \"%s\" at this point of the log; usher state "
                   "DIR --date %u lists them",
             date, text, date);
    return -1;
}

int usher_subject(const struct usher_arguments *arguments, const struct world *world,
                  struct subject *ret_subject) {
    struct subject subject = {
        .date = arguments->date, .user = arguments->user, .reservation = arguments->reservation};
    if (arguments->seat) {
        if (find_seat(world, arguments->date, arguments->seat, &subject.seat) < 0) return -1;
        subject.kind = SUBJECT_SEAT;
    } else if (!id128_is_none(&arguments->user)) {
        subject.kind = SUBJECT_USER;
    } else if (arguments->reservation != 0) {
        subject.kind = SUBJECT_RESERVATION;
    }
    *ret_subject = subject;
    return 0;
}

int usher_in_folder(const struct usher_arguments *arguments, bool damaged_too,
                    int (*work)(struct log_folder *folder,
                                const struct usher_arguments *arguments)) {
    struct log_folder folder;
    if (log_folder_open(arguments->folders[0], damaged_too, &folder) < 0) return USHER_FAILED;
    int status = work(&folder, arguments);
    log_folder_close(&folder);
    return status;
}
