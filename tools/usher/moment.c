/* moment.c - see moment.h
 *
 * Read by hand rather than with strptime, which takes spaces, signs and days that do not exist.
 */
#include "tools/usher/moment.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "engine/base/limits.h"

/* Exactly `digits` digits. Return: false if there are fewer */
static bool take_number(const char **text, int digits, int *ret_number) {
    int number = 0;
    for (int i = 0; i < digits; i++) {
        char digit = (*text)[i];
        if (digit < '0' || digit > '9') return false;
        number = number * 10 + (digit - '0');
    }
    *text += digits;
    *ret_number = number;
    return true;
}

static bool take_letter(const char **text, const char *letters) {
    if (**text == '\0' || !strchr(letters, **text)) return false;
    (*text)++;
    return true;
}

static int parse_milliseconds(const char *text, uint64_t *ret_time_ms) {
    uint64_t number = 0;
    if (*text == '\0') return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return -1;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > TIME_MS_MAX) return -1;
    }
    *ret_time_ms = number;
    return 0;
}

static bool take_offset(const char **text, int *ret_minutes) {
    int hours, minutes, sign = **text == '-' ? -1 : 1;
    *ret_minutes = 0;
    if (take_letter(text, "Zz")) return true;
    if (!take_letter(text, "+-") || !take_number(text, 2, &hours)) return false;
    if (!take_letter(text, ":") || !take_number(text, 2, &minutes)) return false;
    if (hours > 14 || minutes > 59) return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

/* ".2", ".25" and ".250" are the same; more digits would promise what the log does not know. */
static bool take_fraction(const char **text, uint32_t *ret_ms) {
    uint32_t ms = 0, digits = 0;
    for (; **text >= '0' && **text <= '9' && digits < 3; digits++, (*text)++) {
        ms = ms * 10 + (uint32_t)(**text - '0');
    }
    if (digits == 0) return false;
    for (; digits < 3; digits++) ms *= 10;
    *ret_ms = ms;
    return true;
}

int moment_parse(const char *text, uint64_t *ret_time_ms) {
    return strpbrk(text, "-:") ? moment_parse_iso(text, ret_time_ms)
                               : parse_milliseconds(text, ret_time_ms);
}

int moment_parse_iso(const char *text, uint64_t *ret_time_ms) {
    struct tm tm = {0};
    int year, month, offset_minutes;
    uint32_t ms = 0;
    if (!take_number(&text, 4, &year) || !take_letter(&text, "-")) return -1;
    if (!take_number(&text, 2, &month) || !take_letter(&text, "-")) return -1;
    if (!take_number(&text, 2, &tm.tm_mday) || !take_letter(&text, "T ")) return -1;
    if (!take_number(&text, 2, &tm.tm_hour) || !take_letter(&text, ":")) return -1;
    if (!take_number(&text, 2, &tm.tm_min)) return -1;
    if (take_letter(&text, ":")) {
        if (!take_number(&text, 2, &tm.tm_sec)) return -1;
        if (take_letter(&text, ".") && !take_fraction(&text, &ms)) return -1;
    }
    if (!take_offset(&text, &offset_minutes) || *text != '\0') return -1;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    struct tm given = tm;
    time_t seconds = timegm(&tm); /* carries what does not exist (February 30) over */
    if (given.tm_mday != tm.tm_mday || given.tm_mon != tm.tm_mon || given.tm_hour != tm.tm_hour ||
        given.tm_min != tm.tm_min || given.tm_sec != tm.tm_sec) {
        return -1;
    }
    seconds -= (time_t)offset_minutes * 60;
    if (seconds < 0 || (uint64_t)seconds > TIME_MS_MAX / 1000) return -1;
    *ret_time_ms = (uint64_t)seconds * 1000 + ms;
    return 0;
}
