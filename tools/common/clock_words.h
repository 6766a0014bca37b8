/* clock_words.h - what usherd says about the machine's clock, in sentences
 *
 * Pure: figures in, text out. Source: tools/usherd/README.md, "A clock that is wrong"
 */
#ifndef USHER_TOOLS_COMMON_CLOCK_WORDS_H
#define USHER_TOOLS_COMMON_CLOCK_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/runtime/clock.h"

#define CLOCK_WORDS_BYTES 1200u
#define CLOCK_DURATION_BYTES 48u

/* clock_words_duration - "8 h 2 min 3.250 s"; parts that are 0 are left out */
void clock_words_duration(uint64_t ms, char ret_text[CLOCK_DURATION_BYTES]);

/* clock_words_change - what has become of the clock since it was told last
 * @told: the figures of when something was said last; @now: those of now
 * Return: false: nothing that is worth a word, ret_text is not set */
bool clock_words_change(const struct clock_figures *told, const struct clock_figures *now,
                        char ret_text[CLOCK_WORDS_BYTES]);

/* clock_words_waits - a start with the clock behind the log
 * clock_words_refused - one with the clock too far behind
 * @data: the folder, as the operator named it
 * @last_ms: time of the log's last decision */
void clock_words_waits(uint64_t wall_ms, uint64_t last_ms, char ret_text[CLOCK_WORDS_BYTES]);
void clock_words_refused(const char *data, uint64_t wall_ms, uint64_t last_ms,
                         char ret_text[CLOCK_WORDS_BYTES]);

#endif
