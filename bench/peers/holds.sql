-- holds.sql - what a connection of peer_postgres.c prepares before it begins
SET plan_cache_mode = force_generic_plan;

-- A hold: $1 the token, $2 the seat, $3 for how many ms. A row: it is held.
PREPARE one (bigint, integer, integer) AS
UPDATE seats SET holder = turns.holder, held_until = now() + $3 * interval '1 ms'
FROM turns
WHERE turns.token = $1 AND turns.ends > now() AND seats.seat = $2
    AND (seats.holder IS NULL OR seats.held_until <= now())
RETURNING 0;

-- The holds that have gathered: $1 their tokens, $2 their seats. Rows: the places of those held.
PREPARE many (bigint[], integer[], integer) AS
UPDATE seats SET holder = turns.holder, held_until = now() + $3 * interval '1 ms'
FROM unnest($1, $2) WITH ORDINALITY AS wanted (token, seat, place)
    JOIN turns ON turns.token = wanted.token AND turns.ends > now()
WHERE seats.seat = wanted.seat AND (seats.holder IS NULL OR seats.held_until <= now())
RETURNING wanted.place - 1;

-- At the end.
PREPARE held AS
SELECT count(*) FROM seats WHERE holder IS NOT NULL;
