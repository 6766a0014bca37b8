/* golden.h - logs and snapshots of a format version, kept for ever: how they are read, printed,
 * made
 *
 * A version's folder is laid out as a data folder (wal/, snapshots/), with what is expected of it
 * beside: decisions.jsonl, entities.jsonl, expected.txt. README.md has the rest.
 */
#ifndef USHER_TESTS_GOLDEN_GOLDEN_H
#define USHER_TESTS_GOLDEN_GOLDEN_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "engine/domain/entity.h"
#include "tests/support/memory_log.h"
#include "wal/storage/storage.h"

#define GOLDEN_PATH_BYTES 512

/* Bytes that grow: a file, or lines. */
struct golden_bytes {
    char *bytes; /* owned; a zero follows */
    size_t size;
};

/* golden_read - a whole file; fails the test if it cannot */
struct golden_bytes golden_read(const char *folder, const char *name);

/* golden_load - every file of a folder onto a new disk in memory */
struct storage *golden_load(const char *folder, const char *name);

/* golden_each - call for every file of a disk in memory, which may be looked at meanwhile */
void golden_each(struct storage *disk, void (*visit)(void *context, const char *name),
                 void *context);

/* golden_decision, golden_entity - one JSON line, numbers as they are in the file:
 * {"lsn":20,"kind":"date_opened","partition":16777217,"time_ms":1763755200000,"fields":{}}
 * Not those of replay/tell/describe.h: their words and forms may change, these may not. */
void golden_decision(FILE *out, const struct decision *decision, uint64_t lsn);
void golden_entity(FILE *out, const struct entity *entity);

/* golden_write_log - the log of these records, by today's writer: three epochs, of which one ended
 * in a torn write, seals, blocks of many sizes Clock and entropy are fixed: the same records make
 * the same bytes.
 * Return: an unclaimed disk in memory */
struct storage *golden_write_log(const struct memory_log *records);

/* golden_snapshot_lsns - where golden_write_log() ends a block, about the middle and near the
 * end */
void golden_snapshot_lsns(const struct memory_log *records, uint64_t ret_lsns[2]);

#define GOLDEN_SNAPSHOT_MS 1763760000000u

#endif
