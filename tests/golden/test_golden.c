/* test_golden.c - logs and snapshots of every format version that there was are decoded for ever,
 * and today's writer still makes the same bytes of the same records
 *
 * `test-golden FOLDER` tests that an older version is read, `--newest FOLDER` also that it is still
 * written so; `test-golden --make FOLDER` makes the files of a new version, once.
 */
#include "tests/golden/golden.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/domain/date/date.h"
#include "engine/base/require.h"
#include "replay/snapshot/snapshot.h"
#include "replay/snapshot/snapshot_file.h"
#include "replay/source/source_wal.h"
#include "tests/support/random_history.h"
#include "wal/recovery.h"
#include "tests/support/storage_memory.h"

static const struct id128 table_seed = {{6}};
static const char *folder;
static bool is_newest; /* folders of older versions lack what was added since */

/* --- reading ---------------------------------------------------------------------------------- */

/* Every record, as it is, from the log's beginning. */
static void read_records(struct storage *disk, struct memory_log *ret_records) {
    struct wal_reader *reader;
    struct wal_record record;
    struct wal_error error;
    memory_log_init(ret_records);
    if (wal_reader_open(disk, 0, &reader, &error) != 0) fail_msg("%s", error.text);
    int rc;
    while ((rc = wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, &error)) == 0) {
        assert_int_equal(memory_log_append_bytes(ret_records, record.bytes, record.size),
                         record.lsn);
    }
    if (rc < 0) fail_msg("%s", error.text);
    wal_reader_close(reader);
}

static struct golden_bytes decision_lines(struct storage *disk) {
    struct memory_log records;
    struct golden_bytes lines = {0};
    read_records(disk, &records);
    FILE *out = open_memstream(&lines.bytes, &lines.size);
    assert_non_null(out);
    for (uint64_t lsn = 0; lsn < records.size;) {
        struct decision decision;
        uint32_t size;
        memcpy(&size, records.bytes + lsn, sizeof size);
        assert_int_equal(decision_decode(records.bytes + lsn, size, &decision), DECISION_DECODE_OK);
        lsn += size;
        golden_decision(out, &decision, lsn);
    }
    (void)fclose(out);
    memory_log_deinit(&records);
    return lines;
}

static struct golden_bytes entity_lines(struct storage *snapshots, const char *name) {
    struct snapshot_reader reader;
    struct snapshot_error error;
    struct golden_bytes lines = {0};
    const uint8_t *bytes;
    uint32_t size;
    FILE *out = open_memstream(&lines.bytes, &lines.size);
    assert_non_null(out);
    int rc = snapshot_reader_open(&reader, snapshots, name, &error);
    while (rc == 0 && (rc = snapshot_reader_next(&reader, &bytes, &size, &error)) == 0) {
        struct entity entity;
        assert_int_equal(entity_decode(bytes, size, &entity), DECISION_DECODE_OK);
        golden_entity(out, &entity);
    }
    if (rc < 0) fail_msg("%s", error.text);
    snapshot_reader_close(&reader);
    (void)fclose(out);
    return lines;
}

/* The log alone, replayed up to an LSN; every hash in it is compared. */
static struct world *replay(struct storage *disk, uint64_t to_lsn,
                            struct recover_result *ret_result) {
    struct world *world = world_create(&table_seed);
    struct source_wal source;
    struct record_source port;
    struct recover_error error;
    source_wal_init(&source, disk, NULL, NULL, to_lsn, &port);
    if (recover(&port, world, NULL, ret_result, &error) != 0) fail_msg("%s", error.text);
    source_wal_deinit(&source);
    return world;
}

static uint64_t expected(const char *name, int base) {
    struct golden_bytes text = golden_read(folder, "expected.txt");
    char line[64];
    (void)snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(text.bytes, line);
    if (!found) fail_msg("%s/expected.txt has no %s", folder, name);
    uint64_t value = strtoull(found + strlen(line), NULL, base);
    free(text.bytes);
    return value;
}

/* Whether this is all that a field can read as where a record is older than it: nothing. */
static bool is_nothing(const char *text, size_t size) {
    while (size > 0) {
        const char *colon = memchr(text, ':', size);
        if (!colon || text[0] != ',') return false;
        for (size -= (size_t)(colon + 1 - text), text = colon + 1;
             size > 0 && memchr("0\"[]", *text, 4); size--) {
            text++;
        }
        if (size > 0 && *text != ',') return false;
    }
    return true;
}

/* The same for the fields that a policy has gained: their defaults. */
static bool is_default_policy(const char *text, size_t size) {
    char defaults[256];
    size_t length = 0;
    for (uint32_t i = POLICY_FIELDS_FIRST; i < POLICY_FIELD_COUNT; i++) {
        length += (size_t)snprintf(defaults + length, sizeof defaults - length, ",%llu",
                                   (unsigned long long)policy_row(i)->initial);
        REQUIRE(length < sizeof defaults);
    }
    return size <= length && memcmp(text, defaults + length - size, size) == 0;
}

/* What today's decoder adds to the end of an older policy or body. Return: how many bytes of it */
static size_t added(const char *is, size_t left, char wanted) {
    if (is_newest || *is != ',' || (wanted != ']' && wanted != '}')) return 0;
    const char *end = memchr(is, wanted, left);
    if (!end) return 0;
    size_t size = (size_t)(end - is);
    bool fits = wanted == ']' ? is_default_policy(is, size) : is_nothing(is, size);
    return fits ? size : 0;
}

static void demand_lines(struct golden_bytes is, const char *name) {
    struct golden_bytes wanted = golden_read(folder, name);
    size_t at = 0, expected_at = 0, line = 1;
    while (at < is.size && expected_at < wanted.size) {
        if (is.bytes[at] != wanted.bytes[expected_at]) {
            size_t more = added(is.bytes + at, is.size - at, wanted.bytes[expected_at]);
            if (more == 0) break;
            at += more;
            continue;
        }
        line += is.bytes[at++] == '\n';
        expected_at++;
    }
    if (at < is.size || expected_at < wanted.size) {
        fail_msg("line %zu of %s is decoded differently, near: %.60s", line, name,
                 is.bytes + (at < 20 ? 0 : at - 20));
    }
    free(wanted.bytes);
    free(is.bytes);
}

/* --- for ever --------------------------------------------------------------------------------- */

static void every_decision_is_decoded(void **state) {
    (void)state;
    struct storage *disk = golden_load(folder, "wal");
    struct wal_recovery_options options = {.account_partitions = ACCOUNT_PARTITIONS};
    struct wal_recovery found;
    struct wal_error error;
    if (wal_recover(disk, &options, &found, &error) != 0) fail_msg("%s", error.text);
    assert_int_equal(found.end_lsn, expected("end_lsn", 10));
    assert_int_equal(found.epochs, expected("epochs", 10));
    assert_int_equal(found.torn_tails, expected("torn_tails", 10));
    demand_lines(decision_lines(disk), "decisions.jsonl");
    disk->operations->destroy(disk);
}

static void the_log_replays_to_the_same_state(void **state) {
    (void)state;
    struct storage *disk = golden_load(folder, "wal");
    struct recover_result result;
    world_free(replay(disk, expected("end_lsn", 10), &result));
    assert_true(result.world_hash == expected("world_hash", 16));
    assert_int_equal(result.hashes_verified, expected("hashes", 10));
    assert_true(result.hashes_verified > 0);
    disk->operations->destroy(disk);
}

static void snapshot_file(const char *which, char ret_name[SNAPSHOT_NAME_BYTES]) {
    snapshot_name(expected(which, 10), ret_name);
}

static void every_snapshot_is_the_state_of_its_lsn(void **state) {
    (void)state;
    static const char *const names[] = {"snapshot_lsn", "older_snapshot_lsn"};
    struct storage *disk = golden_load(folder, "wal"),
                   *snapshots = golden_load(folder, "snapshots");
    for (int i = 0; i < 2; i++) {
        char name[SNAPSHOT_NAME_BYTES];
        struct world *world;
        struct snapshot_info info;
        struct snapshot_error error;
        struct recover_result result;
        snapshot_file(names[i], name);
        if (snapshot_load(snapshots, name, &table_seed, &info, &world, &error) != 0) {
            fail_msg("%s", error.text);
        }
        world_free(replay(disk, info.lsn, &result));
        assert_true(world_hash(world) == result.world_hash);
        world_free(world);
        /* ... and the log goes on from it. */
        struct snapshot_recover_options options = {.seed = &table_seed, .to_lsn = UINT64_MAX};
        struct snapshot_info from;
        if (snapshot_recover(disk, snapshots, expected("end_lsn", 10), &options, &from, &world,
                             &result, &error) != 0) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(from.lsn, info.lsn);
        assert_true(world_hash(world) == expected("world_hash", 16));
        world_free(world);
        if (i == 0) demand_lines(entity_lines(snapshots, name), "entities.jsonl");
        assert_true(storage_memory_remove(snapshots, name)); /* then the older one is the newest */
    }
    snapshots->operations->destroy(snapshots);
    disk->operations->destroy(disk);
}

static void demand_kinds(const char *file, const char *const *names) {
    struct golden_bytes lines = golden_read(folder, file);
    for (; *names; names++) {
        char kind[64];
        (void)snprintf(kind, sizeof kind, "\"kind\":\"%s\"", *names);
        if (!strstr(lines.bytes, kind)) fail_msg("%s has no %s", file, *names);
    }
    free(lines.bytes);
}

/* A kind that is new in this version needs a golden file of its own, in a folder of its own. */
static void every_kind_occurs(void **state) {
    (void)state;
    static const char *const decisions[] = {
#define DECISION(number, NAME, name, OWNER) #name,
#include "engine/domain/decision.def"
#undef DECISION
        NULL};
    static const char *const entities[] = {
#define ENTITY(number, NAME, name, OWNER) #name,
#include "engine/domain/entity.def"
#undef ENTITY
        NULL};
    demand_kinds("decisions.jsonl", decisions);
    demand_kinds("entities.jsonl", entities);
}

/* --- of this version -------------------------------------------------------------------------- */

/* What was decoded is encoded again; but an older usher's record, which is shorter, stays as it
 * is. */
static void encode_again(const struct memory_log *records, struct memory_log *ret_again,
                         uint32_t *ret_shorter) {
    memory_log_init(ret_again);
    *ret_shorter = 0;
    for (uint64_t lsn = 0; lsn < records->size;) {
        struct decision decision;
        uint8_t bytes[RECORD_BYTES_MAX];
        uint32_t size;
        memcpy(&size, records->bytes + lsn, sizeof size);
        assert_int_equal(decision_decode(records->bytes + lsn, size, &decision),
                         DECISION_DECODE_OK);
        uint32_t encoded = decision_encode(&decision, bytes);
        bool shorter = encoded != size;
        *ret_shorter += shorter;
        (void)memory_log_append_bytes(ret_again, shorter ? records->bytes + lsn : bytes, size);
        lsn += size;
    }
}

struct compare {
    struct storage *a, *b;
    uint32_t files;
};
static void compare_file(void *context, const char *name) {
    struct compare *compare = context;
    uint64_t a_size = 0, b_size = 0;
    const uint8_t *a = storage_memory_bytes(compare->a, name, &a_size);
    const uint8_t *b = storage_memory_bytes(compare->b, name, &b_size);
    if (!a || !b || a_size != b_size) fail_msg("%s is not made by today's writer", name);
    for (uint64_t i = 0; i < a_size; i++) {
        if (a[i] != b[i]) {
            fail_msg("%s is made differently by today's writer, from offset %llu on", name,
                     (unsigned long long)i);
        }
    }
    compare->files++;
}

static void todays_writer_makes_the_same_log(void **state) {
    (void)state;
    struct storage *disk = golden_load(folder, "wal");
    struct memory_log records, again;
    uint32_t shorter;
    read_records(disk, &records);
    encode_again(&records, &again, &shorter);
    assert_int_equal(shorter, expected("short_records", 10));
    assert_int_equal(again.size, records.size);
    assert_memory_equal(again.bytes, records.bytes, records.size);
    struct compare compare = {golden_write_log(&again), disk, 0};
    golden_each(disk, compare_file, &compare);
    assert_true(compare.files >= 3);
    compare.a->operations->destroy(compare.a);
    disk->operations->destroy(disk);
    memory_log_deinit(&records);
    memory_log_deinit(&again);
}

static struct storage *make_snapshots(struct storage *disk, const struct memory_log *records) {
    struct storage *snapshots;
    uint64_t lsns[2];
    assert_int_equal(storage_memory_open(&snapshots), 0);
    golden_snapshot_lsns(records, lsns);
    for (int i = 0; i < 2; i++) {
        struct snapshot_recover_options options = {.seed = &table_seed, .to_lsn = UINT64_MAX};
        struct snapshot_info info;
        struct snapshot_error error;
        if (snapshot_make(disk, snapshots, lsns[i], GOLDEN_SNAPSHOT_MS, &options, NULL, NULL, &info,
                          &error) != 0) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(info.lsn, lsns[i]);
    }
    return snapshots;
}

static void todays_writer_makes_the_same_snapshots(void **state) {
    (void)state;
    struct storage *disk = golden_load(folder, "wal");
    struct storage *snapshots = golden_load(folder, "snapshots");
    struct memory_log records;
    read_records(disk, &records);
    struct compare compare = {make_snapshots(disk, &records), snapshots, 0};
    golden_each(snapshots, compare_file, &compare);
    assert_int_equal(compare.files, 2);
    compare.a->operations->destroy(compare.a);
    snapshots->operations->destroy(snapshots);
    disk->operations->destroy(disk);
    memory_log_deinit(&records);
}

/* --- making a version's files ----------------------------------------------------------------- */

static bool has_every_kind(const struct memory_log *records) {
    bool seen[RECOVER_KINDS_MAX] = {0};
    for (uint64_t lsn = 0; lsn < records->size;) {
        struct decision decision;
        uint32_t size;
        memcpy(&size, records->bytes + lsn, sizeof size);
        REQUIRE(decision_decode(records->bytes + lsn, size, &decision) == DECISION_DECODE_OK);
        seen[decision.kind] = true;
        lsn += size;
    }
#define DECISION(number, NAME, name, OWNER)                                                        \
    if (!seen[number]) return false;
#include "engine/domain/decision.def"
#undef DECISION
    return true;
}

static bool has_transfer(const struct memory_log *records) {
    struct world *world = world_create(&table_seed);
    struct record_source source = memory_log_source((struct memory_log *)(uintptr_t)records);
    struct recover_result result;
    struct recover_error error;
    uint64_t lsns[2];
    struct money_totals money;
    golden_snapshot_lsns(records, lsns);
    struct memory_log *log = source.context;
    log->limit_lsn = lsns[1];
    REQUIRE(recover(&source, world, NULL, &result, &error) == 0);
    log->limit_lsn = UINT64_MAX;
    world_money(world, &money);
    world_free(world);
    return money.reserved > 0;
}

/* A record as an older usher would have written it: without the last bytes of its body. */
static void append_short(struct random_history *history, struct memory_log *log,
                         struct decision *decision, uint32_t without) {
    uint8_t bytes[RECORD_BYTES_MAX];
    uint32_t size = decision_encode(decision, bytes) - without;
    memcpy(bytes, &size, sizeof size);
    REQUIRE(decision_decode(bytes, size, decision) == DECISION_DECODE_OK);
    (void)memory_log_append_bytes(log, bytes, size);
    REQUIRE(world_apply(history->world, decision) == WORLD_APPLIED);
}

static void append_older(struct random_history *history, struct memory_log *log) {
    struct id128 user = {{0xA1, 0xB2, 0xC3}};
    struct decision charged = {.kind = DECISION_WALLET_CHARGED,
                               .partition = partition_of_user(&user),
                               .time_ms = history->now_ms};
    charged.wallet_charged = (struct decision_wallet_charged){
        .user = user, .amount = 7, .balance = 7};
    append_short(history, log, &charged, 16); /* without its key */
    struct decision policy = {.kind = DECISION_POLICY_CHANGED,
                              .partition = partition_of_date(1),
                              .time_ms = history->now_ms};
    append_short(history, log, &policy, 1 + 8 * POLICY_FIELD_COUNT); /* without its policy */
}

static void hash_all(struct random_history *history, struct memory_log *log) {
    for (uint32_t i = 0; i <= ACCOUNT_PARTITIONS + history->world->date_count; i++) {
        struct partition *partition = i == 0 ? history->world->catalogue
                                      : i <= ACCOUNT_PARTITIONS
                                          ? history->world->accounts[i - 1]
                                          : history->world->dates[i - ACCOUNT_PARTITIONS];
        struct decision decision = {
            .kind = DECISION_STATE_HASHED, .partition = partition->id, .time_ms = history->now_ms};
        decision.state_hashed.hash = partition_hash(partition);
        (void)memory_log_append(log, &decision);
    }
}

/* --- what chance rarely brings: a date cancelled while one has paid and one is paying --------- */

/* Enter, charge, hold a seat that costs something, pay; messages are still to be delivered. */
static void buy(struct random_history *history, uint32_t user, uint32_t seat) {
    struct id128 who = random_history_user(user), key = {{0x50, (uint8_t)seat}};
    struct command enter = {.kind = COMMAND_QUEUE_ENTER, .partition = partition_of_date(3)};
    struct command charge = {.kind = COMMAND_WALLET_CHARGE, .partition = partition_of_user(&who)};
    struct command hold = {.kind = COMMAND_SEATS_HOLD, .partition = partition_of_date(3)};
    struct command pay = {.kind = COMMAND_PAYMENT_PAY, .partition = partition_of_date(3)};
    struct seat_ref seats[1] = {{.number = seat}};
    enter.enter.user = who;
    enter.enter.secret = (struct id128){{0x5E, (uint8_t)seat}};
    random_history_decide(history, &enter);
    random_history_settle(history); /* admitted */
    charge.wallet.user = who;
    charge.wallet.amount = 1000;
    charge.wallet.key = key;
    random_history_decide(history, &charge);
    const struct date *date = (const struct date *)history->world->dates[3];
    place_t place = room_place_of(&date->room, &who);
    hold.hold.token = (struct token){3, place, room_find(&date->room, place)->secret};
    hold.hold.seats = seats;
    hold.hold.count = 1;
    random_history_decide(history, &hold);
    pay.pay.token = hold.hold.token;
    pay.pay.reservation = dated_id(3, date->reservations.sequence_count);
    pay.pay.key = key;
    random_history_decide(history, &pay);
}

/* Two holds with one token; the second is paid with the next one, which ends with it. */
static void pay_with_another_token(struct random_history *history) {
    struct id128 who = random_history_user(2);
    struct command enter = {.kind = COMMAND_QUEUE_ENTER, .partition = partition_of_date(1)};
    struct command hold = {.kind = COMMAND_SEATS_HOLD, .partition = partition_of_date(1)};
    struct command pay = {.kind = COMMAND_PAYMENT_PAY, .partition = partition_of_date(1)};
    const struct date *date = (const struct date *)history->world->dates[1];
    for (uint8_t turn = 0; turn < 2; turn++) {
        enter.enter.user = who;
        enter.enter.secret = (struct id128){{0x5F, turn}};
        random_history_decide(history, &enter);
        random_history_settle(history); /* admitted */
        place_t place = room_place_of(&date->room, &who);
        pay.pay.token = (struct token){1, place, room_find(&date->room, place)->secret};
        for (uint32_t seat = 7; turn == 0 && seat <= 13; seat += 6) { /* free of charge */
            struct seat_ref seats[1] = {{.number = seat}};
            hold.hold.token = pay.pay.token;
            hold.hold.seats = seats;
            hold.hold.count = 1;
            random_history_decide(history, &hold);
        }
        pay.pay.reservation = dated_id(1, date->reservations.sequence_count - turn);
        pay.pay.key = (struct id128){{0x51, turn}};
        random_history_decide(history, &pay);
        random_history_settle(history);
    }
}

static void cancel_a_date(struct random_history *history) {
    buy(history, 0, 2);
    random_history_settle(history);
    buy(history, 1, 3);
    random_history_decide(history, &(struct command){.kind = COMMAND_DATE_CANCEL,
                                                     .partition = partition_of_date(3),
                                                     .confirm = {.number = 3}});
    random_history_settle(history);
}

/* The first history in which everything occurs. */
static void find_history(struct memory_log *ret_records, uint64_t *ret_world_hash) {
    for (uint64_t seed = 1;; seed++) {
        struct random_history history;
        memory_log_init(ret_records);
        random_history_init(&history, ret_records, seed, 30);
        pay_with_another_token(&history);
        cancel_a_date(&history);
        random_history_run(&history, 700);
        append_older(&history, ret_records);
        random_history_run(&history, 80);
        hash_all(&history, ret_records);
        *ret_world_hash = world_hash(history.world);
        random_history_deinit(&history);
        if (has_every_kind(ret_records) && has_transfer(ret_records)) return;
        memory_log_deinit(ret_records);
    }
}

static void write_file(const char *path, const void *bytes, size_t size) {
    char name[GOLDEN_PATH_BYTES];
    (void)snprintf(name, sizeof name, "%s/%s", folder, path); /* too long: cannot be made */
    FILE *file = fopen(name, "wb");
    REQUIRE(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

struct save {
    struct storage *disk;
    const char *folder;
};
static void save_file(void *context, const char *name) {
    const struct save *save = context;
    char path[128];
    uint64_t size = 0;
    const uint8_t *bytes = storage_memory_bytes(save->disk, name, &size);
    (void)snprintf(path, sizeof path, "%s/%.60s", save->folder, name);
    write_file(path, bytes, size);
}

static void save(struct storage *disk, const char *name) {
    char path[GOLDEN_PATH_BYTES];
    struct save context = {disk, name};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name); /* too long: cannot be made */
    REQUIRE(mkdir(path, 0755) == 0 || errno == EEXIST);
    golden_each(disk, save_file, &context);
}

static int make(void) {
    struct memory_log records, again;
    uint64_t hash, lsns[2];
    uint32_t shorter;
    char text[512];
    struct wal_recovery_options options = {0};
    struct wal_recovery found;
    struct wal_error error;
    struct recover_result result;
    REQUIRE(mkdir(folder, 0755) == 0 || errno == EEXIST);
    find_history(&records, &hash);
    struct storage *disk = golden_write_log(&records);
    save(disk, "wal");
    struct storage *snapshots = make_snapshots(disk, &records);
    save(snapshots, "snapshots");
    golden_snapshot_lsns(&records, lsns);
    REQUIRE(wal_recover(disk, &options, &found, &error) == 0);
    world_free(replay(disk, found.end_lsn, &result));
    REQUIRE(result.world_hash == hash); /* of the live state */
    encode_again(&records, &again, &shorter);
    int size = snprintf(text, sizeof text,
                        "what is expected of this log and its snapshots\nend_lsn %llu\nepochs "
                        "%llu\ntorn_tails %llu\nworld_hash %016llx\nhashes %llu\nshort_records "
                        "%u\nolder_snapshot_lsn %llu\nsnapshot_lsn %llu\n",
                        (unsigned long long)found.end_lsn, (unsigned long long)found.epochs,
                        (unsigned long long)found.torn_tails, (unsigned long long)hash,
                        (unsigned long long)result.hashes_verified, shorter,
                        (unsigned long long)lsns[0], (unsigned long long)lsns[1]);
    write_file("expected.txt", text, (size_t)size);
    struct golden_bytes lines = decision_lines(disk);
    write_file("decisions.jsonl", lines.bytes, lines.size);
    free(lines.bytes);
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_name(lsns[1], name);
    lines = entity_lines(snapshots, name);
    write_file("entities.jsonl", lines.bytes, lines.size);
    free(lines.bytes);
    snapshots->operations->destroy(snapshots);
    disk->operations->destroy(disk);
    memory_log_deinit(&records);
    memory_log_deinit(&again);
    printf("%s is made; look at it, and keep it for ever\n", folder);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--make") == 0) {
        folder = argv[2];
        return make();
    }
    is_newest = argc == 3 && strcmp(argv[1], "--newest") == 0;
    if (argc != 2 && !is_newest) {
        (void)fprintf(stderr, "Usage: test-golden [--make|--newest] FOLDER\n");
        return 2;
    }
    folder = argv[argc - 1];
    const struct CMUnitTest older[] = {
        cmocka_unit_test(every_decision_is_decoded),
        cmocka_unit_test(the_log_replays_to_the_same_state),
        cmocka_unit_test(every_snapshot_is_the_state_of_its_lsn),
    };
    const struct CMUnitTest newest[] = {
        cmocka_unit_test(every_decision_is_decoded),
        cmocka_unit_test(the_log_replays_to_the_same_state),
        cmocka_unit_test(every_snapshot_is_the_state_of_its_lsn),
        cmocka_unit_test(every_kind_occurs),
        cmocka_unit_test(todays_writer_makes_the_same_log),
        cmocka_unit_test(todays_writer_makes_the_same_snapshots),
    };
    return is_newest ? cmocka_run_group_tests(newest, NULL, NULL)
                     : cmocka_run_group_tests(older, NULL, NULL);
}
