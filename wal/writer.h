/* writer.h - the thread that writes blocks, and the one that prepares segments
 *
 * Private to wal.c and writer.c. Moves of the writer, each a wal_writer_step:
 *
 *     idle -> block in flight -> idle
 *     idle -> header in flight -> idle       (a new segment first, then the staged block; so also
 *                                             with the first block, if the header has waited for
 *                                             it)
 *     any in flight -> failed                (for good)
 *
 * A block is staged (records taken out of the ring, body checksummed) when the writer is idle, or
 * while a write is in flight once a whole block's worth has been appended: the CPU then works
 * while the device does, and no group becomes smaller by it.
 */
#ifndef USHER_WAL_WRITER_H
#define USHER_WAL_WRITER_H

#include "wal/error.h"
#include "wal/segment.h"
#include "wal/storage/storage.h"

struct wal;

/* writer_init - be ready to write an epoch's first segment
 * @header: all but the checksum; the file is there and all zeros
 * @now:    open it, write its header, wait for it; else that waits for the first block
 * Return: 0, <0 */
int writer_init(struct wal *wal, const struct segment_header *header, bool now,
                struct wal_error *ret_error);
void writer_deinit(struct wal *wal);

/* writer_no_segment - say why the next segment could not be made, and how much room is missing
 * Return: <0, a wal_error_code, negated */
int writer_no_segment(struct storage *storage, uint64_t segment_bytes, int system_error,
                      const char *name, struct wal_error *ret_error);

/* writer_drained - nothing staged, in flight or copied into the ring and not taken */
bool writer_drained(struct wal *wal);
/* writer_seal - stage a seal if the last block is not sealed; nothing staged or in flight */
void writer_seal(struct wal *wal);

/* writer_threads_start, writer_threads_stop - see wal_start, wal_stop */
int writer_threads_start(struct wal *wal);
void writer_threads_stop(struct wal *wal);

#endif
