/* date_seats.h - the seats that a date has, compared with a seating plan and summed up
 *
 * The engine counts seats, and cannot know which plan they were meant to be: two halls sent to one
 * date would become a mixture of both. So an importer reads back what is there and compares.
 *
 * Happy path: date_seats_compare before anything is sent, and at the end with a summary.
 * Failure modes: no answer, or an error of the engine; a seat that differs. Both are told on
 * standard error. One thread.
 */
#ifndef USHER_TOOLS_USHER_DATE_SEATS_H
#define USHER_TOOLS_USHER_DATE_SEATS_H

#include <jansson.h>
#include <stdint.h>

#include "net/client/client.h"
#include "tools/common/seating_plan.h"

enum date_seats_result {
    DATE_SEATS_EQUAL = 0,
    DATE_SEATS_DIFFER = 1, /* they are not the plan's beginning */
    DATE_SEATS_UNKNOWN = 2 /* the engine did not say */
};

/* date_seats_compare - are the date's seats from one on the plan's, at the plan's prices?
 * @first:       number of the first seat that is compared, from 1
 * @ret_count:   seats that the date has; on DATE_SEATS_EQUAL only
 * @ret_summary: NULL, or a map that gets what was read: seats, seats_for_sale, points, sections,
 *               prices; on DATE_SEATS_EQUAL only
 * Return: enum date_seats_result; anything but EQUAL has been told, with the first seat that
 * differs */
int date_seats_compare(struct client *client, uint32_t date, const struct seating_plan *plan,
                       uint32_t first, uint32_t *ret_count, json_t *ret_summary);

#endif
