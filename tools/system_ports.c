/* system_ports.c - see system_ports.h */
#include "tools/system_ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "engine/require.h"

static uint64_t read_ms(clockid_t id) {
    struct timespec now;
    REQUIRE(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void system_clock_init(struct system_clock *clock) {
    REQUIRE(clock);
    clock->anchor_wall_ms = read_ms(CLOCK_REALTIME);
    clock->anchor_mono_ms = read_ms(CLOCK_MONOTONIC);
}

uint64_t system_clock_now_ms(const struct system_clock *clock) {
    return clock->anchor_wall_ms + (read_ms(CLOCK_MONOTONIC) - clock->anchor_mono_ms);
}

uint64_t system_clock_raise(struct system_clock *clock, uint64_t floor_ms) {
    REQUIRE(clock);
    uint64_t now_ms = system_clock_now_ms(clock);
    if (now_ms >= floor_ms) return 0;
    clock->anchor_wall_ms += floor_ms - now_ms;
    REQUIRE(system_clock_now_ms(clock) >= floor_ms);
    return floor_ms - now_ms;
}

static uint64_t clock_now(void *context) { return system_clock_now_ms(context); }

void system_clock_port(struct system_clock *clock, struct clock_port *ret_port) {
    REQUIRE(clock && ret_port);
    *ret_port = (struct clock_port){.context = clock, .now_ms = clock_now};
}

/* Guessable tokens would be worse than no engine: a kernel without entropy ends the process. */
static void entropy_fill(void *context, void *bytes, uint32_t size) {
    (void)context; /* the kernel's generator has no state of ours */
    uint32_t filled = 0;
    while (filled < size) {
        ssize_t result = getrandom((char *)bytes + filled, size - filled, 0);
        REQUIRE(result > 0 || (result < 0 && errno == EINTR));
        if (result > 0) filled += (uint32_t)result;
    }
}

void system_entropy_port(struct entropy_port *ret_port) {
    REQUIRE(ret_port);
    *ret_port = (struct entropy_port){.fill = entropy_fill};
}

void system_place(const char *directory, char *ret_text, size_t size) {
    char host[256] = "";
    REQUIRE(directory && size > 0);
    if (gethostname(host, sizeof host - 1) < 0) host[0] = '\0';
    char *path = realpath(directory, NULL);
    (void)snprintf(ret_text, size, "%s:%s", host, path ? path : directory); /* cut, as promised */
    free(path);
}
