/* recover.h - the log into a world, verified as it goes
 *
 * Happy path: every record of the source is decoded and applied in log order; state_hashed records
 * are compared with the hash that replay reached.
 * Failure modes: the source fails, a record cannot be decoded, no partition can take it, or a hash
 * disagrees. The first one ends it; the world is half-filled and of no use.
 * Thread: the one that owns source and world.
 */
#ifndef USHER_REPLAY_SOURCE_RECOVER_H
#define USHER_REPLAY_SOURCE_RECOVER_H

#include "engine/domain/partition/world.h"
#include "replay/source/source.h"

/* Kinds are counted up to this number; decision.def is below it (checked in recover.c). */
#define RECOVER_KINDS_MAX 128u

struct recover_result {
    uint64_t records;         /* state_hashed included */
    uint64_t bytes;           /* of records */
    uint64_t last_lsn;        /* just after the last record; the start if there is none */
    uint64_t last_time_ms;    /* Unix ms, highest time of a decision; 0 if there is none. Of a
                                 state_hashed record not: it decides nothing */
    uint64_t hashes_verified; /* state_hashed records that agreed */
    uint64_t world_hash;
    uint64_t decisions[RECOVER_KINDS_MAX]; /* by kind */
};

enum recover_failure {
    RECOVER_SOURCE = 1,         /* the log cannot be read */
    RECOVER_UNDECODABLE = 2,    /* not a record of this usher */
    RECOVER_NO_PARTITION = 3,   /* decided by a partition that no record created */
    RECOVER_HASH_MISMATCH = 4,  /* replay has diverged from what was live */
    RECOVER_NOT_APPLICABLE = 5, /* names something that does not exist */
};

#define RECOVER_ERROR_BYTES 1024u
struct recover_error {
    int failure;  /* enum recover_failure */
    uint64_t lsn; /* just after the record; of the last good record where the source failed */
    uint32_t kind, partition;       /* 0 where the record could not be decoded */
    char text[RECOVER_ERROR_BYTES]; /* for the operator: what, where, what to do */
};

struct recover_options {
    uint64_t from_lsn;       /* 0, or where the world's snapshot was made */
    uint64_t progress_every; /* records between two calls of progress; 0: 1,000,000 */
    /* After so many records, and at the end; may be NULL. */
    void (*progress)(void *context, uint64_t records, uint64_t bytes, uint64_t lsn);
    void *progress_context;
};

/* recover - read the source up to its end and apply everything
 * @world:      changed; as it was at options->from_lsn
 * @options:    NULL for all defaults
 * @ret_result: on success only
 * @ret_error:  on failure only
 * Return: 0; <0 a recover_failure, negated
 * Source: replay/README.md, "Recovery" */
int recover(struct record_source *source, struct world *world,
            const struct recover_options *options, struct recover_result *ret_result,
            struct recover_error *ret_error);

#endif
