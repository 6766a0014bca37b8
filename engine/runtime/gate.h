/* gate.h - replies wait here until everything they saw is durable
 *
 * First in, first out; a reply's LSN is its request's. One that must wait for more than those
 * behind it holds them up for at most one group commit. Intrusive: linked by request.next, bounded
 * by the requests that net can have in flight, allocates nothing.
 * Thread: the shard that owns it, alone.
 */
#ifndef USHER_ENGINE_RUNTIME_GATE_H
#define USHER_ENGINE_RUNTIME_GATE_H

#include "engine/runtime/request.h"

struct gate {
    struct request *first, *last;
    uint64_t count;
};

static inline void gate_enter(struct gate *gate, struct request *request) {
    request->next = NULL;
    if (gate->last) {
        gate->last->next = request;
    } else {
        gate->first = request;
    }
    gate->last = request;
    gate->count++;
}

/* gate_leave - Return: the next reply that may go out, or NULL */
static inline struct request *gate_leave(struct gate *gate, uint64_t durable_lsn) {
    struct request *request = gate->first;
    if (!request || request->lsn > durable_lsn) return NULL;
    gate->first = request->next;
    if (!gate->first) gate->last = NULL;
    gate->count--;
    return request;
}

#endif
