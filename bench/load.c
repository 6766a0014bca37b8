#include "bench/load.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "tools/histogram.h"

static void must(int error, const char *what) {
    if (error == 0) return;
    (void)fprintf(stderr, "bench: %s: %s\n", what, nng_strerror(error));
    exit(1);
}

/* --- client: one caller per context -------------------------------------------------------------- */

struct load {
    const struct frames *frames;
    uint32_t pause_ms;
    _Atomic uint32_t next, done;
    _Atomic uint64_t reply_bytes;
    pthread_mutex_t lock;
    pthread_cond_t finished;
};

struct caller {
    struct load *load;
    nng_ctx context;
    nng_aio *aio;
    enum { SENDING, RECEIVING, PAUSING } doing;
    uint64_t sent_ns;
    struct histogram histogram;
};

static void send_next(struct caller *caller) {
    struct load *load = caller->load;
    uint32_t index = atomic_fetch_add(&load->next, 1);
    if (index >= load->frames->count) return;
    uint32_t begin = index ? load->frames->ends[index - 1] : 0;
    nng_msg *message;
    must(nng_msg_alloc(&message, 0), "message");
    must(nng_msg_append(message, load->frames->bytes + begin, load->frames->ends[index] - begin),
         "message");
    caller->doing = SENDING;
    caller->sent_ns = measure_ns();
    nng_aio_set_msg(caller->aio, message);
    nng_ctx_send(caller->context, caller->aio);
}

static void pause_then_send(struct caller *caller, uint32_t pause_ms) {
    if (pause_ms == 0) {
        send_next(caller);
        return;
    }
    caller->doing = PAUSING;
    nng_sleep_aio((nng_duration)pause_ms, caller->aio);
}

static void on_event(void *argument) {
    struct caller *caller = argument;
    if (caller->doing == PAUSING) {
        if (nng_aio_result(caller->aio) == 0) send_next(caller); /* else all is done */
        return;
    }
    must(nng_aio_result(caller->aio), caller->doing == RECEIVING ? "receive" : "send");
    if (caller->doing == SENDING) {
        caller->doing = RECEIVING;
        nng_ctx_recv(caller->context, caller->aio);
        return;
    }
    struct load *load = caller->load;
    nng_msg *reply = nng_aio_get_msg(caller->aio);
    histogram_add(&caller->histogram, (measure_ns() - caller->sent_ns) / 1000);
    atomic_fetch_add(&load->reply_bytes, nng_msg_len(reply));
    nng_msg_free(reply);
    if (atomic_fetch_add(&load->done, 1) + 1 == load->frames->count) {
        pthread_mutex_lock(&load->lock);
        pthread_cond_signal(&load->finished);
        pthread_mutex_unlock(&load->lock);
    }
    pause_then_send(caller, load->pause_ms);
}

static void wait_for_all(struct load *load) {
    pthread_mutex_lock(&load->lock);
    while (atomic_load(&load->done) < load->frames->count) {
        pthread_cond_wait(&load->finished, &load->lock);
    }
    pthread_mutex_unlock(&load->lock);
}

static void summarise(struct load_result *result, struct caller *callers, uint32_t count) {
    static struct histogram all;
    memset(&all, 0, sizeof all);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
            all.buckets[b] += callers[i].histogram.buckets[b];
        }
        all.count += callers[i].histogram.count;
        if (callers[i].histogram.max > all.max) all.max = callers[i].histogram.max;
    }
    result->p50_us = histogram_quantile(&all, 500000);
    result->p99_us = histogram_quantile(&all, 990000);
    result->p999_us = histogram_quantile(&all, 999000);
}

struct load_result load_run(const char *url, const struct frames *frames, uint32_t in_flight,
                            uint32_t pause_ms) {
    struct load load = {.frames = frames,
                        .pause_ms = pause_ms,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .finished = PTHREAD_COND_INITIALIZER};
    struct caller *callers = calloc(in_flight, sizeof *callers);
    nng_socket socket;
    REQUIRE(callers != NULL && frames->count > 0);
    must(nng_req0_open(&socket), "socket");
    must(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), "option");
    must(nng_dial(socket, url, NULL, 0), url);
    for (uint32_t i = 0; i < in_flight; i++) {
        callers[i].load = &load;
        must(nng_ctx_open(&callers[i].context, socket), "context");
        must(nng_aio_alloc(&callers[i].aio, on_event, &callers[i]), "aio");
    }
    uint64_t began = measure_ns();
    for (uint32_t i = 0; i < in_flight; i++) { /* not all in the same millisecond */
        pause_then_send(&callers[i], pause_ms ? i % pause_ms : 0);
    }
    wait_for_all(&load);
    struct load_result result = {.seconds = (double)(measure_ns() - began) / 1e9,
                                 .frames = frames->count,
                                 .reply_bytes = load.reply_bytes};
    summarise(&result, callers, in_flight);
    for (uint32_t i = 0; i < in_flight; i++) {
        nng_aio_stop(callers[i].aio);
        nng_aio_free(callers[i].aio);
        nng_ctx_close(callers[i].context);
    }
    free(callers); /* the socket stays: nng_close can deadlock, and a benchmark is short */
    return result;
}

/* --- echo server ---------------------------------------------------------------------------------- */

struct echo {
    nng_ctx context;
    nng_aio *aio;
    bool sending;
    uint32_t small, large;
};

static void on_echo(void *argument) {
    struct echo *echo = argument;
    static const uint8_t zeros[1u << 17];
    if (echo->sending || nng_aio_result(echo->aio) != 0) { /* a client that left is no matter */
        echo->sending = false;
        nng_ctx_recv(echo->context, echo->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(echo->aio);
    uint32_t size = nng_msg_len(message) > LOAD_LARGE ? echo->large : echo->small;
    nng_msg *reply;
    nng_msg_free(message);
    must(nng_msg_alloc(&reply, 0), "message");
    must(nng_msg_append(reply, zeros, size), "message");
    echo->sending = true;
    nng_aio_set_msg(echo->aio, reply);
    nng_ctx_send(echo->context, echo->aio);
}

void load_echo(const char *url, uint32_t small, uint32_t large, uint32_t contexts) {
    nng_socket socket;
    nng_listener listener;
    struct echo *echoes = calloc(contexts, sizeof *echoes);
    REQUIRE(echoes != NULL && small <= 1u << 17 && large <= 1u << 17);
    must(nng_rep0_open(&socket), "socket");
    must(nng_listen(socket, url, &listener, 0), url);
    nng_sockaddr address;
    must(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address), "address");
    for (uint32_t i = 0; i < contexts; i++) {
        echoes[i] = (struct echo){.small = small, .large = large};
        must(nng_ctx_open(&echoes[i].context, socket), "context");
        must(nng_aio_alloc(&echoes[i].aio, on_echo, &echoes[i]), "aio");
        nng_ctx_recv(echoes[i].context, echoes[i].aio);
    }
    uint16_t port = address.s_in.sa_port; /* network order */
    printf("tcp://127.0.0.1:%u\n", (unsigned)((port & 0xff) << 8 | port >> 8));
    (void)fflush(stdout);
    for (;;) pause();
}
