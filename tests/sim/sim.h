/* sim.h - one simulated run of a whole usher, from a seed
 *
 * Clients, network, shards, log writer, disk, clock and PostgreSQL are stepped in one thread, in an
 * order that the seed decides; so a run is a pure function of its options. The oracle
 * (tests/oracle) judges every decision, the judge (judge.h) every reply.
 *
 * Happy path: sim_run() steps the world until options.steps are done, lets it come to rest, checks
 * that nothing is left half done, and reports what was exercised. Failure mode: the first check
 * that fails ends the run; the result says which, at which step, and why.
 *
 * Thread: the caller's; several runs may follow each other, or run in processes of their own.
 */
#ifndef USHER_TESTS_SIM_SIM_H
#define USHER_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/words.h"

/* sim_run - one run. Return: true if nothing was wrong */
bool sim_run(const struct sim_options *options, struct sim_result *ret_result);

#endif
