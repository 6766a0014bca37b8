-- fold.sql - how a batch of decisions becomes rows, by sets
--
-- The staging tables (session.sql) hold the batch, one for each kind of decision. A step runs if
-- the batch has a decision of a kind that the step reads. Most steps first fold the events of a
-- thing into one row of a table fold_*, then write the tables. What the steps rely on:
--
-- * The latest event of a thing wins (pg_temp.lsn_and_state in session.sql).
-- * Rows that exist are updated before new ones are inserted: a seat that one reservation frees and
--   another takes in the same batch never has two live owners in between.
-- * New rows are inserted in their final form, from a join with the event that begins them. What is
--   unknown even then has no beginning. Inserting its key alone is refused, for its columns are NOT
--   NULL. Nothing is a silent no-op.
-- * Reservations come before queue entries and payments, which read them; both come before outages.
--
-- These kinds change no row; they count, and move the applied LSN:
-- @no_rows funds_refused: the date's payment_refused says the same
-- @no_rows refund_closed: nobody sees it
-- @no_rows state_hashed: it is about the log alone

-- @step concerts
INSERT INTO usher.concerts (id, title, created_at)
SELECT concert, title, _at
  FROM pg_temp.concert_created;

-- @step dates
INSERT INTO pg_temp.fold_dates
SELECT id,
       pg_temp.state_of(max(pg_temp.lsn_and_state(_lsn, state))),
       min(_at) FILTER (WHERE state = :DATE_OPEN),
       min(_at) FILTER (WHERE state = :DATE_CANCELLED),
       (SELECT policy
          FROM pg_temp.policy_changed p
         WHERE p._date = id
         ORDER BY _lsn DESC LIMIT 1)
  FROM (SELECT date AS id, _lsn, _at, :DATE_DRAFT AS state FROM pg_temp.date_created
        UNION ALL
        SELECT _date, _lsn, _at, :DATE_OPEN FROM pg_temp.date_opened
        UNION ALL
        SELECT _date, _lsn, _at, :DATE_CLOSED FROM pg_temp.date_closed
        UNION ALL
        SELECT _date, _lsn, _at, :DATE_CANCELLED FROM pg_temp.date_cancelled
        UNION ALL
        SELECT _date, _lsn, NULL, NULL FROM pg_temp.policy_changed) event
 GROUP BY id;

UPDATE usher.dates d
   SET state = coalesce(pg_temp.date_state(f.state), d.state),
       opened_at = coalesce(d.opened_at, f.opened_at),
       cancelled_at = coalesce(d.cancelled_at, f.cancelled_at),
       policy = coalesce(f.policy, d.policy)
  FROM pg_temp.fold_dates f
 WHERE d.id = f.id;

INSERT INTO usher.dates (id, concert, title, starts_at, state, policy, created_at, opened_at,
                         cancelled_at)
SELECT f.id, c.concert, c.title, pg_temp.moment(c.starts_at), pg_temp.date_state(f.state),
       coalesce(f.policy, c.policy), c._at, f.opened_at, f.cancelled_at
  FROM pg_temp.fold_dates f
  JOIN pg_temp.date_created c ON c.date = f.id;

INSERT INTO usher.dates (id)
SELECT id
  FROM pg_temp.fold_dates f
 WHERE NOT EXISTS (SELECT FROM usher.dates d WHERE d.id = f.id);

-- @step seats
INSERT INTO usher.seats (date, number, section, row, seat, guid, price, for_sale, state)
SELECT _date, number, section, row, seat, guid, price, for_sale <> 0, 'available'
  FROM pg_temp.seat_added;

-- @step reservations
-- Payments of a date are numbered upwards: the greatest is the last.
INSERT INTO pg_temp.fold_reservations
SELECT pg_temp.dated_id(date, reservation),
       pg_temp.state_of(max(pg_temp.lsn_and_state(_lsn, state))),
       max(pg_temp.dated_id(date, payment)),
       max(_at) FILTER (WHERE state = :RESERVATION_PAID),
       max(_at) FILTER (WHERE state IN (:RESERVATION_REFUNDED, :RESERVATION_EXPIRED,
                                        :RESERVATION_RELEASED, :RESERVATION_CANCELLED)),
       min(_lsn) FILTER (WHERE begins),
       min(_lsn) FILTER (WHERE state IN (:RESERVATION_PAID, :RESERVATION_EXPIRED,
                                         :RESERVATION_RELEASED, :RESERVATION_CANCELLED))
  FROM (SELECT _date AS date, reservation, _lsn, _at, :RESERVATION_HELD AS state,
               NULL::bigint AS payment, true AS begins
          FROM pg_temp.seats_held
        UNION ALL
        SELECT _date, reservation, _lsn, _at, state, NULL, false
          FROM pg_temp.reservation_ended
        UNION ALL
        SELECT _date, unnest(released), _lsn, _at, :RESERVATION_EXPIRED, NULL, false
          FROM pg_temp.token_expired
        UNION ALL
        SELECT _date, reservation, _lsn, _at, :RESERVATION_PAYING, payment, false
          FROM pg_temp.payment_started
        UNION ALL
        SELECT _date, reservation, _lsn, _at, :RESERVATION_HELD, NULL, false
          FROM pg_temp.payment_refused
        UNION ALL
        SELECT _date, reservation, _lsn, _at, :RESERVATION_PAID, NULL, false
          FROM pg_temp.seats_sold
        UNION ALL
        SELECT _date, reservation, _lsn, _at, :RESERVATION_CANCELLED, NULL, false
          FROM pg_temp.payment_aborted
        UNION ALL
        SELECT _date, reservation, _lsn, _at, :RESERVATION_REFUNDING, NULL, false
          FROM pg_temp.refund_started
        UNION ALL
        SELECT _date, reservation, _lsn, _at, :RESERVATION_REFUNDED, NULL, false
          FROM pg_temp.seats_refunded) event
 GROUP BY date, reservation;

UPDATE usher.reservations r
   SET state = pg_temp.reservation_state(f.state),
       payment = coalesce(f.payment, r.payment),
       paid_at = coalesce(f.paid_at, r.paid_at),
       ended_at = coalesce(f.ended_at, r.ended_at)
  FROM pg_temp.fold_reservations f
 WHERE r.id = f.id;

UPDATE usher.reservation_seats s
   SET freed_at = f.ended_at
  FROM pg_temp.fold_reservations f
 WHERE s.reservation = f.id AND f.ended_at IS NOT NULL AND s.freed_at IS NULL;

INSERT INTO usher.reservations (id, date, user_id, place, seat_count, amount, state, held_at,
                                expires_at, payment, paid_at, ended_at)
SELECT f.id, pg_temp.dated_id_date(f.id), h."user", h.place, cardinality(h.seats), h.amount,
       pg_temp.reservation_state(f.state), h._at, pg_temp.moment(h.expires_at),
       f.payment, f.paid_at, f.ended_at
  FROM pg_temp.fold_reservations f
  JOIN pg_temp.seats_held h ON pg_temp.dated_id(h._date, h.reservation) = f.id;

INSERT INTO usher.reservations (id)
SELECT id
  FROM pg_temp.fold_reservations f
 WHERE NOT EXISTS (SELECT FROM usher.reservations r WHERE r.id = f.id);

INSERT INTO usher.reservation_seats (reservation, date, seat, held_at, freed_at)
SELECT f.id, h._date, unnest(h.seats), h._at, f.ended_at
  FROM pg_temp.seats_held h
  JOIN pg_temp.fold_reservations f ON f.id = pg_temp.dated_id(h._date, h.reservation);

-- After the batch a seat is its live reservation's. Held and paying look alike. A seat has one live
-- reservation at most; LIMIT 1 makes PostgreSQL look it up by the index, seat by seat.
UPDATE usher.seats s
   SET reservation = live.id,
       state = CASE WHEN live.id IS NULL THEN 'available'
                    WHEN live.is_sold THEN 'sold'
                    ELSE 'held' END
  FROM (SELECT DISTINCT t.date, t.seat
          FROM usher.reservation_seats t
          JOIN pg_temp.fold_reservations f ON f.id = t.reservation) touched
  LEFT JOIN LATERAL (
       SELECT r.id, r.state IN ('paid', 'refunding') AS is_sold
         FROM usher.reservation_seats owner
         JOIN usher.reservations r ON r.id = owner.reservation
        WHERE owner.date = touched.date AND owner.seat = touched.seat AND owner.freed_at IS NULL
        LIMIT 1) live ON true
 WHERE s.date = touched.date AND s.number = touched.seat
   AND (s.reservation IS DISTINCT FROM live.id
        OR (s.state = 'held' AND live.is_sold));

-- @step queue_entries
-- A token ends by its own decision, or with a hold, or with a payment (Q10).
INSERT INTO pg_temp.fold_entries
SELECT date, place, max(admitted_at), pg_temp.moment(max(active_until)),
       max(ended_at), max(end_reason),
       max(_lsn) FILTER (WHERE admitted_at IS NOT NULL),
       max(_lsn) FILTER (WHERE ended_at IS NOT NULL)
  FROM (SELECT _date AS date, place, NULL::timestamptz AS admitted_at,
               NULL::bigint AS active_until, NULL::timestamptz AS ended_at,
               NULL::bigint AS end_reason, _lsn
          FROM pg_temp.queue_entered
        UNION ALL
        SELECT _date, place, _at, expires_at, NULL, NULL, _lsn
          FROM pg_temp.admitted
        UNION ALL
        SELECT _date, place, NULL, NULL, _at, "end", _lsn
          FROM pg_temp.token_expired
        UNION ALL
        SELECT _date, place, NULL, NULL, _at, :TOKEN_END_RESERVED, _lsn
          FROM pg_temp.seats_held
         WHERE token_expired <> 0
        UNION ALL
        SELECT s._date, coalesce(nullif(s.payer, 0), r.place), NULL, NULL, s._at,
               :TOKEN_END_PAID, s._lsn
          FROM pg_temp.seats_sold s
          JOIN usher.reservations r ON r.id = pg_temp.dated_id(s._date, s.reservation)
         WHERE s.token_expired <> 0) event
 GROUP BY date, place;

UPDATE usher.queue_entries q
   SET admitted_at = coalesce(f.admitted_at, q.admitted_at),
       active_until = coalesce(f.active_until, q.active_until),
       ended_at = coalesce(f.ended_at, q.ended_at),
       end_reason = coalesce(pg_temp.token_end(f.end_reason), q.end_reason)
  FROM pg_temp.fold_entries f
 WHERE q.date = f.date AND q.place = f.place;

INSERT INTO usher.queue_entries (date, place, user_id, entered_at, admitted_at, active_until,
                                 ended_at, end_reason)
SELECT f.date, f.place, e."user", e._at, f.admitted_at, f.active_until, f.ended_at,
       pg_temp.token_end(f.end_reason)
  FROM pg_temp.fold_entries f
  JOIN pg_temp.queue_entered e ON e._date = f.date AND e.place = f.place;

INSERT INTO usher.queue_entries (date, place)
SELECT date, place
  FROM pg_temp.fold_entries f
 WHERE NOT EXISTS (SELECT FROM usher.queue_entries q WHERE q.date = f.date AND q.place = f.place);

-- @step outages
-- A credit moves the deadlines that it found (X7): of who was active, and of what was unpaid, at
-- its LSN. Both begin once and end once. Where that was not in this batch, the table says on which
-- side of the credit it was.
INSERT INTO usher.outages (lsn, date, since, credited_at, credit_ms, cause)
SELECT _lsn, _date, pg_temp.moment(since), _at, credit_ms, pg_temp.outage_cause(cause)
  FROM pg_temp.outage_credited;

UPDATE usher.reservations r
   SET expires_at = least(r.expires_at + credit.ms * interval '1 millisecond',
                          pg_temp.moment(:TIME_MS_MAX))
  FROM (SELECT s.id, sum(c.credit_ms)::bigint AS ms
          FROM pg_temp.outage_credited c
          JOIN usher.reservations s ON s.date = c._date
          LEFT JOIN pg_temp.fold_reservations f ON f.id = s.id
         WHERE (s.state IN ('held', 'paying') OR c._lsn < f.left_lsn)
           AND (f.held_lsn IS NULL OR c._lsn > f.held_lsn)
         GROUP BY s.id) credit
 WHERE r.id = credit.id;

UPDATE usher.queue_entries q
   SET active_until = least(q.active_until + credit.ms * interval '1 millisecond',
                            pg_temp.moment(:TIME_MS_MAX))
  FROM (SELECT e.date, e.place, sum(c.credit_ms)::bigint AS ms
          FROM pg_temp.outage_credited c
          JOIN usher.queue_entries e ON e.date = c._date
          LEFT JOIN pg_temp.fold_entries f ON f.date = e.date AND f.place = e.place
         WHERE e.admitted_at IS NOT NULL
           AND (e.ended_at IS NULL OR c._lsn < f.ended_lsn)
           AND (f.admitted_lsn IS NULL OR c._lsn > f.admitted_lsn)
         GROUP BY e.date, e.place) credit
 WHERE q.date = credit.date AND q.place = credit.place;

-- @step payments
INSERT INTO pg_temp.fold_payments
SELECT pg_temp.dated_id(date, payment),
       pg_temp.state_of(max(pg_temp.lsn_and_state(_lsn, state))),
       max(_at) FILTER (WHERE state IN (:PAYMENT_REFUSED, :PAYMENT_PAID, :PAYMENT_ABORTED)),
       max(_at) FILTER (WHERE state = :PAYMENT_REFUNDING),
       max(_at) FILTER (WHERE state = :PAYMENT_REFUNDED),
       coalesce(max(balance) FILTER (WHERE state = :PAYMENT_REFUNDED), max(balance))
  FROM (SELECT _date AS date, payment, _lsn, _at, :PAYMENT_STARTED AS state,
               NULL::bigint AS balance
          FROM pg_temp.payment_started
        UNION ALL
        SELECT _date, payment, _lsn, _at, :PAYMENT_REFUSED, balance FROM pg_temp.payment_refused
        UNION ALL
        SELECT _date, payment, _lsn, _at, :PAYMENT_PAID, balance FROM pg_temp.seats_sold
        UNION ALL
        SELECT _date, payment, _lsn, _at, :PAYMENT_ABORTED, NULL FROM pg_temp.payment_aborted
        UNION ALL
        SELECT _date, payment, _lsn, _at, :PAYMENT_REFUNDING, NULL FROM pg_temp.refund_started
        UNION ALL
        SELECT _date, payment, _lsn, _at, :PAYMENT_REFUNDED, balance FROM pg_temp.seats_refunded
       ) event
 GROUP BY date, payment;

UPDATE usher.payments p
   SET state = pg_temp.payment_state(f.state),
       decided_at = coalesce(f.decided_at, p.decided_at),
       refund_started_at = coalesce(f.refund_started_at, p.refund_started_at),
       refunded_at = coalesce(f.refunded_at, p.refunded_at),
       balance = coalesce(f.balance, p.balance)
  FROM pg_temp.fold_payments f
 WHERE p.id = f.id;

INSERT INTO usher.payments (id, reservation, date, user_id, amount, reason, state, started_at,
                            decided_at, refund_started_at, refunded_at, balance)
SELECT f.id, r.id, pg_temp.dated_id_date(f.id), r.user_id, r.amount, 'payment',
       pg_temp.payment_state(f.state), s._at, f.decided_at, f.refund_started_at, f.refunded_at,
       f.balance
  FROM pg_temp.fold_payments f
  JOIN pg_temp.payment_started s ON pg_temp.dated_id(s._date, s.payment) = f.id
  LEFT JOIN usher.reservations r ON r.id = pg_temp.dated_id(s._date, s.reservation);

INSERT INTO usher.payments (id)
SELECT id
  FROM pg_temp.fold_payments f
 WHERE NOT EXISTS (SELECT FROM usher.payments p WHERE p.id = f.id);

-- @step refusals
INSERT INTO usher.refusals (lsn, at, date, user_id, place, kind, code, seat)
SELECT _lsn, _at, _date, "user", place, 'hold', pg_temp.error_code(error), nullif(seat, 0)
  FROM pg_temp.hold_refused;

INSERT INTO usher.refusals (lsn, at, date, user_id, place, kind, code, reservation, payment,
                            balance, shortfall)
SELECT p._lsn, p._at, p._date, r.user_id, r.place, 'payment', 'INSUFFICIENT_FUNDS',
       pg_temp.dated_id(p._date, p.reservation), pg_temp.dated_id(p._date, p.payment),
       p.balance, p.shortfall
  FROM pg_temp.payment_refused p
  LEFT JOIN usher.reservations r ON r.id = pg_temp.dated_id(p._date, p.reservation);

-- @step wallets
INSERT INTO pg_temp.fold_wallets
SELECT "user",
       (array_agg(balance ORDER BY _lsn DESC) FILTER (WHERE balance IS NOT NULL))[1],
       sum(charged), sum(reserved), sum(spent), sum(refunded)
  FROM (SELECT "user", _lsn, balance,
               amount AS charged, 0 AS reserved, 0 AS spent, 0 AS refunded
          FROM pg_temp.wallet_charged
        UNION ALL
        SELECT "user", _lsn, balance, 0, amount, 0, 0 FROM pg_temp.funds_reserved
        UNION ALL
        SELECT "user", _lsn, NULL, 0, -amount, amount, 0 FROM pg_temp.funds_posted
        UNION ALL
        SELECT "user", _lsn, balance, 0, -amount, 0, 0 FROM pg_temp.funds_voided
        UNION ALL
        SELECT "user", _lsn, balance, 0, 0, 0, amount FROM pg_temp.funds_refunded) event
 GROUP BY "user";

UPDATE usher.wallets w
   SET balance = coalesce(f.balance, w.balance),
       charged = w.charged + f.charged,
       reserved = w.reserved + f.reserved,
       spent = w.spent + f.spent,
       refunded = w.refunded + f.refunded
  FROM pg_temp.fold_wallets f
 WHERE w.user_id = f.user_id;

INSERT INTO usher.wallets (user_id, balance, charged, reserved, spent, refunded)
SELECT *
  FROM pg_temp.fold_wallets f
 WHERE NOT EXISTS (SELECT FROM usher.wallets w WHERE w.user_id = f.user_id);

INSERT INTO usher.wallet_ledger (lsn, user_id, at, reason, amount, balance, payment, reservation)
SELECT _lsn, "user", _at, 'charge', amount, balance, NULL, NULL
  FROM pg_temp.wallet_charged
UNION ALL
SELECT _lsn, "user", _at, 'payment', amount, balance, payment, reservation
  FROM pg_temp.funds_reserved
UNION ALL
SELECT _lsn, "user", _at, 'void', amount, balance, payment, reservation
  FROM pg_temp.funds_voided
UNION ALL
SELECT _lsn, "user", _at, 'refund', amount, balance, payment, reservation
  FROM pg_temp.funds_refunded;
