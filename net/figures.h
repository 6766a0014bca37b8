/* figures.h - figures of the process that system.stats shows, and that net cannot know by itself
 *
 * The daemon fills them in, whenever it likes and from any thread; net reads them when it is asked.
 * They are words on a board, not a function: the shard that answers waits for nobody, and net knows
 * neither the log nor PostgreSQL.
 * To add a figure: its row here, its place in README.md ("Methods", system.stats), and who stores
 * it. To add a map of figures: its rows, and its name in NET_FIGURE_MAPS.
 */
#ifndef USHER_NET_FIGURES_H
#define USHER_NET_FIGURES_H

#include <stdatomic.h>
#include <stdint.h>

/* The projection into PostgreSQL (replay/README.md, "When PostgreSQL is away"). */
#define NET_FIGURES_PROJECTION(FIGURE)                                                             \
    FIGURE(projection, wanted)      /* 1: there is one, by --postgres; else the rest is 0 */       \
    FIGURE(projection, connected)   /* 1: PostgreSQL answers */                                    \
    FIGURE(projection, stopped)     /* 1: it cannot go on without an operator */                   \
    FIGURE(projection, taken_over)  /* 1: ... since another engine projects into this database */  \
    FIGURE(projection, applied_lsn) /* in PostgreSQL; 0: not known yet */                          \
    FIGURE(projection, lag_decisions) /* durable, and not in PostgreSQL */                         \
    FIGURE(projection, lag_ms)        /* how far PostgreSQL is behind; 0: it has everything */     \
    FIGURE(projection, failures)      /* attempts that failed */

/* In the order of system.stats. */
#define NET_FIGURE_MAPS(MAP) MAP(projection, NET_FIGURES_PROJECTION)

#define NET_FIGURE_MEMBER_(map, name) _Atomic uint64_t map##_##name;
#define NET_FIGURE_MEMBERS_(map, FIGURES) FIGURES(NET_FIGURE_MEMBER_)
struct net_figures {
    NET_FIGURE_MAPS(NET_FIGURE_MEMBERS_)
};

#endif
