/* stage.h - a batch of decisions as binary COPY streams, one per kind
 *
 * A stream goes into the staging table of its kind (sql/session.sql, "staging_tables"), which has
 * the columns _lsn, _at, _date (NULL unless a date decided) and then the fields of decision.def by
 * name. Tables and streams come from the same rows of decision.def, so they cannot disagree.
 * Thread: one at a time. Memory grows to the largest batch and stays.
 */
#ifndef USHER_REPLAY_POSTGRES_STAGE_H
#define USHER_REPLAY_POSTGRES_STAGE_H

#include <stddef.h>

#include "engine/domain/decision.h"

struct stage;

/* Kinds have numbers below this. */
#define STAGE_KINDS_MAX 128u

struct stage *stage_create(void);
void stage_free(struct stage *stage);

/* stage_clear - empty, keeping the memory */
void stage_clear(struct stage *stage);

enum { STAGE_UNFIT = 1 };

/* stage_add - one more decision
 * @lsn: just after its record
 * Return: 0; STAGE_UNFIT: a number is beyond what PostgreSQL or usher can mean, or the kind is not
 * one that this partition decides. The stage is unchanged then. */
int stage_add(struct stage *stage, const struct decision *decision, uint64_t lsn);

/* stage_records - decisions added, those without rows included */
uint64_t stage_records(const struct stage *stage);
/* stage_bytes - size of all streams */
size_t stage_bytes(const struct stage *stage);

/* A finished stream of one kind. */
struct stage_stream {
    char command[96]; /* COPY ... FROM STDIN: batch.sql */
    const uint8_t *bytes;
    size_t size;
};

/* stage_stream - the stream of a kind; nothing may be added any more before stage_clear()
 * Return: false if the batch has no row of this kind */
bool stage_stream(struct stage *stage, uint32_t kind, struct stage_stream *ret_stream);

#endif
