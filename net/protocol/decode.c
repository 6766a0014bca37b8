/* decode.c - see decode.h */
#include "net/protocol/decode.h"

#include "engine/base/require.h"
#include "net/protocol/limits.h"
#include "net/protocol/params.h"
#include "net/protocol/scan.h"

/* Seats of a page where the client does not say. */
#define SEATS_LIST_DEFAULT 500u

/* --- the frame -------------------------------------------------------------------------------- */

/* The head of a request, [0, msgid, method, {...}], up to its map.
 * @span: gets the msgid and where the method begins
 * Return: VALUE_OK or VALUE_MALFORMED; *ret_position is where the map begins, or what is wrong */
static int scan_head(const uint8_t *bytes, uint32_t size, struct decode_span *span,
                     uint32_t *ret_position) {
    static const enum value_type shape[] = {VALUE_ARRAY, VALUE_UINT, VALUE_UINT, VALUE_TEXT,
                                            VALUE_MAP};
    uint32_t position = 0;
    for (uint32_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
        struct scan_item item = scan_item(bytes + position, size - position);
        *ret_position = position;
        if (item.size == 0 || item.type != shape[i]) return VALUE_MALFORMED;
        if (i == 0 && item.number != 4) return VALUE_MALFORMED;
        if (i == 1 && item.number != 0) return VALUE_MALFORMED;
        if (i == 2 && item.number > UINT32_MAX) return VALUE_MALFORMED;
        if (i == 2) span->msgid = (uint32_t)item.number;
        if (i == 3) span->method = position;
        position += item.size;
    }
    return VALUE_OK;
}

int decode_scan(const uint8_t *bytes, uint32_t size, struct decode_span *ret_spans,
                uint32_t *ret_count, uint32_t *ret_offset) {
    uint32_t count = 0, offset = 0;
    do {
        struct decode_span *span = &ret_spans[count];
        uint32_t head = 0, params = 0;
        *ret_offset = offset;
        if (count == REQUESTS_PER_FRAME_MAX) return VALUE_MALFORMED;
        int result = scan_head(bytes + offset, size - offset, span, &head);
        if (result == VALUE_OK) {
            result = scan_value(bytes + offset + head, size - offset - head, 1, &params);
        }
        *ret_offset = offset + head + params;
        if (result != VALUE_OK) return VALUE_MALFORMED;
        span->method += offset;
        span->params = offset + head;
        offset += head + params;
        count++;
    } while (offset < size);
    REQUIRE(offset == size);
    *ret_count = count;
    return VALUE_OK;
}

/* --- one request ------------------------------------------------------------------------------ */

/* What each method takes: command.def. POLICY_FIELDS is no parameter of its own. */
static const struct params_shape shapes[COMMAND_COUNT] = {
#define P(NAME) | PARAM_BIT(NAME)
#define COMMAND(KIND, method, OWNER, LISTENER, NAMED_BY, ENTROPY, REQUIRED, OPTIONAL)              \
    [COMMAND_##KIND] = {0 REQUIRED, (0 OPTIONAL) & ~PARAM_BIT(POLICY_FIELDS),                      \
                        ((0 OPTIONAL) & PARAM_BIT(POLICY_FIELDS)) != 0},
#include "engine/domain/command.def"
#undef COMMAND
#undef P
};

/* Return: enum command_kind, COMMAND_NONE if this listener has no such method */
static uint32_t method_find(const char *name, uint32_t size, bool admin) {
    static const struct {
        const char *name;
        uint32_t size;
    } methods[COMMAND_COUNT] = {
#define COMMAND(KIND, method, OWNER, LISTENER, NAMED_BY, ENTROPY, REQUIRED, OPTIONAL)              \
    [COMMAND_##KIND] = {method, sizeof method - 1},
#include "engine/domain/command.def"
#undef COMMAND
    };
    for (uint32_t kind = COMMAND_NONE + 1; kind < COMMAND_COUNT; kind++) {
        if (methods[kind].size != size || memcmp(methods[kind].name, name, size) != 0) continue;
        uint32_t listener = command_row(kind)->listener;
        if (listener == LISTENER_PUBLIC || (admin && listener == LISTENER_ADMIN)) return kind;
    }
    return COMMAND_NONE;
}

static int refuse(struct error_reply *error, enum error code, uint64_t data) {
    *error = (struct error_reply){.code = (uint16_t)code, .data = {data}};
    return (int)code;
}

/* Whether such a token can be. */
static bool token_could_be(const struct params *params) {
    return !params->token_is_bad && params->token.date >= 1 && params->token.date <= DATES_MAX &&
           params->token.place >= 1;
}

/* Ids that nothing can have are answered here: a command names a partition that could exist. A list
 * of dates may not need the token that came with it: the catalogue judges. */
static int check_ids(uint32_t kind, const struct params *params, struct error_reply *error) {
    const uint64_t *ids = params->ids;
    if ((params->seen & PARAM_BIT(TOKEN)) != 0 && kind != COMMAND_CATALOGUE_DATES &&
        !token_could_be(params)) {
        return refuse(error, ERROR_TOKEN_INVALID, 0);
    }
    if (params->seen & PARAM_BIT(CONCERT)) {
        uint64_t concert = ids[PARAM_CONCERT];
        if (concert < 1 || concert > CONCERTS_MAX) {
            return refuse(error, ERROR_NO_SUCH_CONCERT, concert);
        }
    }
    if (params->seen & PARAM_BIT(DATE)) {
        uint64_t date = ids[PARAM_DATE];
        if (date < 1 || date > DATES_MAX) return refuse(error, ERROR_NO_SUCH_DATE, date);
    }
    if (params->seen & PARAM_BIT(RESERVATION)) {
        uint64_t reservation = ids[PARAM_RESERVATION], date = reservation >> 32;
        if (date < 1 || date > DATES_MAX || dated_id_sequence(reservation) == 0) {
            return refuse(error, ERROR_NO_SUCH_RESERVATION, reservation);
        }
    }
    return ERROR_NONE;
}

/* What the parameters of a method must be together. */
static int check_together(uint32_t kind, const struct params *params, struct error_reply *error) {
    if (kind == COMMAND_DATE_POLICY && params->policy_fields == 0) {
        *error = (struct error_reply){
            .code = ERROR_BAD_PARAMS,
            .message = "No policy field is given. Name at least one; net/PROTOCOL.md lists them."};
        return ERROR_BAD_PARAMS;
    }
    if (kind != COMMAND_PAYMENT_PAY) return ERROR_NONE;
    uint32_t both = PARAM_BIT(TOKEN) | PARAM_BIT(USER);
    if ((params->seen & both) != 0 && (params->seen & both) != both) return ERROR_NONE;
    *error = (struct error_reply){
        .code = ERROR_BAD_PARAMS,
        .param = "token",
        .param_size = 5,
        .message = "Pay with the token that holds the seats; where that has ended with the hold, "
                   "with the user instead. Give exactly one of the two."};
    return ERROR_BAD_PARAMS;
}

/* The partition that decides, and who it is about. */
static void command_token(struct command *command, const struct params *params) {
    command->partition = partition_of_date(params->token.date);
}

static void command_dates_token(struct command *command, const struct params *params) {
    if ((params->seen & PARAM_BIT(TOKEN)) == 0) return;
    if (!token_could_be(params)) {
        command->dates.is_judged = true;
        command->dates.refusal = ERROR_TOKEN_INVALID;
        return;
    }
    command->dates.has_token = true;
    command->dates.token = params->token;
    command_token(command, params);
}

static void command_user(struct command *command, const struct params *params) {
    command->partition = partition_of_user(&params->user);
    command->wallet.user = params->user;
    command->wallet.amount = params->amount;
    command->wallet.key = params->key;
}

static void command_public(struct command *command, const struct params *params) {
    uint32_t date = (uint32_t)params->ids[PARAM_DATE];
    uint64_t reservation = params->ids[PARAM_RESERVATION];
    switch (command->kind) {
    case COMMAND_QUEUE_ENTER:
        command->partition = partition_of_date(date);
        command->enter.user = params->user;
        command->enter.key = params->key;
        break;
    case COMMAND_QUEUE_STATUS:
    case COMMAND_QUEUE_LEAVE:
        command_token(command, params);
        command->queue.token = params->token;
        break;
    case COMMAND_CATALOGUE_CONCERTS:
    case COMMAND_SYSTEM_PING:
    case COMMAND_SYSTEM_STATS: command->partition = PARTITION_CATALOGUE; break;
    case COMMAND_CATALOGUE_DATES:
        /* A token is judged by its own date, which passes the command on to the catalogue. */
        command->partition = PARTITION_CATALOGUE;
        command_dates_token(command, params);
        command->dates.concert = (uint32_t)params->ids[PARAM_CONCERT];
        command->dates.available_only = params->flags[PARAM_AVAILABLE_ONLY];
        break;
    case COMMAND_SEATS_LIST:
        command_token(command, params);
        command->list.token = params->token;
        command->list.first = params->first;
        command->list.limit = params->limit;
        command->list.all = params->flags[PARAM_ALL];
        break;
    case COMMAND_SEATS_HOLD:
        command_token(command, params);
        command->hold.token = params->token;
        command->hold.seats = params->seat_refs;
        command->hold.count = params->seat_count;
        break;
    case COMMAND_SEATS_RELEASE:
        command_token(command, params);
        command->release.token = params->token;
        command->release.reservation = reservation;
        break;
    case COMMAND_PAYMENT_PAY:
        if (params->seen & PARAM_BIT(TOKEN)) {
            command_token(command, params);
        } else {
            command->partition = partition_of_date(dated_id_date(reservation));
        }
        command->pay.token = params->token;
        command->pay.user = params->user;
        command->pay.reservation = reservation;
        command->pay.key = params->key;
        break;
    case COMMAND_RESERVATION_LIST:
        /* Without a date the engine visits every date by itself. */
        command->partition = date ? partition_of_date(date) : PARTITION_EVERY_DATE;
        command->reservations.user = params->user;
        command->reservations.date = date;
        break;
    case COMMAND_RESERVATION_CANCEL:
        command->partition = partition_of_date(dated_id_date(reservation));
        command->cancel.user = params->user;
        command->cancel.reservation = reservation;
        command->cancel.key = params->key;
        break;
    default:
        REQUIRE(command->kind == COMMAND_WALLET_CHARGE || command->kind == COMMAND_WALLET_BALANCE ||
                command->kind == COMMAND_WALLET_HISTORY);
        command_user(command, params);
    }
}

/* Return: false without memory */
static bool command_admin(struct command *command, const struct params *params,
                          struct arena *arena) {
    struct policy *policy = NULL;
    command->partition = partition_of_date((uint32_t)params->ids[PARAM_DATE]);
    if (shapes[command->kind].policy) {
        policy = arena_take(arena, sizeof *policy);
        if (!policy) return false;
        *policy = params->policy;
    }
    switch (command->kind) {
    case COMMAND_CONCERT_CREATE:
        command->partition = PARTITION_CATALOGUE;
        command->concert.title = params->title;
        command->concert.key = params->key;
        break;
    case COMMAND_DATE_CREATE:
        command->partition = PARTITION_CATALOGUE;
        command->date.concert = (uint32_t)params->ids[PARAM_CONCERT];
        command->date.title = params->title;
        command->date.starts_at = params->starts_at;
        command->date.policy = policy;
        command->date.key = params->key;
        break;
    case COMMAND_SEATS_ADD:
        command->seats.first = params->first;
        command->seats.count = params->seat_count;
        command->seats.seats = params->seat_specs;
        break;
    case COMMAND_DATE_SEATS:
        command->list.first = params->first;
        command->list.limit = params->limit;
        command->list.all = true;
        break;
    case COMMAND_DATE_POLICY:
        command->policy.policy = policy;
        command->policy.fields = params->policy_fields;
        break;
    case COMMAND_DATE_CANCEL:
        command->confirm.number = params->ids[PARAM_CONFIRM];
        command->confirm.name = params->confirm;
        break;
    default: REQUIRE(command->kind == COMMAND_DATE_OPEN || command->kind == COMMAND_DATE_CLOSE);
    }
    return true;
}

int decode_request(const uint8_t *bytes, const struct decode_span *span, bool admin,
                   struct arena *arena, struct command *ret_command,
                   struct error_reply *ret_error) {
    const char *method;
    uint32_t method_size;
    bool is_text = value_get_text(value_scanned(bytes + span->method), &method, &method_size);
    REQUIRE(is_text);
    uint32_t kind = method_find(method, method_size, admin);
    if (kind == COMMAND_NONE) return refuse(ret_error, ERROR_UNKNOWN_METHOD, 0);

    struct params params = {.first = 1, .limit = SEATS_LIST_DEFAULT};
    if (shapes[kind].policy) policy_default(&params.policy);
    int code = params_read(value_scanned(bytes + span->params), &shapes[kind], arena, &params,
                           ret_error);
    if (code == ERROR_NONE) code = check_together(kind, &params, ret_error);
    if (code == ERROR_NONE) code = check_ids(kind, &params, ret_error);
    if (code != ERROR_NONE) return code;
    *ret_command = (struct command){.kind = (uint16_t)kind, .is_admin = admin};
    if (command_row(kind)->listener == LISTENER_PUBLIC) {
        command_public(ret_command, &params);
    } else if (!command_admin(ret_command, &params, arena)) {
        return refuse(ret_error, ERROR_BUSY, NET_BUSY_RETRY_MS);
    }
    return ERROR_NONE;
}
