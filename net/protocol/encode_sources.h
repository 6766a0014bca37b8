/* encode_sources.h - where replies get what no partition has */
#ifndef USHER_NET_PROTOCOL_ENCODE_SOURCES_H
#define USHER_NET_PROTOCOL_ENCODE_SOURCES_H

#include "net/protocol/figures.h"

struct board;

struct encode_sources {
    const struct board *board;             /* catalogue.concerts, catalogue.dates, system.stats */
    uint64_t durable_lsn;                  /* system.stats */
    const struct net_counters *counters;   /* system.stats; else may be NULL */
    const struct process_figures *figures; /* system.stats; NULL: all 0 */
};

#endif
