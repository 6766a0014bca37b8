/* cmocka.h - cmocka, with the headers that it forgets */
#ifndef USHER_TESTS_SUPPORT_CMOCKA_H
#define USHER_TESTS_SUPPORT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

#endif
