/* usher_import.c - `usher admin import-plan`: a hall's seats from a seating plan into a date
 *
 * Happy path: read and price the whole plan first, so that a mistake in it changes nothing; compare
 * the seats that the date has with the plan's beginning (date_seats.h); send the rest in chunks of
 * SEATS_ADD_MAX seats, a window of chunks at a time; read everything back and sum it up. One frame
 * in flight keeps the chunks in order; the client puts a window's chunks into one frame by itself.
 *
 * Failure modes: the date has other seats: nothing is sent. The engine counts seats, so an import
 * that broke off is taken up where it stopped. SEATS_OUT_OF_ORDER in the middle says that seats
 * were added whose answer was lost, or that somebody else adds some: they are compared before going
 * on. A timeout is followed by asking the same way. Any other refusal ends it with the seat's
 * place.
 */
#include <argp.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "net/client/client.h"
#include "tools/common/complain.h"
#include "tools/common/progress.h"
#include "tools/common/seating_plan.h"
#include "tools/usher/date_seats.h"
#include "tools/usher/usher.h"

#define WINDOW_CHUNKS 16u
/* A seat has four texts and a price; keys and MessagePack's marks are less than 64 bytes. */
#define CHUNK_BYTES_MAX (SEATS_ADD_MAX * (4 * (TEXT_BYTES_MAX + 3) + 64) + 64)
#define ATTEMPTS_WITHOUT_PROGRESS_MAX 5u
#define RETRY_MS 100u
#define MAPPINGS_MAX SEATING_PLAN_CATEGORIES_MAX

_Static_assert(CHUNK_BYTES_MAX < FRAME_BYTES_MAX, "a chunk fits a frame");

/* One admin.seats_add and what became of it; the client's thread writes it, under the lock. */
struct chunk {
    struct import *import;
    uint32_t first, count; /* seat numbers, from 1 */
    int status;            /* enum client_status */
    char code[32];         /* of the error; "" for a result */
    char message[200];
    uint64_t next; /* of a result or of SEATS_OUT_OF_ORDER; 0: none */
};

struct import {
    struct client *client;
    const struct seating_plan *plan;
    uint32_t date;
    uint32_t next;  /* number of the next seat to send, from 1 */
    uint32_t began; /* the same, when this import began */
    uint32_t attempts_without_progress;
    struct chunk chunks[WINDOW_CHUNKS];
    pthread_mutex_t lock;
    pthread_cond_t answered;
    uint32_t under_way; /* chunks without an answer; under the lock */
};

static void write_chunk(const struct import *import, const struct chunk *chunk,
                        struct value_writer *writer) {
    value_write_map(writer, 3);
    value_write_pair_uint(writer, "date", import->date);
    value_write_pair_uint(writer, "first", chunk->first);
    value_write_text(writer, "seats");
    value_write_array(writer, chunk->count);
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct seating_plan_seat *seat = &import->plan->seats[chunk->first - 1 + i];
        const struct seating_plan_category *category = &import->plan->categories[seat->category];
        value_write_map(writer, 6);
        value_write_pair_text(writer, "section", seat->section);
        value_write_pair_text(writer, "row", seat->row);
        value_write_pair_text(writer, "seat", seat->number);
        value_write_pair_text(writer, "guid", seat->guid);
        value_write_pair_uint(writer, "price", category->price);
        value_write_pair_bool(writer, "for_sale", category->for_sale);
    }
}

static void copy_text(const struct value *value, char *ret_text, uint32_t size) {
    const char *bytes;
    uint32_t length;
    ret_text[0] = '\0';
    if (!value_get_text(value, &bytes, &length)) return;
    if (length >= size) length = size - 1;
    memcpy(ret_text, bytes, length);
    ret_text[length] = '\0';
}

static void chunk_done(void *context, const struct client_reply *reply) {
    struct chunk *chunk = context;
    struct import *import = chunk->import;
    (void)pthread_mutex_lock(&import->lock);
    chunk->status = reply->status;
    copy_text(value_find(reply->error, "code"), chunk->code, sizeof chunk->code);
    copy_text(value_find(reply->error, "message"), chunk->message, sizeof chunk->message);
    const struct value *holder = reply->error ? value_find(reply->error, "data") : reply->result;
    chunk->next = value_find_uint(holder, "next", 0);
    import->under_way--;
    (void)pthread_cond_signal(&import->answered);
    (void)pthread_mutex_unlock(&import->lock);
}

/* Send a window from import->next on and wait for all its answers. Return: chunks sent */
static uint32_t send_window(struct import *import) {
    static uint8_t room[CHUNK_BYTES_MAX];
    uint32_t sent = 0, first = import->next;
    while (sent < WINDOW_CHUNKS && first <= import->plan->seat_count) {
        struct chunk *chunk = &import->chunks[sent];
        uint32_t left = import->plan->seat_count - first + 1;
        *chunk = (struct chunk){
            .import = import, .first = first, .count = left < SEATS_ADD_MAX ? left : SEATS_ADD_MAX};
        struct value_writer writer;
        value_writer_init(&writer, room, sizeof room, sizeof room);
        write_chunk(import, chunk, &writer);
        REQUIRE(!writer.failed);
        (void)pthread_mutex_lock(&import->lock);
        import->under_way++;
        (void)pthread_mutex_unlock(&import->lock);
        int result = client_call(import->client, "admin.seats_add", &writer, chunk_done, chunk);
        if (result != 0) { /* no callback will come */
            (void)pthread_mutex_lock(&import->lock);
            import->under_way--;
            chunk->status = result;
            (void)pthread_mutex_unlock(&import->lock);
        }
        first += chunk->count;
        sent++;
        if (result != 0) break;
    }
    (void)pthread_mutex_lock(&import->lock);
    while (import->under_way > 0) (void)pthread_cond_wait(&import->answered, &import->lock);
    (void)pthread_mutex_unlock(&import->lock);
    return sent;
}

static int refused(const struct import *import, const struct chunk *chunk) {
    const struct seating_plan_seat *seat = &import->plan->seats[chunk->first - 1];
    complain_more("%s", ""); /* behind the progress */
    complain("seats %" PRIu32 " to %" PRIu32 " (from %s / %s / %s): %s: %s", chunk->first,
             chunk->first + chunk->count - 1, seat->section, seat->row, seat->number, chunk->code,
             chunk->message);
    return -1;
}

/* Go on behind the seats that are there, if they are the plan's. Return: 0; -1 after saying why
 * not */
static int take_up(struct import *import) {
    uint32_t count;
    int result = date_seats_compare(import->client, import->date, import->plan, import->next,
                                    &count, NULL);
    if (result == DATE_SEATS_EQUAL) {
        import->next = count + 1;
        return 0;
    }
    if (import->next == import->began) {
        complain("nothing was imported");
    } else if (result == DATE_SEATS_DIFFER) {
        complain("somebody else adds seats to this date: before seat %" PRIu32
                 " it has seats of this plan, of which %" PRIu32 " were added just now",
                 import->next, import->next - import->began);
    }
    return -1;
}

/* What the window's answers mean for import->next. Return: 0 go on, -1 give up */
static int judge_window(struct import *import, uint32_t sent) {
    uint32_t before = import->next;
    for (uint32_t i = 0; i < sent; i++) {
        const struct chunk *chunk = &import->chunks[i];
        bool unsure = chunk->status != CLIENT_OK || strcmp(chunk->code, "BUSY") == 0;
        bool elsewhere = strcmp(chunk->code, "SEATS_OUT_OF_ORDER") == 0;
        if (chunk->status == CLIENT_TOO_BIG) return refused(import, chunk);
        if (!unsure && !elsewhere && chunk->code[0] != '\0') return refused(import, chunk);
        if (elsewhere && i == 0 && chunk->next > chunk->first && take_up(import) < 0) return -1;
        if (unsure || elsewhere) break;
        import->next = (uint32_t)chunk->next;
    }
    if (import->next != before) {
        import->attempts_without_progress = 0;
        return 0;
    }
    if (++import->attempts_without_progress < ATTEMPTS_WITHOUT_PROGRESS_MAX) {
        struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
        return 0;
    }
    const struct chunk *chunk = &import->chunks[0];
    complain_more("%s", ""); /* behind the progress */
    complain("no progress at seat %" PRIu32 ": %s; run the same again to go on", import->next,
             chunk->status != CLIENT_OK ? client_status_text(chunk->status) : chunk->message);
    return -1;
}

static int import_seats(struct import *import) {
    const uint32_t total = import->plan->seat_count;
    struct progress progress;
    import->next = import->began = 1;
    if (take_up(import) < 0) return -1;
    import->began = import->next;
    if (import->began > 1) {
        complain("the date has the plan's first %" PRIu32 " seats already; %s", import->began - 1,
                 import->began > total ? "nothing is left to add" : "going on there");
    }
    progress_begin(&progress, "seats");
    while (import->next <= total) {
        uint32_t sent = send_window(import);
        if (judge_window(import, sent) < 0) return -1;
        progress_at(&progress, import->next - 1, total, "");
    }
    progress_end(&progress, import->next - 1, total, "");
    return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

struct import_arguments {
    const char *url, *file;
    uint32_t date;
    bool prices_from_names, new_guids;
    const char *prices[MAPPINGS_MAX], *not_for_sale[MAPPINGS_MAX];
    uint32_t price_count, not_for_sale_count;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct import_arguments *arguments = state->input;
    char *end;
    unsigned long date;
    switch (key) {
    case 'u': arguments->url = argument; return 0;
    case 'd':
        date = strtoul(argument, &end, 10);
        if (argument[0] < '0' || argument[0] > '9' || *end != '\0' || date < 1 ||
            date > DATES_MAX) {
            argp_error(state, "--date \"%s\" must be a number from 1 to %u", argument, DATES_MAX);
        }
        arguments->date = (uint32_t)date;
        return 0;
    case 'n': arguments->prices_from_names = true; return 0;
    case 'g': arguments->new_guids = true; return 0;
    case 'p':
        if (arguments->price_count == MAPPINGS_MAX) argp_error(state, "too many --price");
        arguments->prices[arguments->price_count++] = argument;
        return 0;
    case 'x':
        if (arguments->not_for_sale_count == MAPPINGS_MAX) {
            argp_error(state, "too many --not-for-sale");
        }
        arguments->not_for_sale[arguments->not_for_sale_count++] = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one plan at a time");
        arguments->file = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->file) argp_error(state, "the plan's FILE is missing");
        if (arguments->date == 0) argp_error(state, "--date is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* What was done to the plan's texts before anybody sees them. */
static void tell_notes(const char *file, const struct seating_plan *plan, uint32_t new_guids) {
    if (plan->byte_order_mark) {
        complain("%s begins with a byte order mark (U+FEFF); it was skipped", file);
    }
    if (plan->texts_changed > 0) {
        complain("%" PRIu32 " name%s or label%s of the plan %s brought into Unicode's "
                 "form NFC: they look the same, and are found by whoever types them",
                 plan->texts_changed, plan->texts_changed == 1 ? "" : "s",
                 plan->texts_changed == 1 ? "" : "s", plan->texts_changed == 1 ? "was" : "were");
    }
    if (new_guids > 0) complain("%" PRIu32 " seats got a new guid, GUID#NUMBER", new_guids);
}

/* Return: 0; -1 and *ret_error */
static int check_guids(const struct import_arguments *arguments, struct seating_plan *plan,
                       uint32_t *ret_new_guids, struct seating_plan_error *ret_error) {
    *ret_new_guids = 0;
    if (arguments->new_guids && seating_plan_new_guids(plan, ret_new_guids, ret_error) < 0) {
        return -1;
    }
    return seating_plan_check_guids(plan, ret_error);
}

static int price_plan(const struct import_arguments *arguments, struct seating_plan *plan,
                      struct seating_plan_error *ret_error) {
    for (uint32_t i = 0; i < arguments->not_for_sale_count; i++) {
        if (seating_plan_not_for_sale(plan, arguments->not_for_sale[i], ret_error) < 0) return -1;
    }
    for (uint32_t i = 0; i < arguments->price_count; i++) {
        if (seating_plan_price(plan, arguments->prices[i], ret_error) < 0) return -1;
    }
    if (arguments->prices_from_names) seating_plan_prices_from_names(plan);
    return seating_plan_check_prices(plan, ret_error);
}

/* What the date has now, read back. Return: 0; -1 after saying why it is not the plan */
static int print_summary(const struct import *import) {
    const struct seating_plan *plan = import->plan;
    uint32_t count;
    json_t *summary = json_pack("{s:i, s:s, s:i, s:i, s:i}", "date", (int)import->date, "plan",
                                plan->name, "zones", (int)plan->zone_count, "rows",
                                (int)plan->row_count, "added", (int)(import->next - import->began));
    REQUIRE_MEMORY(summary);
    int result = date_seats_compare(import->client, import->date, plan, 1, &count, summary);
    if (result == DATE_SEATS_EQUAL) {
        (void)json_dumpf(summary, stdout, JSON_PRESERVE_ORDER);
        (void)putchar('\n');
    }
    json_decref(summary);
    return result == DATE_SEATS_EQUAL ? 0 : -1;
}

static int run_import(const struct import_arguments *arguments, const struct seating_plan *plan) {
    static struct import import;
    const struct client_options options = {.frames_in_flight = 1};
    import = (struct import){.plan = plan, .date = arguments->date};
    import.client = usher_connect(arguments->url, &options);
    if (!import.client) return USHER_FAILED;
    (void)pthread_mutex_init(&import.lock, NULL);
    (void)pthread_cond_init(&import.answered, NULL);
    int result = import_seats(&import);
    if (result == 0) result = print_summary(&import);
    client_close(import.client);
    return result == 0 ? USHER_DONE : USHER_FAILED;
}

/* The file once, also where it is the place of the error. */
static void tell_refused(const char *file, const struct seating_plan_error *error) {
    bool in_it = strcmp(error->where, file) != 0;
    complain("%s%s%s: %s. Nothing was imported.", file, in_it ? ": " : "",
             in_it ? error->where : "", error->what);
}

int usher_import_plan(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"date", 'd', "ID", 0, "The date that gets the seats; it must be a draft", 0},
        {"price", 'p', "CATEGORY=POINTS", 0,
         "Price of a category, in whole points; may be given repeatedly", 0},
        {"prices-from-names", 'n', NULL, 0,
         "Categories without --price cost the number that their name begins with: \"300 UAH\" "
         "costs 300",
         0},
        {"not-for-sale", 'x', "CATEGORY", 0,
         "Seats of this category exist but are not sold; may be given repeatedly", 0},
        {"new-guids", 'g', NULL, 0,
         "Seats whose guid is there more than once get GUID#NUMBER, with their own number", 0},
        {"url", 'u', "URL", 0, "The engine's admin address (default: " USHER_DEFAULT_ADMIN_URL ")",
         0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "FILE",
        .doc = "Add the seats of a hall to a date, from a seating plan in the open JSON format of "
               "pretix. Seats are numbered in the order of the file.\v"
               "The whole plan is checked before the first seat is sent. An import that broke off "
               "is taken up where it stopped: run the same command again. A date that has other "
               "seats than the plan's first ones is refused.\n\n"
               "For example: usher admin import-plan --date 1 --prices-from-names "
               "--not-for-sale \"Not for sale\" tools/demo/kherson-yubileynyi.json",
    };
    static struct import_arguments arguments = {.url = USHER_DEFAULT_ADMIN_URL};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    struct seating_plan *plan;
    struct seating_plan_error error;
    if (seating_plan_load(arguments.file, &plan, &error) < 0) {
        tell_refused(arguments.file, &error);
        return USHER_FAILED;
    }
    int status = USHER_USAGE;
    uint32_t new_guids;
    if (check_guids(&arguments, plan, &new_guids, &error) < 0) {
        tell_refused(arguments.file, &error);
        status = USHER_FAILED;
    } else if (price_plan(&arguments, plan, &error) < 0) {
        tell_refused(arguments.file, &error);
    } else {
        tell_notes(arguments.file, plan, new_guids);
        status = run_import(&arguments, plan);
    }
    seating_plan_free(plan);
    return status;
}
