/* error.h - stable error codes (rule X1); the table is error.def */
#ifndef USHER_ENGINE_DOMAIN_ERROR_H
#define USHER_ENGINE_DOMAIN_ERROR_H

#include <stdint.h>

#define ERROR_DATA_COUNT 3

enum error {
    ERROR_NONE = 0,
#define E(number, name, text, data1, data2, data3) ERROR_##name = (number),
#include "engine/domain/error.def"
#undef E
};

/* One row of error.def. Static storage. */
struct error_row {
    uint16_t number;
    const char *name; /* as on the wire, for example "SEAT_TAKEN" */
    const char *text; /* one or two sentences for a person */
    const char *data[ERROR_DATA_COUNT];
};

/* error_row - the row of an error number
 * Return: the row, or NULL for a number that is not in the table (ERROR_NONE included) */
const struct error_row *error_row(uint32_t number);

/* error_name - its name, "NONE" for 0, "UNKNOWN" outside the table */
const char *error_name(uint32_t number);

#endif
