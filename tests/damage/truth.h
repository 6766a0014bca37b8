/* truth.h - a small log of which every byte, block and state is known, and what a damaged copy says
 *
 * The log is written by the real writer to a disk in memory: decisions of a little sale, blocks of
 * many sizes, seals, three epochs, the first of which ended in a torn write. Where its blocks lie
 * is read off the bytes by the table of wal/FORMAT.md, not by the code under test.
 */
#ifndef USHER_TESTS_DAMAGE_TRUTH_H
#define USHER_TESTS_DAMAGE_TRUTH_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/random.h"
#include "tests/support/random_history.h"
#include "tests/support/storage_memory.h"
#include "wal/recovery.h"
#include "wal/wal.h"

#define TRUTH_SEGMENT_BYTES ((uint32_t)WAL_SEGMENT_BYTES_MIN)
#define TRUTH_SEGMENTS_MAX 8u
#define TRUTH_ELEMENTS_MAX 160u

/* How the last epoch ended. */
enum truth_end {
    TRUTH_SEALED = 0,   /* stopped: a seal proves the last records */
    TRUTH_UNSEALED = 1, /* killed: the last block is sound, and nothing comes after it */
    TRUTH_TORN = 2,     /* killed in the middle of a write */
};

/* A segment header or a block: what the stream is made of. */
struct truth_element {
    uint32_t segment; /* index */
    uint32_t offset;  /* bytes, in the file */
    uint32_t bytes;
    uint32_t records; /* 0: header or seal */
    bool header;
    uint64_t first_lsn, end_lsn;
};

struct truth_segment {
    char name[WAL_FILE_NAME_BYTES];
    uint8_t *bytes; /* TRUTH_SEGMENT_BYTES, owned */
};

struct truth {
    struct storage *disk; /* the log, closed; not to be damaged: clone it */
    enum truth_end end;
    struct truth_segment segments[TRUTH_SEGMENTS_MAX];
    uint32_t segment_count; /* the last one was prepared, and never used */
    struct truth_element elements[TRUTH_ELEMENTS_MAX]; /* in stream order */
    uint32_t element_count;
    struct memory_log records; /* every record; what was acknowledged is all of it, up to end_lsn */
    uint64_t end_lsn;
    uint64_t acknowledged_lsn;           /* a client may have been told */
    uint64_t hashes[TRUTH_ELEMENTS_MAX]; /* of the state at elements[i].end_lsn */
    uint64_t now_ms, fork_ms;
    struct random entropy;
    /* Ends for which a replay of a damaged log has reached the right state already. */
    bool replayed[TRUTH_ELEMENTS_MAX];
};

/* truth_make - same seed and end, same log */
void truth_make(struct truth *truth, uint64_t seed, enum truth_end end);
/* truth_make_fork - the same log, but its last epoch began a moment later: what a backup becomes
 * when both it and the original run on */
void truth_make_fork(struct truth *truth, uint64_t seed, enum truth_end end);
void truth_free(struct truth *truth);

/* truth_segment_last - index of the last segment in use */
uint32_t truth_segment_last(const struct truth *truth);

/* truth_element_at - the element that a byte belongs to; NULL: nobody reads it */
const struct truth_element *truth_element_at(const struct truth *truth, uint32_t segment,
                                             uint32_t offset);
const struct truth_element *truth_element_last(const struct truth *truth);

/* truth_first_damage - the first element, in stream order, that differs on a disk; NULL: none
 * A file that is not there, or of another size, differs from its first byte. */
const struct truth_element *truth_first_damage(const struct truth *truth, struct storage *disk);

/* What became of a damaged log. */
enum truth_outcome {
    TRUTH_SAME = 0,    /* every record is there, and the state is right */
    TRUTH_CUT = 1,     /* it ends early, with the right state of that LSN */
    TRUTH_REFUSED = 2, /* error says where and why */
};
struct truth_finding {
    enum truth_outcome outcome;
    uint64_t end_lsn;
    struct wal_error error; /* REFUSED */
};

/* truth_judge - recover and replay a damaged log; fails the test if it yields a wrong record or a
 * wrong state, or if looking at it changed it
 * @witness_lsn: see wal_recovery_options */
void truth_judge(struct truth *truth, struct storage *disk, uint64_t witness_lsn,
                 struct truth_finding *ret_finding);

/* truth_open - wal_open on a disk, as the daemon does. Return: what it returned; closed again */
int truth_open(struct truth *truth, struct storage *disk, uint64_t witness_lsn,
               struct wal_error *ret_error);

/* truth_segment_bytes - the bytes of a segment on a damaged disk; fails the test if it is not there
 */
uint8_t *truth_segment_bytes(struct storage *disk, const struct truth *truth, uint32_t segment);

#endif
