-- attach.sql - what a database says about the projection in it, and whose it is
--
-- A start reads the state row, makes or raises the schema where that is needed, and then takes the
-- database over. With nothing to write, the engine reads the state row again every few seconds.

-- @statement look_exists
SELECT to_regclass('usher.projection_state') IS NOT NULL;

-- @statement look_state
-- Of every version of the schema.
SELECT schema_version, log_id, epoch, applied_lsn, decisions
  FROM usher.projection_state;

-- @statement look_run
-- Of version 2 and later.
SELECT run, coalesce(run_id::text, ''), run_by, batch_lsn, batch_hash,
       coalesce(extract(epoch FROM applied_time) * 1000, 0)::bigint
  FROM usher.projection_state;

-- @statement create_begin
-- The lock keeps two engines from creating the schema at once; its number is random.
BEGIN;
SELECT pg_advisory_xact_lock(6284905711720734);

-- @statement create_state
INSERT INTO usher.projection_state (schema_version, log_id, epoch, applied_lsn, decisions, run)
VALUES (:VERSION_SCHEMA, :'log_id', :epoch, 0, 0, :run);

-- @statement drop_schema
-- Views of others that read it go, too.
DROP SCHEMA IF EXISTS usher CASCADE;

-- @statement take_over
-- From now on this run projects, if nothing has moved since it looked.
UPDATE usher.projection_state
   SET run = :run, run_id = :'run_id', run_by = :'run_by'
 WHERE log_id = :'log_id'
   AND applied_lsn = :found_lsn
   AND run = :found_run
   AND coalesce(run_id::text, '') = :'found_run_id';
