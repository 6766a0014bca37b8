/* partition_kind.h - the header of every partition, and what each kind of partition does
 *
 * There are three kinds, and each has one table: `catalogue_kind`, `account_kind`, `date_kind`. Its
 * functions get the partition of their kind by its header. Nobody calls them but the functions of
 * the same names in partition/partition.h, which say what each is for and demand what all kinds
 * demand. A kind that has nothing to do for an operation leaves it out (NULL), where that is
 * allowed below.
 */
#ifndef USHER_ENGINE_DOMAIN_PARTITION_KIND_H
#define USHER_ENGINE_DOMAIN_PARTITION_KIND_H

#include "engine/domain/command.h"
#include "engine/domain/decision.h"
#include "engine/domain/reply.h"

struct partition;
struct verdict;

/* Memory is asked for in two steps: what something names, then what that points to. */
enum prefetch { PREFETCH_FIRST, PREFETCH_LAST };

struct partition_kind {
    enum owner owner;
    /* never NULL */
    void (*free)(struct partition *);
    void (*decide)(const struct partition *, const struct command *, uint64_t now_ms,
                   struct verdict *);
    void (*apply)(struct partition *, const struct decision *);
    void (*answer)(const struct partition *, const struct command *, const struct verdict *,
                   uint64_t now_ms, struct reply *);
    uint64_t (*hash)(const struct partition *);
    uint64_t (*hash_recount)(const struct partition *);
    /* both or none: NULL where time decides nothing */
    bool (*due)(struct partition *, uint64_t now_ms, struct verdict *);
    uint64_t (*next_due_ms)(const struct partition *);
    /* may be NULL */
    void (*heard)(struct partition *, const struct command *, uint64_t now_ms);
    bool (*outage)(const struct partition *, enum outage_cause cause, uint64_t since_ms,
                   uint64_t now_ms, struct verdict *);
    bool (*unserved)(struct partition *, uint64_t ms);
    void (*resume)(struct partition *, uint64_t now_ms);
    void (*prefetch)(const struct partition *, const struct decision *, enum prefetch step);
    void (*prefetch_command)(const struct partition *, const struct command *, enum prefetch step);
};

/* One partition of any kind. The kinds' structs start with this header. */
struct partition {
    const struct partition_kind *kind;
    uint32_t id;
    bool volatile_hashed;    /* the log has its state hash, and no decision after it */
    uint64_t decision_count; /* applied since the log began, STATE_HASHED not counted */
    uint64_t last_time_ms;   /* of the latest decision applied */
};

#endif
