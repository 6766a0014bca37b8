/* test_change.c - usher snapshot, replay, restore, wal repair; damaged, trimmed and read-only
 * folders
 *
 * Each test works on a copy of the history of its own.
 */
#include "tests/integration/operator/operator_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/snapshot/snapshot.h"

static const char *hash_of_history(const struct operator_fixture *fixture) {
    static char text[32];
    (void)snprintf(text, sizeof text, "%016" PRIx64, world_hash(fixture->world));
    return text;
}

static const char *number(uint64_t value) {
    static char texts[4][24];
    static uint32_t next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, sizeof texts[0], "%" PRIu64, value);
    return text;
}

/* The first line of the output as an object. Return: owned by the caller */
static json_t *first_json(const struct operator_fixture *fixture) {
    json_t *lines = operator_json(fixture);
    if (json_array_size(lines) == 0) fail_msg("no output");
    json_t *first = json_incref(json_array_get(lines, 0));
    json_decref(lines);
    return first;
}

/* --- snapshots, replay ------------------------------------------------------------------------ */

static void snapshots(void **state) {
    struct operator_fixture *fixture = *state;
    operator_copy(fixture, "snapshots");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z", "--json");
    DONE(fixture);
    json_t *line = first_json(fixture);
    assert_string_equal(operator_text(line, "last_decision"), DAY "20:07:00.000Z");
    json_decref(line);
    USHER(fixture, "snapshot", "make", FOLDER);
    DONE(fixture);
    SAYS(fixture, hash_of_history(fixture));
    USHER(fixture, "snapshot", "make", FOLDER);
    DONE(fixture);
    assert_non_null(strstr(fixture->err, "has all of it already"));

    USHER(fixture, "snapshot", "ls", FOLDER, "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture);
    assert_int_equal(json_array_size(lines), 2);
    assert_int_equal(operator_number(json_array_get(lines, 0), "lsn"),
                     fixture->end_lsn); /* newest first */
    json_decref(lines);

    USHER(fixture, "snapshot", "verify", FOLDER, "--against-log", "--json");
    DONE(fixture);
    lines = operator_json(fixture);
    for (size_t i = 0; i < 2; i++) {
        line = json_array_get(lines, i);
        assert_string_equal(operator_text(line, "state"), "sound");
        assert_string_equal(operator_text(line, "hash"), operator_text(line, "log_hash"));
    }
    json_decref(lines);
    USHER(fixture, "replay", FOLDER, "--verify", "--json");
    DONE(fixture);
    line = first_json(fixture);
    assert_int_equal(operator_number(line, "snapshots_agree"), 2);
    assert_int_equal(operator_number(line, "hashes_verified"), 18);
    assert_int_equal(operator_number(line, "records"), fixture->records);
    assert_string_equal(operator_text(line, "state_hash"), hash_of_history(fixture));
    json_decref(line);

    USHER(fixture, "snapshot", "make", FOLDER, "--keep", "1");
    DONE(fixture);
    USHER(fixture, "snapshot", "ls", FOLDER, "--json");
    lines = operator_json(fixture);
    assert_int_equal(json_array_size(lines), 1);
    json_decref(lines);
}

static void name_of_snapshot(struct operator_fixture *fixture, char ret_name[64]) {
    USHER(fixture, "snapshot", "ls", FOLDER, "--json");
    DONE(fixture);
    json_t *line = first_json(fixture);
    (void)snprintf(ret_name, 64, "snapshots/%s", operator_text(line, "snapshot"));
    json_decref(line);
}

/* A damaged snapshot is told, and costs nothing but time. */
static void damaged_snapshot(void **state) {
    struct operator_fixture *fixture = *state;
    char name[64];
    operator_copy(fixture, "damaged-snapshot");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z");
    DONE(fixture);
    name_of_snapshot(fixture, name);
    operator_flip(fixture, name, 4096 + 100);
    USHER(fixture, "snapshot", "verify", FOLDER);
    FAILED(fixture, "recovery skips what is not sound");
    SAYS(fixture, "damaged");
    USHER(fixture, "state", FOLDER, "--json");
    DONE(fixture);
    SAYS(fixture, hash_of_history(fixture));
    assert_non_null(strstr(fixture->err, "is not used"));
}

/* A sound snapshot of another state than the log leads to: both cannot be true. */
static void a_snapshot_that_contradicts_the_log(void **state) {
    struct operator_fixture *fixture = *state;
    struct storage *storage;
    struct snapshot_error error;
    struct snapshot_info info = {
        .lsn = fixture->held_lsn, .created_ms = 1795300000000u, .epoch = 1};
    operator_copy(fixture, "contradiction");
    memset(info.log_id, 0x5A, sizeof info.log_id); /* the history's */
    assert_int_equal(storage_posix_open(fixture->data, STORAGE_SNAPSHOTS, &storage), 0);
    assert_int_equal(snapshot_save(storage, fixture->world, &info, NULL, NULL, &error), 0);
    storage->operations->destroy(storage);
    USHER(fixture, "snapshot", "verify", FOLDER);
    DONE(fixture);
    USHER(fixture, "snapshot", "verify", FOLDER, "--against-log");
    FAILED(fixture, "");
    SAYS(fixture, "differs");
    USHER(fixture, "replay", FOLDER);
    DONE(fixture);
    USHER(fixture, "replay", FOLDER, "--verify");
    FAILED(fixture, "keep both, and report this");
    SAYS(fixture, "snapshots DIFFER  1");
}

/* Another log's snapshot is told, and never taken. */
static void a_foreign_snapshot(void **state) {
    struct operator_fixture *fixture = *state;
    char new[OPERATOR_PATH_BYTES], name[64], own[OPERATOR_PATH_BYTES];
    operator_copy(fixture, "foreign");
    memcpy(own, fixture->data, sizeof own);
    operator_path(fixture, "other-log", new);
    USHER(fixture, "restore", FOLDER, new, "--to", number(fixture->filler_lsn + 95000));
    DONE(fixture);
    memcpy(fixture->data, new, sizeof new);
    USHER(fixture, "snapshot", "make", FOLDER);
    DONE(fixture);
    name_of_snapshot(fixture, name);
    memcpy(fixture->data, own, sizeof own);
    USHER(fixture, "snapshot", "make", FOLDER, "--to", number(fixture->filler_lsn + 100000));
    DONE(fixture);
    char from[sizeof new + sizeof name], to[sizeof own + sizeof name];
    (void)snprintf(from, sizeof from, "%s/%s", new, name);
    (void)snprintf(to, sizeof to, "%s/%s", own, name);
    assert_int_equal(rename(from, to), 0);
    USHER(fixture, "snapshot", "ls", FOLDER);
    FAILED(fixture, "");
    SAYS(fixture, "foreign");
    USHER(fixture, "snapshot", "verify", FOLDER);
    FAILED(fixture, "recovery skips what is not sound");
    SAYS(fixture, "foreign");
    USHER(fixture, "replay", FOLDER, "--verify");
    DONE(fixture);
    SAYS(fixture, hash_of_history(fixture));
    /* Nor where it would be the first to begin from. */
    assert_true(operator_trim(fixture, fixture->filler_lsn + 90000) > 0);
    USHER(fixture, "replay", FOLDER, "--verify");
    DONE(fixture);
    SAYS(fixture, hash_of_history(fixture));
    SAYS_NOT(fixture, name + strlen("snapshots/"));
}

static void replay_to_a_point(void **state) {
    struct operator_fixture *fixture = *state;
    operator_copy(fixture, "replay");
    USHER(fixture, "replay", FOLDER);
    DONE(fixture);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "\nstate hash        %s\n", hash_of_history(fixture));
    SAYS(fixture, expected);
    SAYS(fixture, "\npoints conserved  yes\n");
    USHER(fixture, "replay", FOLDER, "--to", DAY "20:06:20Z", "--json");
    DONE(fixture);
    json_t *line = first_json(fixture);
    const json_t *money = json_object_get(line, "money");
    assert_int_equal(operator_number(money, "spent"), 240);
    assert_int_equal(operator_number(money, "balances"), 770);
    json_decref(line);
    USHER(fixture, "replay", FOLDER, "--from-snapshot");
    FAILED(fixture, "");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", DAY "20:06:20Z");
    USHER(fixture, "replay", FOLDER, "--from-snapshot", "--verify", "--json");
    DONE(fixture);
    line = first_json(fixture);
    assert_true(operator_number(line, "records") < fixture->records);
    assert_string_equal(operator_text(line, "state_hash"), hash_of_history(fixture));
    json_decref(line);
}

/* --- restore ---------------------------------------------------------------------------------- */

static void restore(void **state) {
    struct operator_fixture *fixture = *state;
    char new[OPERATOR_PATH_BYTES], partial[OPERATOR_PATH_BYTES + 16];
    operator_copy(fixture, "restore-source");
    operator_path(fixture, "restored", new);
    uint64_t before = operator_fingerprint(fixture);
    USHER(fixture, "restore", FOLDER, new, "--to", DAY "20:05:10Z", "--json");
    DONE(fixture);
    json_t *line = first_json(fixture);
    assert_string_equal(operator_text(line, "last_decision"), DAY "20:05:10.000Z");
    assert_string_not_equal(operator_text(line, "log"), "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
    json_decref(line);
    assert_int_equal(operator_fingerprint(fixture), before); /* the source is only read */

    USHER(fixture, "wal", "verify", new, "--json");
    DONE(fixture);
    /* Nobody was served since: turns and holds get that time back at the start. */
    line = first_json(fixture);
    assert_string_equal(operator_text(line, "last_write"), DAY "20:05:10.000Z");
    json_decref(line);
    USHER(fixture, "diff", FOLDER, new, "--from", DAY "20:05:10Z", "--exit-code");
    DONE(fixture);
    USHER(fixture, "state", new, "--date", "1", "--seat", "A/12/7", "--at", DAY "20:00:03.250Z");
    DONE(fixture);
    SAYS(fixture, ALICE);
    SAYS(fixture, number(fixture->held_lsn)); /* LSNs stay what they are */

    USHER(fixture, "restore", FOLDER, new, "--to", "100");
    FAILED(fixture, "is not empty; name a new folder");
    operator_path(fixture, "empty", new);
    assert_int_equal(mkdir(new, 0700), 0);
    (void)snprintf(partial, sizeof partial, "%s.partial", new);
    assert_int_equal(mkdir(partial, 0700), 0);
    USHER(fixture, "restore", FOLDER, new, "--to", number(fixture->end_lsn));
    FAILED(fixture, "is left from a restore that was interrupted; remove it");
    assert_int_equal(rmdir(partial), 0);
    USHER(fixture, "restore", FOLDER, new, "--to", number(fixture->end_lsn));
    DONE(fixture); /* an empty folder is as good as none */
    SAYS(fixture, hash_of_history(fixture));
    SAYS(fixture, "usher project ");
    USHER(fixture, "diff", FOLDER, new, "--exit-code");
    DONE(fixture);
}

/* --- the log's beginning was deleted ---------------------------------------------------------- */

static void trimmed(void **state) {
    struct operator_fixture *fixture = *state;
    char new[OPERATOR_PATH_BYTES];
    operator_copy(fixture, "trimmed");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z"); /* the log forgets it */
    DONE(fixture);
    USHER(fixture, "snapshot", "make", FOLDER, "--to", number(fixture->filler_lsn + 90000));
    DONE(fixture);
    assert_true(operator_trim(fixture, fixture->filler_lsn + 90000) > 0);

    USHER(fixture, "state", FOLDER, "--json");
    DONE(fixture);
    SAYS(fixture, hash_of_history(fixture));
    USHER(fixture, "state", FOLDER, "--at", DAY "20:00:03.250Z");
    FAILED(fixture, "The log's beginning was deleted; add the archived segments");
    USHER(fixture, "state", FOLDER, "--at", "0");
    FAILED(fixture, "older segments were deleted");
    USHER(fixture, "history", FOLDER, "--user", CAROL, "--from", DAY "20:20:02.997Z");
    DONE(fixture);
    SAYS(fixture, "wallet charged with 1 point; balance 3000\n");
    assert_non_null(strstr(fixture->err, "what happened there is not shown"));
    USHER(fixture, "replay", FOLDER, "--verify");
    DONE(fixture);
    SAYS(fixture, hash_of_history(fixture));
    assert_non_null(strstr(fixture->err, "was deleted; replaying from snapshot"));

    operator_path(fixture, "restored-trimmed", new);
    USHER(fixture, "restore", FOLDER, new, "--to", DAY "20:20:02.900Z");
    DONE(fixture);
    SAYS(fixture, "cannot be rebuilt from this one");
    USHER(fixture, "diff", FOLDER, new, "--from", DAY "20:20:02.900Z", "--exit-code");
    DONE(fixture);
    USHER(fixture, "wal", "verify", new);
    DONE(fixture);
}

/* Nothing in the snapshot's way: what it knows completes a history that begins in its middle. */
static void trimmed_history_of_a_hold(void **state) {
    struct operator_fixture *fixture = *state;
    operator_copy(fixture, "trimmed-history");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", number(fixture->end_lsn));
    DONE(fixture);
    assert_true(operator_trim(fixture, fixture->end_lsn) > 0);
    USHER(fixture, "history", FOLDER, "--reservation", "1-2");
    FAILED(fixture, "knows nothing of this reservation");
    USHER(fixture, "state", FOLDER, "--reservation", "1-2");
    DONE(fixture); /* the snapshot remembers it */
    SAYS(fixture, "refunded");
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage_is_told(void **state) {
    struct operator_fixture *fixture = *state;
    operator_copy(fixture, "damage");
    operator_flip(fixture, "wal/wal-0000000000000002.seg", 4096 + 200);
    USHER(fixture, "wal", "verify", FOLDER, "--json");
    FAILED(fixture, " shows what cutting it off would lose");
    json_t *line = first_json(fixture);
    const json_t *error = json_object_get(line, "error");
    assert_true(json_is_false(json_object_get(line, "sound")));
    assert_string_equal(operator_text(error, "file"), "wal-0000000000000002.seg");
    assert_int_equal(operator_number(error, "offset"), 4096);
    uint64_t sound_lsn = operator_number(error, "lsn");
    json_decref(line);
    assert_true(sound_lsn > fixture->filler_lsn && sound_lsn < fixture->end_lsn);

    USHER(fixture, "wal", "ls", FOLDER);
    FAILED(fixture, "segments are damaged");
    SAYS(fixture, "wal-0000000000000002.seg  damaged");
    /* What is before it is there, and asked for by name everything goes well. */
    USHER(fixture, "wal", "cat", FOLDER, "--kind", "seats_held");
    FAILED(fixture, "verify");
    SAYS(fixture, "reservation=1 ");
    USHER(fixture, "state", FOLDER, "--date", "1", "--seat", "A/12/7", "--at", DAY "20:00:03.250Z");
    DONE(fixture);
    SAYS(fixture, ALICE);
    USHER(fixture, "state", FOLDER);
    FAILED(fixture, "");
    USHER(fixture, "replay", FOLDER, "--to", number(sound_lsn));
    DONE(fixture);
}

/* The last segment in use, below the data folder. */
static void last_segment(struct operator_fixture *fixture, char ret_file[64]) {
    USHER(fixture, "wal", "ls", FOLDER, "--json");
    json_t *lines = operator_json(fixture);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (operator_number(line, "records") == 0) continue;
        (void)snprintf(ret_file, 64, "wal/%s", operator_text(line, "segment"));
    }
    json_decref(lines);
}

/* Damage in the last segment: nothing opens it as sound, and what is before it can be read. */
static void damage_at_the_end(void **state) {
    struct operator_fixture *fixture = *state;
    char file[64];
    operator_copy(fixture, "damage-end");
    last_segment(fixture, file);
    operator_flip(fixture, file, 4096 + 200);
    USHER(fixture, "state", FOLDER);
    FAILED(fixture, " shows what cutting it off would lose");
    USHER(fixture, "state", FOLDER, "--at", DAY "20:06:20Z", "--user", BOB);
    DONE(fixture);
    SAYS(fixture, "balance 760");
    USHER(fixture, "state", FOLDER, "--at", DAY "20:40Z");
    FAILED(fixture, "to get the last that is known");
    USHER(fixture, "history", FOLDER, "--reservation", "1-2");
    FAILED(fixture, "this is what is sound");
    SAYS(fixture, "freed: refunded to " BOB);
    USHER(fixture, "history", FOLDER, "--reservation", "1-2", "--to", DAY "20:07Z");
    DONE(fixture);
    USHER(fixture, "wal", "cat", FOLDER);
    FAILED(fixture, "this is what is sound");
    SAYS(fixture, "wallet_charged");
    USHER(fixture, "replay", FOLDER);
    FAILED(fixture, " shows what cutting it off would lose");
    USHER(fixture, "snapshot", "make", FOLDER);
    FAILED(fixture, "damaged");
}

static void repair(void **state) {
    struct operator_fixture *fixture = *state;
    operator_copy(fixture, "repair");
    USHER(fixture, "wal", "repair", FOLDER);
    DONE(fixture);
    PRINTS(fixture, "The log needs no repair.\n");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z");
    DONE(fixture);
    operator_flip(fixture, "wal/wal-0000000000000002.seg", 4096 + 200);
    uint64_t before = operator_fingerprint(fixture);
    USHER(fixture, "wal", "repair", FOLDER, "--json");
    assert_int_equal(fixture->status, 1);
    json_t *line = first_json(fixture);
    assert_true(json_is_true(json_object_get(line, "needed")));
    assert_true(json_is_true(json_object_get(line, "acknowledged_lost")));
    assert_true(json_is_false(json_object_get(line, "done")));
    assert_true(operator_number(line, "lost_records") > 0);
    assert_true(operator_number(line, "durable_lsn") > operator_number(line, "keep_lsn"));
    uint64_t keep_lsn = operator_number(line, "keep_lsn");
    json_decref(line);
    USHER(fixture, "wal", "repair", FOLDER);
    assert_int_equal(fixture->status, 1);
    SAYS(fixture, "certainly lost by cutting");
    SAYS(fixture, "Nothing was changed.");
    assert_int_equal(operator_fingerprint(fixture), before);

    USHER(fixture, "wal", "repair", FOLDER, "--cut");
    DONE(fixture);
    SAYS(fixture, "Done: the log ends at LSN ");
    assert_true(operator_exists(fixture, "wal/wal-0000000000000003.seg.damaged"));
    USHER(fixture, "wal", "verify", FOLDER, "--json");
    DONE(fixture);
    line = first_json(fixture);
    assert_int_equal(operator_number(line, "end_lsn"), keep_lsn);
    json_decref(line);
    USHER(fixture, "replay", FOLDER, "--verify", "--json");
    DONE(fixture);
    line = first_json(fixture);
    assert_int_equal(operator_number(line, "snapshots_agree"),
                     1); /* the one before the cut stays */
    json_decref(line);
    USHER(fixture, "wal", "repair", FOLDER, "--cut");
    DONE(fixture);
}

/* A snapshot beyond the damage, but not of the log's last whole part, goes aside with the cut. */
static void repair_sets_snapshots_aside(void **state) {
    struct operator_fixture *fixture = *state;
    char name[64], aside[80], file[64];
    operator_copy(fixture, "repair-snapshot");
    USHER(fixture, "snapshot", "make", FOLDER);
    DONE(fixture);
    name_of_snapshot(fixture, name);
    last_segment(fixture, file);
    operator_flip(fixture, file, 4096 + 200); /* its first block: the end is not whole either */
    USHER(fixture, "wal", "repair", FOLDER);
    assert_int_equal(fixture->status, 1);
    SAYS(fixture, "knows more than the log would");
    USHER(fixture, "wal", "repair", FOLDER, "--cut");
    DONE(fixture);
    (void)snprintf(aside, sizeof aside, "%s.beyond-cut", name);
    assert_true(operator_exists(fixture, aside));
    assert_false(operator_exists(fixture, name));
    USHER(fixture, "state", FOLDER);
    DONE(fixture);
}

/* --- read-only -------------------------------------------------------------------------------- */

static void read_only(void **state) {
    struct operator_fixture *fixture = *state;
    operator_copy(fixture, "read-only");
    USHER(fixture, "snapshot", "make", FOLDER, "--to", DAY "20:07:00Z");
    DONE(fixture);
    USHER_RO(fixture, "wal", "verify", FOLDER);
    if (fixture->status == OPERATOR_CANNOT_MOUNT) skip();
    DONE(fixture);
    USHER_RO(fixture, "wal", "ls", FOLDER);
    DONE(fixture);
    USHER_RO(fixture, "wal", "cat", FOLDER, "--user", BOB);
    DONE(fixture);
    USHER_RO(fixture, "wal", "repair", FOLDER);
    DONE(fixture);
    USHER_RO(fixture, "state", FOLDER, "--date", "1", "--seat", "A-12-7", "--at",
             DAY "20:00:03.250Z");
    DONE(fixture);
    SAYS(fixture, ALICE);
    USHER_RO(fixture, "history", FOLDER, "--date", "1", "--seat", "2");
    DONE(fixture);
    USHER_RO(fixture, "diff", FOLDER, FOLDER);
    DONE(fixture);
    USHER_RO(fixture, "snapshot", "ls", FOLDER);
    DONE(fixture);
    USHER_RO(fixture, "snapshot", "verify", FOLDER, "--against-log");
    DONE(fixture);
    USHER_RO(fixture, "replay", FOLDER, "--verify");
    DONE(fixture);
    char new[OPERATOR_PATH_BYTES];
    operator_path(fixture, "from-read-only", new);
    USHER_RO(fixture, "restore", FOLDER, new, "--to", DAY "20:07:00Z");
    DONE(fixture);
    USHER_RO(fixture, "snapshot", "make", FOLDER);
    FAILED(fixture, "");
    assert_true(strlen(fixture->err) > 20); /* it says why */
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, operator_setup, operator_teardown)
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
