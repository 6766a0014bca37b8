/* params.h - a request's params map to typed values; decode.c makes commands of them
 *
 * Every parameter of the protocol is a row of one table: its name and how it is read. What a method
 * takes is two sets of parameters, required and optional (command.def); anything else is refused.
 * Thread: pure functions.
 */
#ifndef USHER_NET_PROTOCOL_PARAMS_H
#define USHER_NET_PROTOCOL_PARAMS_H

#include "engine/domain/command.h"
#include "net/protocol/arena.h"
#include "net/protocol/error_reply.h"
#include "net/protocol/value.h"

/* PARAM(NAME, "name", how it is read) */
#define PARAMS(PARAM)                                                                              \
    PARAM(DATE, "date", id)                                                                        \
    PARAM(CONCERT, "concert", id)                                                                  \
    PARAM(USER, "user", user)                                                                      \
    PARAM(TOKEN, "token", token)                                                                   \
    PARAM(RESERVATION, "reservation", id)                                                          \
    PARAM(KEY, "key", key)                                                                         \
    PARAM(AMOUNT, "amount", amount)                                                                \
    PARAM(AVAILABLE_ONLY, "available_only", flag)                                                  \
    PARAM(ALL, "all", flag)                                                                        \
    PARAM(FIRST, "first", first)                                                                   \
    PARAM(LIMIT, "limit", limit)                                                                   \
    PARAM(SEAT_REFS, "seats", seat_refs)                                                           \
    PARAM(SEAT_SPECS, "seats", seat_specs)                                                         \
    PARAM(TITLE, "title", title)                                                                   \
    PARAM(STARTS_AT, "starts_at", time)                                                            \
    PARAM(CONFIRM, "confirm", confirm)

enum param {
#define PARAM(NAME, name, read) PARAM_##NAME,
    PARAMS(PARAM)
#undef PARAM
        PARAM_COUNT,
    PARAM_POLICY_FIELDS = PARAM_COUNT, /* all of policy.h, each by its own name */
};
#define PARAM_BIT(NAME) (1u << PARAM_##NAME)

/* The values of one request; those whose bit is not in `seen` have their defaults. */
struct params {
    uint32_t seen;             /* PARAM_BITs */
    uint64_t ids[PARAM_COUNT]; /* read as `id`: any integer from 0; range not yet judged */
    struct id128 user;
    struct token token;
    bool token_is_bad; /* a text, but no token */
    struct id128 key;
    uint64_t amount;         /* 0 for integers below zero */
    bool flags[PARAM_COUNT]; /* read as `flag` */
    uint32_t first, limit;
    const struct seat_ref *seat_refs;
    const struct seat_spec *seat_specs;
    uint32_t seat_count; /* of either */
    struct text title;
    struct text confirm; /* none where it is an id */
    uint64_t starts_at;
    struct policy policy;   /* defaults, changed by what was given */
    uint64_t policy_fields; /* bit i: the field with index i was given */
};

/* What a method takes. */
struct params_shape {
    uint32_t required, optional; /* PARAM_BITs */
    bool policy;                 /* policy fields, too */
};

/* params_read - read a map
 * @ret_error: BAD_PARAMS with the parameter's name, or BUSY without memory, if not ERROR_NONE
 * Return: ERROR_NONE or the code */
int params_read(const struct value *map, const struct params_shape *shape, struct arena *arena,
                struct params *ret_params, struct error_reply *ret_error);

#endif
