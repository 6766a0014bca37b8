/* connection.c - see connection.h */
#include "net/client/connection.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/require.h"
#include "net/client/call.h"
#include "net/client/clock.h"
#include "net/protocol/limits.h"

/* How a lost connection is dialled again: at once, then less and less often. */
#define RECONNECT_MIN_MS 10
#define RECONNECT_MAX_MS 1000
/* How long connection_open() waits for a connection. */
#define OPEN_TIMEOUT_MS 2000
/* nng 1.5.2 takes a peer that vanishes during the handshake (EPIPE) for the dialer's own end and
 * never dials again (nng#1518 is the same on the listener's side). No connection for longer than
 * the longest pause between two attempts: dial anew. */
#define WATCH_INTERVAL_MS 250
#define WATCH_SILENT_MAX ((RECONNECT_MAX_MS + 500) / WATCH_INTERVAL_MS)
/* nng 1.5.2 can hold a dead connection for alive, for ever, and after that every other that dies in
 * this process (nng#1543: a peer was killed while a message was coming in). Connected as it seems,
 * frames wait in vain for their whole time, and no answer for so long: open another link beside
 * this one. The engine may just be slow; so each time that is not followed by an answer, the next
 * attempt takes twice as long. */
#define UNANSWERED_MIN_MS 5000
#define UNANSWERED_MAX_MS 320000

/* A socket of nng with its one connection. One that was given up stays as it is until the process
 * ends: closing it could wait for ever, and its callbacks may still come. */
struct link {
    nng_socket socket;
    nng_dialer dialer;          /* the watching thread's, once that runs */
    _Atomic bool was_connected; /* once, at least */
    _Atomic int connections;    /* nng's callbacks */
    bool late; /* an answer may still come that nobody waits for: see connection_close(). Mutex */
};

struct connection {
    char *url;
    pthread_t watch;
    bool watched;          /* `watch` runs */
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t leave;  /* `watch`: look whether we are leaving */
    bool leaving;          /* `watch` comes to its end */
    struct link *link;     /* frames leave over this one; only `watch` puts another there */
    /* Since when it has answered nothing, connected as it seems; client_now_ms(). 0: all is well */
    uint64_t unanswered;
    uint64_t unanswered_ms; /* so long is too long */
    bool relinked;          /* a link was given up */
};

static int status_of(int nng_error) {
    switch (nng_error) {
    case 0: return CLIENT_OK;
    case NNG_ETIMEDOUT: return CLIENT_TIMEOUT;
    case NNG_ECLOSED:
    case NNG_ECANCELED: return CLIENT_CLOSED;
    case NNG_ENOMEM: return CLIENT_NO_MEMORY;
    default: return CLIENT_LOST;
    }
}

/* --- links ------------------------------------------------------------------------------------ */

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *argument) {
    struct link *link = argument;
    (void)pipe; /* how many there are is all that matters */
    link->was_connected = true;
    link->connections += event == NNG_PIPE_EV_ADD_PRE ? 1 : -1;
}

/* Return: 0 and a link that dials in the background, or an error of nng */
static int link_open(const char *url, struct link **ret_link) {
    struct link *link = calloc(1, sizeof *link);
    if (!link || nng_req0_open(&link->socket) != 0) {
        free(link);
        return NNG_ENOMEM;
    }
    /* Never resend by itself: a lost connection is the caller's to know of. */
    int rc = nng_socket_set_ms(link->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rc == 0) {
        rc = nng_socket_set_size(link->socket, NNG_OPT_RECVMAXSZ, NET_REPLY_FRAME_BYTES_MAX + 64u);
    }
    if (rc == 0) rc = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (rc == 0) rc = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (rc == 0) rc = nng_pipe_notify(link->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, link);
    if (rc == 0) rc = nng_pipe_notify(link->socket, NNG_PIPE_EV_REM_POST, on_pipe, link);
    if (rc == 0) rc = nng_dial(link->socket, url, &link->dialer, NNG_FLAG_NONBLOCK);
    if (rc == 0) {
        *ret_link = link;
        return 0;
    }
    (void)nng_close(link->socket); /* it has never been connected */
    free(link);
    return rc;
}

/* No connection for too long: see WATCH_SILENT_MAX. */
static void redial(const struct connection *connection, struct link *link) {
    (void)nng_dialer_close(link->dialer); /* it may be gone already */
    (void)nng_dial(link->socket, connection->url, &link->dialer,
                   NNG_FLAG_NONBLOCK); /* what fails is tried again */
}

/* No answer for too long: frames that leave from now on take another link. Those under way on the
 * old one wait for their time to end. Mutex held; released meanwhile. */
static void relink(struct connection *connection) {
    struct link *link;
    pthread_mutex_unlock(&connection->mutex);
    int rc = link_open(connection->url, &link);
    pthread_mutex_lock(&connection->mutex);
    connection->unanswered = 0;
    if (connection->unanswered_ms < UNANSWERED_MAX_MS) connection->unanswered_ms *= 2;
    if (rc != 0) return; /* tried again */
    connection->link = link;
    connection->relinked = true;
}

/* --- watching --------------------------------------------------------------------------------- */

/* A frame of this carrier is back: what that says of its link. */
static void judge(struct connection *connection, const struct carrier *carrier, int status) {
    struct link *link = carrier->link;
    pthread_mutex_lock(&connection->mutex);
    if (status != CLIENT_OK && carrier->sent && status != CLIENT_LOST) link->late = true;
    if (link == connection->link) {
        if (status == CLIENT_OK) connection->unanswered_ms = UNANSWERED_MIN_MS;
        if (status != CLIENT_TIMEOUT || link->connections == 0) {
            connection->unanswered = 0;
        } else if (connection->unanswered == 0) {
            connection->unanswered = carrier->begun_ms;
        }
    }
    pthread_mutex_unlock(&connection->mutex);
}

static void wait_for_a_look(struct connection *connection) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WATCH_INTERVAL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&connection->leave, &connection->mutex, &until);
}

static void *watch_main(void *argument) {
    struct connection *connection = argument;
    int silent = 0;
    pthread_mutex_lock(&connection->mutex);
    while (!connection->leaving) {
        wait_for_a_look(connection);
        if (connection->leaving) break;
        struct link *link = connection->link;
        if (connection->unanswered != 0 &&
            client_now_ms() - connection->unanswered >= connection->unanswered_ms) {
            relink(connection);
            silent = 0;
            continue;
        }
        silent = link->connections > 0 ? 0 : silent + 1;
        if (silent <= WATCH_SILENT_MAX) continue;
        silent = 0;
        pthread_mutex_unlock(&connection->mutex);
        redial(connection, link);
        pthread_mutex_lock(&connection->mutex);
    }
    pthread_mutex_unlock(&connection->mutex);
    return NULL;
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* Not a blocking nng_dial(): a peer that vanishes during the handshake makes that wait for ever. */
static bool connected_in_time(const struct link *link) {
    for (uint32_t waited = 0; waited < OPEN_TIMEOUT_MS; waited++) {
        if (link->was_connected) return true;
        nng_msleep(1);
    }
    return link->was_connected;
}

static int connect_first(struct connection *connection) {
    int rc = link_open(connection->url, &connection->link);
    if (rc == 0 && !connected_in_time(connection->link)) rc = NNG_ETIMEDOUT;
    switch (rc) {
    case 0: return 0;
    case NNG_ENOMEM: return CLIENT_NO_MEMORY;
    case NNG_EINVAL:
    case NNG_EADDRINVAL:
    case NNG_ENOTSUP: return CLIENT_BAD_URL;
    default: return CLIENT_UNREACHABLE;
    }
}

int connection_open(const char *url, struct connection **ret_connection) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) return CLIENT_NO_MEMORY;
    connection->unanswered_ms = UNANSWERED_MIN_MS;
    REQUIRE(pthread_mutex_init(&connection->mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&connection->leave, NULL) == 0);
    connection->url = strdup(url);
    REQUIRE_MEMORY(connection->url);
    int rc = connect_first(connection);
    if (rc == 0) {
        connection->watched = pthread_create(&connection->watch, NULL, watch_main, connection) == 0;
        if (!connection->watched) rc = CLIENT_NO_MEMORY;
    }
    if (rc != 0) {
        connection_close(connection);
        return rc;
    }
    *ret_connection = connection;
    return 0;
}

/* nng 1.5.2 can wait for ever in nng_close(), and can stop clearing away connections in the whole
 * process, if a connection is closed while a message is coming in on it (nng#1543). So a connection
 * on which an answer may still be on its way stays open, idle, until the process ends; and so does
 * every one where that has probably happened. */
void connection_close(struct connection *connection) {
    if (connection->watched) {
        pthread_mutex_lock(&connection->mutex);
        connection->leaving = true;
        pthread_cond_signal(&connection->leave);
        pthread_mutex_unlock(&connection->mutex);
        (void)pthread_join(connection->watch, NULL); /* it was made and never joined */
    }
    if (connection->link && !connection->link->late && !connection->relinked) {
        (void)nng_close(connection->link->socket); /* ours alone */
        free(connection->link);
    }
    (void)pthread_cond_destroy(&connection->leave);
    (void)pthread_mutex_destroy(&connection->mutex);
    free(connection->url);
    free(connection);
}

/* --- carriers --------------------------------------------------------------------------------- */

static nng_ctx carrier_context(const struct carrier *carrier) {
    return (nng_ctx){.id = carrier->context_id};
}

/* What is left of a frame's time, at least a millisecond: nng takes 0 for "never wait". */
static nng_duration time_left(const struct carrier *carrier) {
    uint64_t now_ms = client_now_ms();
    return carrier->deadline_ms > now_ms ? (nng_duration)(carrier->deadline_ms - now_ms) : 1;
}

/* Leave the link that was given up, if it was. Return: 0, or an error of nng */
static int carrier_join(struct carrier *carrier) {
    nng_ctx context;
    pthread_mutex_lock(&carrier->connection->mutex);
    struct link *link = carrier->connection->link;
    pthread_mutex_unlock(&carrier->connection->mutex);
    if (carrier->link == link) return 0;
    if (carrier->link) (void)nng_ctx_close(carrier_context(carrier)); /* ours alone */
    carrier->link = NULL;
    int rc = nng_ctx_open(&context, link->socket);
    if (rc != 0) return rc;
    carrier->context_id = context.id;
    carrier->link = link;
    return 0;
}

static void on_aio(void *argument) {
    struct carrier *carrier = argument;
    int rc = nng_aio_result(carrier->aio);
    if (rc == 0 && !carrier->sent) {
        carrier->sent = true;
        nng_aio_set_timeout(carrier->aio, time_left(carrier));
        nng_ctx_recv(carrier_context(carrier), carrier->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(carrier->aio);
    nng_aio_set_msg(carrier->aio, NULL);
    if (rc != 0 && !carrier->sent) nng_msg_free(message); /* it is ours again */
    judge(carrier->connection, carrier, status_of(rc));
    if (rc == 0) {
        carrier->done(carrier, CLIENT_OK, nng_msg_body(message), (uint32_t)nng_msg_len(message));
        nng_msg_free(message);
    } else {
        carrier->done(carrier, status_of(rc), NULL, 0);
    }
}

int carrier_open(struct carrier *carrier, struct connection *connection, carrier_done *done) {
    carrier->connection = connection;
    carrier->done = done;
    if (carrier_join(carrier) != 0) return CLIENT_NO_MEMORY;
    if (nng_aio_alloc(&carrier->aio, on_aio, carrier) == 0) return 0;
    (void)nng_ctx_close(carrier_context(carrier)); /* ours alone */
    carrier->aio = NULL;
    return CLIENT_NO_MEMORY;
}

int carrier_send(struct carrier *carrier, const uint8_t *bytes, uint32_t size,
                 uint64_t deadline_ms) {
    nng_msg *message;
    int rc = carrier_join(carrier);
    if (rc == 0) rc = nng_msg_alloc(&message, size);
    if (rc != 0) return status_of(rc);
    memcpy(nng_msg_body(message), bytes, size);
    carrier->sent = false;
    carrier->begun_ms = client_now_ms();
    carrier->deadline_ms = deadline_ms;
    nng_aio_set_msg(carrier->aio, message);
    nng_aio_set_timeout(carrier->aio, time_left(carrier));
    nng_ctx_send(carrier_context(carrier), carrier->aio);
    return 0;
}

void carrier_cancel(struct carrier *carrier) { nng_aio_cancel(carrier->aio); }

void carrier_close(struct carrier *carrier) {
    nng_aio_stop(carrier->aio);
    if (carrier->link) (void)nng_ctx_close(carrier_context(carrier)); /* ours alone */
    nng_aio_free(carrier->aio);
}
