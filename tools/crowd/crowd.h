/* crowd.h - many fans over one coalescing client: one gateway process
 *
 * Happy path: ask the engine for its dates, let the fans arrive, send what is due, hear what came
 * back, until every fan is done. Answers are cut down on nng's threads and queued; fans live on the
 * one thread that runs the crowd.
 */
#ifndef USHER_TOOLS_CROWD_CROWD_H
#define USHER_TOOLS_CROWD_CROWD_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/domain/types.h"
#include "tools/common/histogram.h"
#include "tools/crowd/crowd_options.h"
#include "tools/crowd/fan.h"

#define CROWD_VIOLATIONS_KEPT 20u
#define CROWD_SECONDS_MAX 600u /* for the rates of each second; later ones count to the last */

/* A seat that a fan has paid for and kept. */
struct crowd_purchase {
    struct id128 user;
    uint32_t date, seat;
};

/* What a fan is doing, for the gauge. */
enum crowd_phase { CROWD_AWAY = 0, CROWD_WAITING, CROWD_ACTIVE, CROWD_DONE, CROWD_PHASE_COUNT };

/* Lies in memory shared with the process that shows the progress. The atomics may be read at any
 * time, the rest after the crowd's process has ended. */
struct crowd_result {
    _Atomic uint64_t requests;                  /* answered */
    _Atomic uint64_t seats_bought;              /* now: refunds are taken off */
    _Atomic uint64_t phases[CROWD_PHASE_COUNT]; /* fans in each phase */
    _Atomic uint64_t seats_on_sale;             /* available when the crowd came */
    uint64_t outcomes[FAN_OUTCOME_COUNT];
    uint64_t errors[CROWD_ERRORS_MAX]; /* answers by error number */
    uint64_t lost;                     /* requests without an answer */
    uint64_t bookings;                 /* payments that went through */
    uint64_t refunds;
    uint64_t points_paid; /* refunds taken off */
    uint64_t elapsed_us;  /* first arrival to last answer */
    uint32_t requests_by_second[CROWD_SECONDS_MAX];
    uint32_t bookings_by_second[CROWD_SECONDS_MAX];
    struct histogram latency;         /* of every request, microseconds */
    struct histogram payment_latency; /* of payment.pay that sold seats */
    uint64_t violation_count;
    char violations[CROWD_VIOLATIONS_KEPT][200];
    bool finished; /* every fan is done */
    uint32_t purchase_count;
    struct crowd_purchase purchases[]; /* room for FAN_SEATS_MAX a fan */
};

static inline size_t crowd_result_bytes(uint32_t fans) {
    return sizeof(struct crowd_result) +
           (size_t)fans * FAN_SEATS_MAX * sizeof(struct crowd_purchase);
}

/* crowd_run - run a crowd to its end
 * @result: zeroed, crowd_result_bytes(options->fans) long
 * Says on standard error why it could not begin. Return: 0; -1 */
int crowd_run(const struct crowd_options *options, struct crowd_result *result);

#endif
