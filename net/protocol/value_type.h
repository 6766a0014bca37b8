/* value_type.h - the kinds of values, and what a look at bytes can say of them */
#ifndef USHER_NET_PROTOCOL_VALUE_TYPE_H
#define USHER_NET_PROTOCOL_VALUE_TYPE_H

enum value_result {
    VALUE_OK = 0,
    VALUE_MALFORMED = 1, /* truncated, nested too deep, an impossible count, a reserved byte */
};

enum value_type {
    VALUE_NIL = 0,
    VALUE_BOOL,
    VALUE_UINT,
    VALUE_NEGATIVE, /* an integer below zero */
    VALUE_TEXT,
    VALUE_ARRAY,
    VALUE_MAP,
    VALUE_OTHER, /* float, binary, extension: nothing in the protocol has them */
};

#endif
