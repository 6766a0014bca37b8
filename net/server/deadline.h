/* deadline.h - until when the server's threads wait, by CLOCK_MONOTONIC; any thread */
#ifndef USHER_NET_SERVER_DEADLINE_H
#define USHER_NET_SERVER_DEADLINE_H

#include <stdint.h>
#include <time.h>

#include "engine/base/require.h"

/* deadline_after - so many ms from now */
static inline struct timespec deadline_after(uint32_t ms) {
    struct timespec deadline;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &deadline) == 0);
    uint64_t ns = (uint64_t)deadline.tv_nsec + (uint64_t)(ms % 1000) * 1000000;
    deadline.tv_sec += ms / 1000 + (time_t)(ns / 1000000000);
    deadline.tv_nsec = (long)(ns % 1000000000);
    return deadline;
}

#endif
