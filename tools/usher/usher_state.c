/* usher_state.c - `usher state`: the state of everything, a date, a seat, a user or a reservation,
 * at any LSN or moment
 *
 * Happy path: a world at that LSN (newest snapshot and the log after it); the entities of its image
 * that belong to the answer are picked out of one walk; state_print.c puts them into words.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"
#include "engine/domain/date/date.h"
#include "replay/tell/describe.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/common/log_folder.h"
#include "tools/usher/json_print.h"
#include "tools/usher/state_print.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"

/* --- what belongs to the answer --------------------------------------------------------------- */

static bool has_seat(const struct numbers *seats, uint32_t seat) {
    for (uint32_t i = 0; i < seats->count; i++) {
        if (seats->values[i] == seat) return true;
    }
    return false;
}

static bool wants_reservation(const struct subject *subject, uint32_t date,
                              const struct entity_reservation *reservation) {
    switch (subject->kind) {
    case SUBJECT_SEAT:
        return reservation_is_live(reservation->state) &&
               has_seat(&reservation->seats, subject->seat);
    case SUBJECT_USER: return id128_equal(&reservation->user, &subject->user);
    case SUBJECT_RESERVATION:
        return dated_id(date, reservation->reservation) == subject->reservation;
    default: return false;
    }
}

static bool wants(struct state_walk *walk, const struct entity *entity) {
    const struct subject *subject = &walk->subject;
    bool user = subject->kind == SUBJECT_USER;
    switch (entity->kind) {
    case ENTITY_SEAT: return subject->kind == SUBJECT_SEAT && entity->seat.number == subject->seat;
    case ENTITY_RESERVATION: return wants_reservation(subject, walk->date, &entity->reservation);
    case ENTITY_WAITER:
        if (entity->waiter.state == TOKEN_WAITING) walk->waiting++;
        return user && id128_equal(&entity->waiter.user, &subject->user);
    case ENTITY_ACCOUNT:
        walk->in_account = user && id128_equal(&entity->account.user, &subject->user);
        return walk->in_account;
    case ENTITY_LEDGER_ROW: return walk->in_account;
    case ENTITY_TRANSFER: return user && id128_equal(&entity->transfer.user, &subject->user);
    default: return false;
    }
}

/* image_sink.put: of one partition after the other */
static int pick(void *context, const struct entity *entity, const uint8_t *bytes, uint32_t size) {
    struct state_walk *walk = context;
    (void)bytes;
    (void)size;
    if (!wants(walk, entity)) return 0;
    walk->found++;
    if (walk->json) {
        state_collect(walk, entity);
    } else {
        state_print(walk, entity);
    }
    return ferror(stdout) ? -1 : 0;
}

/* image_sink.put: all of a date, as it is */
static int print_entity(void *context, const struct entity *entity, const uint8_t *bytes,
                        uint32_t size) {
    struct state_walk *walk = context;
    (void)bytes;
    (void)size;
    if (walk->json) {
        char partition[TEXT_PARTITION_BYTES];
        text_partition(partition_of_date(walk->date), partition);
        json_t *line = json_object();
        json_put_text(line, "partition", partition);
        json_put_text(line, "entity", entity_name(entity->kind));
        json_put(line, "fields", describe_entity_fields(entity, walk->flags));
        return json_print(line);
    }
    char line[DESCRIBE_LINE_BYTES];
    (void)describe_entity_text(entity, walk->flags, line);
    return puts(line) == EOF ? -1 : 0;
}

static int walk_partition(struct state_walk *walk, uint32_t id,
                          int (*put)(void *context, const struct entity *entity,
                                     const uint8_t *bytes, uint32_t size)) {
    const struct partition *partition = world_find(walk->world, id);
    const struct image_sink sink = {put, walk};
    if (!partition) return 0;
    walk->date = partition_is_date(id) ? id - PARTITION_DATE_FIRST : 0;
    walk->waiting = 0;
    walk->in_account = false;
    return image_save_partition(partition, &sink);
}

/* --- the answers ------------------------------------------------------------------------------ */

/* Return: exit status */
static int tell_date(struct state_walk *walk, uint32_t date) {
    if (!world_find(walk->world, partition_of_date(date))) {
        complain("there is no date %" PRIu32 " at LSN %" PRIu64, date, walk->lsn);
        return USHER_FAILED;
    }
    walk->date = date;
    if (walk->json) {
        json_t *line = state_json(walk);
        json_put_number(line, "date", date);
        if (json_print(line) < 0) return USHER_FAILED;
    } else {
        state_print_head(walk);
        state_print_date(walk, date);
    }
    return walk_partition(walk, partition_of_date(date), print_entity) == 0 ? USHER_DONE
                                                                            : USHER_FAILED;
}

/* The seat, user or reservation; Return: exit status */
static int tell_subject(struct state_walk *walk, uint32_t only_date) {
    int result = 0;
    if (walk->json) {
        walk->answer = state_json(walk);
    } else {
        state_print_head(walk);
    }
    if (walk->subject.kind == SUBJECT_USER && only_date == 0) {
        result = walk_partition(walk, partition_of_user(&walk->subject.user), pick);
    }
    uint32_t one = walk->subject.kind == SUBJECT_RESERVATION
                       ? dated_id_date(walk->subject.reservation)
                       : only_date;
    for (uint32_t date = 1; date <= walk->world->date_count && result == 0; date++) {
        if (one == 0 || one == date) result = walk_partition(walk, partition_of_date(date), pick);
    }
    if (walk->json) {
        if (walk->found > 0 && json_print(json_incref(walk->answer)) < 0) result = -1;
        json_decref(walk->answer);
    } else if (walk->subject.kind == SUBJECT_SEAT && walk->found == 1) {
        state_print_free_seat();
    }
    if (result != 0) return USHER_FAILED;
    if (walk->found > 0) return USHER_DONE;
    complain("nothing is known of this %s at LSN %" PRIu64
             ". What the engine has forgotten is in usher history.",
             walk->subject.kind == SUBJECT_USER ? "user" : "reservation", walk->lsn);
    return USHER_FAILED;
}

static int tell_world(struct state_walk *walk) {
    if (walk->json) return json_print(state_world_json(walk)) == 0 ? USHER_DONE : USHER_FAILED;
    state_print_head(walk);
    state_print_world(walk);
    return USHER_DONE;
}

static int state_of_folder(struct log_folder *folder, const struct usher_arguments *arguments) {
    uint64_t lsn;
    struct snapshot_info from = {0};
    struct recover_result result;
    struct world *world;
    if (log_point_resolve(folder, &arguments->at, LOG_POINT_AT, folder->end_lsn, &lsn) < 0) {
        return USHER_FAILED;
    }
    if (log_folder_world(folder, lsn, true, &from, &world, &result) < 0) return USHER_FAILED;
    struct state_walk walk = {
        .world = world,
        .lsn = result.last_lsn,
        .last_time_ms = result.last_time_ms > from.last_time_ms ? result.last_time_ms
                                                                : from.last_time_ms,
        .asked_at = arguments->at.is_moment ? arguments->at.value : 0,
        .json = arguments->json,
        .flags = arguments->flags,
    };
    int status = USHER_FAILED;
    if (usher_subject(arguments, world, &walk.subject) == 0) {
        status = walk.subject.kind != SUBJECT_NONE ? tell_subject(&walk, arguments->date)
                 : arguments->date != 0            ? tell_date(&walk, arguments->date)
                                                   : tell_world(&walk);
    }
    world_free(world);
    return fflush(stdout) == 0 ? status : USHER_FAILED;
}

int usher_state(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_AT("The state at this point; now, as far as the log goes, if left out"),
        OPTION_DATE("This date: all of it, or with --user only what the user has there"),
        OPTION_SEAT,
        OPTION_USER,
        OPTION_RESERVATION,
        OPTION_JSON,
        OPTION_TOKEN_SECRETS,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Show the state at any point of the log: who has the seat, what the user has, what became "
        "of the reservation, everything about a date; without any of these a summary.\v" X_HELP
        "\n\nFor example: who held section A row 12 seat 7 at 20:00:03.250?\n"
        "    usher state data --date 7 --seat A/12/7 --at 2026-11-21T20:00:03.250Z\n\n"
        "Exit status: 0 told; 1 there is no such date, seat, user or reservation then, or the log "
        "cannot be read.",
        1,
        1,
        usher_check_subject};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    bool damaged_too = arguments.at.text != NULL; /* what is sound is asked for by name */
    return usher_in_folder(&arguments, damaged_too, state_of_folder);
}
