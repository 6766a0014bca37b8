/* diary.h - what one client process was told, kept by itself
 *
 * Each process appends what the engine acknowledged or refused to a file of its own; the test reads
 * all of them at the end and holds them against the log. Entries are structs of this very program,
 * so they are written as they are.
 */
#ifndef USHER_TESTS_PROCESS_DIARY_H
#define USHER_TESTS_PROCESS_DIARY_H

#include <stdint.h>
#include <stdio.h>

#include "engine/domain/decision.h"
#include "engine/domain/error.h"

enum diary_kind {
    DIARY_ENTERED = 1, /* a token was given */
    DIARY_HELD,        /* seats were held */
    DIARY_REFUSED,     /* a hold was refused to an active user */
    DIARY_CHARGED,
    DIARY_PAID,
    DIARY_RELEASED,
    DIARY_CANCELLED, /* paid before, refunded now */
    DIARY_OWNS,      /* at the end: a reservation that is paid and was not cancelled */
    DIARY_HOLDS,     /* at the end: a reservation that is held */
    DIARY_BALANCE,   /* at the end: the wallet as this process has counted it */
};

struct diary_entry {
    uint32_t kind; /* enum diary_kind */
    uint32_t date;
    struct id128 user;
    struct id128 secret; /* ENTERED: the token's */
    struct id128 key;    /* CHARGED, PAID: digest */
    uint32_t place;      /* ENTERED */
    uint32_t error;      /* REFUSED */
    uint64_t data[2];    /* REFUSED */
    uint64_t reservation, payment;
    uint64_t amount, balance;
    struct numbers seats;          /* HELD, REFUSED: as asked */
    uint64_t sent_ms, received_ms; /* Unix ms: request and answer */
    uint64_t sent_us, received_us; /* CLOCK_MONOTONIC */
};

/* diary_path - of one process, in the test's folder */
void diary_path(const char *directory, uint32_t process, char ret_path[128]);

/* diary_open - Return: for diary_write() and fclose(); ends the program if it cannot */
FILE *diary_open(const char *directory, uint32_t process);
void diary_write(FILE *diary, const struct diary_entry *entry);

/* diary_read - Return: entries of this process, to be freed; ends the program if it cannot */
struct diary_entry *diary_read(const char *directory, uint32_t process, uint32_t *ret_count);

#endif
