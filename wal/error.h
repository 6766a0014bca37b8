/* error.h - what can go wrong with a log, with a stable code and a sentence that says what to do
 *
 * Numbers are printed, matched by scripts and documented: append only, never renumber.
 * Functions of this folder return 0, a positive outcome that the caller handles, or the negative
 * of one of these codes; the struct then tells the rest.
 */
#ifndef USHER_WAL_ERROR_H
#define USHER_WAL_ERROR_H

#include <stdint.h>

enum wal_error_code {
    WAL_ERROR_IO = 1,         /* a system call failed; system_error has the errno */
    WAL_ERROR_CORRUPT = 2,    /* damage that may have lost acknowledged records */
    WAL_ERROR_VERSION = 3,    /* written by another version of usher */
    WAL_ERROR_FOREIGN = 4,    /* a segment of another log */
    WAL_ERROR_MISSING = 5,    /* a segment is not there, or the LSN asked for is deleted */
    WAL_ERROR_PARTITIONS = 6, /* log was made with another number of account partitions */
    WAL_ERROR_LOCKED = 7,     /* another engine runs on this directory */
    WAL_ERROR_OPTIONS = 8,    /* sizes out of range */
    WAL_ERROR_LSN = 9,        /* LSN asked for is beyond the end, or inside a record */
    WAL_ERROR_MEMORY = 10,    /* allocation at opening failed */
};

enum wal_outcome {
    WAL_FULL = 1, /* wal_append: no room in the buffer now */
    WAL_IDLE = 2, /* a step had nothing to do */
};

#define WAL_ERROR_TEXT_BYTES 512
#define WAL_FILE_NAME_BYTES 32

struct wal_error {
    int code;                        /* enum wal_error_code; 0 = none */
    int system_error;                /* errno; 0 = none */
    uint64_t offset;                 /* in file, bytes; where a file is named */
    uint64_t lsn;                    /* everything below it is sound; where a file is named */
    char file[WAL_FILE_NAME_BYTES];  /* segment's name; empty = none */
    char text[WAL_ERROR_TEXT_BYTES]; /* a whole sentence, for the operator */
};

/* wal_error_set - fill in an error
 * @ret_error: written whole
 * @file:      segment's name, or NULL
 * Return: -code, to be returned on */
__attribute__((format(printf, 6, 7))) int wal_error_set(struct wal_error *ret_error, int code,
                                                        const char *file, uint64_t offset,
                                                        uint64_t lsn, const char *format, ...);

/* wal_error_system - the same for a failed system call; appends what errno means
 * @system_error: positive errno */
int wal_error_system(struct wal_error *ret_error, int system_error, const char *file,
                     uint64_t offset, const char *what);

#endif
