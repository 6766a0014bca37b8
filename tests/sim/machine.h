/* machine.h - one usher process and its disks, and the checks around it
 *
 * What is real: the log with its recovery, the engine with all of its shards, frames, decoder and
 * encoder, the projection, snapshots. What is not: the disk, the network, PostgreSQL, threads.
 * Every part moves only when one of the machine_step functions is called.
 *
 * The machine stands between the engine and its ports and keeps a diary of every drain as it was
 * appended. From it the model and a follower (a second state, made by replay alone) are kept up to
 * date; after a crash both begin again from what the diary says up to where the recovered log ends.
 */
#ifndef USHER_TESTS_SIM_MACHINE_H
#define USHER_TESTS_SIM_MACHINE_H

#include "tests/sim/network.h"
#include "tests/sim/people.h"

struct machine;

struct machine *machine_open(struct sim_run *run, struct network *network, struct people *people);
void machine_close(struct machine *machine);

bool machine_is_up(const struct machine *machine);
uint32_t machine_shards(const struct machine *machine);

/* machine_start - start the process: recovery, replay, engine. On failure it is down, and
 * machine_start is to be called again at machine_due_us() */
void machine_start(struct machine *machine);
/* machine_crash - the power fails */
void machine_crash(struct machine *machine);
/* machine_stop - an orderly stop; may turn into a crash */
void machine_stop(struct machine *machine);

/* Steps. Return: whether anything happened */
bool machine_step_shard(struct machine *machine, uint32_t shard);
bool machine_step_log(struct machine *machine);
bool machine_step_projection(struct machine *machine);
/* machine_step_beat - what the daemon does once a second */
bool machine_step_beat(struct machine *machine);
/* machine_is_halted - nothing of it moves */
bool machine_is_halted(const struct machine *machine);

/* machine_receive - a frame has arrived; it is the machine's now. Return: false: no room, or
 * down */
bool machine_receive(struct machine *machine, struct network_frame *frame);

/* machine_fault - let one of the faults happen that are the machine's (not those of disk, network
 * and people) */
void machine_fault(struct machine *machine, enum sim_fault fault);
/* machine_hit - has the moment come that a crash was aimed at? Between any two steps */
void machine_hit(struct machine *machine);
/* machine_heal - end what faults have begun: full disk, stalls, PostgreSQL */
void machine_heal(struct machine *machine);

/* machine_due_us - when something happens by itself; UINT64_MAX: never */
uint64_t machine_due_us(const struct machine *machine);

/* machine_is_at_rest - nothing under way anywhere, everything durable and projected */
bool machine_is_at_rest(struct machine *machine);
/* machine_check_rest - what must be true then */
void machine_check_rest(struct machine *machine);

#endif
