/* segment.c - a segment's name and header, and the list of segments; see segment.h */
#include "wal/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/require.h"
#include "wal/block.h"
#include "wal/bytes.h"

static const char segment_magic[8] = {'U', 'S', 'H', 'E', 'R', 'S', 'E', 'G'};

/* Offsets in the header; the table is in wal/FORMAT.md, "Segment". */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_ACCOUNT_PARTITIONS = 12,
    AT_LOG_ID = SEGMENT_AT_LOG_ID,
    AT_NUMBER = 32,
    AT_EPOCH = 40,
    AT_FIRST_LSN = 48,
    AT_CHAIN = 56,
    AT_SEGMENT_BYTES = 64,
    AT_CREATED_MS = 72,
    AT_CHECKSUM = 4088,
};
_Static_assert(AT_CHECKSUM + 8 == SEGMENT_HEADER_BYTES, "the checksum comes last");

void segment_encode(struct segment_header *header, uint8_t *bytes) {
    REQUIRE(header->number >= 1 && header->epoch >= 1);
    memset(bytes, 0, SEGMENT_HEADER_BYTES);
    memcpy(bytes + AT_MAGIC, segment_magic, sizeof segment_magic);
    bytes_put_u32(bytes + AT_VERSION, WAL_FORMAT_VERSION);
    bytes_put_u32(bytes + AT_ACCOUNT_PARTITIONS, header->account_partitions);
    memcpy(bytes + AT_LOG_ID, header->log_id, WAL_LOG_ID_BYTES);
    bytes_put_u64(bytes + AT_NUMBER, header->number);
    bytes_put_u64(bytes + AT_EPOCH, header->epoch);
    bytes_put_u64(bytes + AT_FIRST_LSN, header->first_lsn);
    bytes_put_u64(bytes + AT_CHAIN, header->chain);
    bytes_put_u64(bytes + AT_SEGMENT_BYTES, header->segment_bytes);
    bytes_put_u64(bytes + AT_CREATED_MS, header->created_ms);
    header->checksum = hash_64(bytes, AT_CHECKSUM, 0);
    bytes_put_u64(bytes + AT_CHECKSUM, header->checksum);
}

enum segment_state segment_decode(const uint8_t *bytes, struct segment_header *ret_header,
                                  uint32_t *ret_version) {
    uint64_t checksum = bytes_get_u64(bytes + AT_CHECKSUM);
    if (memcmp(bytes + AT_MAGIC, segment_magic, sizeof segment_magic) != 0 ||
        checksum != hash_64(bytes, AT_CHECKSUM, 0)) {
        return SEGMENT_UNUSED;
    }
    uint32_t version = bytes_get_u32(bytes + AT_VERSION);
    if (version != WAL_FORMAT_VERSION) {
        *ret_version = version;
        return SEGMENT_VERSION;
    }
    struct segment_header header = {
        .account_partitions = bytes_get_u32(bytes + AT_ACCOUNT_PARTITIONS),
        .number = bytes_get_u64(bytes + AT_NUMBER),
        .epoch = bytes_get_u64(bytes + AT_EPOCH),
        .first_lsn = bytes_get_u64(bytes + AT_FIRST_LSN),
        .chain = bytes_get_u64(bytes + AT_CHAIN),
        .segment_bytes = bytes_get_u64(bytes + AT_SEGMENT_BYTES),
        .created_ms = bytes_get_u64(bytes + AT_CREATED_MS),
        .checksum = checksum,
    };
    memcpy(header.log_id, bytes + AT_LOG_ID, WAL_LOG_ID_BYTES);
    if (header.number > SEGMENT_COUNT_MAX || header.epoch > SEGMENT_COUNT_MAX ||
        header.first_lsn > SEGMENT_COUNT_MAX) {
        return SEGMENT_UNUSED;
    }
    *ret_header = header;
    return SEGMENT_USED;
}

uint64_t segment_seed(const uint8_t log_id[WAL_LOG_ID_BYTES]) { return bytes_get_u64(log_id); }

void segment_name(uint64_t number, char ret_name[WAL_FILE_NAME_BYTES]) {
    (void)snprintf(ret_name, WAL_FILE_NAME_BYTES, "wal-%016" PRIx64 ".seg", number);
}

bool segment_parse_name(const char *name, uint64_t *ret_number) {
    if (strncmp(name, "wal-", 4) != 0) return false;
    /* Whatever strtoull accepts: it is a segment's name only if it is spelled as we spell it. */
    uint64_t number = strtoull(name + 4, NULL, 16);
    char spelled[WAL_FILE_NAME_BYTES];
    segment_name(number, spelled);
    if (strcmp(name, spelled) != 0) return false;
    *ret_number = number;
    return true;
}

struct segment_collect {
    struct segment_list list;
    uint64_t capacity;
    bool out_of_memory;
};

static void collect_name(void *context, const char *name) {
    struct segment_collect *collect = context;
    uint64_t number;
    if (collect->out_of_memory || !segment_parse_name(name, &number)) return;
    if (collect->list.count == collect->capacity) {
        uint64_t capacity = collect->capacity == 0 ? 64 : collect->capacity * 2;
        uint64_t *numbers = realloc(collect->list.numbers, capacity * sizeof *numbers);
        if (numbers == NULL) {
            collect->out_of_memory = true;
            return;
        }
        collect->list.numbers = numbers;
        collect->capacity = capacity;
    }
    collect->list.numbers[collect->list.count++] = number;
}

static int compare_numbers(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

int segment_list_any(struct storage *storage, struct segment_list *ret_list,
                     struct wal_error *ret_error) {
    struct segment_collect collect = {0};
    int rc = storage->operations->list(storage, collect_name, &collect);
    if (rc < 0) {
        rc = wal_error_system(ret_error, -rc, NULL, 0, "cannot list the folder of the log");
    } else if (collect.out_of_memory) {
        rc = wal_error_set(ret_error, WAL_ERROR_MEMORY, NULL, 0, 0,
                           "no memory for the list of segments");
    }
    if (rc < 0) {
        segment_list_free(&collect.list);
        return rc;
    }
    struct segment_list list = collect.list;
    if (list.count > 1) qsort(list.numbers, list.count, sizeof *list.numbers, compare_numbers);
    *ret_list = list;
    return 0;
}

int segment_list_read(struct storage *storage, struct segment_list *ret_list,
                      struct wal_error *ret_error) {
    struct segment_list list;
    int rc = segment_list_any(storage, &list, ret_error);
    if (rc < 0) return rc;
    for (uint64_t i = 1; i < list.count; i++) {
        uint64_t expected = list.numbers[i - 1] + 1;
        if (list.numbers[i] != expected) {
            char name[WAL_FILE_NAME_BYTES];
            segment_name(expected, name);
            segment_list_free(&list);
            return wal_error_set(ret_error, WAL_ERROR_MISSING, name, 0, 0,
                                 "segment %s is missing, later ones are there; "
                                 "restore it from a copy of the folder",
                                 name);
        }
    }
    *ret_list = list;
    return 0;
}

void segment_list_free(struct segment_list *list) {
    free(list->numbers);
    *list = (struct segment_list){0};
}
