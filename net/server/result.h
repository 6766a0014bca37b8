/* result.h - how the calls of net/server end */
#ifndef USHER_NET_SERVER_RESULT_H
#define USHER_NET_SERVER_RESULT_H

enum net_result {
    NET_OK = 0,
    NET_TIMEOUT = 1,      /* net_server_stop: frames are still unanswered */
    NET_BAD_OPTIONS = -1, /* a URL or number that cannot be */
    NET_NO_MEMORY = -2,
    NET_LISTEN = -3, /* an address cannot be bound */
    NET_SYSTEM = -4, /* nng or the system refuses */
};

/* What went wrong, for a person. */
struct net_error {
    char text[512];
};

#endif
