/* wall.c - see wall.h */
#include "tests/process/wall.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/process/common.h"

#define NS_PER_MS 1000000

void wall_open(struct wall *wall, const char *directory) {
    const int64_t nothing = 0;
    (void)snprintf(wall->path, sizeof wall->path, "%.80s/wall-clock", directory);
    int file = open(wall->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(file >= 0 && write(file, &nothing, sizeof nothing) == sizeof nothing);
    void *page = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    REQUIRE(page != MAP_FAILED && close(file) == 0);
    wall->set_ns = page;
}

void wall_close(struct wall *wall) {
    if (wall->set_ns) REQUIRE(munmap((void *)(uintptr_t)wall->set_ns, sizeof *wall->set_ns) == 0);
    wall->set_ns = NULL;
}

void wall_set(struct wall *wall, uint64_t now_ms) {
    atomic_store(wall->set_ns, (int64_t)(now_ms - wall_ms()) * NS_PER_MS);
}

void wall_step(struct wall *wall, int64_t ms) {
    (void)atomic_fetch_add(wall->set_ns, ms * NS_PER_MS); /* what it was does not matter */
}

uint64_t wall_now_ms(const struct wall *wall) {
    return wall_ms() + (uint64_t)(atomic_load(wall->set_ns) / NS_PER_MS);
}

void wall_lend(const struct wall *wall, bool lend) {
    if (!lend) {
        REQUIRE(unsetenv("LD_PRELOAD") == 0);
        return;
    }
    const char *shim = getenv("WALL_SHIM"), *asan = getenv("ASAN_OPTIONS");
    char *options;
    if (!shim || access(shim, R_OK) != 0) {
        note("WALL_SHIM must name the library of wall_shim.c; meson test does that");
        exit(EXIT_FAILURE);
    }
    /* A sanitizer wants to come before the shim, and does not need to. */
    REQUIRE(asprintf(&options, "%s:verify_asan_link_order=0", asan ? asan : "") > 0);
    REQUIRE(setenv("ASAN_OPTIONS", options, 1) == 0);
    free(options);
    REQUIRE(setenv("WALL_SHIM_FILE", wall->path, 1) == 0 && setenv("LD_PRELOAD", shim, 1) == 0);
}
