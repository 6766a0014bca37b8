-- schema.sql - the tables and views that analysts read
--
-- One row is one thing as it is now: a seat, a reservation, a payment, a wallet. The engine alone
-- writes here. Whoever only reads sees a state that some prefix of the log leads to.
--
-- No default and no trigger reads a clock or makes random numbers: a rebuild gives the same rows.
-- Amounts are points, times have a time zone. A reservation's or payment's id is one number: the
-- date in the upper 32 bits, the number within the date in the lower.
-- fillfactor leaves room on each page for the update that nearly every row gets (heap-only tuples).
-- For the same reason no index covers a column that changes, but for the two that guard.
--
-- Quoted words are names of the engine's own tables (engine/domain/types.h, policy.h), and these:
-- @words available held sold: states of a seat
-- @words hold payment: what can be refused

-- @statement schema
CREATE SCHEMA IF NOT EXISTS usher;

-- How far the log has been applied, and of which log it is: one row. raise.sql adds who applies it.
CREATE TABLE usher.projection_state (
    singleton      boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    schema_version integer NOT NULL,
    log_id         uuid NOT NULL,
    epoch          bigint NOT NULL CHECK (epoch >= 0),
    applied_lsn    bigint NOT NULL CHECK (applied_lsn >= 0),
    applied_time   timestamptz,     -- of the last decision applied
    decisions      bigint NOT NULL CHECK (decisions >= 0)
);

---------------------------------------------------------------------------------- the catalogue

CREATE TABLE usher.concerts (
    id         integer PRIMARY KEY,
    title      text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE usher.dates (
    id            integer PRIMARY KEY,
    concert       integer NOT NULL REFERENCES usher.concerts,
    title         text NOT NULL,
    starts_at     timestamptz NOT NULL,
    sales_open_at timestamptz NOT NULL GENERATED ALWAYS AS
        (to_timestamp((policy->>'sales_open_at')::double precision / 1000)) STORED,
    state         text NOT NULL CHECK (state IN (:DATE_STATES)),
    policy        jsonb NOT NULL,   -- by field name
    created_at    timestamptz NOT NULL,
    opened_at     timestamptz,      -- for the first time
    cancelled_at  timestamptz,
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL))
);
CREATE INDEX ON usher.dates (concert);
CREATE INDEX ON usher.dates (starts_at);

CREATE TABLE usher.seats (
    date        integer NOT NULL REFERENCES usher.dates,
    number      integer NOT NULL CHECK (number > 0),
    section     text NOT NULL,
    row         text NOT NULL,
    seat        text NOT NULL,
    guid        text NOT NULL,      -- the organiser's own id; '' for none
    price       bigint NOT NULL CHECK (price >= 0),
    for_sale    boolean NOT NULL,
    state       text NOT NULL CHECK (state IN ('available', 'held', 'sold')),
    reservation bigint,             -- that has it now
    PRIMARY KEY (date, number),
    CHECK ((state = 'available') = (reservation IS NULL)),
    CHECK (for_sale OR state = 'available')
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX seats_guid ON usher.seats (date, guid) WHERE guid <> '';
CREATE INDEX seats_label ON usher.seats (date, section, row, seat);

------------------------------------------------------------------------------- reservations

-- Every reservation ever made.
CREATE TABLE usher.reservations (
    id         bigint PRIMARY KEY,
    date       integer NOT NULL REFERENCES usher.dates,
    user_id    uuid NOT NULL,
    place      bigint NOT NULL,     -- in the waiting room, of the token that it was made with
    seat_count integer NOT NULL CHECK (seat_count > 0),
    amount     bigint NOT NULL CHECK (amount >= 0),
    state      text NOT NULL CHECK (state IN (:RESERVATION_STATES)),
    held_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    payment    bigint,              -- the one that was started last
    paid_at    timestamptz,
    ended_at   timestamptz,         -- since then its seats are free
    CHECK (id >> 32 = date),
    CHECK ((state IN ('paid', 'refunding', 'refunded')) = (paid_at IS NOT NULL)),
    CHECK ((state IN ('held', 'paying', 'paid', 'refunding')) = (ended_at IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX reservations_held_at ON usher.reservations (date, held_at);
CREATE INDEX reservations_user ON usher.reservations (user_id);

-- Who had which seat, from when to when.
CREATE TABLE usher.reservation_seats (
    reservation bigint NOT NULL,
    date        integer NOT NULL,
    seat        integer NOT NULL,
    held_at     timestamptz NOT NULL,
    freed_at    timestamptz CHECK (freed_at >= held_at),
    PRIMARY KEY (reservation, seat),
    FOREIGN KEY (date, seat) REFERENCES usher.seats,
    CHECK (reservation >> 32 = date)
) WITH (fillfactor = 70);
-- A seat has one holder or owner (R2): the database refuses a second one by itself.
CREATE UNIQUE INDEX reservation_seats_one_live_owner ON usher.reservation_seats (date, seat)
    WHERE freed_at IS NULL;
-- "Who held seat 12 at 20:00:03?"
CREATE INDEX reservation_seats_history ON usher.reservation_seats (date, seat, held_at);

-------------------------------------------------------------------------------------- money

-- Every attempt to pay, and what became of it.
CREATE TABLE usher.payments (
    id                bigint PRIMARY KEY,
    reservation       bigint NOT NULL REFERENCES usher.reservations,
    date              integer NOT NULL,
    user_id           uuid NOT NULL,
    amount            bigint NOT NULL CHECK (amount >= 0),
    reason            text NOT NULL CHECK (reason = 'payment'),
    state             text NOT NULL CHECK (state IN (:PAYMENT_STATES)),
    started_at        timestamptz NOT NULL,
    decided_at        timestamptz,  -- refused, paid or aborted
    refund_started_at timestamptz,
    refunded_at       timestamptz,
    balance           bigint CHECK (balance >= 0),
    CHECK (id >> 32 = date AND reservation >> 32 = date),
    CHECK ((state = 'started') = (decided_at IS NULL)),
    CHECK ((state IN ('refunding', 'refunded')) = (refund_started_at IS NOT NULL)),
    CHECK ((state = 'refunded') = (refunded_at IS NOT NULL))
) WITH (fillfactor = 70);
-- A reservation has one attempt at a time, and one that succeeds (P4).
CREATE UNIQUE INDEX payments_charged_once ON usher.payments (reservation)
    WHERE state IN ('started', 'paid', 'refunding', 'refunded');
CREATE INDEX payments_reservation ON usher.payments (reservation);
CREATE INDEX payments_started_at ON usher.payments (date, started_at);
CREATE INDEX payments_user ON usher.payments (user_id);

-- What each user has, and what it is made of.
CREATE TABLE usher.wallets (
    user_id  uuid PRIMARY KEY,
    balance  bigint NOT NULL CHECK (balance >= 0),
    charged  bigint NOT NULL CHECK (charged >= 0),
    reserved bigint NOT NULL CHECK (reserved >= 0),
    spent    bigint NOT NULL CHECK (spent >= 0),
    refunded bigint NOT NULL CHECK (refunded >= 0),
    CONSTRAINT points_conserved CHECK (charged + refunded = balance + reserved + spent)
) WITH (fillfactor = 70);

-- Every change of a balance.
CREATE TABLE usher.wallet_ledger (
    lsn         bigint PRIMARY KEY,
    user_id     uuid NOT NULL,
    at          timestamptz NOT NULL,
    reason      text NOT NULL CHECK (reason IN (:LEDGER_REASONS)),
    amount      bigint NOT NULL CHECK (amount >= 0),
    change      bigint NOT NULL GENERATED ALWAYS AS
        (CASE WHEN reason = 'payment' THEN -amount ELSE amount END) STORED,
    balance     bigint NOT NULL CHECK (balance >= 0),
    payment     bigint,
    reservation bigint,
    CHECK ((reason = 'charge') = (payment IS NULL))
);
CREATE INDEX wallet_ledger_user ON usher.wallet_ledger (user_id, lsn);

------------------------------------------------------------------------------------- demand

-- Every place in a waiting room that was ever handed out.
CREATE TABLE usher.queue_entries (
    date         integer NOT NULL,
    place        bigint NOT NULL CHECK (place > 0),
    user_id      uuid NOT NULL,
    entered_at   timestamptz NOT NULL,
    admitted_at  timestamptz,
    active_until timestamptz,
    ended_at     timestamptz,
    end_reason   text CHECK (end_reason IN (:TOKEN_ENDS)),
    PRIMARY KEY (date, place),
    CHECK ((admitted_at IS NULL) = (active_until IS NULL)),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) WITH (fillfactor = 70);

-- Demand that could not be met: holds and payments that were refused to active users.
CREATE TABLE usher.refusals (
    lsn         bigint PRIMARY KEY,
    at          timestamptz NOT NULL,
    date        integer NOT NULL,
    user_id     uuid NOT NULL,
    place       bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('hold', 'payment')),
    code        text NOT NULL,      -- as on the wire: 'SEAT_TAKEN'
    seat        integer,            -- of a hold, where it is known
    reservation bigint,             -- of a payment, as the three below
    payment     bigint,
    balance     bigint,
    shortfall   bigint,
    CHECK ((kind = 'payment') = (payment IS NOT NULL))
);
CREATE INDEX refusals_at ON usher.refusals (date, at);

-------------------------------------------------------------------------------------- views

-- How a date sells. Points that are being refunded still count as revenue; refunded ones do not.
CREATE VIEW usher.sales_by_date AS
SELECT d.id AS date, d.concert, d.title, d.starts_at, d.state,
       s.seats, s.for_sale, s.available, s.held, s.sold,
       coalesce(r.revenue, 0) AS revenue,
       coalesce(r.refunded, 0) AS refunded
  FROM usher.dates d
  LEFT JOIN LATERAL (
       SELECT count(*) AS seats,
              count(*) FILTER (WHERE for_sale) AS for_sale,
              count(*) FILTER (WHERE for_sale AND state = 'available') AS available,
              count(*) FILTER (WHERE state = 'held') AS held,
              count(*) FILTER (WHERE state = 'sold') AS sold
         FROM usher.seats
        WHERE seats.date = d.id) s ON true
  LEFT JOIN LATERAL (
       SELECT sum(amount) FILTER (WHERE state IN ('paid', 'refunding')) AS revenue,
              sum(amount) FILTER (WHERE state = 'refunded') AS refunded
         FROM usher.reservations
        WHERE reservations.date = d.id) r ON true;

-- How a date's waiting room went.
CREATE VIEW usher.waiting_by_date AS
SELECT date,
       count(*) AS entered,
       count(admitted_at) AS admitted,
       count(*) FILTER (WHERE ended_at IS NULL AND admitted_at IS NULL) AS waiting,
       count(*) FILTER (WHERE ended_at IS NULL AND admitted_at IS NOT NULL) AS active,
       count(*) FILTER (WHERE admitted_at IS NULL AND end_reason IN ('left', 'silent'))
           AS abandoned,
       count(*) FILTER (WHERE end_reason = 'paid') AS bought,
       avg(admitted_at - entered_at) AS average_wait,
       max(admitted_at - entered_at) AS longest_wait
  FROM usher.queue_entries
 GROUP BY date;

COMMENT ON SCHEMA usher IS
    'Projection of usher''s log; written by the engine alone, can be dropped and rebuilt. '
    'Schema version :VERSION_SCHEMA.';
