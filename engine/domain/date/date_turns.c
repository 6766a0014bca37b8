/* date_turns.c - turns: when the next waiter may have one, how it begins, how a token ends
 *
 * Entering and time decide these, and so both ask here.
 */
#include "engine/domain/date/date_rules.h"

bool date_is_paced(const struct date *date) {
    return date->policy.admit_per_interval > 0 && date->policy.admit_interval_ms > 0;
}

uint64_t date_admission_ms(const struct date *date, uint64_t now_ms) {
    const struct waiting_room *room = &date->room;
    const struct policy *policy = &date->policy;
    if (date->state != DATE_OPEN || room->waiting == 0 || room->active >= policy->active_capacity) {
        return UINT64_MAX;
    }
    if (date_sales_ended(date, now_ms)) return UINT64_MAX; /* O3 */
    uint64_t from_ms = policy->sales_open_at;
    if (date_is_paced(date) && room->interval_admitted >= policy->admit_per_interval) {
        uint64_t next_ms = room->interval_began_ms + policy->admit_interval_ms;
        if (next_ms > from_ms) from_ms = next_ms;
    }
    return from_ms <= now_ms ? 0 : from_ms;
}

void date_admit(const struct date *date, place_t place, bool at_once, uint64_t now_ms,
                struct verdict *verdict) {
    verdict_add(verdict, &date->partition, DECISION_ADMITTED, now_ms)->admitted =
        (struct decision_admitted){
            .place = place, .expires_at = now_ms + date->policy.active_ttl_ms, .at_once = at_once};
}

void date_expire_token(const struct date *date, place_t place, enum token_end end, uint64_t now_ms,
                       struct verdict *verdict) {
    struct decision_token_expired *expired =
        &verdict_add(verdict, &date->partition, DECISION_TOKEN_EXPIRED, now_ms)->token_expired;
    *expired = (struct decision_token_expired){.place = place, .end = (uint8_t)end};
    const struct waiter *waiter = room_find(&date->room, place);
    REQUIRE(waiter != NULL && token_is_live(waiter->state));
    if (waiter->state != TOKEN_ACTIVE) return;
    const struct reservation *reservation = reservations_of(&date->reservations, &waiter->user);
    for (; reservation; reservation = reservations_older(&date->reservations, reservation)) {
        if (reservation->place != place || reservation->state != RESERVATION_HELD) continue;
        REQUIRE(expired->released.count < SEATS_PER_USER_MAX);
        expired->released.values[expired->released.count++] = reservation->sequence;
    }
}
