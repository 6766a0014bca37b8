/* load.h - send prepared frames over nng REQ contexts, closed or open loop, and time each
 *
 * Closed loop (rate 0): as many frames as contexts are under way; the next one goes when a reply
 * comes. It finds the greatest rate; its latencies are those of a queue that is always full.
 * Open loop: a frame is due every 1/rate seconds, whatever became of those before it, and its
 * latency counts from the moment when it was due. So a stall shows in all the frames that it held
 * up (otherwise it would be counted once: "coordinated omission", Gil Tene).
 */
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
    uint64_t p50_us, p99_us,
        p999_us; /* of a frame, from send (open loop: from when it was due) to reply */
};

/* load_run - send all frames and wait for all replies
 * @in_flight: contexts, so at most so many frames under way at a time
 * @rate:      frames a second, open loop; 0: closed loop
 * Ends the process with a message if the connection fails. */
struct load_result load_run(const char *url, const struct frames *frames, uint32_t in_flight,
                            uint32_t rate);

/* load_echo - serve: answer each message with one of `small` bytes, or of `large` bytes if it is
 * longer than LOAD_LARGE. Prints the URL, then serves until the process is ended. */
#define LOAD_LARGE 1024u
void load_echo(const char *url, uint32_t small, uint32_t large, uint32_t contexts);

#endif
