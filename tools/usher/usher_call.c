/* usher_call.c - `usher call METHOD [JSON]`, and what every subcommand needs to ask an engine */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/unicode.h"
#include "tools/usher/json_value.h"
#include "tools/usher/usher.h"

#define JSON_OUT (JSON_PRESERVE_ORDER | JSON_ENCODE_ANY)

#define IPC "ipc://"

/* Is there a socket file, or a folder before it, that keeps this user out? The client library knows
 * only that nobody has answered. */
static bool is_locked(const char *url) {
    return strncmp(url, IPC, strlen(IPC)) == 0 && access(url + strlen(IPC), W_OK) < 0 &&
           errno == EACCES;
}

struct client *usher_connect(const char *url, const struct client_options *options) {
    struct client *client;
    int result = client_open(url, options, &client);
    if (result == 0) return client;
    if (result == CLIENT_UNREACHABLE && is_locked(url)) {
        complain("%s: Permission denied. Only the user that runs usherd may connect here: "
                 "run usher as that user (sudo -u USER usher ...).",
                 url);
        return NULL;
    }
    complain("%s: %s%s", url, client_status_text(result),
             result == CLIENT_UNREACHABLE ? " usherd prints its addresses when it "
                                            "starts; give one with --url."
                                          : "");
    return NULL;
}

int usher_ask(struct client *client, const char *method, const json_t *params,
              json_t **ret_answer) {
    REQUIRE(client && method && ret_answer);
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, FRAME_BYTES_MAX);
    int problem = params ? json_value_write(&writer, params) : JSON_VALUE_OK;
    struct client_answer answer = {0};
    int result = -1;
    if (problem != JSON_VALUE_OK || writer.failed) {
        complain("%s: the parameters %s", method,
                 problem == JSON_VALUE_FRACTION ? "have a fraction; usher knows whole numbers "
                                                  "only"
                 : problem == JSON_VALUE_DEEP   ? "are nested too deep"
                                                : "are too long");
    } else if (client_call_wait(client, method, params ? &writer : NULL, &answer) != CLIENT_OK) {
        complain("%s: %s", method, client_status_text(answer.status));
    } else {
        *ret_answer = json_value_read(answer.error ? answer.error : answer.result);
        result = answer.error ? 1 : 0;
    }
    client_answer_deinit(&answer);
    value_writer_deinit(&writer);
    return result;
}

int usher_ask_and_print(const char *url, const char *method, json_t *params) {
    int status = USHER_FAILED;
    struct client *client = usher_connect(url, NULL);
    json_t *answer = NULL;
    if (client) {
        int result = usher_ask(client, method, params, &answer);
        FILE *file = result == 0 ? stdout : stderr;
        if (answer) {
            (void)json_dumpf(answer, file, JSON_OUT);
            (void)fputc('\n', file);
        }
        if (result == 0 && fflush(file) == 0) status = USHER_DONE;
        client_close(client);
    }
    json_decref(answer);
    json_decref(params);
    return status;
}

/* --- usher call ------------------------------------------------------------------------------- */

struct call_arguments {
    const char *url, *method, *json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct call_arguments *arguments = state->input;
    switch (key) {
    case 'u': arguments->url = argument; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) arguments->method = argument;
        if (state->arg_num == 1) arguments->json = argument;
        if (state->arg_num > 1) argp_error(state, "too many arguments; quote the JSON");
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "METHOD is missing, for example system.ping");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* JSON from the command line, or all of standard input. Return: owned by the caller; NULL after
 * saying what is wrong with it */
static json_t *load_params(const char *argument) {
    json_error_t error;
    char *input = NULL;
    size_t room = 0, mark_bytes;
    bool from_input = strcmp(argument, "-") == 0;
    ssize_t got = from_input ? getdelim(&input, &room, '\0', stdin) : 0;
    const char *text = !from_input ? argument : got > 0 ? input : "";
    const char *encoding = unicode_byte_order_mark(text, strlen(text), &mark_bytes);
    if (encoding && strcmp(encoding, "UTF-8") != 0) {
        complain_more("usher call: the parameters begin with the byte order mark of %s; send them "
                      "as UTF-8",
                      encoding);
        free(input);
        return NULL;
    }
    json_t *params = json_loads(text + mark_bytes, JSON_REJECT_DUPLICATES, &error);
    free(input);
    if (!params) {
        complain_more("usher call: the parameters are not valid JSON: column %d: %s", error.column,
                      error.text);
    } else if (!json_is_object(params)) {
        complain_more("usher call: the parameters must be a JSON object, {\"name\": value, ...}");
        json_decref(params);
        params = NULL;
    }
    return params;
}

int usher_call(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"url", 'u', "URL", 0, "The engine's address (default: " USHER_DEFAULT_URL ")", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "METHOD [JSON]",
        .doc = "Ask a running engine and print its answer as one line of JSON. JSON is the map of "
               "parameters; - reads it from standard input. net/PROTOCOL.md lists the methods.\v"
               "An error answer goes to standard error, as JSON, with exit status 1.\n\n"
               "For example: usher call catalogue.dates '{\"concert\": 1}'",
    };
    struct call_arguments arguments = {.url = USHER_DEFAULT_URL};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    json_t *params = NULL;
    if (arguments.json && !(params = load_params(arguments.json))) return USHER_USAGE;
    return usher_ask_and_print(arguments.url, arguments.method, params);
}
