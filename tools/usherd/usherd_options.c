/* usherd_options.c - see usherd_options.h
 *
 * Every value, wherever it comes from, goes through set_value(): one place that knows the ranges.
 */
#include "tools/usherd/usherd_options.h"

#include <argp.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/number.h"
#include "tools/common/unicode.h"
#include "tools/common/version.h"
#include "tools/usherd/usherd_descriptors.h"
#include "wal/wal.h"

#define MIB (1024ull * 1024)

enum setting {
    SETTING_DATA,
    SETTING_LISTEN,
    SETTING_ADMIN,
    SETTING_POSTGRES,
    SETTING_SHARDS,
    SETTING_CONNECTIONS_MAX,
    SETTING_SEGMENT_MB,
    SETTING_SNAPSHOT_MIB,
    SETTING_SNAPSHOT_KEEP,
    SETTING_ARCHIVE,
    SETTING_DELETE_LOG,
    SETTING_ACCEPT_CLOCK_BEHIND,
    SETTING_COUNT,
};
#define KEY_CONFIG 'c'
#define KEY_FIRST 0x100 /* + enum setting: long options only, but for -d */

static const char *const names[SETTING_COUNT] = {
    [SETTING_DATA] = "data",
    [SETTING_LISTEN] = "listen",
    [SETTING_ADMIN] = "admin",
    [SETTING_POSTGRES] = "postgres",
    [SETTING_SHARDS] = "shards",
    [SETTING_CONNECTIONS_MAX] = "connections-max",
    [SETTING_SEGMENT_MB] = "segment-mb",
    [SETTING_SNAPSHOT_MIB] = "snapshot-mib",
    [SETTING_SNAPSHOT_KEEP] = "snapshot-keep",
    [SETTING_ARCHIVE] = "archive",
    [SETTING_DELETE_LOG] = "delete-log",
    [SETTING_ACCEPT_CLOCK_BEHIND] = "accept-clock-behind",
};

static const struct argp_option options[] = {
    {"data", KEY_FIRST + SETTING_DATA, "DIR", 0,
     "Folder of the log; made if it is not there (default: " USHERD_DEFAULT_DATA ")", 1},
    {"listen", KEY_FIRST + SETTING_LISTEN, "URL", 0,
     "Address for gateways, tcp:// or ipc://; port 0 takes any free port "
     "(default: " USHERD_DEFAULT_LISTEN ")",
     1},
    {"admin", KEY_FIRST + SETTING_ADMIN, "URL", 0,
     "Address for organisers' and operators' commands, ipc:// only "
     "(default: ipc://DIR/" USHERD_ADMIN_FILE ")",
     1},
    {"postgres", KEY_FIRST + SETTING_POSTGRES, "CONNINFO", 0,
     "PostgreSQL for reports, as a libpq connection string, for example \"host=/run/postgresql "
     "dbname=usher\" (default: no reports). Sales never wait for it",
     1},
    {"shards", KEY_FIRST + SETTING_SHARDS, "N", 0,
     "Threads that decide; dates are spread over them (default: half of the processors)", 1},
    {"connections-max", KEY_FIRST + SETTING_CONNECTIONS_MAX, "N", 0,
     "Public connections at the same time; later ones are closed at once (default: as many as the "
     "limit of open descriptors allows, beside what the engine needs)",
     1},
    {"segment-mb", KEY_FIRST + SETTING_SEGMENT_MB, "N", 0,
     "Size of the log's files in MiB (default: 64)", 1},
    {"snapshot-mib", KEY_FIRST + SETTING_SNAPSHOT_MIB, "N", 0,
     "Make a snapshot of the state, beside the engine, whenever N MiB were written to the log; a "
     "start reads only what comes after it. 0: none (default: 256)",
     1},
    {"snapshot-keep", KEY_FIRST + SETTING_SNAPSHOT_KEEP, "N", 0,
     "Keep the newest N snapshots (default: 3)", 1},
    {"archive", KEY_FIRST + SETTING_ARCHIVE, "FOLDER", 0,
     "Move files of the log to FOLDER/wal when no kept snapshot and no PostgreSQL needs them any "
     "more (default: all stay)",
     1},
    {"delete-log", KEY_FIRST + SETTING_DELETE_LOG, "yes|no", OPTION_ARG_OPTIONAL,
     "Delete files of the log when nothing needs them any more. History before that is lost "
     "(default: no)",
     1},
    {"accept-clock-behind", KEY_FIRST + SETTING_ACCEPT_CLOCK_BEHIND, "yes|no", OPTION_ARG_OPTIONAL,
     "Start although the machine's clock is more than 5 minutes behind the log's last decision: "
     "time "
     "goes on from there, at half speed until the clock has met it. For one start; without it such "
     "a "
     "start is refused (default: no)",
     1},
    {"config", KEY_CONFIG, "FILE", 0,
     "Read settings from FILE: lines `name = value`, names as above without the dashes. The "
     "command "
     "line goes first",
     2},
    {0},
};

/* What was said so far; NULL: nothing. */
struct reading {
    const char *values[SETTING_COUNT];
    const char *config_path;
    char problem[512]; /* of the configuration file */
};

static _Noreturn void usage_error(const char *where, const char *what) {
    complain("%s: %s\nTry usherd --help.", where, what);
    exit(EXIT_USAGE);
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct reading *reading = state->input;
    if (key == KEY_CONFIG) {
        reading->config_path = argument;
    } else if (key >= KEY_FIRST && key < KEY_FIRST + SETTING_COUNT) {
        reading->values[key - KEY_FIRST] = argument ? argument : "yes"; /* --delete-log */
    } else if (key == ARGP_KEY_ARG) {
        argp_error(state, "\"%s\" is no option; settings begin with --", argument);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* inih's callback: one `name = value`. Return: 1 to go on, 0 for a mistake */
static int parse_line(void *context, const char *section, const char *name, const char *value) {
    struct reading *reading = context;
    if (section[0] != '\0') {
        (void)snprintf(reading->problem, sizeof reading->problem,
                       "section [%s]: there are no sections", section); /* cut where too long */
        return 0;
    }
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(names[i], name) != 0) continue;
        if (reading->values[i]) return 1; /* the command line has said it */
        reading->values[i] = strdup(value);
        REQUIRE_MEMORY(reading->values[i]);
        return 1;
    }
    int used = snprintf(reading->problem, sizeof reading->problem,
                        "no setting \"%.100s\"; there are", name);
    for (int i = 0; i < SETTING_COUNT; i++) {
        used += snprintf(reading->problem + used, sizeof reading->problem - (size_t)used, " %s",
                         names[i]);
    }
    return 0;
}

/* inih skips a byte order mark of UTF-8; it would call any other file one without name = value. */
static void check_encoding(const char *path) {
    char first[4];
    size_t mark_bytes;
    FILE *file = fopen(path, "rbe");
    if (!file) usage_error(path, strerror(errno));
    size_t size = fread(first, 1, sizeof first, file);
    (void)fclose(file);
    const char *encoding = unicode_byte_order_mark(first, size, &mark_bytes);
    if (!encoding || strcmp(encoding, "UTF-8") == 0) return;
    char what[100];
    (void)snprintf(what, sizeof what, "begins with the byte order mark of %s; save it as UTF-8",
                   encoding);
    usage_error(path, what);
}

static void read_config(struct reading *reading) {
    if (!reading->config_path) return;
    check_encoding(reading->config_path);
    int line = ini_parse(reading->config_path, parse_line, reading);
    if (line == 0) return;
    char where[512];
    if (line < 0) usage_error(reading->config_path, strerror(errno));
    (void)snprintf(where, sizeof where, "%.400s, line %d", reading->config_path, line);
    usage_error(where, reading->problem[0] ? reading->problem : "is not of the form name = value");
}

static uint64_t read_number(enum setting setting, const char *text, uint64_t min, uint64_t max) {
    uint64_t number = 0;
    if (!number_read(text, min, max, &number)) {
        char what[200];
        (void)snprintf(what, sizeof what,
                       "\"%.50s\" must be a whole number from %" PRIu64 " to %" PRIu64, text, min,
                       max);
        usage_error(names[setting], what);
    }
    return number;
}

static bool read_yes_no(enum setting setting, const char *text) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) return i % 2 == 1;
    }
    usage_error(names[setting], "must be yes or no");
}

static uint32_t default_shards(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 2) return 1;
    return processors / 2 < SHARDS_MAX ? (uint32_t)(processors / 2) : SHARDS_MAX;
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* nng takes any port where none is named, and nobody would know which.
 * Return: what is wrong, or NULL */
static const char *wrong_port(const char *url) {
    const char *host = strstr(url, "://");
    const char *bracket = host ? strchr(host, ']') : NULL;
    const char *colon = strrchr(bracket ? bracket : host ? host + 3 : url, ':');
    char *end = NULL;
    if (!host) return "must be of the form tcp://HOST:PORT";
    if (!colon || colon[1] == '\0') {
        return "names no port; write tcp://HOST:7787 for a port of your choice, tcp://HOST:0 for "
               "any "
               "free one (usherd then prints which)";
    }
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535) {
        return "must end in a port, a number from 0 to 65535";
    }
    return NULL;
}

/* The kernel's limit is met by people with deep folders; nng's own message would not explain it. */
static void check_url(enum setting setting, const char *url) {
    const size_t path_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    bool ipc = starts_with(url, "ipc://");
    if (!ipc && (setting == SETTING_ADMIN || !starts_with(url, "tcp"))) {
        usage_error(names[setting], setting == SETTING_ADMIN
                                        ? "must begin with ipc:// (admin methods are guarded by "
                                          "the permissions of a file)"
                                        : "must begin with tcp:// or ipc://");
    }
    if (!ipc && wrong_port(url)) usage_error(names[setting], wrong_port(url));
    if (ipc && strlen(url) - strlen("ipc://") > path_max) {
        char what[200];
        (void)snprintf(what, sizeof what,
                       "the path of a local socket may have %zu bytes, this one has %zu; choose a "
                       "shorter one",
                       path_max, strlen(url) - strlen("ipc://"));
        usage_error(names[setting], what);
    }
}

static void fill_in_snapshots(const char *const *values, struct usherd_options *ret_options) {
    const char *mib = values[SETTING_SNAPSHOT_MIB], *keep = values[SETTING_SNAPSHOT_KEEP];
    const char *archive = values[SETTING_ARCHIVE], *delete_log = values[SETTING_DELETE_LOG];
    ret_options->snapshot_bytes = MIB *
                                  (mib ? read_number(SETTING_SNAPSHOT_MIB, mib, 0, 1024 * 1024)
                                       : USHERD_DEFAULT_SNAPSHOT_MIB);
    ret_options->snapshot_keep = keep ? (uint32_t)read_number(SETTING_SNAPSHOT_KEEP, keep, 1, 1000)
                                      : USHERD_DEFAULT_SNAPSHOT_KEEP;
    ret_options->archive = archive && archive[0] ? archive : NULL;
    ret_options->delete_log = ret_options->archive ||
                              (delete_log && read_yes_no(SETTING_DELETE_LOG, delete_log));
    if (ret_options->archive && delete_log && !read_yes_no(SETTING_DELETE_LOG, delete_log)) {
        usage_error(names[SETTING_ARCHIVE],
                    "what is archived leaves the data folder: not together with delete-log = no");
    }
    if (ret_options->delete_log && ret_options->snapshot_bytes == 0) {
        usage_error(names[SETTING_SNAPSHOT_MIB],
                    "0 makes no snapshots, but archive and delete-log need them");
    }
}

static void fill_in(struct reading *reading, struct usherd_options *ret_options) {
    const char **values = reading->values;
    ret_options->data = values[SETTING_DATA] ? values[SETTING_DATA] : USHERD_DEFAULT_DATA;
    ret_options->listen = values[SETTING_LISTEN] ? values[SETTING_LISTEN] : USHERD_DEFAULT_LISTEN;
    ret_options->admin = values[SETTING_ADMIN];
    if (!ret_options->admin) {
        char *url;
        REQUIRE_MEMORY(asprintf(&url, "ipc://%s/" USHERD_ADMIN_FILE, ret_options->data) > 0);
        ret_options->admin = url; /* kept until the process ends */
    }
    if (ret_options->data[0] == '\0') usage_error("data", "names no folder");
    check_url(SETTING_LISTEN, ret_options->listen);
    check_url(SETTING_ADMIN, ret_options->admin);
    const char *postgres = values[SETTING_POSTGRES];
    ret_options->postgres = postgres && postgres[0] ? postgres : NULL;
    ret_options->shards = values[SETTING_SHARDS]
                              ? (uint32_t)read_number(SETTING_SHARDS, values[SETTING_SHARDS], 1,
                                                      SHARDS_MAX)
                              : default_shards();
    const char *connections = values[SETTING_CONNECTIONS_MAX];
    ret_options->connections_max = connections
                                       ? (uint32_t)read_number(SETTING_CONNECTIONS_MAX, connections,
                                                               1, DESCRIPTORS_MAX)
                                       : 0;
    ret_options->segment_bytes = values[SETTING_SEGMENT_MB]
                                     ? MIB * read_number(SETTING_SEGMENT_MB,
                                                         values[SETTING_SEGMENT_MB], 1,
                                                         WAL_SEGMENT_BYTES_MAX / MIB)
                                     : 0;
    const char *accept = values[SETTING_ACCEPT_CLOCK_BEHIND];
    ret_options->accept_clock_behind = accept && read_yes_no(SETTING_ACCEPT_CLOCK_BEHIND, accept);
    fill_in_snapshots(values, ret_options);
}

void usherd_options_read(int argc, char **argv, struct usherd_options *ret_options) {
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "usherd - sell the seats of concert dates: serves gateways over nng, keeps every "
               "decision in a log.\v"
               "Prints `ready` on a line of its own once it serves. SIGTERM or Ctrl-C end it "
               "cleanly; after a crash it recovers from the log at the next start.\n\n"
               "Exit status: 0 stopped as asked; 1 it cannot go on, standard error says why; "
               "2 a setting is wrong.",
    };
    struct reading reading = {.config_path = NULL};
    argp_err_exit_status = EXIT_USAGE;
    version_offer();
    error_t result = argp_parse(&argp, argc, argv, 0, NULL, &reading);
    REQUIRE(result == 0); /* argp leaves by itself on a mistake */
    read_config(&reading);
    fill_in(&reading, ret_options);
}
