/* load.h - send prepared frames over nng REQ contexts, closed loop, and time each */
#ifndef USHER_BENCH_LOAD_H
#define USHER_BENCH_LOAD_H

#include <stdint.h>

/* Frames one after the other in one buffer; frame i is bytes[ends[i-1]..ends[i]). */
struct frames {
    uint8_t *bytes;
    uint32_t *ends;
    uint32_t count;
};

struct load_result {
    double seconds;
    uint64_t frames;
    uint64_t reply_bytes;
    uint64_t p50_us, p99_us, p999_us; /* of a frame, from send to reply */
};

/* load_run - send all frames, `in_flight` of them at a time, and wait for all replies
 * @pause_ms: after each reply, before the next frame takes its place: a load that does not fill the
 *            machine; 0: none
 * Ends the process with a message if the connection fails. */
struct load_result load_run(const char *url, const struct frames *frames, uint32_t in_flight,
                            uint32_t pause_ms);

/* load_echo - serve: answer each message with one of `small` bytes, or of `large` bytes if it is
 * longer than LOAD_LARGE. Prints the URL, then serves until the process is ended. */
#define LOAD_LARGE 1024u
void load_echo(const char *url, uint32_t small, uint32_t large, uint32_t contexts);

#endif
