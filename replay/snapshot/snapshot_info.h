/* snapshot_info.h - what a snapshot's header says, and what can be wrong with a snapshot */
#ifndef USHER_REPLAY_SNAPSHOT_SNAPSHOT_INFO_H
#define USHER_REPLAY_SNAPSHOT_SNAPSHOT_INFO_H

#include <stdint.h>

#include "wal/segment.h"

#define SNAPSHOT_NAME_BYTES 32u /* snap-NNNNNNNNNNNNNNNN.snp: LSN, 16 hexadecimal digits */
#define SNAPSHOT_TEXT_BYTES 512u

/* Numbers are printed, matched by scripts and documented: append only. */
enum snapshot_error_code {
    SNAPSHOT_IO = 1,      /* a system call failed */
    SNAPSHOT_DAMAGED = 2, /* a checksum, the chain or the length is wrong */
    SNAPSHOT_VERSION = 3, /* written by another version of usher */
    SNAPSHOT_FOREIGN = 4, /* of another log, or of decisions that this one has no more */
    SNAPSHOT_INVALID = 5, /* sound checksums, but the state contradicts itself or its hash */
    SNAPSHOT_NONE = 6,    /* no snapshot serves */
    SNAPSHOT_LOG = 7,     /* the log failed, or no longer has what is needed; text says */
    SNAPSHOT_LOCKED = 8,  /* somebody else is making one */
    SNAPSHOT_RESOURCES = 9,
};

struct snapshot_error {
    int code;        /* enum snapshot_error_code; 0: none */
    uint64_t offset; /* in the file, bytes; where one is named */
    char file[SNAPSHOT_NAME_BYTES];
    char text[SNAPSHOT_TEXT_BYTES]; /* a whole sentence that says what to do */
};

/* What a snapshot's header says. */
struct snapshot_info {
    char name[SNAPSHOT_NAME_BYTES];
    uint64_t lsn;            /* every record up to here is in it, none after */
    uint64_t last_time_ms;   /* of the latest decision in it, Unix ms */
    uint64_t created_ms;     /* Unix ms */
    uint64_t decision_count; /* in it */
    uint64_t world_hash;
    uint64_t file_bytes;
    uint64_t epoch; /* of the log, when it was made */
    uint8_t log_id[WAL_LOG_ID_BYTES];
    uint32_t account_partitions;
};

#endif
