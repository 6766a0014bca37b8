/* usher.h - what the subcommands of the command-line tool share
 *
 * A subcommand is a function of argc and argv, argv[0] being its whole name ("usher admin
 * date-open"), that returns the exit status. Each has a file, an argp parser and a --help of its
 * own. One thread.
 */
#ifndef USHER_TOOLS_USHER_USHER_H
#define USHER_TOOLS_USHER_USHER_H

#include <jansson.h>
#include <stdint.h>

#include "net/client/client.h"
#include "tools/common/complain.h"

enum usher_exit {
    USHER_DONE = 0,
    USHER_FAILED = 1,         /* refused by the engine, not reachable, or a check found something */
    USHER_USAGE = EXIT_USAGE, /* the call itself is wrong */
};

#define USHER_DEFAULT_URL "tcp://127.0.0.1:7787"
#define USHER_DEFAULT_ADMIN_URL "ipc://data/admin.ipc"

struct usher_command {
    const char *name;
    const char *arguments; /* for the list in --help */
    const char *what;      /* one line */
    int (*run)(int argc, char **argv);
};

/* usher_dispatch - run the command that argv[1] names, or say which ones there are
 * @program: "usher" or "usher admin"
 * @table:   ends with a row whose name is NULL */
int usher_dispatch(const char *program, const char *about, const struct usher_command *table,
                   int argc, char **argv);

/* usher_connect - Return: a client, or NULL after saying why not and what to do */
struct client *usher_connect(const char *url, const struct client_options *options);

/* usher_ask - one call, and its answer as JSON
 * @params:     borrowed; NULL for none
 * @ret_answer: the result or the error map; owned by the caller; set unless -1 is returned
 * Return: 0 a result, 1 an error of the engine, -1 no answer, after saying why */
int usher_ask(struct client *client, const char *method, const json_t *params, json_t **ret_answer);

/* usher_ask_and_print - the same; the result goes to standard output, an error to standard error,
 * one line of JSON each. Takes @params. Return: exit status */
int usher_ask_and_print(const char *url, const char *method, json_t *params);

/* The subcommands. */
int usher_call(int argc, char **argv);
int usher_admin(int argc, char **argv);
int usher_import_plan(int argc, char **argv);
int usher_wal(int argc, char **argv);
int usher_wal_repair(int argc, char **argv);
int usher_state(int argc, char **argv);
int usher_history(int argc, char **argv);
int usher_diff(int argc, char **argv);
int usher_snapshot(int argc, char **argv);
int usher_restore(int argc, char **argv);
int usher_replay(int argc, char **argv);
int usher_check(int argc, char **argv);
int usher_project(int argc, char **argv);

#endif
