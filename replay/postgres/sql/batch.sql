-- batch.sql - one batch of decisions is one transaction
--
-- batch_begin; copy_decisions for each kind of decision that the batch has; the steps of fold.sql
-- that read one of them; commit. Rows and applied LSN become visible together, or not at all.

-- @statement batch_begin
-- The guard. It moves the applied LSN if, and only if, it is where this run left it, and this run
-- still projects. No row: roll back, and read the state row again.
BEGIN;
UPDATE usher.projection_state
   SET applied_lsn = :applied_lsn,
       applied_time = :'applied_time',
       decisions = decisions + :decisions,
       epoch = :epoch,
       batch_lsn = :batch_lsn,
       batch_hash = :batch_hash
 WHERE applied_lsn = :batch_lsn
   AND log_id = :'log_id'
   AND run_id = :'run_id';

-- @statement copy_decisions
COPY pg_temp.:"kind" FROM STDIN (FORMAT binary);

-- @statement commit
COMMIT;
