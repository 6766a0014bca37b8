/* wire.c - see wire.h */
#include "bench/peers/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/require.h"

#define READ_BYTES (256u * 1024u)

uint8_t *wire_append(struct wire_buffer *buffer, size_t bytes) {
    if (buffer->begin == buffer->end) buffer->begin = buffer->end = 0;
    if (buffer->end + bytes > buffer->capacity) {
        buffer->capacity = 2 * (buffer->end + bytes);
        buffer->bytes = realloc(buffer->bytes, buffer->capacity);
        REQUIRE(buffer->bytes);
    }
    buffer->end += bytes;
    return buffer->bytes + buffer->end - bytes;
}

int wire_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        callers_fail(path, strerror(errno));
    }
    return fd;
}

void wire_write(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = write(fd, (const uint8_t *)bytes + done, size - done);
        if (count < 0) callers_fail("write", strerror(errno));
        done += (size_t)count;
    }
}

void wire_read(int fd, void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = read(fd, (uint8_t *)bytes + done, size - done);
        if (count <= 0) callers_fail("read", count == 0 ? "the server hung up" : strerror(errno));
        done += (size_t)count;
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

static void want_next(struct wire *wire, struct wire_connection *connection, uint32_t caller) {
    uint32_t place = connection->wanting_count;
    if (!callers_next(wire->callers, caller, &connection->holds[place])) return;
    connection->wanting[place] = caller;
    connection->wanting_count++;
}

static void watch(struct wire *wire, struct wire_connection *connection, int how) {
    struct epoll_event event = {.events = EPOLLIN | (connection->blocked ? EPOLLOUT : 0u),
                                .data.ptr = connection};
    if (epoll_ctl(wire->epoll, how, connection->fd, &event) != 0) {
        callers_fail("epoll", strerror(errno));
    }
}

static void write_out(struct wire *wire, struct wire_connection *connection) {
    struct wire_buffer *out = &connection->out;
    bool blocked = false;
    while (out->begin < out->end && !blocked) {
        ssize_t count = write(connection->fd, out->bytes + out->begin, out->end - out->begin);
        if (count < 0 && errno != EAGAIN) callers_fail("write", strerror(errno));
        blocked = count < 0;
        if (count > 0) out->begin += (size_t)count;
    }
    if (blocked == connection->blocked) return;
    connection->blocked = blocked;
    watch(wire, connection, EPOLL_CTL_MOD);
}

static void send_wanting(struct wire *wire, struct wire_connection *connection) {
    const bool batch = wire->callers->options->batch;
    uint32_t count = connection->wanting_count;
    if (count == 0 || (batch && connection->asked_count > 0)) return;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = (connection->asked_first + connection->asked_count++) %
                         connection->caller_count;
        connection->asked[place] = connection->wanting[i];
        if (!batch) {
            wire->format->encode(connection, &connection->holds[i], &connection->wanting[i], 1);
        }
    }
    if (batch) wire->format->encode(connection, connection->holds, connection->wanting, count);
    connection->wanting_count = 0;
    write_out(wire, connection);
}

/* --- answers ---------------------------------------------------------------------------------- */

void wire_answered(struct wire *wire, struct wire_connection *connection, uint32_t caller,
                   bool held) {
    REQUIRE(connection->asked_count > 0);
    connection->asked_first = (connection->asked_first + 1) % connection->caller_count;
    connection->asked_count--;
    callers_answer(wire->callers, caller, held);
    want_next(wire, connection, caller);
}

void wire_answered_first(struct wire *wire, struct wire_connection *connection, bool held) {
    wire_answered(wire, connection, connection->asked[connection->asked_first], held);
}

static void read_in(struct wire *wire, struct wire_connection *connection) {
    struct wire_buffer *in = &connection->in;
    uint8_t *room = wire_append(in, READ_BYTES);
    ssize_t count = read(connection->fd, room, READ_BYTES);
    in->end -= READ_BYTES;
    if (count == 0) callers_fail(wire->callers->options->name, "the server hung up");
    if (count < 0) {
        if (errno == EAGAIN) return;
        callers_fail("read", strerror(errno));
    }
    in->end += (size_t)count;
    for (size_t used = 1; used > 0 && in->begin < in->end;) {
        used = wire->format->decode(wire, connection);
        in->begin += used;
    }
    /* What is left is the beginning of an answer: a few bytes, moved to the front. */
    memmove(in->bytes, in->bytes + in->begin, in->end - in->begin);
    in->end -= in->begin;
    in->begin = 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void open_connection(struct wire *wire, uint32_t index,
                            const struct callers_options *options, size_t greeting) {
    struct wire_connection *connection = &wire->connections[index];
    uint8_t ignored[256];
    REQUIRE(greeting <= sizeof ignored);
    uint32_t room = options->callers / options->connections + 1;
    connection->fd = wire_connect(options->address);
    wire_read(connection->fd, ignored, greeting);
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) callers_fail("fcntl", strerror(errno));
    connection->callers = calloc(room, sizeof *connection->callers);
    connection->wanting = calloc(room, sizeof *connection->wanting);
    connection->asked = calloc(room, sizeof *connection->asked);
    connection->holds = calloc(room, sizeof *connection->holds);
    REQUIRE(connection->callers && connection->wanting && connection->asked && connection->holds);
    for (uint32_t caller = index; caller < options->callers; caller += options->connections) {
        connection->callers[connection->caller_count++] = caller;
    }
    watch(wire, connection, EPOLL_CTL_ADD);
}

void wire_run(struct wire *wire, struct callers *callers, const struct wire_format *format,
              const struct callers_options *options, size_t greeting) {
    struct epoll_event events[256];
    *wire = (struct wire){.callers = callers, .format = format, .epoll = epoll_create1(0)};
    wire->connections = calloc(options->connections, sizeof *wire->connections);
    REQUIRE(wire->connections && wire->epoll >= 0);
    for (uint32_t i = 0; i < options->connections; i++) {
        open_connection(wire, i, options, greeting);
    }
    callers_begin(callers, options, 0);
    for (uint32_t i = 0; i < options->connections; i++) {
        struct wire_connection *connection = &wire->connections[i];
        for (uint32_t n = 0; n < connection->caller_count; n++) {
            want_next(wire, connection, connection->callers[n]);
        }
        send_wanting(wire, connection);
    }
    while (!callers_all_answered(callers)) {
        int count = epoll_wait(wire->epoll, events, 256, 1000);
        if (count < 0 && errno != EINTR) callers_fail("epoll", strerror(errno));
        for (int i = 0; i < count; i++) {
            struct wire_connection *connection = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_in(wire, connection);
            if (connection->blocked) write_out(wire, connection);
            send_wanting(wire, connection);
        }
    }
    callers_end(callers);
}
