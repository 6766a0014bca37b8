-- raise.sql - from version 1 of the schema to version 2
--
-- New in 2: which run projects, what its last batch was, and outages. A schema that is made anew
-- gets them from here, too (schema.sql first), so that old and new ones end alike. Does nothing to
-- a schema that somebody else has just raised.

-- @statement raise_schema
ALTER TABLE usher.projection_state
    -- Counts takeovers, from 1; 0: nobody has projected yet.
    ADD COLUMN IF NOT EXISTS run        bigint NOT NULL DEFAULT 0 CHECK (run >= 0),
    -- Random: of the run that projects now.
    ADD COLUMN IF NOT EXISTS run_id     uuid,
    -- Its machine and folder, for people.
    ADD COLUMN IF NOT EXISTS run_by     text NOT NULL DEFAULT '',
    -- Where the last batch began; applied_lsn is where it ended.
    ADD COLUMN IF NOT EXISTS batch_lsn  bigint NOT NULL DEFAULT 0 CHECK (batch_lsn >= 0),
    -- 63 bits of a hash of that batch's records; 0: not known.
    ADD COLUMN IF NOT EXISTS batch_hash bigint NOT NULL DEFAULT 0 CHECK (batch_hash >= 0);

-- Time in which the engine could not serve, as it was credited to a date (X7).
CREATE TABLE IF NOT EXISTS usher.outages (
    lsn         bigint PRIMARY KEY,
    date        integer NOT NULL REFERENCES usher.dates,
    since       timestamptz NOT NULL,
    credited_at timestamptz NOT NULL,
    credit_ms   bigint NOT NULL CHECK (credit_ms > 0),
    cause       text NOT NULL CHECK (cause IN (:OUTAGE_CAUSES))
);

UPDATE usher.projection_state
   SET schema_version = :VERSION_SCHEMA
 WHERE schema_version = :PROJECTION_SCHEMA_VERSION_RAISED;
