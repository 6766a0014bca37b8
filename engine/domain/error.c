/* error.c - see error.h */
#include "engine/domain/error.h"

#include <stddef.h>

const struct error_row *error_row(uint32_t number) {
    switch (number) {
#define E(number_, name_, text_, data1, data2, data3)                                              \
    case number_: {                                                                                \
        static const struct error_row row = {number_, #name_, text_, {data1, data2, data3}};       \
        return &row;                                                                               \
    }
#include "engine/domain/error.def"
#undef E
    default: return NULL;
    }
}

const char *error_name(uint32_t number) {
    const struct error_row *row = error_row(number);
    if (number == ERROR_NONE) return "NONE";
    return row ? row->name : "UNKNOWN";
}
