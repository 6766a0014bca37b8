/* system_ports.c - see system_ports.h */
#include "tools/common/system_ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"

static uint64_t read_system(void *context, clockid_t id) {
    struct timespec now;
    (void)context; /* the machine's clocks are the machine's */
    REQUIRE(clock_gettime(id, &now) == 0);
    if (now.tv_sec < 0) return 0; /* a wall clock before 1970 */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t read_mono(const struct system_clock *clock) {
    return clock->read(clock->context, CLOCK_MONOTONIC);
}

static struct clock_reading read_both(const struct system_clock *clock) {
    struct clock_reading reading;
    reading.before_ns = read_mono(clock);
    reading.wall_ns = clock->read(clock->context, CLOCK_REALTIME);
    reading.after_ns = read_mono(clock);
    return reading;
}

/* Make the state known. Words are released one by one, so whoever sees one of them sees the odd
 * version, too. The owner of `state`. */
static void publish(struct system_clock *clock) {
    struct system_clock_words *words = &clock->words;
    const struct engine_clock *state = &clock->state;
    uint64_t version = atomic_load_explicit(&clock->version, memory_order_relaxed);
    atomic_store_explicit(&clock->version, version + 1, memory_order_relaxed);
    atomic_store_explicit(&words->mono_ns, state->mono_ns, memory_order_release);
    atomic_store_explicit(&words->time_ns, state->time_ns, memory_order_release);
    atomic_store_explicit(&words->gap_ns, state->gap_ns, memory_order_release);
    atomic_store_explicit(&words->steps_forward, state->figures.steps_forward,
                          memory_order_release);
    atomic_store_explicit(&words->steps_back, state->figures.steps_back, memory_order_release);
    atomic_store_explicit(&words->step_last_ms, state->figures.step_last_ms, memory_order_release);
    atomic_store_explicit(&clock->version, version + 2, memory_order_release);
}

/* Return: false: it is being changed */
static bool read_state(struct system_clock *clock, struct engine_clock *ret_state) {
    struct system_clock_words *words = &clock->words;
    uint64_t version = atomic_load_explicit(&clock->version, memory_order_acquire);
    if (version % 2 != 0) return false;
    *ret_state = (struct engine_clock){
        .mono_ns = atomic_load_explicit(&words->mono_ns, memory_order_acquire),
        .time_ns = atomic_load_explicit(&words->time_ns, memory_order_acquire),
        .gap_ns = atomic_load_explicit(&words->gap_ns, memory_order_acquire),
        .figures = {
            .steps_forward = atomic_load_explicit(&words->steps_forward, memory_order_acquire),
            .steps_back = atomic_load_explicit(&words->steps_back, memory_order_acquire),
            .step_last_ms = atomic_load_explicit(&words->step_last_ms, memory_order_acquire),
        }};
    return atomic_load_explicit(&clock->version, memory_order_relaxed) == version;
}

/* Follow the wall clock, unless somebody else does just now. */
static void look(struct system_clock *clock) {
    if (atomic_flag_test_and_set_explicit(&clock->looking, memory_order_acquire)) return;
    struct clock_reading reading = read_both(clock);
    if (clock_look(&clock->state, &reading)) publish(clock);
    atomic_flag_clear_explicit(&clock->looking, memory_order_release);
}

void system_clock_init_with(struct system_clock *clock,
                            uint64_t (*read)(void *context, clockid_t id), void *context) {
    REQUIRE(clock && read);
    clock->read = read;
    clock->context = context;
    struct clock_reading reading = read_both(clock);
    atomic_init(&clock->version, 0);
    atomic_flag_clear(&clock->looking);
    clock_begin(&clock->state, &reading);
    publish(clock);
    atomic_init(&clock->told_ms, clock->state.time_ns / CLOCK_NS_PER_MS);
}

void system_clock_init(struct system_clock *clock) {
    system_clock_init_with(clock, read_system, NULL);
}

uint64_t system_clock_now_ms(struct system_clock *clock) {
    struct engine_clock state;
    uint64_t mono_ns = read_mono(clock); /* before the state: it is not older than the moment */
    uint64_t told_ms = atomic_load_explicit(&clock->told_ms, memory_order_acquire);
    if (!read_state(clock, &state)) return told_ms;
    uint64_t now_ms = clock_at(&state, mono_ns) / CLOCK_NS_PER_MS;
    if (now_ms <= told_ms) return told_ms;
    look(clock);
    if (read_state(clock, &state)) now_ms = clock_at(&state, mono_ns) / CLOCK_NS_PER_MS;
    while (told_ms < now_ms &&
           !atomic_compare_exchange_weak_explicit(&clock->told_ms, &told_ms, now_ms,
                                                  memory_order_acq_rel, memory_order_acquire)) {}
    return told_ms < now_ms ? now_ms : told_ms;
}

uint64_t system_clock_raise(struct system_clock *clock, uint64_t floor_ms) {
    REQUIRE(clock);
    uint64_t behind_ms = clock_raise(&clock->state, read_mono(clock), floor_ms);
    publish(clock);
    REQUIRE(system_clock_now_ms(clock) >= floor_ms);
    return behind_ms;
}

uint64_t system_clock_wall_ms(const struct system_clock *clock) {
    return clock->read(clock->context, CLOCK_REALTIME) / CLOCK_NS_PER_MS;
}

uint64_t system_clock_mono_ms(const struct system_clock *clock) {
    return read_mono(clock) / CLOCK_NS_PER_MS;
}

void system_clock_figures(struct system_clock *clock, struct clock_figures *ret_figures) {
    struct engine_clock state;
    look(clock);
    while (!read_state(clock, &state)) {}
    clock_figures_get(&state, read_mono(clock), ret_figures);
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
