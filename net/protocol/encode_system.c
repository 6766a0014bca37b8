/* encode_system.c - what system.ping and system.stats answer, to bytes */
#include "engine/base/require.h"
#include "engine/base/version.h"
#include "engine/runtime/board.h"
#include "net/protocol/encode_parts.h"
#include "net/protocol/encode_sources.h"
#include "net/protocol/limits.h"

void encode_ping(struct value_writer *writer, const struct reply *reply) {
    value_write_map(writer, 2);
    value_write_pair_uint(writer, "now", reply->now_ms);
    value_write_pair_uint(writer, "version", NET_PROTOCOL_VERSION);
}

/* --- system.stats ----------------------------------------------------------------------------- */

#define WRITE_COUNTER(field) value_write_pair_uint(writer, #field, counters->field);

static void write_shards(struct value_writer *writer, const struct shard_counters *counters) {
    value_write_text(writer, "engine");
    value_write_map(writer, 9);
    WRITE_COUNTER(requests)
    WRITE_COUNTER(decisions)
    WRITE_COUNTER(drains)
    WRITE_COUNTER(refusals)
    WRITE_COUNTER(messages)
    WRITE_COUNTER(journal_full)
    WRITE_COUNTER(gate_waiting)
    WRITE_COUNTER(outages)
    WRITE_COUNTER(outage_ms)
}

static void write_money(struct value_writer *writer, const struct money_totals *counters) {
    value_write_text(writer, "money");
    value_write_map(writer, 6);
    WRITE_COUNTER(accounts)
    WRITE_COUNTER(charged)
    WRITE_COUNTER(balances)
    WRITE_COUNTER(reserved)
    WRITE_COUNTER(spent)
    WRITE_COUNTER(refunded)
}

static void write_net(struct value_writer *writer, const struct net_counters *counters) {
#define COUNT(name) +1
    value_write_text(writer, "net");
    value_write_map(writer, 0 NET_COUNTERS(COUNT));
    NET_COUNTERS(WRITE_COUNTER)
#undef COUNT
}

/* Atomics: read, whoever writes them. */
static uint64_t figure(const _Atomic uint64_t *value) {
    return value ? atomic_load_explicit(value, memory_order_relaxed) : 0;
}

static void write_figures(struct value_writer *writer, const struct process_figures *figures) {
#define COUNT(map, name) +1
#define WRITE(map, name)                                                                           \
    value_write_pair_uint(writer, #name, figure(figures ? &figures->map##_##name : NULL));
#define WRITE_MAP(map, FIGURES)                                                                    \
    value_write_text(writer, #map);                                                                \
    value_write_map(writer, 0 FIGURES(COUNT));                                                     \
    FIGURES(WRITE)
    PROCESS_FIGURE_MAPS(WRITE_MAP)
#undef WRITE_MAP
#undef WRITE
#undef COUNT
}

static void write_build(struct value_writer *writer, const struct process_figures *figures) {
    const char *version = figures ? figures->build.version : NULL;
    const char *git = figures ? figures->build.git : NULL;
#define COUNT(name, number) +1
#define WRITE(name, number) value_write_pair_uint(writer, #name, number);
    value_write_text(writer, "build");
    value_write_map(writer, 2 VERSIONS(COUNT));
    value_write_pair_text(writer, "version", version ? version : "unknown");
    value_write_pair_text(writer, "git", git ? git : "unknown");
    VERSIONS(WRITE)
#undef WRITE
#undef COUNT
}

#define COUNT_MAP(map, FIGURES) +1
#define FIGURE_MAPS (0 PROCESS_FIGURE_MAPS(COUNT_MAP))

void encode_stats(struct value_writer *writer, const struct reply *reply,
                  const struct encode_sources *sources, uint64_t *ret_lsn) {
    struct shard_counters shards;
    struct money_totals money;
    REQUIRE(sources->counters != NULL);
    board_read_shards(sources->board, &shards);
    board_read_money(sources->board, &money, ret_lsn);
    value_write_map(writer, 7 + FIGURE_MAPS);
    value_write_pair_uint(writer, "now", reply->now_ms);
    value_write_pair_uint(writer, "version", NET_PROTOCOL_VERSION);
    value_write_pair_uint(writer, "durable_lsn", sources->durable_lsn);
    write_build(writer, sources->figures);
    write_shards(writer, &shards);
    write_money(writer, &money);
    write_net(writer, sources->counters);
    write_figures(writer, sources->figures);
}
