/* date_rules.h - shared by the files that decide for a date; not for others
 *
 *   date_guard.c    who may: tokens, reservations, sales          C5, O3, P1
 *   date_turns.c    when a turn begins, how a token ends          Q7 to Q9
 *   date_queue.c    enter, poll, leave                            Q1 to Q13
 *   date_seats.c    list, hold, release, reservations             C4, R1 to R7
 *   date_payment.c  pay, cancel, and the messages with accounts   P1 to P5, R8
 *   date_admin.c    seats, policy, open, close, cancel            C1, C3
 *   date_due.c      what time decides                             Q6 to Q9, R3
 *   date_outage.c   what an outage gives back                     X7
 *   date_apply.c    how a decision changes the state
 *   date_answer.c   what is answered, by kind of reply
 *   date_prefetch.c what it will touch
 *   date_sound.c    whether all parts of a date agree
 */
#ifndef USHER_ENGINE_DOMAIN_DATE_DATE_RULES_H
#define USHER_ENGINE_DOMAIN_DATE_DATE_RULES_H

#include "engine/domain/date/date.h"
#include "engine/domain/verdict.h"

/* What a token is worth at this moment. */
enum guard {
    GUARD_ACTIVE,
    GUARD_WAITING,
    GUARD_EXPIRED,
    GUARD_INVALID,
};

/* date_guard - check a token in O(1)
 * @ret_waiter: unless INVALID; NULL where the token ended so long ago that its chunk is freed
 * Return: enum guard. A token whose active time is over counts as EXPIRED even before the timer
 * has said so. */
enum guard date_guard(const struct date *date, const struct token *token, uint64_t now_ms,
                      const struct waiter **ret_waiter);

/* date_guard_active - for calls that need an ACTIVE token on a date that is not cancelled
 * Return: the waiter; NULL after having put the refusal into the verdict */
const struct waiter *date_guard_active(const struct date *date, const struct token *token,
                                       uint64_t now_ms, struct verdict *verdict);

/* date_expire_token - add the TOKEN_EXPIRED of a live token, with the unpaid reservations that end
 * with it */
void date_expire_token(const struct date *date, place_t place, enum token_end end, uint64_t now_ms,
                       struct verdict *verdict);

/* date_sales_ended - O3: is it too late to enter, hold and pay? */
bool date_sales_ended(const struct date *date, uint64_t now_ms);

/* date_is_paced - Q9: are admissions counted by an interval? */
bool date_is_paced(const struct date *date);

/* date_admit - add the ADMITTED of a waiter. at_once: an interval does not count it (Q9) */
void date_admit(const struct date *date, place_t place, bool at_once, uint64_t now_ms,
                struct verdict *verdict);

/* date_find - Return: the reservation with this id (dated_id), NULL if this date has none */
const struct reservation *date_find(const struct date *date, uint64_t id);

/* date_answer_with - answer with this reservation of the date */
static inline void date_answer_with(struct verdict *verdict, uint32_t reservation) {
    verdict->reply_kind = REPLY_RESERVATION;
    verdict->reservation = reservation;
}

/* date_authorise - the reservation that a token's holder asks to change: the token it was made with
 * may, and so may the same user's own active token of now
 * Return: the reservation; NULL after having put the refusal into the verdict */
const struct reservation *date_authorise(const struct date *date, const struct token *token,
                                         uint64_t id, uint64_t now_ms, struct verdict *verdict);

/* date_backs - does a token still stand behind this unpaid reservation? One that was spent by a
 * reservation or a payment (Q10) leaves its other holds payable; one that ended otherwise takes
 * them with it. */
bool date_backs(const struct date *date, const struct reservation *reservation, uint64_t now_ms);

/* date_message - address a message about a reservation's money to its user's account */
void date_message(const struct date *date, const struct reservation *reservation,
                  enum command_kind kind, uint32_t payment, struct verdict *verdict);

/* date_admission_ms - when the first waiter may be admitted: 0 now, UINT64_MAX not before something
 * else happens */
uint64_t date_admission_ms(const struct date *date, uint64_t now_ms);

/* date_decide - by kind */
void date_enter(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_status(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_leave(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_vouch(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_list(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_hold(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_release(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_pay(const struct date *, const struct command *, uint64_t now_ms, struct verdict *);
void date_cancel_one(const struct date *, const struct command *, uint64_t now_ms,
                     struct verdict *);
void date_funds_reserved(const struct date *, const struct command *, uint64_t now_ms,
                         struct verdict *);
void date_funds_refused(const struct date *, const struct command *, uint64_t now_ms,
                        struct verdict *);
void date_funds_refunded(const struct date *, const struct command *, uint64_t now_ms,
                         struct verdict *);
void date_administer(const struct date *, const struct command *, uint64_t now_ms,
                     struct verdict *);

/* What date_kind has: partition_kind.h. */
void date_decide(const struct partition *, const struct command *, uint64_t now_ms,
                 struct verdict *);
void date_apply(struct partition *, const struct decision *);
void date_answer(const struct partition *, const struct command *, const struct verdict *,
                 uint64_t now_ms, struct reply *);
bool date_due(struct partition *, uint64_t now_ms, struct verdict *);
uint64_t date_next_due_ms(const struct partition *);
void date_heard(struct partition *, const struct command *, uint64_t now_ms);
bool date_outage(const struct partition *, enum outage_cause cause, uint64_t since_ms,
                 uint64_t now_ms, struct verdict *);
void date_resume(struct partition *, uint64_t now_ms);
void date_prefetch(const struct partition *, const struct decision *, enum prefetch step);
void date_prefetch_command(const struct partition *, const struct command *, enum prefetch step);
/* date_is_sound - do all parts of a date agree? By a walk over all of it */
bool date_is_sound(const struct date *);

#endif
