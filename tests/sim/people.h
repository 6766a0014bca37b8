/* people.h - the fans and the organiser, and the gateways that they share
 *
 * A fan has one call under way at a time, waits for its answer, asks again with the same key when
 * none comes, and gives up after a while. Most of the time fans do what makes sense next; now and
 * then anything: pay what they do not have, show tokens that are none, name seats that do not
 * exist. They click twice, forget what they had, and come back.
 *
 * A gateway collects what its fans ask and sends it as one frame.
 */
#ifndef USHER_TESTS_SIM_PEOPLE_H
#define USHER_TESTS_SIM_PEOPLE_H

#include "tests/sim/network.h"
#include "tests/sim/wire.h"

struct people;

struct people *people_open(struct sim_run *run, struct network *network);
void people_close(struct people *people);

/* people_step - somebody whose time has come does something. Return: false if nobody's has */
bool people_step(struct people *people);
/* people_due_us - when somebody's time comes */
uint64_t people_due_us(const struct people *people);

/* people_receive - a reply frame has arrived at its gateway */
void people_receive(struct people *people, const struct network_frame *frame);

/* people_lose_gateway - one of them dies, and its fans forget what they had */
void people_lose_gateway(struct people *people);

/* people_tempt - the organiser thinks of cancelling this date, at once */
void people_tempt(struct people *people, uint32_t date);
/* people_rest - true: from now on nobody begins anything new; what is under way is asked until it
 * is answered. Return: true once nothing is under way */
bool people_rest(struct people *people, bool rest);
/* people_waiting - how many have a call under way; ret_fan: one of them */
uint32_t people_waiting(const struct people *people, uint32_t *ret_fan);

/* people_keeps_asking - has this user, by their own account, never paused for so long before asking
 * about this place in the line, and not now either? */
bool people_keeps_asking(const struct people *people, const struct id128 *user, uint32_t date,
                         uint32_t place, uint64_t pause_us);

/* people_call - what was asked with this number; NULL: nothing */
const struct wire_call *people_call(const struct people *people, uint32_t number);

#endif
