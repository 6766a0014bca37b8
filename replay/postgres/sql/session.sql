-- session.sql - what a connection of the engine sets up for itself
--
-- Nothing here is seen by anybody else, or outlives the connection: settings, temporary tables, and
-- temporary functions. PostgreSQL puts the body of such a function in the place of its call.
-- @words UTC: a time zone

-- @statement connect
-- The server gives a statement up before the engine gives the server up (sql.h).
-- synchronous_commit: segments of the log are deleted below the applied LSN.
-- jit: compiling took longer than running, for a third of every batch.
-- random_page_cost: what a batch touches is warm; whole tables must not be read for it.
SET client_encoding = 'UTF8';
SET timezone = 'UTC';
SET statement_timeout = :SQL_STATEMENT_TIMEOUT_MS;
SET lock_timeout = '20s';
SET idle_in_transaction_session_timeout = '60s';
SET synchronous_commit = on;
SET search_path = pg_catalog;
SET jit = off;
SET random_page_cost = 1.1;

-- @statement staging_tables
-- One table for each kind of decision; the rows of a batch are copied into them (batch.sql).
-- _lsn is where the record ends, _at when it was decided, _date which date decided it, NULL where
-- none did. Then come the fields of engine/domain/decision.def, each with the type of its kind:
-- @column u8 u16 u32 u64: bigint NOT NULL
-- @column id: uuid
-- @column text: text NOT NULL
-- @column numbers: bigint[] NOT NULL
-- @column policy: jsonb NOT NULL
-- @each decision
CREATE TEMPORARY TABLE :DECISION (
    _lsn bigint NOT NULL,
    _at timestamptz NOT NULL,
    _date bigint,
    :FIELDS
) ON COMMIT DELETE ROWS;
-- @end

-- @statement fold_tables
-- fold.sql makes one row here of all that a batch says of one date, reservation, and so on.
CREATE TEMPORARY TABLE fold_dates (
    id           bigint,
    state        bigint,
    opened_at    timestamptz,
    cancelled_at timestamptz,
    policy       jsonb
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE fold_reservations (
    id       bigint,
    state    bigint,
    payment  bigint,
    paid_at  timestamptz,
    ended_at timestamptz,
    held_lsn bigint,    -- where it began, if it did in this batch
    left_lsn bigint     -- where it was paid or ended, if it was in this batch
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE fold_entries (
    date         bigint,
    place        bigint,
    admitted_at  timestamptz,
    active_until timestamptz,
    ended_at     timestamptz,
    end_reason   bigint,
    admitted_lsn bigint,
    ended_lsn    bigint
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE fold_payments (
    id                bigint,
    state             bigint,
    decided_at        timestamptz,
    refund_started_at timestamptz,
    refunded_at       timestamptz,
    balance           bigint
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE fold_wallets (
    user_id  uuid,
    balance  bigint,
    charged  bigint,
    reserved bigint,
    spent    bigint,
    refunded bigint
) ON COMMIT DELETE ROWS;

-- The log's milliseconds since 1970 as a time.
CREATE FUNCTION pg_temp.moment(ms bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE RETURN to_timestamp(ms::double precision / 1000);

-- The whole id of a reservation or payment, from its date and its number within the date; and back.
CREATE FUNCTION pg_temp.dated_id(date bigint, sequence bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE RETURN date << 32 | sequence;
CREATE FUNCTION pg_temp.dated_id_date(id bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE RETURN id >> 32;

-- Which state does a thing have after a batch? That of its event with the highest LSN. So each
-- event becomes one number, the LSN above, the state in the lowest four bits: the greatest of them
-- is the last event. LSNs stay below 2^59.
CREATE FUNCTION pg_temp.lsn_and_state(lsn bigint, state bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE RETURN lsn * 16 + state;
CREATE FUNCTION pg_temp.state_of(lsn_and_state bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE RETURN lsn_and_state & 15;

-- The log has numbers where the tables have names.
CREATE FUNCTION pg_temp.date_state(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN CASE number :DATE_STATES_WHEN END;
CREATE FUNCTION pg_temp.reservation_state(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN CASE number :RESERVATION_STATES_WHEN END;
CREATE FUNCTION pg_temp.payment_state(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN CASE number :PAYMENT_STATES_WHEN END;
CREATE FUNCTION pg_temp.token_end(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN CASE number :TOKEN_ENDS_WHEN END;
CREATE FUNCTION pg_temp.outage_cause(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN CASE number :OUTAGE_CAUSES_WHEN END;
CREATE FUNCTION pg_temp.error_code(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE RETURN CASE number :ERRORS_WHEN END;
