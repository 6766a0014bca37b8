/* usher_history.c - `usher history`: everything that happened to a seat, a user or a reservation */
#include <inttypes.h>
#include <stdio.h>

#include "replay/tell/describe.h"
#include "replay/tell/narrate.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/usher/json_print.h"
#include "tools/usher/log_cursor.h"
#include "tools/usher/log_subject.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"

static void print_event(const struct log_cursor *cursor, const struct usher_arguments *arguments,
                        const struct log_subject *subject) {
    char text[NARRATE_BYTES], time[TEXT_TIME_BYTES];
    (void)narrate(&cursor->decision, &subject->subject, subject->world, subject->follow,
                  text); /* terminated: its size is not needed */
    if (arguments->json) {
        json_t *line = describe_decision(&cursor->decision, cursor->lsn, arguments->flags);
        json_put_text(line, "text", text);
        (void)json_print(line);
        return;
    }
    text_time(cursor->decision.time_ms, time);
    printf("%s %s\n", time, text);
}

/* Return: exit status */
static int print_history(struct log_folder *folder, const struct usher_arguments *arguments,
                         const struct log_subject *subject, uint64_t from_lsn, uint64_t to_lsn) {
    struct log_cursor cursor;
    if (log_cursor_open(folder, folder->first_lsn, to_lsn, &cursor) < 0) return USHER_FAILED;
    uint64_t known = 0;
    int result;
    while ((result = log_cursor_next(&cursor)) == 0) {
        if (!follow_decision(subject->follow, &cursor.decision)) continue;
        known++;
        if (cursor.lsn <= from_lsn) continue;
        print_event(&cursor, arguments, subject);
        if (ferror(stdout)) break;
    }
    log_cursor_close(&cursor);
    if (result != LOG_CURSOR_END || fflush(stdout) != 0) return USHER_FAILED;
    if (known > 0) return USHER_DONE;
    complain("the log up to LSN %" PRIu64 " knows nothing of this %s", to_lsn,
             subject->subject.kind == SUBJECT_USER ? "user" : "reservation");
    return USHER_FAILED;
}

static int history_of_folder(struct log_folder *folder, const struct usher_arguments *arguments) {
    uint64_t from_lsn, to_lsn;
    if (log_point_resolve(folder, &arguments->from, LOG_POINT_FROM, folder->first_lsn, &from_lsn) <
            0 ||
        log_point_resolve(folder, &arguments->to, LOG_POINT_AT, folder->end_lsn, &to_lsn) < 0) {
        return USHER_FAILED;
    }
    struct log_subject subject;
    if (log_subject_open(folder, arguments, to_lsn, true, &subject) < 0) return USHER_FAILED;
    int status = print_history(folder, arguments, &subject, from_lsn, to_lsn);
    log_subject_close(&subject);
    if (status == USHER_DONE && folder->damage.code != 0 && !arguments->to.text) {
        complain("this is what is sound: %s.", folder->damage.text);
        status = USHER_FAILED;
    }
    return status;
}

static void check(const struct usher_arguments *arguments, struct argp_state *state) {
    usher_check_subject(arguments, state);
    if (!arguments->seat && id128_is_none(&arguments->user) && arguments->reservation == 0) {
        argp_error(state, "whose history? --date N --seat LABEL, --user UUID or --reservation ID");
    }
}

int usher_history(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_DATE("The date that the seat belongs to"),
        OPTION_SEAT,
        OPTION_USER,
        OPTION_RESERVATION,
        OPTION_FROM("Leave out what happened up to here"),
        OPTION_TO("Leave out what happened after this"),
        OPTION_JSON,
        OPTION_TOKEN_SECRETS,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Tell everything that happened to a seat, a user or a reservation, in order: who, what, "
        "when. A seat's history follows the reservations that had it, a user's all dates and the "
        "wallet.\v" X_HELP
        "\n\nExit status: 0 told; 1 nothing is known of it, or the log cannot be read.",
        1,
        1,
        check};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    return usher_in_folder(&arguments, true, history_of_folder);
}
