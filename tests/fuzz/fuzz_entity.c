/* fuzz_entity.c - the entities of an image, into a state that lives on
 *
 * Input: u8 mode, then entities, one after the other as they are encoded. A partition's hash cannot
 * be guessed: with MODE_HASHES the target states the right one.
 *
 * What must hold:
 * - an entity decodes or is refused; what was decoded encodes to the same and describes itself as
 *   one line without control characters
 * - an image is taken or refused with a reason; one that is taken, saved again, is the same bytes,
 *   but for the keys of charges where it is of an older usher
 * - the state that it makes is in itself consistent and lives on: everything that is due happens,
 *   its waiters and buyers ask, hours pass, and the journal of all that, applied to the image,
 *   gives the same state. Whatever an image says, no invariant of the engine can be broken by it.
 */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>

#include "engine/domain/image/image.h"
#include "replay/tell/describe.h"
#include "tests/fuzz/fuzz_fixture.h"

#define ENTITIES_MAX 2048u
#define MENDS_MAX 8u /* partitions whose hash is put right */
#define REQUESTS_MAX 64u
#define HOUR_MS 3600000u

enum { MODE_HASHES = 1 };

struct entities {
    struct entity all[ENTITIES_MAX];
    uint32_t count;
};

/* --- entities by themselves ------------------------------------------------------------------- */

static bool is_line(const char *line, size_t size) {
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)line[i];
        if (byte < 0x20 || byte == 0x7F) return false;
    }
    return size < DESCRIBE_LINE_BYTES && strlen(line) == size;
}

static void describes(const struct entity *entity) {
    char line[DESCRIBE_LINE_BYTES];
    REQUIRE(is_line(line, describe_entity_text(entity, 0, line)));
    json_t *fields = describe_entity_fields(entity, DESCRIBE_TOKEN_SECRETS);
    REQUIRE(json_is_object(fields));
    json_decref(fields);
}

static bool read_entity(const uint8_t *bytes, uint32_t size, struct entity *ret_entity) {
    static uint8_t first[RECORD_BYTES_MAX], second[RECORD_BYTES_MAX];
    struct entity again;
    if (entity_decode(bytes, size, ret_entity) != DECISION_DECODE_OK) return false;
    uint32_t first_size = entity_encode(ret_entity, first);
    REQUIRE(first_size >= size); /* longer where fields were added since */
    REQUIRE(first_size > size || memcmp(first, bytes, size) == 0);
    REQUIRE(entity_decode(first, first_size, &again) == DECISION_DECODE_OK);
    REQUIRE(entity_encode(&again, second) == first_size);
    REQUIRE(memcmp(first, second, first_size) == 0);
    describes(ret_entity);
    return true;
}

static void read_entities(struct input *input, struct entities *entities) {
    entities->count = 0;
    while (input->left >= 2 && entities->count < ENTITIES_MAX) {
        size_t size = (size_t)(input->at[0] | input->at[1] << 8);
        const uint8_t *bytes = input_bytes(input, size < 2 ? 2 : size, &size);
        if (!read_entity(bytes, (uint32_t)size, &entities->all[entities->count])) return;
        entities->count++;
    }
}

/* --- an image --------------------------------------------------------------------------------- */

static bool load(const struct entities *entities, struct world *world) {
    char text[IMAGE_ERROR_BYTES];
    struct image_loader *loader = image_loader_open(world);
    int result = 0;
    for (uint32_t i = 0; i < entities->count && result == 0; i++) {
        result = image_load(loader, &entities->all[i], text);
    }
    if (result == 0) result = image_finish(loader, text);
    REQUIRE(result == 0 || result == -1);
    REQUIRE(result == 0 ||
            (strnlen(text, sizeof text) > 0 && strnlen(text, sizeof text) < sizeof text));
    image_loader_close(loader);
    return result == 0;
}

static struct world *load_new(const struct entities *entities, uint8_t seed) {
    struct id128 id = {{seed}};
    struct world *world = world_create(&id);
    if (load(entities, world)) return world;
    world_free(world);
    return NULL;
}

/* State the hashes that the loaded partitions have. Return: whether any was another */
static bool mend_hashes(struct entities *entities) {
    struct id128 seed = {{1}};
    struct world *world = world_create(&seed);
    bool mended = false;
    (void)load(entities, world); /* as far as it goes */
    for (uint32_t i = 0; i < entities->count && !mended; i++) {
        struct entity *entity = &entities->all[i];
        const struct partition *partition = NULL;
        if (entity->kind == ENTITY_PARTITION) {
            partition = world_find(world, entity->partition.partition);
        }
        if (!partition || partition_hash(partition) == entity->partition.hash) continue;
        entity->partition.hash = partition_hash(partition);
        mended = true;
    }
    world_free(world);
    return mended;
}

struct comparison {
    const struct entities *entities;
    uint32_t at;
};

/* An older usher's image has no keys of charges: those that stand in ledger rows are known. */
static bool is_older(const struct comparison *comparison) {
    const struct entity *next = &comparison->entities->all[comparison->at];
    bool more = comparison->at < comparison->entities->count && next->kind == ENTITY_CHARGE_KEY;
    return !more && next[-1].kind != ENTITY_CHARGE_KEY;
}

static int compare(void *context, const struct entity *entity, const uint8_t *bytes,
                   uint32_t size) {
    static uint8_t loaded[RECORD_BYTES_MAX];
    struct comparison *comparison = context;
    if (entity->kind == ENTITY_CHARGE_KEY && is_older(comparison)) return 0;
    REQUIRE(comparison->at < comparison->entities->count);
    uint32_t loaded_size = entity_encode(&comparison->entities->all[comparison->at++], loaded);
    REQUIRE(loaded_size == size && memcmp(loaded, bytes, size) == 0);
    return 0;
}

static void saves_as_loaded(const struct world *world, const struct entities *entities) {
    struct comparison comparison = {entities, 0};
    struct image_sink sink = {compare, &comparison};
    REQUIRE(image_save(world, &sink) == 0);
    REQUIRE(comparison.at == entities->count);
}

/* --- life in it ------------------------------------------------------------------------------- */

struct entity_asking {
    struct request requests[REQUESTS_MAX];
    struct seat_ref seat;
    uint32_t count;
    uint32_t answers, releases;
};

static void encode(void *context, struct request *request, const struct reply *reply) {
    (void)request; /* whose answer it is does not matter here */
    ((struct entity_asking *)context)->answers += reply->kind != REPLY_RESERVATION_ITEM;
}

static void release(void *context, struct request *request) {
    (void)request;
    ((struct entity_asking *)context)->releases++;
}

static struct command *ask(struct entity_asking *asking, uint16_t kind, uint32_t partition) {
    struct command *command = &asking->requests[asking->count++].command;
    *command = (struct command){.kind = kind, .partition = partition};
    return command;
}

static void ask_as_waiter(struct entity_asking *asking, uint32_t date,
                          const struct entity_waiter *waiter) {
    struct token token = {date, waiter->place, waiter->secret};
    uint32_t partition = partition_of_date(date);
    ask(asking, COMMAND_QUEUE_STATUS, partition)->queue.token = token;
    struct command *hold = ask(asking, COMMAND_SEATS_HOLD, partition);
    hold->hold.token = token;
    hold->hold.seats = &asking->seat;
    hold->hold.count = 1;
    struct command *enter = ask(asking, COMMAND_QUEUE_ENTER, partition);
    enter->enter.user = waiter->user;
    enter->enter.secret = (struct id128){{9}};
}

static void ask_as_owner(struct entity_asking *asking, uint32_t date,
                         const struct entity_reservation *reservation) {
    uint32_t partition = partition_of_date(date);
    struct command *pay = ask(asking, COMMAND_PAYMENT_PAY, partition);
    pay->pay.token = (struct token){date, reservation->place, reservation->secret};
    pay->pay.reservation = dated_id(date, reservation->reservation);
    pay->pay.key = (struct id128){{5}};
    struct command *cancel = ask(asking, COMMAND_RESERVATION_CANCEL, partition);
    cancel->cancel.user = reservation->user;
    cancel->cancel.reservation = pay->pay.reservation;
    cancel->cancel.key = (struct id128){{6}};
}

static void ask_everybody(struct entity_asking *asking, struct fuzz_fixture *fixture,
                          const struct entities *entities) {
    uint32_t date = 0;
    for (uint32_t i = 0; i < entities->count && asking->count + 3 <= REQUESTS_MAX; i++) {
        const struct entity *entity = &entities->all[i];
        if (entity->kind == ENTITY_DATE) date = entity->date.date;
        if (entity->kind == ENTITY_WAITER) ask_as_waiter(asking, date, &entity->waiter);
        if (entity->kind == ENTITY_RESERVATION) ask_as_owner(asking, date, &entity->reservation);
    }
    for (uint32_t i = 0; i < asking->count; i++) {
        REQUIRE(engine_submit(fixture->engine, 0, &asking->requests[i]) == 0);
    }
}

static void lives_on(struct world *world, const struct entities *entities) {
    static struct entity_asking asking;
    struct fuzz_fixture fixture;
    uint64_t begin_ms = FUZZ_BEGIN_MS;
    for (uint32_t i = 0; i < entities->count; i++) {
        const struct entity *entity = &entities->all[i];
        if (entity->kind != ENTITY_PARTITION) continue;
        if (entity->partition.last_time_ms > begin_ms) begin_ms = entity->partition.last_time_ms;
    }
    memset(&asking, 0, sizeof asking);
    asking.seat.number = 1;
    fuzz_fixture_open(&fixture, world, begin_ms, &(struct reply_sink){&asking, encode, release});
    fuzz_fixture_run(&fixture);
    ask_everybody(&asking, &fixture, entities);
    fuzz_fixture_run(&fixture);
    REQUIRE(asking.answers == asking.count && asking.releases == asking.count);
    for (uint32_t hour = 0; hour < 3; hour++) {
        fixture.now_ms += HOUR_MS;
        fuzz_fixture_run(&fixture);
    }
    struct world *again = load_new(entities, 2);
    REQUIRE(again != NULL);
    fuzz_fixture_replay(&fixture, again);
    world_free(again);
    fuzz_fixture_close(&fixture);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct entities entities; /* large; overwritten by each input */
    struct input input = {bytes, size};
    uint8_t mode = input_u8(&input);
    read_entities(&input, &entities);
    for (uint32_t i = 0; i < MENDS_MAX && mode & MODE_HASHES && mend_hashes(&entities); i++)
        continue;
    struct world *world = load_new(&entities, 1);
    if (!world) return 0;
    saves_as_loaded(world, &entities);
    lives_on(world, &entities); /* takes the world */
    return 0;
}
