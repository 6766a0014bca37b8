/* system_ports.h - the real clock and the real entropy, behind the runtime's ports
 *
 * Engine time is what engine/runtime/clock.h makes of CLOCK_MONOTONIC and CLOCK_REALTIME. Most
 * calls read the monotonic clock alone. Whoever finds a new millisecond also looks at the wall
 * clock.
 *
 * Any thread may ask, and nobody waits for anybody. The state that times are computed from is read
 * without a lock; while it is being changed, the last time that was told is the answer. One thread
 * at a time changes it; others do not look at the wall clock meanwhile. What is told never goes
 * back, whichever thread asks: the latest time told is shared.
 *
 * Across processes the log is the floor: system_clock_raise(), before other threads ask.
 */
#ifndef USHER_TOOLS_COMMON_SYSTEM_PORTS_H
#define USHER_TOOLS_COMMON_SYSTEM_PORTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "engine/runtime/clock.h"
#include "engine/runtime/ports.h"

/* The words of struct engine_clock that other threads need, as they were published. */
struct system_clock_words {
    _Atomic uint64_t mono_ns, time_ns, steps_forward, steps_back;
    _Atomic int64_t gap_ns, step_last_ms;
};

struct system_clock {
    struct system_clock_words words;
    _Atomic uint64_t version; /* of the words; odd: they are being changed */
    _Atomic uint64_t told_ms; /* the latest time that anybody was told */
    atomic_flag looking;      /* somebody owns `state` */
    struct engine_clock state;
    /* Where readings come from, ns; a test has its own. */
    uint64_t (*read)(void *context, clockid_t id);
    void *context;
};

/* system_clock_init - begin at the wall clock of this moment
 * system_clock_init_with - likewise, with readings from elsewhere */
void system_clock_init(struct system_clock *clock);
void system_clock_init_with(struct system_clock *clock,
                            uint64_t (*read)(void *context, clockid_t id), void *context);

/* system_clock_now_ms - engine time; any thread, lock-free */
uint64_t system_clock_now_ms(struct system_clock *clock);

/* system_clock_raise - never say less than this from now on; before other threads ask
 * @floor_ms: at most CLOCK_MS_MAX
 * Return: how far the wall clock is behind engine time now, ms */
uint64_t system_clock_raise(struct system_clock *clock, uint64_t floor_ms);

/* system_clock_wall_ms - the wall clock itself, Unix ms; any thread */
uint64_t system_clock_wall_ms(const struct system_clock *clock);

/* system_clock_mono_ms - for lengths of time, which no clock's setting may change; any thread */
uint64_t system_clock_mono_ms(const struct system_clock *clock);

/* system_clock_figures - look at the wall clock, and say what has become of it; any thread
 * Waits for a thread that changes the clock, which takes moments. */
void system_clock_figures(struct system_clock *clock, struct clock_figures *ret_figures);

/* The ports; the clock is borrowed as long as the port is used. */
void system_clock_port(struct system_clock *clock, struct clock_port *ret_port);
void system_entropy_port(struct entropy_port *ret_port);

/* system_place - this machine and a folder of it, for people elsewhere: "host:/var/lib/usher"
 * @size: of ret_text, 1 or more; what does not fit is cut */
void system_place(const char *directory, char *ret_text, size_t size);

#endif
