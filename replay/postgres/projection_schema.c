/* projection_schema.c - the tables that analysts read (replay/README.md, "Tables")
 *
 * No default and no trigger here reads a clock or makes random numbers: a rebuild gives the same
 * rows. fillfactor leaves room for the updates that nearly every row gets, so that they stay on its
 * page (heap-only tuples); no index covers a column that changes, but for the two that guard.
 */
#include "engine/domain/types.h"
#include "replay/postgres/projection_sql.h"

#define TEXT_OF_(value) #value
#define TEXT_OF(value) TEXT_OF_(value)

/* "'held', 'paying', ..." and one of them again, for the comma */
#define NAME(number, NAME_, text) "'" text "', "

static const char schema[] =
    "CREATE SCHEMA IF NOT EXISTS usher;\n"

    /* --- how far ------------------------------------------------------------------------------ */
    "CREATE TABLE usher.projection_state ("
    " singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),"
    " schema_version integer NOT NULL,"
    " log_id uuid NOT NULL,"
    " epoch bigint NOT NULL CHECK (epoch >= 0),"
    " applied_lsn bigint NOT NULL CHECK (applied_lsn >= 0),"
    " applied_time timestamptz," /* of the last decision applied */
    " decisions bigint NOT NULL CHECK (decisions >= 0));\n"

    /* --- catalogue ---------------------------------------------------------------------------- */
    "CREATE TABLE usher.concerts ("
    " id integer PRIMARY KEY,"
    " title text NOT NULL,"
    " created_at timestamptz NOT NULL);\n"

    "CREATE TABLE usher.dates ("
    " id integer PRIMARY KEY,"
    " concert integer NOT NULL REFERENCES usher.concerts,"
    " title text NOT NULL,"
    " starts_at timestamptz NOT NULL,"
    " sales_open_at timestamptz NOT NULL GENERATED ALWAYS AS"
    "  (to_timestamp((policy->>'sales_open_at')::double precision / 1000)) STORED,"
    " state text NOT NULL CHECK (state IN (" DATE_STATES(
        NAME) "'draft')),"
              " policy jsonb NOT NULL,"
              " created_at timestamptz NOT NULL,"
              " opened_at timestamptz," /* first time */
              " cancelled_at timestamptz,"
              " CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)));\n"
              "CREATE INDEX ON usher.dates (concert);\n"
              "CREATE INDEX ON usher.dates (starts_at);\n"

              /* --- seats ---------------------------------------------------------------------- */
              "CREATE TABLE usher.seats ("
              " date integer NOT NULL REFERENCES usher.dates,"
              " number integer NOT NULL CHECK (number > 0),"
              " section text NOT NULL,"
              " row text NOT NULL,"
              " seat text NOT NULL,"
              " guid text NOT NULL," /* '' for none */
              " price bigint NOT NULL CHECK (price >= 0),"
              " for_sale boolean NOT NULL,"
              " state text NOT NULL CHECK (state IN ('available', 'held', 'sold')),"
              " reservation bigint,"
              " PRIMARY KEY (date, number),"
              " CHECK ((state = 'available') = (reservation IS NULL)),"
              " CHECK (for_sale OR state = 'available')) WITH (fillfactor = 70);\n"
              "CREATE UNIQUE INDEX seats_guid ON usher.seats (date, guid) WHERE guid <> '';\n"
              "CREATE INDEX seats_label ON usher.seats (date, section, row, seat);\n"

              /* --- reservations --------------------------------------------------------------- */
              "CREATE TABLE usher.reservations ("
              " id bigint PRIMARY KEY,"
              " date integer NOT NULL REFERENCES usher.dates,"
              " user_id uuid NOT NULL,"
              " place bigint NOT NULL," /* of the token it was made with */
              " seat_count integer NOT NULL CHECK (seat_count > 0),"
              " amount bigint NOT NULL CHECK (amount >= 0),"
              " state text NOT NULL CHECK (state IN (" RESERVATION_STATES(
                  NAME) "'held')),"
                        " held_at timestamptz NOT NULL,"
                        " expires_at timestamptz NOT NULL,"
                        " payment bigint," /* the one that was started last */
                        " paid_at timestamptz,"
                        " ended_at timestamptz," /* since then its seats are free */
                        " CHECK (id >> 32 = date),"
                        " CHECK ((state IN ('paid', 'refunding', 'refunded')) = (paid_at IS NOT "
                        "NULL)),"
                        " CHECK ((state IN ('held', 'paying', 'paid', 'refunding')) = (ended_at IS "
                        "NULL)))"
                        " WITH (fillfactor = 70);\n"
                        "CREATE INDEX reservations_held_at ON usher.reservations (date, held_at);\n"
                        "CREATE INDEX reservations_user ON usher.reservations (user_id);\n"

                        "CREATE TABLE usher.reservation_seats ("
                        " reservation bigint NOT NULL,"
                        " date integer NOT NULL,"
                        " seat integer NOT NULL,"
                        " held_at timestamptz NOT NULL,"
                        " freed_at timestamptz CHECK (freed_at >= held_at),"
                        " PRIMARY KEY (reservation, seat),"
                        " FOREIGN KEY (date, seat) REFERENCES usher.seats,"
                        " CHECK (reservation >> 32 = date)) WITH (fillfactor = 70);\n"
                        /* R2, in the database as well */
                        "CREATE UNIQUE INDEX reservation_seats_one_live_owner"
                        " ON usher.reservation_seats (date, seat) WHERE freed_at IS NULL;\n"
                        /* "who held seat A-12 at 20:00:03?" */
                        "CREATE INDEX reservation_seats_history ON usher.reservation_seats (date, "
                        "seat, held_at);\n"

                        /* --- money ------------------------------------------------------------ */
                        "CREATE TABLE usher.payments ("
                        " id bigint PRIMARY KEY,"
                        " reservation bigint NOT NULL REFERENCES usher.reservations,"
                        " date integer NOT NULL,"
                        " user_id uuid NOT NULL,"
                        " amount bigint NOT NULL CHECK (amount >= 0),"
                        " reason text NOT NULL CHECK (reason = 'payment'),"
                        " state text NOT NULL CHECK"
                        "  (state IN ('started', 'refused', 'paid', 'aborted', 'refunding', "
                        "'refunded')),"
                        " started_at timestamptz NOT NULL,"
                        " decided_at timestamptz," /* refused, paid or aborted */
                        " refund_started_at timestamptz,"
                        " refunded_at timestamptz,"
                        " balance bigint CHECK (balance >= 0),"
                        " CHECK (id >> 32 = date AND reservation >> 32 = date),"
                        " CHECK ((state = 'started') = (decided_at IS NULL)),"
                        " CHECK ((state IN ('refunding', 'refunded')) = (refund_started_at IS NOT "
                        "NULL)),"
                        " CHECK ((state = 'refunded') = (refunded_at IS NOT NULL))) WITH "
                        "(fillfactor = 70);\n"
                        /* P4: one attempt at a time, and one that succeeds */
                        "CREATE UNIQUE INDEX payments_charged_once ON usher.payments (reservation)"
                        " WHERE state IN ('started', 'paid', 'refunding', 'refunded');\n"
                        "CREATE INDEX payments_reservation ON usher.payments (reservation);\n"
                        "CREATE INDEX payments_started_at ON usher.payments (date, started_at);\n"
                        "CREATE INDEX payments_user ON usher.payments (user_id);\n"

                        "CREATE TABLE usher.wallets ("
                        " user_id uuid PRIMARY KEY,"
                        " balance bigint NOT NULL CHECK (balance >= 0),"
                        " charged bigint NOT NULL CHECK (charged >= 0),"
                        " reserved bigint NOT NULL CHECK (reserved >= 0),"
                        " spent bigint NOT NULL CHECK (spent >= 0),"
                        " refunded bigint NOT NULL CHECK (refunded >= 0),"
                        " CONSTRAINT points_conserved CHECK (charged + refunded = balance + "
                        "reserved + spent))"
                        " WITH (fillfactor = 70);\n"

                        "CREATE TABLE usher.wallet_ledger ("
                        " lsn bigint PRIMARY KEY,"
                        " user_id uuid NOT NULL,"
                        " at timestamptz NOT NULL,"
                        " reason text NOT NULL CHECK (reason IN (" LEDGER_REASONS(
                            NAME) "'charge')),"
                                  " amount bigint NOT NULL CHECK (amount >= 0),"
                                  " change bigint NOT NULL GENERATED ALWAYS AS"
                                  "  (CASE WHEN reason = 'payment' THEN -amount ELSE amount END) "
                                  "STORED,"
                                  " balance bigint NOT NULL CHECK (balance >= 0),"
                                  " payment bigint,"
                                  " reservation bigint,"
                                  " CHECK ((reason = 'charge') = (payment IS NULL)));\n"
                                  "CREATE INDEX wallet_ledger_user ON usher.wallet_ledger "
                                  "(user_id, lsn);\n"

                                  /* --- demand ------------------------------------------------- */
                                  "CREATE TABLE usher.queue_entries ("
                                  " date integer NOT NULL,"
                                  " place bigint NOT NULL CHECK (place > 0),"
                                  " user_id uuid NOT NULL,"
                                  " entered_at timestamptz NOT NULL,"
                                  " admitted_at timestamptz,"
                                  " active_until timestamptz,"
                                  " ended_at timestamptz,"
                                  " end_reason text CHECK (end_reason IN (" TOKEN_ENDS(
                                      NAME) "'paid')),"
                                            " PRIMARY KEY (date, place),"
                                            " CHECK ((admitted_at IS NULL) = (active_until IS "
                                            "NULL)),"
                                            " CHECK ((ended_at IS NULL) = (end_reason IS NULL))) "
                                            "WITH (fillfactor = 70);\n"

                                            "CREATE TABLE usher.refusals ("
                                            " lsn bigint PRIMARY KEY,"
                                            " at timestamptz NOT NULL,"
                                            " date integer NOT NULL,"
                                            " user_id uuid NOT NULL,"
                                            " place bigint NOT NULL,"
                                            " kind text NOT NULL CHECK (kind IN ('hold', "
                                            "'payment')),"
                                            " code text NOT NULL,"
                                            " seat integer,"       /* hold, where it is known */
                                            " reservation bigint," /* payment */
                                            " payment bigint,"
                                            " balance bigint,"
                                            " shortfall bigint,"
                                            " CHECK ((kind = 'payment') = (payment IS NOT "
                                            "NULL)));\n"
                                            "CREATE INDEX refusals_at ON usher.refusals (date, "
                                            "at);\n"

                                            /* --- for analysts --------------------------------- */
                                            "CREATE VIEW usher.sales_by_date AS"
                                            " SELECT d.id AS date, d.concert, d.title, "
                                            "d.starts_at, d.state,"
                                            "  s.seats, s.for_sale, s.available, s.held, s.sold, "
                                            "coalesce(r.revenue, 0) AS revenue,"
                                            "  coalesce(r.refunded, 0) AS refunded"
                                            " FROM usher.dates d"
                                            " LEFT JOIN LATERAL (SELECT count(*) AS seats, "
                                            "count(*) FILTER (WHERE for_sale) AS for_sale,"
                                            "  count(*) FILTER (WHERE for_sale AND state = "
                                            "'available') AS available,"
                                            "  count(*) FILTER (WHERE state = 'held') AS held,"
                                            "  count(*) FILTER (WHERE state = 'sold') AS sold"
                                            "  FROM usher.seats WHERE seats.date = d.id) s ON true"
                                            " LEFT JOIN LATERAL (SELECT"
                                            "  sum(amount) FILTER (WHERE state IN ('paid', "
                                            "'refunding')) AS revenue,"
                                            "  sum(amount) FILTER (WHERE state = 'refunded') AS "
                                            "refunded"
                                            "  FROM usher.reservations WHERE reservations.date = "
                                            "d.id) r ON true;\n"

                                            "CREATE VIEW usher.waiting_by_date AS"
                                            " SELECT date, count(*) AS entered, count(admitted_at) "
                                            "AS admitted,"
                                            "  count(*) FILTER (WHERE ended_at IS NULL AND "
                                            "admitted_at IS NULL) AS waiting,"
                                            "  count(*) FILTER (WHERE ended_at IS NULL AND "
                                            "admitted_at IS NOT NULL) AS active,"
                                            "  count(*) FILTER (WHERE admitted_at IS NULL AND "
                                            "end_reason IN ('left', 'silent'))"
                                            "   AS abandoned,"
                                            "  count(*) FILTER (WHERE end_reason = 'paid') AS "
                                            "bought,"
                                            "  avg(admitted_at - entered_at) AS average_wait, "
                                            "max(admitted_at - entered_at) AS longest_wait"
                                            " FROM usher.queue_entries GROUP BY date;\n"

                                            "COMMENT ON SCHEMA usher IS 'Projection of usher''s "
                                            "log; written by the engine alone, can be"
                                            " dropped and rebuilt. Schema version " TEXT_OF(
                                                PROJECTION_SCHEMA_VERSION) ".';\n";

/* Which run projects, and what its last batch was (README.md, "Two engines"); and outages. New
 * schemas get them in the same way as old ones, so that both end alike. */
static const char raise_1[] =
    "ALTER TABLE usher.projection_state"
    " ADD COLUMN IF NOT EXISTS run bigint NOT NULL DEFAULT 0 CHECK (run >= 0),"
    " ADD COLUMN IF NOT EXISTS run_id uuid,"
    " ADD COLUMN IF NOT EXISTS run_by text NOT NULL DEFAULT '',"
    " ADD COLUMN IF NOT EXISTS batch_lsn bigint NOT NULL DEFAULT 0 CHECK (batch_lsn >= 0),"
    " ADD COLUMN IF NOT EXISTS batch_hash bigint NOT NULL DEFAULT 0 CHECK (batch_hash >= 0);\n"
    /* Time in which the engine could not serve, as it was credited to a date (X7) */
    "CREATE TABLE IF NOT EXISTS usher.outages ("
    " lsn bigint PRIMARY KEY,"
    " date integer NOT NULL REFERENCES usher.dates,"
    " since timestamptz NOT NULL,"
    " credited_at timestamptz NOT NULL,"
    " credit_ms bigint NOT NULL CHECK (credit_ms > 0),"
    " cause text NOT NULL CHECK (cause IN (" OUTAGE_CAUSES(
        NAME) "'down')));\n"
              "UPDATE usher.projection_state SET schema_version = 2 WHERE schema_version = 1";
_Static_assert(PROJECTION_SCHEMA_VERSION == 2 && PROJECTION_SCHEMA_VERSION_RAISED == 1,
               "the statement above says the same");

const char *projection_raise_sql(void) { return raise_1; }

const char *projection_schema_sql(void) { return schema; }
