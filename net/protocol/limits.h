/* limits.h - capacities of the network side, with their reasons
 *
 * What a client can run into is part of the protocol (PROTOCOL.md, "Limits"); frame and request
 * limits that the engine shares are in engine/base/limits.h.
 */
#ifndef USHER_NET_PROTOCOL_LIMITS_H
#define USHER_NET_PROTOCOL_LIMITS_H

#include "engine/base/limits.h"
#include "engine/base/version.h"

/* Version of the protocol that PROTOCOL.md specifies; system.ping tells it. */
#define NET_PROTOCOL_VERSION VERSION_PROTOCOL

/* Arrays and maps within each other. The deepest message of the protocol has 6 (a policy inside a
 * response inside a batch would be 3); msgpack-c itself stops at 32. */
#define NET_DEPTH_MAX 8u

/* A parameter's name in an error; one that is longer is not shown. */
#define PARAM_NAME_BYTES_MAX 64u
/* A response up to this size needs no memory of its own: it covers every reply but the lists and
 * holds of seats with long labels. */
#define NET_REPLY_INLINE_BYTES 512u
/* Longest response. seats.list of SEATS_LIST_MAX seats whose four texts all have TEXT_BYTES_MAX
 * bytes needs 1.2 MB; catalogue.dates of DATES_MAX dates 1.6 MB. */
#define NET_RESPONSE_BYTES_MAX (2u * 1024u * 1024u)
/* Longest response of anything but a list: sixteen seats whose labels are as long as can be. */
#define NET_RESPONSE_SMALL_BYTES_MAX (16u * 1024u)
/* List responses of one frame, together; those that do not fit any more are answered BUSY (they
 * changed nothing). */
#define NET_REPLY_LISTS_BYTES_MAX (15u * 1024u * 1024u)
/* Longest reply frame: those lists, and REQUESTS_PER_FRAME_MAX answers of any other kind. */
#define NET_REPLY_FRAME_BYTES_MAX (32u * 1024u * 1024u)
/* Memory that responses above NET_REPLY_INLINE_BYTES may take together, over all frames; above it
 * lists are answered BUSY. */
#define NET_REPLY_HEAP_BYTES_MAX (256u * 1024u * 1024u)
/* reservation.list stops here and says `truncated`: a user who holds and releases in a loop has
 * tens of thousands of reservations. */
#define NET_RESERVATION_LIST_BYTES_MAX (1024u * 1024u)

/* Public listeners of one server: an IPv4, an IPv6 and a local address, and one to spare. */
#define NET_LISTENERS_MAX 4u
#define NET_URL_BYTES_MAX 160u

/* Frames in flight. A frame is in flight for about one group commit (0.1 to 0.3 ms), so 100,000
 * frames a second keep about 30 contexts busy; 256 absorb a flush that takes ten times as long.
 * When all are taken, nng stops reading and TCP pushes back. Frames of n requests under way at the
 * same time keep about n x 0.8 KiB each. */
#define NET_CONTEXTS_DEFAULT 256u
#define NET_CONTEXTS_MAX 4096u
#define NET_ADMIN_CONTEXTS 16u

/* What a BUSY answer recommends: ten group commits. */
#define NET_BUSY_RETRY_MS 5u
/* A gateway that does not read its replies for so long is disconnected: its frames would keep the
 * contexts from everybody else. */
#define NET_SEND_TIMEOUT_MS 5000u
/* The accept watchdog: how often it looks, and how long a listener may take to answer. */
#define NET_WATCH_INTERVAL_MS 1000u
#define NET_WATCH_TIMEOUT_MS 1000u

_Static_assert(REQUESTS_PER_FRAME_MAX *NET_RESPONSE_SMALL_BYTES_MAX + NET_REPLY_LISTS_BYTES_MAX <=
                   NET_REPLY_FRAME_BYTES_MAX,
               "the answers to a whole frame fit a reply frame");
_Static_assert(NET_RESPONSE_BYTES_MAX <= NET_REPLY_LISTS_BYTES_MAX, "a list fits a reply frame");
_Static_assert(SEATS_LIST_MAX *(4u * TEXT_BYTES_MAX + 120u) <= NET_RESPONSE_BYTES_MAX,
               "a page of seats fits a response");
_Static_assert(DATES_MAX *(TEXT_BYTES_MAX + 180u) <= NET_RESPONSE_BYTES_MAX,
               "all dates of a concert fit a response");

#endif
