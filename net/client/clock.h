/* clock.h - the clock of the client's deadlines: monotonic, ms; any thread */
#ifndef USHER_NET_CLIENT_CLOCK_H
#define USHER_NET_CLIENT_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "engine/base/require.h"

static inline uint64_t client_now_ms(void) {
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

#endif
