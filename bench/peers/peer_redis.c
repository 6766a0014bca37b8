/* peer_redis.c - the job of callers.h on Redis: a Lua script, over the protocol RESP
 *
 * An active user is a key that Redis removes at the end of the turn; a held seat is a key that it
 * removes at the end of the hold. The script reads one and sets the other if it is not there: the
 * shortest way in which Redis can do the job. Seats that nobody holds have no key, so it does not
 * even check that there is such a seat. bench/compare starts the server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/wire.h"
#include "engine/base/require.h"

/* For each pair of keys, the user's and the seat's: 1 held, 0 taken, -1 no turn. One pair, the
 * common case, is answered with one number. */
static const char script[] =
    "local function hold(turn, seat)\n"
    "  local user = redis.call('GET', turn)\n"
    "  if not user then return -1 end\n"
    "  if redis.call('SET', seat, user, 'NX', 'PX', ARGV[1]) then return 1 "
    "end\n"
    "  return 0\n"
    "end\n";
static const char one[] = "return hold(KEYS[1], KEYS[2])";
static const char many[] = "local answers = {}\n"
                           "for i = 1, #KEYS, 2 do answers[#answers + 1] = hold(KEYS[i], KEYS[i + "
                           "1]) end\n"
                           "return answers";

/* --- before and after: one command at a time -------------------------------------------------- */

static void read_line(int fd, char line[256]) {
    uint32_t size = 0;
    do {
        REQUIRE(size < 255);
        wire_read(fd, &line[size], 1);
    } while (line[size++] != '\n');
    line[size] = 0;
    if (line[0] == '-') callers_fail("Redis", line);
}

static void load_script(int fd, const char *tail, char ret_sha[41]) {
    char command[1024], line[256];
    int size = snprintf(command, sizeof command,
                        "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s%s\r\n",
                        strlen(script) + strlen(tail), script, tail);
    wire_write(fd, command, (size_t)size);
    read_line(fd, line); /* $40 */
    read_line(fd, line);
    memcpy(ret_sha, line, 40);
    ret_sha[40] = 0;
}

static void load_users(int fd, uint32_t users) {
    char command[128], line[256];
    for (uint32_t first = 0; first < users; first += 1000) {
        struct wire_buffer buffer = {0};
        uint32_t count = users - first < 1000 ? users - first : 1000;
        for (uint32_t user = first; user < first + count; user++) {
            int size = snprintf(command, sizeof command, "SET t:%08x %u PX %u\r\n",
                                callers_token(user), user, CALLERS_HOLD_TTL_MS);
            memcpy(wire_append(&buffer, (size_t)size), command, (size_t)size);
        }
        wire_write(fd, buffer.bytes, buffer.end);
        for (uint32_t i = 0; i < count; i++) read_line(fd, line);
        free(buffer.bytes);
    }
}

static long long ask_number(int fd, const char *command) {
    char line[256];
    wire_write(fd, command, strlen(command));
    read_line(fd, line);
    if (line[0] != ':') callers_fail(command, line);
    return atoll(line + 1);
}

static void check_refusals(int fd, const char *sha) {
    char command[128];
    struct callers_hold first = callers_hold(0);
    (void)snprintf(command, sizeof command, "EVALSHA %s 2 t:%08x s:%u %u\r\n", sha,
                   callers_token(first.user + 1), first.seat, CALLERS_HOLD_TTL_MS);
    if (ask_number(fd, command) != 0) callers_fail("Redis", "a seat was held twice");
    (void)snprintf(command, sizeof command, "EVALSHA %s 2 t:nobody s:%u %u\r\n", sha, 4000000000u,
                   CALLERS_HOLD_TTL_MS);
    if (ask_number(fd, command) != -1) callers_fail("Redis", "a hold without a turn");
}

/* --- the job ---------------------------------------------------------------------------------- */

static char shas[2][41]; /* written before the run */

static void append_key(struct wire_buffer *out, const char *format, uint32_t number) {
    char key[32], text[48];
    int key_size = snprintf(key, sizeof key, format, number);
    int size = snprintf(text, sizeof text, "$%d\r\n%s\r\n", key_size, key);
    memcpy(wire_append(out, (size_t)size), text, (size_t)size);
}

static void encode(struct wire_connection *connection, const struct callers_hold *holds,
                   const uint32_t *callers, uint32_t count) {
    struct wire_buffer *out = &connection->out;
    char text[128], keys[16];
    (void)callers; /* answers come in order */
    int keys_size = snprintf(keys, sizeof keys, "%u", 2 * count);
    int size = snprintf(text, sizeof text, "*%u\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$%d\r\n%s\r\n",
                        4 + 2 * count, shas[count > 1], keys_size, keys);
    memcpy(wire_append(out, (size_t)size), text, (size_t)size);
    for (uint32_t i = 0; i < count; i++) {
        append_key(out, "t:%08x", callers_token(holds[i].user));
        append_key(out, "s:%u", holds[i].seat);
    }
    append_key(out, "%u", CALLERS_HOLD_TTL_MS);
}

/* Numbers answer holds; the line that says how many follow has nothing to tell. */
static size_t decode(struct wire *wire, struct wire_connection *connection) {
    struct wire_buffer *in = &connection->in;
    const uint8_t *begin = in->bytes + in->begin;
    const uint8_t *end = memchr(begin, '\n', in->end - in->begin);
    if (!end) return 0;
    if (begin[0] == '-') callers_fail("Redis", "an error instead of an answer");
    if (begin[0] == ':') wire_answered_first(wire, connection, begin[1] == '1');
    return (size_t)(end + 1 - begin);
}

int main(int argc, char **argv) {
    static const struct wire_format format = {encode, decode};
    static struct callers callers;
    static struct wire wire;
    struct callers_options options;
    callers_read_options(argc, argv, &options);
    int fd = wire_connect(options.address);
    load_script(fd, one, shas[0]);
    load_script(fd, many, shas[1]);
    load_users(fd, callers_users(&options));
    wire_run(&wire, &callers, &format, &options, 0);
    check_refusals(fd, shas[0]);
    long long keys = ask_number(fd, "DBSIZE\r\n");
    callers_report(&callers, (uint64_t)keys - callers_users(&options));
    return 0;
}
