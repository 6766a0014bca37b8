/* server.c - see server.h; threads and the order of events: README.md, "Threads and ownership"
 *
 * nng calls context_received, context_sent and pipe_event; a shard, or nng, calls context_answer.
 * Nothing here waits but net_server_stop and the watchdog.
 */
#include "net/server/server.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/require.h"
#include "net/server/accept.h"
#include "net/server/deadline.h"
#include "net/server/frame.h"
#include "net/server/listener.h"

struct endpoint;

/* One REP context of nng. Idle -> receiving -> in the engine -> sending -> receiving; one callback
 * of nng's or one release of a shard's moves it on, so nothing in it needs a lock. */
struct rep_context {
    struct endpoint *endpoint;
    nng_ctx ctx;
    nng_aio *receive, *send;
    nng_msg *message; /* the frame's bytes, until its reply was assembled */
    nng_pipe pipe;    /* where it came from */
};

/* A REP socket: the public one, or the admin one. */
struct endpoint {
    struct net_server *server;
    nng_socket socket;
    bool open;
    bool admin;
    struct rep_context *contexts;
    uint32_t context_count; /* those that are open */
    /* Frames for messages between their arrival and their reply: never more than contexts. nng
     * takes contexts in turn; frames are taken from the top of a stack, so that a few under way use
     * the same memory again and again, still in the caches, and the others have none. */
    struct frame *frames;
    uint32_t frame_count;  /* those that are initialised */
    pthread_mutex_t mutex; /* guards `unused` */
    struct frame *unused;
    struct listener listeners[NET_LISTENERS_MAX];
    uint32_t listener_count; /* those that were started */
    _Atomic uint64_t pipes;  /* connections, those included that are refused right now */
    uint64_t pipes_max;      /* 0: no limit */
};

struct net_server {
    char public_urls[NET_LISTENERS_MAX][NET_URL_BYTES_MAX];
    char admin_url[NET_URL_BYTES_MAX]; /* empty: none */
    uint32_t public_url_count;
    uint32_t contexts;
    uint32_t send_timeout_ms, watch_interval_ms;

    struct frame_shared shared;
    struct endpoint public, admin;
    _Atomic uint64_t accepted, relistens, slow_disconnects, connections_refused;

    pthread_mutex_t mutex; /* guards `leaving` and the two conditions' waits */
    pthread_cond_t idle;   /* no frame is in flight */
    pthread_cond_t leave;  /* the watchdog ends */
    bool leaving;
    pthread_t watchdog;
    bool has_watchdog;
};

/* --- a frame's way through a context ---------------------------------------------------------- */

static struct frame *frame_take(struct endpoint *endpoint) {
    pthread_mutex_lock(&endpoint->mutex);
    struct frame *frame = endpoint->unused;
    REQUIRE(frame != NULL); /* there is one for each context */
    endpoint->unused = frame->next;
    pthread_mutex_unlock(&endpoint->mutex);
    return frame;
}

static void frame_give(struct endpoint *endpoint, struct frame *frame) {
    pthread_mutex_lock(&endpoint->mutex);
    frame->next = endpoint->unused;
    endpoint->unused = frame;
    pthread_mutex_unlock(&endpoint->mutex);
}

/* The reply is out, or there is none: the frame is over. */
static void context_next(struct rep_context *context) {
    struct net_server *server = context->endpoint->server;
    if (frame_end(&server->shared) && atomic_load(&server->shared.stopping)) {
        pthread_mutex_lock(&server->mutex);
        pthread_cond_broadcast(&server->idle);
        pthread_mutex_unlock(&server->mutex);
    }
    nng_ctx_recv(context->ctx, context->receive);
}

static void context_dropped(struct rep_context *context) {
    atomic_fetch_add(&context->endpoint->server->shared.replies_dropped, 1);
    context_next(context);
}

/* Return: the reply frame, or NULL if there is none or no memory for it */
static nng_msg *assemble_reply(const struct frame *frame) {
    nng_msg *reply;
    uint32_t total = frame_reply_bytes(frame);
    if (total == 0 || nng_msg_alloc(&reply, total) != 0) return NULL;
    uint8_t *to = nng_msg_body(reply);
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t size;
        const uint8_t *bytes = frame_reply_at(frame, i, &size);
        memcpy(to, bytes, size);
        to += size;
    }
    return reply;
}

/* frame.done: on the thread that released the last request. */
static void context_answer(void *argument, struct frame *frame) {
    struct rep_context *context = argument;
    nng_msg *reply = assemble_reply(frame);
    frame_recycle(frame);
    frame_give(context->endpoint, frame);
    nng_msg_free(context->message);
    context->message = NULL;
    if (!reply) {
        context_dropped(context);
        return;
    }
    nng_aio_set_msg(context->send, reply);
    nng_ctx_send(context->ctx, context->send);
}

static void context_sent(void *argument) {
    struct rep_context *context = argument;
    int rc = nng_aio_result(context->send);
    if (rc == 0) {
        context_next(context);
        return;
    }
    nng_msg_free(nng_aio_get_msg(context->send));
    nng_aio_set_msg(context->send, NULL);
    if (rc == NNG_ETIMEDOUT) {
        /* Other frames of this gateway are stuck behind it: end them all at once. It may be gone
         * already, which is as good. */
        atomic_fetch_add(&context->endpoint->server->slow_disconnects, 1);
        (void)nng_pipe_close(context->pipe);
    }
    context_dropped(context);
}

static void context_received(void *argument) {
    struct rep_context *context = argument;
    int rc = nng_aio_result(context->receive);
    if (rc == NNG_ECLOSED || rc == NNG_ECANCELED) return; /* net_server_free() */
    if (rc != 0) {
        nng_ctx_recv(context->ctx, context->receive);
        return;
    }
    context->message = nng_aio_get_msg(context->receive);
    nng_aio_set_msg(context->receive, NULL);
    context->pipe = nng_msg_get_pipe(context->message);
    size_t size = nng_msg_len(context->message);
    REQUIRE(size <= UINT32_MAX);
    struct frame *frame = frame_take(context->endpoint);
    frame->context = context;
    frame_run(frame, nng_msg_body(context->message), (uint32_t)size);
}

/* --- connections ------------------------------------------------------------------------------ */

/* nng tells of each connection before it is added, and after it is gone; in between of those that
 * are added: not of one that speaks another protocol, nor of one that is closed here. */
static void pipe_event(nng_pipe pipe, nng_pipe_ev event, void *argument) {
    struct endpoint *endpoint = argument;
    struct net_server *server = endpoint->server;
    if (event == NNG_PIPE_EV_REM_POST) {
        atomic_fetch_sub(&endpoint->pipes, 1);
        return;
    }
    if (event == NNG_PIPE_EV_ADD_PRE) {
        uint64_t before = atomic_fetch_add(&endpoint->pipes, 1);
        if (endpoint->pipes_max == 0 || before < endpoint->pipes_max) return;
        /* One too many. SP knows no word for it: whoever dialled sees a connection that ends. To
         * the watchdog it is proof that the listener accepts. */
        atomic_fetch_add(&server->connections_refused, 1);
        (void)nng_pipe_close(pipe); /* it was open just now */
    } else {
        REQUIRE(event == NNG_PIPE_EV_ADD_POST);
        atomic_fetch_add(&server->accepted, 1);
    }
    int id = nng_listener_id(nng_pipe_listener(pipe));
    /* A replaced listener's last connection belongs to none. All of them are initialised before
     * the first one listens. */
    for (uint32_t i = 0; i < NET_LISTENERS_MAX && id > 0; i++) {
        if (listener_accepted(&endpoint->listeners[i], (uint32_t)id)) break;
    }
}

static void add_counters(void *context, struct net_counters *counters) {
    struct net_server *server = context;
    counters->slow_disconnects = atomic_load(&server->slow_disconnects);
    counters->connections = atomic_load(&server->public.pipes) + atomic_load(&server->admin.pipes);
    counters->accepted = atomic_load(&server->accepted);
    counters->connections_refused = atomic_load(&server->connections_refused) + accept_refused();
    counters->relistens = atomic_load(&server->relistens);
}

void net_server_counters(const struct net_server *server, struct net_counters *ret_counters) {
    /* The counters are atomics; reading them changes nothing. */
    frame_counters((struct frame_shared *)(uintptr_t)&server->shared, ret_counters);
}

/* --- life ------------------------------------------------------------------------------------- */

static int system_error(struct net_error *error, const char *what, int rc) {
    (void)snprintf(error->text, sizeof error->text, "%s: %s", what, nng_strerror(rc));
    return rc == NNG_ENOMEM ? NET_NO_MEMORY : NET_SYSTEM;
}

static int context_open(struct rep_context *context, struct endpoint *endpoint,
                        struct net_error *ret_error) {
    struct net_server *server = endpoint->server;
    context->endpoint = endpoint;
    int rc = nng_ctx_open(&context->ctx, endpoint->socket);
    if (rc != 0) return system_error(ret_error, "cannot open a REP context", rc);
    rc = nng_aio_alloc(&context->receive, context_received, context);
    if (rc == 0) rc = nng_aio_alloc(&context->send, context_sent, context);
    int result = NET_OK;
    if (rc != 0) {
        result = system_error(ret_error, "cannot prepare a REP context", rc);
    } else {
        nng_aio_set_timeout(context->send, (nng_duration)server->send_timeout_ms);
        struct frame *frame = &endpoint->frames[endpoint->frame_count];
        result = frame_init(frame, &server->shared, endpoint->admin, context_answer, NULL);
        if (result == NET_OK) {
            endpoint->frame_count++;
            frame_give(endpoint, frame);
        } else {
            system_error(ret_error, "cannot prepare a frame", NNG_ENOMEM);
        }
    }
    if (result != NET_OK) {
        nng_aio_free(context->send);
        nng_aio_free(context->receive);
        (void)nng_ctx_close(context->ctx); /* ours alone */
    }
    return result;
}

static void endpoint_close(struct endpoint *endpoint) {
    if (!endpoint->open) return;
    endpoint->open = false;
    for (uint32_t i = 0; i < endpoint->listener_count; i++) listener_stop(&endpoint->listeners[i]);
    for (uint32_t i = 0; i < endpoint->context_count; i++) {
        struct rep_context *context = &endpoint->contexts[i];
        nng_aio_stop(context->receive);
        nng_aio_stop(context->send);
    }
    for (uint32_t i = 0; i < endpoint->context_count; i++) {
        struct rep_context *context = &endpoint->contexts[i];
        REQUIRE(context->message == NULL); /* the engine still has requests of this frame */
        (void)nng_ctx_close(context->ctx); /* ours alone */
        nng_aio_free(context->receive);
        nng_aio_free(context->send);
    }
    for (uint32_t i = 0; i < endpoint->frame_count; i++) frame_deinit(&endpoint->frames[i]);
    (void)nng_close(endpoint->socket);
    free(endpoint->contexts);
    free(endpoint->frames);
    endpoint->contexts = NULL;
    endpoint->frames = endpoint->unused = NULL;
    endpoint->context_count = endpoint->frame_count = endpoint->listener_count = 0;
}

static int endpoint_listen(struct endpoint *endpoint, const char *url,
                           struct net_error *ret_error) {
    struct listener *listener = &endpoint->listeners[endpoint->listener_count];
    int result = listener_start(listener, (uint32_t)nng_socket_id(endpoint->socket), url,
                                endpoint->admin, ret_error);
    if (result == NET_OK) endpoint->listener_count++;
    return result;
}

/* The socket with its contexts; listens to nothing yet. On failure endpoint_close() cleans up. */
static int endpoint_open(struct endpoint *endpoint, uint32_t contexts,
                         struct net_error *ret_error) {
    int rc = nng_rep0_open(&endpoint->socket);
    if (rc != 0) return system_error(ret_error, "cannot open a REP socket", rc);
    endpoint->open = true;
    rc = nng_pipe_notify(endpoint->socket, NNG_PIPE_EV_ADD_PRE, pipe_event, endpoint);
    if (rc == 0) {
        rc = nng_pipe_notify(endpoint->socket, NNG_PIPE_EV_ADD_POST, pipe_event, endpoint);
    }
    if (rc == 0) {
        rc = nng_pipe_notify(endpoint->socket, NNG_PIPE_EV_REM_POST, pipe_event, endpoint);
    }
    if (rc != 0) return system_error(ret_error, "cannot watch connections", rc);
    endpoint->contexts = calloc(contexts, sizeof *endpoint->contexts);
    endpoint->frames = calloc(contexts, sizeof *endpoint->frames);
    if (!endpoint->contexts || !endpoint->frames)
        return system_error(ret_error, "cannot get contexts", NNG_ENOMEM);
    for (uint32_t i = 0; i < contexts; i++) {
        int result = context_open(&endpoint->contexts[i], endpoint, ret_error);
        if (result != NET_OK) return result;
        endpoint->context_count++;
    }
    return NET_OK;
}

static void endpoint_serve(struct endpoint *endpoint) {
    for (uint32_t i = 0; i < endpoint->context_count; i++) {
        nng_ctx_recv(endpoint->contexts[i].ctx, endpoint->contexts[i].receive);
    }
}

static void endpoint_init(struct endpoint *endpoint, struct net_server *server, bool admin) {
    endpoint->server = server;
    endpoint->admin = admin;
    REQUIRE(pthread_mutex_init(&endpoint->mutex, NULL) == 0);
    for (uint32_t i = 0; i < NET_LISTENERS_MAX; i++) listener_init(&endpoint->listeners[i]);
}

static void endpoint_deinit(struct endpoint *endpoint) {
    endpoint_close(endpoint);
    (void)pthread_mutex_destroy(&endpoint->mutex); /* nobody uses it any more */
    for (uint32_t i = 0; i < NET_LISTENERS_MAX; i++) listener_deinit(&endpoint->listeners[i]);
}

static int bad_options(struct net_error *error, const char *text) {
    (void)snprintf(error->text, sizeof error->text, "%s", text);
    return NET_BAD_OPTIONS;
}

static int check_options(const struct net_options *options, struct net_error *ret_error) {
    if (options->public_url_count < 1 || options->public_url_count > NET_LISTENERS_MAX) {
        return bad_options(ret_error, "there must be one to four public addresses");
    }
    if (options->contexts > NET_CONTEXTS_MAX) {
        return bad_options(ret_error, "there can be at most 4096 frames in flight");
    }
    for (uint32_t i = 0; i < options->public_url_count; i++) {
        const char *url = options->public_urls[i];
        if (!url || strlen(url) >= NET_URL_BYTES_MAX) {
            return bad_options(ret_error, "a public address is missing or too long");
        }
    }
    if (options->admin_url && strlen(options->admin_url) >= NET_URL_BYTES_MAX) {
        return bad_options(ret_error, "the admin address is too long");
    }
    if (options->send_timeout_ms > INT32_MAX) {
        return bad_options(ret_error, "the send time-out is too long");
    }
    return NET_OK;
}

int net_server_create(const struct net_options *options, struct net_server **ret_server,
                      struct net_error *ret_error) {
    int result = check_options(options, ret_error);
    if (result != NET_OK) return result;
    struct net_server *server = calloc(1, sizeof *server);
    if (!server) return system_error(ret_error, "cannot create the server", NNG_ENOMEM);
    for (uint32_t i = 0; i < options->public_url_count; i++) {
        strcpy(server->public_urls[i], options->public_urls[i]);
    }
    if (options->admin_url) strcpy(server->admin_url, options->admin_url);
    server->public_url_count = options->public_url_count;
    server->contexts = options->contexts ? options->contexts : NET_CONTEXTS_DEFAULT;
    server->send_timeout_ms = options->send_timeout_ms ? options->send_timeout_ms
                                                       : NET_SEND_TIMEOUT_MS;
    server->watch_interval_ms = options->watch_interval_ms ? options->watch_interval_ms
                                                           : NET_WATCH_INTERVAL_MS;
    server->shared.counters = add_counters;
    server->shared.counters_context = server;
    endpoint_init(&server->public, server, false);
    endpoint_init(&server->admin, server, true);
    server->public.pipes_max = options->connections_max;
    if (options->public_below > 0) {
        const char *admin = server->admin_url[0] ? server->admin_url + strlen("ipc://") : NULL;
        accept_limit(options->public_below, options->private_below, admin);
    }
    pthread_condattr_t attributes;
    REQUIRE(pthread_mutex_init(&server->mutex, NULL) == 0);
    REQUIRE(pthread_condattr_init(&attributes) == 0);
    REQUIRE(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    REQUIRE(pthread_cond_init(&server->idle, &attributes) == 0);
    REQUIRE(pthread_cond_init(&server->leave, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    *ret_server = server;
    return NET_OK;
}

void net_server_sink(struct net_server *server, struct reply_sink *ret_sink) {
    *ret_sink = (struct reply_sink){
        .context = &server->shared,
        .encode = frame_sink_encode,
        .release = frame_sink_release,
    };
}

const char *net_server_url(const struct net_server *server, uint32_t index) {
    REQUIRE(index < server->public.listener_count);
    return server->public.listeners[index].url;
}

/* --- the watchdog ----------------------------------------------------------------------------- */

int net_server_intact(struct net_server *server, struct net_error *ret_error) {
    struct endpoint *endpoints[] = {&server->public, &server->admin};
    for (uint32_t e = 0; e < 2; e++) {
        for (uint32_t i = 0; i < endpoints[e]->listener_count; i++) {
            struct listener *listener = &endpoints[e]->listeners[i];
            if (listener_owner(listener) != LISTENER_OTHERS) continue;
            (void)snprintf(ret_error->text, sizeof ret_error->text,
                           "the socket file of %.150s was replaced by another process's",
                           listener->url);
            return NET_LISTEN;
        }
    }
    return NET_OK;
}

uint32_t net_server_watch_step(struct net_server *server) {
    struct endpoint *endpoints[] = {&server->public, &server->admin};
    uint32_t replaced = 0;
    for (uint32_t e = 0; e < 2; e++) {
        for (uint32_t i = 0; i < endpoints[e]->listener_count; i++) {
            replaced += listener_step(&endpoints[e]->listeners[i]);
        }
    }
    atomic_fetch_add(&server->relistens, replaced);
    return replaced;
}

static void *watchdog_main(void *argument) {
    struct net_server *server = argument;
    (void)pthread_setname_np(pthread_self(), "net-watchdog");
    pthread_mutex_lock(&server->mutex);
    while (!server->leaving) {
        struct timespec deadline = deadline_after(server->watch_interval_ms);
        int rc = 0;
        while (!server->leaving && rc == 0) {
            rc = pthread_cond_timedwait(&server->leave, &server->mutex, &deadline);
        }
        if (server->leaving) break;
        pthread_mutex_unlock(&server->mutex);
        (void)net_server_watch_step(server); /* counted in `relistens` */
        pthread_mutex_lock(&server->mutex);
    }
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static void watchdog_stop(struct net_server *server) {
    if (!server->has_watchdog) return;
    pthread_mutex_lock(&server->mutex);
    server->leaving = true;
    pthread_cond_broadcast(&server->leave);
    pthread_mutex_unlock(&server->mutex);
    REQUIRE(pthread_join(server->watchdog, NULL) == 0);
    server->has_watchdog = false;
}

/* --- start and stop --------------------------------------------------------------------------- */

int net_server_start(struct net_server *server, const struct net_engine *engine,
                     struct net_error *ret_error) {
    REQUIRE(!server->public.open && engine->submit && engine->shard_of);
    server->shared.engine = *engine;
    int result = endpoint_open(&server->public, server->contexts, ret_error);
    if (result == NET_OK && server->admin_url[0] != '\0') {
        result = endpoint_open(&server->admin, NET_ADMIN_CONTEXTS, ret_error);
    }
    for (uint32_t i = 0; i < server->public_url_count && result == NET_OK; i++) {
        result = endpoint_listen(&server->public, server->public_urls[i], ret_error);
    }
    if (result == NET_OK && server->admin.open) {
        result = endpoint_listen(&server->admin, server->admin_url, ret_error);
    }
    if (result != NET_OK) goto fail;
    if (server->watch_interval_ms != UINT32_MAX) {
        int rc = pthread_create(&server->watchdog, NULL, watchdog_main, server);
        if (rc != 0) {
            (void)snprintf(ret_error->text, sizeof ret_error->text, "cannot start the watchdog: %s",
                           strerror(rc));
            result = NET_SYSTEM;
            goto fail;
        }
        server->has_watchdog = true;
    }
    /* Only now is anything received: what fails above has answered nobody. */
    endpoint_serve(&server->public);
    if (server->admin.open) endpoint_serve(&server->admin);
    return NET_OK;
fail:
    endpoint_close(&server->admin);
    endpoint_close(&server->public);
    return result;
}

int net_server_stop(struct net_server *server, uint32_t timeout_ms) {
    struct timespec deadline = deadline_after(timeout_ms);
    int rc = 0;
    atomic_store(&server->shared.stopping, true);
    watchdog_stop(server);
    pthread_mutex_lock(&server->mutex);
    while (atomic_load(&server->shared.in_flight) > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&server->idle, &server->mutex, &deadline);
    }
    bool idle = atomic_load(&server->shared.in_flight) == 0;
    pthread_mutex_unlock(&server->mutex);
    return idle ? NET_OK : NET_TIMEOUT;
}

void net_server_free(struct net_server *server) {
    watchdog_stop(server);
    endpoint_deinit(&server->admin);
    endpoint_deinit(&server->public);
    (void)pthread_cond_destroy(&server->leave);
    (void)pthread_cond_destroy(&server->idle);
    (void)pthread_mutex_destroy(&server->mutex);
    free(server);
}
