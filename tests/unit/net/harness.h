/* harness.h - what every test file of net includes: cmocka with the headers that it forgets */
#ifndef USHER_TESTS_NET_HARNESS_H
#define USHER_TESTS_NET_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/random.h"

#endif
