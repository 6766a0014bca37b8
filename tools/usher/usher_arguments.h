/* usher_arguments.h - options that several of usher's commands share, parsed in one place
 *
 * A command lists the OPTION_ rows that it takes and gets them parsed into one struct; what it does
 * not list cannot be given to it. A mistake ends the process with status 2, as argp does.
 */
#ifndef USHER_TOOLS_USHER_USHER_ARGUMENTS_H
#define USHER_TOOLS_USHER_USHER_ARGUMENTS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "replay/tell/follow.h"
#include "replay/source/recover.h"
#include "tools/usher/log_point.h"

enum {
    KEY_FROM = 0x100,
    KEY_TO,
    KEY_AT,
    KEY_DATE,
    KEY_SEAT,
    KEY_USER,
    KEY_RESERVATION,
    KEY_KIND,
    KEY_CUT,
    KEY_KEEP,
    KEY_AGAINST_LOG,
    KEY_VERIFY,
    KEY_FROM_SNAPSHOT,
    KEY_EXIT_CODE,
    KEY_TOKEN_SECRETS,
    KEY_POSTGRES = 'p',
    KEY_REBUILD = 'r',
    KEY_JSON = 'j',
};

#define OPTION_JSON                                                                                \
    { "json", KEY_JSON, NULL, 0, "For programs: JSON", 0 }
#define OPTION_FROM(what)                                                                          \
    { "from", KEY_FROM, "X", 0, what, 0 }
#define OPTION_TO(what)                                                                            \
    { "to", KEY_TO, "X", 0, what, 0 }
#define OPTION_AT(what)                                                                            \
    { "at", KEY_AT, "X", 0, what, 0 }
#define OPTION_DATE(what)                                                                          \
    { "date", KEY_DATE, "N", 0, what, 0 }
#define OPTION_SEAT                                                                                \
    { "seat", KEY_SEAT, "LABEL", 0, "A seat of the date: section/row/seat, guid, or its number", 0 }
#define OPTION_USER                                                                                \
    { "user", KEY_USER, "UUID", 0, "A user: reservations, line and wallet", 0 }
#define OPTION_RESERVATION                                                                         \
    {                                                                                              \
        "reservation", KEY_RESERVATION, "ID", 0,                                                   \
            "A reservation: its whole id, or DATE-NUMBER (30064771084 is 7-12)", 0                 \
    }
#define OPTION_KIND                                                                                \
    { "kind", KEY_KIND, "NAME[,NAME]", 0, "Only these kinds of decision (seats_held, ...)", 0 }
#define OPTION_TOKEN_SECRETS                                                                       \
    {                                                                                              \
        "token-secrets", KEY_TOKEN_SECRETS, NULL, 0,                                               \
            "Show secrets of tokens; who has one can act for its user", 0                          \
    }
#define OPTION_POSTGRES(what)                                                                      \
    { "postgres", KEY_POSTGRES, "CONNINFO", 0, what, 0 }

/* What X is; for the end of a command's --help. */
#define X_HELP                                                                                     \
    "X is an LSN (digits only) or a moment, YYYY-MM-DDTHH:MM[:SS[.mmm]] and Z or +HH:MM; a "       \
    "moment "                                                                                      \
    "means the LSN before the first decision that is later. Unix milliseconds are not taken."

struct usher_arguments {
    const char *folders[2];
    uint32_t folder_count;
    struct log_point from, to, at;
    uint32_t date;        /* 0: not given */
    const char *seat;     /* NULL: not given */
    struct id128 user;    /* none: not given */
    uint64_t reservation; /* dated_id; 0: not given */
    bool kinds_given;
    bool kinds[RECOVER_KINDS_MAX];
    const char *postgres; /* NULL: not given */
    uint32_t keep;        /* 0: not given */
    uint32_t flags;       /* of describe.h */
    bool json, cut, against_log, verify, from_snapshot, exit_code, rebuild;
    const struct usher_usage *usage; /* of usher_parse() alone */
};

/* What a command takes. */
struct usher_usage {
    const struct argp_option *options; /* ends with an empty row */
    const char *arguments;             /* "DIR NEW" */
    const char *about;                 /* --help; behind a \v what follows the options */
    uint32_t folders_min, folders_max; /* 1..2 */
    /* Complains with argp_error() about what does not go together; may be NULL. */
    void (*check)(const struct usher_arguments *arguments, struct argp_state *state);
};

/* usher_parse - argv into arguments
 * Return: true; false: the caller returns USHER_USAGE */
bool usher_parse(const struct usher_usage *usage, int argc, char **argv,
                 struct usher_arguments *ret_arguments);

/* usher_in_folder - open the folder that was given, work in it, close it
 * @damaged_too: as in log_folder_open()
 * Return: what the work returned; USHER_FAILED where the folder cannot be opened */
int usher_in_folder(const struct usher_arguments *arguments, bool damaged_too,
                    int (*work)(struct log_folder *folder,
                                const struct usher_arguments *arguments));

/* usher_check_subject - for usher_usage.check: a seat needs a date; a seat, a user and a
 * reservation exclude each other */
void usher_check_subject(const struct usher_arguments *arguments, struct argp_state *state);

/* usher_subject - the seat, user or reservation that was asked for, SUBJECT_NONE if none was
 * @world: to find a seat in; NULL: a seat given by number is taken as it is
 * Return: 0; -1 after saying that there is no such date or seat */
int usher_subject(const struct usher_arguments *arguments, const struct world *world,
                  struct subject *ret_subject);

#endif
