/* source.h - where records come from
 *
 * What replay needs from a log, as a struct of functions: source_wal.h is the real one, tests have
 * one in memory, a replicated journal can be a third. A source belongs to one thread at a time.
 */
#ifndef USHER_REPLAY_SOURCE_SOURCE_H
#define USHER_REPLAY_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct source_record {
    const uint8_t *bytes; /* borrowed until the next call */
    uint32_t size;        /* bytes; as the record states it, not yet decoded */
    uint64_t lsn;         /* just after this record */
    bool more;            /* the next one is at hand: the bytes outlive the next call too */
};

#define SOURCE_ERROR_BYTES 640u
struct source_error {
    char text[SOURCE_ERROR_BYTES]; /* a sentence for the operator: what, where, what to do */
};

enum { SOURCE_CAUGHT_UP = 1 };

struct record_source {
    void *context;
    /* seek - the next record is the one that begins at this LSN
     * @lsn: 0, or what a record of this log ended at
     * Return: 0; <0 error (deleted meanwhile, beyond the end, damaged) */
    int (*seek)(void *context, uint64_t lsn, struct source_error *ret_error);
    /* next - the next durable record
     * Return: 0; SOURCE_CAUGHT_UP (there may be more later); <0 error, the source stays here */
    int (*next)(void *context, struct source_record *ret_record, struct source_error *ret_error);
    /* end_lsn - up to here next() will deliver without waiting */
    uint64_t (*end_lsn)(void *context);
    /* epoch_at - which run wrote the record that ends at an LSN not beyond the end
     * @ret_epoch: 0: not known
     * Return: 0; <0 error. NULL: a source without epochs */
    int (*epoch_at)(void *context, uint64_t lsn, uint64_t *ret_epoch,
                    struct source_error *ret_error);
};

#endif
