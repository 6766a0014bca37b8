/* memory_log.h - a log in memory: the record source of tests
 *
 * A record's LSN is its end in the stream of bytes, as in the real log. One thread, unless the
 * writer is finished.
 */
#ifndef USHER_TESTS_SUPPORT_MEMORY_LOG_H
#define USHER_TESTS_SUPPORT_MEMORY_LOG_H

#include "engine/domain/decision.h"
#include "replay/source/source.h"

struct memory_log {
    uint8_t *bytes;
    uint64_t size, capacity;
    uint64_t limit_lsn; /* the durable LSN; UINT64_MAX: everything */
    uint64_t at;        /* where next() reads */
    uint64_t fails_at;  /* next() fails at this LSN; UINT64_MAX: never */
    uint64_t epoch;     /* of all records; 0: a source without epochs */
};

void memory_log_init(struct memory_log *log);
void memory_log_deinit(struct memory_log *log);

/* memory_log_append - Return: the record's LSN */
uint64_t memory_log_append(struct memory_log *log, const struct decision *decision);
uint64_t memory_log_append_bytes(struct memory_log *log, const uint8_t *bytes, uint32_t size);

/* memory_log_source - borrowed from the log; several sources share its position: use one at a time
 */
struct record_source memory_log_source(struct memory_log *log);

#endif
