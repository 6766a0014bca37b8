/* usher_admin.c - `usher admin ...`: organisers' commands, all but the import of a plan */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "engine/domain/policy.h"
#include "tools/common/complain.h"
#include "tools/common/number.h"
#include "tools/usher/moment.h"
#include "tools/usher/suggest.h"
#include "tools/usher/usher.h"

/* Arguments of all the small commands; each takes what its `wants` say. */
enum { WANTS_TITLE = 1, WANTS_DATE = 2, WANTS_CONCERT = 4, WANTS_POLICY = 8, WANTS_CONFIRM = 16 };

struct admin_arguments {
    uint32_t wants;
    bool policy_demanded; /* a date-policy without any would be refused */
    const char *url;
    json_t *params; /* owned; filled in as the arguments are read */
};

static json_int_t parse_id(struct argp_state *state, const char *what, const char *text) {
    uint64_t id = 0;
    if (!number_read(text, 1, UINT32_MAX, &id)) {
        argp_error(state, "%s \"%s\" must be a number from 1", what, text);
    }
    return (json_int_t)id;
}

static json_int_t parse_moment(struct argp_state *state, const char *what, const char *text) {
    uint64_t time_ms;
    if (moment_parse(text, &time_ms) == 0) return (json_int_t)time_ms;
    argp_error(state, "%s \"%s\" must be %s", what, text, MOMENT_FORM);
    return 0;
}

static void unknown_field(struct argp_state *state, const char *name) {
    const char *nearest = NULL;
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        const char *known = policy_row(i)->name;
        if (!suggest_is_close(name, known)) continue;
        if (!nearest || suggest_distance(name, known) < suggest_distance(name, nearest)) {
            nearest = known;
        }
    }
    argp_error(state, "no policy field \"%s\"%s%s%s", name, nearest ? "; did you mean \"" : "",
               nearest ? nearest : "", nearest ? "\"?" : "");
}

/* NAME=VALUE. The engine checks ranges; here only the form on the wire is chosen. */
static void parse_policy(struct argp_state *state, json_t *params, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals) argp_error(state, "policy \"%s\" must be NAME=VALUE", text);
    char *name = strndup(text, (size_t)(equals - text));
    REQUIRE_MEMORY(name);
    const char *value = equals + 1;
    int index = policy_find(name, (uint32_t)strlen(name));
    if (index < 0) unknown_field(state, name);
    json_t *json;
    char *end;
    long long number = strtoll(value, &end, 10);
    enum policy_form form = policy_form((uint32_t)index);
    if (form == POLICY_MOMENT) {
        json = json_integer(parse_moment(state, name, value));
    } else if (form == POLICY_NUMBER) {
        if (value[0] == '\0' || *end != '\0') {
            argp_error(state, "policy %s: \"%s\" must be a whole number", name, value);
        }
        json = json_integer(number);
    } else if (form == POLICY_BOOLEAN) {
        json = json_boolean(strcmp(value, "true") == 0);
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
            argp_error(state, "policy %s: \"%s\" must be true or false", name, value);
        }
    } else {
        json = json_string(value);
    }
    REQUIRE_MEMORY(json_object_set_new(params, name, json) == 0);
    free(name);
}

/* O5: by the caller, or typed at the terminal later. */
static void parse_confirm(struct argp_state *state, json_t *params, const char *text) {
    json_t *json = json_string(text);
    if (!json || text[0] == '\0') {
        argp_error(state, "--confirm must be the date's title or number");
    }
    REQUIRE_MEMORY(json_object_set_new(params, "confirm", json) == 0);
}

enum { OPTION_STARTS_AT = 0x100, OPTION_KEY, OPTION_CONFIRM };

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct admin_arguments *arguments = state->input;
    json_t *params = arguments->params;
    switch (key) {
    case 'u': arguments->url = argument; return 0;
    case 'p': parse_policy(state, params, argument); return 0;
    case 'c':
        return json_object_set_new(params, "concert",
                                   json_integer(parse_id(state, "concert", argument)));
    case OPTION_KEY: {
        json_t *text = json_string(argument);
        if (!text) argp_error(state, "the key is not UTF-8");
        return json_object_set_new(params, "key", text);
    }
    case OPTION_STARTS_AT:
        return json_object_set_new(params, "starts_at",
                                   json_integer(parse_moment(state, "--starts-at", argument)));
    case OPTION_CONFIRM: parse_confirm(state, params, argument); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && (arguments->wants & WANTS_TITLE)) {
            json_t *title = json_string(argument);
            if (!title) argp_error(state, "the title is not UTF-8");
            return json_object_set_new(params, "title", title);
        }
        if (state->arg_num == 0 && (arguments->wants & WANTS_DATE)) {
            return json_object_set_new(params, "date",
                                       json_integer(parse_id(state, "date", argument)));
        }
        if (!(arguments->wants & WANTS_POLICY)) argp_error(state, "too many arguments");
        parse_policy(state, params, argument);
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 0) argp_error(state, "an argument is missing");
        if ((arguments->wants & WANTS_CONCERT) && !json_object_get(params, "concert")) {
            argp_error(state, "--concert is missing");
        }
        if ((arguments->wants & WANTS_CONCERT) && !json_object_get(params, "starts_at")) {
            argp_error(state, "--starts-at is missing");
        }
        if ((arguments->wants & WANTS_CONFIRM) && !json_object_get(params, "confirm") &&
            isatty(STDIN_FILENO) != 1) {
            argp_error(state, "--confirm TITLE|NUMBER is missing: everybody will be refunded, for "
                              "good, so name the date again");
        }
        if (arguments->policy_demanded && json_object_size(params) < 2) {
            argp_error(state, "no policy field given; write NAME=VALUE");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

#define OPTION_URL                                                                                 \
    { "url", 'u', "URL", 0, "The engine's admin address (default: " USHER_DEFAULT_ADMIN_URL ")", 0 }
#define POLICY_HELP                                                                                \
    "Fields: reentry (keep, requeue), token_expires_on (payment, reservation); gate_dates, "       \
    "outage_credit, admit_first_at_once (true, false); sales_open_at, sales_end_at, refund_until " \
    "(moments); waiting_timeout_ms, active_capacity, active_ttl_ms, admit_per_interval, "          \
    "admit_interval_ms, hold_ttl_ms, max_seats_per_user (whole numbers). "                         \
    "engine/domain/policy.h has defaults and ranges."

#define OPTION_KEY_ROW                                                                             \
    {                                                                                              \
        "key", OPTION_KEY, "TEXT", 0,                                                              \
            "Idempotency key: repeating the call with it adds nothing and prints the same id", 0   \
    }

static const struct argp_option plain_options[] = {OPTION_URL, {0}};
static const struct argp_option concert_options[] = {OPTION_KEY_ROW, OPTION_URL, {0}};
static const struct argp_option date_options[] = {
    {"concert", 'c', "ID", 0, "The concert that the date belongs to", 0},
    {"starts-at", OPTION_STARTS_AT, "MOMENT", 0, "When the concert begins: " MOMENT_FORM, 0},
    {"policy", 'p', "NAME=VALUE", 0, "Set a field of the date's policy; may be given repeatedly",
     0},
    OPTION_KEY_ROW,
    OPTION_URL,
    {0},
};

/* --- cancelling at a terminal ----------------------------------------------------------------- */

/* The row of a list of maps whose list `key` has the number. NULL: there is none */
static const json_t *row_with(const json_t *rows, const char *key, json_int_t number) {
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *value = json_object_get(row, key);
        if (json_is_integer(value) && json_integer_value(value) == number) return row;
        for (size_t k = 0; k < json_array_size(value); k++) {
            if (json_integer_value(json_array_get(value, k)) == number) return row;
        }
    }
    return NULL;
}

/* Show which date it is, as far as the engine says it. Return: false where it cannot be asked */
static bool show_date(const char *url, json_int_t date) {
    json_t *concerts = NULL, *dates = NULL, *params = NULL;
    struct client *client = usher_connect(url, NULL);
    if (!client) return false;
    const json_t *concert = NULL, *row = NULL;
    if (usher_ask(client, "catalogue.concerts", NULL, &concerts) == 0) {
        concert = row_with(json_object_get(concerts, "concerts"), "dates", date);
    }
    if (concert) {
        params = json_pack("{s:O}", "concert", json_object_get(concert, "concert"));
        REQUIRE_MEMORY(params);
        if (usher_ask(client, "catalogue.dates", params, &dates) == 0) {
            row = row_with(json_object_get(dates, "dates"), "date", date);
        }
    }
    client_close(client);
    complain_part("Date %" JSON_INTEGER_FORMAT, date);
    if (row) complain_part(", \"%s\"", json_string_value(json_object_get(row, "title")));
    if (concert) {
        complain_part(", of \"%s\"", json_string_value(json_object_get(concert, "title")));
    }
    complain_part("%s", ": cancelling it is for good, and everybody who has paid is refunded.\n"
                        "Type its title or its number to cancel it: ");
    json_decref(concerts);
    json_decref(dates);
    json_decref(params);
    return true;
}

/* Return: whether something was typed that can be sent */
static bool ask_to_confirm(const char *url, json_t *params) {
    char *line = NULL;
    size_t room = 0;
    if (!show_date(url, json_integer_value(json_object_get(params, "date")))) return false;
    ssize_t size = getline(&line, &room, stdin);
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) line[--size] = '\0';
    json_t *typed = size > 0 ? json_string(line) : NULL;
    free(line);
    if (!typed) {
        complain("nothing was cancelled");
        return false;
    }
    REQUIRE_MEMORY(json_object_set_new(params, "confirm", typed) == 0);
    return true;
}

static int run(int argc, char **argv, const struct argp *argp, uint32_t wants, const char *method) {
    struct admin_arguments arguments = {
        .wants = wants,
        .policy_demanded = wants == (WANTS_DATE | WANTS_POLICY),
        .url = USHER_DEFAULT_ADMIN_URL,
        .params = json_object(),
    };
    REQUIRE_MEMORY(arguments.params);
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    if ((wants & WANTS_CONFIRM) && !json_object_get(arguments.params, "confirm") &&
        !ask_to_confirm(arguments.url, arguments.params)) {
        json_decref(arguments.params);
        return USHER_FAILED;
    }
    return usher_ask_and_print(arguments.url, method, arguments.params);
}

static int concert_create(int argc, char **argv) {
    static const struct argp argp = {
        concert_options, parse_option, "TITLE", "Add a concert. Prints its id.", NULL, NULL, NULL};
    return run(argc, argv, &argp, WANTS_TITLE, "admin.concert_create");
}

static int date_create(int argc, char **argv) {
    static const struct argp argp = {
        date_options,
        parse_option,
        "TITLE",
        "Add a date to a concert, as a draft without seats. Prints its id.\v" POLICY_HELP,
        NULL,
        NULL,
        NULL};
    return run(argc, argv, &argp, WANTS_TITLE | WANTS_CONCERT, "admin.date_create");
}

static int date_policy(int argc, char **argv) {
    static const struct argp argp = {
        plain_options,
        parse_option,
        "DATE NAME=VALUE...",
        "Change the policy of a date, also while it sells.\v" POLICY_HELP,
        NULL,
        NULL,
        NULL};
    return run(argc, argv, &argp, WANTS_DATE | WANTS_POLICY, "admin.date_policy");
}

static int date_open(int argc, char **argv) {
    static const struct argp argp = {
        plain_options, parse_option, "DATE", "Open a date for sale, or open it again.",
        NULL,          NULL,         NULL};
    return run(argc, argv, &argp, WANTS_DATE, "admin.date_open");
}

static int date_close(int argc, char **argv) {
    static const struct argp argp = {
        plain_options,
        parse_option,
        "DATE",
        "Pause the sale: nobody enters, is admitted or holds; what is held can be paid.",
        NULL,
        NULL,
        NULL};
    return run(argc, argv, &argp, WANTS_DATE, "admin.date_close");
}

static int date_cancel(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"confirm", OPTION_CONFIRM, "TITLE|NUMBER", 0,
         "The date's title or number again. At a terminal you are asked to type it", 0},
        OPTION_URL,
        {0},
    };
    static const struct argp argp = {
        options, parse_option, "DATE", "Cancel a date for good and refund everybody.",
        NULL,    NULL,         NULL};
    return run(argc, argv, &argp, WANTS_DATE | WANTS_CONFIRM, "admin.date_cancel");
}

int usher_admin(int argc, char **argv) {
    static const struct usher_command commands[] = {
        {"concert-create", "TITLE", "add a concert", concert_create},
        {"date-create", "--concert ID ... TITLE", "add a date to it, as a draft", date_create},
        {"import-plan", "--date ID FILE", "add the seats of a hall from a seating plan",
         usher_import_plan},
        {"date-policy", "DATE NAME=VALUE...", "change its policy", date_policy},
        {"date-open", "DATE", "put it on sale", date_open},
        {"date-close", "DATE", "pause its sale", date_close},
        {"date-cancel", "DATE --confirm NAME", "cancel it for good, refund everybody", date_cancel},
        {0},
    };
    return usher_dispatch("usher admin", "organisers' commands, on the engine's admin address",
                          commands, argc, argv);
}
