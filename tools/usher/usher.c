/* usher.c - the operator's and organiser's command-line tool
 *
 * Asks a running engine (call, admin), or looks into the data folder of one, running or not (all
 * others).
 * What it prints on standard output is the answer, for people and pipes; everything else goes to
 * standard error.
 */
#include "tools/usher/usher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/version.h"
#include "tools/usher/suggest.h"

static const struct usher_command commands[] = {
    {"call", "METHOD [JSON]", "ask a running engine, print its answer as JSON", usher_call},
    {"admin", "COMMAND ...", "make concerts and dates, import seats, open, close, cancel",
     usher_admin},
    {"wal", "ls|cat|verify|repair DIR", "look at the log, check it, cut damage off", usher_wal},
    {"state", "DIR", "the state at any moment: of a date, seat, user, reservation", usher_state},
    {"history", "DIR", "what happened to a seat, a user, a reservation", usher_history},
    {"diff", "DIR [DIR2]", "what differs between two states", usher_diff},
    {"snapshot", "make|ls|verify DIR", "make, list and check snapshots", usher_snapshot},
    {"replay", "DIR", "replay the log from nothing: figures, state hash, money", usher_replay},
    {"restore", "DIR NEW --to X", "a new data folder with the state at X", usher_restore},
    {"check", "DIR --postgres CONNINFO", "compare PostgreSQL with the replayed log", usher_check},
    {"project", "DIR --postgres CONNINFO", "bring PostgreSQL up to the log's end, or rebuild it",
     usher_project},
    {0},
};

int main(int argc, char **argv) {
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
        version_print("usher");
        return fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
    }
    return usher_dispatch("usher", "the command-line tool of the seat-reservation engine", commands,
                          argc, argv);
}

static void print_help(FILE *file, const char *program, const char *about,
                       const struct usher_command *table) {
    (void)fprintf(file, "Usage: %s COMMAND ...\n%s - %s\n\n", program, program, about);
    for (; table->name; table++) {
        int width = (int)(strlen(table->name) + strlen(table->arguments) + 1);
        (void)fprintf(file, "  %s %s%*s  %s\n", table->name, table->arguments,
                      width < 32 ? 32 - width : 0, "", table->what);
    }
    (void)fprintf(file,
                  "\n%s COMMAND --help tells more. Exit status: 0 done, 1 refused or failed, "
                  "2 a mistake in the call.\n",
                  program);
}

static int unknown_command(const char *program, const struct usher_command *table,
                           const char *typed) {
    const char *nearest = NULL;
    uint32_t nearest_distance = UINT32_MAX;
    for (; table->name; table++) {
        uint32_t distance = suggest_distance(typed, table->name);
        if (distance >= nearest_distance || !suggest_is_close(typed, table->name)) continue;
        nearest = table->name;
        nearest_distance = distance;
    }
    complain_more("%s: no command \"%s\".%s%s%s%s%s\nTry %s --help.", program, typed,
                  nearest ? " Did you mean \"" : "", nearest ? program : "", nearest ? " " : "",
                  nearest ? nearest : "", nearest ? "\"?" : "", program);
    return USHER_USAGE;
}

int usher_dispatch(const char *program, const char *about, const struct usher_command *table,
                   int argc, char **argv) {
    REQUIRE(program && about && table);
    if (argc < 2) {
        print_help(stderr, program, about, table);
        return USHER_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout, program, about, table);
        return USHER_DONE;
    }
    for (const struct usher_command *command = table; command->name; command++) {
        if (strcmp(command->name, argv[1]) != 0) continue;
        char *whole_name;
        REQUIRE_MEMORY(asprintf(&whole_name, "%s %s", program, command->name) > 0);
        argv[1] = whole_name;
        int status = command->run(argc - 1, argv + 1);
        free(whole_name);
        return status;
    }
    return unknown_command(program, table, argv[1]);
}
