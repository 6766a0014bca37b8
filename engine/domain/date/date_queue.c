/* date_queue.c - the waiting room's decisions: enter, poll, leave */
#include "engine/domain/date/date_rules.h"
#include "engine/base/hash.h"

static void answer_token(struct verdict *verdict, place_t place) {
    verdict->reply_kind = REPLY_TOKEN;
    verdict->place = place;
}

/* O2, Q13, O3 and the organiser's switch: may anybody enter? */
static bool may_enter(const struct date *date, bool is_admin, uint64_t now_ms,
                      struct verdict *verdict) {
    if (date_is_hidden(date, is_admin)) {
        verdict_error(verdict, ERROR_NO_SUCH_DATE, date->id, 0, 0);
    } else if (date->state == DATE_CANCELLED) {
        verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
    } else if (date_sales_ended(date, now_ms)) {
        verdict_error(verdict, ERROR_SALES_ENDED, date->policy.sales_end_at, 0, 0);
    } else if (now_ms < date->policy.sales_open_at) {
        verdict_error(verdict, ERROR_NOT_ON_SALE_YET, date->policy.sales_open_at, 0, 0);
    } else if (date->state != DATE_OPEN) {
        verdict_error(verdict, ERROR_DATE_CLOSED, 0, 0, 0);
    } else if (date->room.waiting + date->room.active >= WAITERS_PER_DATE_MAX ||
               date->room.last == UINT32_MAX) {
        verdict_error(verdict, ERROR_QUEUE_FULL, WAITERS_PER_DATE_MAX, 0, 0);
    } else {
        return true;
    }
    return false;
}

/* Q9: with admit_first_at_once an interval paces only those who wait. @ending: the user's own live
 * token, which ends with the entry; NULL: none */
static bool goes_in_at_once(const struct date *date, const struct waiter *ending) {
    if (!date_is_paced(date) || !date->policy.admit_first_at_once) return false;
    uint32_t waiting = date->room.waiting - (ending && ending->state == TOKEN_WAITING);
    uint32_t active = date->room.active - (ending && ending->state == TOKEN_ACTIVE);
    return waiting == 0 && active < date->policy.active_capacity;
}

/* The last four bytes of the secret of a token that was asked for with a key are a mark of that
 * key. So a request that comes twice is known from the token alone, at no cost in memory or log. 96
 * bits are left to chance; a mark that is right by accident leaves somebody in place. */
static uint32_t key_mark(const struct date *date, const struct command *command) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 user, key;
    } image = {command->enter.user, command->enter.key};
    HASHED_STRUCT_END
    return (uint32_t)index_hash(&image, sizeof image, date->reservations.seed);
}

#define MARK_AT (sizeof(struct id128) - sizeof(uint32_t))

static struct id128 new_secret(const struct date *date, const struct command *command) {
    struct id128 secret = command->enter.secret;
    if (id128_is_none(&command->enter.key)) return secret;
    uint32_t mark = key_mark(date, command);
    memcpy(secret.bytes + MARK_AT, &mark, sizeof mark);
    return secret;
}

/* Did this very request make the token? */
static bool made_by(const struct date *date, const struct command *command,
                    const struct waiter *waiter) {
    if (id128_is_none(&command->enter.key)) return false;
    uint32_t mark = key_mark(date, command);
    return memcmp(waiter->secret.bytes + MARK_AT, &mark, sizeof mark) == 0;
}

void date_enter(const struct date *date, const struct command *command, uint64_t now_ms,
                struct verdict *verdict) {
    place_t live = room_place_of(&date->room, &command->enter.user);
    const struct waiter *waiter = live ? room_find(&date->room, live) : NULL;
    bool over = waiter && waiter_is_over(waiter, now_ms);
    /* O3: who still waits when sales end is told so, by entering again as by a poll. */
    bool too_late = waiter && waiter->state == TOKEN_WAITING && date_sales_ended(date, now_ms);
    bool stays = waiter && !over && !too_late &&
                 (date->policy.reentry == REENTRY_KEEP || made_by(date, command, waiter));
    if (stays && date->state != DATE_CANCELLED) {
        answer_token(verdict, live); /* Q4 */
        return;
    }
    if (!may_enter(date, command->is_admin, now_ms, verdict)) return;
    if (live)
        date_expire_token(date, live, over ? TOKEN_END_TIME : TOKEN_END_REQUEUED, now_ms, verdict);

    /* Q1, Q2: the next place, in the order in which the engine decides */
    place_t place = date->room.last + 1;
    verdict_add(verdict, &date->partition, DECISION_QUEUE_ENTERED, now_ms)->queue_entered =
        (struct decision_queue_entered){
            .place = place, .user = command->enter.user, .secret = new_secret(date, command)};
    if (goes_in_at_once(date, waiter)) date_admit(date, place, true, now_ms, verdict);
    answer_token(verdict, place);
}

void date_status(const struct date *date, const struct command *command, uint64_t now_ms,
                 struct verdict *verdict) {
    const struct waiter *waiter = NULL;
    enum guard guard = date_guard(date, &command->queue.token, now_ms, &waiter);
    if (guard == GUARD_INVALID) {
        verdict_error(verdict, ERROR_TOKEN_INVALID, 0, 0, 0);
    } else if (date->state == DATE_CANCELLED) {
        verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
    } else if (!waiter) {
        verdict_error(verdict, ERROR_TOKEN_EXPIRED, 0, 0, 0);
    } else if (guard == GUARD_WAITING && command->kind == COMMAND_QUEUE_STATUS &&
               date_sales_ended(date, now_ms)) { /* O3: nobody is admitted any more */
        verdict_error(verdict, ERROR_SALES_ENDED, date->policy.sales_end_at, 0, 0);
    } else {
        answer_token(verdict, command->queue.token.place);
    }
}

void date_leave(const struct date *date, const struct command *command, uint64_t now_ms,
                struct verdict *verdict) {
    date_status(date, command, now_ms, verdict);
    if (verdict->reply_kind != REPLY_TOKEN) return;
    place_t place = command->queue.token.place;
    if (room_find(&date->room, place)->state == TOKEN_EXPIRED) return; /* left twice: same answer */
    date_expire_token(date, place, TOKEN_END_LEFT, now_ms, verdict);   /* Q11 */
}

/* C5: catalogue.dates with a token comes here first; the date vouches for it, or says why not,
 * which matters only where a date is gated. */
void date_vouch(const struct date *date, const struct command *command, uint64_t now_ms,
                struct verdict *verdict) {
    bool active = date_guard_active(date, &command->dates.token, now_ms, verdict) != NULL;
    uint16_t refusal = active ? ERROR_NONE : verdict->error;
    uint64_t refusal_data = active ? 0 : verdict->data[0];
    verdict_begin(verdict);
    struct command *message = verdict_message(verdict, COMMAND_CATALOGUE_DATES,
                                              PARTITION_CATALOGUE);
    message->dates = command->dates;
    message->is_admin = command->is_admin;
    message->dates.is_judged = true;
    message->dates.token_is_active = active;
    message->dates.token_concert = date->concert;
    message->dates.refusal = refusal;
    message->dates.refusal_data = refusal_data;
}
