-- postgres.sql - the job of callers.h in PostgreSQL; psql -v seats=N fillfactor: a page keeps room
-- for the next version of its rows, which then needs no new entry in the index (HOT). No checkpoint
-- after loading: the log has no full pages in it then.
DROP TABLE IF EXISTS turns, seats;
CREATE TABLE turns (token bigint PRIMARY KEY, holder integer NOT NULL, ends timestamptz NOT NULL);
CREATE TABLE seats (seat integer PRIMARY KEY, holder integer, held_until timestamptz)
    WITH (fillfactor = 45);
INSERT INTO turns
    SELECT (n + 1) * 2654435761 % 4294967296, n, now() + interval '1 hour'
    FROM generate_series(0, :seats::bigint / 100000 * 6250 - 1) AS n;
INSERT INTO seats SELECT n FROM generate_series(0, :seats - 1) AS n;
VACUUM (ANALYZE) turns;
VACUUM (ANALYZE) seats;
