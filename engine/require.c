#include "engine/require.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void require_failed(const char *condition, const char *file, int line) {
    (void)fprintf(stderr, "usher: broken invariant: %s (%s:%d). Please report this line.\n",
                  condition, file, line); /* nothing is left to do if standard error is gone */
    abort();
}
