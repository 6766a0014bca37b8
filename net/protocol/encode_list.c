/* encode_list.c - see encode_list.h */
#include "net/protocol/encode_list.h"

#include "engine/domain/account/account.h"
#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/base/require.h"
#include "engine/runtime/board.h"
#include "net/protocol/limits.h"

static void write_title(struct value_writer *writer, const struct title *title) {
    encode_text(writer, "title", (struct text){.bytes = title->bytes, .size = title->size});
}

/* --- seats.list ------------------------------------------------------------------------------- */

static const char *seat_state(const struct date *date, const struct seat *seat) {
    if (seat->reservation != 0) {
        const struct reservation *reservation = reservations_find(&date->reservations,
                                                                  seat->reservation);
        REQUIRE(reservation != NULL);
        bool sold = reservation->state == RESERVATION_PAID ||
                    reservation->state == RESERVATION_REFUNDING;
        return sold ? "sold" : "held";
    }
    return seat->for_sale ? "available" : "not_for_sale";
}

static void write_seat(struct value_writer *writer, const struct date *date, uint32_t number,
                       const struct seat *seat) {
    value_write_map(writer, 7);
    value_write_pair_uint(writer, "number", number);
    encode_text(writer, "section", seat_map_text(&date->seats, number, SEAT_SECTION));
    encode_text(writer, "row", seat_map_text(&date->seats, number, SEAT_ROW));
    encode_text(writer, "seat", seat_map_text(&date->seats, number, SEAT_NUMBER));
    encode_text(writer, "guid", seat_map_text(&date->seats, number, SEAT_GUID));
    value_write_pair_uint(writer, "price", seat->price);
    value_write_pair_text(writer, "state", seat_state(date, seat));
}

void encode_seats(struct value_writer *writer, const struct reply *reply) {
    const struct date *date = reply->seats.date;
    uint32_t number = reply->seats.first > 0 ? reply->seats.first : 1, count = 0, next = 0;
    value_write_map(writer, 2);
    value_write_text(writer, "seats");
    uint32_t begin = value_write_array_open(writer);
    for (; number <= date->seats.count; number++) {
        const struct seat *seat = seat_map_seat(&date->seats, number);
        bool available = seat->for_sale && seat->reservation == 0;
        if (!available && !reply->seats.all) continue;
        if (count == reply->seats.limit) {
            next = number;
            break;
        }
        write_seat(writer, date, number, seat);
        count++;
    }
    value_write_array_close(writer, begin, count);
    value_write_text(writer, "next");
    if (next != 0) {
        value_write_uint(writer, next);
    } else {
        value_write_nil(writer);
    }
}

/* --- wallet.history --------------------------------------------------------------------------- */

void encode_history(struct value_writer *writer, const struct reply *reply) {
    const struct account *account = reply->history.account;
    const struct ledger_row *rows[WALLET_HISTORY_KEPT];
    uint32_t count = account ? account_history(reply->history.partition, account, rows) : 0;
    REQUIRE(count <= WALLET_HISTORY_KEPT);
    value_write_map(writer, 3);
    encode_user(writer, &reply->history.user);
    value_write_text(writer, "rows");
    value_write_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ledger_row *row = rows[i];
        uint32_t dated = (row->payment != 0) + (row->reservation != 0);
        value_write_map(writer, 4 + dated);
        value_write_pair_text(writer, "reason", ledger_reason_name(row->reason));
        value_write_pair_uint(writer, "amount", row->amount);
        value_write_pair_uint(writer, "balance", row->balance);
        value_write_pair_uint(writer, "time", row->time_ms);
        if (row->payment) value_write_pair_uint(writer, "payment", row->payment);
        if (row->reservation) value_write_pair_uint(writer, "reservation", row->reservation);
    }
    value_write_pair_uint(writer, "rows_total", account ? account->rows : 0);
}

/* --- catalogue -------------------------------------------------------------------------------- */

/* For each concert all dates are looked through: at most CONCERTS_MAX x DATES_MAX small steps would
 * be too many, so the dates are counted first and their ids sorted by concert. */
struct date_ids {
    uint16_t ends[CONCERTS_MAX + 1]; /* of concert i's ids in `ids`; they begin where i-1's end */
    uint16_t ids[DATES_MAX];
};
_Static_assert(DATES_MAX <= UINT16_MAX, "date ids fit 16 bits");

/* Drafts are left out but for admins (O2). */
static void collect_dates(const struct reply *reply, const struct board *board, uint64_t *ret_lsn,
                          struct date_ids *ret_ids) {
    const struct catalogue *catalogue = reply->concerts.catalogue;
    bool hidden[DATES_MAX] = {0};
    memset(ret_ids->ends, 0, sizeof ret_ids->ends);
    for (uint32_t i = 0; i < catalogue->date_count; i++) {
        struct date_counters counters;
        uint32_t concert = catalogue->dates[i].concert;
        REQUIRE(concert >= 1 && concert <= catalogue->concert_count);
        board_read_date(board, i + 1, &counters, ret_lsn);
        hidden[i] = !reply->concerts.drafts && date_row_is_draft(&counters);
        if (!hidden[i]) ret_ids->ends[concert]++;
    }
    for (uint32_t c = 1; c <= catalogue->concert_count; c++) {
        ret_ids->ends[c] = (uint16_t)(ret_ids->ends[c] + ret_ids->ends[c - 1]);
    }
    /* From the last date down, each concert's ids are filled in from its end; what was its end
     * becomes its beginning, which is where the one before ends. */
    uint16_t begins[CONCERTS_MAX + 1];
    memcpy(begins, ret_ids->ends, sizeof begins);
    for (uint32_t i = catalogue->date_count; i-- > 0;) {
        if (hidden[i]) continue;
        uint32_t concert = catalogue->dates[i].concert;
        ret_ids->ids[--begins[concert]] = (uint16_t)(i + 1);
    }
}

void encode_concerts(struct value_writer *writer, const struct reply *reply,
                     const struct board *board, uint64_t *ret_lsn) {
    const struct catalogue *catalogue = reply->concerts.catalogue;
    struct date_ids dates; /* 28 KiB of stack, with what collect_dates() needs */
    REQUIRE(catalogue->concert_count <= CONCERTS_MAX && catalogue->date_count <= DATES_MAX);
    collect_dates(reply, board, ret_lsn, &dates);
    value_write_map(writer, 1);
    value_write_text(writer, "concerts");
    value_write_array(writer, catalogue->concert_count);
    for (uint32_t i = 0; i < catalogue->concert_count; i++) {
        value_write_map(writer, 3);
        value_write_pair_uint(writer, "concert", i + 1);
        write_title(writer, &catalogue->concerts[i].title);
        value_write_text(writer, "dates");
        value_write_array(writer, (uint32_t)dates.ends[i + 1] - dates.ends[i]);
        for (uint32_t k = dates.ends[i]; k < dates.ends[i + 1]; k++) {
            value_write_uint(writer, dates.ids[k]);
        }
    }
}

bool encode_dates_gated(const struct reply *reply, const struct board *board, uint64_t *ret_lsn) {
    const struct catalogue *catalogue = reply->dates.catalogue;
    if (reply->dates.has_token) return false;
    for (uint32_t i = 0; i < catalogue->date_count; i++) {
        struct date_counters counters;
        if (catalogue->dates[i].concert != reply->dates.concert) continue;
        board_read_date(board, i + 1, &counters, ret_lsn);
        if (counters.gate_dates && (reply->dates.drafts || !date_row_is_draft(&counters)))
            return true;
    }
    return false;
}

static void write_date(struct value_writer *writer, uint32_t id, const struct concert_date *date,
                       const struct date_counters *counters, uint64_t now_ms) {
    bool bookable = date_row_is_bookable(counters, now_ms);
    uint32_t state = counters->state == 0 ? DATE_DRAFT : counters->state;
    value_write_map(writer, 11);
    value_write_pair_uint(writer, "date", id);
    write_title(writer, &date->title);
    value_write_pair_uint(writer, "starts_at", date->starts_at);
    value_write_pair_uint(writer, "sales_open_at", counters->sales_open_at);
    value_write_pair_uint(writer, "sales_end_at", counters->sales_end_at);
    value_write_pair_text(writer, "state", date_state_name(state));
    value_write_pair_uint(writer, "seats_total", counters->seats_total);
    value_write_pair_uint(writer, "seats_available", counters->seats_available);
    value_write_pair_bool(writer, "bookable", bookable);
    value_write_pair_uint(writer, "waiting", counters->waiting);
    value_write_pair_uint(writer, "active", counters->active);
}

void encode_dates(struct value_writer *writer, const struct reply *reply, const struct board *board,
                  uint64_t *ret_lsn) {
    const struct catalogue *catalogue = reply->dates.catalogue;
    uint32_t count = 0;
    value_write_map(writer, 1);
    value_write_text(writer, "dates");
    uint32_t begin = value_write_array_open(writer);
    for (uint32_t i = 0; i < catalogue->date_count; i++) {
        struct date_counters counters;
        if (catalogue->dates[i].concert != reply->dates.concert) continue;
        board_read_date(board, i + 1, &counters, ret_lsn);
        if (!reply->dates.drafts && date_row_is_draft(&counters)) continue; /* O2 */
        if (reply->dates.available_only && !date_row_is_bookable(&counters, reply->now_ms))
            continue;
        write_date(writer, i + 1, &catalogue->dates[i], &counters, reply->now_ms);
        count++;
    }
    value_write_array_close(writer, begin, count);
}

/* --- system.stats ----------------------------------------------------------------------------- */

#define WRITE_COUNTER(field) value_write_pair_uint(writer, #field, counters->field)

static void write_shards(struct value_writer *writer, const struct shard_counters *counters) {
    value_write_text(writer, "engine");
    value_write_map(writer, 9);
    WRITE_COUNTER(requests);
    WRITE_COUNTER(decisions);
    WRITE_COUNTER(drains);
    WRITE_COUNTER(refusals);
    WRITE_COUNTER(messages);
    WRITE_COUNTER(journal_full);
    WRITE_COUNTER(gate_waiting);
    WRITE_COUNTER(outages);
    WRITE_COUNTER(outage_ms);
}

static void write_money(struct value_writer *writer, const struct money_totals *counters) {
    value_write_text(writer, "money");
    value_write_map(writer, 6);
    WRITE_COUNTER(accounts);
    WRITE_COUNTER(charged);
    WRITE_COUNTER(balances);
    WRITE_COUNTER(reserved);
    WRITE_COUNTER(spent);
    WRITE_COUNTER(refunded);
}

static void write_net(struct value_writer *writer, const struct net_counters *counters) {
    value_write_text(writer, "net");
    value_write_map(writer, 12);
    WRITE_COUNTER(frames);
    WRITE_COUNTER(requests);
    WRITE_COUNTER(malformed);
    WRITE_COUNTER(refused);
    WRITE_COUNTER(busy);
    WRITE_COUNTER(replies_dropped);
    WRITE_COUNTER(slow_disconnects);
    WRITE_COUNTER(connections);
    WRITE_COUNTER(accepted);
    WRITE_COUNTER(connections_refused);
    WRITE_COUNTER(relistens);
    WRITE_COUNTER(frames_in_flight);
}

/* Atomics: read, whoever writes them. */
static uint64_t figure(const _Atomic uint64_t *value) {
    return value ? atomic_load_explicit(value, memory_order_relaxed) : 0;
}

static void write_figures(struct value_writer *writer, const struct net_figures *figures) {
#define COUNT(map, name) +1
#define WRITE(map, name)                                                                           \
    value_write_pair_uint(writer, #name, figure(figures ? &figures->map##_##name : NULL));
#define WRITE_MAP(map, FIGURES)                                                                    \
    value_write_text(writer, #map);                                                                \
    value_write_map(writer, 0 FIGURES(COUNT));                                                     \
    FIGURES(WRITE)
    NET_FIGURE_MAPS(WRITE_MAP)
#undef WRITE_MAP
#undef WRITE
#undef COUNT
}

static void write_build(struct value_writer *writer, const struct net_figures *figures) {
    const char *version = figures ? figures->build.version : NULL;
    const char *git = figures ? figures->build.git : NULL;
#define COUNT(name, number) +1
#define WRITE(name, number) value_write_pair_uint(writer, #name, number);
    value_write_text(writer, "build");
    value_write_map(writer, 2 VERSIONS(COUNT));
    value_write_pair_text(writer, "version", version ? version : "unknown");
    value_write_pair_text(writer, "git", git ? git : "unknown");
    VERSIONS(WRITE)
#undef WRITE
#undef COUNT
}

#define COUNT_MAP(map, FIGURES) +1
#define FIGURE_MAPS (0 NET_FIGURE_MAPS(COUNT_MAP))

void encode_stats(struct value_writer *writer, const struct reply *reply,
                  const struct encode_view *view, uint64_t *ret_lsn) {
    struct shard_counters shards;
    struct money_totals money;
    REQUIRE(view->counters != NULL);
    board_read_shards(view->board, &shards);
    board_read_money(view->board, &money, ret_lsn);
    value_write_map(writer, 7 + FIGURE_MAPS);
    value_write_pair_uint(writer, "now", reply->now_ms);
    value_write_pair_uint(writer, "version", NET_PROTOCOL_VERSION);
    value_write_pair_uint(writer, "durable_lsn", view->durable_lsn);
    write_build(writer, view->figures);
    write_shards(writer, &shards);
    write_money(writer, &money);
    write_net(writer, view->counters);
    write_figures(writer, view->figures);
}
