/* trial.h - runs in processes of their own, several at once, and the smallest run that still fails
 *
 * A broken invariant of the engine ends the process: so each run has one, and its end is a result
 * like any other.
 */
#ifndef USHER_TESTS_SIM_TRIAL_H
#define USHER_TESTS_SIM_TRIAL_H

#include "tests/sim/words.h"

struct trials;

/* trials_open - room for so many runs at once, 1..TRIALS_MAX */
#define TRIALS_MAX 16u
struct trials *trials_open(uint32_t at_once);
void trials_close(struct trials *trials);

/* trials_begin - begin a run; there is room (trials_count() < at_once) */
void trials_begin(struct trials *trials, const struct sim_options *options);
uint32_t trials_count(const struct trials *trials);
/* trials_end - wait until one has ended. Return: false if none is under way */
bool trials_end(struct trials *trials, struct sim_options *ret_options,
                struct sim_result *ret_result);

/* trial - one run, waited for */
void trial(const struct sim_options *options, struct sim_result *ret_result);

/* trial_shrink - take away kinds of faults and fans as long as the same check fails
 * @options: changed
 * @result:  of the run with these options; that of the smallest one afterwards */
void trial_shrink(struct sim_options *options, struct sim_result *result);

#endif
