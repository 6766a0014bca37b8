/* limits.h - every capacity of usher, with its reason, checked at compile time
 *
 * A queue that is full and a table that has reached its budget have a defined answer (an error
 * code of engine/domain/error.def, or back-pressure); none of them is an assertion that a client
 * can trip. Units are in the names.
 */
#ifndef USHER_ENGINE_BASE_LIMITS_H
#define USHER_ENGINE_BASE_LIMITS_H

/* --- the log ---------------------------------------------------------------------------------- */

/* Longest encoded record. The largest kind (seat_added: four texts) stays far below. */
#define RECORD_BYTES_MAX 4096u
/* One drain's records: what a shard appends with one reservation. */
#define DRAIN_BYTES_MAX (256u * 1024u)
/* Requests above 1 MiB can come back with -EAGAIN from io_uring. */
#define WAL_BLOCK_BYTES_MAX (1024u * 1024u)
#define WAL_BLOCK_ALIGN_BYTES 4096u
/* Shards that may append: each has its own slot in the log buffer. */
#define SHARDS_MAX 16u

/* --- the catalogue ---------------------------------------------------------------------------- */

#define CONCERTS_MAX 4096u
#define DATES_MAX 4096u
/* Plain numbers run 1..N; the largest stadiums sell about 100,000 seats. */
#define SEATS_PER_DATE_MAX 131072u
/* Texts (titles, section, row, number, guid) carry a one-byte length in the log. */
#define TEXT_BYTES_MAX 255u
/* Points are the smallest unit of money. 2^53-1 is the largest integer every JSON reader keeps. */
#define AMOUNT_MAX 9007199254740991ull
/* Of all seats of a date together: what it has sold is counted in 64 bits here and in PostgreSQL's
 * 63. A multiple of AMOUNT_MAX that is exact in JSON, too. */
#define DATE_POINTS_MAX (1024 * AMOUNT_MAX)
/* Latest moment in Unix ms that is accepted (year 2286): keeps time arithmetic far from
 * overflow. */
#define TIME_MS_MAX 9999999999999ull

/* --- one date --------------------------------------------------------------------------------- */

/* Live tokens of a date. 2^24 waiters at < 96 bytes are 1.5 GiB. (Places are never reused; 2^32 of
 * them take 570 MB of bits.) */
#define WAITERS_PER_DATE_MAX 16777216u
/* Users who are ACTIVE at once: bounds the active set and its deadlines. */
#define ACTIVE_PER_DATE_MAX 1048576u
/* Seats of one request and of one user: bounds a reservation, a hold record and a reply. */
#define SEATS_PER_USER_MAX 16u
/* Ended, unpaid reservations that the engine still remembers per date (the log and PostgreSQL
 * remember all of them). Bounds the memory that holding and releasing in a loop can take. */
#define ENDED_RESERVATIONS_KEPT 65536u

/* Of one user, so that holding and releasing in a loop does not make that user's next hold slow. */
#define ENDED_RESERVATIONS_KEPT_PER_USER 32u

/* Reservations that have ended with a key in the last 24 hours and would be forgotten but for it.
 * Where so many are kept a payment with a new key is refused (KEYS_FULL), and at half as many the
 * cancellation of an unpaid hold, so that holding and cancelling in a loop never stops sales. About
 * 350 bytes each, as they come. */
#define KEPT_RESERVATIONS_MAX 131072u
/* Of one user: a day of paying and giving back every quarter of an hour. Walked by that user's
 * payments. */
#define KEPT_RESERVATIONS_PER_USER_MAX 96u
/* What was let in can end later: all that is paid, and all that is remembered besides. */
#define KEPT_RESERVATIONS_HARD_MAX                                                                 \
    (KEPT_RESERVATIONS_MAX + ENDED_RESERVATIONS_KEPT + SEATS_PER_DATE_MAX)

/* --- wallets ---------------------------------------------------------------------------------- */

/* Account partitions; a user's UUID picks one. Part of the log's identity: never change it for an
 * existing log. */
#define ACCOUNT_PARTITIONS 16u
#define ACCOUNTS_PER_PARTITION_MAX 4194304u
/* Rows of a wallet's history that the engine keeps per user (the log and PostgreSQL keep all). */
#define WALLET_HISTORY_KEPT 64u

/* --- idempotency keys ------------------------------------------------------------------------- */

/* For so long at least a key is recognised, in the time of decisions: a day. */
#define KEY_KEPT_MS 86400000ull
/* Keys of charges that an account partition remembers: 16.7 million charges a day over all of them,
 * 194 a second around the clock. 56 bytes each and 11 to 21 in the index: at most 80 MiB a
 * partition, taken as they come. More are refused (KEYS_FULL). */
#define KEYS_PER_PARTITION_MAX 1048576u
/* Of one user: a wallet is charged a few times a day by hand, some thousand times by a program that
 * is tested; 256 users who do that do not yet fill a partition. */
#define KEYS_PER_USER_MAX 4096u

/* --- requests --------------------------------------------------------------------------------- */

#define REQUESTS_PER_FRAME_MAX 1024u
#define FRAME_BYTES_MAX (1024u * 1024u)
#define SEATS_ADD_MAX 64u
#define SEATS_LIST_MAX 1000u
#define IDEMPOTENCY_KEY_BYTES_MAX 64u

/* --- one shard -------------------------------------------------------------------------------- */

/* Chains of requests waiting for a shard; full answers BUSY. Power of two (ck_ring). */
#define MAILBOX_CHAINS_MAX 4096u
/* Requests of one drain. Bounds how long a decision waits for its neighbours. */
#define DRAIN_REQUESTS_MAX 256u
/* Time-driven decisions of one drain: an hour of expiries at once must not stall the requests. */
#define DRAIN_DUE_MAX 256u
/* A shard that has anything due looks at the time at least so often. */
#define SHARD_ROUND_MS_MAX 100u
/* What a round, or the disk, may take beyond that before it is an outage, which is credited (X7):
 * long against a slow write or a busy machine, short against anybody's patience. */
#define OUTAGE_MS_MIN 250u
/* How much more after an outage nobody counts as silent: what was sent meanwhile is still in the
 * sockets. */
#define OUTAGE_HEARING_MS 1000u
/* A log that stands still again so soon after an outage of the log is slow. */
#define OUTAGE_SLOW_MS 1000u
/* An outage of so much is told, not only counted. */
#define OUTAGE_LONG_MS 1000u
/* Messages on the way from one shard to another. Power of two (ck_ring). */
#define PEER_MESSAGES_MAX 8192u

_Static_assert(DATE_POINTS_MAX <= ~0ull / 2, "PostgreSQL's bigint holds it");
_Static_assert(SEATS_ADD_MAX <= 1024 && SEATS_PER_USER_MAX <= 1024, "sums of prices fit 64 bits");
_Static_assert(RECORD_BYTES_MAX < DRAIN_BYTES_MAX, "a drain holds at least one record");
_Static_assert(DRAIN_BYTES_MAX <= WAL_BLOCK_BYTES_MAX / 2, "a drain fits one block");
_Static_assert((MAILBOX_CHAINS_MAX & (MAILBOX_CHAINS_MAX - 1)) == 0,
               "ck_ring needs a power of two");
_Static_assert((PEER_MESSAGES_MAX & (PEER_MESSAGES_MAX - 1)) == 0, "ck_ring needs a power of two");

#endif
