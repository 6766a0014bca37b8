/* usher_diff.c - `usher diff`: what differs between two states, entity by entity, field by field */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/tell/compare.h"
#include "replay/tell/describe.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/common/log_folder.h"
#include "tools/usher/json_print.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"

struct diff_state {
    const char *directory;
    uint64_t lsn;
    uint64_t last_time_ms;
    uint64_t hash; /* of what is compared; 0: it is not there */
    struct world *world;
};

struct differences {
    const struct usher_arguments *arguments;
    uint64_t only_left, only_right, changed;
    uint64_t partitions;
    uint32_t last_partition;
    bool any;
};

/* --- two worlds ------------------------------------------------------------------------------- */

static int load(const char *directory, const struct log_point *point,
                struct diff_state *ret_state) {
    struct log_folder folder;
    struct recover_result result;
    struct diff_state state = {.directory = directory};
    struct snapshot_info from = {0};
    uint64_t lsn;
    if (log_folder_open(directory, true, &folder) < 0) return -1;
    int failed = log_point_resolve(&folder, point, LOG_POINT_AT, folder.end_lsn, &lsn);
    if (failed == 0 && folder.damage.code != 0 && !point->text) {
        complain("%s: %s.\nAsk for LSN %" PRIu64 ", the last sound one.", directory,
                 folder.damage.text, lsn);
        failed = -1;
    }
    if (failed == 0) failed = log_folder_world(&folder, lsn, true, &from, &state.world, &result);
    if (failed == 0) {
        state.lsn = result.last_lsn;
        state.last_time_ms = result.last_time_ms > from.last_time_ms ? result.last_time_ms
                                                                     : from.last_time_ms;
    }
    log_folder_close(&folder);
    if (failed == 0) *ret_state = state;
    return failed;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_whole(const struct compare_difference *difference,
                        const struct usher_arguments *arguments) {
    const struct entity *entity = difference->left ? difference->left : difference->right;
    char partition[TEXT_PARTITION_BYTES], line[DESCRIBE_LINE_BYTES];
    text_partition(difference->partition, partition);
    (void)describe_entity_text(entity, arguments->flags, line);
    const char *fields = strchr(line, ' ');
    printf("%s %c %s:%s\n", partition, difference->left ? '-' : '+', difference->name,
           fields ? fields : "");
}

static char *dump(const json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    REQUIRE_MEMORY(text);
    return text;
}

/* Keep the fields that differ. Secrets are compared, and hidden only afterwards. */
static void keep_different(json_t *left, json_t *right,
                           const struct compare_difference *difference) {
    json_t *a = describe_entity_fields(difference->left, DESCRIBE_TOKEN_SECRETS);
    json_t *b = describe_entity_fields(difference->right, DESCRIBE_TOKEN_SECRETS);
    const char *key;
    json_t *value;
    json_object_foreach(a, key, value) {
        if (!json_equal(value, json_object_get(b, key))) continue;
        (void)json_object_del(left, key); /* it is there: the same fields, hidden or not */
        (void)json_object_del(right, key);
    }
    json_decref(a);
    json_decref(b);
}

static void print_changed(const struct compare_difference *difference, const json_t *left,
                          const json_t *right) {
    char partition[TEXT_PARTITION_BYTES];
    text_partition(difference->partition, partition);
    printf("%s %s\n", partition, difference->name);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)left, key, value) {
        char *before = dump(value), *after = dump(json_object_get(right, key));
        printf("    %s %s -> %s\n", key, before, after);
        free(before);
        free(after);
    }
}

static void print_json(const struct compare_difference *difference, json_t *left, json_t *right) {
    const struct entity *entity = difference->left ? difference->left : difference->right;
    char partition[TEXT_PARTITION_BYTES];
    text_partition(difference->partition, partition);
    json_t *line = json_object();
    json_put_text(line, "partition", partition);
    json_put_text(line, "entity", entity_name(entity->kind));
    json_put_text(line, "key", difference->name);
    json_put(line, "left", left ? json_incref(left) : NULL);
    json_put(line, "right", right ? json_incref(right) : NULL);
    (void)json_print(line); /* a closed pipe is found after each difference */
}

static int tell(void *context, const struct compare_difference *difference) {
    struct differences *all = context;
    uint32_t flags = all->arguments->flags;
    json_t *left = difference->left ? describe_entity_fields(difference->left, flags) : NULL;
    json_t *right = difference->right ? describe_entity_fields(difference->right, flags) : NULL;
    if (left && right) keep_different(left, right, difference);
    all->partitions += !all->any || all->last_partition != difference->partition;
    all->any = true;
    all->last_partition = difference->partition;
    all->only_left += !right;
    all->only_right += !left;
    all->changed += left && right;
    if (all->arguments->json) {
        print_json(difference, left, right);
    } else if (left && right) {
        print_changed(difference, left, right);
    } else {
        print_whole(difference, all->arguments);
    }
    json_decref(left);
    json_decref(right);
    return ferror(stdout) ? -1 : 0;
}

static void print_header(const char *mark, const struct diff_state *state) {
    char time[TEXT_TIME_BYTES] = "nothing decided yet";
    if (state->last_time_ms > 0) text_time(state->last_time_ms, time);
    printf("%s %s, LSN %" PRIu64 ", %s\n", mark, state->directory, state->lsn, time);
}

static void print_sum(const struct differences *all, const struct diff_state sides[2]) {
    if (!all->arguments->json) {
        if (!all->any) {
            printf("The two states are the same.\n");
            return;
        }
        printf("%" PRIu64 " partition%s differ: %" PRIu64 " entities only on the right, %" PRIu64
               " only on the left, %" PRIu64 " in both but not the same.\n",
               all->partitions, all->partitions == 1 ? "" : "s", all->only_right, all->only_left,
               all->changed);
        return;
    }
    json_t *line = json_object();
    json_put_number(line, "left_lsn", sides[0].lsn);
    json_put_number(line, "right_lsn", sides[1].lsn);
    json_put_hash(line, "left_hash", sides[0].hash);
    json_put_hash(line, "right_hash", sides[1].hash);
    json_put_number(line, "only_left", all->only_left);
    json_put_number(line, "only_right", all->only_right);
    json_put_number(line, "changed", all->changed);
    (void)json_print(line);
}

/* --- comparing -------------------------------------------------------------------------------- */

static int compare(struct diff_state sides[2], uint32_t partition, struct differences *all) {
    const struct partition *pair[2];
    for (uint32_t i = 0; i < 2; i++) pair[i] = world_find(sides[i].world, partition);
    return compare_partitions(pair[0], pair[1], tell, all);
}

static int compare_worlds(struct diff_state sides[2], struct differences *all) {
    if (all->arguments->date != 0) {
        uint32_t partition = partition_of_date(all->arguments->date);
        if (!world_find(sides[0].world, partition) && !world_find(sides[1].world, partition)) {
            complain("there is no date %" PRIu32 " in either state", all->arguments->date);
            return -1;
        }
        for (uint32_t i = 0; i < 2; i++) {
            const struct partition *date = world_find(sides[i].world, partition);
            sides[i].hash = date ? partition_hash(date) : 0;
        }
        return compare(sides, partition, all);
    }
    for (uint32_t i = 0; i < 2; i++) sides[i].hash = world_hash(sides[i].world);
    int result = compare(sides, PARTITION_CATALOGUE, all);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS && result == 0; i++) {
        result = compare(sides, PARTITION_ACCOUNT_FIRST + i, all);
    }
    for (uint32_t date = 1; date <= DATES_MAX && result == 0; date++) {
        result = compare(sides, partition_of_date(date), all);
    }
    return result;
}

static int diff(const struct usher_arguments *arguments) {
    const char *right = arguments->folders[arguments->folder_count - 1];
    struct diff_state sides[2] = {0};
    struct differences all = {.arguments = arguments};
    int status = USHER_FAILED;
    if (load(arguments->folders[0], &arguments->from, &sides[0]) == 0 &&
        load(right, &arguments->to, &sides[1]) == 0) {
        if (!arguments->json) {
            print_header("---", &sides[0]);
            print_header("+++", &sides[1]);
        }
        if (compare_worlds(sides, &all) == 0) {
            print_sum(&all, sides);
            status = all.any && arguments->exit_code ? USHER_FAILED : USHER_DONE;
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (sides[i].world) world_free(sides[i].world);
    }
    return fflush(stdout) == 0 ? status : USHER_FAILED;
}

static void check(const struct usher_arguments *arguments, struct argp_state *state) {
    if (arguments->folder_count == 1 && !arguments->from.text && !arguments->to.text) {
        argp_error(state, "compare what with what? Give --from X, --to X, or two folders");
    }
}

int usher_diff(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_FROM("The state on the left, in DIR; its end if left out"),
        OPTION_TO("The state on the right, in DIR2, or DIR if there is none; its end if left out"),
        OPTION_DATE("Only this date"),
        {"exit-code", KEY_EXIT_CODE, NULL, 0, "Exit status 1 if they differ", 0},
        OPTION_JSON,
        OPTION_TOKEN_SECRETS,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR [DIR2]",
        "Compare two states of one log, or of two (a restored folder, a copy), entity by entity "
        "and "
        "field by field.\v" X_HELP
        "\n\nExit status: 0 compared; 1 failed, or with --exit-code they "
        "differ.",
        1,
        2,
        check};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    return diff(&arguments);
}
