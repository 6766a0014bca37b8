/* usherd_watch.c - see usherd_watch.h */
#include "tools/usherd/usherd_watch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"

void usherd_watch_init(struct usherd_watch *watch,
                       void (*tell)(enum watch_state state, const char *name, const char *text)) {
    pthread_condattr_t attributes;
    *watch = (struct usherd_watch){.tell = tell ? tell : usherd_watch_tell};
    REQUIRE(pthread_mutex_init(&watch->mutex, NULL) == 0);
    REQUIRE(pthread_condattr_init(&attributes) == 0);
    REQUIRE(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    REQUIRE(pthread_cond_init(&watch->leave, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
}

void usherd_watch_add(struct usherd_watch *watch, const char *name,
                      enum watch_state (*look)(void *context, char *ret_text), void *context) {
    REQUIRE(!watch->running && watch->count < WATCH_CHECKS_MAX);
    watch->checks[watch->count++] = (struct watch_check){
        .name = name, .look = look, .context = context};
}

/* By write(): a stream may be locked by a thread that hangs. Nor may we hang because nobody
 * reads. */
void usherd_watch_tell(enum watch_state state, const char *name, const char *text) {
    char line[WATCH_TEXT_BYTES + 128];
    const char *begin = state == WATCH_STOP ? "ALARM: " : "";
    int size = snprintf(line, sizeof line, "usherd: %s%s: %s\n", begin, name,
                        state == WATCH_FINE ? "well again" : text);
    struct pollfd stream = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&stream, 1, 0) == 1 && (stream.revents & POLLOUT)) {
        ssize_t written = write(STDERR_FILENO, line, strnlen(line, (size_t)size));
        (void)written;
    }
    if (state == WATCH_STOP) _exit(EXIT_FAILURE);
}

static void look_at(struct usherd_watch *watch, struct watch_check *check, uint64_t now_ms) {
    char text[WATCH_TEXT_BYTES] = "";
    enum watch_state state = check->look(check->context, text);
    bool again = state == WATCH_WARN && now_ms - check->told_ms >= WATCH_AGAIN_MS;
    if (state == check->told && !again) return;
    /* Off and on again within the minute is no news either. */
    bool soon = check->told_ms != 0 && now_ms - check->told_ms < WATCH_AGAIN_MS;
    if (state == WATCH_WARN && check->told == WATCH_FINE && soon) return;
    watch->tell(state, check->name, text);
    check->told = state;
    if (state != WATCH_FINE) check->told_ms = now_ms;
}

void usherd_watch_step(struct usherd_watch *watch, uint64_t now_ms) {
    for (uint32_t i = 0; i < watch->count; i++) look_at(watch, &watch->checks[i], now_ms);
}

static void *watch_main(void *argument) {
    struct usherd_watch *watch = argument;
    (void)pthread_setname_np(pthread_self(), "usherd-watch");
    struct timespec next;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &next) == 0);
    pthread_mutex_lock(&watch->mutex);
    while (!watch->leaving) {
        pthread_mutex_unlock(&watch->mutex);
        struct timespec now;
        REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
        usherd_watch_step(watch, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
        next = now;
        next.tv_sec += WATCH_EVERY_MS / 1000;
        pthread_mutex_lock(&watch->mutex);
        int rc = 0;
        while (!watch->leaving && rc == 0) {
            rc = pthread_cond_timedwait(&watch->leave, &watch->mutex, &next);
        }
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

int usherd_watch_start(struct usherd_watch *watch) {
    int rc = pthread_create(&watch->thread, NULL, watch_main, watch);
    watch->running = rc == 0;
    return rc;
}

void usherd_watch_stop(struct usherd_watch *watch) {
    if (!watch->running) return;
    pthread_mutex_lock(&watch->mutex);
    watch->leaving = true;
    pthread_cond_broadcast(&watch->leave);
    pthread_mutex_unlock(&watch->mutex);
    REQUIRE(pthread_join(watch->thread, NULL) == 0);
    watch->running = false;
}
