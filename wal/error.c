/* error.c - fill in a wal_error; see error.h */
#include "wal/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int wal_error_set(struct wal_error *ret_error, int code, const char *file, uint64_t offset,
                  uint64_t lsn, const char *format, ...) {
    struct wal_error error = {.code = code, .offset = offset, .lsn = lsn};
    if (file) (void)snprintf(error.file, sizeof error.file, "%s", file);
    va_list arguments;
    va_start(arguments, format);
    /* A text that is cut short is good enough. */
    (void)vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    *ret_error = error;
    return -code;
}

int wal_error_system(struct wal_error *ret_error, int system_error, const char *file,
                     uint64_t offset, const char *what) {
    char buffer[128];
    const char *words = strerror_r(system_error, buffer, sizeof buffer);
    int rc = wal_error_set(ret_error, WAL_ERROR_IO, file, offset, 0, "%s%s%s: %s (errno %d)", what,
                           file != NULL ? " " : "", file != NULL ? file : "", words, system_error);
    ret_error->system_error = system_error;
    return rc;
}
