/* engine_fixture.c - see engine_fixture.h */
#include "tests/support/engine_fixture.h"

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
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

#define FIXTURE_SEGMENT_BYTES (1024u * 1024u)
#define FIXTURE_BUFFER_BYTES (1024u * 1024u)
#define FIXTURE_PAUSE_NS 20000 /* between two looks at something that another thread does */
#define FIXTURE_ROUNDS_MAX 1000000u
#define FIXTURE_RULES_MAX 64u
#define FIXTURE_URL_BYTES 100u
#define FIXTURE_CLIENT_TIMEOUT_MS (4u * FIXTURE_PATIENCE_MS) /* the fixture gives up first */

/* A thread that reads the clock at the beginning of every round: a shard. */
struct clock_reader {
    pthread_t thread;
    uint64_t reads;
};

struct engine_fixture {
    struct fixture_options options;
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
    char rules[FIXTURE_RULES_MAX][8];
    uint32_t rule_count;
};

/* --- the ports -------------------------------------------------------------------------------- */

static uint64_t plain_now(void *context) {
    return atomic_load(&((struct engine_fixture *)context)->now_ms);
}

/* The shards' clock: counts rounds, so that fixture_advance() knows who has seen the new time. */
static uint64_t shard_now(void *context) {
    struct engine_fixture *fixture = context;
    if (!pthread_equal(pthread_self(), fixture->owner)) {
        uint32_t i = 0;
        pthread_t self = pthread_self();
        pthread_mutex_lock(&fixture->mutex);
        while (i < fixture->reader_count && !pthread_equal(fixture->readers[i].thread, self)) i++;
        if (i == fixture->reader_count && i < SHARDS_MAX) {
            fixture->readers[fixture->reader_count++] = (struct clock_reader){self, 0};
        }
        fixture->readers[i].reads++;
        pthread_mutex_unlock(&fixture->mutex);
    }
    return atomic_load(&fixture->now_ms);
}

/* Shards draw at the same time: each byte from a step of its own. */
static void fill(void *context, void *bytes, uint32_t size) {
    struct engine_fixture *fixture = context;
    for (uint32_t i = 0; i < size; i++) {
        struct random random = {atomic_fetch_add(&fixture->entropy, RANDOM_STEP)};
        ((uint8_t *)bytes)[i] = (uint8_t)(random_next(&random) >> 24);
    }
}

static int append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                  uint64_t *ret_lsn) {
    struct engine_fixture *fixture = context;
    if (atomic_load(&fixture->dying)) {
        *ret_lsn = atomic_fetch_add(&fixture->dying_lsn, size) + size;
        return 0;
    }
    return fixture->journal.append(fixture->journal.context, appender, bytes, size, ret_lsn);
}

static uint64_t durable_lsn(void *context) {
    struct engine_fixture *fixture = context;
    if (atomic_load(&fixture->dying)) return UINT64_MAX;
    return fixture->journal.durable_lsn(fixture->journal.context);
}

static bool is_filler(const struct engine_fixture *fixture, const struct request *request) {
    return fixture->fillers && request >= fixture->fillers &&
           request < fixture->fillers + MAILBOX_CHAINS_MAX;
}

static void encode(void *context, struct request *request, const struct reply *reply) {
    struct engine_fixture *fixture = context;
    if (is_filler(fixture, request)) return;
    fixture->sink.encode(fixture->sink.context, request, reply);
    if (reply->kind != REPLY_RESERVATION_ITEM) atomic_fetch_add(&fixture->encoded, 1);
}

/* What was seen on the disk stays there: look again only for what is beyond. */
static bool is_on_disk(struct engine_fixture *fixture, uint64_t lsn) {
    pthread_mutex_lock(&fixture->mutex);
    bool seen = lsn <= fixture->disk_lsn;
    pthread_mutex_unlock(&fixture->mutex);
    return seen || lsn <= fixture_disk_lsn(fixture);
}

static void release(void *context, struct request *request) {
    struct engine_fixture *fixture = context;
    if (is_filler(fixture, request)) return;
    if (!atomic_load(&fixture->dying)) {
        if (!is_on_disk(fixture, request->lsn)) atomic_fetch_add(&fixture->early, 1);
        atomic_fetch_add(&fixture->released, 1);
    }
    fixture->sink.release(fixture->sink.context, request);
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    struct engine_fixture *fixture = context;
    uint64_t count = 0;
    for (struct request *request = chain; request; request = request->next) count++;
    int result = fixture->submit(fixture->engine, shard, chain);
    if (result == 0) atomic_fetch_add(&fixture->submitted, count);
    return result;
}

static uint32_t shard_of(void *context, const struct command *command) {
    return engine_shard_of(((struct engine_fixture *)context)->engine, command);
}

static void on_durable(void *context, uint64_t lsn) {
    struct engine_fixture *fixture = context;
    (void)lsn; /* the shards ask for it themselves */
    if (fixture->engine) engine_durable(fixture->engine);
}

static void on_failed(void *context, const struct wal_error *error) {
    (void)error; /* the test knows what it did */
    atomic_fetch_add(&((struct engine_fixture *)context)->log_failures, 1);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static uint64_t real_ms(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time); /* cannot fail on Linux */
    return (uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u;
}

static void pause_briefly(void) {
    nanosleep(&(struct timespec){.tv_nsec = FIXTURE_PAUSE_NS}, NULL);
}

/* One round of everything. Return: whether anything moved */
static bool round_of_all(struct engine_fixture *fixture) {
    bool moved = false;
    for (uint32_t i = 0; i < fixture->options.shards; i++) {
        moved = engine_step(fixture->engine, i) > 0 || moved;
    }
    return wal_writer_step(fixture->wal, false) == 0 || moved;
}

static void wait_for(struct engine_fixture *fixture, bool (*condition)(void *context),
                     void *context, const char *what, bool step) {
    uint64_t deadline_ms = real_ms() + FIXTURE_PATIENCE_MS;
    while (!condition(context)) {
        if (step && round_of_all(fixture)) continue;
        if (real_ms() > deadline_ms) fail_msg("waited in vain until %s", what);
        pause_briefly();
    }
}

void fixture_until(struct engine_fixture *fixture, bool (*condition)(void *context), void *context,
                   const char *what) {
    wait_for(fixture, condition, context, what, fixture->options.by_hand);
}

/* --- driving by hand -------------------------------------------------------------------------- */

void fixture_step_shard(struct engine_fixture *fixture, uint32_t shard) {
    assert_true(fixture->options.by_hand);
    (void)engine_step(fixture->engine, shard);
}

void fixture_step_shards(struct engine_fixture *fixture) {
    for (uint32_t i = 0; i < fixture->options.shards; i++) fixture_step_shard(fixture, i);
}

void fixture_step_log(struct engine_fixture *fixture) {
    assert_true(fixture->options.by_hand);
    (void)wal_writer_step(fixture->wal, false);
}

void fixture_settle(struct engine_fixture *fixture) {
    assert_true(fixture->options.by_hand);
    uint32_t rounds = 0;
    for (uint32_t idle = 0; idle < 2; rounds++) { /* twice: a message may still be in a lane */
        assert_true(rounds < FIXTURE_ROUNDS_MAX);
        idle = round_of_all(fixture) ? 0 : idle + 1;
    }
}

struct count {
    const _Atomic uint64_t *counter;
    uint64_t least;
    struct engine_fixture *fixture; /* whose shards are stepped meanwhile; NULL: none */
};

static bool count_is_reached(void *context) {
    struct count *count = context;
    if (count->fixture) fixture_step_shards(count->fixture);
    return atomic_load(count->counter) >= count->least;
}

void fixture_until_encoded(struct engine_fixture *fixture, uint64_t least) {
    struct count count = {&fixture->encoded, least, fixture->options.by_hand ? fixture : NULL};
    wait_for(fixture, count_is_reached, &count, "the engine has decided", false);
}

void fixture_until_submitted(struct engine_fixture *fixture, uint64_t least) {
    struct count count = {&fixture->submitted, least, NULL};
    wait_for(fixture, count_is_reached, &count, "the requests are in the mailboxes", false);
}

uint64_t fixture_encoded(const struct engine_fixture *fixture) {
    return atomic_load(&fixture->encoded);
}
uint64_t fixture_released(const struct engine_fixture *fixture) {
    return atomic_load(&fixture->released);
}
uint64_t fixture_submitted(const struct engine_fixture *fixture) {
    return atomic_load(&fixture->submitted);
}
uint32_t fixture_log_failures(const struct engine_fixture *fixture) {
    return atomic_load(&fixture->log_failures);
}
uint64_t fixture_appended_lsn(const struct engine_fixture *fixture) {
    return wal_appended_lsn(fixture->wal);
}

void fixture_fill_mailbox(struct engine_fixture *fixture, uint32_t shard) {
    assert_true(fixture->options.by_hand);
    if (!fixture->fillers) fixture->fillers = calloc(MAILBOX_CHAINS_MAX, sizeof *fixture->fillers);
    assert_non_null(fixture->fillers);
    for (uint32_t i = 0; i < MAILBOX_CHAINS_MAX; i++) {
        fixture->fillers[i].command.kind = COMMAND_SYSTEM_PING;
        fixture->fillers[i].command.partition = PARTITION_CATALOGUE;
        if (engine_submit(fixture->engine, shard, &fixture->fillers[i]) == ENGINE_BUSY) return;
    }
    /* It takes that many at most. */
    assert_int_equal(engine_submit(fixture->engine, shard, &fixture->fillers[0]), ENGINE_BUSY);
}

/* --- time ------------------------------------------------------------------------------------- */

uint64_t fixture_now(const struct engine_fixture *fixture) { return atomic_load(&fixture->now_ms); }

struct rounds {
    struct engine_fixture *fixture;
    uint64_t before[SHARDS_MAX];
};

/* Has every shard begun two rounds since? Then the first of them is over, and it saw the new time
 * from its beginning. */
static bool rounds_are_over(void *context) {
    struct rounds *rounds = context;
    struct engine_fixture *fixture = rounds->fixture;
    engine_durable(fixture->engine); /* wakes them */
    pthread_mutex_lock(&fixture->mutex);
    bool over = fixture->reader_count == fixture->options.shards;
    for (uint32_t i = 0; i < fixture->reader_count; i++) {
        over = over && fixture->readers[i].reads >= rounds->before[i] + 2;
    }
    pthread_mutex_unlock(&fixture->mutex);
    return over;
}

static bool log_is_durable(void *context) {
    struct engine_fixture *fixture = context;
    return fixture->held || fixture_log_failures(fixture) > 0 ||
           wal_durable_lsn(fixture->wal) >= wal_appended_lsn(fixture->wal);
}

/* Some moments of the clock pass, and everybody has seen them. */
static void advance_a_little(struct engine_fixture *fixture, uint64_t ms) {
    atomic_fetch_add(&fixture->now_ms, ms);
    if (fixture->options.by_hand) {
        fixture_settle(fixture);
        return;
    }
    for (uint32_t again = 0; again < 2; again++) { /* what the first brought about, too */
        struct rounds rounds = {.fixture = fixture};
        pthread_mutex_lock(&fixture->mutex);
        for (uint32_t i = 0; i < fixture->reader_count; i++)
            rounds.before[i] = fixture->readers[i].reads;
        pthread_mutex_unlock(&fixture->mutex);
        fixture_until(fixture, rounds_are_over, &rounds, "every shard has seen the new time");
        /* A real disk takes real time, which is no time here. */
        fixture_until(fixture, log_is_durable, fixture, "the log is durable");
    }
}

void fixture_advance(struct engine_fixture *fixture, uint64_t ms) {
    for (uint64_t left = ms; left > 0;) {
        uint64_t part = left < SHARD_ROUND_MS_MAX ? left : SHARD_ROUND_MS_MAX;
        advance_a_little(fixture, part);
        left -= part;
    }
}

void fixture_advance_shard(struct engine_fixture *fixture, uint32_t shard, uint64_t ms) {
    for (uint64_t left = ms; left > 0;) {
        uint64_t part = left < SHARD_ROUND_MS_MAX ? left : SHARD_ROUND_MS_MAX;
        fixture_turn_clock(fixture, part);
        for (uint32_t i = 0; i < 3; i++) { /* decide, write, see that it is durable */
            fixture_step_shard(fixture, shard);
            fixture_step_log(fixture);
            fixture_step_log(fixture);
        }
        left -= part;
    }
}

void fixture_turn_clock(struct engine_fixture *fixture, uint64_t ms) {
    assert_true(fixture->options.by_hand);
    atomic_fetch_add(&fixture->now_ms, ms);
}

/* --- the disk --------------------------------------------------------------------------------- */

void fixture_hold_disk(struct engine_fixture *fixture, bool hold) {
    fixture->held = hold;
    storage_memory_hold(fixture->disk, hold);
}

void fixture_break_disk(struct engine_fixture *fixture, uint64_t seed) {
    storage_memory_fault(fixture->disk, STORAGE_FAULT_FAIL, 0, seed);
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

uint64_t fixture_disk_lsn(struct engine_fixture *fixture) {
    if (fixture->options.folder) return wal_durable_lsn(fixture->wal);
    uint64_t writes = storage_memory_writes(fixture->disk);
    pthread_mutex_lock(&fixture->mutex);
    if (writes != fixture->disk_writes) {
        fixture->disk_lsn = look_at(fixture->disk);
        fixture->disk_writes = writes;
    }
    uint64_t lsn = fixture->disk_lsn;
    pthread_mutex_unlock(&fixture->mutex);
    return lsn;
}

/* --- start ------------------------------------------------------------------------------------ */

static void open_disk(struct engine_fixture *fixture) {
    int result = fixture->options.folder
                     ? storage_posix_open(fixture->folder, STORAGE_WAL, &fixture->disk)
                     : storage_memory_open(&fixture->disk);
    assert_int_equal(result, 0);
}

static struct world *replay(struct engine_fixture *fixture, uint64_t end_lsn,
                            struct recover_result *ret_result) {
    struct id128 seed;
    struct source_wal source;
    struct record_source port;
    struct recover_error error;
    fill(fixture, seed.bytes, sizeof seed.bytes);
    struct world *world = world_create(&seed);
    source_wal_init(&source, fixture->disk, NULL, NULL, end_lsn, &port);
    int result = recover(&port, world, NULL, ret_result, &error);
    source_wal_deinit(&source);
    if (result != 0) fail_msg("the log does not replay: %s", error.text);
    return world;
}

static struct world *open_log(struct engine_fixture *fixture, struct wal_recovery *ret_recovery) {
    const struct fixture_options *options = &fixture->options;
    const struct wal_options wal_options = {
        .storage = fixture->disk,
        .clock = {fixture, plain_now},
        .entropy = {fixture, fill},
        .segment_bytes = options->segment_bytes ? options->segment_bytes : FIXTURE_SEGMENT_BYTES,
        .buffer_bytes = options->buffer_bytes ? options->buffer_bytes : FIXTURE_BUFFER_BYTES,
        .appenders = options->shards,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = fixture,
    };
    struct wal_error error;
    struct recover_result result;
    if (wal_open(&wal_options, ret_recovery, &fixture->wal, &error) != 0)
        fail_msg("%s", error.text);
    wal_journal(fixture->wal, &fixture->journal);
    struct world *world = replay(fixture, ret_recovery->end_lsn, &result);
    fixture->recovered_hash = world_hash(world);
    return world;
}

static void start_threads(struct engine_fixture *fixture) {
    struct wal_error error;
    if (fixture->options.by_hand) return;
    assert_int_equal(wal_start(fixture->wal, &error), 0);
    assert_int_equal(engine_start(fixture->engine), 0);
    fixture->running = true;
}

static void dial(struct engine_fixture *fixture) {
    char public[FIXTURE_URL_BYTES], admin[FIXTURE_URL_BYTES];
    const struct client_options options = {.timeout_ms = FIXTURE_CLIENT_TIMEOUT_MS};
    (void)snprintf(public, sizeof public, "ipc://%s/p%u", fixture->folder, fixture->generation);
    (void)snprintf(admin, sizeof admin, "ipc://%s/a%u", fixture->folder, fixture->generation);
    assert_int_equal(client_open(public, &options, &fixture->public), 0);
    assert_int_equal(client_open(admin, &options, &fixture->admin), 0);
}

static void create_server(struct engine_fixture *fixture) {
    char public[FIXTURE_URL_BYTES], admin[FIXTURE_URL_BYTES];
    struct net_error error;
    (void)snprintf(public, sizeof public, "ipc://%s/p%u", fixture->folder, fixture->generation);
    (void)snprintf(admin, sizeof admin, "ipc://%s/a%u", fixture->folder, fixture->generation);
    const struct net_options options = {.public_urls = {public},
                                        .public_url_count = 1,
                                        .admin_url = admin,
                                        .contexts = 32,
                                        .watch_interval_ms = UINT32_MAX};
    if (net_server_create(&options, &fixture->server, &error) != NET_OK) fail_msg("%s", error.text);
}

/* Recover what the disk has, and serve. */
static void start(struct engine_fixture *fixture) {
    struct wal_recovery recovery;
    struct net_error error;
    fixture->generation++;
    fixture->finished = false;
    fixture->reader_count = 0;
    atomic_store(&fixture->dying, false);
    atomic_store(&fixture->deaf, false);
    create_server(fixture);
    struct engine_options options = {
        .shards = fixture->options.shards,
        .world = open_log(fixture, &recovery),
        .journal = {fixture, append, durable_lsn},
        .sink = {fixture, encode, release},
        .clock = {fixture, shard_now},
        .entropy = {fixture, fill},
        .start_lsn = recovery.end_lsn,
        .served_until_ms = recovery.last_wall_ms,
    };
    net_server_sink(fixture->server, &fixture->sink);
    fixture->engine = engine_open(&options);
    start_threads(fixture);
    net_engine_init(&fixture->net_engine, fixture->engine, &options.journal);
    fixture->submit = fixture->net_engine.submit;
    fixture->net_engine.context = fixture;
    fixture->net_engine.submit = submit;
    fixture->net_engine.shard_of = shard_of;
    if (net_server_start(fixture->server, &fixture->net_engine, &error) != NET_OK) {
        fail_msg("%s", error.text);
    }
    dial(fixture);
}

struct engine_fixture *fixture_open(const struct fixture_options *options) {
    struct engine_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    (void)alarm(FIXTURE_ALARM_S); /* there was none, or one of the test before */
    fixture->options = *options;
    fixture->owner = pthread_self();
    atomic_store(&fixture->now_ms, FIXTURE_BEGIN_MS);
    strcpy(fixture->folder, "/tmp/usher-fixture-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(pthread_mutex_init(&fixture->mutex, NULL), 0);
    open_disk(fixture);
    start(fixture);
    return fixture;
}

/* --- stop ------------------------------------------------------------------------------------- */

static void hang_up(struct engine_fixture *fixture) {
    if (fixture->public) client_close(fixture->public);
    if (fixture->admin) client_close(fixture->admin);
    fixture->public = fixture->admin = NULL;
}

static bool server_is_idle(void *context) {
    struct net_counters counters;
    net_server_counters(((struct engine_fixture *)context)->server, &counters);
    return counters.frames_in_flight == 0;
}

/* Answer whatever still waits, into the void: the sockets cannot be closed before. */
static void let_everybody_go(struct engine_fixture *fixture) {
    atomic_store(&fixture->deaf, true);
    atomic_store(&fixture->dying_lsn, UINT64_MAX / 2);
    atomic_store(&fixture->dying, true);
    uint64_t deadline_ms = real_ms() + FIXTURE_PATIENCE_MS;
    while (!server_is_idle(fixture) && real_ms() < deadline_ms) {
        if (fixture->running) {
            engine_durable(fixture->engine);
        } else {
            fixture_step_shards(fixture);
        }
        pause_briefly();
    }
    (void)net_server_stop(fixture->server, 1000); /* idle, or the alarm ends it */
    if (fixture->running) engine_stop(fixture->engine);
    if (fixture->running) (void)wal_stop(fixture->wal); /* it may be dead: so we are here */
    fixture->running = false;
}

/* Everything but the disk. */
static void take_down(struct engine_fixture *fixture) {
    if (fixture->engine && !fixture->finished) let_everybody_go(fixture);
    hang_up(fixture);
    if (fixture->server) net_server_free(fixture->server);
    if (fixture->engine) engine_close(fixture->engine);
    if (fixture->wal) wal_close(fixture->wal);
    fixture->server = NULL;
    fixture->engine = NULL;
    fixture->wal = NULL;
}

static void demand_conserved(const struct money_totals *money) {
    assert_int_equal(money->charged + money->refunded,
                     money->balances + money->reserved + money->spent);
    assert_int_equal(money->reserved, 0); /* nothing is under way any more */
}

/* Replay the log from nothing: the same state, the same money. */
static void compare(struct engine_fixture *fixture) {
    struct money_totals live, replayed;
    struct recover_result result;
    struct world *world = replay(fixture, wal_durable_lsn(fixture->wal), &result);
    world_money(world, &replayed);
    engine_money(fixture->engine, &live);
    uint64_t hash = world_hash(world);
    world_free(world);
    assert_true(hash == engine_world_hash(fixture->engine));
    assert_true(result.hashes_verified > 0 || result.records == 0);
    assert_memory_equal(&live, &replayed, sizeof live);
    demand_conserved(&live);
}

static void stop_in_order(struct engine_fixture *fixture) {
    fixture_until(fixture, server_is_idle, fixture, "every frame is answered");
    assert_int_equal(net_server_stop(fixture->server, FIXTURE_PATIENCE_MS), NET_OK);
    if (fixture->running) {
        engine_stop(fixture->engine);
    } else {
        fixture_settle(fixture);
        for (uint32_t i = 0; i < fixture->options.shards; i++)
            engine_log_hashes(fixture->engine, i);
        fixture_settle(fixture);
    }
    assert_int_equal(wal_stop(fixture->wal), 0);
    fixture->running = false;
    fixture->finished = true;
    compare(fixture);
    if (atomic_load(&fixture->early) > 0) {
        fail_msg("%llu replies were early", (unsigned long long)atomic_load(&fixture->early));
    }
}

void fixture_finish(struct engine_fixture *fixture) {
    stop_in_order(fixture);
    assert_int_equal(atomic_load(&fixture->log_failures), 0);
}

void fixture_restart(struct engine_fixture *fixture) {
    stop_in_order(fixture);
    take_down(fixture);
    start(fixture);
}

void fixture_crash(struct engine_fixture *fixture, uint64_t seed) {
    struct storage *survivor;
    assert_false(fixture->options.folder);
    (void)storage_memory_crash(fixture->disk, seed); /* with or without a write in flight */
    assert_int_equal(storage_memory_clone(fixture->disk, &survivor), 0);
    take_down(fixture);
    if (atomic_load(&fixture->early) > 0) fail_msg("a reply was early");
    fixture->disk->operations->destroy(fixture->disk);
    fixture->disk = survivor;
    fixture->held = false;
    fixture->disk_writes = UINT64_MAX; /* the survivor counts afresh: look anew */
    fixture->disk_lsn = 0;
    atomic_store(&fixture->log_failures, 0);
    start(fixture);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status; /* files, sockets and folders alike */
    (void)kind;
    (void)where;
    (void)remove(path); /* a leftover in /tmp is not worth failing for */
    return 0;
}

void fixture_close(struct engine_fixture *fixture) {
    if (!fixture) return;
    if (!fixture->options.folder && !fixture->finished && fixture->disk) {
        (void)storage_memory_crash(fixture->disk, 1); /* a held write lets go */
    }
    take_down(fixture);
    if (fixture->disk) fixture->disk->operations->destroy(fixture->disk);
    for (uint32_t i = 0; i < fixture->answer_count; i++) answer_free(fixture->answers[i]);
    free(fixture->answers);
    free(fixture->fillers);
    (void)pthread_mutex_destroy(&fixture->mutex); /* nobody has it */
    (void)nftw(fixture->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
}

int fixture_teardown(void **state) {
    fixture_close(*state);
    *state = NULL;
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static struct answer *send_to(struct engine_fixture *fixture, struct client *client,
                              const char *method, const struct param *params) {
    fixture->answers = realloc(fixture->answers,
                               (fixture->answer_count + 1) * sizeof(struct answer *));
    assert_non_null(fixture->answers);
    struct answer *answer = answer_send(client, method, params, &fixture->deaf);
    fixture->answers[fixture->answer_count++] = answer;
    return answer;
}

struct answer *fixture_send(struct engine_fixture *fixture, const char *method,
                            const struct param *params) {
    bool admin = strncmp(method, "admin.", 6) == 0;
    return send_to(fixture, admin ? fixture->admin : fixture->public, method, params);
}

struct answer *fixture_send_as_admin(struct engine_fixture *fixture, const char *method,
                                     const struct param *params) {
    return send_to(fixture, fixture->admin, method, params);
}

static bool is_here(void *context) { return answer_is_here(context); }

struct answer *fixture_wait(struct engine_fixture *fixture, struct answer *answer) {
    fixture_until(fixture, is_here, answer, "an answer comes");
    return answer;
}

struct answer *fixture_wait_only(struct engine_fixture *fixture, struct answer *answer) {
    assert_true(fixture->options.by_hand);
    wait_for(fixture, is_here, answer, "an answer comes", false);
    return answer;
}

/* --- looking inside --------------------------------------------------------------------------- */

uint64_t fixture_hash(const struct engine_fixture *fixture) {
    assert_true(fixture->options.by_hand);
    return engine_world_hash(fixture->engine);
}

uint64_t fixture_recovered_hash(const struct engine_fixture *fixture) {
    return fixture->recovered_hash;
}

uint32_t fixture_shard_of_date(const struct engine_fixture *fixture, uint32_t date) {
    const struct command command = {.kind = COMMAND_DATE_OPEN,
                                    .partition = partition_of_date(date)};
    return engine_shard_of(fixture->engine, &command);
}

uint32_t fixture_shard_of_user(const struct engine_fixture *fixture, const char *user) {
    struct id128 id;
    assert_true(uuid_parse(user, (uint32_t)strlen(user), &id));
    const struct command command = {.kind = COMMAND_WALLET_BALANCE,
                                    .partition = partition_of_user(&id)};
    return engine_shard_of(fixture->engine, &command);
}

void fixture_read_log(struct engine_fixture *fixture,
                      void (*visit)(void *context, const struct decision *decision),
                      void *context) {
    struct wal_reader *reader;
    struct wal_error error;
    struct wal_record record;
    struct decision decision;
    uint64_t limit_lsn = wal_durable_lsn(fixture->wal);
    if (wal_reader_open(fixture->disk, 0, &reader, &error) != 0) fail_msg("%s", error.text);
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

uint32_t fixture_count_log(struct engine_fixture *fixture, enum decision_kind kind) {
    struct kind_count count = {kind, 0};
    fixture_read_log(fixture, count_kind, &count);
    return count.count;
}

/* --- rules ------------------------------------------------------------------------------------ */

void fixture_rule(struct engine_fixture *fixture, bool holds, const char *rule,
                  const char *condition, const char *file, int line) {
    if (!holds) {
        print_error("rule %s does not hold: %s\n", rule, condition);
        _fail(file, line);
    }
    for (uint32_t i = 0; i < fixture->rule_count; i++) {
        if (strcmp(fixture->rules[i], rule) == 0) return;
    }
    assert_true(fixture->rule_count < FIXTURE_RULES_MAX && strlen(rule) < sizeof fixture->rules[0]);
    strcpy(fixture->rules[fixture->rule_count++], rule);
}

static bool lists(const char *rules, const char *rule) {
    size_t size = strlen(rule);
    for (const char *at = strstr(rules, rule); at; at = strstr(at + 1, rule)) {
        bool begins = at == rules || at[-1] == ' ';
        if (begins && (at[size] == ' ' || at[size] == '\0')) return true;
    }
    return false;
}

void fixture_demand_rules(struct engine_fixture *fixture, const char *rules) {
    uint32_t listed = *rules != '\0';
    for (const char *at = rules; *at; at++) listed += *at == ' ';
    for (uint32_t i = 0; i < fixture->rule_count; i++) {
        if (!lists(rules, fixture->rules[i])) fail_msg("%s is not listed", fixture->rules[i]);
    }
    if (fixture->rule_count != listed) {
        fail_msg("%u rules are listed, %u were demanded", listed, fixture->rule_count);
    }
}
