/* visit.c - see visit.h */
#include "engine/domain/partition/visit.h"

#include "engine/domain/date/date.h"

static const struct date *date_of(const struct visit *visit) {
    return (const struct date *)visit->world->dates[visit->date];
}

/* To the newest row of the first date from here on that has any. */
static void go_on(struct visit *visit) {
    visit->row = NULL;
    for (; visit->date <= visit->last; visit->date++) {
        const struct date *date = date_of(visit);
        if (!date) continue;
        visit->row = reservations_of(&date->reservations, &visit->command->reservations.user);
        if (visit->row) return;
    }
}

void visit_begin(struct visit *visit, const struct world *world, const struct command *command,
                 struct verdict *verdict) {
    *visit = (struct visit){.world = world, .command = command};
    verdict_begin(verdict);
    verdict->reply_kind = REPLY_RESERVATION_END;
    if (command->partition == PARTITION_EVERY_DATE) {
        visit->date = 1;
        visit->last = world->date_count;
    } else {
        const struct date *date = (const struct date *)world_asked(world, command);
        if (!date || date_is_hidden(date, command->is_admin)) {
            visit->date = 1; /* and none is the last: no row */
            verdict_error(verdict, ERROR_NO_SUCH_DATE, command->reservations.date, 0, 0);
            return;
        }
        visit->date = visit->last = date->id;
    }
    go_on(visit);
}

bool visit_next(struct visit *visit, uint64_t now_ms, struct reply *ret_reply) {
    if (!visit->row) return false;
    const struct date *date = date_of(visit);
    ret_reply->kind = REPLY_RESERVATION_ITEM;
    ret_reply->now_ms = now_ms;
    ret_reply->reservation.date = date;
    ret_reply->reservation.reservation = visit->row;
    visit->row = reservations_older(&date->reservations, visit->row);
    if (!visit->row) {
        visit->date++;
        go_on(visit);
    }
    return true;
}
