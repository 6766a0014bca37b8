/* system_ports.h - the real clock and the real entropy, behind the runtime's ports
 *
 * Time is Unix ms UTC, taken from the wall clock once and advanced by CLOCK_MONOTONIC from then on:
 * somebody who sets the machine's clock back, or a leap second, cannot make time run backwards
 * within a process. Across processes the log is the floor: system_clock_raise() lifts the clock to
 * the last time that the log has seen, should the wall clock be behind it.
 *
 * Reading is lock-free from any thread; raising happens before other threads read.
 */
#ifndef USHER_TOOLS_SYSTEM_PORTS_H
#define USHER_TOOLS_SYSTEM_PORTS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/runtime/ports.h"

struct system_clock {
    uint64_t anchor_wall_ms; /* Unix ms when it was anchored */
    uint64_t anchor_mono_ms; /* CLOCK_MONOTONIC at the same moment */
};

/* system_clock_init - anchor at the wall clock of this moment */
void system_clock_init(struct system_clock *clock);
uint64_t system_clock_now_ms(const struct system_clock *clock);

/* system_clock_raise - never say less than this from now on
 * Return: by how many ms the clock had to be advanced; 0 if it was not behind */
uint64_t system_clock_raise(struct system_clock *clock, uint64_t floor_ms);

/* The ports; the clock is borrowed as long as the port is used. */
void system_clock_port(struct system_clock *clock, struct clock_port *ret_port);
void system_entropy_port(struct entropy_port *ret_port);

/* system_place - this machine and a folder of it, for people elsewhere: "host:/var/lib/usher"
 * @size: of ret_text, 1 or more; what does not fit is cut */
void system_place(const char *directory, char *ret_text, size_t size);

#endif
