/* mailbox.c - see mailbox.h */
#include "engine/runtime/mailbox.h"

#include <ck_ring.h>
#include <stdlib.h>

#include "engine/base/require.h"

/* ThreadSanitizer cannot see that Concurrency Kit's assembly orders memory: tell it that a sender's
 * writes happen before the receiver's reads. Nothing in other builds. */
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define SENDING(queue) __tsan_release(queue)
#define RECEIVED(queue) __tsan_acquire(queue)
#else
#define SENDING(queue) ((void)(queue))
#define RECEIVED(queue) ((void)(queue))
#endif

/* ck_ring keeps one slot free. */
struct mailbox {
    struct ck_ring ring;
    struct ck_ring_buffer *slots;
};

struct mailbox *mailbox_create(uint32_t capacity) {
    struct mailbox *mailbox = aligned_alloc(CK_MD_CACHELINE, (sizeof *mailbox + 63) / 64 * 64);
    REQUIRE_MEMORY(mailbox != NULL);
    REQUIRE((capacity & (capacity - 1)) == 0);
    mailbox->slots = calloc(capacity, sizeof *mailbox->slots);
    REQUIRE_MEMORY(mailbox->slots != NULL);
    ck_ring_init(&mailbox->ring, capacity);
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox) {
    free(mailbox->slots);
    free(mailbox);
}

bool mailbox_send(struct mailbox *mailbox, struct request *chain) {
    SENDING(mailbox);
    return ck_ring_enqueue_mpsc(&mailbox->ring, mailbox->slots, chain);
}

struct request *mailbox_receive(struct mailbox *mailbox) {
    void *chain = NULL;
    if (!ck_ring_dequeue_mpsc(&mailbox->ring, mailbox->slots, &chain)) return NULL;
    RECEIVED(mailbox);
    return chain;
}

bool mailbox_is_empty(const struct mailbox *mailbox) { return ck_ring_size(&mailbox->ring) == 0; }

CK_RING_PROTOTYPE(peer, peer_message)

struct lane {
    struct ck_ring ring;
    struct peer_message *slots;
};

struct lane *lane_create(uint32_t capacity) {
    struct lane *lane = aligned_alloc(CK_MD_CACHELINE, (sizeof *lane + 63) / 64 * 64);
    REQUIRE_MEMORY(lane != NULL);
    REQUIRE((capacity & (capacity - 1)) == 0);
    lane->slots = calloc(capacity, sizeof *lane->slots);
    REQUIRE_MEMORY(lane->slots != NULL);
    ck_ring_init(&lane->ring, capacity);
    return lane;
}

void lane_free(struct lane *lane) {
    if (!lane) return;
    free(lane->slots);
    free(lane);
}

bool lane_send(struct lane *lane, const struct peer_message *message) {
    struct peer_message copy = *message; /* ck's prototype takes it without const */
    SENDING(lane);
    return CK_RING_ENQUEUE_SPSC(peer, &lane->ring, lane->slots, &copy);
}

bool lane_receive(struct lane *lane, struct peer_message *ret_message) {
    if (!CK_RING_DEQUEUE_SPSC(peer, &lane->ring, lane->slots, ret_message)) return false;
    RECEIVED(lane);
    return true;
}

bool lane_is_empty(const struct lane *lane) { return ck_ring_size(&lane->ring) == 0; }
