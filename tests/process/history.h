/* history.h - the log of a data folder, decision by decision, and what replay makes of it
 *
 * For a stopped or a killed engine's folder, or beside a running one up to where the log was when
 * it was looked at. Takes no lock, changes nothing.
 */
#ifndef USHER_TESTS_PROCESS_HISTORY_H
#define USHER_TESTS_PROCESS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/partition/world.h"
#include "replay/source/recover.h"

/* @lsn: just after the decision's record */
typedef void history_fn(void *context, const struct decision *decision, uint64_t lsn);

/* history_read - every decision of the log, in order
 * Says on standard error what is wrong. Return: whether all of it could be read */
bool history_read(const char *directory, history_fn *each, void *context);

/* history_replay - the log into a world, by recover()
 * @ret_world: on success only; free with world_free()
 * Says on standard error what is wrong. Return: whether the log verifies its own replay */
bool history_replay(const char *directory, struct world **ret_world,
                    struct recover_result *ret_result);

#endif
