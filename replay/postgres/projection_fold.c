/* projection_fold.c - from a batch of decisions to rows, by sets
 *
 * The staging tables (stage.h) hold the batch, one per kind, each row with its LSN. Each step first
 * folds the events of one kind of entity into a temporary table with one row per entity, fold_*,
 * and then writes the tables. What the steps rely on:
 *
 * - The latest event of an entity wins: max(_lsn * 16 + state) & 15. LSNs stay below 2^59.
 * - Rows that exist are updated before new ones are inserted: a seat that one reservation frees and
 *   another takes in the same batch never has two live owners in between.
 * - New rows are inserted in their final form, from a join with the event that begins them. What is
 *   unknown even then has no beginning: inserting its key alone is refused, for its columns are NOT
 *   NULL. Nothing is a silent no-op.
 * - Reservations come before queue entries and payments, which read them; both come before outages.
 */
#include "engine/domain/error.h"
#include "replay/postgres/projection_sql.h"

/* "CASE x" WHEN_ROWS "END": from a number of the log to its name */
#define WHEN(number, NAME, text) " WHEN " #number " THEN '" text "'"
#define WHEN_ERROR(number, NAME, text, data1, data2, data3) " WHEN " #number " THEN '" #NAME "'"

#define TIME_OF(column) "to_timestamp(" column "::double precision / 1000)"

/* Every kind either changes rows below or is named in the README as one that does not. When this
 * fails, a kind was added: give it its place and raise the number. */
enum {
#define DECISION(number, NAME, name, OWNER) COUNT_##NAME,
#include "engine/domain/decision.def"
#undef DECISION
    KIND_COUNT
};
_Static_assert(KIND_COUNT == 28, "a new kind of decision needs a place in the projection");

/* States of a payment: its own numbers, since only SQL knows them. */
#define PAYMENT_STATES(X)                                                                          \
    X(1, STARTED, "started")                                                                       \
    X(2, REFUSED, "refused")                                                                       \
    X(3, PAID, "paid")                                                                             \
    X(4, ABORTED, "aborted")                                                                       \
    X(5, REFUNDING, "refunding")                                                                   \
    X(6, REFUNDED, "refunded")

static const char session[] =
    "CREATE TEMPORARY TABLE fold_dates (id bigint, state bigint, opened_at timestamptz,"
    " cancelled_at timestamptz, policy jsonb) ON COMMIT DELETE ROWS;\n"
    "CREATE TEMPORARY TABLE fold_reservations (id bigint, state bigint, payment bigint,"
    " paid_at timestamptz, ended_at timestamptz, held_lsn bigint, left_lsn bigint)"
    " ON COMMIT DELETE ROWS;\n"
    "CREATE TEMPORARY TABLE fold_entries (date bigint, place bigint, admitted_at timestamptz,"
    " active_until timestamptz, ended_at timestamptz, end_reason bigint, admitted_lsn bigint,"
    " ended_lsn bigint) ON COMMIT DELETE ROWS;\n"
    "CREATE TEMPORARY TABLE fold_payments (id bigint, state bigint, decided_at timestamptz,"
    " refund_started_at timestamptz, refunded_at timestamptz, balance bigint)"
    " ON COMMIT DELETE ROWS;\n"
    "CREATE TEMPORARY TABLE fold_wallets (user_id uuid, balance bigint, charged bigint,"
    " reserved bigint, spent bigint, refunded bigint) ON COMMIT DELETE ROWS;\n";

const char *projection_session_sql(void) { return session; }

/* --- catalogue and organiser ------------------------------------------------------------------ */

static const uint16_t concert_kinds[] = {DECISION_CONCERT_CREATED, 0};
static const char concerts[] = "INSERT INTO usher.concerts (id, title, created_at)"
                               " SELECT concert, title, _at FROM pg_temp.concert_created;\n";

static const uint16_t date_kinds[] = {DECISION_DATE_CREATED,   DECISION_DATE_OPENED,
                                      DECISION_DATE_CLOSED,    DECISION_DATE_CANCELLED,
                                      DECISION_POLICY_CHANGED, 0};
static const char dates[] =
    "INSERT INTO pg_temp.fold_dates"
    " SELECT id, max(_lsn * 16 + state) & 15, min(_at) FILTER (WHERE state = 2),"
    "  min(_at) FILTER (WHERE state = 4),"
    "  (SELECT policy FROM pg_temp.policy_changed p WHERE p._date = id ORDER BY _lsn DESC LIMIT 1)"
    " FROM (SELECT date AS id, _lsn, _at, 1 AS state FROM pg_temp.date_created"
    "  UNION ALL SELECT _date, _lsn, _at, 2 FROM pg_temp.date_opened"
    "  UNION ALL SELECT _date, _lsn, _at, 3 FROM pg_temp.date_closed"
    "  UNION ALL SELECT _date, _lsn, _at, 4 FROM pg_temp.date_cancelled"
    "  UNION ALL SELECT _date, _lsn, NULL, NULL FROM pg_temp.policy_changed) event"
    " GROUP BY id;\n"
    "UPDATE usher.dates d SET"
    "  state = coalesce(CASE f.state" DATE_STATES(
        WHEN) " END, d.state),"
              "  opened_at = coalesce(d.opened_at, f.opened_at),"
              "  cancelled_at = coalesce(d.cancelled_at, f.cancelled_at),"
              "  policy = coalesce(f.policy, d.policy)"
              " FROM pg_temp.fold_dates f WHERE d.id = f.id;\n"
              "INSERT INTO usher.dates (id, concert, title, starts_at, state, policy, created_at, "
              "opened_at,"
              "  cancelled_at)"
              " SELECT f.id, c.concert, c.title, " TIME_OF(
                  "c.starts_at") ","
                                 "  CASE f.state" DATE_STATES(
                                     WHEN) " END, coalesce(f.policy, c.policy), c._at, f.opened_at,"
                                           "  f.cancelled_at"
                                           " FROM pg_temp.fold_dates f JOIN pg_temp.date_created c "
                                           "ON c.date = f.id;\n"
                                           "INSERT INTO usher.dates (id) SELECT id FROM "
                                           "pg_temp.fold_dates f"
                                           " WHERE NOT EXISTS (SELECT FROM usher.dates d WHERE "
                                           "d.id = f.id);\n";

static const uint16_t seat_kinds[] = {DECISION_SEAT_ADDED, 0};
static const char seats[] =
    "INSERT INTO usher.seats (date, number, section, row, seat, guid, price, for_sale, state)"
    " SELECT _date, number, section, row, seat, guid, price, for_sale <> 0, 'available'"
    " FROM pg_temp.seat_added;\n";

/* --- reservations ----------------------------------------------------------------------------- */

static const uint16_t reservation_kinds[] = {DECISION_SEATS_HELD,      DECISION_RESERVATION_ENDED,
                                             DECISION_TOKEN_EXPIRED,   DECISION_PAYMENT_STARTED,
                                             DECISION_PAYMENT_REFUSED, DECISION_SEATS_SOLD,
                                             DECISION_PAYMENT_ABORTED, DECISION_REFUND_STARTED,
                                             DECISION_SEATS_REFUNDED,  0};

/* Numbers are those of RESERVATION_STATES: 1 held, 2 paying, 3 paid, 4 refunding, 5 refunded,
 * 6 expired, 7 released, 8 cancelled. */
static const char reservations[] =
    "INSERT INTO pg_temp.fold_reservations"
    " SELECT date << 32 | reservation, max(_lsn * 16 + state) & 15,"
    "  max(date << 32 | payment)," /* payments of a date are numbered upwards */
    "  max(_at) FILTER (WHERE state = 3), max(_at) FILTER (WHERE state >= 5),"
    "  min(_lsn) FILTER (WHERE begins), min(_lsn) FILTER (WHERE state IN (3, 6, 7, 8))"
    " FROM (SELECT _date AS date, reservation, _lsn, _at, 1 AS state, NULL::bigint AS payment,"
    "   true AS begins"
    "   FROM pg_temp.seats_held"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, state, NULL, false FROM "
    "pg_temp.reservation_ended"
    "  UNION ALL SELECT _date, unnest(released), _lsn, _at, 6, NULL, false FROM "
    "pg_temp.token_expired"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, 2, payment, false FROM "
    "pg_temp.payment_started"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, 1, NULL, false FROM pg_temp.payment_refused"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, 3, NULL, false FROM pg_temp.seats_sold"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, 8, NULL, false FROM pg_temp.payment_aborted"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, 4, NULL, false FROM pg_temp.refund_started"
    "  UNION ALL SELECT _date, reservation, _lsn, _at, 5, NULL, false FROM pg_temp.seats_refunded"
    " ) event GROUP BY date, reservation;\n"

    "UPDATE usher.reservations r SET state = CASE f.state" RESERVATION_STATES(
        WHEN) " END,"
              "  payment = coalesce(f.payment, r.payment), paid_at = coalesce(f.paid_at, "
              "r.paid_at),"
              "  ended_at = coalesce(f.ended_at, r.ended_at)"
              " FROM pg_temp.fold_reservations f WHERE r.id = f.id;\n"
              "UPDATE usher.reservation_seats s SET freed_at = f.ended_at"
              " FROM pg_temp.fold_reservations f"
              " WHERE s.reservation = f.id AND f.ended_at IS NOT NULL AND s.freed_at IS NULL;\n"

              "INSERT INTO usher.reservations (id, date, user_id, place, seat_count, amount, "
              "state, held_at,"
              "  expires_at, payment, paid_at, ended_at)"
              " SELECT f.id, f.id >> 32, h.\"user\", h.place, cardinality(h.seats), h.amount,"
              "  CASE f.state" RESERVATION_STATES(WHEN) " END, h._at, " TIME_OF(
                  "h.expires_at") ","
                                  "  f.payment, f.paid_at, f.ended_at"
                                  " FROM pg_temp.fold_reservations f"
                                  " JOIN pg_temp.seats_held h ON h._date << 32 | h.reservation = "
                                  "f.id;\n"
                                  "INSERT INTO usher.reservations (id) SELECT id FROM "
                                  "pg_temp.fold_reservations f"
                                  " WHERE NOT EXISTS (SELECT FROM usher.reservations r WHERE r.id "
                                  "= f.id);\n"
                                  "INSERT INTO usher.reservation_seats (reservation, date, seat, "
                                  "held_at, freed_at)"
                                  " SELECT f.id, h._date, unnest(h.seats), h._at, f.ended_at"
                                  " FROM pg_temp.seats_held h"
                                  " JOIN pg_temp.fold_reservations f ON f.id = h._date << 32 | "
                                  "h.reservation;\n"

                                  /* A seat is its live reservation's, after the batch; held and
                                   * paying look alike. */
                                  "UPDATE usher.seats s SET reservation = live.id,"
                                  "  state = CASE WHEN live.id IS NULL THEN 'available'"
                                  "   WHEN live.state IN ('paid', 'refunding') THEN 'sold' ELSE "
                                  "'held' END"
                                  " FROM (SELECT DISTINCT t.date, t.seat FROM "
                                  "usher.reservation_seats t"
                                  "   JOIN pg_temp.fold_reservations f ON f.id = t.reservation) "
                                  "touched"
                                  " LEFT JOIN LATERAL (SELECT r.id, r.state FROM "
                                  "usher.reservation_seats owner"
                                  "   JOIN usher.reservations r ON r.id = owner.reservation"
                                  "   WHERE owner.date = touched.date AND owner.seat = "
                                  "touched.seat AND owner.freed_at IS NULL"
                                  "   LIMIT 1) live ON true" /* LIMIT: by the index, seat by seat */
                                  " WHERE s.date = touched.date AND s.number = touched.seat"
                                  "  AND (s.reservation IS DISTINCT FROM live.id"
                                  "   OR (s.state = 'held' AND live.state IN ('paid', "
                                  "'refunding')));\n";

/* --- the waiting room ------------------------------------------------------------------------- */

static const uint16_t entry_kinds[] = {DECISION_QUEUE_ENTERED, DECISION_ADMITTED,
                                       DECISION_TOKEN_EXPIRED, DECISION_SEATS_HELD,
                                       DECISION_SEATS_SOLD,    0};

/* A token ends by its own decision, or with a hold (2, reserved) or a payment (1, paid): Q10. */
static const char entries[] =
    "INSERT INTO pg_temp.fold_entries"
    " SELECT date, place, max(admitted_at)," TIME_OF(
        "max(active_until)") ","
                             "  max(ended_at), max(end_reason),"
                             "  max(_lsn) FILTER (WHERE admitted_at IS NOT NULL),"
                             "  max(_lsn) FILTER (WHERE ended_at IS NOT NULL)"
                             " FROM (SELECT _date AS date, place, NULL::timestamptz AS admitted_at,"
                             "   NULL::bigint AS active_until, NULL::timestamptz AS ended_at, "
                             "NULL::bigint AS end_reason, _lsn"
                             "   FROM pg_temp.queue_entered"
                             "  UNION ALL SELECT _date, place, _at, expires_at, NULL, NULL, _lsn "
                             "FROM "
                             "pg_temp.admitted"
                             "  UNION ALL SELECT _date, place, NULL, NULL, _at, \"end\", _lsn FROM "
                             "pg_temp.token_expired"
                             "  UNION ALL SELECT _date, place, NULL, NULL, _at, 2, _lsn FROM "
                             "pg_temp.seats_held"
                             "   WHERE token_expired <> 0"
                             "  UNION ALL SELECT s._date, coalesce(nullif(s.payer, 0), r.place), "
                             "NULL,"
                             "   NULL, s._at, 1, s._lsn FROM pg_temp.seats_sold s"
                             "   JOIN usher.reservations r ON r.id = s._date << 32 | s.reservation"
                             "   WHERE s.token_expired <> 0"
                             " ) event GROUP BY date, place;\n"
                             "UPDATE usher.queue_entries q SET"
                             "  admitted_at = coalesce(f.admitted_at, q.admitted_at),"
                             "  active_until = coalesce(f.active_until, q.active_until),"
                             "  ended_at = coalesce(f.ended_at, q.ended_at),"
                             "  end_reason = coalesce(CASE f.end_reason" TOKEN_ENDS(
                                 WHEN) " END, q.end_reason)"
                                       " FROM pg_temp.fold_entries f WHERE q.date = f.date AND "
                                       "q.place = f.place;\n"
                                       "INSERT INTO usher.queue_entries (date, place, user_id, "
                                       "entered_at, admitted_at, active_until,"
                                       "  ended_at, end_reason)"
                                       " SELECT f.date, f.place, e.\"user\", e._at, f.admitted_at, "
                                       "f.active_until, f.ended_at,"
                                       "  CASE f.end_reason" TOKEN_ENDS(
                                           WHEN) " END"
                                                 " FROM pg_temp.fold_entries f"
                                                 " JOIN pg_temp.queue_entered e ON e._date = "
                                                 "f.date AND e.place = f.place;\n"
                                                 "INSERT INTO usher.queue_entries (date, place) "
                                                 "SELECT date, place FROM pg_temp.fold_entries f"
                                                 " WHERE NOT EXISTS"
                                                 "  (SELECT FROM usher.queue_entries q WHERE "
                                                 "q.date = f.date AND q.place = f.place);\n";

/* --- outages ---------------------------------------------------------------------------------- */

/* X7. A credit moves what it found: who was active and what was unpaid at its LSN. Both begin once
 * and end once, so where that was not in this batch, the table says on which side of the credit it
 * was. */
static const uint16_t outage_kinds[] = {DECISION_OUTAGE_CREDITED, 0};
#define LAST_TIME TIME_OF("9999999999999") /* TIME_MS_MAX */
_Static_assert(TIME_MS_MAX == 9999999999999, "the last moment of a deadline");
static const char outages[] =
    "INSERT INTO usher.outages (lsn, date, since, credited_at, credit_ms, cause)"
    " SELECT _lsn, _date, " TIME_OF(
        "since") ", _at, credit_ms,"
                 "  CASE cause" OUTAGE_CAUSES(
                     WHEN) " END FROM pg_temp.outage_credited;\n"
                           "UPDATE usher.reservations r"
                           " SET expires_at = least(r.expires_at + credit.ms * interval '1 "
                           "millisecond', " LAST_TIME ")"
                           " FROM (SELECT s.id, sum(c.credit_ms)::bigint AS ms FROM "
                           "pg_temp.outage_credited c"
                           "   JOIN usher.reservations s ON s.date = c._date"
                           "   LEFT JOIN pg_temp.fold_reservations f ON f.id = s.id"
                           "   WHERE (s.state IN ('held', 'paying') OR c._lsn < f.left_lsn)"
                           "    AND (f.held_lsn IS NULL OR c._lsn > f.held_lsn) GROUP BY s.id) "
                           "credit"
                           " WHERE r.id = credit.id;\n"
                           "UPDATE usher.queue_entries q"
                           " SET active_until = least(q.active_until + credit.ms * interval '1 "
                           "millisecond', " LAST_TIME ")"
                           " FROM (SELECT e.date, e.place, sum(c.credit_ms)::bigint AS ms"
                           "   FROM pg_temp.outage_credited c JOIN usher.queue_entries e ON e.date "
                           "= c._date"
                           "   LEFT JOIN pg_temp.fold_entries f ON f.date = e.date AND f.place = "
                           "e.place"
                           "   WHERE e.admitted_at IS NOT NULL AND (e.ended_at IS NULL OR c._lsn < "
                           "f.ended_lsn)"
                           "    AND (f.admitted_lsn IS NULL OR c._lsn > f.admitted_lsn) GROUP BY "
                           "e.date, e.place) credit"
                           " WHERE q.date = credit.date AND q.place = credit.place;\n";

/* --- payments and refusals -------------------------------------------------------------------- */

static const uint16_t payment_kinds[] = {DECISION_PAYMENT_STARTED,
                                         DECISION_PAYMENT_REFUSED,
                                         DECISION_SEATS_SOLD,
                                         DECISION_PAYMENT_ABORTED,
                                         DECISION_REFUND_STARTED,
                                         DECISION_SEATS_REFUNDED,
                                         0};
static const char payments[] =
    "INSERT INTO pg_temp.fold_payments"
    " SELECT date << 32 | payment, max(_lsn * 16 + state) & 15,"
    "  max(_at) FILTER (WHERE state IN (2, 3, 4)), max(_at) FILTER (WHERE state = 5),"
    "  max(_at) FILTER (WHERE state = 6),"
    "  coalesce(max(balance) FILTER (WHERE state = 6), max(balance))"
    " FROM (SELECT _date AS date, payment, _lsn, _at, 1 AS state, NULL::bigint AS balance"
    "   FROM pg_temp.payment_started"
    "  UNION ALL SELECT _date, payment, _lsn, _at, 2, balance FROM pg_temp.payment_refused"
    "  UNION ALL SELECT _date, payment, _lsn, _at, 3, balance FROM pg_temp.seats_sold"
    "  UNION ALL SELECT _date, payment, _lsn, _at, 4, NULL FROM pg_temp.payment_aborted"
    "  UNION ALL SELECT _date, payment, _lsn, _at, 5, NULL FROM pg_temp.refund_started"
    "  UNION ALL SELECT _date, payment, _lsn, _at, 6, balance FROM pg_temp.seats_refunded"
    " ) event GROUP BY date, payment;\n"
    "UPDATE usher.payments p SET state = CASE f.state" PAYMENT_STATES(
        WHEN) " END,"
              "  decided_at = coalesce(f.decided_at, p.decided_at),"
              "  refund_started_at = coalesce(f.refund_started_at, p.refund_started_at),"
              "  refunded_at = coalesce(f.refunded_at, p.refunded_at),"
              "  balance = coalesce(f.balance, p.balance)"
              " FROM pg_temp.fold_payments f WHERE p.id = f.id;\n"
              "INSERT INTO usher.payments (id, reservation, date, user_id, amount, reason, state, "
              "started_at,"
              "  decided_at, refund_started_at, refunded_at, balance)"
              " SELECT f.id, r.id, f.id >> 32, r.user_id, r.amount, 'payment',"
              "  CASE f.state" PAYMENT_STATES(
                  WHEN) " END, s._at, f.decided_at, f.refund_started_at,"
                        "  f.refunded_at, f.balance"
                        " FROM pg_temp.fold_payments f"
                        " JOIN pg_temp.payment_started s ON s._date << 32 | s.payment = f.id"
                        " LEFT JOIN usher.reservations r ON r.id = s._date << 32 | s.reservation;\n"
                        "INSERT INTO usher.payments (id) SELECT id FROM pg_temp.fold_payments f"
                        " WHERE NOT EXISTS (SELECT FROM usher.payments p WHERE p.id = f.id);\n";

static const uint16_t refusal_kinds[] = {DECISION_HOLD_REFUSED, DECISION_PAYMENT_REFUSED, 0};
static const char refusals[] =
    "INSERT INTO usher.refusals (lsn, at, date, user_id, place, kind, code, seat)"
    " SELECT _lsn, _at, _date, \"user\", place, 'hold', CASE error"
#define E WHEN_ERROR
#include "engine/domain/error.def"
#undef E
    " END, nullif(seat, 0) FROM pg_temp.hold_refused;\n"
    "INSERT INTO usher.refusals (lsn, at, date, user_id, place, kind, code, reservation, payment,"
    "  balance, shortfall)"
    " SELECT p._lsn, p._at, p._date, r.user_id, r.place, 'payment', 'INSUFFICIENT_FUNDS',"
    "  p._date << 32 | p.reservation, p._date << 32 | p.payment, p.balance, p.shortfall"
    " FROM pg_temp.payment_refused p"
    " LEFT JOIN usher.reservations r ON r.id = p._date << 32 | p.reservation;\n";

/* --- wallets ---------------------------------------------------------------------------------- */

static const uint16_t wallet_kinds[] = {DECISION_WALLET_CHARGED, DECISION_FUNDS_RESERVED,
                                        DECISION_FUNDS_POSTED,   DECISION_FUNDS_VOIDED,
                                        DECISION_FUNDS_REFUNDED, 0};
static const char wallets[] =
    "INSERT INTO pg_temp.fold_wallets"
    " SELECT \"user\", (array_agg(balance ORDER BY _lsn DESC) FILTER (WHERE balance IS NOT "
    "NULL))[1],"
    "  sum(charged), sum(reserved), sum(spent), sum(refunded)"
    " FROM (SELECT \"user\", _lsn, balance, amount AS charged, 0 AS reserved, 0 AS spent,"
    "   0 AS refunded FROM pg_temp.wallet_charged"
    "  UNION ALL SELECT \"user\", _lsn, balance, 0, amount, 0, 0 FROM pg_temp.funds_reserved"
    "  UNION ALL SELECT \"user\", _lsn, NULL, 0, -amount, amount, 0 FROM pg_temp.funds_posted"
    "  UNION ALL SELECT \"user\", _lsn, balance, 0, -amount, 0, 0 FROM pg_temp.funds_voided"
    "  UNION ALL SELECT \"user\", _lsn, balance, 0, 0, 0, amount FROM pg_temp.funds_refunded"
    " ) event GROUP BY \"user\";\n"
    "UPDATE usher.wallets w SET balance = coalesce(f.balance, w.balance),"
    "  charged = w.charged + f.charged, reserved = w.reserved + f.reserved,"
    "  spent = w.spent + f.spent, refunded = w.refunded + f.refunded"
    " FROM pg_temp.fold_wallets f WHERE w.user_id = f.user_id;\n"
    "INSERT INTO usher.wallets (user_id, balance, charged, reserved, spent, refunded)"
    " SELECT * FROM pg_temp.fold_wallets f"
    " WHERE NOT EXISTS (SELECT FROM usher.wallets w WHERE w.user_id = f.user_id);\n"

    "INSERT INTO usher.wallet_ledger (lsn, user_id, at, reason, amount, balance, payment,"
    "  reservation)"
    " SELECT _lsn, \"user\", _at, 'charge', amount, balance, NULL, NULL FROM pg_temp.wallet_charged"
    " UNION ALL SELECT _lsn, \"user\", _at, 'payment', amount, balance, payment, reservation"
    "  FROM pg_temp.funds_reserved"
    " UNION ALL SELECT _lsn, \"user\", _at, 'void', amount, balance, payment, reservation"
    "  FROM pg_temp.funds_voided"
    " UNION ALL SELECT _lsn, \"user\", _at, 'refund', amount, balance, payment, reservation"
    "  FROM pg_temp.funds_refunded;\n";

static const struct projection_fold_step steps[] = {
    {"concerts", concert_kinds, concerts},
    {"dates", date_kinds, dates},
    {"seats", seat_kinds, seats},
    {"reservations", reservation_kinds, reservations},
    {"queue_entries", entry_kinds, entries},
    {"outages", outage_kinds, outages},
    {"payments", payment_kinds, payments},
    {"refusals", refusal_kinds, refusals},
    {"wallets", wallet_kinds, wallets},
};

const struct projection_fold_step *projection_fold(uint32_t *ret_count) {
    *ret_count = sizeof steps / sizeof steps[0];
    return steps;
}
