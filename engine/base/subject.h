/* subject.h - which partition a thread works on, for the words of a broken invariant (require.h)
 *
 * Happy path: a shard says it before each command and whatever time decides; one store.
 * It is never unsaid: what is told is the last one, also where the invariant is another thing's.
 */
#ifndef USHER_ENGINE_BASE_SUBJECT_H
#define USHER_ENGINE_BASE_SUBJECT_H

#include <stdint.h>

#define SUBJECT_NONE UINT32_MAX

/* This thread's own; a partition's id (engine/domain/types.h), SUBJECT_NONE at its beginning. */
extern _Thread_local uint32_t subject_partition __attribute__((tls_model("local-exec")));

static inline void subject_set(uint32_t partition) { subject_partition = partition; }

#endif
