/* fan.c - see fan.h */
#include "tools/crowd/fan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/domain/error.h"
#include "engine/base/require.h"
#include "engine/base/uuid.h"

#define RETRY_MS 20u
#define LOST_MAX 5u
#define LOOK_AGAIN_MS 500u
#define THINK_MS 20u /* between two clicks, at most */

const char *fan_outcome_name(uint32_t outcome) {
    static const char *const names[] = {
#define X(name, text) text,
        FAN_OUTCOMES(X)
#undef X
    };
    REQUIRE(outcome < FAN_OUTCOME_COUNT);
    return names[outcome];
}

/* SplitMix64: a few additions and multiplications, and every seed gives a different run. */
static uint64_t draw(struct crowd_fan *fan) {
    uint64_t mixed = fan->random += 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
    return mixed ^ mixed >> 31;
}

/* 0..below-1 */
static uint32_t draw_below(struct crowd_fan *fan, uint32_t below) {
    REQUIRE(below > 0);
    return (uint32_t)(draw(fan) % below);
}

static bool draw_percent(struct crowd_fan *fan, uint32_t percent) {
    return draw_below(fan, 100) < percent;
}

static void ask(struct crowd_fan *fan, struct fan_step *step, enum fan_request request,
                uint32_t delay_ms) {
    REQUIRE(request != FAN_NOTHING && request < FAN_REQUEST_COUNT);
    fan->asked = (uint8_t)request;
    step->request = (uint8_t)request;
    step->copies = 1;
    step->delay_ms = delay_ms;
}

static void end(struct crowd_fan *fan, struct fan_step *step, enum fan_outcome outcome) {
    fan->outcome = (uint8_t)outcome;
    step->request = FAN_NOTHING;
}

__attribute__((format(printf, 2, 3))) static void violate(struct fan_step *step, const char *format,
                                                          ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(step->violation, sizeof step->violation, format, arguments); /* cut if long */
    va_end(arguments);
}

void fan_begin(struct crowd_fan *fan, uint64_t seed, uint32_t index, uint32_t date,
               uint32_t date_seats, uint32_t arrival_ms, struct fan_step *ret_step) {
    REQUIRE(fan && ret_step && date_seats > 0);
    *fan = (struct crowd_fan){.date = date, .date_seats = date_seats, .ahead = UINT32_MAX};
    fan->random = seed ^ (uint64_t)index * 0xd1342543de82ef95ull;
    uint64_t high = draw(fan), low = draw(fan);
    memcpy(fan->user.bytes, &high, sizeof high);
    memcpy(fan->user.bytes + sizeof high, &low, sizeof low);
    fan->user.bytes[6] = (uint8_t)(0x80 | (fan->user.bytes[6] & 0x0f)); /* version 8: our own */
    fan->user.bytes[8] = (uint8_t)(0x80 | (fan->user.bytes[8] & 0x3f)); /* RFC 9562's variant */
    fan->want = (uint8_t)(1 + draw_below(fan, FAN_SEATS_MAX));
    fan->poor = draw_percent(fan, 30);
    fan->double_clicks = draw_percent(fan, 20);
    fan->vanishes_waiting = draw_percent(fan, 5);
    fan->vanishes_holding = draw_percent(fan, 4);
    fan->leaves = draw_percent(fan, 3);
    fan->cancels = draw_percent(fan, 5);
    fan->patient = draw_percent(fan, 5);
    *ret_step = (struct fan_step){.request = FAN_NOTHING};
    ask(fan, ret_step, FAN_ENTER, draw_below(fan, arrival_ms + 1));
}

void fan_key(const struct crowd_fan *fan, char ret_key[FAN_KEY_BYTES]) {
    char user[UUID_TEXT_BYTES];
    uuid_format(&fan->user, user);
    (void)snprintf(ret_key, FAN_KEY_BYTES, "%.*s-%" PRIu32, (int)sizeof user, user, fan->key);
}

/* --- what each answer leads to ---------------------------------------------------------------- */

static void list_seats(struct crowd_fan *fan, struct fan_step *step) {
    fan->list_first = 1 + draw_below(fan, fan->date_seats);
    fan->listed_from_start = fan->list_first == 1;
    ask(fan, step, FAN_LIST, draw_below(fan, THINK_MS + 1));
}

static void hear_token(struct crowd_fan *fan, const struct fan_answer *answer,
                       struct fan_step *step) {
    if (answer->token[0] != '\0') memcpy(fan->token, answer->token, sizeof fan->token);
    if (answer->token_state == TOKEN_ACTIVE) {
        list_seats(fan, step);
        return;
    }
    if (answer->token_state != TOKEN_WAITING) {
        end(fan, step, FAN_OUTCOME_TOO_LATE);
        return;
    }
    if (answer->ahead > fan->ahead) {
        violate(step, "%" PRIu32 " are ahead, %" PRIu32 " were before", answer->ahead, fan->ahead);
    }
    fan->ahead = answer->ahead;
    fan->polls++;
    if (fan->vanishes_waiting && fan->polls > 1) {
        end(fan, step, FAN_OUTCOME_VANISHED_WAITING);
    } else if (fan->leaves && fan->polls > 1) {
        fan->outcome = FAN_OUTCOME_LEFT;
        ask(fan, step, FAN_LEAVE, 0);
    } else {
        ask(fan, step, FAN_STATUS, (uint32_t)answer->next_poll_ms);
    }
}

/* Seats next to each other: a random seat of the list and those that follow it. */
static void choose_seats(struct crowd_fan *fan, const struct fan_answer *answer) {
    uint32_t begin = draw_below(fan, answer->seat_count);
    fan->seat_count = 0;
    for (uint32_t i = 0; i < answer->seat_count && fan->seat_count < fan->want; i++) {
        const struct fan_seat *seat = &answer->seats[(begin + i) % answer->seat_count];
        fan->seats[fan->seat_count] = seat->number;
        fan->prices[fan->seat_count++] = seat->price;
    }
}

static void hear_list(struct crowd_fan *fan, const struct fan_answer *answer,
                      struct fan_step *step) {
    if (answer->seat_count > 0) {
        choose_seats(fan, answer);
        ask(fan, step, FAN_HOLD, draw_below(fan, THINK_MS + 1));
    } else if (!fan->listed_from_start) {
        fan->listed_from_start = true;
        fan->list_first = 1;
        ask(fan, step, FAN_LIST, 0);
    } else if (fan->patient && fan->looks++ < FAN_LOOKS_MAX) {
        ask(fan, step, FAN_LIST, LOOK_AGAIN_MS);
    } else {
        fan->outcome = FAN_OUTCOME_SOLD_OUT;
        ask(fan, step, FAN_LEAVE, 0);
    }
}

static void check_seats(const struct crowd_fan *fan, const struct fan_answer *answer,
                        struct fan_step *step) {
    uint64_t amount = 0;
    bool same = answer->seat_count == fan->seat_count;
    for (uint32_t i = 0; i < fan->seat_count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < answer->seat_count; j++) {
            found = found || answer->seats[j].number == fan->seats[i];
        }
        same = same && found;
        amount += fan->prices[i];
    }
    if (!same) violate(step, "other seats than those asked for");
    if (answer->amount != amount) {
        violate(step, "the seats cost %" PRIu64 ", %" PRIu64 " is asked", amount, answer->amount);
    }
}

static void charge(struct crowd_fan *fan, struct fan_step *step, uint64_t amount) {
    fan->key++;
    fan->charging = amount > 0 ? amount : 1;
    ask(fan, step, FAN_CHARGE, draw_below(fan, THINK_MS + 1));
}

static void hear_hold(struct crowd_fan *fan, const struct fan_answer *answer,
                      struct fan_step *step) {
    check_seats(fan, answer, step);
    fan->reservation = answer->reservation;
    fan->amount = answer->amount;
    if (fan->vanishes_holding) {
        end(fan, step, FAN_OUTCOME_VANISHED_HOLDING);
    } else if (fan->poor) {
        charge(fan, step, fan->amount / 2);
    } else {
        charge(fan, step, fan->amount + draw_below(fan, 500));
    }
}

static void hear_charge(struct crowd_fan *fan, const struct fan_answer *answer,
                        struct fan_step *step) {
    fan->balance += fan->charging;
    if (answer->balance != fan->balance) {
        violate(step, "the balance is %" PRIu64 " after a charge, not %" PRIu64, answer->balance,
                fan->balance);
    }
    fan->key++;
    ask(fan, step, FAN_PAY, draw_below(fan, THINK_MS + 1));
    fan->double_clicked = fan->double_clicks && fan->balance >= fan->amount;
    step->copies = fan->double_clicked ? 2 : 1;
}

static void record_payment(struct crowd_fan *fan, const struct fan_answer *answer,
                           struct fan_step *step) {
    if (fan->paid) { /* the other click: the same payment again, not another */
        if (answer->payment != fan->payment) violate(step, "paid twice by a double click");
    } else {
        check_seats(fan, answer, step);
        if (fan->balance < fan->amount) violate(step, "seats were sold for too little money");
        fan->balance -= fan->amount;
        fan->payment = answer->payment;
        fan->paid = true;
    }
    if (answer->balance != fan->balance) {
        violate(step, "the balance is %" PRIu64 " after paying, not %" PRIu64, answer->balance,
                fan->balance);
    }
}

static void after_payment(struct crowd_fan *fan, struct fan_step *step) {
    if (fan->cancels) {
        fan->key++;
        ask(fan, step, FAN_CANCEL, draw_below(fan, 10 * THINK_MS));
    } else {
        end(fan, step, FAN_OUTCOME_BOUGHT);
    }
}

static void hear_result(struct crowd_fan *fan, const struct fan_answer *answer,
                        struct fan_step *step) {
    switch (fan->asked) {
    case FAN_ENTER:
    case FAN_STATUS: hear_token(fan, answer, step); return;
    case FAN_LEAVE: end(fan, step, (enum fan_outcome)fan->outcome); return;
    case FAN_LIST: hear_list(fan, answer, step); return;
    case FAN_HOLD: hear_hold(fan, answer, step); return;
    case FAN_CHARGE: hear_charge(fan, answer, step); return;
    case FAN_PAY:
        record_payment(fan, answer, step);
        after_payment(fan, step);
        return;
    case FAN_CANCEL:
        fan->balance += fan->amount;
        fan->paid = false;
        ask(fan, step, FAN_BALANCE, 0);
        return;
    case FAN_BALANCE:
        if (answer->balance != fan->balance) {
            violate(step, "the balance is %" PRIu64 " after a refund, not %" PRIu64,
                    answer->balance, fan->balance);
        }
        end(fan, step, FAN_OUTCOME_CANCELLED);
        return;
    default: REQUIRE(false && "a fan hears only what it asked for");
    }
}

/* --- refusals --------------------------------------------------------------------------------- */

/* Ask the same again, with the same key: the engine must give the same answer if it has done it. */
static void ask_again(struct crowd_fan *fan, struct fan_step *step, uint64_t delay_ms) {
    ask(fan, step, (enum fan_request)fan->asked, (uint32_t)delay_ms);
}

static void hear_shortfall(struct crowd_fan *fan, const struct fan_answer *answer,
                           struct fan_step *step) {
    uint64_t missing = fan->amount > fan->balance ? fan->amount - fan->balance : 0;
    if (answer->shortfall != missing || missing == 0) {
        violate(step, "a shortfall of %" PRIu64 " is told, it is %" PRIu64, answer->shortfall,
                missing);
    }
    charge(fan, step, answer->shortfall);
}

static void hear_error(struct crowd_fan *fan, const struct fan_answer *answer,
                       struct fan_step *step) {
    switch (answer->error) {
    case ERROR_BUSY:
        ask_again(fan, step, answer->retry_ms > 0 ? answer->retry_ms : RETRY_MS);
        return;
    case ERROR_PAYMENT_IN_PROGRESS: ask_again(fan, step, RETRY_MS); return;
    case ERROR_SEAT_TAKEN:
    case ERROR_SEAT_YOURS:
        if (fan->asked != FAN_HOLD) break;
        if (++fan->tries < FAN_TRIES_MAX) {
            list_seats(fan, step);
        } else {
            fan->outcome = FAN_OUTCOME_GAVE_UP;
            ask(fan, step, FAN_LEAVE, 0);
        }
        return;
    case ERROR_INSUFFICIENT_FUNDS:
        if (fan->asked != FAN_PAY) break;
        hear_shortfall(fan, answer, step);
        return;
    case ERROR_TOKEN_EXPIRED:
    case ERROR_RESERVATION_ENDED:
        if (fan->paid) break;
        if (fan->asked != FAN_LEAVE) fan->outcome = FAN_OUTCOME_TOO_LATE;
        end(fan, step, (enum fan_outcome)fan->outcome);
        return;
    case ERROR_NOT_ON_SALE_YET:
    case ERROR_DATE_CLOSED:
    case ERROR_DATE_CANCELLED:
    case ERROR_QUEUE_FULL:
    case ERROR_STOPPING: end(fan, step, FAN_OUTCOME_REFUSED); return;
    default: break;
    }
    violate(step, "request %u was answered %s", fan->asked, error_name(answer->error));
    end(fan, step, FAN_OUTCOME_REFUSED);
}

static void hear_loss(struct crowd_fan *fan, struct fan_step *step) {
    if (++fan->lost < LOST_MAX) {
        ask_again(fan, step, RETRY_MS);
    } else {
        end(fan, step, FAN_OUTCOME_LOST);
    }
}

void fan_hear(struct crowd_fan *fan, const struct fan_answer *answer, bool more,
              struct fan_step *ret_step) {
    REQUIRE(fan && answer && ret_step && fan->asked != FAN_NOTHING);
    *ret_step = (struct fan_step){.request = FAN_NOTHING};
    bool clicked_twice = fan->double_clicked && fan->asked == FAN_PAY;
    REQUIRE(!more || clicked_twice);
    if (clicked_twice && (more || fan->paid)) {
        bool later = answer->error == ERROR_BUSY || answer->error == ERROR_PAYMENT_IN_PROGRESS;
        if (!answer->lost && answer->error == 0) {
            record_payment(fan, answer, ret_step);
        } else if (!answer->lost && !later) {
            violate(ret_step, "one of two clicks on pay was answered %s",
                    error_name(answer->error));
        }
        if (!more) after_payment(fan, ret_step);
    } else if (answer->lost) {
        hear_loss(fan, ret_step);
    } else if (answer->error != 0) {
        hear_error(fan, answer, ret_step);
    } else {
        hear_result(fan, answer, ret_step);
    }
}
