/* seeds.c - what fuzzing begins with: real material, made by usher's own code
 *
 * Usage: fuzz_seeds FOLDER   writes FOLDER/TARGET/seed-NAME
 * Not a test. To be run after a format has got a new kind, field or method; README.md, "Corpora",
 * says how the result gets into the corpus.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/domain/image/image.h"
#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "replay/snapshot/snapshot.h"
#include "tests/fuzz/fuzz_fixture.h"
#include "tests/support/notation.h"
#include "tests/support/random_history.h"
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

#define PAGE_BYTES 4096u
#define SEED_BYTES_MAX (512u * 1024u)

/* A file under way. */
struct seed {
    uint8_t bytes[SEED_BYTES_MAX];
    size_t size;
};

static const char *folder;
static struct seed seed;

static void add(const void *bytes, size_t size) {
    REQUIRE(size <= sizeof seed.bytes - seed.size);
    memcpy(seed.bytes + seed.size, bytes, size);
    seed.size += size;
}

static void add_u8(uint8_t value) { add(&value, 1); }

static void add_u16(size_t value) {
    REQUIRE(value <= UINT16_MAX);
    add((uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8)}, 2);
}

static void save(const char *target, const char *name) {
    char path[4096];
    (void)mkdir(folder, 0777); /* may be there; fopen says if not */
    (void)snprintf(path, sizeof path, "%s/%s", folder, target);
    (void)mkdir(path, 0777); /* likewise */
    int size = snprintf(path, sizeof path, "%s/%s/seed-%s", folder, target, name);
    REQUIRE(size > 0 && (size_t)size < sizeof path);
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL && fwrite(seed.bytes, 1, seed.size, file) == seed.size);
    REQUIRE(fclose(file) == 0);
    seed.size = 0;
}

/* --- frame ------------------------------------------------------------------------------------ */

enum { PUBLIC = 0, ADMIN = 1, FULL = 2, SLOW = 4, SECONDS_3 = 3 << 3, DAY = 7 << 3 };

static void add_frame(uint8_t head, const char *requests[], uint32_t count) {
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, FRAME_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) notation_write(&writer, requests[i]);
    add_u8(head);
    add_u16(writer.size);
    add(writer.bytes, writer.size);
    value_writer_deinit(&writer);
}
#define ADD_FRAME(head, ...)                                                                       \
    add_frame(head, (const char *[]){__VA_ARGS__},                                                 \
              sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

#define USER(last) "'user':'123e4567-e89b-42d3-a456-4266141740" last "'"
#define TOKEN(place) "'token':'0000000100000" place "01010101010101010101010101010101'"
#define R1 "'reservation':4294967297"

static void add_concert(const char *policy) {
    char create[512];
    (void)snprintf(create, sizeof create,
                   "[0,2,'admin.date_create',{'concert':1,'title':'Second night',"
                   "'starts_at':1800003600000%s}]",
                   policy); /* fits */
    ADD_FRAME(ADMIN, "[0,1,'admin.concert_create',{'title':'One concert'}]", create,
              "[0,3,'admin.seats_add',{'date':1,'first':1,'seats':["
              "{'section':'A','row':'1','seat':'1','guid':'g1','price':100},"
              "{'section':'A','row':'1','seat':'2','price':50},"
              "{'section':'A','row':'1','seat':'3','price':0},"
              "{'section':'B','row':'1','seat':'1','price':9,'for_sale':false}]}]",
              "[0,4,'admin.date_open',{'date':1}]");
    ADD_FRAME(PUBLIC, "[0,1,'queue.enter',{'date':1," USER("00") "}]",
              "[0,2,'queue.enter',{'date':1," USER("01") "}]",
              "[0,3,'wallet.charge',{" USER("00") ",'amount':150,'key':'c1'}]");
}

static void seeds_frame(void) {
    add_concert("");
    ADD_FRAME(PUBLIC, "[0,4,'seats.hold',{" TOKEN("001") ",'seats':[1,'A/1/2']}]");
    ADD_FRAME(FULL | SLOW, "[0,5,'payment.pay',{" TOKEN("001") "," R1 ",'key':'p1'}]");
    ADD_FRAME(PUBLIC, "[0,6,'reservation.cancel',{" USER("00") "," R1 ",'key':'x'}]",
              "[0,7,'reservation.list',{" USER("00") "}]",
              "[0,8,'wallet.history',{" USER("00") "}]");
    save("frame", "sold-and-refunded");

    add_concert(",'active_capacity':1,'hold_ttl_ms':2000,'token_expires_on':'reservation'");
    ADD_FRAME(PUBLIC, "[0,1,'queue.status',{" TOKEN("002") "}]",
              "[0,2,'seats.hold',{" TOKEN("001") ",'seats':['g1']}]",
              "[0,3,'seats.hold',{" TOKEN("002") ",'seats':[1]}]");
    ADD_FRAME(SECONDS_3, "[0,4,'seats.list',{" TOKEN("002") ",'all':true,'limit':2}]",
              "[0,5,'queue.leave',{" TOKEN("002") "}]");
    ADD_FRAME(DAY, "[0,6,'queue.status',{" TOKEN("001") "}]");
    save("frame", "expired");

    add_concert(",'reentry':'requeue','gate_dates':true");
    ADD_FRAME(PUBLIC, "[0,1,'seats.hold',{" TOKEN("001") ",'seats':[3,2]}]",
              "[0,2,'seats.release',{" TOKEN("001") "," R1 "}]",
              "[0,3,'queue.enter',{'date':1," USER("00") "}]",
              "[0,4,'catalogue.dates',{'concert':1," TOKEN("002") ",'available_only':true}]",
              "[0,5,'catalogue.concerts',{}]", "[0,6,'wallet.balance',{" USER("01") "}]");
    ADD_FRAME(PUBLIC, "[0,7,'seats.hold',{" TOKEN("002") ",'seats':[1]}]",
              "[0,8,'payment.pay',{" TOKEN("002") ",'reservation':4294967298,'key':'p'}]");
    ADD_FRAME(ADMIN, "[0,1,'admin.date_policy',{'date':1,'hold_ttl_ms':5000}]",
              "[0,2,'admin.date_close',{'date':1}]",
              "[0,3,'admin.date_cancel',{'date':1,'confirm':'Second night'}]");
    ADD_FRAME(PUBLIC, "[0,9,'system.ping',{}]", "[0,10,'system.stats',{}]");
    save("frame", "cancelled");

    ADD_FRAME(PUBLIC, "[0,1,'no.such',{}]", "[0,4294967295,'system.ping',{'x':1}]");
    ADD_FRAME(PUBLIC, "[0,1,'seats.hold',{'token':'x','seats':[]}]",
              "[0,2,'wallet.charge',{'user':nil,'amount':-1,'key':''}]");
    ADD_FRAME(PUBLIC, "[0,1,'system.ping',{},5]");
    ADD_FRAME(PUBLIC, "#94000799");
    save("frame", "refused");
}

/* --- the log and what is in it ---------------------------------------------------------------- */

static uint64_t now_ms(void *context) { return *(uint64_t *)context += 100; }

static void fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 0x5a, size);
}

/* One run of an engine: so many records from the history, a few a block. */
static void run_epoch(struct storage *disk, const struct memory_log *log, uint64_t *position,
                      uint32_t records, bool stop) {
    uint64_t clock = 1800000000000u, lsn;
    struct wal_options options = {.storage = disk,
                                  .clock = {&clock, now_ms},
                                  .entropy = {NULL, fill},
                                  .segment_bytes = WAL_SEGMENT_BYTES_MIN,
                                  .buffer_bytes = DRAIN_BYTES_MAX,
                                  .appenders = 1};
    struct wal_error error;
    struct wal *wal;
    REQUIRE(wal_open(&options, NULL, &wal, &error) == 0);
    for (uint32_t i = 0; i < records; i++) {
        uint32_t size;
        memcpy(&size, log->bytes + *position, sizeof size);
        REQUIRE(wal_append(wal, 0, log->bytes + *position, size, &lsn) == 0);
        *position += size;
        if (i % 4 != 3) continue;
        while (wal_writer_step(wal, false) == 0) continue;
    }
    if (stop) REQUIRE(wal_stop(wal) == 0);
    wal_close(wal);
}

/* The pages of a file that have anything in them. A header's sum is left out where it is put right.
 * @segment: UINT32_MAX: the input has no number of a segment in front of the page's */
static void add_file(uint32_t segment, const uint8_t *bytes, uint64_t size, bool sums_put_right) {
    for (uint64_t at = 0; at < size; at += PAGE_BYTES) {
        size_t used = at == 0 && sums_put_right ? 96 : PAGE_BYTES;
        while (used > 0 && bytes[at + used - 1] == 0) used--;
        if (used == 0) continue;
        if (segment != UINT32_MAX) add_u8((uint8_t)segment);
        add_u8((uint8_t)(at / PAGE_BYTES));
        add_u16(used);
        add(bytes + at, used);
    }
}

/* A disk as fuzz_wal.c reads it. */
static void save_disk(struct storage *disk, uint8_t mode, const char *name) {
    add_u8(mode);
    for (uint32_t segment = 0; segment < 4; segment++) {
        char file[WAL_FILE_NAME_BYTES];
        uint64_t size;
        (void)snprintf(file, sizeof file, "wal-%016x.seg", segment + 1);
        const uint8_t *bytes = storage_memory_bytes(disk, file, &size);
        if (bytes) add_file(segment, bytes, size, mode != 0);
    }
    save("wal", name);
}

static void seeds_wal(const struct memory_log *log) {
    static const char *const names[] = {"plain", "sums", "sequence", "both"};
    for (uint8_t mode = 0; mode < 4; mode++) {
        struct storage *disk;
        uint64_t position = 0;
        REQUIRE(storage_memory_open(&disk) == 0);
        run_epoch(disk, log, &position, mode == 0 ? 4 : 12, true);
        if (mode > 0) run_epoch(disk, log, &position, 7, false);
        if (mode > 1) run_epoch(disk, log, &position, 3, true);
        save_disk(disk, mode, names[mode]);
        disk->operations->destroy(disk);
    }
}

/* The first records of each kind. */
static void seeds_decision(const struct memory_log *log) {
    uint32_t seen[256] = {0};
    for (uint64_t at = 0; at < log->size;) {
        struct decision decision;
        char name[64];
        uint32_t size;
        memcpy(&size, log->bytes + at, sizeof size);
        REQUIRE(decision_decode(log->bytes + at, size, &decision) == DECISION_DECODE_OK);
        if (seen[decision.kind]++ < 2) {
            (void)snprintf(name, sizeof name, "%s-%u", decision_name(decision.kind),
                           seen[decision.kind]); /* fits */
            add(log->bytes + at, size);
            save("decision", name);
        }
        at += size;
    }
}

/* --- entities --------------------------------------------------------------------------------- */

static int add_entity(void *context, const struct entity *entity, const uint8_t *bytes,
                      uint32_t size) {
    (void)context;
    (void)entity;
    add(bytes, size);
    return 0;
}

static void ignore_reply(void *context, struct request *request, const struct reply *reply) {
    (void)context;
    (void)request;
    (void)reply;
}

static void ignore_request(void *context, struct request *request) {
    (void)context;
    (void)request;
}

static void tell(struct fuzz_fixture *fixture, uint64_t pass_ms, const struct command *command) {
    static struct request request; /* one at a time */
    request = (struct request){.command = *command};
    fixture->now_ms += pass_ms;
    REQUIRE(engine_submit(fixture->engine, 0, &request) == 0);
    fuzz_fixture_run(fixture);
}

/* What the engine knows now. */
static struct world *world_of(const struct fuzz_fixture *fixture) {
    struct id128 id = {{3}};
    struct world *world = world_create(&id);
    fuzz_fixture_replay(fixture, world);
    return world;
}

#define TEXT(literal) ((struct text){literal, sizeof literal - 1})
#define RESERVATION(sequence) (1ull << 32 | (sequence))
#define ASK(KIND, whom) .kind = COMMAND_##KIND, .partition = (whom)

/* Every secret is what the entropy of fuzz_fixture.h makes. */
static struct token token_of(place_t place) {
    struct token token = {.date = 1, .place = place};
    memset(&token.secret, 1, sizeof token.secret);
    return token;
}

/* The life of a small concert, which ends after so many steps. A history of tests/unit/replay has
 * more of everything, and inputs so large that a fuzzer is slow with them. */
static void small_concert(struct fuzz_fixture *fixture, uint32_t steps) {
    static const struct seat_spec specs[] = {
        {5, true, TEXT("A"), TEXT("1"), TEXT("1"), TEXT("g")},
        {7, true, TEXT("A"), TEXT("1"), TEXT("2"), TEXT("")},
        {0, false, TEXT("A"), TEXT(""), TEXT("3"), TEXT("")},
    };
    static const struct seat_ref refs[] = {{.number = 1}, {.number = 2}};
    const uint32_t date = partition_of_date(1);
    const struct id128 a = {{0xA, [15] = 1}}, b = {{0xB, [15] = 2}};
    struct policy policy;
    policy_default(&policy);
    policy.active_capacity = 2;
    const struct command script[] = {
        {ASK(CONCERT_CREATE, PARTITION_CATALOGUE), .concert = {TEXT("c")}},
        {ASK(DATE_CREATE, PARTITION_CATALOGUE), .date = {1, TEXT("d"), 1, &policy, {{1}}}},
        {ASK(SEATS_ADD, date), .seats = {1, 3, specs}},
        {ASK(DATE_OPEN, date)},
        {ASK(QUEUE_ENTER, date), .enter = {a, {{1}}}},
        {ASK(QUEUE_ENTER, date), .enter = {b, {{1}}}},
        {ASK(QUEUE_ENTER, date), .enter = {{{0xC}}, {{1}}}},
        {ASK(WALLET_CHARGE, partition_of_user(&a)), .wallet = {a, 100, {{7}}}},
        {ASK(SEATS_HOLD, date), .hold = {token_of(1), refs, 1}},
        {ASK(SEATS_HOLD, date), .hold = {token_of(2), refs + 1, 1}},
        {ASK(PAYMENT_PAY, date), .pay = {token_of(2), RESERVATION(2), {{6}}}},
        {ASK(PAYMENT_PAY, date), .pay = {token_of(1), RESERVATION(1), {{5}}}},
        {ASK(SEATS_RELEASE, date), .release = {token_of(2), RESERVATION(2)}},
        {ASK(RESERVATION_CANCEL, date), .cancel = {a, RESERVATION(1), {{4}}}},
        {ASK(DATE_CLOSE, date)},
    };
    struct id128 id = {{3}};
    fuzz_fixture_open(fixture, world_create(&id), FUZZ_BEGIN_MS,
                      &(struct reply_sink){NULL, ignore_reply, ignore_request});
    for (uint32_t i = 0; i < sizeof script / sizeof *script && i < steps; i++) {
        tell(fixture, i, &script[i]);
    }
}

static const uint32_t small_steps[] = {0, 4, 8, 10, 11, 12, 15};

static void seeds_entity(void) {
    for (uint32_t i = 0; i < sizeof small_steps / sizeof *small_steps; i++) {
        char name[32];
        struct fuzz_fixture fixture;
        small_concert(&fixture, small_steps[i]);
        struct world *world = world_of(&fixture);
        add_u8((uint8_t)(i > 0)); /* its hashes are put right, but for the first */
        REQUIRE(image_save(world, &(struct image_sink){add_entity, NULL}) == 0);
        (void)snprintf(name, sizeof name, "after-%u-steps", small_steps[i]);
        save("entity", name);
        world_free(world);
        fuzz_fixture_close(&fixture);
    }
}

/* The same as files of snapshots, in the pages that fuzz_snapshot.c reads. */
static void seeds_snapshot(void) {
    for (uint8_t mode = 0; mode < 4; mode++) {
        char name[32];
        struct fuzz_fixture fixture;
        struct storage *disk;
        struct snapshot_error error;
        uint64_t size;
        small_concert(&fixture, small_steps[2 * mode]);
        struct world *world = world_of(&fixture);
        REQUIRE(storage_memory_open(&disk) == 0);
        struct snapshot_info info = {.lsn = 0x100, .created_ms = FUZZ_BEGIN_MS, .epoch = 1};
        REQUIRE(snapshot_save(disk, world, &info, NULL, NULL, &error) == 0);
        const uint8_t *bytes = storage_memory_bytes(disk, "snap-0000000000000100.snp", &size);
        REQUIRE(bytes != NULL);
        add_u8((uint8_t)(mode > 0 ? mode * 2 + 1 : 0));
        add_file(UINT32_MAX, bytes, size, mode > 0);
        (void)snprintf(name, sizeof name, "mode-%u", mode);
        save("snapshot", name);
        disk->operations->destroy(disk);
        world_free(world);
        fuzz_fixture_close(&fixture);
    }
}

/* --- plans and small values ------------------------------------------------------------------- */

/* The first few elements of every array of a real hall: rows, seats, areas. */
static void shorten(json_t *json) {
    size_t index;
    json_t *item;
    const char *key;
    while (json_array_size(json) > 2)
        REQUIRE(json_array_remove(json, json_array_size(json) - 1) == 0);
    json_array_foreach(json, index, item) shorten(item);
    json_object_foreach(json, key, item) {
        if (strcmp(key, "categories") != 0) shorten(item);
    }
}

static void seeds_plan(const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof path, DEMO_DIRECTORY "/%s.json", name); /* fits, or is not found */
    json_t *plan = json_load_file(path, 0, NULL);
    REQUIRE(plan != NULL);
    shorten(plan);
    char *text = json_dumps(plan, JSON_COMPACT);
    REQUIRE(text != NULL);
    add(text, strlen(text));
    save("plan", name);
    free(text);
    json_decref(plan);
}

static void seeds_values(void) {
    static const struct {
        uint8_t reader;
        const char *name, *text;
    } texts[] = {
        {1, "json", "{\"a\":[1,-2,true,null,\"\\u00fc\\\"\"],\"b\":{\"c\":9007199254740991}}"},
        {1, "json-fraction", "[1.5e3]"},
        {2, "moment", "2016-02-29T19:00:30+02:00"},
        {2, "moment-utc", "2016-02-08 17:00Z"},
        {2, "moment-ms", "1454950800000"},
        {3, "token", "00000001000000020102030405060708090a0b0c0d0e0fFF"},
        {3, "uuid", "123e4567-e89b-42d3-a456-42661417400F"},
    };
    struct value_writer writer;
    for (uint32_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        add_u8(texts[i].reader);
        add(texts[i].text, strlen(texts[i].text));
        save("values", texts[i].name);
    }
    value_writer_init(&writer, NULL, 0, FRAME_BYTES_MAX);
    notation_write(&writer, "[1,7,nil,{'a':-5,'b':[true,false,'x'],'c':18446744073709551615,'d':"
                            "1.5}]");
    add_u8(0);
    add(writer.bytes, writer.size);
    save("values", "messagepack");
    value_writer_deinit(&writer);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "Usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    struct memory_log log;
    struct random_history history;
    memory_log_init(&log);
    random_history_init(&history, &log, 1, 12);
    random_history_run(&history, 4000);
    random_history_settle(&history);
    seeds_frame();
    seeds_wal(&log);
    seeds_decision(&log);
    seeds_entity();
    seeds_snapshot();
    seeds_plan("kherson-yubileynyi");
    seeds_plan("mykolaiv-odk");
    seeds_values();
    random_history_deinit(&history);
    memory_log_deinit(&log);
    return 0;
}
