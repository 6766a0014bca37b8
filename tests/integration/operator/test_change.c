/* test_change.c - usher snapshot, replay, restore, wal repair; damaged, trimmed and read-only
 * folders
 *
 * Each test works on a copy of the story of its own.
 */
#include "tests/integration/operator/kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/snapshot/snapshot.h"

static const char *hash_of_story(const struct kit *kit) {
    static char text[32];
    (void)snprintf(text, sizeof text, "%016" PRIx64, world_hash(kit->world)); /* fits */
    return text;
}

static const char *number(uint64_t value) {
    static char texts[4][24];
    static uint32_t next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, sizeof texts[0], "%" PRIu64, value); /* fits */
    return text;
}

/* The first line of the output as an object. Return: owned by the caller */
static json_t *first_json(const struct kit *kit) {
    json_t *lines = kit_json(kit);
    if (json_array_size(lines) == 0) fail_msg("no output");
    json_t *first = json_incref(json_array_get(lines, 0));
    json_decref(lines);
    return first;
}

/* --- snapshots, replay ------------------------------------------------------------------------ */

static void snapshots(void **state) {
    struct kit *kit = *state;
    kit_copy(kit, "snapshots");
    USHER(kit, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z", "--json");
    DONE(kit);
    json_t *line = first_json(kit);
    assert_string_equal(kit_text(line, "last_decision"), DAY "20:07:00.000Z");
    json_decref(line);
    USHER(kit, "snapshot", "make", FOLDER);
    DONE(kit);
    SAYS(kit, hash_of_story(kit));
    USHER(kit, "snapshot", "make", FOLDER);
    DONE(kit);
    assert_non_null(strstr(kit->err, "has all of it already"));

    USHER(kit, "snapshot", "ls", FOLDER, "--json");
    DONE(kit);
    json_t *lines = kit_json(kit);
    assert_int_equal(json_array_size(lines), 2);
    assert_int_equal(kit_number(json_array_get(lines, 0), "lsn"), kit->end_lsn); /* newest first */
    json_decref(lines);

    USHER(kit, "snapshot", "verify", FOLDER, "--against-log", "--json");
    DONE(kit);
    lines = kit_json(kit);
    for (size_t i = 0; i < 2; i++) {
        line = json_array_get(lines, i);
        assert_string_equal(kit_text(line, "state"), "sound");
        assert_string_equal(kit_text(line, "hash"), kit_text(line, "log_hash"));
    }
    json_decref(lines);
    USHER(kit, "replay", FOLDER, "--verify", "--json");
    DONE(kit);
    line = first_json(kit);
    assert_int_equal(kit_number(line, "snapshots_agree"), 2);
    assert_int_equal(kit_number(line, "hashes_verified"), 18);
    assert_int_equal(kit_number(line, "records"), kit->records);
    assert_string_equal(kit_text(line, "state_hash"), hash_of_story(kit));
    json_decref(line);

    USHER(kit, "snapshot", "make", FOLDER, "--keep", "1");
    DONE(kit);
    USHER(kit, "snapshot", "ls", FOLDER, "--json");
    lines = kit_json(kit);
    assert_int_equal(json_array_size(lines), 1);
    json_decref(lines);
}

static void name_of_snapshot(struct kit *kit, char ret_name[64]) {
    USHER(kit, "snapshot", "ls", FOLDER, "--json");
    DONE(kit);
    json_t *line = first_json(kit);
    (void)snprintf(ret_name, 64, "snapshots/%s", kit_text(line, "snapshot")); /* fits */
    json_decref(line);
}

/* A damaged snapshot is told, and costs nothing but time. */
static void damaged_snapshot(void **state) {
    struct kit *kit = *state;
    char name[64];
    kit_copy(kit, "damaged-snapshot");
    USHER(kit, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z");
    DONE(kit);
    name_of_snapshot(kit, name);
    kit_flip(kit, name, 4096 + 100);
    USHER(kit, "snapshot", "verify", FOLDER);
    FAILED(kit, "recovery skips what is not sound");
    SAYS(kit, "damaged");
    USHER(kit, "state", FOLDER, "--json");
    DONE(kit);
    SAYS(kit, hash_of_story(kit));
    assert_non_null(strstr(kit->err, "is not used"));
}

/* A sound snapshot of another state than the log leads to: both cannot be true. */
static void a_snapshot_that_contradicts_the_log(void **state) {
    struct kit *kit = *state;
    struct storage *storage;
    struct snapshot_error error;
    struct snapshot_info info = {.lsn = kit->held_lsn, .created_ms = 1795300000000u, .epoch = 1};
    kit_copy(kit, "contradiction");
    memset(info.log_id, 0x5A, sizeof info.log_id); /* the story's */
    assert_int_equal(storage_posix_open(kit->data, STORAGE_SNAPSHOTS, &storage), 0);
    assert_int_equal(snapshot_save(storage, kit->world, &info, NULL, NULL, &error), 0);
    storage->operations->destroy(storage);
    USHER(kit, "snapshot", "verify", FOLDER);
    DONE(kit);
    USHER(kit, "snapshot", "verify", FOLDER, "--against-log");
    FAILED(kit, "");
    SAYS(kit, "differs");
    USHER(kit, "replay", FOLDER);
    DONE(kit);
    USHER(kit, "replay", FOLDER, "--verify");
    FAILED(kit, "keep both, and report this");
    SAYS(kit, "snapshots DIFFER  1");
}

/* Another log's snapshot is told, and never taken. */
static void a_foreign_snapshot(void **state) {
    struct kit *kit = *state;
    char new[KIT_PATH_BYTES], name[64], own[KIT_PATH_BYTES];
    kit_copy(kit, "foreign");
    memcpy(own, kit->data, sizeof own);
    kit_path(kit, "other-log", new);
    USHER(kit, "restore", FOLDER, new, "--to", number(kit->filler_lsn + 95000));
    DONE(kit);
    memcpy(kit->data, new, sizeof new);
    USHER(kit, "snapshot", "make", FOLDER);
    DONE(kit);
    name_of_snapshot(kit, name);
    memcpy(kit->data, own, sizeof own);
    USHER(kit, "snapshot", "make", FOLDER, "--to", number(kit->filler_lsn + 100000));
    DONE(kit);
    char from[sizeof new + sizeof name], to[sizeof own + sizeof name];
    (void)snprintf(from, sizeof from, "%s/%s", new, name); /* fits, as below */
    (void)snprintf(to, sizeof to, "%s/%s", own, name);
    assert_int_equal(rename(from, to), 0);
    USHER(kit, "snapshot", "ls", FOLDER);
    FAILED(kit, "");
    SAYS(kit, "foreign");
    USHER(kit, "snapshot", "verify", FOLDER);
    FAILED(kit, "recovery skips what is not sound");
    SAYS(kit, "foreign");
    USHER(kit, "replay", FOLDER, "--verify");
    DONE(kit);
    SAYS(kit, hash_of_story(kit));
    /* Nor where it would be the first to begin from. */
    assert_true(kit_trim(kit, kit->filler_lsn + 90000) > 0);
    USHER(kit, "replay", FOLDER, "--verify");
    DONE(kit);
    SAYS(kit, hash_of_story(kit));
    SAYS_NOT(kit, name + strlen("snapshots/"));
}

static void replay_to_a_point(void **state) {
    struct kit *kit = *state;
    kit_copy(kit, "replay");
    USHER(kit, "replay", FOLDER);
    DONE(kit);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "\nstate hash        %s\n", hash_of_story(kit));
    SAYS(kit, expected);
    SAYS(kit, "\npoints conserved  yes\n");
    USHER(kit, "replay", FOLDER, "--to", DAY "20:06:20Z", "--json");
    DONE(kit);
    json_t *line = first_json(kit);
    const json_t *money = json_object_get(line, "money");
    assert_int_equal(kit_number(money, "spent"), 240);
    assert_int_equal(kit_number(money, "balances"), 770);
    json_decref(line);
    USHER(kit, "replay", FOLDER, "--from-snapshot");
    FAILED(kit, "");
    USHER(kit, "snapshot", "make", FOLDER, "--to", DAY "20:06:20Z");
    USHER(kit, "replay", FOLDER, "--from-snapshot", "--verify", "--json");
    DONE(kit);
    line = first_json(kit);
    assert_true(kit_number(line, "records") < kit->records);
    assert_string_equal(kit_text(line, "state_hash"), hash_of_story(kit));
    json_decref(line);
}

/* --- restore ---------------------------------------------------------------------------------- */

static void restore(void **state) {
    struct kit *kit = *state;
    char new[KIT_PATH_BYTES], partial[KIT_PATH_BYTES + 16];
    kit_copy(kit, "restore-source");
    kit_path(kit, "restored", new);
    uint64_t before = kit_fingerprint(kit);
    USHER(kit, "restore", FOLDER, new, "--to", DAY "20:05:10Z", "--json");
    DONE(kit);
    json_t *line = first_json(kit);
    assert_string_equal(kit_text(line, "last_decision"), DAY "20:05:10.000Z");
    assert_string_not_equal(kit_text(line, "log"), "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
    json_decref(line);
    assert_int_equal(kit_fingerprint(kit), before); /* the source is only read */

    USHER(kit, "wal", "verify", new, "--json");
    DONE(kit);
    /* Nobody was served since: turns and holds get that time back at the start. */
    line = first_json(kit);
    assert_string_equal(kit_text(line, "last_write"), DAY "20:05:10.000Z");
    json_decref(line);
    USHER(kit, "diff", FOLDER, new, "--from", DAY "20:05:10Z", "--exit-code");
    DONE(kit);
    USHER(kit, "state", new, "--date", "1", "--seat", "A/12/7", "--at", DAY "20:00:03.250Z");
    DONE(kit);
    SAYS(kit, ALICE);
    SAYS(kit, number(kit->held_lsn)); /* LSNs stay what they are */

    USHER(kit, "restore", FOLDER, new, "--to", "100");
    FAILED(kit, "is not empty; name a new folder");
    kit_path(kit, "empty", new);
    assert_int_equal(mkdir(new, 0700), 0);
    (void)snprintf(partial, sizeof partial, "%s.partial", new); /* fits */
    assert_int_equal(mkdir(partial, 0700), 0);
    USHER(kit, "restore", FOLDER, new, "--to", number(kit->end_lsn));
    FAILED(kit, "is left from a restore that was interrupted; remove it");
    assert_int_equal(rmdir(partial), 0);
    USHER(kit, "restore", FOLDER, new, "--to", number(kit->end_lsn));
    DONE(kit); /* an empty folder is as good as none */
    SAYS(kit, hash_of_story(kit));
    SAYS(kit, "usher project ");
    USHER(kit, "diff", FOLDER, new, "--exit-code");
    DONE(kit);
}

/* --- the log's beginning was deleted ---------------------------------------------------------- */

static void trimmed(void **state) {
    struct kit *kit = *state;
    char new[KIT_PATH_BYTES];
    kit_copy(kit, "trimmed");
    USHER(kit, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z"); /* the log forgets it */
    DONE(kit);
    USHER(kit, "snapshot", "make", FOLDER, "--to", number(kit->filler_lsn + 90000));
    DONE(kit);
    assert_true(kit_trim(kit, kit->filler_lsn + 90000) > 0);

    USHER(kit, "state", FOLDER, "--json");
    DONE(kit);
    SAYS(kit, hash_of_story(kit));
    USHER(kit, "state", FOLDER, "--at", DAY "20:00:03.250Z");
    FAILED(kit, "The log's beginning was deleted; add the archived segments");
    USHER(kit, "state", FOLDER, "--at", "0");
    FAILED(kit, "older segments were deleted");
    USHER(kit, "history", FOLDER, "--user", CAROL, "--from", DAY "20:20:02.997Z");
    DONE(kit);
    SAYS(kit, "wallet charged with 1 point; balance 3000\n");
    assert_non_null(strstr(kit->err, "what happened there is not shown"));
    USHER(kit, "replay", FOLDER, "--verify");
    DONE(kit);
    SAYS(kit, hash_of_story(kit));
    assert_non_null(strstr(kit->err, "was deleted; replaying from snapshot"));

    kit_path(kit, "restored-trimmed", new);
    USHER(kit, "restore", FOLDER, new, "--to", DAY "20:20:02.900Z");
    DONE(kit);
    SAYS(kit, "cannot be rebuilt from this one");
    USHER(kit, "diff", FOLDER, new, "--from", DAY "20:20:02.900Z", "--exit-code");
    DONE(kit);
    USHER(kit, "wal", "verify", new);
    DONE(kit);
}

/* Nothing in the snapshot's way: what it knows completes a history that begins in its middle. */
static void trimmed_history_of_a_hold(void **state) {
    struct kit *kit = *state;
    kit_copy(kit, "trimmed-history");
    USHER(kit, "snapshot", "make", FOLDER, "--to", number(kit->end_lsn));
    DONE(kit);
    assert_true(kit_trim(kit, kit->end_lsn) > 0);
    USHER(kit, "history", FOLDER, "--reservation", "1-2");
    FAILED(kit, "knows nothing of this reservation");
    USHER(kit, "state", FOLDER, "--reservation", "1-2");
    DONE(kit); /* the snapshot remembers it */
    SAYS(kit, "refunded");
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage_is_told(void **state) {
    struct kit *kit = *state;
    kit_copy(kit, "damage");
    kit_flip(kit, "wal/wal-0000000000000002.seg", 4096 + 200);
    USHER(kit, "wal", "verify", FOLDER, "--json");
    FAILED(kit, " shows what cutting it off would lose");
    json_t *line = first_json(kit);
    const json_t *error = json_object_get(line, "error");
    assert_true(json_is_false(json_object_get(line, "sound")));
    assert_string_equal(kit_text(error, "file"), "wal-0000000000000002.seg");
    assert_int_equal(kit_number(error, "offset"), 4096);
    uint64_t sound_lsn = kit_number(error, "lsn");
    json_decref(line);
    assert_true(sound_lsn > kit->filler_lsn && sound_lsn < kit->end_lsn);

    USHER(kit, "wal", "ls", FOLDER);
    FAILED(kit, "segments are damaged");
    SAYS(kit, "wal-0000000000000002.seg  damaged");
    /* What is before it is there, and asked for by name everything goes well. */
    USHER(kit, "wal", "cat", FOLDER, "--kind", "seats_held");
    FAILED(kit, "verify");
    SAYS(kit, "reservation=1 ");
    USHER(kit, "state", FOLDER, "--date", "1", "--seat", "A/12/7", "--at", DAY "20:00:03.250Z");
    DONE(kit);
    SAYS(kit, ALICE);
    USHER(kit, "state", FOLDER);
    FAILED(kit, "");
    USHER(kit, "replay", FOLDER, "--to", number(sound_lsn));
    DONE(kit);
}

/* The last segment in use, below the data folder. */
static void last_segment(struct kit *kit, char ret_file[64]) {
    USHER(kit, "wal", "ls", FOLDER, "--json");
    json_t *lines = kit_json(kit);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (kit_number(line, "records") == 0) continue;
        (void)snprintf(ret_file, 64, "wal/%s", kit_text(line, "segment")); /* fits */
    }
    json_decref(lines);
}

/* Damage in the last segment: nothing opens it as sound, and what is before it can be read. */
static void damage_at_the_end(void **state) {
    struct kit *kit = *state;
    char file[64];
    kit_copy(kit, "damage-end");
    last_segment(kit, file);
    kit_flip(kit, file, 4096 + 200);
    USHER(kit, "state", FOLDER);
    FAILED(kit, " shows what cutting it off would lose");
    USHER(kit, "state", FOLDER, "--at", DAY "20:06:20Z", "--user", BOB);
    DONE(kit);
    SAYS(kit, "balance 760");
    USHER(kit, "state", FOLDER, "--at", DAY "20:40Z");
    FAILED(kit, "to get the last that is known");
    USHER(kit, "history", FOLDER, "--reservation", "1-2");
    FAILED(kit, "this is what is sound");
    SAYS(kit, "freed: refunded to " BOB);
    USHER(kit, "history", FOLDER, "--reservation", "1-2", "--to", DAY "20:07Z");
    DONE(kit);
    USHER(kit, "wal", "cat", FOLDER);
    FAILED(kit, "this is what is sound");
    SAYS(kit, "wallet_charged");
    USHER(kit, "replay", FOLDER);
    FAILED(kit, " shows what cutting it off would lose");
    USHER(kit, "snapshot", "make", FOLDER);
    FAILED(kit, "damaged");
}

static void repair(void **state) {
    struct kit *kit = *state;
    kit_copy(kit, "repair");
    USHER(kit, "wal", "repair", FOLDER);
    DONE(kit);
    PRINTS(kit, "The log needs no repair.\n");
    USHER(kit, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z");
    DONE(kit);
    kit_flip(kit, "wal/wal-0000000000000002.seg", 4096 + 200);
    uint64_t before = kit_fingerprint(kit);
    USHER(kit, "wal", "repair", FOLDER, "--json");
    assert_int_equal(kit->status, 1);
    json_t *line = first_json(kit);
    assert_true(json_is_true(json_object_get(line, "needed")));
    assert_true(json_is_true(json_object_get(line, "acknowledged_lost")));
    assert_true(json_is_false(json_object_get(line, "done")));
    assert_true(kit_number(line, "lost_records") > 0);
    assert_true(kit_number(line, "durable_lsn") > kit_number(line, "keep_lsn"));
    uint64_t keep_lsn = kit_number(line, "keep_lsn");
    json_decref(line);
    USHER(kit, "wal", "repair", FOLDER);
    assert_int_equal(kit->status, 1);
    SAYS(kit, "certainly lost by cutting");
    SAYS(kit, "Nothing was changed.");
    assert_int_equal(kit_fingerprint(kit), before);

    USHER(kit, "wal", "repair", FOLDER, "--cut");
    DONE(kit);
    SAYS(kit, "Done: the log ends at LSN ");
    assert_true(kit_exists(kit, "wal/wal-0000000000000003.seg.damaged"));
    USHER(kit, "wal", "verify", FOLDER, "--json");
    DONE(kit);
    line = first_json(kit);
    assert_int_equal(kit_number(line, "end_lsn"), keep_lsn);
    json_decref(line);
    USHER(kit, "replay", FOLDER, "--verify", "--json");
    DONE(kit);
    line = first_json(kit);
    assert_int_equal(kit_number(line, "snapshots_agree"), 1); /* the one before the cut stays */
    json_decref(line);
    USHER(kit, "wal", "repair", FOLDER, "--cut");
    DONE(kit);
}

/* A snapshot beyond the damage, but not of the log's last whole part, goes aside with the cut. */
static void repair_sets_snapshots_aside(void **state) {
    struct kit *kit = *state;
    char name[64], aside[80], file[64];
    kit_copy(kit, "repair-snapshot");
    USHER(kit, "snapshot", "make", FOLDER);
    DONE(kit);
    name_of_snapshot(kit, name);
    last_segment(kit, file);
    kit_flip(kit, file, 4096 + 200); /* its first block: the end is not whole either */
    USHER(kit, "wal", "repair", FOLDER);
    assert_int_equal(kit->status, 1);
    SAYS(kit, "knows more than the log would");
    USHER(kit, "wal", "repair", FOLDER, "--cut");
    DONE(kit);
    (void)snprintf(aside, sizeof aside, "%s.beyond-cut", name); /* fits */
    assert_true(kit_exists(kit, aside));
    assert_false(kit_exists(kit, name));
    USHER(kit, "state", FOLDER);
    DONE(kit);
}

/* --- read-only -------------------------------------------------------------------------------- */

static void read_only(void **state) {
    struct kit *kit = *state;
    kit_copy(kit, "read-only");
    USHER(kit, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z");
    DONE(kit);
    USHER_RO(kit, "wal", "verify", FOLDER);
    if (kit->status == KIT_CANNOT_MOUNT) skip();
    DONE(kit);
    USHER_RO(kit, "wal", "ls", FOLDER);
    DONE(kit);
    USHER_RO(kit, "wal", "cat", FOLDER, "--user", BOB);
    DONE(kit);
    USHER_RO(kit, "wal", "repair", FOLDER);
    DONE(kit);
    USHER_RO(kit, "state", FOLDER, "--date", "1", "--seat", "A-12-7", "--at", DAY "20:00:03.250Z");
    DONE(kit);
    SAYS(kit, ALICE);
    USHER_RO(kit, "history", FOLDER, "--date", "1", "--seat", "2");
    DONE(kit);
    USHER_RO(kit, "diff", FOLDER, FOLDER);
    DONE(kit);
    USHER_RO(kit, "snapshot", "ls", FOLDER);
    DONE(kit);
    USHER_RO(kit, "snapshot", "verify", FOLDER, "--against-log");
    DONE(kit);
    USHER_RO(kit, "replay", FOLDER, "--verify");
    DONE(kit);
    char new[KIT_PATH_BYTES];
    kit_path(kit, "from-read-only", new);
    USHER_RO(kit, "restore", FOLDER, new, "--to", DAY "20:07:00Z");
    DONE(kit);
    USHER_RO(kit, "snapshot", "make", FOLDER);
    FAILED(kit, "");
    assert_true(strlen(kit->err) > 20); /* it says why */
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(snapshots),
        TEST(damaged_snapshot),
        TEST(a_snapshot_that_contradicts_the_log),
        TEST(a_foreign_snapshot),
        TEST(replay_to_a_point),
        TEST(restore),
        TEST(trimmed),
        TEST(trimmed_history_of_a_hold),
        TEST(damage_is_told),
        TEST(damage_at_the_end),
        TEST(repair),
        TEST(repair_sets_snapshots_aside),
        TEST(read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
