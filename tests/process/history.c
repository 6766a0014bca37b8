/* history.c - see history.h */
#include "tests/process/history.h"

#include <string.h>

#include "engine/base/require.h"
#include "replay/source/source_wal.h"
#include "tests/process/common.h"
#include "wal/recovery.h"

struct history {
    struct storage *storage;
    struct source_wal source;
    struct record_source port;
};

/* Verify the log and stand before its first record. */
static bool history_open(const char *directory, struct history *history) {
    const struct wal_recovery_options options = {.live = true};
    struct wal_recovery found;
    struct wal_error error;
    REQUIRE(storage_posix_open(directory, STORAGE_WAL, &history->storage) == 0);
    if (wal_recover(history->storage, &options, &found, &error) < 0) {
        note("%s: %s", directory, error.text);
        history->storage->operations->destroy(history->storage);
        return false;
    }
    source_wal_init(&history->source, history->storage, NULL, NULL, found.end_lsn, &history->port);
    return true;
}

static void history_close(struct history *history) {
    source_wal_deinit(&history->source);
    history->storage->operations->destroy(history->storage);
}

bool history_read(const char *directory, history_fn *each, void *context) {
    struct history history;
    struct source_record record;
    struct source_error error = {{0}};
    struct decision decision;
    if (!history_open(directory, &history)) return false;
    int result = history.port.seek(history.port.context, 0, &error);
    while (result == 0) {
        result = history.port.next(history.port.context, &record, &error);
        if (result != 0) break;
        result = decision_decode(record.bytes, record.size, &decision) == DECISION_DECODE_OK ? 0
                                                                                             : -1;
        if (result == 0) each(context, &decision, record.lsn);
    }
    history_close(&history);
    if (result != SOURCE_CAUGHT_UP) note("%s: the log cannot be read: %s", directory, error.text);
    return result == SOURCE_CAUGHT_UP;
}

bool history_replay(const char *directory, struct world **ret_world,
                    struct recover_result *ret_result) {
    static const struct id128 seed = {{7}};
    struct history history;
    struct recover_error error;
    if (!history_open(directory, &history)) return false;
    struct world *world = world_create(&seed);
    REQUIRE(world);
    int result = recover(&history.port, world, NULL, ret_result, &error);
    history_close(&history);
    if (result != 0) {
        note("%s: %s", directory, error.text);
        world_free(world);
        return false;
    }
    *ret_world = world;
    return true;
}
