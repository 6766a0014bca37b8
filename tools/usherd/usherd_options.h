/* usherd_options.h - how usherd is told what to do: command line and configuration file
 *
 * One table of settings: the file's keys are the command line's long options without the dashes.
 * What the command line says goes before what the file says, and that before the default.
 * Read once, before any thread starts.
 */
#ifndef USHER_TOOLS_USHERD_USHERD_OPTIONS_H
#define USHER_TOOLS_USHERD_USHERD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define USHERD_DEFAULT_DATA "data"
/* What a start reads at most beyond the snapshot: half a second at 5 million decisions a second. */
#define USHERD_DEFAULT_SNAPSHOT_MIB 256
#define USHERD_DEFAULT_SNAPSHOT_KEEP 3
#define USHERD_DEFAULT_LISTEN "tcp://127.0.0.1:7787"
/* admin: ipc://DATA/admin.ipc, so that who may enter the folder may administer */
#define USHERD_ADMIN_FILE "admin.ipc"

/* Texts are borrowed from argv or owned until the process ends. */
struct usherd_options {
    const char *data;
    const char *listen;
    const char *admin;
    const char *postgres;     /* libpq connection string; NULL: no projection */
    uint32_t shards;          /* 1..SHARDS_MAX */
    uint32_t connections_max; /* public ones; 0: as many as descriptors allow */
    uint64_t segment_bytes;   /* 0: the log's default */
    uint64_t snapshot_bytes;  /* of log between two snapshots; 0: none are made */
    uint32_t snapshot_keep;   /* >= 1 */
    const char *archive;      /* folder for segments that nobody needs; NULL: none */
    bool delete_log;          /* segments that nobody needs go; true where there is an archive */
    /* Start, however far the clock is behind the log's last decision. */
    bool accept_clock_behind;
};

/* usherd_options_read - parse, check, fill in the defaults
 * Prints --help and leaves; on a mistake prints what is wrong and what to do, and leaves with
 * EXIT_USAGE. */
void usherd_options_read(int argc, char **argv, struct usherd_options *ret_options);

#endif
