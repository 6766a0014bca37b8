/* wire.h - many callers' requests over a few sockets, for peers that answer in a simple format
 *
 * One thread and epoll. What the callers of a connection want gathers while its input is read and
 * leaves in one write: as commands one after the other (pipelining), or, with `batch`, as one
 * command for all of them once the one before is answered. A connection with one caller is what a
 * client without any pipelining does.
 */
#ifndef USHER_BENCH_PEERS_WIRE_H
#define USHER_BENCH_PEERS_WIRE_H

#include <stddef.h>

#include "bench/peers/callers.h"

struct wire_buffer {
    uint8_t *bytes;
    size_t begin, end, capacity; /* what is in use: bytes[begin..end) */
};

struct wire_connection {
    int fd;
    bool blocked; /* epoll tells when it takes more */
    struct wire_buffer in, out;
    uint32_t *callers, *wanting, *asked; /* of this connection; wanting: not yet sent */
    struct callers_hold *holds;          /* of those wanting */
    uint32_t caller_count, wanting_count;
    uint32_t asked_first, asked_count; /* a ring of caller_count: sent, in the order of sending */
};

struct wire;
struct wire_format {
    /* Append a command for `count` holds (1 without batch) to connection->out. */
    void (*encode)(struct wire_connection *connection, const struct callers_hold *holds,
                   const uint32_t *callers, uint32_t count);
    /* Read one answer, or one command's answers, at connection->in; tell wire_answered() or
     * wire_answered_first(). Return: bytes used; 0: it is not complete yet */
    size_t (*decode)(struct wire *wire, struct wire_connection *connection);
};

struct wire {
    struct callers *callers;
    const struct wire_format *format;
    struct wire_connection *connections;
    int epoll;
};

/* wire_append - room for more bytes at the buffer's end, which the caller fills */
uint8_t *wire_append(struct wire_buffer *buffer, size_t bytes);

/* wire_connect - a connected stream socket, blocking */
int wire_connect(const char *path);
/* wire_write, wire_read - all of it, or the process ends; for what is asked before and after */
void wire_write(int fd, const void *bytes, size_t size);
void wire_read(int fd, void *bytes, size_t size);

void wire_answered(struct wire *wire, struct wire_connection *connection, uint32_t caller,
                   bool held);
/* wire_answered_first - for protocols that answer in order */
void wire_answered_first(struct wire *wire, struct wire_connection *connection, bool held);

/* wire_run - connect, run all callers to their end
 * @greeting: bytes that the server sends first */
void wire_run(struct wire *wire, struct callers *callers, const struct wire_format *format,
              const struct callers_options *options, size_t greeting);

#endif
