/* date_guard.c - who may: the guard of tokens, what stands behind a reservation, when sales end
 *
 * Asked by all files that decide for a date, so it stands below them and asks none of them.
 */
#include "engine/domain/date/date_rules.h"

enum guard date_guard(const struct date *date, const struct token *token, uint64_t now_ms,
                      const struct waiter **ret_waiter) {
    if (token->place < 1 || token->place > date->room.last) return GUARD_INVALID;
    const struct waiter *waiter = room_find(&date->room, token->place);
    if (waiter && !id128_equal_secret(&waiter->secret, &token->secret)) return GUARD_INVALID;
    *ret_waiter = waiter;
    if (!waiter || waiter->state == TOKEN_EXPIRED) return GUARD_EXPIRED;
    if (waiter->state == TOKEN_WAITING) return GUARD_WAITING;
    return waiter->expires_at > now_ms ? GUARD_ACTIVE : GUARD_EXPIRED;
}

const struct waiter *date_guard_active(const struct date *date, const struct token *token,
                                       uint64_t now_ms, struct verdict *verdict) {
    const struct waiter *waiter = NULL;
    enum guard guard = date_guard(date, token, now_ms, &waiter);
    if (guard == GUARD_INVALID) {
        verdict_error(verdict, ERROR_TOKEN_INVALID, 0, 0, 0);
    } else if (date->state == DATE_CANCELLED) {
        verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
    } else if (guard == GUARD_EXPIRED) {
        verdict_error(verdict, ERROR_TOKEN_EXPIRED, 0, 0, 0);
    } else if (guard == GUARD_WAITING) {
        verdict_error(verdict, ERROR_NOT_YOUR_TURN, room_ahead(&date->room, token->place), 0, 0);
    } else {
        return waiter;
    }
    return NULL;
}

bool date_sales_ended(const struct date *date, uint64_t now_ms) {
    return date->policy.sales_end_at != 0 && now_ms >= date->policy.sales_end_at;
}

const struct reservation *date_find(const struct date *date, uint64_t id) {
    if (dated_id_date(id) != date->id) return NULL;
    return reservations_find(&date->reservations, dated_id_sequence(id));
}

const struct reservation *date_authorise(const struct date *date, const struct token *token,
                                         uint64_t id, uint64_t now_ms, struct verdict *verdict) {
    const struct reservation *reservation = date_find(date, id);
    if (reservation && token->place == reservation->place &&
        id128_equal_secret(&token->secret, &reservation->secret)) {
        return reservation;
    }
    const struct waiter *waiter = date_guard_active(date, token, now_ms, verdict);
    if (!waiter) return NULL; /* it has said why */
    if (reservation && id128_equal(&waiter->user, &reservation->user)) return reservation;
    verdict_error(verdict, ERROR_NO_SUCH_RESERVATION, id, 0, 0);
    return NULL;
}

bool date_backs(const struct date *date, const struct reservation *reservation, uint64_t now_ms) {
    if (reservation->token_spent) return true;
    const struct waiter *waiter = room_find(&date->room, reservation->place);
    return waiter && waiter_is_active(waiter, now_ms);
}
