/* clock.h - engine time as a function of two clocks' readings
 *
 * What it is for: engine time follows the wall clock, never goes back, and never jumps unseen. The
 * rule is a pure state machine: whoever has the clocks hands readings in. The daemon's are real
 * (tools/common/system_ports.c), the simulator's and the tests' are made up.
 *
 * Why so: between two changes of the wall clock, engine time is a function of monotonic time alone
 * (clock_at), so that many threads can compute it from one small state. Only a change of the wall
 * clock (clock_look) makes another state, which begins where the one before it was.
 *
 * Happy path: clock_begin, clock_raise with the time of the log's last decision, then clock_at, and
 * clock_look now and then.
 * Failure modes: none; any readings give a time that does not go back.
 * Thread: one at a time for what changes a clock. Source: engine/README.md, "Time"
 */
#ifndef USHER_ENGINE_RUNTIME_CLOCK_H
#define USHER_ENGINE_RUNTIME_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NS_PER_MS 1000000u
/* From here on a difference is a step, which is told and, if it is forward, jumped over. */
#define CLOCK_STEP_NS 1000000000
/* So far may the wall clock be behind the log's last decision at a start. */
#define CLOCK_START_BEHIND_MS_MAX 300000u

/* No later time is taken from a log: 2255-03-13. Differences of times in ns fit into 63 bits. */
#define CLOCK_MS_MAX 9000000000000u

/* A look at the wall clock, and the monotonic clock before and after it; ns. The wall clock's is
 * Unix time. The looks are moments apart, or hours, if the thread was halted in between. */
struct clock_reading {
    uint64_t before_ns, wall_ns, after_ns;
};

/* What became of the wall clock, for operators. */
struct clock_figures {
    uint64_t steps_forward, steps_back; /* since the clock was begun */
    int64_t step_last_ms;               /* the latest: above 0 forward, below back; 0: none yet */
    uint64_t behind_ms;                 /* so far is the wall clock behind engine time now */
};

struct engine_clock {
    uint64_t mono_ns; /* where this state begins */
    uint64_t time_ns; /* engine time there */
    /* Wall clock less engine time there. Below 0 engine time runs at half speed, above 0 at 3/2,
     * until they meet. Always below CLOCK_STEP_NS. */
    int64_t gap_ns;
    struct clock_figures figures; /* behind_ms is not kept here */
};

/* clock_begin - engine time is the wall clock; nothing has happened yet */
void clock_begin(struct engine_clock *clock, const struct clock_reading *reading);

/* clock_raise - engine time goes on from floor_ms if it is not there yet
 * @mono_ns:  now
 * @floor_ms: at most CLOCK_MS_MAX
 * Return: how far the wall clock is behind engine time now, ms */
uint64_t clock_raise(struct engine_clock *clock, uint64_t mono_ns, uint64_t floor_ms);

/* clock_at - engine time at a moment, Unix ns; a moment before the state's beginning counts as
 * it */
uint64_t clock_at(const struct engine_clock *clock, uint64_t mono_ns);

/* clock_gap_ns - wall clock less engine time at a moment, if the wall clock was not changed */
int64_t clock_gap_ns(const struct engine_clock *clock, uint64_t mono_ns);

/* clock_look - is the wall clock where it is expected? If not, follow it
 * A reading that began before the state did says nothing.
 * Return: whether the state is another now */
bool clock_look(struct engine_clock *clock, const struct clock_reading *reading);

/* clock_figures_get - as of a moment */
void clock_figures_get(const struct engine_clock *clock, uint64_t mono_ns,
                       struct clock_figures *ret_figures);

/* clock_may_start - is the wall clock not too far behind the log's last decision?
 * @last_ms: time of that decision; 0: there is none
 * @ret_behind_ms: by how much it is behind; 0: it is not */
bool clock_may_start(uint64_t wall_ms, uint64_t last_ms, uint64_t *ret_behind_ms);

#endif
