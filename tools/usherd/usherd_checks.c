/* usherd_checks.c - see usherd_checks.h */
#include "tools/usherd/usherd_checks.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/require.h"
#include "wal/segment.h"

#define MIB (1024u * 1024u)
/* So long without another one is the end of it: a flood that comes and goes is one matter. */
#define REFUSED_QUIET_LOOKS 60u

/* --- identity --------------------------------------------------------------------------------- */

/* What has this name now. Return: 0, or an errno */
static int find(const char *data, const char *name, struct storage_identity *ret_identity) {
    char path[PATH_MAX];
    struct stat status;
    int size = snprintf(path, sizeof path, "%s%s%s", data, name[0] ? "/" : "", name);
    if (size < 0 || (size_t)size >= sizeof path) return ENAMETOOLONG;
    if (stat(path, &status) < 0) return errno;
    *ret_identity = (struct storage_identity){
        .device = status.st_dev, .inode = status.st_ino, .links = status.st_nlink};
    return 0;
}

int identity_check_init(struct identity_check *check, const char *data, struct storage *log,
                        struct wal *wal) {
    *check = (struct identity_check){.data = data, .log = log, .wal = wal};
    return find(data, STORAGE_WAL, &check->folder);
}

/* @ours: as it is known by a descriptor; links 0: that is all there is to say */
static enum watch_state compare(const struct identity_check *check, const char *what,
                                const char *name, const struct storage_identity *ours,
                                char *ret_text) {
    struct storage_identity found;
    int rc = find(check->data, name, &found);
    bool same = rc == 0 && found.device == ours->device && found.inode == ours->inode;
    /* What cannot be looked at now (no memory, no right) was not moved by that. */
    if (same || (rc != 0 && rc != ENOENT && rc != ENOTDIR)) return WATCH_FINE;
    const char *how = rc == 0 ? "was replaced by another one" : "was moved away or removed";
    (void)snprintf(
        ret_text, WATCH_TEXT_BYTES,
        "%s (%.200s%s%s) %s while the engine runs on it. What was acknowledged in the last "
        "second may be lost with it; nothing more is acknowledged, the engine ends now. "
        "Put back what was there and start again; where it is gone for good, restore a "
        "copy. Never let two engines have the same folder or address.",
        what, check->data, name[0] ? "/" : "", name, how);
    return WATCH_STOP;
}

enum watch_state identity_check_look(void *context, char *ret_text) {
    const struct identity_check *check = context;
    const struct storage_operations *disk = check->log->operations;
    struct storage_identity ours;
    struct wal_segment segment;
    enum watch_state state = WATCH_FINE;
    if (disk->identify(check->log, STORAGE_OF_DIRECTORY, &ours) == 0) {
        state = compare(check, "the data folder", "", &ours, ret_text);
    }
    if (state == WATCH_FINE && disk->identify(check->log, STORAGE_OF_LOCK, &ours) == 0) {
        state = compare(check, "the lock", "LOCK", &ours, ret_text);
    }
    if (state == WATCH_FINE) {
        state = compare(check, "the folder of the log", STORAGE_WAL, &check->folder, ret_text);
    }
    if (state == WATCH_FINE && wal_segment_get(check->wal, &segment)) {
        char name[sizeof STORAGE_WAL + WAL_FILE_NAME_BYTES] = STORAGE_WAL "/";
        segment_name(segment.number, name + strlen(name));
        ours = (struct storage_identity){.device = segment.device, .inode = segment.inode};
        state = compare(check, "the file that the log is written to", name, &ours, ret_text);
    }
    return state;
}

enum watch_state sockets_check_look(void *context, char *ret_text) {
    struct net_error error;
    if (net_server_intact(context, &error) == NET_OK) return WATCH_FINE;
    (void)snprintf(
        ret_text, WATCH_TEXT_BYTES,
        "%s, most likely a second engine with the same address. Clients talk to that one "
        "now; this engine acknowledges nothing more and ends. Find out which of them is "
        "the right one, give the other an address and a folder of its own, and start again.",
        error.text);
    return WATCH_STOP;
}

/* --- room ------------------------------------------------------------------------------------- */

enum watch_state room_check_look(void *context, char *ret_text) {
    struct wal_space space;
    wal_space_get(context, &space);
    if (space.next_ready || (space.missing_bytes == 0 && space.system_error == 0)) {
        return WATCH_FINE;
    }
    int used = snprintf(ret_text, WATCH_TEXT_BYTES,
                        "the log's next file of %" PRIu64
                        " MiB cannot be made", /* whole MiB always */
                        space.segment_bytes / MIB);
    if (space.missing_bytes > 0) {
        used += snprintf(ret_text + used, WATCH_TEXT_BYTES - (size_t)used,
                         ": %" PRIu64 " MiB are free on the disk, %" PRIu64 " MiB are missing",
                         space.free_bytes / MIB, (space.missing_bytes + MIB - 1) / MIB);
    } else {
        used += snprintf(ret_text + used, WATCH_TEXT_BYTES - (size_t)used, ": %s",
                         strerror(space.system_error));
    }
    (void)snprintf(
        ret_text + used, WATCH_TEXT_BYTES - (size_t)used,
        ". The engine goes on for %" PRIu64 " KiB of log, then it ends. Make room: move "
        "away what is not needed, let old files of the log go (--archive), or enlarge the "
        "disk.",
        space.left_bytes / 1024);
    return WATCH_WARN;
}

/* --- connections ------------------------------------------------------------------------------ */

enum watch_state refused_check_look(void *context, char *ret_text) {
    struct refused_check *check = context;
    struct net_counters counters;
    net_server_counters(check->server, &counters);
    bool more = counters.connections_refused != check->refused;
    check->refused = counters.connections_refused;
    check->quiet_looks = more ? 0 : check->quiet_looks + 1;
    check->told = more || (check->told && check->quiet_looks < REFUSED_QUIET_LOOKS);
    if (!check->told) return WATCH_FINE;
    (void)snprintf(
        ret_text, WATCH_TEXT_BYTES,
        "%" PRIu64 " public connections were closed at once so far, since there were too "
        "many: %" PRIu32 " are allowed (--connections-max), %" PRIu64 " are open now, those "
        "not counted that do not speak the protocol. A gateway needs one or a few: who opens "
        "so many? `ss -tnp` tells.",
        counters.connections_refused, check->connections_max, counters.connections);
    return WATCH_WARN;
}
