/* bench_replay.c - how fast a log becomes a state again, on one core
 *
 *     bench_replay [FOLDER [FANS]]   where the log is written; default: a new one under /tmp. Fewer
 *                                    fans than usual, for tools that count instructions
 *
 * Makes a log of some four million decisions as a busy evening leaves it, then replays it ROUNDS
 * times as a start does: read the segments, check every checksum and the chain, decode, apply. Then
 * the state of a full house (1 M waiters, 100 k seats and reservations) as an image, in memory.
 *
 * The mix: of ten fans who enter and are admitted, five book (charge, hold, pay: eight decisions in
 * all), two give their seat back and leave, two fall silent with a seat in hand, one finds the seat
 * taken. On four dates at once.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/stepper.h"
#include "bench/measure.h"
#include "engine/domain/image/image.h"
#include "engine/base/require.h"
#include "replay/source/recover.h"
#include "replay/source/source_wal.h"
#include "tools/common/complain.h"
#include "wal/wal.h"

#define ROUNDS 7
#define DATES 4u
#define SEATS 100000u
#define FANS 720000u
#define PENDING 2000u             /* fans between entering and acting: 25 seconds */
#define ACTIVE 4000u              /* of a date: those, and the silent ones */
#define DRAIN_BYTES (16u * 1024u) /* a busy shard's drain; the writer makes larger blocks of them */

/* --- making the log --------------------------------------------------------------------------- */

static uint64_t log_clock(void *context) { return ((struct stepper *)context)->now_ms; }
static void log_entropy(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 42, size);
}

static void append(void *context, const uint8_t *bytes, uint32_t size) {
    struct wal *wal = context;
    uint64_t lsn;
    int rc;
    while ((rc = wal_append(wal, 0, bytes, size, &lsn)) == WAL_FULL) {
        REQUIRE(wal_writer_step(wal, true) >= 0);
    }
    REQUIRE(rc == 0);
}

struct replay_fan {
    uint32_t n, seat;
    struct token token;
};

/* One fan's evening, from the moment of being active. */
static void live(struct stepper *stepper, struct partition *date, const struct replay_fan *fan) {
    uint64_t reservation;
    switch (fan->n / DATES % 10) {
    case 5:
    case 6:
        reservation = stepper_hold(stepper, date, &fan->token, fan->seat);
        stepper_release(stepper, date, &fan->token, reservation);
        stepper_leave(stepper, date, &fan->token);
        break;
    case 7:
    case 8: (void)stepper_hold(stepper, date, &fan->token, fan->seat); break;
    case 9:
        (void)stepper_hold(stepper, date, &fan->token, fan->seat);
        stepper_leave(stepper, date, &fan->token);
        break;
    default:
        stepper_charge(stepper, fan->n, 100);
        reservation = stepper_hold(stepper, date, &fan->token, fan->seat);
        stepper_pay(stepper, date, &fan->token, reservation);
        break;
    }
}

/* Seats go in shuffled order; whoever comes later than a seat's first buyer finds it taken. */
static uint32_t seat_of(uint32_t n, uint32_t seats) {
    uint32_t turn = n / DATES, ten = turn / 10, fan = turn % 10;
    uint32_t nth = ten * 5 + (fan < 5 ? fan : 0);
    if (fan >= 5 && fan < 9) nth = seats - 1 - ten % (seats / 50) * 4 - (fan - 5);
    return (uint32_t)(nth * 48271ull % seats) + 1;
}

static uint64_t make_log(struct storage *storage, uint32_t fans, uint64_t *ret_hash) {
    struct stepper *stepper = stepper_new(NULL);
    struct wal_options options = {.storage = storage,
                                  .clock = {stepper, log_clock},
                                  .appenders = 1,
                                  .entropy = {NULL, log_entropy}};
    struct wal *wal;
    struct wal_error error;
    REQUIRE(wal_open(&options, NULL, &wal, &error) == 0);
    stepper->flush = append;
    stepper->flush_context = wal;
    stepper->log_capacity = DRAIN_BYTES + RECORD_BYTES_MAX;
    struct partition *dates[DATES];
    uint32_t seats = (uint32_t)((uint64_t)SEATS * fans / FANS);
    for (uint32_t i = 0; i < DATES; i++) dates[i] = stepper_date(stepper, seats, ACTIVE);
    static struct replay_fan pending[PENDING]; /* entered, and doing nothing yet */
    for (uint32_t n = 0; n < fans; n++) {
        struct replay_fan *fan = &pending[n % PENDING];
        if (n >= PENDING) live(stepper, dates[fan->n % DATES], fan);
        *fan = (struct replay_fan){n, seat_of(n, seats),
                                   stepper_enter(stepper, dates[n % DATES], n)};
        if (n % 8 == 0) stepper->now_ms += 100;
        if (n % 32 == 0) stepper_due(stepper, dates[n / 32 % DATES]);
    }
    stepper_flush(stepper);
    REQUIRE(wal_stop(wal) == 0);
    wal_close(wal);
    uint64_t decisions = stepper->decisions;
    *ret_hash = world_hash(stepper->world);
    stepper_free(stepper);
    return decisions;
}

/* --- replaying it ----------------------------------------------------------------------------- */

struct round {
    double wall_ns, cpu_ns;
};

static struct round replay(struct storage *storage, uint64_t hash,
                           struct recover_result *ret_result) {
    static const struct id128 seed = {{3}};
    struct source_wal source;
    struct record_source port;
    struct recover_error error;
    struct world *world = world_create(&seed);
    uint64_t wall = measure_ns(), cpu = measure_cpu_ns();
    source_wal_init(&source, storage, NULL, NULL, WAL_READER_NO_LIMIT, &port);
    int rc = recover(&port, world, NULL, ret_result, &error);
    if (rc < 0) complain("%s", error.text);
    REQUIRE(rc == 0 && ret_result->world_hash == hash);
    struct round round = {(double)(measure_ns() - wall), (double)(measure_cpu_ns() - cpu)};
    source_wal_deinit(&source);
    world_free(world);
    return round;
}

static void bench_log(const char *folder, uint32_t fans) {
    struct storage *storage;
    struct recover_result result;
    double wall[ROUNDS], cpu[ROUNDS];
    uint64_t hash;
    REQUIRE(storage_posix_open(folder, STORAGE_WAL, &storage) == 0);
    uint64_t decisions = make_log(storage, fans, &hash);
    (void)replay(storage, hash, &result); /* warms up */
    REQUIRE(result.records == decisions);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct round round = replay(storage, hash, &result);
        wall[i] = round.wall_ns, cpu[i] = round.cpu_ns;
    }
    storage->operations->destroy(storage);
    double n = (double)result.records, wall_ns = measure_median(wall, ROUNDS),
           cpu_ns = measure_median(cpu, ROUNDS);
    printf("replay of %.2f M decisions, %.0f MB, median of %d rounds (best)\n", n / 1e6,
           (double)result.bytes / 1e6, ROUNDS);
    printf("  %-36s %6.2f M decisions/s %7.0f MB/s   (%.2f)\n", "wall clock", 1e3 * n / wall_ns,
           1e3 * (double)result.bytes / wall_ns, 1e3 * n / wall[0]);
    printf("  %-36s %6.2f M decisions/s %7.0f ns each (%.2f)\n", "processor time", 1e3 * n / cpu_ns,
           cpu_ns / n, 1e3 * n / cpu[0]);
    for (uint32_t kind = 0; kind < RECOVER_KINDS_MAX; kind++) {
        if (result.decisions[kind] * 100 > result.records) {
            printf("    %-20s %5.1f %%\n", decision_name(kind),
                   100 * (double)result.decisions[kind] / n);
        }
    }
}

/* --- an image --------------------------------------------------------------------------------- */

struct memory {
    uint8_t *bytes;
    uint64_t size, capacity;
};

static int keep(void *context, const struct entity *entity, const uint8_t *bytes, uint32_t size) {
    struct memory *memory = context;
    (void)entity; /* its bytes are enough */
    if (memory->size + size > memory->capacity) {
        memory->capacity = memory->capacity ? memory->capacity * 2 : 1u << 28;
        memory->bytes = realloc(memory->bytes, memory->capacity);
        REQUIRE(memory->bytes != NULL);
    }
    memcpy(memory->bytes + memory->size, bytes, size);
    memory->size += size;
    return 0;
}

static void load(const struct memory *memory, uint64_t hash) {
    static const struct id128 seed = {{3}};
    struct world *world = world_create(&seed);
    struct image_loader *loader = image_loader_open(world);
    char text[IMAGE_ERROR_BYTES] = "";
    for (uint64_t at = 0; at < memory->size;) {
        struct entity entity;
        uint16_t size;
        memcpy(&size, memory->bytes + at, sizeof size);
        REQUIRE(entity_decode(memory->bytes + at, size, &entity) == DECISION_DECODE_OK);
        REQUIRE(image_load(loader, &entity, text) == 0);
        at += size;
    }
    REQUIRE(image_finish(loader, text) == 0 && world_hash(world) == hash);
    image_loader_close(loader);
    world_free(world);
}

static void bench_image(void) {
    struct stepper *stepper = stepper_new(NULL);
    struct partition *date = stepper_date(stepper, SEATS, SEATS / 2 + 1);
    struct memory memory = {0};
    double save[ROUNDS], loaded[ROUNDS];
    for (uint32_t n = 0; n < SEATS; n++) {
        struct token token = stepper_enter(stepper, date, n);
        stepper_charge(stepper, n, 100);
        uint64_t reservation = stepper_hold(stepper, date, &token, n + 1);
        if (n % 2) stepper_pay(stepper, date, &token, reservation);
    }
    for (uint32_t n = 0; n <= 1000000; n++) (void)stepper_enter(stepper, date, SEATS + n);
    const struct date *full = (const struct date *)date;
    REQUIRE(full->seats.free == 0 && full->room.waiting == 1000000);
    const struct image_sink sink = {keep, &memory};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        memory.size = 0;
        uint64_t began = measure_cpu_ns();
        REQUIRE(image_save(stepper->world, &sink) == 0);
        save[i] = (double)(measure_cpu_ns() - began) / 1e6;
        began = measure_cpu_ns();
        load(&memory, world_hash(stepper->world));
        loaded[i] = (double)(measure_cpu_ns() - began) / 1e6;
    }
    printf("image of 1 M waiters, 100 k seats, reservations and wallets: %.0f MB in memory\n",
           (double)memory.size / 1e6);
    printf("  %-36s %6.0f ms processor time\n", "save", measure_median(save, ROUNDS));
    printf("  %-36s %6.0f ms processor time (and free)\n", "load, check everything",
           measure_median(loaded, ROUNDS));
    free(memory.bytes);
    stepper_free(stepper);
}

/* The log that this program has written, and nothing else. */
static void remove_log(const char *folder) {
    char path[512];
    for (uint64_t number = 1; number < 1000; number++) {
        snprintf(path, sizeof path, "%s/wal/wal-%016llx.seg", folder, (unsigned long long)number);
        (void)unlink(path); /* there may be fewer */
    }
    static const char *const rest[] = {"%s/wal", "%s/LOCK", "%s"};
    for (uint32_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, rest[i], folder);
        (void)remove(path); /* a folder with something else in it stays */
    }
}

int main(int count, char **arguments) {
    char folder[] = "/tmp/usher-bench-XXXXXX";
    const char *where = count > 1 ? arguments[1] : mkdtemp(folder);
    REQUIRE(where != NULL);
    (void)mkdir(where, 0755); /* it may exist */
    uint32_t fans = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : FANS;
    if (fans == FANS) bench_image();
    bench_log(where, fans);
    remove_log(where);
    return 0;
}
