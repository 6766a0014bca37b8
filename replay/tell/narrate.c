/* narrate.c - see narrate.h
 *
 * One function for each group of kinds puts the pieces of a sentence together; the pieces (who,
 * what, until when) know what the subject has said already. A kind without a sentence of its own is
 * told by its name. Nothing fails: what does not fit any more is cut off.
 */
#include "replay/tell/narrate.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/domain/date/date.h"
#include "engine/domain/error.h"
#include "engine/base/require.h"
#include "replay/tell/text.h"

struct sentence {
    char *text;
    size_t size, room;
    const struct decision *decision;
    const struct subject *subject;
    const struct world *world;
    const struct follow *follow;
    uint32_t date;               /* of the deciding partition, 0: an account's */
    uint64_t reservation;        /* dated_id; 0: none */
    const struct followed *held; /* what is known of it; NULL: nothing */
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sentence->text + sentence->size, sentence->room - sentence->size, format,
                         arguments);
    va_end(arguments);
    REQUIRE(size >= 0);
    sentence->size += (size_t)size;
    if (sentence->size >= sentence->room) sentence->size = sentence->room - 1;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static void clean_label(const struct text *label, char ret_text[TEXT_CLEAN_BYTES]) {
    size_t size = text_clean(label, ret_text);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)ret_text[i] < 0x20 || ret_text[i] == 0x7F) ret_text[i] = ' ';
    }
}

void narrate_dated_id(uint64_t id, char ret_text[NARRATE_ID_BYTES]) {
    snprintf(ret_text, NARRATE_ID_BYTES, "%u-%u", dated_id_date(id), dated_id_sequence(id));
}

/* "section A, row 12, seat 7" of three texts; those that are empty are left out. */
static size_t seat_words(const struct text texts[3], char ret_text[NARRATE_SEAT_BYTES]) {
    static const char *const words[] = {"section", "row", "seat"};
    size_t size = 0;
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < 3; i++) {
        char clean[TEXT_CLEAN_BYTES];
        if (texts[i].size == 0) continue;
        clean_label(&texts[i], clean);
        int added = snprintf(ret_text + size, NARRATE_SEAT_BYTES - size, "%s%s %s",
                             size > 0 ? ", " : "", words[i], clean);
        REQUIRE(added > 0 && (size_t)added < NARRATE_SEAT_BYTES - size);
        size += (size_t)added;
    }
    return size;
}

static const struct seat_map *seats_of(const struct world *world, uint32_t date) {
    if (date == 0 || date > DATES_MAX || !world->dates[date]) return NULL;
    return &((const struct date *)world->dates[date])->seats;
}

void narrate_seat(const struct world *world, uint32_t date, uint32_t seat,
                  char ret_text[NARRATE_SEAT_BYTES]) {
    const struct seat_map *map = seats_of(world, date);
    size_t size = 0;
    ret_text[0] = '\0';
    if (map && seat >= 1 && seat <= map->count) {
        const struct text texts[3] = {seat_map_text(map, seat, SEAT_SECTION),
                                      seat_map_text(map, seat, SEAT_ROW),
                                      seat_map_text(map, seat, SEAT_NUMBER)};
        size = seat_words(texts, ret_text);
    }
    if (size > 0) {
        snprintf(ret_text + size, NARRATE_SEAT_BYTES - size, " (number %u)", seat);
    } else {
        snprintf(ret_text, NARRATE_SEAT_BYTES, "number %u", seat);
    }
}

/* " by <user>": nothing in a user's own history, or where nobody knows. */
static void say_user(struct sentence *sentence, const char *word, const struct id128 *user) {
    char text[TEXT_UUID_BYTES];
    if (sentence->subject->kind == SUBJECT_USER || !user || id128_is_none(user)) return;
    text_uuid(user, text);
    say(sentence, " %s %s", word, text);
}

static const struct id128 *holder(const struct sentence *sentence) {
    return sentence->held ? &sentence->held->user : NULL;
}

/* The moment without the day, where it is the sentence's own. */
static void say_time(struct sentence *sentence, const char *word, uint64_t time_ms) {
    char own[TEXT_TIME_BYTES], text[TEXT_TIME_BYTES];
    text_time(sentence->decision->time_ms, own);
    text_time(time_ms, text);
    bool same_day = strlen(own) == 24 && strlen(text) == 24 && strncmp(own, text, 11) == 0;
    say(sentence, " %s %.*s", word, same_day ? 12 : 24, same_day ? text + 11 : text);
}

static void say_id(struct sentence *sentence, const char *before, const char *what, uint64_t id) {
    char text[NARRATE_ID_BYTES];
    if (id == 0) return;
    narrate_dated_id(id, text);
    say(sentence, "%s%s %s", before, what, text);
}

/* ", reservation 7-12": nothing in a reservation's own history. */
static void say_reservation(struct sentence *sentence) {
    if (sentence->subject->kind == SUBJECT_RESERVATION) return;
    say_id(sentence, ", ", "reservation", sentence->reservation);
}

static void say_points(struct sentence *sentence, const char *before, uint64_t points) {
    say(sentence, "%s%llu %s", before, (unsigned long long)points,
        points == 1 ? "point" : "points");
}

/* ": section A, row 12, seat 7 (number 207); ..." and its date: nothing in a seat's own story but
 * how many others there are. */
static void say_seats(struct sentence *sentence, const struct numbers *seats) {
    if (sentence->subject->kind == SUBJECT_SEAT) {
        if (seats->count > 1)
            say(sentence, ", with %u other seat%s", seats->count - 1u, seats->count > 2 ? "s" : "");
        return;
    }
    say(sentence, ": date %u", sentence->date);
    for (uint32_t i = 0; i < seats->count; i++) {
        char text[NARRATE_SEAT_BYTES];
        narrate_seat(sentence->world, sentence->date, seats->values[i], text);
        say(sentence, "%s %s", i > 0 ? ";" : ",", text);
    }
}

/* --- sentences -------------------------------------------------------------------------------- */

static void tell_seat_added(struct sentence *sentence) {
    const struct decision_seat_added *added = &sentence->decision->seat_added;
    const struct text texts[3] = {added->section, added->row, added->seat};
    char words[NARRATE_SEAT_BYTES];
    say(sentence, "added");
    if (seat_words(texts, words) > 0) say(sentence, " as %s", words);
    say_points(sentence, ": ", added->price);
    if (!added->for_sale) say(sentence, ", not for sale");
}

static void tell_queue(struct sentence *sentence) {
    const struct decision *decision = sentence->decision;
    if (decision->kind == DECISION_QUEUE_ENTERED) {
        say(sentence, "entered the line of date %u at place %u", sentence->date,
            decision->queue_entered.place);
        return;
    }
    say(sentence, "admitted to date %u", sentence->date);
    say_time(sentence, "until", decision->admitted.expires_at);
    say(sentence, ", place %u", decision->admitted.place);
}

static void tell_token_expired(struct sentence *sentence) {
    const struct decision_token_expired *expired = &sentence->decision->token_expired;
    /* What it means for the reservations that end with it (somebody stands between the two), and
     * for the user. */
    static const struct {
        const char *before, *after, *user;
    } words[] = {
        [TOKEN_END_NONE] = {"the token of ", " ended", "token ended"},
        [TOKEN_END_PAID] = {"the token of ", " ended with a payment", "token ended: paid"},
        [TOKEN_END_RESERVED] = {"the token of ", " ended with a reservation",
                                "token ended with the reservation"},
        [TOKEN_END_TIME] = {"the active time of ", " is over", "active time is over"},
        [TOKEN_END_LEFT] = {"", " left", "left"},
        [TOKEN_END_SILENT] = {"", " was not heard from",
                              "not heard from for too long: lost the place"},
        [TOKEN_END_REQUEUED] = {"", " entered the line again",
                                "entered the line again: lost the old place"},
    };
    uint32_t end = expired->end < sizeof words / sizeof words[0] ? expired->end : TOKEN_END_NONE;
    if (sentence->subject->kind != SUBJECT_USER) {
        char user[TEXT_UUID_BYTES] = "the user";
        for (uint32_t i = 0; i < expired->released.count && !sentence->held; i++) {
            sentence->reservation = dated_id(sentence->date, expired->released.values[i]);
            sentence->held = follow_known(sentence->follow, sentence->reservation);
        }
        if (sentence->held) text_uuid(&sentence->held->user, user);
        say(sentence, "freed: %s%s%s", words[end].before, user, words[end].after);
        if (sentence->held) say_reservation(sentence);
        return;
    }
    say(sentence, "%s, date %u, place %u", words[end].user, sentence->date, expired->place);
    for (uint32_t i = 0; i < expired->released.count; i++) {
        say_id(sentence, i == 0 ? "; with it expired " : ", ", "reservation",
               dated_id(sentence->date, expired->released.values[i]));
    }
}

static void tell_hold(struct sentence *sentence) {
    const struct decision *decision = sentence->decision;
    if (decision->kind == DECISION_SEATS_HELD) {
        const struct decision_seats_held *held = &decision->seats_held;
        say(sentence, "held");
        say_user(sentence, "by", &held->user);
        say_time(sentence, "until", held->expires_at);
        say_reservation(sentence);
        say_points(sentence, ", ", held->amount);
        say_seats(sentence, &held->seats);
        return;
    }
    const struct decision_hold_refused *refused = &decision->hold_refused;
    say(sentence, "refused");
    say_user(sentence, "to", &refused->user);
    say(sentence, ": %s", error_name(refused->error));
    if (sentence->subject->kind == SUBJECT_SEAT) return;
    const struct numbers seat = {refused->seat != 0, {refused->seat}};
    say_seats(sentence, &seat);
}

static void tell_reservation_ended(struct sentence *sentence) {
    switch (sentence->decision->reservation_ended.state) {
    case RESERVATION_EXPIRED: say(sentence, "freed: the hold"); break;
    case RESERVATION_RELEASED: say(sentence, "freed: given back"); break;
    default: say(sentence, "freed: cancelled");
    }
    bool expired = sentence->decision->reservation_ended.state == RESERVATION_EXPIRED;
    say_user(sentence, expired ? "of" : "by", holder(sentence));
    if (expired) say(sentence, " is over");
    say_reservation(sentence);
}

static void tell_payment(struct sentence *sentence) {
    const struct decision *decision = sentence->decision;
    switch (decision->kind) {
    case DECISION_PAYMENT_STARTED:
        say_id(sentence, "", "payment",
               dated_id(sentence->date, decision->payment_started.payment));
        say(sentence, " started");
        say_user(sentence, "by", holder(sentence));
        break;
    case DECISION_PAYMENT_REFUSED:
        say_id(sentence, "", "payment",
               dated_id(sentence->date, decision->payment_refused.payment));
        say_points(sentence, " refused: ", decision->payment_refused.shortfall);
        say_points(sentence, " short, balance ", decision->payment_refused.balance);
        say(sentence, "; held as before");
        say_user(sentence, "by", holder(sentence));
        break;
    case DECISION_SEATS_SOLD:
        say(sentence, sentence->subject->kind == SUBJECT_USER ? "bought" : "sold");
        say_user(sentence, "to", holder(sentence));
        break;
    case DECISION_PAYMENT_ABORTED:
        say_id(sentence, "freed: ", "payment",
               dated_id(sentence->date, decision->payment_aborted.payment));
        say_user(sentence, "by", holder(sentence));
        say(sentence, " aborted, the date was cancelled meanwhile");
        break;
    case DECISION_REFUND_STARTED:
        say(sentence, "refund");
        say_user(sentence, "to", holder(sentence));
        say(sentence, " started");
        break;
    default: say(sentence, "freed: refunded"); say_user(sentence, "to", holder(sentence));
    }
    say_reservation(sentence);
    if (decision->kind != DECISION_SEATS_SOLD) return;
    say_points(sentence, ", ", decision->seats_sold.amount);
    if (sentence->held) say_seats(sentence, &sentence->held->seats);
}

static void tell_outage(struct sentence *sentence) {
    const struct decision_outage_credited *credited = &sentence->decision->outage_credited;
    static const char *const words[] = {
        [OUTAGE_DOWN] = "was down",
        [OUTAGE_STALLED] = "stood still",
        [OUTAGE_LOG] = "could not write its log",
    };
    bool known = credited->cause >= OUTAGE_DOWN && credited->cause <= OUTAGE_LOG;
    bool user = sentence->subject->kind == SUBJECT_USER;
    say(sentence, "%s extended by %llu.%03llu s", user ? "turn and holds" : "hold",
        (unsigned long long)(credited->credit_ms / 1000),
        (unsigned long long)(credited->credit_ms % 1000));
    if (user) say(sentence, ", date %u", sentence->date);
    say(sentence, ": the engine %s", known ? words[credited->cause] : "could not serve");
    say_time(sentence, "since", credited->since);
}

static void say_balance(struct sentence *sentence, uint64_t balance) {
    say(sentence, "; balance %llu", (unsigned long long)balance);
}

static void tell_wallet(struct sentence *sentence) {
    const struct decision *decision = sentence->decision;
    uint64_t payment = 0;
    switch (decision->kind) {
    case DECISION_WALLET_CHARGED:
        say_points(sentence, "wallet charged with ", decision->wallet_charged.amount);
        say_balance(sentence, decision->wallet_charged.balance);
        return;
    case DECISION_FUNDS_RESERVED:
        say_points(sentence, "wallet: ", decision->funds_reserved.amount);
        say_id(sentence, " set aside for ", "payment", decision->funds_reserved.payment);
        say_reservation(sentence);
        say_balance(sentence, decision->funds_reserved.balance);
        return;
    case DECISION_FUNDS_REFUSED:
        say_points(sentence, "wallet: no ", decision->funds_refused.amount);
        say_id(sentence, " for ", "payment", decision->funds_refused.payment);
        say_reservation(sentence);
        say_balance(sentence, decision->funds_refused.balance);
        return;
    case DECISION_FUNDS_POSTED:
        say_points(sentence, "wallet: ", decision->funds_posted.amount);
        say_id(sentence, " spent on ", "payment", decision->funds_posted.payment);
        say_reservation(sentence);
        return;
    case DECISION_FUNDS_VOIDED:
        say_points(sentence, "wallet: ", decision->funds_voided.amount);
        say_id(sentence, " given back from ", "payment", decision->funds_voided.payment);
        say_reservation(sentence);
        say_balance(sentence, decision->funds_voided.balance);
        return;
    case DECISION_FUNDS_REFUNDED:
        say_points(sentence, "wallet: ", decision->funds_refunded.amount);
        say_id(sentence, " refunded from ", "payment", decision->funds_refunded.payment);
        say_reservation(sentence);
        say_balance(sentence, decision->funds_refunded.balance);
        return;
    default:
        payment = decision->refund_closed.payment;
        say_id(sentence, "wallet: refund of ", "payment", payment);
        say(sentence, " closed");
    }
}

static void tell(struct sentence *sentence) {
    const struct decision *decision = sentence->decision;
    switch (decision->kind) {
    case DECISION_SEAT_ADDED: tell_seat_added(sentence); break;
    case DECISION_DATE_OPENED: say(sentence, "date %u opened", sentence->date); break;
    case DECISION_DATE_CLOSED: say(sentence, "date %u closed", sentence->date); break;
    case DECISION_DATE_CANCELLED: say(sentence, "date %u cancelled", sentence->date); break;
    case DECISION_OUTAGE_CREDITED: tell_outage(sentence); break;
    case DECISION_QUEUE_ENTERED:
    case DECISION_ADMITTED: tell_queue(sentence); break;
    case DECISION_TOKEN_EXPIRED: tell_token_expired(sentence); break;
    case DECISION_SEATS_HELD:
    case DECISION_HOLD_REFUSED: tell_hold(sentence); break;
    case DECISION_RESERVATION_ENDED: tell_reservation_ended(sentence); break;
    case DECISION_PAYMENT_STARTED:
    case DECISION_PAYMENT_REFUSED:
    case DECISION_SEATS_SOLD:
    case DECISION_PAYMENT_ABORTED:
    case DECISION_REFUND_STARTED:
    case DECISION_SEATS_REFUNDED: tell_payment(sentence); break;
    case DECISION_WALLET_CHARGED:
    case DECISION_FUNDS_RESERVED:
    case DECISION_FUNDS_REFUSED:
    case DECISION_FUNDS_POSTED:
    case DECISION_FUNDS_VOIDED:
    case DECISION_FUNDS_REFUNDED:
    case DECISION_REFUND_CLOSED: tell_wallet(sentence); break;
    default: say(sentence, "%s", decision_name(decision->kind));
    }
}

size_t narrate(const struct decision *decision, const struct subject *subject,
               const struct world *world, const struct follow *follow,
               char ret_text[NARRATE_BYTES]) {
    struct sentence sentence = {
        .text = ret_text,
        .room = NARRATE_BYTES,
        .decision = decision,
        .subject = subject,
        .world = world,
        .follow = follow,
        .date = partition_is_date(decision->partition) ? decision->partition - PARTITION_DATE_FIRST
                                                       : 0,
        .reservation = follow_reservation_of(follow, decision),
    };
    sentence.held = sentence.reservation ? follow_known(follow, sentence.reservation) : NULL;
    ret_text[0] = '\0';
    tell(&sentence);
    return sentence.size;
}
