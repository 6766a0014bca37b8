/* follow.h - which decisions concern a seat, a user or a reservation
 *
 * Most decisions name whom they concern by a number that an earlier decision handed out: a place in
 * the line, a reservation, a payment. A follower is shown all decisions in order and remembers what
 * those numbers mean, as far as they concern its subject. What they mean never changes, so it may
 * also learn from the image of a state (entities), should the log not begin at the beginning; the
 * state may be older or newer than the decisions that follow. (What is active or unpaid does
 * change: with a newer state, a credit that came before a turn or hold may be taken to concern it.)
 *
 * Memory: one entry for each reservation, payment and place of the subject. Thread: one at a time.
 */
#ifndef USHER_REPLAY_TELL_FOLLOW_H
#define USHER_REPLAY_TELL_FOLLOW_H

#include "engine/domain/entity.h"

enum subject_kind {
    SUBJECT_NONE = 0,
    SUBJECT_SEAT,        /* date, seat; and the reservations that had it, but for their money */
    SUBJECT_USER,        /* user; on all dates, and the wallet */
    SUBJECT_RESERVATION, /* reservation; and its money */
};

struct subject {
    enum subject_kind kind;
    uint32_t date, seat;
    uint64_t reservation; /* dated_id */
    struct id128 user;
};

/* What is known of a reservation that concerns the subject. */
struct followed {
    uint64_t reservation; /* dated_id */
    struct id128 user;
    struct numbers seats;
    uint64_t amount;
    uint32_t place; /* of the token it was made with */
    bool unpaid;    /* HELD or PAYING now, as far as was shown: an outage extends it */
};

struct follow;

/* follow_open - Return: owned by the caller until follow_close() */
struct follow *follow_open(const struct subject *subject);
void follow_close(struct follow *follow);

/* follow_entity - learn from an entity of a partition's image */
void follow_entity(struct follow *follow, uint32_t partition, const struct entity *entity);

/* follow_decision - learn from the next decision of the log
 * Return: true if it concerns the subject */
bool follow_decision(struct follow *follow, const struct decision *decision);

/* follow_known - what is known of a reservation; borrowed, NULL if it does not concern the
 * subject */
const struct followed *follow_known(const struct follow *follow, uint64_t reservation);

/* follow_reservation_of - the reservation that a decision is about, as a dated_id, 0 if about none,
 * or its payment is not known */
uint64_t follow_reservation_of(const struct follow *follow, const struct decision *decision);

#endif
