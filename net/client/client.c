/* client.c - see client.h
 *
 * Calls are appended to a batch, batches queue up, lanes (REQ contexts) carry one batch each. A
 * lane that has its answer sends the next batch first and then hands out the answers: the network
 * is busy while callbacks run. What the mutex guards is small; no callback runs under it.
 *
 * A frame costs as much as dozens of calls, in threads woken on both sides. So calls that callbacks
 * make wait until the callbacks of their frame have run, or the frame that they fill is as large as
 * its share of all calls: many callers then travel in FRAMES_AIM frames, which keep client, engine
 * and disk busy at the same time, rather than in many small ones or in one that everybody waits
 * for. Other calls leave at once while a lane is idle, as many small frames if need be: nothing
 * says when the next would come.
 */
#include "net/client/client.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "net/protocol/limits.h"

/* So many frames, of equal size, are to be under way where there are many callers: one is in the
 * engine and on the disk while the callers of the other get their answers. More cost more wake-ups:
 * with 3 there were 4 to 20 % fewer calls a second for 64 and for 256 callers. No frame is cut that
 * has no more calls than FRAME_CALLS_MIN. */
#define FRAMES_AIM 2u
#define FRAME_CALLS_MIN 8u
/* How a lost connection is dialled again: at once, then less and less often. */
#define RECONNECT_MIN_MS 10
#define RECONNECT_MAX_MS 1000
/* How long client_open() waits for a connection. */
#define OPEN_TIMEOUT_MS 2000
/* How long client_close() waits for answers, looking so often. */
#define CLOSE_GRACE_MS 1000
#define CLOSE_PAUSE_MS 1
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

struct call {
    client_done *done;
    void *context;
    uint32_t msgid;
};

/* A frame of calls: being filled, waiting, under way, or being answered; else in the pool. */
struct batch {
    struct batch *next; /* in the queue or the pool */
    struct call *calls; /* requests_per_frame_max */
    uint32_t count;
    nng_time deadline; /* of the first call, which is the earliest */
    struct value_writer bytes;
};

/* A socket of nng with its one connection. One that was given up stays as it is until the process
 * ends: closing it could wait for ever, and its callbacks may still come. */
struct link {
    nng_socket socket;
    nng_dialer dialer;          /* the watching thread's, once that runs */
    _Atomic bool was_connected; /* once, at least */
    _Atomic int connections;    /* nng's callbacks */
    bool late; /* an answer may still come that nobody waits for: see client_free(). Mutex */
};

/* A REQ context of nng: one frame under way. */
struct lane {
    struct client *client;
    struct link *link; /* of the context */
    struct lane *next; /* of the idle ones */
    nng_ctx ctx;
    nng_aio *aio;
    bool sent;      /* the aio is receiving */
    nng_time begun; /* when the frame was given to nng */
    struct batch *batch;
};

struct client {
    char *url;
    pthread_t watch;
    bool watched;         /* `watch` runs */
    bool leaving;         /* `watch` comes to its end */
    pthread_cond_t leave; /* `watch`: look whether we are closing */
    uint32_t requests_per_frame_max, timeout_ms, lane_count;
    struct lane *lanes;

    pthread_mutex_t mutex; /* guards everything below, and batches that are not under way */
    pthread_cond_t room;   /* a frame has left: callers that wait may go on */
    struct link *link;     /* frames leave over this one */
    nng_time unanswered;   /* since when it has answered nothing, connected as it seems; 0: all is
                              well */
    nng_duration unanswered_ms; /* so long is too long */
    bool relinked;              /* a link was given up */
    struct lane *idle;
    struct batch *first, *last; /* frames that wait; the last one is being filled */
    uint32_t waiting;           /* how many */
    uint32_t calls;             /* in frames that wait, are under way or being answered */
    uint32_t answering;         /* threads that run callbacks */
    struct batch *pool;
    uint32_t busy; /* lanes with a frame, and frames whose callbacks run */
    uint32_t msgid;
    bool closing;
};

const char *client_status_text(int status) {
    switch (status) {
    case CLIENT_OK: return "answered";
    case CLIENT_TIMEOUT: return "no reply in time; it may or may not have been done";
    case CLIENT_LOST: return "the connection was lost; it may or may not have been done";
    case CLIENT_BAD_REPLY: return "the reply does not fit the request; is this an usher engine?";
    case CLIENT_CLOSED: return "the client was closed before the reply came";
    case CLIENT_FULL: return "too many calls are waiting already; nothing was sent";
    case CLIENT_TOO_BIG: return "the request does not fit a frame; nothing was sent";
    case CLIENT_BAD_URL: return "this is not an address of the form tcp://HOST:PORT or ipc://PATH";
    case CLIENT_UNREACHABLE: return "nobody answers at this address; is the engine running?";
    case CLIENT_NO_MEMORY: return "out of memory";
    default: return "unknown status";
    }
}

/* --- frames ----------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch) {
    if (!batch) return;
    value_writer_deinit(&batch->bytes);
    free(batch->calls);
    free(batch);
}

static struct batch *batch_create(const struct client *client) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    value_writer_init(&batch->bytes, NULL, 0, FRAME_BYTES_MAX);
    batch->calls = calloc(client->requests_per_frame_max, sizeof *batch->calls);
    if (!batch->calls) {
        batch_free(batch);
        return NULL;
    }
    return batch;
}

/* An empty frame at the end of the queue. Mutex held. Return: NULL without memory */
static struct batch *queue_open_batch(struct client *client) {
    struct batch *batch = client->pool;
    if (batch) {
        client->pool = batch->next;
    } else {
        batch = batch_create(client);
        if (!batch) return NULL;
    }
    batch->next = NULL;
    batch->count = 0;
    batch->deadline = nng_clock() + client->timeout_ms;
    value_writer_clear(&batch->bytes);
    if (client->last) {
        client->last->next = batch;
    } else {
        client->first = batch;
    }
    client->last = batch;
    client->waiting++;
    return batch;
}

/* Is this frame as large as it should get? Mutex held. */
static bool batch_is_full(const struct client *client, const struct batch *batch) {
    uint32_t share = client->calls / FRAMES_AIM;
    if (share < FRAME_CALLS_MIN) share = FRAME_CALLS_MIN;
    if (share > client->requests_per_frame_max) share = client->requests_per_frame_max;
    return batch->count >= share;
}

/* Should the first waiting frame leave? Mutex held. */
static bool queue_is_ready(const struct client *client) {
    const struct batch *batch = client->first;
    if (!batch || batch->count == 0) return false;
    return client->answering == 0 || batch != client->last || batch_is_full(client, batch);
}

/* The first waiting frame, if it should leave. Mutex held. */
static struct batch *queue_take(struct client *client) {
    if (!queue_is_ready(client)) return NULL;
    struct batch *batch = client->first;
    client->first = batch->next;
    if (!client->first) client->last = NULL;
    client->waiting--;
    batch->next = NULL;
    pthread_cond_broadcast(&client->room);
    return batch;
}

/* Append a request. Return: 0, or CLIENT_TOO_BIG if it does not fit what is left of the frame;
 * the frame is as before then */
static int batch_append(struct batch *batch, uint32_t msgid, const char *method,
                        const struct value_writer *params) {
    struct value_writer *bytes = &batch->bytes;
    uint32_t before = bytes->size;
    value_write_array(bytes, 4);
    value_write_uint(bytes, 0);
    value_write_uint(bytes, msgid);
    value_write_text(bytes, method);
    if (params) {
        value_write_raw(bytes, params->bytes, params->size);
    } else {
        value_write_map(bytes, 0);
    }
    if (!bytes->failed) return 0;
    bytes->size = before;
    bytes->failed = false;
    return CLIENT_TOO_BIG;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void call_finish(const struct call *call, int status, const struct value *error,
                        const struct value *result) {
    struct client_reply reply = {.status = status, .error = error, .result = result};
    call->done(call->context, &reply);
}

static void batch_fail(struct batch *batch, uint32_t from, int status) {
    for (uint32_t i = from; i < batch->count; i++) {
        call_finish(&batch->calls[i], status, NULL, NULL);
    }
}

/* Read the response to that call: its error or its result, the other one is NULL.
 * Return: its size in bytes; 0: this is none */
static uint32_t response_read(const uint8_t *bytes, uint32_t size, uint32_t msgid,
                              const struct value **ret_error, const struct value **ret_result) {
    const struct value *response;
    uint32_t used;
    uint64_t type, id;
    if (value_parse(bytes, size, &response, &used) != VALUE_OK) return 0;
    struct value_items items = value_items(response, VALUE_ARRAY);
    if (items.left != 4) return 0;
    if (!value_get_uint(value_next(&items), &type) || type != 1) return 0;
    if (!value_get_uint(value_next(&items), &id) || id != msgid) return 0;
    const struct value *error = value_next(&items), *result = value_next(&items);
    *ret_error = value_type(error) == VALUE_NIL ? NULL : error;
    *ret_result = value_type(result) == VALUE_NIL ? NULL : result;
    return (*ret_error == NULL) != (*ret_result == NULL) ? used : 0;
}

/* A frame that is refused as a whole has one response, with msgid 0: everybody's answer. */
static bool frame_refused(struct batch *batch, const uint8_t *bytes, uint32_t size) {
    const struct value *error, *result;
    if (size == 0 || response_read(bytes, size, 0, &error, &result) != size) return false;
    if (!value_text_equal(value_find(error, "code"), "MALFORMED")) return false;
    for (uint32_t i = 0; i < batch->count; i++) {
        call_finish(&batch->calls[i], CLIENT_OK, error, NULL);
    }
    return true;
}

/* Hand each response to its caller. What does not fit ends it: the rest is CLIENT_BAD_REPLY. */
static void batch_answer(struct batch *batch, const uint8_t *bytes, uint32_t size) {
    uint32_t offset = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct value *error, *result;
        uint32_t used = response_read(bytes + offset, size - offset, batch->calls[i].msgid, &error,
                                      &result);
        if (used == 0) {
            if (i > 0 || !frame_refused(batch, bytes, size)) batch_fail(batch, i, CLIENT_BAD_REPLY);
            return;
        }
        call_finish(&batch->calls[i], CLIENT_OK, error, result);
        offset += used;
    }
}

static int status_of(int nng_error) {
    switch (nng_error) {
    case NNG_ETIMEDOUT: return CLIENT_TIMEOUT;
    case NNG_ECLOSED:
    case NNG_ECANCELED: return CLIENT_CLOSED;
    case NNG_ENOMEM: return CLIENT_NO_MEMORY;
    default: return CLIENT_LOST;
    }
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* What is left of a frame's time, at least a millisecond: nng takes 0 for "never wait". */
static nng_duration time_left(const struct batch *batch) {
    nng_time now = nng_clock();
    return batch->deadline > now ? (nng_duration)(batch->deadline - now) : 1;
}

/* Callbacks of a frame are done: it goes back to the pool. */
static void batch_recycle(struct client *client, struct batch *batch) {
    pthread_mutex_lock(&client->mutex);
    batch->next = client->pool;
    client->pool = batch;
    client->calls -= batch->count;
    client->busy--;
    pthread_mutex_unlock(&client->mutex);
}

/* An idle lane for a frame that should leave. Mutex held. Return: NULL if there is no such pair */
static struct lane *lane_take(struct client *client) {
    struct lane *lane = client->idle;
    if (!lane || !queue_is_ready(client)) return NULL;
    client->idle = lane->next;
    return lane;
}

/* Leave the link that was given up, if it was. Return: 0, or an error of nng */
static int lane_join(struct lane *lane, struct link *link) {
    if (lane->link == link) return 0;
    if (lane->link) (void)nng_ctx_close(lane->ctx); /* ours alone */
    lane->link = NULL;
    int rc = nng_ctx_open(&lane->ctx, link->socket);
    if (rc == 0) lane->link = link;
    return rc;
}

/* A frame is back: what that says of its link. Mutex held. */
static void link_judge(struct client *client, const struct lane *lane, int rc) {
    struct link *link = lane->link;
    if (rc != 0 && lane->sent && status_of(rc) != CLIENT_LOST) link->late = true;
    if (link != client->link) return;
    if (rc == 0) client->unanswered_ms = UNANSWERED_MIN_MS;
    if (rc != NNG_ETIMEDOUT || link->connections == 0) {
        client->unanswered = 0;
    } else if (client->unanswered == 0) {
        client->unanswered = lane->begun;
    }
}

/* Send the first waiting frame, or become idle. Frames that cannot be sent fail here. */
static void lane_next(struct lane *lane) {
    struct client *client = lane->client;
    for (;;) {
        pthread_mutex_lock(&client->mutex);
        struct batch *batch = queue_take(client);
        if (!batch) {
            lane->next = client->idle;
            client->idle = lane;
            pthread_mutex_unlock(&client->mutex);
            return;
        }
        client->busy++;
        bool closing = client->closing;
        struct link *link = client->link;
        pthread_mutex_unlock(&client->mutex);

        nng_msg *message;
        int rc = closing ? NNG_ECLOSED : lane_join(lane, link);
        if (rc == 0) rc = nng_msg_alloc(&message, batch->bytes.size);
        if (rc == 0) {
            memcpy(nng_msg_body(message), batch->bytes.bytes, batch->bytes.size);
            lane->batch = batch;
            lane->sent = false;
            lane->begun = nng_clock();
            nng_aio_set_msg(lane->aio, message);
            nng_aio_set_timeout(lane->aio, time_left(batch));
            nng_ctx_send(lane->ctx, lane->aio);
            return;
        }
        batch_fail(batch, 0, status_of(rc));
        batch_recycle(client, batch);
    }
}

/* Callbacks have run: the calls that they made leave. */
static void answering_ends(struct client *client) {
    struct lane *lane;
    pthread_mutex_lock(&client->mutex);
    client->answering--;
    while ((lane = lane_take(client)) != NULL) {
        pthread_mutex_unlock(&client->mutex);
        lane_next(lane);
        pthread_mutex_lock(&client->mutex);
    }
    pthread_mutex_unlock(&client->mutex);
}

static void lane_done(void *argument) {
    struct lane *lane = argument;
    struct client *client = lane->client;
    struct batch *batch = lane->batch;
    int rc = nng_aio_result(lane->aio);
    if (rc == 0 && !lane->sent) {
        lane->sent = true;
        nng_aio_set_timeout(lane->aio, time_left(batch));
        nng_ctx_recv(lane->ctx, lane->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(lane->aio);
    nng_aio_set_msg(lane->aio, NULL);
    if (rc != 0 && !lane->sent) nng_msg_free(message); /* it is ours again */
    pthread_mutex_lock(&client->mutex);
    link_judge(client, lane, rc);
    client->answering++;
    pthread_mutex_unlock(&client->mutex);
    /* The next frame leaves before this one's callbacks run: they take their time. */
    lane->batch = NULL;
    lane_next(lane);
    if (rc == 0) {
        batch_answer(batch, nng_msg_body(message), (uint32_t)nng_msg_len(message));
        nng_msg_free(message);
    } else {
        batch_fail(batch, 0, status_of(rc));
    }
    batch_recycle(client, batch);
    answering_ends(client);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Put a request into a waiting frame. Mutex held. Return: 0, or why not */
static int queue_append(struct client *client, const char *method,
                        const struct value_writer *params, client_done *done, void *context) {
    struct batch *batch = client->last;
    bool full = !batch || batch_is_full(client, batch);
    for (int tries = 0; tries < 2; tries++) {
        if (full) {
            if (client->waiting >= CLIENT_FRAMES_WAITING_MAX) return CLIENT_FULL;
            batch = queue_open_batch(client);
            if (!batch) return CLIENT_NO_MEMORY;
        }
        if (batch_append(batch, client->msgid, method, params) == 0) {
            batch->calls[batch->count++] = (struct call){
                .done = done, .context = context, .msgid = client->msgid};
            client->calls++;
            /* 0 is the msgid of a refused frame. */
            if (++client->msgid == 0) client->msgid = 1;
            return 0;
        }
        if (batch->count == 0) break; /* not even alone */
        full = true;
    }
    /* The frame that was opened for nothing stays at the end of the queue: it is the next one's. */
    return CLIENT_TOO_BIG;
}

static int call_enqueue(struct client *client, const char *method,
                        const struct value_writer *params, client_done *done, void *context,
                        bool wait) {
    struct lane *lane = NULL;
    if (params && params->failed) return CLIENT_TOO_BIG;
    pthread_mutex_lock(&client->mutex);
    int rc = queue_append(client, method, params, done, context);
    while (rc == CLIENT_FULL && wait) {
        pthread_cond_wait(&client->room, &client->mutex);
        rc = queue_append(client, method, params, done, context);
    }
    if (rc == 0) lane = lane_take(client);
    pthread_mutex_unlock(&client->mutex);
    if (lane) lane_next(lane);
    return rc;
}

int client_call(struct client *client, const char *method, const struct value_writer *params,
                client_done *done, void *context) {
    REQUIRE(done != NULL && !client->closing);
    return call_enqueue(client, method, params, done, context, false);
}

/* --- waiting for an answer -------------------------------------------------------------------- */

struct waiter {
    struct client_answer *answer;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool done;
};

/* Keep a copy of a value: the bytes of the reply are gone after the callback. */
static const struct value *answer_copy(struct client_answer *answer, const struct value *value) {
    uint32_t size = value_size(value);
    free(answer->bytes);
    answer->bytes = malloc(size);
    return answer->bytes ? value_scanned(memcpy(answer->bytes, value, size)) : NULL;
}

static void waiter_done(void *context, const struct client_reply *reply) {
    struct waiter *waiter = context;
    struct client_answer *answer = waiter->answer;
    answer->status = reply->status;
    if (reply->status == CLIENT_OK) {
        const struct value *copy = answer_copy(answer, reply->error ? reply->error : reply->result);
        if (!copy) answer->status = CLIENT_NO_MEMORY;
        if (reply->error) {
            answer->error = copy;
        } else {
            answer->result = copy;
        }
    }
    pthread_mutex_lock(&waiter->mutex);
    waiter->done = true;
    pthread_cond_signal(&waiter->answered);
    pthread_mutex_unlock(&waiter->mutex);
}

void client_answer_deinit(struct client_answer *answer) {
    free(answer->bytes);
    *answer = (struct client_answer){0};
}

const char *client_answer_code(const struct client_answer *answer, char ret_code[32]) {
    const char *bytes;
    uint32_t size;
    ret_code[0] = '\0';
    if (value_get_text(value_find(answer->error, "code"), &bytes, &size) && size < 32) {
        memcpy(ret_code, bytes, size);
        ret_code[size] = '\0';
    }
    return ret_code;
}

int client_call_wait(struct client *client, const char *method, const struct value_writer *params,
                     struct client_answer *answer) {
    struct waiter waiter = {.answer = answer};
    REQUIRE(pthread_mutex_init(&waiter.mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&waiter.answered, NULL) == 0);
    answer->error = answer->result = NULL;
    int rc = call_enqueue(client, method, params, waiter_done, &waiter, true);
    if (rc != 0) {
        answer->status = rc;
    } else {
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.done) pthread_cond_wait(&waiter.answered, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
    }
    (void)pthread_cond_destroy(&waiter.answered); /* nobody waits any more */
    (void)pthread_mutex_destroy(&waiter.mutex);
    return answer->status;
}

/* --- the connection --------------------------------------------------------------------------- */

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
static void redial(const struct client *client, struct link *link) {
    (void)nng_dialer_close(link->dialer); /* it may be gone already */
    (void)nng_dial(link->socket, client->url, &link->dialer,
                   NNG_FLAG_NONBLOCK); /* what fails is tried again */
}

/* No answer for too long: frames that leave from now on take another link. Those under way on the
 * old one wait for their time to end. Mutex held; released meanwhile. */
static void relink(struct client *client) {
    struct link *link;
    pthread_mutex_unlock(&client->mutex);
    int rc = link_open(client->url, &link);
    pthread_mutex_lock(&client->mutex);
    client->unanswered = 0;
    if (client->unanswered_ms < UNANSWERED_MAX_MS) client->unanswered_ms *= 2;
    if (rc != 0) return; /* tried again */
    client->link = link;
    client->relinked = true;
}

static void *watch_main(void *argument) {
    struct client *client = argument;
    int silent = 0;
    pthread_mutex_lock(&client->mutex);
    while (!client->leaving) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += WATCH_INTERVAL_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&client->leave, &client->mutex, &until);
        if (client->leaving) break;
        struct link *link = client->link; /* nobody else puts another there */
        if (client->unanswered != 0 &&
            nng_clock() - client->unanswered >= (nng_time)client->unanswered_ms) {
            relink(client);
            silent = 0;
            continue;
        }
        silent = link->connections > 0 ? 0 : silent + 1;
        if (silent <= WATCH_SILENT_MAX) continue;
        silent = 0;
        pthread_mutex_unlock(&client->mutex);
        redial(client, link);
        pthread_mutex_lock(&client->mutex);
    }
    pthread_mutex_unlock(&client->mutex);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Not a blocking nng_dial(): a peer that vanishes during the handshake makes that wait for ever. */
static bool connected_in_time(const struct link *link) {
    for (uint32_t waited = 0; waited < OPEN_TIMEOUT_MS; waited++) {
        if (link->was_connected) return true;
        nng_msleep(1);
    }
    return link->was_connected;
}

static int client_connect(struct client *client) {
    int rc = link_open(client->url, &client->link);
    if (rc == 0 && !connected_in_time(client->link)) rc = NNG_ETIMEDOUT;
    switch (rc) {
    case 0: return 0;
    case NNG_ENOMEM: return CLIENT_NO_MEMORY;
    case NNG_EINVAL:
    case NNG_EADDRINVAL:
    case NNG_ENOTSUP: return CLIENT_BAD_URL;
    default: return CLIENT_UNREACHABLE;
    }
}

static int lane_open(struct lane *lane, struct client *client) {
    lane->client = client;
    if (lane_join(lane, client->link) != 0) return CLIENT_NO_MEMORY;
    if (nng_aio_alloc(&lane->aio, lane_done, lane) != 0) {
        (void)nng_ctx_close(lane->ctx); /* ours alone */
        return CLIENT_NO_MEMORY;
    }
    lane->next = client->idle;
    client->idle = lane;
    return 0;
}

/* Free everything; no callback is to come.
 *
 * nng 1.5.2 can wait for ever in nng_close(), and can stop clearing away connections in the whole
 * process, if a connection is closed while a message is coming in on it (nng#1543). So a connection
 * on which an answer may still be on its way stays open, idle, until the process ends; and so does
 * every one where that has probably happened. */
static void client_free(struct client *client) {
    if (client->watched) {
        pthread_mutex_lock(&client->mutex);
        client->leaving = true;
        pthread_cond_signal(&client->leave);
        pthread_mutex_unlock(&client->mutex);
        (void)pthread_join(client->watch, NULL); /* it was made and never joined */
    }
    for (uint32_t i = 0; i < client->lane_count; i++) {
        nng_aio_stop(client->lanes[i].aio);
        if (client->lanes[i].link) (void)nng_ctx_close(client->lanes[i].ctx); /* ours alone */
        nng_aio_free(client->lanes[i].aio);
    }
    if (client->link && !client->link->late && !client->relinked) {
        (void)nng_close(client->link->socket); /* likewise */
        free(client->link);
    }
    batch_free(client->first); /* at most one, opened for a request that did not fit */
    while (client->pool) {
        struct batch *batch = client->pool;
        client->pool = batch->next;
        batch_free(batch);
    }
    (void)pthread_cond_destroy(&client->leave); /* nobody waits any more */
    (void)pthread_cond_destroy(&client->room);
    (void)pthread_mutex_destroy(&client->mutex);
    free(client->url);
    free(client->lanes);
    free(client);
}

int client_open(const char *url, const struct client_options *options, struct client **ret_client) {
    static const struct client_options defaults;
    if (!options) options = &defaults;
    REQUIRE(options->frames_in_flight <= CLIENT_FRAMES_IN_FLIGHT_MAX);
    REQUIRE(options->requests_per_frame_max <= REQUESTS_PER_FRAME_MAX);
    REQUIRE(options->timeout_ms <= INT32_MAX);
    uint32_t lanes = options->frames_in_flight;
    if (lanes == 0) lanes = CLIENT_FRAMES_IN_FLIGHT_DEFAULT;
    struct client *client = calloc(1, sizeof *client);
    if (!client) return CLIENT_NO_MEMORY;
    client->requests_per_frame_max = options->requests_per_frame_max
                                         ? options->requests_per_frame_max
                                         : REQUESTS_PER_FRAME_MAX;
    client->timeout_ms = options->timeout_ms ? options->timeout_ms : CLIENT_TIMEOUT_MS_DEFAULT;
    client->msgid = 1;
    client->unanswered_ms = UNANSWERED_MIN_MS;
    client->lanes = calloc(lanes, sizeof *client->lanes);
    REQUIRE(pthread_mutex_init(&client->mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&client->room, NULL) == 0);
    REQUIRE(pthread_cond_init(&client->leave, NULL) == 0);
    client->url = strdup(url);
    REQUIRE_MEMORY(client->url);
    int rc = client->lanes ? client_connect(client) : CLIENT_NO_MEMORY;
    for (uint32_t i = 0; i < lanes && rc == 0; i++) {
        rc = lane_open(&client->lanes[i], client);
        if (rc == 0) client->lane_count++;
    }
    if (rc == 0) {
        client->watched = pthread_create(&client->watch, NULL, watch_main, client) == 0;
        if (!client->watched) rc = CLIENT_NO_MEMORY;
    }
    if (rc != 0) {
        client_free(client);
        return rc;
    }
    *ret_client = client;
    return 0;
}

void client_close(struct client *client) {
    uint32_t waited_ms = 0;
    pthread_mutex_lock(&client->mutex);
    while (client->busy > 0) {
        client->closing = waited_ms >= CLOSE_GRACE_MS;
        pthread_mutex_unlock(&client->mutex);
        /* Now what is under way is cancelled, and lanes fail what still waits. A lane between
         * sending and receiving has nothing to cancel at that moment, so cancel again. */
        for (uint32_t i = 0; i < client->lane_count && waited_ms >= CLOSE_GRACE_MS; i++) {
            nng_aio_cancel(client->lanes[i].aio);
        }
        nng_msleep(CLOSE_PAUSE_MS);
        waited_ms += CLOSE_PAUSE_MS;
        pthread_mutex_lock(&client->mutex);
    }
    pthread_mutex_unlock(&client->mutex);
    client_free(client);
}
