/* number.c - see number.h */
#include "tools/common/number.h"

#include <errno.h>
#include <stdlib.h>

bool number_read(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number) {
    if (text[0] < '0' || text[0] > '9') return false; /* strtoull() takes blanks and signs */
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0 || number < min || number > max) return false;
    *ret_number = number;
    return true;
}
