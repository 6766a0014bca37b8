/* people_fan.c - see people_fan.h */
#include "tests/sim/people_fan.h"

#include <string.h>

void people_fan_init(struct people_fan *fan, struct people_hall *hall, uint32_t number,
                     uint64_t seed) {
    *fan = (struct people_fan){
        .number = number, .hall = hall, .random = random_stream(seed, 1000 + number)};
    for (uint32_t i = 0; i < sizeof fan->user.bytes; i++) {
        fan->user.bytes[i] = (uint8_t)random_next(&fan->random);
    }
    fan->user.bytes[0] = (uint8_t)(number + 1); /* different from everybody else's */
    if (number < PLAN_FANS_MAX) {
        fan->wake_us = random_below(&fan->random, 1000ull * hall->run->plan.manners.think_ms + 1);
    }
}

static const struct plan_manners *manners_of(const struct people_fan *fan) {
    return &fan->hall->run->plan.manners;
}

void people_fan_pauses(struct people_fan *fan) {
    uint64_t think_us = 1000ull * manners_of(fan)->think_ms;
    fan->wake_us = fan->hall->run->now_us + random_below(&fan->random, think_us + 1);
    if (fan->number == PLAN_FANS_MAX && fan->hall->dates == fan->hall->run->plan.dates) {
        fan->wake_us += random_below(&fan->random, 10 * think_us + 500000);
    }
}

void people_fan_forgets(struct people_fan *fan) {
    fan->has_token = false;
    fan->reservation = 0;
}

static uint64_t fresh_key(struct people_fan *fan) { return ++fan->hall->next_key; }

/* --- what may be asked ------------------------------------------------------------------------ */

static bool charges(struct people_fan *fan, struct wire_call *call) {
    call->kind = COMMAND_WALLET_CHARGE;
    call->amount = random_between(&fan->random, 1, manners_of(fan)->charge_max);
    if (fan->shortfall > 0 && random_chance(&fan->random, 700000)) call->amount = fan->shortfall;
    if (random_chance(&fan->random, 10000)) call->amount = random_pick(&fan->random, 0, AMOUNT_MAX);
    if (fan->charge_key == 0 || !random_chance(&fan->random, 10000))
        fan->charge_key = fresh_key(fan);
    call->key = fan->charge_key; /* now and then the one of before, for another amount */
    return true;
}

static bool enters(struct people_fan *fan, struct wire_call *call) {
    call->kind = COMMAND_QUEUE_ENTER;
    call->date = (uint32_t)random_between(&fan->random, 1, fan->hall->dates);
    return true;
}

static void shows_token(struct people_fan *fan, struct wire_call *call) {
    call->has_token = true;
    call->token = fan->token;
    if (fan->has_token && !random_chance(&fan->random, 3000)) return;
    call->forged = true;
    call->token.secret.bytes[random_below(&fan->random, 16)] ^= 1;
    if (random_chance(&fan->random, 500000))
        call->token.place += (uint32_t)random_between(&fan->random, 1, 9);
}

static bool with_token(struct people_fan *fan, struct wire_call *call, uint16_t kind) {
    call->kind = kind;
    shows_token(fan, call);
    call->all = random_chance(&fan->random, 500000);
    return true;
}

static bool holds(struct people_fan *fan, struct wire_call *call) {
    (void)with_token(fan, call, COMMAND_SEATS_HOLD);
    uint32_t date = call->token.date;
    uint32_t seats = date >= 1 && date <= PLAN_DATES_MADE_MAX
                         ? plan_seats(&fan->hall->run->plan, date)
                         : 1;
    uint32_t count = (uint32_t)random_between(&fan->random, 1, manners_of(fan)->seats_max);
    uint32_t first = (uint32_t)random_between(&fan->random, 1, seats);
    if (fan->seen > 0 && fan->seen <= seats) first = fan->seen;
    fan->seen = 0;
    if (count > seats) count = seats;
    for (uint32_t i = 0; i < count; i++) {
        call->seats.values[i] = (first + i - 1) % seats + 1; /* side by side */
    }
    call->seats.count = (uint8_t)count;
    if (random_chance(&fan->random, 10000)) { /* none that there is, or one twice */
        call->seats.values[count - 1] = (uint32_t)random_pick(&fan->random, seats + 1, first);
    }
    call->by_name = random_chance(&fan->random, 200000);
    return true;
}

/* Somebody else's, one that never was, or the fan's own. */
static uint64_t some_reservation(struct people_fan *fan, struct wire_call *call) {
    if (fan->reservation != 0 && !random_chance(&fan->random, 10000)) return fan->reservation;
    call->forged = true;
    return dated_id((uint32_t)random_between(&fan->random, 1, fan->hall->dates),
                    (uint32_t)random_between(&fan->random, 1, 50));
}

static bool with_reservation(struct people_fan *fan, struct wire_call *call, uint16_t kind) {
    call->kind = kind;
    call->has_token = true;
    call->token = random_chance(&fan->random, 700000) ? fan->bought_with : fan->token;
    call->reservation = some_reservation(fan, call);
    /* The same intention keeps its key, whether it was answered or not. */
    if (fan->key == 0 || random_chance(&fan->random, 100000)) fan->key = fresh_key(fan);
    call->key = fan->key;
    return true;
}

static bool anything(struct people_fan *fan, struct wire_call *call) {
    const struct people_hall *hall = fan->hall;
    call->concert = (uint32_t)random_between(&fan->random, 1, hall->concerts);
    switch (random_below(&fan->random, 16)) {
    case 0: call->kind = COMMAND_WALLET_BALANCE; return true;
    case 1: call->kind = COMMAND_WALLET_HISTORY; return true;
    case 2:
    case 3:
        call->kind = COMMAND_RESERVATION_LIST;
        call->date = (uint32_t)random_below(&fan->random, hall->dates + 1);
        return true;
    case 4: call->kind = COMMAND_CATALOGUE_CONCERTS; return true;
    case 5:
        call->kind = COMMAND_CATALOGUE_DATES;
        if (fan->has_token) shows_token(fan, call);
        return true;
    case 6: call->kind = COMMAND_SYSTEM_PING; return true;
    case 7: call->kind = COMMAND_SYSTEM_STATS; return true;
    case 8: return charges(fan, call);
    case 9: return enters(fan, call);
    case 10: return with_token(fan, call, COMMAND_QUEUE_STATUS);
    case 11: return with_token(fan, call, COMMAND_SEATS_LIST);
    case 12: return holds(fan, call);
    case 13: return with_reservation(fan, call, COMMAND_PAYMENT_PAY);
    case 14: return with_reservation(fan, call, COMMAND_SEATS_RELEASE);
    default: return with_reservation(fan, call, COMMAND_RESERVATION_CANCEL);
    }
}

/* --- what makes sense next -------------------------------------------------------------------- */

static bool has_hold(struct people_fan *fan, struct wire_call *call) {
    const struct plan_manners *manners = manners_of(fan);
    if (fan->shortfall > 0 && random_chance(&fan->random, 800000)) return charges(fan, call);
    uint64_t sum = manners->pay + manners->release + manners->cancel;
    uint64_t chosen = random_below(&fan->random, sum + 1);
    if (chosen < manners->pay) return with_reservation(fan, call, COMMAND_PAYMENT_PAY);
    chosen -= manners->pay;
    if (chosen < manners->release) return with_reservation(fan, call, COMMAND_SEATS_RELEASE);
    if (chosen < (uint64_t)manners->release + manners->cancel) {
        return with_reservation(fan, call, COMMAND_RESERVATION_CANCEL);
    }
    return holds(fan, call);
}

static bool has_paid(struct people_fan *fan, struct wire_call *call) {
    uint64_t refund = manners_of(fan)->refund;
    if (random_below(&fan->random, refund + 4) < refund) {
        return with_reservation(fan, call, COMMAND_RESERVATION_CANCEL);
    }
    fan->reservation = 0; /* happy with it; wants another one */
    return enters(fan, call);
}

static bool sensible(struct people_fan *fan, struct wire_call *call) {
    if (fan->charge_key == 0 && random_chance(&fan->random, 600000)) return charges(fan, call);
    if (fan->has_token && random_chance(&fan->random, manners_of(fan)->leave)) {
        return with_token(fan, call, COMMAND_QUEUE_LEAVE);
    }
    if (fan->reservation != 0 && fan->reservation_state == RESERVATION_HELD) {
        return has_hold(fan, call);
    }
    if (fan->reservation != 0 && fan->reservation_state == RESERVATION_PAID) {
        return has_paid(fan, call);
    }
    if (!fan->has_token) return enters(fan, call);
    if (fan->token_state != TOKEN_ACTIVE) return with_token(fan, call, COMMAND_QUEUE_STATUS);
    bool looks = fan->seen == 0 && random_chance(&fan->random, 600000);
    return looks ? with_token(fan, call, COMMAND_SEATS_LIST) : holds(fan, call);
}

/* --- the organiser ---------------------------------------------------------------------------- */

static bool builds(struct people_fan *fan, struct wire_call *call) {
    struct people_hall *hall = fan->hall;
    const struct plan *plan = &hall->run->plan;
    if (hall->concerts < plan->concerts) {
        call->kind = COMMAND_CONCERT_CREATE;
        return true;
    }
    for (uint32_t i = 0; i < hall->dates; i++) {
        call->date = i + 1;
        if (hall->seats[i] < plan_seats(plan, i + 1)) {
            uint64_t most = plan_seats(plan, i + 1) - hall->seats[i];
            call->kind = COMMAND_SEATS_ADD;
            call->first = hall->seats[i] + 1;
            call->seat_count = (uint32_t)random_between(&fan->random, 1, most);
            for (uint32_t j = 0; j < call->seat_count; j++) {
                call->prices[j] = random_between(&fan->random, 0, plan->price_max);
                call->for_sale[j] = !random_chance(&fan->random, 50000);
            }
            return true;
        }
        if (hall->state[i] == 0) {
            call->kind = COMMAND_DATE_OPEN;
            return true;
        }
    }
    uint32_t cancelled = 0;
    for (uint32_t i = 0; i < hall->dates; i++) cancelled += hall->state[i] == DATE_CANCELLED;
    if (hall->dates - cancelled >= plan->dates || hall->dates >= PLAN_DATES_MADE_MAX / 2)
        return false;
    call->kind = COMMAND_DATE_CREATE;
    call->concert = (uint32_t)random_between(&fan->random, 1, hall->concerts);
    call->policy_fields = (1u << POLICY_FIELD_COUNT) - 1;
    plan_policy(&hall->run->plan, &fan->random, run_wall_ms(hall->run), &call->policy);
    return true;
}

static bool organises(struct people_fan *fan, struct wire_call *call) {
    struct people_hall *hall = fan->hall;
    if (hall->tempting > 0) {
        call->kind = COMMAND_DATE_CANCEL;
        call->date = hall->tempting;
        hall->tempting = 0;
        return true;
    }
    if (builds(fan, call)) return true;
    call->date = (uint32_t)random_between(&fan->random, 1, hall->dates);
    bool closed = hall->state[call->date - 1] != DATE_OPEN;
    if (closed) {
        call->kind = COMMAND_DATE_OPEN; /* as soon as it comes to mind */
        return true;
    }
    if (!hall->run->plan.organiser_is_restless) return false;
    uint64_t chosen = random_below(&fan->random, 40);
    if (chosen < 3) {
        call->kind = COMMAND_DATE_CANCEL;
    } else if (chosen < 10) {
        call->kind = COMMAND_DATE_CLOSE;
    } else {
        call->kind = COMMAND_DATE_POLICY;
        plan_policy(&hall->run->plan, &fan->random, run_wall_ms(hall->run), &call->policy);
        do {
            call->policy_fields = random_below(&fan->random, 1u << POLICY_FIELD_COUNT);
        } while (call->policy_fields == 0);
    }
    return true;
}

bool people_fan_decides(struct people_fan *fan, struct wire_call *ret_call) {
    const struct people_hall *hall = fan->hall;
    ret_call->user = fan->user;
    if (fan->number == PLAN_FANS_MAX) return organises(fan, ret_call);
    if (hall->dates == 0) return false;
    if (random_chance(&fan->random, manners_of(fan)->vanish)) people_fan_forgets(fan);
    return random_chance(&fan->random, manners_of(fan)->patience) ? sensible(fan, ret_call)
                                                                  : anything(fan, ret_call);
}

/* --- learning --------------------------------------------------------------------------------- */

/* A date that an answer was lost about exists all the same: numbers are 1, 2, 3. */
static void organiser_learns(struct people_hall *hall, const struct wire_call *call,
                             const struct wire_answer *answer) {
    uint32_t index = call->date - 1;
    switch (call->kind) {
    case COMMAND_CONCERT_CREATE:
        if (answer->concert > hall->concerts) hall->concerts = answer->concert;
        break;
    case COMMAND_DATE_CREATE:
        if (answer->date > hall->dates) hall->dates = answer->date;
        break;
    case COMMAND_SEATS_ADD:
        if (answer->error == ERROR_NONE) hall->seats[index] = answer->next - 1;
        if (answer->error == ERROR_SEATS_OUT_OF_ORDER) {
            hall->seats[index] = (uint32_t)answer->error_data[0] - 1;
        }
        if (answer->error == ERROR_DATE_NOT_DRAFT) hall->seats[index] = UINT32_MAX;
        break;
    case COMMAND_DATE_OPEN:
    case COMMAND_DATE_CLOSE:
    case COMMAND_DATE_CANCEL:
        if (answer->error == ERROR_NONE) hall->state[index] = answer->date_state;
        if (answer->error == ERROR_DATE_CANCELLED) hall->state[index] = DATE_CANCELLED;
        break;
    default: break;
    }
}

void people_fan_asks(struct people_fan *fan, const struct wire_call *call) {
    uint64_t now_us = fan->hall->run->now_us, gap_us = now_us - fan->asked_us;
    bool shows = call->kind == COMMAND_QUEUE_STATUS && !call->forged && fan->has_token &&
                 call->token.date == fan->token.date && call->token.place == fan->token.place;
    if (!shows) return;
    if (gap_us > fan->asked_gap_us) fan->asked_gap_us = gap_us;
    fan->asked_us = now_us;
}

static void learns_token(struct people_fan *fan, const struct wire_answer *answer) {
    bool same = fan->has_token && answer->token.date == fan->token.date &&
                answer->token.place == fan->token.place;
    if (!same) {
        fan->asked_us = fan->hall->run->now_us;
        fan->asked_gap_us = 0;
    }
    fan->has_token = answer->token_state != TOKEN_EXPIRED;
    fan->token = answer->token;
    fan->token_state = answer->token_state;
}

static void learns_seats(struct people_fan *fan, const struct wire_answer *answer) {
    uint32_t first = answer->seat_count ? (uint32_t)random_below(&fan->random, answer->seat_count)
                                        : 0;
    fan->seen = 0;
    for (uint32_t i = 0; i < answer->seat_count && fan->seen == 0; i++) {
        const struct wire_seat *seat = &answer->seats[(first + i) % answer->seat_count];
        if (seat->state == 0) fan->seen = seat->number; /* available */
    }
}

static void learns_error(struct people_fan *fan, const struct wire_call *call,
                         const struct wire_answer *answer) {
    switch (answer->error) {
    case ERROR_TOKEN_EXPIRED:
    case ERROR_TOKEN_INVALID:
    case ERROR_DATE_CANCELLED:
        fan->has_token = false;
        if (call->reservation == fan->reservation) fan->reservation = 0;
        break;
    case ERROR_INSUFFICIENT_FUNDS: fan->shortfall = answer->error_data[2]; break;
    case ERROR_NO_SUCH_RESERVATION:
    case ERROR_RESERVATION_ENDED:
    case ERROR_KEY_REUSED:
        fan->reservation = 0;
        fan->key = 0;
        break;
    case ERROR_ALREADY_PAID:
    case ERROR_RESERVATION_PAID: fan->reservation_state = RESERVATION_PAID; break;
    case ERROR_NOT_YOUR_TURN: fan->token_state = TOKEN_WAITING; break;
    default: break;
    }
}

void people_fan_learns(struct people_fan *fan, const struct wire_call *call,
                       const struct wire_answer *answer) {
    if (fan->number == PLAN_FANS_MAX) {
        organiser_learns(fan->hall, call, answer);
        return;
    }
    if (answer->error != ERROR_NONE) {
        learns_error(fan, call, answer);
        return;
    }
    switch (call->kind) {
    case COMMAND_QUEUE_ENTER:
    case COMMAND_QUEUE_STATUS:
    case COMMAND_QUEUE_LEAVE: learns_token(fan, answer); break;
    case COMMAND_SEATS_HOLD:
        fan->reservation = answer->reservation.id;
        fan->reservation_state = answer->reservation.state;
        fan->bought_with = call->token;
        if (!random_chance(&fan->random, 20000))
            fan->key = 0; /* or the same key for two intentions */
        break;
    case COMMAND_SEATS_RELEASE:
    case COMMAND_RESERVATION_CANCEL:
        if (call->reservation == fan->reservation) fan->reservation = 0;
        fan->key = 0;
        break;
    case COMMAND_PAYMENT_PAY:
        if (call->reservation == fan->reservation) fan->reservation_state = RESERVATION_PAID;
        fan->key = 0;
        fan->shortfall = 0;
        break;
    case COMMAND_WALLET_CHARGE: fan->shortfall = 0; break;
    case COMMAND_SEATS_LIST: learns_seats(fan, answer); break;
    default: break;
    }
}
