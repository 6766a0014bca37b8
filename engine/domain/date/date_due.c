/* date_due.c - what time decides for a date, and what a crash or a cancellation left unfinished
 *
 * In this order: active times that are over (Q8), holds that are over (R3), unfinished payments and
 * refunds, admission (Q7, Q9), silent waiters (Q6). One decision a call, so that whoever asks can
 * stop between any two.
 */
#include "engine/domain/date/date_rules.h"

static void end_reservation(const struct date *date, const struct reservation *reservation,
                            enum reservation_state state, uint64_t now_ms,
                            struct verdict *verdict) {
    verdict_add(verdict, &date->partition, DECISION_RESERVATION_ENDED, now_ms)->reservation_ended =
        (struct decision_reservation_ended){.reservation = reservation->sequence,
                                            .state = (uint8_t)state};
}

/* What one reservation still needs: after a crash, the money's side is asked again; on a cancelled
 * date, everybody gets their points back. Return: whether there was anything */
static bool settle(const struct date *date, const struct reservation *reservation, uint64_t now_ms,
                   struct verdict *verdict) {
    bool cancelled = date->state == DATE_CANCELLED;
    switch (reservation->state) {
    case RESERVATION_PAYING:
        date_message(date, reservation, COMMAND_FUNDS_RESERVE, reservation->payment, verdict);
        return true;
    case RESERVATION_REFUNDING:
        date_message(date, reservation, COMMAND_FUNDS_REFUND, reservation->payment, verdict);
        return true;
    case RESERVATION_HELD:
        /* Not backed: the log was cut between a payment's refusal and the end of its hold. */
        if (!cancelled && date_backs(date, reservation, now_ms)) return false;
        end_reservation(date, reservation, cancelled ? RESERVATION_CANCELLED : RESERVATION_EXPIRED,
                        now_ms, verdict);
        return true;
    case RESERVATION_PAID:
        if (cancelled) {
            verdict_add(verdict, &date->partition, DECISION_REFUND_STARTED, now_ms)
                ->refund_started = (struct decision_refund_started){
                .reservation = reservation->sequence, .payment = reservation->payment};
            date_message(date, reservation, COMMAND_FUNDS_REFUND, reservation->payment, verdict);
        }
        return cancelled;
    default: return false;
    }
}

static bool sweep(struct date *date, uint64_t now_ms, struct verdict *verdict) {
    const struct reservations *all = &date->reservations;
    const struct reservation *reservation;
    while ((reservation = reservations_next(all, date->volatile_sweep)) != NULL) {
        date->volatile_sweep = reservation->sequence;
        if (settle(date, reservation, now_ms, verdict)) return true;
    }
    date->volatile_sweep = all->sequence_count;
    return false;
}

/* Q2, Q6, Q7, Q9: the first who waits is admitted, unless it has gone silent */
static void admit_first(const struct date *date, uint64_t now_ms, struct verdict *verdict) {
    place_t place = room_first(&date->room);
    if (room_is_silent(&date->room, place, now_ms)) {
        date_expire_token(date, place, TOKEN_END_SILENT, now_ms, verdict);
        return;
    }
    date_admit(date, place, false, now_ms, verdict);
}

bool date_due(struct partition *partition, uint64_t now_ms, struct verdict *verdict) {
    struct date *date = (struct date *)partition;
    date->volatile_sales_over = date_sales_ended(date, now_ms);
    const struct heap_entry *active = room_due(&date->room);
    if (active && active->due_ms <= now_ms) {
        date_expire_token(date, active->item, TOKEN_END_TIME, now_ms, verdict);
        return true;
    }
    const struct reservation *held = reservations_due(&date->reservations);
    if (held && held->expires_at <= now_ms) {
        end_reservation(date, held, RESERVATION_EXPIRED, now_ms, verdict);
        return true;
    }
    if (sweep(date, now_ms, verdict)) return true;
    if (date_admission_ms(date, now_ms) <= now_ms) {
        admit_first(date, now_ms, verdict);
        return true;
    }
    uint32_t budget = DRAIN_DUE_MAX;
    place_t silent = room_silent(&date->room, now_ms, &budget);
    if (silent) date_expire_token(date, silent, TOKEN_END_SILENT, now_ms, verdict);
    return silent != 0;
}

uint64_t date_next_due_ms(const struct partition *partition) {
    const struct date *date = (const struct date *)partition;
    if (date->volatile_sweep < date->reservations.sequence_count) return 0;
    uint64_t due = date->volatile_sales_over
                       ? UINT64_MAX
                       : date_admission_ms(date, date->partition.last_time_ms);
    const struct heap_entry *active = room_due(&date->room);
    if (active && active->due_ms < due) due = active->due_ms;
    const struct reservation *held = reservations_due(&date->reservations);
    if (held && held->expires_at < due) due = held->expires_at;
    uint64_t wheel = room_wheel_due_ms(&date->room);
    return wheel < due ? wheel : due;
}

void date_heard(struct partition *partition, const struct command *command, uint64_t now_ms) {
    struct date *date = (struct date *)partition;
    if (command->kind == COMMAND_QUEUE_ENTER) {
        room_heard(&date->room, room_place_of(&date->room, &command->enter.user), NULL, now_ms);
    } else if (command->kind == COMMAND_QUEUE_STATUS) {
        const struct token *token = &command->queue.token;
        room_heard(&date->room, token->place, &token->secret, now_ms);
    }
}

void date_resume(struct partition *partition, uint64_t now_ms) {
    struct date *date = (struct date *)partition;
    CHECK_SLOW(date_is_sound(date));
    room_wheel_reset(&date->room, now_ms, date->policy.waiting_timeout_ms, true);
    date->volatile_sweep = 0;
    date->volatile_sales_over = false;
}
