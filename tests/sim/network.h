/* network.h - frames on their way between gateways and the engine, as bytes
 *
 * A frame takes its time; it may take very long, come twice, or never. Frames overtake each other:
 * a gateway has many requests under way on one connection, and replies come back in any order.
 */
#ifndef USHER_TESTS_SIM_NETWORK_H
#define USHER_TESTS_SIM_NETWORK_H

#include "tests/sim/run.h"

struct network;

struct network_frame {
    uint64_t due_us;
    uint32_t gateway; /* 0..; NETWORK_ADMIN: the organiser's */
    bool to_engine;
    uint32_t size;
    uint8_t *bytes; /* owned by whoever has the frame */
};
#define NETWORK_ADMIN PLAN_GATEWAYS_MAX

struct network *network_open(struct sim_run *run);
void network_close(struct network *network);

/* network_send - copy a frame and let it travel */
void network_send(struct network *network, uint32_t gateway, bool to_engine, const uint8_t *bytes,
                  uint32_t size);

/* network_take - any frame that has arrived
 * @engine_listens: false: those to the engine wait
 * Return: false if there is none; else the caller frees the bytes */
bool network_take(struct network *network, bool engine_listens, struct network_frame *ret_frame);

/* network_cut - everything on its way to and from a gateway is lost */
void network_cut(struct network *network, uint32_t gateway);
/* network_refuse - the engine has died: what is on its way to and from it is lost, or waits for the
 * next engine, as chance has it */
void network_refuse(struct network *network);

uint32_t network_count(const struct network *network);  /* on their way */
uint64_t network_due_us(const struct network *network); /* UINT64_MAX: nothing is on its way */

#endif
