/* usherd_checks.h - the daemon's checks of its surroundings, for the table of usherd_watch.h
 *
 * Identity: the data folder, the log's folder and its lock, the segment that is written, and the
 * local sockets are compared with what was opened. A folder that is moved, replaced or removed
 * takes the log with it: the files stay writable through their descriptors, and whatever is
 * acknowledged then is nowhere. So the process ends. Nobody can prevent what is acknowledged before
 * the next look: WATCH_EVERY_MS at most. Room: a disk on which the log's next file cannot be made.
 * Connections: those that were refused.
 * Thread: the watch's, but for the init functions.
 */
#ifndef USHER_TOOLS_USHERD_USHERD_CHECKS_H
#define USHER_TOOLS_USHERD_USHERD_CHECKS_H

#include "net/server/server.h"
#include "tools/usherd/usherd_watch.h"
#include "wal/wal.h"

/* Borrowed: all outlive the watch. */
struct identity_check {
    const char *data;               /* path, as given */
    struct storage *log;            /* claimed */
    struct wal *wal;                /* open */
    struct storage_identity folder; /* of DIR/wal when it began */
};

/* identity_check_init - remember what there is; after the log was opened
 * Return: 0, or an errno */
int identity_check_init(struct identity_check *check, const char *data, struct storage *log,
                        struct wal *wal);
enum watch_state identity_check_look(void *context, char *ret_text);

/* sockets_check_look - @context: the struct net_server, started */
enum watch_state sockets_check_look(void *context, char *ret_text);

/* room_check_look - @context: the struct wal */
enum watch_state room_check_look(void *context, char *ret_text);

struct refused_check {
    struct net_server *server;
    uint32_t connections_max;
    uint64_t refused;     /* at the latest look */
    uint32_t quiet_looks; /* since the latest one that was refused */
    bool told;            /* some were, not long ago */
};
enum watch_state refused_check_look(void *context, char *ret_text);

#endif
