/* usherd_descriptors.h - how many connections there may be, so that the rest has descriptors, too
 *
 * The soft limit is raised to the hard one. Of what the process may have then, these are kept:
 *
 *     0 ......... what the engine itself has open once it serves ...... DESCRIPTORS_OWN
 *     ........... public connections .................................. connections_max
 *     public_below ... admin connections, watchdog .................... DESCRIPTORS_ADMIN
 *     private_below .. log, snapshots, PostgreSQL, whatever comes ..... DESCRIPTORS_KEPT
 *     limit
 *
 * Numbers are given out from the low end, so the two borders hold whoever has come first
 * (accept.h).
 */
#ifndef USHER_TOOLS_USHERD_USHERD_DESCRIPTORS_H
#define USHER_TOOLS_USHERD_USHERD_DESCRIPTORS_H

#include <stdint.h>

/* Standard streams, threads of nng (a few per core), listeners, folders, lock, ring, segment,
 * PostgreSQL's connection: about 40 on two cores. */
#define DESCRIPTORS_OWN 64u
#define DESCRIPTORS_ADMIN 40u
/* The log needs 3 at the moment of a switch, a reader of it 3, libpq a few while it looks up a
 * name. */
#define DESCRIPTORS_KEPT 48u
#define CONNECTIONS_MIN 16u
/* A higher limit is of no use: nng is not made for it, and who walks all descriptors takes for
 * ever. */
#define DESCRIPTORS_MAX (1u << 20)

struct descriptors {
    uint32_t limit; /* of this process, from now on */
    uint32_t connections_max;
    uint32_t public_below, private_below;
};

/* descriptors_raise - raise the soft limit. Return: the limit from now on, at most
 * DESCRIPTORS_MAX */
uint32_t descriptors_raise(void);

/* descriptors_plan - @wanted: connections; 0: as many as there is room for
 * Return: 0; -1 if there is no room for so many, and ret_text (256 bytes) says what to do */
int descriptors_plan(uint32_t limit, uint32_t wanted, struct descriptors *ret_plan, char *ret_text);

#endif
