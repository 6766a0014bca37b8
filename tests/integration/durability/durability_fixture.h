/* durability_fixture.h - an open date and two fans, spread over shards so that everything crosses
 * one
 *
 * Driven by hand, on a disk in memory. The catalogue is on shard 0, the date on shard 1, Anna's
 * wallet on the last shard, Ben's on shard 1.
 */
#ifndef USHER_TESTS_INTEGRATION_DURABILITY_DURABILITY_FIXTURE_H
#define USHER_TESTS_INTEGRATION_DURABILITY_DURABILITY_FIXTURE_H

#include "tests/support/fan.h"

#define DURABILITY_SEATS 8u
#define DURABILITY_PRICE 100u
#define DURABILITY_HOLD_MS 300000u
#define DURABILITY_DATE_SHARD 1u

struct durability_fixture {
    struct engine_fixture *fixture;
    uint32_t shards;
    uint32_t concert, date;
    struct fan anna, ben;
    uint64_t encoded, released; /* when the disk was stopped */
};

/* durability_open - shards: 2 or 3. state: what fixture_teardown() will close */
struct durability_fixture durability_open(void **state, uint32_t shards);

/* Anna is in, and has (with money) a reservation of seat 1, and perhaps has paid it. */
void durability_hold(struct durability_fixture *sale);
void durability_charge(struct durability_fixture *sale);
void durability_pay(struct durability_fixture *sale);

/* durability_stop_disk - everything is at rest and durable; from now on no write completes */
void durability_stop_disk(struct durability_fixture *sale);
/* durability_demand_silence - `replies` were decided since the disk stopped, and whatever is tried
 * now, none of them leaves */
void durability_demand_silence(struct durability_fixture *sale, uint32_t replies);

/* durability_send_pay - Anna pays; does not wait */
struct answer *durability_send_pay(struct durability_fixture *sale);
struct answer *durability_send_cancel(struct durability_fixture *sale);

#endif
