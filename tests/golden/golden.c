/* golden.c - see golden.h */
#include "tests/golden/golden.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/support/random_history.h"
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

/* --- files ------------------------------------------------------------------------------------ */

struct golden_bytes golden_read(const char *folder, const char *name) {
    char path[GOLDEN_PATH_BYTES];
    struct golden_bytes ret = {0};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name); /* too long: not found */
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is not there", path);
    REQUIRE(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    REQUIRE(size >= 0);
    rewind(file);
    ret.size = (size_t)size;
    ret.bytes = calloc(1, ret.size + 1);
    REQUIRE(ret.bytes && fread(ret.bytes, 1, ret.size, file) == ret.size);
    (void)fclose(file);
    return ret;
}

struct storage *golden_load(const char *folder, const char *name) {
    char path[GOLDEN_PATH_BYTES];
    struct storage *disk;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name); /* too long: not found */
    assert_int_equal(storage_memory_open(&disk), 0);
    DIR *directory = opendir(path);
    if (!directory) fail_msg("%s is not there", path);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        struct golden_bytes file = golden_read(path, entry->d_name);
        REQUIRE(storage_memory_put(disk, entry->d_name, (const uint8_t *)file.bytes, file.size) ==
                0);
        free(file.bytes);
    }
    (void)closedir(directory);
    return disk;
}

#define NAMES_MAX 16u
struct golden_names {
    char names[NAMES_MAX][64];
    uint32_t count;
};

static void collect(void *context, const char *name) {
    struct golden_names *names = context;
    REQUIRE(names->count < NAMES_MAX);
    (void)snprintf(names->names[names->count++], 64, "%.60s", name);
}

void golden_each(struct storage *disk, void (*visit)(void *context, const char *name),
                 void *context) {
    struct golden_names names = {.count = 0};
    REQUIRE(disk->operations->list(disk, collect, &names) == 0);
    for (uint32_t i = 0; i < names.count; i++) visit(context, names.names[i]);
}

/* --- lines ------------------------------------------------------------------------------------ */

struct golden_line {
    FILE *out;
    bool more; /* a field came before */
};

static void key(struct golden_line *line, const char *field) {
    (void)fprintf(line->out, "%s\"%s\":", line->more ? "," : "", field);
    line->more = true;
}

static void put_number(void *context, const char *field, uint64_t value) {
    struct golden_line *line = context;
    key(line, field);
    (void)fprintf(line->out, "%llu", (unsigned long long)value);
}

static void put_id(void *context, const char *field, const struct id128 *value) {
    struct golden_line *line = context;
    key(line, field);
    (void)fputc('"', line->out);
    for (uint32_t i = 0; i < sizeof value->bytes; i++) {
        (void)fprintf(line->out, "%02x", value->bytes[i]);
    }
    (void)fputc('"', line->out);
}

static void put_text(void *context, const char *field, const struct text *value) {
    struct golden_line *line = context;
    key(line, field);
    (void)fputc('"', line->out);
    for (uint32_t i = 0; i < value->size; i++) {
        uint8_t byte = (uint8_t)value->bytes[i];
        REQUIRE(byte >= 0x20); /* none in golden files, so nobody has to agree how to write them */
        if (byte == '"' || byte == '\\') (void)fputc('\\', line->out);
        (void)fputc(byte, line->out);
    }
    (void)fputc('"', line->out);
}

static void put_numbers(void *context, const char *field, const struct numbers *value) {
    struct golden_line *line = context;
    key(line, field);
    (void)fputc('[', line->out);
    for (uint32_t i = 0; i < value->count; i++) {
        (void)fprintf(line->out, "%s%u", i ? "," : "", value->values[i]);
    }
    (void)fputc(']', line->out);
}

static void put_policy(void *context, const char *field, const struct policy *value) {
    struct golden_line *line = context;
    key(line, field);
    (void)fputc('[', line->out);
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        (void)fprintf(line->out, "%s%llu", i ? "," : "", (unsigned long long)policy_get(value, i));
    }
    (void)fputc(']', line->out);
}

static struct decision_visitor visitor(struct golden_line *line) {
    return (struct decision_visitor){line, put_number, put_id, put_text, put_numbers, put_policy};
}

void golden_decision(FILE *out, const struct decision *decision, uint64_t lsn) {
    struct golden_line line = {.out = out};
    const struct decision_visitor visit = visitor(&line);
    (void)fprintf(out,
                  "{\"lsn\":%llu,\"kind\":\"%s\",\"partition\":%u,\"time_ms\":%llu,\"fields\":{",
                  (unsigned long long)lsn, decision_name(decision->kind), decision->partition,
                  (unsigned long long)decision->time_ms);
    decision_visit(decision, &visit);
    (void)fputs("}}\n", out);
}

void golden_entity(FILE *out, const struct entity *entity) {
    struct golden_line line = {.out = out};
    const struct decision_visitor visit = visitor(&line);
    (void)fprintf(out, "{\"kind\":\"%s\",\"fields\":{", entity_name(entity->kind));
    entity_visit(entity, &visit);
    (void)fputs("}}\n", out);
}

/* --- writing ---------------------------------------------------------------------------------- */

#define PAGE 4096u

struct golden_writing {
    const struct memory_log *records;
    struct storage *disk;
    struct wal *wal;
    uint64_t now_ms;
    uint8_t entropy;
};

static uint64_t fixed_now(void *context) { return ((struct golden_writing *)context)->now_ms; }

static void fixed_entropy(void *context, void *bytes, uint32_t size) {
    struct golden_writing *writing = context;
    for (uint32_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = writing->entropy += 37;
}

static void begin_epoch(struct golden_writing *writing) {
    struct wal_options options = {
        .storage = writing->disk,
        .clock = {.context = writing, .now_ms = fixed_now},
        .entropy = {.context = writing, .fill = fixed_entropy},
        .segment_bytes = WAL_SEGMENT_BYTES_MIN,
        .buffer_bytes = 1u << 19,
        .appenders = 1,
    };
    struct wal_error error;
    writing->now_ms += 60000;
    if (wal_open(&options, NULL, &writing->wal, &error) != 0) fail_msg("%s", error.text);
}

static void settle(struct golden_writing *writing) {
    int rc;
    do { rc = wal_writer_step(writing->wal, false); } while (rc == 0);
    assert_int_equal(rc, WAL_IDLE);
}

/* The LSN to which so many thousandths of the records come, at the end of one. */
static uint64_t lsn_at(const struct memory_log *records, uint32_t thousandths) {
    uint64_t lsn = 0;
    while (lsn < records->size * thousandths / 1000) {
        uint32_t size;
        memcpy(&size, records->bytes + lsn, sizeof size);
        lsn += size;
    }
    return lsn;
}

static void write_to(struct golden_writing *writing, uint32_t thousandths) {
    uint64_t from = wal_appended_lsn(writing->wal), to = lsn_at(writing->records, thousandths);
    writing->now_ms += 11;
    if (to > from) {
        assert_int_equal(wal_append(writing->wal, 0, writing->records->bytes + from,
                                    (uint32_t)(to - from), &from),
                         0);
    }
    settle(writing);
}

static void seal(struct golden_writing *writing) {
    writing->now_ms += WAL_SEAL_AFTER_MS;
    settle(writing);
}

static void stop(struct golden_writing *writing) {
    assert_int_equal(wal_stop(writing->wal), 0);
    wal_close(writing->wal);
}

/* The end of the epoch is torn: the last block that was written lacks its last page. */
static void tear(struct golden_writing *writing) {
    uint64_t size = 0;
    uint32_t last = 0;
    wal_close(writing->wal); /* without a seal, as a process does that dies */
    uint8_t *bytes = storage_memory_bytes(writing->disk, "wal-0000000000000001.seg", &size);
    assert_non_null(bytes);
    for (uint32_t page = PAGE; page < size; page += PAGE) {
        if (memcmp(bytes + page, "USHERBLK", 8) == 0) last = page;
    }
    uint32_t body;
    memcpy(&body, bytes + last + 32, sizeof body);
    assert_true(last > 0 && body > PAGE);
    memset(bytes + last + PAGE, 0, (80 + body + PAGE - 1) / PAGE * PAGE - PAGE);
}

struct storage *golden_write_log(const struct memory_log *records) {
    struct golden_writing writing = {.records = records, .now_ms = 1763755000000};
    assert_int_equal(storage_memory_open(&writing.disk), 0);
    begin_epoch(&writing);
    write_to(&writing, 1); /* one record */
    write_to(&writing, 140);
    seal(&writing);
    write_to(&writing, 141);
    write_to(&writing, 210);
    write_to(&writing, 500); /* torn: nobody was told */
    tear(&writing);
    begin_epoch(&writing);
    write_to(&writing, 400);
    write_to(&writing, 500);
    seal(&writing);
    write_to(&writing, 501);
    write_to(&writing, 760);
    write_to(&writing, 990); /* on into the next segment */
    stop(&writing);
    begin_epoch(&writing);
    write_to(&writing, 1000);
    stop(&writing);
    return writing.disk;
}

void golden_snapshot_lsns(const struct memory_log *records, uint64_t ret_lsns[2]) {
    ret_lsns[0] = lsn_at(records, 500);
    ret_lsns[1] = lsn_at(records, 990);
}
