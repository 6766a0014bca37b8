/* usherd_descriptors.c - see usherd_descriptors.h */
#include "tools/usherd/usherd_descriptors.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#define TEXT_BYTES 256u
#define OTHERS (DESCRIPTORS_OWN + DESCRIPTORS_ADMIN + DESCRIPTORS_KEPT)

uint32_t descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return CONNECTIONS_MIN + OTHERS; /* cannot be */
    rlim_t wanted = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur < DESCRIPTORS_MAX ? (uint32_t)limit.rlim_cur : DESCRIPTORS_MAX;
}

int descriptors_plan(uint32_t limit, uint32_t wanted, struct descriptors *ret_plan,
                     char *ret_text) {
    uint32_t connections = wanted > 0 ? wanted : CONNECTIONS_MIN;
    if (limit < OTHERS || limit - OTHERS < connections) {
        (void)snprintf(ret_text, TEXT_BYTES,
                       "this process may open %" PRIu32 " descriptors, but %" PRIu32
                       " connections and the engine's own files need %" PRIu64
                       ": raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)%s",
                       limit, connections, (uint64_t)connections + OTHERS,
                       wanted > CONNECTIONS_MIN ? ", or lower --connections-max" : "");
        return -1;
    }
    *ret_plan = (struct descriptors){
        .limit = limit,
        .connections_max = wanted > 0 ? wanted : limit - OTHERS,
        .public_below = limit - DESCRIPTORS_KEPT - DESCRIPTORS_ADMIN,
        .private_below = limit - DESCRIPTORS_KEPT,
    };
    return 0;
}
