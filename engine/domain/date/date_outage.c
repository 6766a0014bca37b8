/* date_outage.c - what an outage gives back (X7)
 *
 * Turns and holds that ran while the engine could not serve end that much later, by one logged
 * decision a date; silence is measured in served time and needs none (waiting_room.h). All
 * deadlines move alike, so their order stays, and a deadline that was over when the outage began
 * stays over.
 */
#include "engine/domain/date/date_rules.h"

/* Whether the time of anything runs out by itself. */
static bool is_running(const struct date *date) {
    return date->room.active > 0 || date->reservations.held > 0 || date->reservations.paying > 0;
}

bool date_outage(const struct partition *partition, enum outage_cause cause, uint64_t since_ms,
                 uint64_t now_ms, struct verdict *verdict) {
    const struct date *date = (const struct date *)partition;
    /* What this date decided, it did while it was served, or at the standing time of an outage. */
    uint64_t last_ms = date->partition.last_time_ms;
    if (since_ms + OUTAGE_MS_MIN < last_ms) since_ms = last_ms - OUTAGE_MS_MIN;
    if (date->policy.outage_credit == 0 || !is_running(date) || since_ms >= now_ms) return false;
    verdict_add(verdict, &date->partition, DECISION_OUTAGE_CREDITED, now_ms)->outage_credited =
        (struct decision_outage_credited){
            .cause = (uint8_t)cause, .since = since_ms, .credit_ms = now_ms - since_ms};
    return true;
}
