/* crowd_wire.h - what fans ask and hear, as messages of the protocol (net/PROTOCOL.md)
 *
 * Pure but for crowd_find_dates; any thread.
 */
#ifndef USHER_TOOLS_CROWD_CROWD_WIRE_H
#define USHER_TOOLS_CROWD_CROWD_WIRE_H

#include "net/client/client.h"
#include "net/protocol/value.h"
#include "tools/crowd/crowd_options.h"
#include "tools/crowd/fan.h"

struct crowd_date {
    uint32_t id;
    uint32_t seats; /* for sale or not: numbered 1..seats */
    uint32_t seats_available;
};

/* crowd_find_dates - the open dates that the options name
 * Says on standard error why there are none. Return: how many; 0 for none */
uint32_t crowd_find_dates(struct client *client, const struct crowd_options *options,
                          struct crowd_date ret_dates[CROWD_DATES_MAX]);

/* crowd_method - "queue.enter" and so on */
const char *crowd_method(enum fan_request request);

/* crowd_write_params - the parameters of what a fan asks */
void crowd_write_params(const struct crowd_fan *fan, enum fan_request request,
                        struct value_writer *writer);

/* crowd_read_answer - cut a reply down to what a fan looks at
 * @ret_answer: written whole; its seats are freed by the caller */
void crowd_read_answer(const struct client_reply *reply, enum fan_request request,
                       struct fan_answer *ret_answer);

#endif
