/* narrate.h - what happened, as a sentence for people
 *
 *   held by f9297424-b80a-87ff-b271-7fac4a6c2d8d until 20:05:03.250, reservation 7-12, 120 points
 *
 * A sentence leaves out what its subject says already: a seat's history does not repeat the seat.
 * Pure; any thread.
 */
#ifndef USHER_REPLAY_TELL_NARRATE_H
#define USHER_REPLAY_TELL_NARRATE_H

#include "engine/domain/partition/world.h"
#include "replay/tell/follow.h"

/* Room for a seat's name: three texts, every byte of which became three, and the words between. */
#define NARRATE_SEAT_BYTES 2400u
/* Room for any sentence: the most seats that one can name, and the words around them. */
#define NARRATE_BYTES (SEATS_PER_USER_MAX * NARRATE_SEAT_BYTES + 1024u)

/* narrate_seat - "section A, row 12, seat 7 (number 207)", or "number 207" where the world has no
 * such seat; line breaks and the like in labels become blanks */
void narrate_seat(const struct world *world, uint32_t date, uint32_t seat,
                  char ret_text[NARRATE_SEAT_BYTES]);

/* narrate_dated_id - "7-12": date and number within it, of a reservation or a payment */
#define NARRATE_ID_BYTES 24u
void narrate_dated_id(uint64_t id, char ret_text[NARRATE_ID_BYTES]);

/* narrate - the sentence of a decision that concerns the subject
 * @world:  for the names of seats; of any moment after they were added
 * @follow: has been shown the decision
 * Return: its length in bytes */
size_t narrate(const struct decision *decision, const struct subject *subject,
               const struct world *world, const struct follow *follow,
               char ret_text[NARRATE_BYTES]);

#endif
