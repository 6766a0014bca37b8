/* payment.pml - the payment and refund protocol (engine/README.md, "Payment"), for SPIN
 *
 * One date, one account, reservations of one user that were made with one token, and money for fewer
 * of them than there are. The client clicks as often as it likes, the date is cancelled, holds and
 * the token end, and the engine crashes, all of it at any moment. Who reads the C source finds the
 * same words here: records are those of decision.def, messages those of command.def, and each inline
 * is named after the function that it is the model of. README.md has the map, and what is left out.
 *
 * The log. A decision is appended (`append`) and applied to the state DONE[LIVE] at once. The log's
 * writer takes one record at a time from the log and applies it, by the same `apply`, to the state
 * DONE[DISK]: what recovery would find. A crash at any moment therefore leaves any prefix of the log
 * that holds everything acknowledged: it copies DISK to LIVE and loses log, messages and replies.
 *
 * -DBUG_name plants a bug; run.py demands that each is found.
 */

#ifndef RESERVATIONS
#define RESERVATIONS 2
#endif
#ifndef PAYMENTS
#define PAYMENTS 3 /* numbers that a date can hand out: 1..PAYMENTS */
#endif
#ifndef LOG_MAX
#define LOG_MAX 4 /* records appended and not yet durable; a step adds at most two */
#endif
#ifndef CLICK_MAX
#define CLICK_MAX 2 /* a client's request is let in only while fewer messages are under way */
#endif
#ifndef CHARGES
#define CHARGES 2 /* points that the user can charge, one by one; every reservation costs one */
#endif
#define MESSAGES_MAX (CLICK_MAX + 2 * RESERVATIONS + PAYMENTS)

mtype:record = { payment_started, payment_refused, seats_sold, payment_aborted, refund_started,
                 seats_refunded, reservation_ended, token_expired, date_cancelled, wallet_charged,
                 funds_reserved, funds_posted, funds_voided, funds_refunded,
                 refund_closed };
mtype:message = { FUNDS_RESERVE, FUNDS_RESERVED, FUNDS_REFUSED, FUNDS_POST, FUNDS_VOID,
                  FUNDS_REFUND, FUNDS_REFUNDED, REFUND_CLOSE };

/* States of a reservation; a transfer's are 0 (none), RESERVED, REFUNDED. */
#define HELD 0
#define PAYING 1
#define PAID 2
#define REFUNDING 3
#define REFUNDED 4
#define CANCELLED 5
#define EXPIRED 6
#define RELEASED 7
#define RESERVED 1

typedef Reservation {
    byte state;
    byte payment; /* its latest; 0: none */
    bit token_spent;
    byte charged; /* ghost: points posted for it less points refunded */
}
typedef Transfer {
    byte state;
    byte reservation;
}
typedef Logged { /* what the log has */
    bit cancelled; /* the date */
    bit token_active;
    byte payments;
    byte balance, reserved, spent, charged, refunded; /* the account */
    Reservation reservation[RESERVATIONS];
    Transfer transfer[PAYMENTS + 1];
}
#define LIVE 0
#define DISK 1
Logged done[2];

chan log = [LOG_MAX] of { mtype:record, byte, byte }; /* record, reservation, payment (or state) */
chan to_account = [MESSAGES_MAX] of { mtype:message, byte, byte };
chan to_date = [MESSAGES_MAX] of { mtype:message, byte, byte };
#ifdef BUG_SEND_BEFORE_APPEND
chan drain = [LOG_MAX] of { mtype:record, byte, byte };
#define IN_DRAIN len(drain)
#else
#define IN_DRAIN 0
#endif

/* Volatile: lost in a crash. */
byte date_sweep = RESERVATIONS;      /* next reservation that date_due looks at */
byte account_sweep = PAYMENTS + 1;   /* next transfer that account_due looks at */
byte gate[2 * RESERVATIONS];    /* a reply waits for so many records; 0: none waits */
#ifdef CRASHES
byte crashes = CRASHES; /* still to come; without: as many as it likes */
#else
#define crashes 1
#endif

/* Scratch of one step; not part of the state. */
hidden mtype:message m;
hidden mtype:record record;
hidden byte r, p, i, pending;

#define RES(w, n) done[w].reservation[n]
#define TRANSFER(w, n) done[w].transfer[n]
#define IS_PAID(w, n) (RES(w, n).state == PAID || RES(w, n).state == REFUNDING || RES(w, n).state == REFUNDED)
#define BACKS(n) (RES(LIVE, n).token_spent || done[LIVE].token_active) /* date_backs */
#define ROOM (len(log) + IN_DRAIN <= LOG_MAX - 2) /* a full journal pauses the shard */

/* --- apply: date_apply.c and account_apply.c; shared by the live engine and the disk ---------- */

inline take_reserved(w, pay) {
    assert(TRANSFER(w, pay).state == RESERVED && done[w].reserved > 0);
    done[w].reserved--;
    TRANSFER(w, pay).state = 0;
    TRANSFER(w, pay).reservation = 0
}

inline apply(w, kind, res, pay) {
    if
    :: kind == payment_started ->
        assert(RES(w, res).state == HELD && pay == done[w].payments + 1);
        done[w].payments = pay;
        RES(w, res).state = PAYING;
        RES(w, res).payment = pay
    :: kind == payment_refused ->
        assert(RES(w, res).state == PAYING);
        RES(w, res).state = HELD
    :: kind == seats_sold ->
        assert(RES(w, res).state == PAYING && RES(w, res).payment == pay);
        RES(w, res).state = PAID;
        i = 0;
        do /* reservations_spend_token */
        :: i < RESERVATIONS ->
            if
            :: done[w].token_active && (RES(w, i).state == HELD || RES(w, i).state == PAYING) ->
                RES(w, i).token_spent = 1
            :: else
            fi;
            i++
        :: else -> break
        od;
        done[w].token_active = 0
    :: kind == payment_aborted ->
        assert(RES(w, res).state == PAYING);
        RES(w, res).state = CANCELLED
    :: kind == refund_started ->
        assert(RES(w, res).state == PAID);
        RES(w, res).state = REFUNDING
    :: kind == seats_refunded ->
        assert(RES(w, res).state == REFUNDING);
        RES(w, res).state = REFUNDED
    :: kind == reservation_ended -> /* P5: never out of PAYING */
        assert(RES(w, res).state == HELD);
        RES(w, res).state = pay
    :: kind == token_expired ->
        done[w].token_active = 0;
        i = 0;
        do
        :: i < RESERVATIONS ->
            if
            :: RES(w, i).state == HELD && !RES(w, i).token_spent -> RES(w, i).state = EXPIRED
            :: else
            fi;
            i++
        :: else -> break
        od
    :: kind == date_cancelled ->
        done[w].cancelled = 1;
        if
        :: w == LIVE -> date_sweep = 0
        :: else
        fi
    :: kind == wallet_charged ->
        done[w].charged++;
        done[w].balance++
    :: kind == funds_reserved ->
        assert(done[w].balance > 0 && TRANSFER(w, pay).state == 0);
        done[w].balance--;
        done[w].reserved++;
        TRANSFER(w, pay).state = RESERVED;
        TRANSFER(w, pay).reservation = res
    :: kind == funds_posted ->
        take_reserved(w, pay);
        done[w].spent++;
        RES(w, res).charged++
    :: kind == funds_voided ->
        take_reserved(w, pay)
#ifndef BUG_VOID_LOSES_POINTS
        ; done[w].balance++
#endif
    :: kind == funds_refunded ->
        assert(RES(w, res).charged > 0);
        RES(w, res).charged--;
        done[w].refunded++;
        done[w].balance++;
        TRANSFER(w, pay).state = REFUNDED;
        TRANSFER(w, pay).reservation = res
    :: kind == refund_closed ->
        assert(TRANSFER(w, pay).state == REFUNDED);
        TRANSFER(w, pay).state = 0;
        TRANSFER(w, pay).reservation = 0
    fi
}

/* log_decision and partition_apply of shard.c. A date's records go through `drain` only where the
 * bug is that messages do not wait for them. */
inline append(kind, res, pay) {
    log!kind, res, pay;
    apply(LIVE, kind, res, pay)
}
#ifdef BUG_SEND_BEFORE_APPEND
inline date_append(kind, res, pay) {
    drain!kind, res, pay;
    apply(LIVE, kind, res, pay)
}
#else
#define date_append append
#endif

/* --- what must hold after every step ------------------------------------------------------------- */

#define UNDER_WAY (len(to_account) + len(to_date))
#define QUIESCENT (UNDER_WAY == 0 && date_sweep == RESERVATIONS && account_sweep == PAYMENTS + 1)

inline check(w) {
    /* points are conserved */
    assert(done[w].charged + done[w].refunded == done[w].balance + done[w].reserved + done[w].spent);
    i = 0;
    do
    :: i < RESERVATIONS ->
        /* charged once */
        assert(RES(w, i).charged <= 1);
        /* never charged without seat */
        assert(RES(w, i).charged == 0 || RES(w, i).state == PAID || RES(w, i).state == REFUNDING);
        /* never a seat without charge: spent, or set aside for this very payment */
        assert(RES(w, i).state != PAID || RES(w, i).charged == 1 ||
               (TRANSFER(w, RES(w, i).payment).state == RESERVED &&
                TRANSFER(w, RES(w, i).payment).reservation == i));
        i++
    :: else -> break
    od;
    i = 0
}

/* Nothing under way: everything is paid or unpaid, and everybody has their points. */
inline check_quiescent() {
    if
    :: QUIESCENT ->
        assert(done[LIVE].reserved == 0);
        i = 0;
        do
        :: i < RESERVATIONS ->
            assert(RES(LIVE, i).state != PAYING && RES(LIVE, i).state != REFUNDING);
            assert((RES(LIVE, i).state == PAID) == (RES(LIVE, i).charged == 1));
            assert(!done[LIVE].cancelled || (RES(LIVE, i).state != PAID && RES(LIVE, i).state != HELD));
            i++
        :: else -> break
        od;
        i = 1;
        do
        :: i <= PAYMENTS -> assert(TRANSFER(LIVE, i).state == 0); i++
        :: else -> break
        od;
        i = 0
    :: else
    fi
}

/* The gate: a reply leaves when all records of the log up to now are durable. One that says the same
 * and still waits will be read first. What a client reads is then on the disk for good: no record
 * that `apply` allows makes a paid reservation unpaid, or takes a refund back. */
#define PAID_REPLY(n) (n)
#define REFUNDED_REPLY(n) (RESERVATIONS + n)

inline tell(what) { /* the client reads it */
    if
    :: what < RESERVATIONS -> assert(IS_PAID(DISK, what))
    :: else -> assert(RES(DISK, what - RESERVATIONS).state == REFUNDED)
    fi
}

inline reply(what) {
    pending = len(log) + IN_DRAIN;
    if
#ifdef BUG_TELL_BEFORE_DURABLE
    :: true -> tell(what)
#else
    :: pending == 0 -> tell(what)
    :: pending > 0 && gate[what] == 0 -> gate[what] = pending
    :: else
#endif
    fi
}

/* --- the date: date_payment.c --------------------------------------------------------------------- */

/* start_payment, and a double click */
inline date_pay(res) {
    if
    :: RES(LIVE, res).state == HELD ->
        if
        :: !done[LIVE].cancelled && BACKS(res) && done[LIVE].payments < PAYMENTS ->
            p = done[LIVE].payments + 1;
            date_append(payment_started, res, p);
            to_account!FUNDS_RESERVE, res, p
        :: else /* refused: date cancelled, reservation ended */
        fi
    :: RES(LIVE, res).state == PAYING -> to_account!FUNDS_RESERVE, res, RES(LIVE, res).payment
#ifdef BUG_PAID_ASKS_AGAIN
    :: IS_PAID(LIVE, res) -> to_account!FUNDS_RESERVE, res, RES(LIVE, res).payment
#else
    :: IS_PAID(LIVE, res) -> reply(PAID_REPLY(res))
#endif
    :: else /* refused: cancelled, ended */
    fi
}

inline date_cancel_one(res) {
    if
    :: RES(LIVE, res).state == HELD -> date_append(reservation_ended, res, RELEASED)
    :: RES(LIVE, res).state == PAID ->
        p = RES(LIVE, res).payment;
        date_append(refund_started, res, p);
        to_account!FUNDS_REFUND, res, p
    :: RES(LIVE, res).state == REFUNDING -> to_account!FUNDS_REFUND, res, RES(LIVE, res).payment
    :: RES(LIVE, res).state == REFUNDED -> reply(REFUNDED_REPLY(res))
    :: else /* refused: payment in progress, ended */
    fi
}

inline date_funds_reserved(res, pay) {
    if
    :: RES(LIVE, res).payment == pay && RES(LIVE, res).state == PAYING ->
        if
#ifdef BUG_SELL_CANCELLED
        :: false -> skip
#else
        :: done[LIVE].cancelled -> /* abort_payment */
            date_append(payment_aborted, res, pay);
            to_account!FUNDS_VOID, res, pay
#endif
        :: else ->
            date_append(seats_sold, res, pay);
            reply(PAID_REPLY(res));
            to_account!FUNDS_POST, res, pay
        fi
    :: RES(LIVE, res).payment == pay && IS_PAID(LIVE, res) ->
        reply(PAID_REPLY(res));
        to_account!FUNDS_POST, res, pay
    :: else -> /* aborted before; or refused before, and charged between two clicks */
#ifdef BUG_NO_VOID
        skip
#elif defined(BUG_POST_FOR_VOID)
        to_account!FUNDS_POST, res, pay
#else
        to_account!FUNDS_VOID, res, pay
#endif
    fi
}

inline date_funds_refused(res, pay) {
    if
    :: RES(LIVE, res).payment == pay && IS_PAID(LIVE, res) -> reply(PAID_REPLY(res))
    :: RES(LIVE, res).payment == pay && RES(LIVE, res).state == PAYING ->
#ifdef BUG_REFUSAL_IGNORED
        skip
#else
        if
        :: done[LIVE].cancelled -> date_append(payment_aborted, res, pay)
#ifdef BUG_SELL_UNFUNDED
        :: !done[LIVE].cancelled -> date_append(seats_sold, res, pay)
#endif
        :: else ->
            date_append(payment_refused, res, pay);
            if
            :: !BACKS(res) -> date_append(reservation_ended, res, EXPIRED)
            :: else
            fi
        fi
#endif
    :: else /* said before */
    fi
}

inline date_funds_refunded(res, pay) {
    if
    :: RES(LIVE, res).state == REFUNDING -> date_append(seats_refunded, res, pay)
    :: else
    fi;
    if
    :: RES(LIVE, res).state == REFUNDED -> reply(REFUNDED_REPLY(res))
    :: else
    fi;
    to_account!REFUND_CLOSE, res, pay
}

active proctype Date() { /* date_decide, messages */
end:
    do
    :: d_step {
        nempty(to_date) && ROOM ->
        to_date?m, r, p;
        if
        :: m == FUNDS_RESERVED -> date_funds_reserved(r, p)
        :: m == FUNDS_REFUSED -> date_funds_refused(r, p)
        :: m == FUNDS_REFUNDED -> date_funds_refunded(r, p)
        fi;
        check(LIVE);
        check_quiescent()
    }
    od
}

/* date_due.c: sweep and settle. After a crash, and on a cancelled date: what is left unfinished. */
active proctype DateDue() {
end:
    do
    :: d_step {
        date_sweep < RESERVATIONS && ROOM ->
        r = date_sweep;
        date_sweep++;
        if
        :: RES(LIVE, r).state == PAYING -> to_account!FUNDS_RESERVE, r, RES(LIVE, r).payment
#ifndef BUG_REFUND_NOT_RESUMED
        :: RES(LIVE, r).state == REFUNDING -> to_account!FUNDS_REFUND, r, RES(LIVE, r).payment
#endif
        :: RES(LIVE, r).state == HELD && done[LIVE].cancelled ->
            date_append(reservation_ended, r, CANCELLED)
        :: RES(LIVE, r).state == HELD && !done[LIVE].cancelled && !BACKS(r) ->
            date_append(reservation_ended, r, EXPIRED)
        :: RES(LIVE, r).state == PAID && done[LIVE].cancelled ->
            p = RES(LIVE, r).payment;
            date_append(refund_started, r, p);
            to_account!FUNDS_REFUND, r, p
        :: else
        fi;
        check(LIVE);
        check_quiescent()
    }
    od
}

/* --- the account: account_decide.c ------------------------------------------------------------------- */

inline account_reserve(res, pay) {
    if
#ifdef BUG_TRANSFER_FORGOTTEN
    :: TRANSFER(LIVE, pay).state == REFUNDED -> to_date!FUNDS_RESERVED, res, pay
    :: TRANSFER(LIVE, pay).state == RESERVED && done[LIVE].balance > 0 ->
        append(funds_posted, res, pay); /* the first one is spent, and asked for once more */
        append(funds_reserved, res, pay);
        to_date!FUNDS_RESERVED, res, pay
#else
    :: TRANSFER(LIVE, pay).state != 0 -> to_date!FUNDS_RESERVED, res, pay
#endif
    :: TRANSFER(LIVE, pay).state == 0 && done[LIVE].balance > 0 ->
        append(funds_reserved, res, pay);
#ifdef BUG_POST_AT_ONCE
        append(funds_posted, res, pay);
#endif
        to_date!FUNDS_RESERVED, res, pay
    :: else -> to_date!FUNDS_REFUSED, res, pay /* funds_refused changes no state */
    fi
}

inline account_refund(res, pay) {
    if
#ifndef BUG_REFUND_TWICE
    :: TRANSFER(LIVE, pay).state == REFUNDED -> to_date!FUNDS_REFUNDED, res, pay
#endif
    :: else ->
        if
#ifndef BUG_REFUND_UNPOSTED
        :: TRANSFER(LIVE, pay).state == RESERVED -> append(funds_posted, res, pay)
#endif
        :: else
        fi;
        append(funds_refunded, res, pay);
        to_date!FUNDS_REFUNDED, res, pay
    fi
}

inline account_settle(kind, res, pay) { /* settle */
    if
    :: kind == FUNDS_POST && TRANSFER(LIVE, pay).state == RESERVED -> append(funds_posted, res, pay)
    :: kind == FUNDS_VOID && TRANSFER(LIVE, pay).state == RESERVED -> append(funds_voided, res, pay)
    :: kind == REFUND_CLOSE && TRANSFER(LIVE, pay).state == REFUNDED -> append(refund_closed, res, pay)
    :: else /* said before */
    fi
}

active proctype Account() { /* account_decide, messages */
end:
    do
    :: d_step {
        nempty(to_account) && ROOM ->
        to_account?m, r, p;
        if
        :: m == FUNDS_RESERVE -> account_reserve(r, p)
        :: m == FUNDS_REFUND -> account_refund(r, p)
        :: else -> account_settle(m, r, p)
        fi;
        check(LIVE);
        check_quiescent()
    }
    od
}

active proctype AccountDue() { /* account_due */
end:
    do
    :: d_step {
        account_sweep <= PAYMENTS ->
        p = account_sweep;
        account_sweep++;
        if
        :: TRANSFER(LIVE, p).state == RESERVED ->
            to_date!FUNDS_RESERVED, TRANSFER(LIVE, p).reservation, p
        :: TRANSFER(LIVE, p).state == REFUNDED ->
            to_date!FUNDS_REFUNDED, TRANSFER(LIVE, p).reservation, p
        :: else
        fi;
        check_quiescent()
    }
    od
}

/* --- the log --------------------------------------------------------------------------------------- */

inline open_gate() { /* one more record is durable */
    i = 0;
    do
    :: i < 2 * RESERVATIONS ->
        if
        :: gate[i] == 1 -> gate[i] = 0; tell(i)
        :: gate[i] > 1 -> gate[i]--
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

active proctype Writer() {
end:
    do
    :: d_step {
        nempty(log) ->
        log?record, r, p;
        apply(DISK, record, r, p);
        open_gate();
        check(DISK)
    }
#ifdef BUG_SEND_BEFORE_APPEND
    :: d_step { nempty(drain) && nfull(log) -> drain?record, r, p; log!record, r, p }
#endif
    od
}

/* --- what happens to the engine: clients, organiser, clock, power ------------------------------------ */

inline copy_disk_to_live() {
    done[LIVE].cancelled = done[DISK].cancelled;
    done[LIVE].token_active = done[DISK].token_active;
    done[LIVE].payments = done[DISK].payments;
    done[LIVE].balance = done[DISK].balance;
    done[LIVE].reserved = done[DISK].reserved;
    done[LIVE].spent = done[DISK].spent;
    done[LIVE].charged = done[DISK].charged;
    done[LIVE].refunded = done[DISK].refunded;
    i = 0;
    do
    :: i < RESERVATIONS ->
        RES(LIVE, i).state = RES(DISK, i).state;
        RES(LIVE, i).payment = RES(DISK, i).payment;
        RES(LIVE, i).token_spent = RES(DISK, i).token_spent;
        RES(LIVE, i).charged = RES(DISK, i).charged;
        gate[PAID_REPLY(i)] = 0;
        gate[REFUNDED_REPLY(i)] = 0;
        i++
    :: else -> break
    od;
    i = 1;
    do
    :: i <= PAYMENTS ->
        TRANSFER(LIVE, i).state = TRANSFER(DISK, i).state;
        TRANSFER(LIVE, i).reservation = TRANSFER(DISK, i).reservation;
        i++
    :: else -> break
    od;
    i = 0
}

inline crash() {
#ifdef CRASHES
    crashes--;
#endif
    do
    :: nempty(log) -> log?record, r, p
    :: nempty(to_account) -> to_account?m, r, p
    :: nempty(to_date) -> to_date?m, r, p
#ifdef BUG_SEND_BEFORE_APPEND
    :: nempty(drain) -> drain?record, r, p
#endif
    :: empty(log) && empty(to_account) && empty(to_date) && IN_DRAIN == 0 -> break
    od;
    copy_disk_to_live();
#ifndef BUG_DATE_NOT_RESUMED
    date_sweep = 0; /* date_resume */
#endif
#ifndef BUG_ACCOUNT_NOT_RESUMED
    account_sweep = 1; /* account_resume */
#endif
    check(LIVE);
    check_quiescent()
}

#define MAY_ASK (UNDER_WAY < CLICK_MAX && ROOM)
/* A hold's time may be over at any moment; a request between that and its end is refused, which
 * changes nothing. */
#ifdef BUG_EXPIRY_IGNORES_PAYING
#define MAY_EXPIRE(n) (RES(LIVE, n).state == HELD || RES(LIVE, n).state == PAYING)
#else
#define MAY_EXPIRE(n) (RES(LIVE, n).state == HELD)
#endif

/* payment.pay; reservation.cancel and seats.release; the clock */
#define EVENTS_OF(n)                                                                               \
    :: d_step { MAY_ASK -> date_pay(n); check(LIVE); check_quiescent() }                           \
    :: d_step { MAY_ASK -> date_cancel_one(n); check(LIVE); check_quiescent() }                    \
    :: d_step { ROOM && MAY_EXPIRE(n) -> date_append(reservation_ended, n, EXPIRED); check(LIVE);  \
                check_quiescent() }

active proctype World() {
    if /* Q10: the token was spent when the seats were held, or is still active */
    :: d_step {
        i = 0;
        do
        :: i < RESERVATIONS -> RES(LIVE, i).token_spent = 1; RES(DISK, i).token_spent = 1; i++
        :: else -> break
        od;
        i = 0
    }
    :: d_step { done[LIVE].token_active = 1; done[DISK].token_active = 1 }
    fi;
end:
    do
    EVENTS_OF(0)
#if RESERVATIONS > 1
    EVENTS_OF(1)
#endif
    /* wallet.charge */
    :: d_step { ROOM && done[LIVE].charged < CHARGES -> append(wallet_charged, 0, 0); check(LIVE) }
    /* queue.leave, or the active time is over */
    :: d_step { ROOM && done[LIVE].token_active -> date_append(token_expired, 0, 0); check(LIVE);
                check_quiescent() }
    /* admin.date_cancel */
    :: d_step { ROOM && !done[LIVE].cancelled -> date_append(date_cancelled, 0, 0); check(LIVE) }
    :: d_step { crashes > 0 -> crash() }
    od
}

/* --- liveness, under weak fairness ------------------------------------------------------------------- */

/* []<> !x says the same as [](x -> <> !x). */
ltl every_payment_ends { []<> (done[LIVE].reservation[0].state != PAYING) }
ltl every_refund_ends { []<> (done[LIVE].reservation[0].state != REFUNDING) }
ltl every_transfer_closes { []<> (done[LIVE].transfer[1].state == 0) }
