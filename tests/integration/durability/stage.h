/* stage.h - an open date and two fans, spread over shards so that everything crosses one
 *
 * Driven by hand, on a disk in memory. The catalogue is on shard 0, the date on shard 1, Anna's
 * wallet on the last shard, Ben's on shard 1.
 */
#ifndef USHER_TESTS_DURABILITY_STAGE_H
#define USHER_TESTS_DURABILITY_STAGE_H

#include "tests/support/fan.h"

#define STAGE_SEATS 8u
#define STAGE_PRICE 100u
#define STAGE_HOLD_MS 300000u
#define STAGE_DATE_SHARD 1u

struct stage {
    struct rig *rig;
    uint32_t shards;
    uint32_t concert, date;
    struct fan anna, ben;
    uint64_t encoded, released; /* when the disk was stopped */
};

/* stage_open - shards: 2 or 3. state: what rig_teardown() will close */
struct stage stage_open(void **state, uint32_t shards);

/* Anna is in, and has (with money) a reservation of seat 1, and perhaps has paid it. */
void stage_hold(struct stage *stage);
void stage_charge(struct stage *stage);
void stage_pay(struct stage *stage);

/* stage_stop_disk - everything is at rest and durable; from now on no write completes */
void stage_stop_disk(struct stage *stage);
/* stage_demand_silence - `replies` were decided since the disk stopped, and whatever is tried now,
 * none of them leaves */
void stage_demand_silence(struct stage *stage, uint32_t replies);

/* stage_send_pay - Anna pays; does not wait */
struct answer *stage_send_pay(struct stage *stage);
struct answer *stage_send_cancel(struct stage *stage);

#endif
