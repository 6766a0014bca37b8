-- check.sql - what `usher check` reads, to compare it with the state that the log leads to
--
-- One snapshot for all. Rows that PostgreSQL has and the engine has not are found row by row, those
-- that the engine has and PostgreSQL has not by the counts. Times are milliseconds since 1970.

-- @statement check_begin
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- @statement check_totals
SELECT (SELECT count(*) FROM usher.concerts),
       (SELECT count(*) FROM usher.dates),
       count(*), sum(charged), sum(balance), sum(reserved), sum(spent), sum(refunded),
       (SELECT applied_lsn FROM usher.projection_state)
  FROM usher.wallets;

-- @statement check_dates
SELECT d.id, d.concert, d.state,
       s.seats, s.available, s.held, s.sold,
       r.reservations, r.held, r.paying, r.paid, r.refunding, r.revenue,
       (SELECT count(*) FROM usher.payments WHERE date = d.id),
       q.entered, q.waiting, q.active,
       (extract(epoch FROM d.starts_at) * 1000)::bigint,
       (extract(epoch FROM d.sales_open_at) * 1000)::bigint,
       d.policy->>'active_capacity'
  FROM usher.dates d
 CROSS JOIN LATERAL (
       SELECT count(*) AS seats,
              count(*) FILTER (WHERE for_sale AND state = 'available') AS available,
              count(*) FILTER (WHERE state = 'held') AS held,
              count(*) FILTER (WHERE state = 'sold') AS sold
         FROM usher.seats
        WHERE date = d.id) s
 CROSS JOIN LATERAL (
       SELECT count(*) AS reservations,
              count(*) FILTER (WHERE state = 'held') AS held,
              count(*) FILTER (WHERE state = 'paying') AS paying,
              count(*) FILTER (WHERE state = 'paid') AS paid,
              count(*) FILTER (WHERE state = 'refunding') AS refunding,
              sum(amount) FILTER (WHERE state IN ('paid', 'refunding')) AS revenue
         FROM usher.reservations
        WHERE date = d.id) r
 CROSS JOIN LATERAL (
       SELECT count(*) AS entered,
              count(*) FILTER (WHERE ended_at IS NULL AND admitted_at IS NULL) AS waiting,
              count(*) FILTER (WHERE ended_at IS NULL AND admitted_at IS NOT NULL) AS active
         FROM usher.queue_entries
        WHERE date = d.id) q;

-- @statement check_seats
SELECT date, number, coalesce(reservation, 0), price, for_sale::integer, state
  FROM usher.seats;

-- @statement check_reservations
-- Those that have their seats.
SELECT id, user_id, state, amount, place, seat_count,
       (extract(epoch FROM held_at) * 1000)::bigint,
       (extract(epoch FROM expires_at) * 1000)::bigint,
       coalesce(payment, 0)
  FROM usher.reservations
 WHERE ended_at IS NULL;

-- @statement check_entries
-- Those who wait or choose now.
SELECT date, place, user_id,
       CASE WHEN admitted_at IS NULL THEN 'waiting' ELSE 'active' END,
       (extract(epoch FROM active_until) * 1000)::bigint
  FROM usher.queue_entries
 WHERE ended_at IS NULL;

-- @statement check_wallets
SELECT w.user_id, w.balance, w.reserved, w.charged, l.rows, l.change
  FROM usher.wallets w
  JOIN (SELECT user_id, count(*) AS rows, sum(change) AS change
          FROM usher.wallet_ledger
         GROUP BY user_id) l USING (user_id);
