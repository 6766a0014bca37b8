/* load.c - see load.h */
#include "bench/load.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "tools/common/complain.h"
#include "tools/common/histogram.h"

static void must(int error, const char *what) {
    if (error == 0) return;
    complain("%s: %s", what, nng_strerror(error));
    exit(1);
}

/* --- client: one caller per context ----------------------------------------------------------- */

struct load {
    const struct frames *frames;
    bool open_loop;
    _Atomic uint32_t next, done; /* frames; next: closed loop only */
    _Atomic uint64_t reply_bytes;
    pthread_mutex_t lock;     /* of what follows */
    pthread_cond_t freed;     /* a caller became free, or the last frame is done */
    struct load_caller *free; /* open loop: callers without a frame */
};

struct load_caller {
    struct load *load;
    struct load_caller *next_free;
    nng_ctx context;
    nng_aio *aio;
    bool receiving;
    uint64_t began_ns; /* sent, or open loop: due */
    struct histogram histogram;
};

static void send_frame(struct load_caller *caller, uint32_t index, uint64_t began_ns) {
    const struct frames *frames = caller->load->frames;
    uint32_t begin = index ? frames->ends[index - 1] : 0;
    nng_msg *message;
    must(nng_msg_alloc(&message, 0), "message");
    must(nng_msg_append(message, frames->bytes + begin, frames->ends[index] - begin), "message");
    caller->receiving = false;
    caller->began_ns = began_ns;
    nng_aio_set_msg(caller->aio, message);
    nng_ctx_send(caller->context, caller->aio);
}

static void send_next(struct load_caller *caller) {
    uint32_t index = atomic_fetch_add(&caller->load->next, 1);
    if (index < caller->load->frames->count) send_frame(caller, index, measure_ns());
}

static void put_free(struct load_caller *caller) {
    struct load *load = caller->load;
    pthread_mutex_lock(&load->lock);
    caller->next_free = load->free;
    load->free = caller;
    pthread_cond_signal(&load->freed);
    pthread_mutex_unlock(&load->lock);
}

static struct load_caller *take_free(struct load *load) {
    pthread_mutex_lock(&load->lock);
    while (!load->free) pthread_cond_wait(&load->freed, &load->lock);
    struct load_caller *caller = load->free;
    load->free = caller->next_free;
    pthread_mutex_unlock(&load->lock);
    return caller;
}

static void on_event(void *argument) {
    struct load_caller *caller = argument;
    struct load *load = caller->load;
    must(nng_aio_result(caller->aio), caller->receiving ? "receive" : "send");
    if (!caller->receiving) {
        caller->receiving = true;
        nng_ctx_recv(caller->context, caller->aio);
        return;
    }
    nng_msg *reply = nng_aio_get_msg(caller->aio);
    histogram_add(&caller->histogram, (measure_ns() - caller->began_ns) / 1000);
    atomic_fetch_add(&load->reply_bytes, nng_msg_len(reply));
    nng_msg_free(reply);
    bool last = atomic_fetch_add(&load->done, 1) + 1 == load->frames->count;
    if (load->open_loop || last) {
        put_free(caller);
    } else {
        send_next(caller);
    }
}

static void run_closed_loop(struct load_caller *callers, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) send_next(&callers[i]);
}

static void run_open_loop(struct load *load, uint32_t rate) {
    const uint64_t begin_ns = measure_ns() + 1000000;
    (void)prctl(PR_SET_TIMERSLACK, 1ul); /* without it a wait may be 50 us longer */
    for (uint32_t i = 0; i < load->frames->count; i++) {
        uint64_t due_ns = begin_ns + i * 1000000000ull / rate;
        const struct timespec due = {(time_t)(due_ns / 1000000000u), (long)(due_ns % 1000000000u)};
        while (measure_ns() < due_ns) {
            (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        }
        send_frame(take_free(load), i, due_ns);
    }
}

static void wait_for_all(struct load *load) {
    pthread_mutex_lock(&load->lock);
    while (atomic_load(&load->done) < load->frames->count) {
        pthread_cond_wait(&load->freed, &load->lock);
    }
    pthread_mutex_unlock(&load->lock);
}

static void summarise(struct load_result *result, struct load_caller *callers, uint32_t count) {
    static struct histogram all;
    memset(&all, 0, sizeof all);
    for (uint32_t i = 0; i < count; i++) histogram_merge(&all, &callers[i].histogram);
    result->p50_us = histogram_quantile(&all, 500000);
    result->p99_us = histogram_quantile(&all, 990000);
    result->p999_us = histogram_quantile(&all, 999000);
}

struct load_result load_run(const char *url, const struct frames *frames, uint32_t in_flight,
                            uint32_t rate) {
    struct load load = {.frames = frames,
                        .open_loop = rate > 0,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .freed = PTHREAD_COND_INITIALIZER};
    struct load_caller *callers = calloc(in_flight, sizeof *callers);
    nng_socket socket;
    REQUIRE(callers != NULL && frames->count > 0);
    must(nng_req0_open(&socket), "socket");
    must(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), "option");
    must(nng_dial(socket, url, NULL, 0), url);
    for (uint32_t i = 0; i < in_flight; i++) {
        callers[i].load = &load;
        must(nng_ctx_open(&callers[i].context, socket), "context");
        must(nng_aio_alloc(&callers[i].aio, on_event, &callers[i]), "aio");
        if (load.open_loop) put_free(&callers[i]);
    }
    uint64_t began = measure_ns();
    if (load.open_loop) {
        run_open_loop(&load, rate);
    } else {
        run_closed_loop(callers, in_flight);
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

/* --- echo server ------------------------------------------------------------------------------ */

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
