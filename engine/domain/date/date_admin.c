/* date_admin.c - what an organiser asks and decides about a date: seats, policy, open, close,
 * cancel */
#include "engine/domain/date/date_rules.h"

static bool guid_repeated(const struct seat_spec *seats, uint32_t index) {
    for (uint32_t i = 0; i < index && seats[index].guid.size > 0; i++) {
        if (seats[i].guid.size == seats[index].guid.size &&
            memcmp(seats[i].guid.bytes, seats[index].guid.bytes, seats[i].guid.size) == 0) {
            return true;
        }
    }
    return false;
}

/* All seats of one addition together; SEATS_ADD_MAX prices cannot overflow. */
static uint64_t price_of(const struct command *command) {
    uint64_t points = 0;
    for (uint32_t i = 0; i < command->seats.count; i++) points += command->seats.seats[i].price;
    return points;
}

/* Seats come in order of their number, so that an import that was interrupted, or whose answer was
 * lost, goes on where it stood. */
static void add_seats(const struct date *date, const struct command *command, uint64_t now_ms,
                      struct verdict *verdict) {
    uint32_t next = date->seats.count + 1;
    if (date->state != DATE_DRAFT) {
        verdict_error(verdict, ERROR_DATE_NOT_DRAFT, 0, 0, 0);
        return;
    }
    if (command->seats.first != next) {
        verdict_error(verdict, ERROR_SEATS_OUT_OF_ORDER, next, 0, 0);
        return;
    }
    if (date->seats.count + command->seats.count > SEATS_PER_DATE_MAX) {
        verdict_error(verdict, ERROR_SEATS_FULL, SEATS_PER_DATE_MAX, 0, 0);
        return;
    }
    if (date->seats.points > DATE_POINTS_MAX ||
        price_of(command) > DATE_POINTS_MAX - date->seats.points) {
        verdict_error(verdict, ERROR_SEATS_FULL, DATE_POINTS_MAX, 0, 0);
        return;
    }
    for (uint32_t i = 0; i < command->seats.count; i++) {
        if (seat_map_has_guid(&date->seats, &command->seats.seats[i].guid) ||
            guid_repeated(command->seats.seats, i)) {
            verdict_error(verdict, ERROR_DUPLICATE_GUID, next + i, 0, 0);
            return;
        }
    }
    for (uint32_t i = 0; i < command->seats.count; i++) {
        const struct seat_spec *spec = &command->seats.seats[i];
        verdict_add(verdict, &date->partition, DECISION_SEAT_ADDED, now_ms)->seat_added =
            (struct decision_seat_added){.number = next + i,
                                         .price = spec->price,
                                         .for_sale = spec->for_sale,
                                         .section = spec->section,
                                         .row = spec->row,
                                         .seat = spec->seat,
                                         .guid = spec->guid};
    }
    verdict->reply_kind = REPLY_SEATS_ADDED;
}

static void change_policy(const struct date *date, const struct command *command, uint64_t now_ms,
                          struct verdict *verdict) {
    struct policy policy = date->policy;
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        if (command->policy.fields >> i & 1) {
            policy_set(&policy, i, policy_get(command->policy.policy, i));
        }
    }
    int bad = policy_check(&policy);
    if (bad >= 0) {
        const struct policy_row *row = policy_row((uint32_t)bad);
        verdict_error(verdict, ERROR_BAD_POLICY, (uint64_t)bad, row->min, row->max);
        return;
    }
    verdict->reply_kind = REPLY_DATE;
    if (memcmp(&policy, &date->policy, sizeof policy) == 0) return; /* nothing to decide */
    verdict_add(verdict, &date->partition, DECISION_POLICY_CHANGED, now_ms)->policy_changed.policy =
        policy;
}

/* A switch that already stands where it is asked to stand answers the same and decides nothing. */
static void move_to(const struct date *date, enum date_state state, enum decision_kind kind,
                    uint64_t now_ms, struct verdict *verdict) {
    if (date->state == DATE_CANCELLED && state != DATE_CANCELLED) {
        verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
        return;
    }
    if (state == DATE_OPEN && date->seats.count == 0) {
        verdict_error(verdict, ERROR_DATE_WITHOUT_SEATS, 0, 0, 0);
        return;
    }
    verdict->reply_kind = REPLY_DATE;
    if (date->state == DATE_DRAFT && state == DATE_CLOSED) return; /* a draft is not on sale */
    if (date->state != state) (void)verdict_add(verdict, &date->partition, kind, now_ms);
}

/* Is the text this number in digits, as anybody would write it? */
static bool is_digits_of(const struct text *text, uint32_t number) {
    uint64_t value = 0;
    if (text->size == 0 || text->size > 10 || text->bytes[0] == '0') return false;
    for (uint32_t i = 0; i < text->size; i++) {
        if (text->bytes[i] < '0' || text->bytes[i] > '9') return false;
        value = value * 10 + (uint64_t)(text->bytes[i] - '0');
    }
    return value == number;
}

/* O5: everybody is refunded for good, so the date must be named twice, by its title or number. */
static void cancel(const struct date *date, const struct command *command, uint64_t now_ms,
                   struct verdict *verdict) {
    const struct text *name = &command->confirm.name;
    bool confirmed = command->confirm.number == date->id;
    if (name->bytes) {
        confirmed = is_digits_of(name, date->id) ||
                    (name->size == date->title.size &&
                     memcmp(name->bytes, date->title.bytes, name->size) == 0);
    }
    if (!confirmed) {
        verdict_error(verdict, ERROR_NOT_CONFIRMED, date->id, 0, 0);
        return;
    }
    move_to(date, DATE_CANCELLED, DECISION_DATE_CANCELLED, now_ms, verdict);
}

void date_administer(const struct date *date, const struct command *command, uint64_t now_ms,
                     struct verdict *verdict) {
    switch (command->kind) {
    case COMMAND_SEATS_ADD: add_seats(date, command, now_ms, verdict); break;
    case COMMAND_DATE_POLICY: change_policy(date, command, now_ms, verdict); break;
    case COMMAND_DATE_OPEN: move_to(date, DATE_OPEN, DECISION_DATE_OPENED, now_ms, verdict); break;
    case COMMAND_DATE_CLOSE:
        move_to(date, DATE_CLOSED, DECISION_DATE_CLOSED, now_ms, verdict);
        break;
    case COMMAND_DATE_CANCEL: cancel(date, command, now_ms, verdict); break;
    case COMMAND_DATE_SEATS: verdict->reply_kind = REPLY_SEATS; break;
    default: REQUIRE_NEVER("an organiser's command");
    }
}
