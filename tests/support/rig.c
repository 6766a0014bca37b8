#include "tests/support/rig.h"

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/domain/command.h"
#include "engine/runtime/engine.h"
#include "net/client/client.h"
#include "net/server/server.h"
#include "engine/base/uuid.h"
#include "replay/source/recover.h"
#include "replay/source/source_wal.h"
#include "tests/support/random.h"
#include "wal/storage/storage_memory.h"
#include "wal/wal.h"

#define RIG_SEGMENT_BYTES (1024u * 1024u)
#define RIG_BUFFER_BYTES (1024u * 1024u)
#define RIG_PAUSE_NS 20000 /* between two looks at something that another thread does */
#define RIG_ROUNDS_MAX 1000000u
#define RIG_RULES_MAX 64u
#define RIG_URL_BYTES 100u
/* A client gives up long after the rig has. */
#define RIG_CLIENT_TIMEOUT_MS (4u * RIG_PATIENCE_MS)

/* A thread that reads the clock at the beginning of every round: a shard. */
struct clock_reader {
    pthread_t thread;
    uint64_t reads;
};

struct rig {
    struct rig_options options;
    pthread_t owner; /* the test's thread */
    char folder[32];
    uint32_t generation; /* how often it was started; names the sockets */

    struct storage *disk;
    struct wal *wal;
    struct engine *engine;
    struct net_server *server;
    struct net_engine net_engine; /* the server's; submit is ours and passes on to `submit` */
    int (*submit)(void *context, uint32_t shard, struct request *chain);
    struct client *public, *admin;
    struct journal journal; /* the log's; the engine gets ours */
    struct reply_sink sink; /* the server's; likewise */
    uint64_t recovered_hash;
    bool running;       /* shards and log writer have threads now */
    bool finished;      /* stopped in order */
    bool held;          /* the disk */
    _Atomic bool deaf;  /* nobody hears what the server still says */
    _Atomic bool dying; /* let everybody go: all is "durable"; only while deaf */
    _Atomic uint64_t dying_lsn;

    _Atomic uint64_t now_ms, entropy;
    _Atomic uint64_t encoded, released, submitted, early;
    _Atomic uint32_t log_failures;

    pthread_mutex_t mutex; /* guards what follows */
    struct clock_reader readers[SHARDS_MAX];
    uint32_t reader_count;
    uint64_t disk_writes, disk_lsn; /* the look at the disk, and at how many writes it was taken */

    struct answer **answers;
    uint32_t answer_count;
    struct request *fillers; /* MAILBOX_CHAINS_MAX requests of nobody */
    char rules[RIG_RULES_MAX][8];
    uint32_t rule_count;
};

/* --- the ports -------------------------------------------------------------------------------- */

static uint64_t plain_now(void *context) { return atomic_load(&((struct rig *)context)->now_ms); }

/* The shards' clock: also counts rounds, so that rig_advance() knows who has seen the new time. */
static uint64_t shard_now(void *context) {
    struct rig *rig = context;
    if (!pthread_equal(pthread_self(), rig->owner)) {
        pthread_mutex_lock(&rig->mutex);
        uint32_t i = 0;
        while (i < rig->reader_count && !pthread_equal(rig->readers[i].thread, pthread_self())) i++;
        if (i == rig->reader_count && i < SHARDS_MAX) {
            rig->readers[rig->reader_count++] = (struct clock_reader){pthread_self(), 0};
        }
        rig->readers[i].reads++;
        pthread_mutex_unlock(&rig->mutex);
    }
    return atomic_load(&rig->now_ms);
}

/* Shards draw at the same time: each byte from a step of its own. */
static void fill(void *context, void *bytes, uint32_t size) {
    struct rig *rig = context;
    for (uint32_t i = 0; i < size; i++) {
        struct random random = {atomic_fetch_add(&rig->entropy, RANDOM_STEP)};
        ((uint8_t *)bytes)[i] = (uint8_t)(random_next(&random) >> 24);
    }
}

static int append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                  uint64_t *ret_lsn) {
    struct rig *rig = context;
    if (atomic_load(&rig->dying)) {
        *ret_lsn = atomic_fetch_add(&rig->dying_lsn, size) + size;
        return 0;
    }
    return rig->journal.append(rig->journal.context, appender, bytes, size, ret_lsn);
}

static uint64_t durable_lsn(void *context) {
    struct rig *rig = context;
    if (atomic_load(&rig->dying)) return UINT64_MAX;
    return rig->journal.durable_lsn(rig->journal.context);
}

static bool is_filler(const struct rig *rig, const struct request *request) {
    return rig->fillers && request >= rig->fillers && request < rig->fillers + MAILBOX_CHAINS_MAX;
}

static void encode(void *context, struct request *request, const struct reply *reply) {
    struct rig *rig = context;
    if (is_filler(rig, request)) return;
    rig->sink.encode(rig->sink.context, request, reply);
    if (reply->kind != REPLY_RESERVATION_ITEM) atomic_fetch_add(&rig->encoded, 1);
}

/* What was seen on the disk stays there: look again only for what is beyond. */
static bool is_on_disk(struct rig *rig, uint64_t lsn) {
    pthread_mutex_lock(&rig->mutex);
    bool seen = lsn <= rig->disk_lsn;
    pthread_mutex_unlock(&rig->mutex);
    return seen || lsn <= rig_disk_lsn(rig);
}

static void release(void *context, struct request *request) {
    struct rig *rig = context;
    if (is_filler(rig, request)) return;
    if (!atomic_load(&rig->dying)) {
        if (!is_on_disk(rig, request->lsn)) atomic_fetch_add(&rig->early, 1);
        atomic_fetch_add(&rig->released, 1);
    }
    rig->sink.release(rig->sink.context, request);
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    struct rig *rig = context;
    uint64_t count = 0;
    for (struct request *request = chain; request; request = request->next) count++;
    int result = rig->submit(rig->engine, shard, chain);
    if (result == 0) atomic_fetch_add(&rig->submitted, count);
    return result;
}

static uint32_t shard_of(void *context, const struct command *command) {
    return engine_shard_of(((struct rig *)context)->engine, command);
}

static void on_durable(void *context, uint64_t lsn) {
    struct rig *rig = context;
    (void)lsn; /* the shards ask for it themselves */
    if (rig->engine) engine_durable(rig->engine);
}

static void on_failed(void *context, const struct wal_error *error) {
    (void)error; /* the test knows what it did */
    atomic_fetch_add(&((struct rig *)context)->log_failures, 1);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static uint64_t real_ms(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time); /* cannot fail on Linux */
    return (uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u;
}

static void pause_briefly(void) { nanosleep(&(struct timespec){.tv_nsec = RIG_PAUSE_NS}, NULL); }

/* One round of everything. Return: whether anything moved */
static bool round_of_all(struct rig *rig) {
    bool moved = false;
    for (uint32_t i = 0; i < rig->options.shards; i++) {
        moved = engine_step(rig->engine, i) > 0 || moved;
    }
    return wal_writer_step(rig->wal, false) == 0 || moved;
}

static void wait_for(struct rig *rig, bool (*condition)(void *context), void *context,
                     const char *what, bool step) {
    uint64_t deadline_ms = real_ms() + RIG_PATIENCE_MS;
    while (!condition(context)) {
        if (step && round_of_all(rig)) continue;
        if (real_ms() > deadline_ms) fail_msg("waited in vain until %s", what);
        pause_briefly();
    }
}

void rig_until(struct rig *rig, bool (*condition)(void *context), void *context, const char *what) {
    wait_for(rig, condition, context, what, rig->options.by_hand);
}

/* --- driving by hand -------------------------------------------------------------------------- */

void rig_step_shard(struct rig *rig, uint32_t shard) {
    assert_true(rig->options.by_hand);
    (void)engine_step(rig->engine, shard); /* tests look at what came of it */
}

void rig_step_shards(struct rig *rig) {
    for (uint32_t i = 0; i < rig->options.shards; i++) rig_step_shard(rig, i);
}

void rig_step_log(struct rig *rig) {
    assert_true(rig->options.by_hand);
    (void)wal_writer_step(rig->wal, false); /* likewise */
}

void rig_settle(struct rig *rig) {
    assert_true(rig->options.by_hand);
    uint32_t rounds = 0;
    for (uint32_t idle = 0; idle < 2; rounds++) { /* twice: a message may still be in a lane */
        assert_true(rounds < RIG_ROUNDS_MAX);
        idle = round_of_all(rig) ? 0 : idle + 1;
    }
}

struct count {
    const _Atomic uint64_t *counter;
    uint64_t least;
    struct rig *rig; /* whose shards are stepped meanwhile; NULL: none */
};

static bool count_is_reached(void *context) {
    struct count *count = context;
    if (count->rig) rig_step_shards(count->rig);
    return atomic_load(count->counter) >= count->least;
}

void rig_until_encoded(struct rig *rig, uint64_t least) {
    struct count count = {&rig->encoded, least, rig->options.by_hand ? rig : NULL};
    wait_for(rig, count_is_reached, &count, "the engine has decided", false);
}

void rig_until_submitted(struct rig *rig, uint64_t least) {
    struct count count = {&rig->submitted, least, NULL};
    wait_for(rig, count_is_reached, &count, "the requests are in the mailboxes", false);
}

uint64_t rig_encoded(const struct rig *rig) { return atomic_load(&rig->encoded); }
uint64_t rig_released(const struct rig *rig) { return atomic_load(&rig->released); }
uint64_t rig_submitted(const struct rig *rig) { return atomic_load(&rig->submitted); }
uint32_t rig_log_failures(const struct rig *rig) { return atomic_load(&rig->log_failures); }
uint64_t rig_appended_lsn(const struct rig *rig) { return wal_appended_lsn(rig->wal); }

void rig_fill_mailbox(struct rig *rig, uint32_t shard) {
    assert_true(rig->options.by_hand);
    if (!rig->fillers) rig->fillers = calloc(MAILBOX_CHAINS_MAX, sizeof *rig->fillers);
    assert_non_null(rig->fillers);
    for (uint32_t i = 0; i < MAILBOX_CHAINS_MAX; i++) {
        rig->fillers[i].command.kind = COMMAND_SYSTEM_PING;
        rig->fillers[i].command.partition = PARTITION_CATALOGUE;
        if (engine_submit(rig->engine, shard, &rig->fillers[i]) == ENGINE_BUSY) return;
    }
    /* It takes that many at most. */
    assert_int_equal(engine_submit(rig->engine, shard, &rig->fillers[0]), ENGINE_BUSY);
}

/* --- time ------------------------------------------------------------------------------------- */

uint64_t rig_now(const struct rig *rig) { return atomic_load(&rig->now_ms); }

struct rounds {
    struct rig *rig;
    uint64_t before[SHARDS_MAX];
};

/* Has every shard begun two rounds since? Then the first of them is over, and it saw the new time
 * from its beginning. */
static bool rounds_are_over(void *context) {
    struct rounds *rounds = context;
    struct rig *rig = rounds->rig;
    engine_durable(rig->engine); /* wakes them */
    pthread_mutex_lock(&rig->mutex);
    bool over = rig->reader_count == rig->options.shards;
    for (uint32_t i = 0; i < rig->reader_count; i++) {
        over = over && rig->readers[i].reads >= rounds->before[i] + 2;
    }
    pthread_mutex_unlock(&rig->mutex);
    return over;
}

static bool log_is_durable(void *context) {
    struct rig *rig = context;
    return rig->held || rig_log_failures(rig) > 0 ||
           wal_durable_lsn(rig->wal) >= wal_appended_lsn(rig->wal);
}

/* Some moments of the clock pass, and everybody has seen them. */
static void advance_a_little(struct rig *rig, uint64_t ms) {
    atomic_fetch_add(&rig->now_ms, ms);
    if (rig->options.by_hand) {
        rig_settle(rig);
        return;
    }
    for (uint32_t again = 0; again < 2; again++) { /* what the first brought about, too */
        struct rounds rounds = {.rig = rig};
        pthread_mutex_lock(&rig->mutex);
        for (uint32_t i = 0; i < rig->reader_count; i++) rounds.before[i] = rig->readers[i].reads;
        pthread_mutex_unlock(&rig->mutex);
        rig_until(rig, rounds_are_over, &rounds, "every shard has seen the new time");
        /* A real disk takes real time, which is no time here. */
        rig_until(rig, log_is_durable, rig, "the log is durable");
    }
}

void rig_advance(struct rig *rig, uint64_t ms) {
    for (uint64_t left = ms; left > 0;) {
        uint64_t part = left < SHARD_ROUND_MS_MAX ? left : SHARD_ROUND_MS_MAX;
        advance_a_little(rig, part);
        left -= part;
    }
}

void rig_advance_shard(struct rig *rig, uint32_t shard, uint64_t ms) {
    for (uint64_t left = ms; left > 0;) {
        uint64_t part = left < SHARD_ROUND_MS_MAX ? left : SHARD_ROUND_MS_MAX;
        rig_turn_clock(rig, part);
        for (uint32_t i = 0; i < 3; i++) { /* decide, write, see that it is durable */
            rig_step_shard(rig, shard);
            rig_step_log(rig);
            rig_step_log(rig);
        }
        left -= part;
    }
}

void rig_turn_clock(struct rig *rig, uint64_t ms) {
    assert_true(rig->options.by_hand);
    atomic_fetch_add(&rig->now_ms, ms);
}

/* --- the disk --------------------------------------------------------------------------------- */

void rig_hold_disk(struct rig *rig, bool hold) {
    rig->held = hold;
    storage_memory_hold(rig->disk, hold);
}

void rig_break_disk(struct rig *rig, uint64_t seed) {
    storage_memory_fault(rig->disk, STORAGE_FAULT_FAIL, 0, seed);
}

/* What a recovery of this disk would find now. */
static uint64_t look_at(struct storage *disk) {
    struct wal_recovery_options options = {.live = true};
    struct wal_recovery recovery = {0};
    struct wal_error error;
    struct storage *copy;
    uint64_t lsn = 0;
    if (storage_memory_clone(disk, &copy) < 0) return 0;
    if (wal_recover(copy, &options, &recovery, &error) == 0) lsn = recovery.end_lsn;
    copy->operations->destroy(copy);
    return lsn;
}

uint64_t rig_disk_lsn(struct rig *rig) {
    if (rig->options.folder) return wal_durable_lsn(rig->wal);
    uint64_t writes = storage_memory_writes(rig->disk);
    pthread_mutex_lock(&rig->mutex);
    if (writes != rig->disk_writes) {
        rig->disk_lsn = look_at(rig->disk);
        rig->disk_writes = writes;
    }
    uint64_t lsn = rig->disk_lsn;
    pthread_mutex_unlock(&rig->mutex);
    return lsn;
}

/* --- start ------------------------------------------------------------------------------------ */

static void open_disk(struct rig *rig) {
    int result = rig->options.folder ? storage_posix_open(rig->folder, STORAGE_WAL, &rig->disk)
                                     : storage_memory_open(&rig->disk);
    assert_int_equal(result, 0);
}

static struct world *replay(struct rig *rig, uint64_t end_lsn, struct recover_result *ret_result) {
    struct id128 seed;
    struct source_wal source;
    struct record_source port;
    struct recover_error error;
    fill(rig, seed.bytes, sizeof seed.bytes);
    struct world *world = world_create(&seed);
    source_wal_init(&source, rig->disk, NULL, NULL, end_lsn, &port);
    int result = recover(&port, world, NULL, ret_result, &error);
    source_wal_deinit(&source);
    if (result != 0) fail_msg("the log does not replay: %s", error.text);
    return world;
}

static struct world *open_log(struct rig *rig, struct wal_recovery *ret_recovery) {
    const struct rig_options *options = &rig->options;
    const struct wal_options wal_options = {
        .storage = rig->disk,
        .clock = {rig, plain_now},
        .entropy = {rig, fill},
        .segment_bytes = options->segment_bytes ? options->segment_bytes : RIG_SEGMENT_BYTES,
        .buffer_bytes = options->buffer_bytes ? options->buffer_bytes : RIG_BUFFER_BYTES,
        .appenders = options->shards,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = rig,
    };
    struct wal_error error;
    struct recover_result result;
    if (wal_open(&wal_options, ret_recovery, &rig->wal, &error) != 0) fail_msg("%s", error.text);
    wal_journal(rig->wal, &rig->journal);
    struct world *world = replay(rig, ret_recovery->end_lsn, &result);
    rig->recovered_hash = world_hash(world);
    return world;
}

static void start_threads(struct rig *rig) {
    struct wal_error error;
    if (rig->options.by_hand) return;
    assert_int_equal(wal_start(rig->wal, &error), 0);
    assert_int_equal(engine_start(rig->engine), 0);
    rig->running = true;
}

static void dial(struct rig *rig) {
    char public[RIG_URL_BYTES], admin[RIG_URL_BYTES];
    const struct client_options options = {.timeout_ms = RIG_CLIENT_TIMEOUT_MS};
    (void)snprintf(public, sizeof public, "ipc://%s/p%u", rig->folder, rig->generation);
    (void)snprintf(admin, sizeof admin, "ipc://%s/a%u", rig->folder, rig->generation);
    assert_int_equal(client_open(public, &options, &rig->public), 0);
    assert_int_equal(client_open(admin, &options, &rig->admin), 0);
}

static void create_server(struct rig *rig) {
    char public[RIG_URL_BYTES], admin[RIG_URL_BYTES];
    struct net_error error;
    (void)snprintf(public, sizeof public, "ipc://%s/p%u", rig->folder, rig->generation);
    (void)snprintf(admin, sizeof admin, "ipc://%s/a%u", rig->folder, rig->generation);
    const struct net_options options = {.public_urls = {public},
                                        .public_url_count = 1,
                                        .admin_url = admin,
                                        .contexts = 32,
                                        .watch_interval_ms = UINT32_MAX};
    if (net_server_create(&options, &rig->server, &error) != NET_OK) fail_msg("%s", error.text);
}

/* Recover what the disk has, and serve. */
static void start(struct rig *rig) {
    struct wal_recovery recovery;
    struct net_error error;
    rig->generation++;
    rig->finished = false;
    rig->reader_count = 0;
    atomic_store(&rig->dying, false);
    atomic_store(&rig->deaf, false);
    create_server(rig);
    struct engine_options options = {
        .shards = rig->options.shards,
        .world = open_log(rig, &recovery),
        .journal = {rig, append, durable_lsn},
        .sink = {rig, encode, release},
        .clock = {rig, shard_now},
        .entropy = {rig, fill},
        .start_lsn = recovery.end_lsn,
        .served_until_ms = recovery.last_wall_ms,
    };
    net_server_sink(rig->server, &rig->sink);
    rig->engine = engine_open(&options);
    start_threads(rig);
    net_engine_init(&rig->net_engine, rig->engine, &options.journal);
    rig->submit = rig->net_engine.submit;
    rig->net_engine.context = rig;
    rig->net_engine.submit = submit;
    rig->net_engine.shard_of = shard_of;
    if (net_server_start(rig->server, &rig->net_engine, &error) != NET_OK) {
        fail_msg("%s", error.text);
    }
    dial(rig);
}

struct rig *rig_open(const struct rig_options *options) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    (void)alarm(RIG_ALARM_S); /* there was none, or one of the test before */
    rig->options = *options;
    rig->owner = pthread_self();
    atomic_store(&rig->now_ms, RIG_BEGIN_MS);
    strcpy(rig->folder, "/tmp/usher-rig-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    assert_int_equal(pthread_mutex_init(&rig->mutex, NULL), 0);
    open_disk(rig);
    start(rig);
    return rig;
}

/* --- stop ------------------------------------------------------------------------------------- */

static void hang_up(struct rig *rig) {
    if (rig->public) client_close(rig->public);
    if (rig->admin) client_close(rig->admin);
    rig->public = rig->admin = NULL;
}

static bool server_is_idle(void *context) {
    struct net_counters counters;
    net_server_counters(((struct rig *)context)->server, &counters);
    return counters.frames_in_flight == 0;
}

/* Answer whatever still waits, into the void: the sockets cannot be closed before. */
static void let_everybody_go(struct rig *rig) {
    atomic_store(&rig->deaf, true);
    atomic_store(&rig->dying_lsn, UINT64_MAX / 2);
    atomic_store(&rig->dying, true);
    uint64_t deadline_ms = real_ms() + RIG_PATIENCE_MS;
    while (!server_is_idle(rig) && real_ms() < deadline_ms) {
        if (rig->running) {
            engine_durable(rig->engine);
        } else {
            for (uint32_t i = 0; i < rig->options.shards; i++) (void)engine_step(rig->engine, i);
        }
        pause_briefly();
    }
    (void)net_server_stop(rig->server, 1000); /* idle, or the alarm ends it */
    if (rig->running) engine_stop(rig->engine);
    if (rig->running) (void)wal_stop(rig->wal); /* it may be dead, which is why we are here */
    rig->running = false;
}

/* Everything but the disk. */
static void take_down(struct rig *rig) {
    if (rig->engine && !rig->finished) let_everybody_go(rig);
    hang_up(rig);
    if (rig->server) net_server_free(rig->server);
    if (rig->engine) engine_close(rig->engine);
    if (rig->wal) wal_close(rig->wal);
    rig->server = NULL;
    rig->engine = NULL;
    rig->wal = NULL;
}

static void demand_conserved(const struct money_totals *money) {
    assert_int_equal(money->charged + money->refunded,
                     money->balances + money->reserved + money->spent);
    assert_int_equal(money->reserved, 0); /* nothing is under way any more */
}

/* Replay the log from nothing: the same state, the same money. */
static void compare(struct rig *rig) {
    struct money_totals live, replayed;
    struct recover_result result;
    struct world *world = replay(rig, wal_durable_lsn(rig->wal), &result);
    world_money(world, &replayed);
    engine_money(rig->engine, &live);
    uint64_t hash = world_hash(world);
    world_free(world);
    assert_true(hash == engine_world_hash(rig->engine));
    assert_true(result.hashes_verified > 0 || result.records == 0);
    assert_memory_equal(&live, &replayed, sizeof live);
    demand_conserved(&live);
}

static void stop_in_order(struct rig *rig) {
    rig_until(rig, server_is_idle, rig, "every frame is answered");
    assert_int_equal(net_server_stop(rig->server, RIG_PATIENCE_MS), NET_OK);
    if (rig->running) {
        engine_stop(rig->engine);
    } else {
        rig_settle(rig);
        for (uint32_t i = 0; i < rig->options.shards; i++) engine_log_hashes(rig->engine, i);
        rig_settle(rig);
    }
    assert_int_equal(wal_stop(rig->wal), 0);
    rig->running = false;
    rig->finished = true;
    compare(rig);
    if (atomic_load(&rig->early) > 0) {
        fail_msg("%llu replies were early", (unsigned long long)atomic_load(&rig->early));
    }
}

void rig_finish(struct rig *rig) {
    stop_in_order(rig);
    assert_int_equal(atomic_load(&rig->log_failures), 0);
}

void rig_restart(struct rig *rig) {
    stop_in_order(rig);
    take_down(rig);
    start(rig);
}

void rig_crash(struct rig *rig, uint64_t seed) {
    struct storage *survivor;
    assert_false(rig->options.folder);
    (void)storage_memory_crash(rig->disk, seed); /* with or without a write in flight */
    assert_int_equal(storage_memory_clone(rig->disk, &survivor), 0);
    take_down(rig);
    if (atomic_load(&rig->early) > 0) fail_msg("a reply was early");
    rig->disk->operations->destroy(rig->disk);
    rig->disk = survivor;
    rig->held = false;
    rig->disk_writes = UINT64_MAX; /* the survivor counts afresh: look anew */
    rig->disk_lsn = 0;
    atomic_store(&rig->log_failures, 0);
    start(rig);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status; /* files, sockets and folders alike */
    (void)kind;
    (void)where;
    (void)remove(path); /* a leftover in /tmp is not worth failing for */
    return 0;
}

void rig_close(struct rig *rig) {
    if (!rig) return;
    if (!rig->options.folder && !rig->finished && rig->disk) {
        (void)storage_memory_crash(rig->disk, 1); /* a held write lets go */
    }
    take_down(rig);
    if (rig->disk) rig->disk->operations->destroy(rig->disk);
    for (uint32_t i = 0; i < rig->answer_count; i++) answer_free(rig->answers[i]);
    free(rig->answers);
    free(rig->fillers);
    (void)pthread_mutex_destroy(&rig->mutex); /* nobody has it */
    (void)nftw(rig->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(rig);
}

int rig_teardown(void **state) {
    rig_close(*state);
    *state = NULL;
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static struct answer *send_to(struct rig *rig, struct client *client, const char *method,
                              const struct param *params) {
    rig->answers = realloc(rig->answers, (rig->answer_count + 1) * sizeof(struct answer *));
    assert_non_null(rig->answers);
    struct answer *answer = answer_send(client, method, params, &rig->deaf);
    rig->answers[rig->answer_count++] = answer;
    return answer;
}

struct answer *rig_send(struct rig *rig, const char *method, const struct param *params) {
    bool admin = strncmp(method, "admin.", 6) == 0;
    return send_to(rig, admin ? rig->admin : rig->public, method, params);
}

struct answer *rig_send_as_admin(struct rig *rig, const char *method, const struct param *params) {
    return send_to(rig, rig->admin, method, params);
}

static bool is_here(void *context) { return answer_is_here(context); }

struct answer *rig_wait(struct rig *rig, struct answer *answer) {
    rig_until(rig, is_here, answer, "an answer comes");
    return answer;
}

struct answer *rig_wait_only(struct rig *rig, struct answer *answer) {
    assert_true(rig->options.by_hand);
    wait_for(rig, is_here, answer, "an answer comes", false);
    return answer;
}

/* --- looking inside --------------------------------------------------------------------------- */

uint64_t rig_hash(const struct rig *rig) {
    assert_true(rig->options.by_hand);
    return engine_world_hash(rig->engine);
}

uint64_t rig_recovered_hash(const struct rig *rig) { return rig->recovered_hash; }

uint32_t rig_shard_of_date(const struct rig *rig, uint32_t date) {
    const struct command command = {.kind = COMMAND_DATE_OPEN,
                                    .partition = partition_of_date(date)};
    return engine_shard_of(rig->engine, &command);
}

uint32_t rig_shard_of_user(const struct rig *rig, const char *user) {
    struct id128 id;
    assert_true(uuid_parse(user, (uint32_t)strlen(user), &id));
    const struct command command = {.kind = COMMAND_WALLET_BALANCE,
                                    .partition = partition_of_user(&id)};
    return engine_shard_of(rig->engine, &command);
}

void rig_read_log(struct rig *rig, void (*visit)(void *context, const struct decision *decision),
                  void *context) {
    struct wal_reader *reader;
    struct wal_error error;
    struct wal_record record;
    struct decision decision;
    uint64_t limit_lsn = wal_durable_lsn(rig->wal);
    if (wal_reader_open(rig->disk, 0, &reader, &error) != 0) fail_msg("%s", error.text);
    int result;
    while ((result = wal_reader_next(reader, limit_lsn, &record, &error)) == 0) {
        assert_int_equal(decision_decode(record.bytes, record.size, &decision), DECISION_DECODE_OK);
        visit(context, &decision);
    }
    wal_reader_close(reader);
    if (result < 0) fail_msg("%s", error.text);
}

struct kind_count {
    enum decision_kind kind;
    uint32_t count;
};

static void count_kind(void *context, const struct decision *decision) {
    struct kind_count *count = context;
    count->count += decision->kind == count->kind;
}

uint32_t rig_count_log(struct rig *rig, enum decision_kind kind) {
    struct kind_count count = {kind, 0};
    rig_read_log(rig, count_kind, &count);
    return count.count;
}

/* --- rules ------------------------------------------------------------------------------------ */

void rig_rule(struct rig *rig, bool holds, const char *rule, const char *condition,
              const char *file, int line) {
    if (!holds) {
        print_error("rule %s does not hold: %s\n", rule, condition);
        _fail(file, line);
    }
    for (uint32_t i = 0; i < rig->rule_count; i++) {
        if (strcmp(rig->rules[i], rule) == 0) return;
    }
    assert_true(rig->rule_count < RIG_RULES_MAX && strlen(rule) < sizeof rig->rules[0]);
    strcpy(rig->rules[rig->rule_count++], rule);
}

static bool lists(const char *rules, const char *rule) {
    size_t size = strlen(rule);
    for (const char *at = strstr(rules, rule); at; at = strstr(at + 1, rule)) {
        bool begins = at == rules || at[-1] == ' ';
        if (begins && (at[size] == ' ' || at[size] == '\0')) return true;
    }
    return false;
}

void rig_demand_rules(struct rig *rig, const char *rules) {
    uint32_t listed = *rules != '\0';
    for (const char *at = rules; *at; at++) listed += *at == ' ';
    for (uint32_t i = 0; i < rig->rule_count; i++) {
        if (!lists(rules, rig->rules[i])) fail_msg("rule %s is not in the list", rig->rules[i]);
    }
    if (rig->rule_count != listed) {
        fail_msg("%u rules are listed, %u were demanded", listed, rig->rule_count);
    }
}
