/* log_subject.c - see log_subject.h */
#include "tools/usher/log_subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/domain/image/image.h"
#include "tools/common/complain.h"

/* Learning from an image that belongs to one partition after the other. */
struct subject_learning {
    struct follow *follow;
    uint32_t partition;
};

static int learn(void *context, const struct entity *entity, const uint8_t *bytes, uint32_t size) {
    struct subject_learning *learning = context;
    (void)bytes;
    (void)size;
    if (entity->kind == ENTITY_PARTITION) learning->partition = entity->partition.partition;
    follow_entity(learning->follow, learning->partition, entity);
    return 0;
}

/* What the log's deleted beginning would have told. */
static int learn_beginning(struct log_folder *folder, uint64_t to_lsn, struct follow *follow) {
    struct snapshot_info info;
    struct world *world;
    complain("the log before LSN %" PRIu64 " was deleted: what happened there is not "
             "shown",
             folder->first_lsn); /* what is left can be shown all the same; and below */
    int result = log_folder_oldest_snapshot(folder, to_lsn, &info, &world);
    if (result < 0) return -1;
    if (result > 0) {
        complain("no snapshot tells what came before: decisions that name a "
                 "reservation or place from before it may be missing");
        return 0;
    }
    struct subject_learning learning = {.follow = follow};
    const struct image_sink sink = {learn, &learning};
    (void)image_save(world, &sink);
    world_free(world);
    return 0;
}

static bool is_number(const char *text) { return text[strspn(text, "0123456789")] == '\0'; }

int log_subject_open(struct log_folder *folder, const struct usher_arguments *arguments,
                     uint64_t to_lsn, bool wants_world, struct log_subject *ret_subject) {
    struct log_subject subject = {0};
    struct recover_result result;
    bool by_label = arguments->seat && !is_number(arguments->seat);
    if ((wants_world || by_label) &&
        log_folder_world(folder, to_lsn, true, NULL, &subject.world, &result) < 0) {
        return -1;
    }
    if (usher_subject(arguments, subject.world, &subject.subject) < 0) {
        log_subject_close(&subject);
        return -1;
    }
    if (subject.subject.kind != SUBJECT_NONE) {
        subject.follow = follow_open(&subject.subject);
        if (folder->first_lsn > 0 && learn_beginning(folder, to_lsn, subject.follow) < 0) {
            log_subject_close(&subject);
            return -1;
        }
    }
    *ret_subject = subject;
    return 0;
}

void log_subject_close(struct log_subject *subject) {
    follow_close(subject->follow);
    if (subject->world) world_free(subject->world);
    *subject = (struct log_subject){0};
}
