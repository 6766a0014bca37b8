/* encode_catalogue.c - what the catalogue answers, to bytes: concerts and dates
 *
 * The rows of dates come from the board: what it shows of a date is that date's own.
 */
#include <string.h>

#include "engine/base/require.h"
#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/runtime/board.h"
#include "net/protocol/encode_parts.h"

static void write_title(struct value_writer *writer, const struct title *title) {
    encode_text(writer, "title", (struct text){.bytes = title->bytes, .size = title->size});
}

/* --- catalogue.concerts ----------------------------------------------------------------------- */

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

/* --- catalogue.dates -------------------------------------------------------------------------- */

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

static void write_date_row(struct value_writer *writer, uint32_t id,
                           const struct concert_date *date, const struct date_counters *counters,
                           uint64_t now_ms) {
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
        write_date_row(writer, i + 1, &catalogue->dates[i], &counters, reply->now_ms);
        count++;
    }
    value_write_array_close(writer, begin, count);
}

/* --- what organisers are answered ------------------------------------------------------------- */

void encode_created(struct value_writer *writer, const struct reply *reply) {
    bool is_date = reply->created.date != 0;
    value_write_map(writer, is_date ? 2 : 1);
    value_write_pair_uint(writer, "concert", reply->created.concert);
    if (is_date) value_write_pair_uint(writer, "date", reply->created.date);
}
