/* client.c - see client.h
 *
 * Calls are appended to a batch, batches queue up (batch.c), carriers take one batch each over the
 * connection (connection.c). A carrier that has its answer sends the next batch first. Then it
 * hands out the answers: the network is busy while callbacks run. What the mutex guards is small;
 * no callback runs under it. Callers that wait for their answer: wait.c.
 */
#include "net/client/client.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "net/client/batch.h"
#include "net/client/connection.h"

/* How long client_close() waits for answers, looking so often. */
#define CLOSE_GRACE_MS 1000
#define CLOSE_PAUSE_MS 1

struct client {
    struct connection *connection;
    uint32_t carrier_count; /* those that are open */
    struct carrier *carriers;

    pthread_mutex_t mutex; /* guards everything below, and batches that are not under way */
    pthread_cond_t room;   /* a frame has left: callers that wait may go on */
    struct batch_queue queue;
    struct carrier *idle;
    uint32_t busy; /* carriers with a frame, and frames whose callbacks run */
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

/* --- frames leave and come back --------------------------------------------------------------- */

/* An idle carrier for a frame that should leave. Mutex held. Return: NULL if either is missing */
static struct carrier *carrier_take(struct client *client) {
    struct carrier *carrier = client->idle;
    if (!carrier || !batch_queue_is_ready(&client->queue)) return NULL;
    client->idle = carrier->next;
    return carrier;
}

/* Callbacks of a frame are done: it goes back to the pool. */
static void recycle(struct client *client, struct batch *batch) {
    pthread_mutex_lock(&client->mutex);
    batch_queue_recycle(&client->queue, batch);
    client->busy--;
    pthread_mutex_unlock(&client->mutex);
}

/* Send the first waiting frame, or become idle. Frames that cannot be sent fail here. */
static void carrier_next(struct client *client, struct carrier *carrier) {
    for (;;) {
        pthread_mutex_lock(&client->mutex);
        struct batch *batch = batch_queue_take(&client->queue);
        if (!batch) {
            carrier->next = client->idle;
            client->idle = carrier;
            pthread_mutex_unlock(&client->mutex);
            return;
        }
        pthread_cond_broadcast(&client->room);
        client->busy++;
        bool closing = client->closing;
        pthread_mutex_unlock(&client->mutex);

        carrier->frame = batch;
        int rc = closing ? CLIENT_CLOSED
                         : carrier_send(carrier, batch->bytes.bytes, batch->bytes.size,
                                        batch->deadline_ms);
        if (rc == 0) return;
        batch_fail(batch, rc);
        recycle(client, batch);
    }
}

/* Callbacks have run: the calls that they made leave. */
static void answering_ends(struct client *client) {
    struct carrier *carrier;
    pthread_mutex_lock(&client->mutex);
    client->queue.answering--;
    while ((carrier = carrier_take(client)) != NULL) {
        pthread_mutex_unlock(&client->mutex);
        carrier_next(client, carrier);
        pthread_mutex_lock(&client->mutex);
    }
    pthread_mutex_unlock(&client->mutex);
}

/* carrier_done: the next frame leaves before this one's callbacks run, which take their time. */
static void frame_done(struct carrier *carrier, int status, const uint8_t *reply, uint32_t size) {
    struct client *client = carrier->owner;
    struct batch *batch = carrier->frame;
    pthread_mutex_lock(&client->mutex);
    client->queue.answering++;
    pthread_mutex_unlock(&client->mutex);
    carrier->frame = NULL;
    carrier_next(client, carrier);
    if (status == CLIENT_OK) {
        batch_answer(batch, reply, size);
    } else {
        batch_fail(batch, status);
    }
    recycle(client, batch);
    answering_ends(client);
}

/* --- calls ------------------------------------------------------------------------------------ */

static int enqueue(struct client *client, const char *method, const struct value_writer *params,
                   client_done *done, void *context, bool wait) {
    struct carrier *carrier = NULL;
    REQUIRE(done != NULL);
    if (params && params->failed) return CLIENT_TOO_BIG;
    pthread_mutex_lock(&client->mutex);
    int rc = batch_queue_append(&client->queue, method, params, done, context);
    while (rc == CLIENT_FULL && wait) {
        pthread_cond_wait(&client->room, &client->mutex);
        rc = batch_queue_append(&client->queue, method, params, done, context);
    }
    if (rc == 0) carrier = carrier_take(client);
    pthread_mutex_unlock(&client->mutex);
    if (carrier) carrier_next(client, carrier);
    return rc;
}

int client_call(struct client *client, const char *method, const struct value_writer *params,
                client_done *done, void *context) {
    REQUIRE(!client->closing);
    return enqueue(client, method, params, done, context, false);
}

int client_call_with_room(struct client *client, const char *method,
                          const struct value_writer *params, client_done *done, void *context) {
    return enqueue(client, method, params, done, context, true);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Free everything; no callback is to come. */
static void client_free(struct client *client) {
    for (uint32_t i = 0; i < client->carrier_count; i++) carrier_close(&client->carriers[i]);
    if (client->connection) connection_close(client->connection);
    batch_queue_deinit(&client->queue);
    (void)pthread_cond_destroy(&client->room);
    (void)pthread_mutex_destroy(&client->mutex);
    free(client->carriers);
    free(client);
}

static int open_carriers(struct client *client, uint32_t count) {
    client->carriers = calloc(count, sizeof *client->carriers);
    if (!client->carriers) return CLIENT_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        struct carrier *carrier = &client->carriers[i];
        int rc = carrier_open(carrier, client->connection, frame_done);
        if (rc != 0) return rc;
        client->carrier_count++;
        carrier->owner = client;
        carrier->next = client->idle;
        client->idle = carrier;
    }
    return 0;
}

int client_open(const char *url, const struct client_options *options, struct client **ret_client) {
    static const struct client_options defaults;
    if (!options) options = &defaults;
    REQUIRE(options->frames_in_flight <= CLIENT_FRAMES_IN_FLIGHT_MAX);
    REQUIRE(options->requests_per_frame_max <= REQUESTS_PER_FRAME_MAX);
    REQUIRE(options->timeout_ms <= INT32_MAX);
    uint32_t carriers = options->frames_in_flight;
    uint32_t calls_max = options->requests_per_frame_max;
    struct client *client = calloc(1, sizeof *client);
    if (!client) return CLIENT_NO_MEMORY;
    batch_queue_init(&client->queue, calls_max ? calls_max : REQUESTS_PER_FRAME_MAX,
                     options->timeout_ms ? options->timeout_ms : CLIENT_TIMEOUT_MS_DEFAULT);
    REQUIRE(pthread_mutex_init(&client->mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&client->room, NULL) == 0);
    int rc = connection_open(url, &client->connection);
    if (rc == 0) rc = open_carriers(client, carriers ? carriers : CLIENT_FRAMES_IN_FLIGHT_DEFAULT);
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
        /* Now what is under way is cancelled, and carriers fail what still waits. A carrier between
         * sending and receiving has nothing to cancel at that moment, so cancel again. */
        for (uint32_t i = 0; i < client->carrier_count && waited_ms >= CLOSE_GRACE_MS; i++) {
            carrier_cancel(&client->carriers[i]);
        }
        (void)usleep(CLOSE_PAUSE_MS * 1000); /* woken earlier: as good */
        waited_ms += CLOSE_PAUSE_MS;
        pthread_mutex_lock(&client->mutex);
    }
    pthread_mutex_unlock(&client->mutex);
    client_free(client);
}
