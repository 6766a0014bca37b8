/* figures.h - what system.stats shows beside the engine's counters and the sums of money
 *
 * net_counters are those of net itself. process_figures are of others, and net cannot know them:
 * the daemon fills them in, whenever it likes and from any thread; net reads them when it is asked.
 * They are words on a board, not a function: the shard that answers waits for nobody, and net knows
 * neither the log nor PostgreSQL.
 * To add a figure: its row here, its place in PROTOCOL.md ("Figures"), and who stores it. To add a
 * map of figures: its rows, and its name in PROCESS_FIGURE_MAPS.
 */
#ifndef USHER_NET_PROTOCOL_FIGURES_H
#define USHER_NET_PROTOCOL_FIGURES_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/base/version.h"

/* Of net's own, since the server was created; net_server_counters(). */
#define NET_COUNTERS(COUNTER)                                                                      \
    COUNTER(frames)              /* received */                                                    \
    COUNTER(requests)            /* in well-formed frames */                                       \
    COUNTER(malformed)           /* frames refused as a whole */                                   \
    COUNTER(refused)             /* requests net answered with an error by itself, BUSY too */     \
    COUNTER(busy)                /* requests answered BUSY */                                      \
    COUNTER(replies_dropped)     /* frames without a reply: no memory, or the gateway left */      \
    COUNTER(slow_disconnects)    /* gateways disconnected for not reading their replies */         \
    COUNTER(connections)         /* open now */                                                    \
    COUNTER(accepted)            /* connections ever accepted, the watchdog's own included */      \
    COUNTER(connections_refused) /* closed because there were too many */                          \
    COUNTER(relistens)           /* listeners that were stuck and have been replaced */            \
    COUNTER(frames_in_flight)    /* now */

#define NET_COUNTER_(name) uint64_t name;
struct net_counters {
    NET_COUNTERS(NET_COUNTER_)
};

/* The projection into PostgreSQL (replay/postgres/README.md, "When PostgreSQL is away"). */
#define PROCESS_FIGURES_PROJECTION(FIGURE)                                                         \
    FIGURE(projection, wanted)      /* 1: there is one, by --postgres; else the rest is 0 */       \
    FIGURE(projection, connected)   /* 1: PostgreSQL answers */                                    \
    FIGURE(projection, stopped)     /* 1: it cannot go on without an operator */                   \
    FIGURE(projection, taken_over)  /* 1: ... since another engine projects into this database */  \
    FIGURE(projection, applied_lsn) /* in PostgreSQL; 0: not known yet */                          \
    FIGURE(projection, lag_decisions) /* durable, and not in PostgreSQL */                         \
    FIGURE(projection, lag_ms)        /* how far PostgreSQL is behind; 0: it has everything */     \
    FIGURE(projection, failures)      /* attempts that failed */

/* Room for the log; bytes. */
#define PROCESS_FIGURES_LOG(FIGURE)                                                                \
    FIGURE(log, segment_bytes)         /* of one of the log's files */                             \
    FIGURE(log, left_bytes)            /* in those that are there */                               \
    FIGURE(log, free_bytes)            /* on the disk; 0 where nobody knows, too */                \
    FIGURE(log, segment_missing_bytes) /* on the disk, to make the next file; 0: none */

/* The machine's clock (engine/README.md, "Time"). */
#define PROCESS_FIGURES_CLOCK(FIGURE)                                                              \
    FIGURE(clock, steps_forward) /* of a second or more, since the start */                        \
    FIGURE(clock, steps_back)    /* likewise */                                                    \
    FIGURE(clock, behind_ms)     /* the machine's clock behind engine time; 0: it is not */

/* In the order of system.stats. */
#define PROCESS_FIGURE_MAPS(MAP)                                                                   \
    MAP(projection, PROCESS_FIGURES_PROJECTION)                                                    \
    MAP(log, PROCESS_FIGURES_LOG)                                                                  \
    MAP(clock, PROCESS_FIGURES_CLOCK)

#define PROCESS_FIGURE_MEMBER_(map, name) _Atomic uint64_t map##_##name;
#define PROCESS_FIGURE_MEMBERS_(map, FIGURES) FIGURES(PROCESS_FIGURE_MEMBER_)
struct process_figures {
    struct version build; /* of the program; set before the server starts. NULLs: unknown */
    PROCESS_FIGURE_MAPS(PROCESS_FIGURE_MEMBERS_)
};

#endif
