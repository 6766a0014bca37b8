/* test_slow_reader.c - a gateway that asks and never reads
 *
 * A program of its own, which ends without closing a socket, as the daemon does: with nng 1.5.2 the
 * disconnection of the slow one may cost the process the thread without which no socket of it can
 * be closed (nng#1543; net/README.md, "Limits of nng 1.5.2 that remain").
 */
#include "tests/integration/hostile/hostile_fixture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A gateway that asks and never reads: it is disconnected, and the contexts are free again. */
static void slow_reader(void **state) {
    (void)state;
    static struct hostile_fixture own;
    uint8_t frame[64 * 18];
    hostile_open(&own, &(struct net_options){
                           .contexts = 4, .send_timeout_ms = 200, .watch_interval_ms = UINT32_MAX});
    static const uint8_t ping[] = {0x94, 0,   7,   0xac, 's', 'y', 's', 't', 'e',
                                   'm',  '.', 's', 't',  'a', 't', 's', 0x80};
    uint32_t size = 0;
    for (int i = 0; i < 64; i++, size += sizeof ping) memcpy(frame + size, ping, sizeof ping);
    int fd = hostile_connect_tcp(&own), small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_true(hostile_shake_hands(fd));
    struct net_counters now = {0};
    for (uint32_t i = 0; i < 1000 && now.slow_disconnects == 0; i++) {
        hostile_send_frame(fd, i, frame, size);
        net_server_counters(own.server, &now);
    }
    for (int i = 0; i < 200 && now.slow_disconnects == 0; i++) {
        usleep(10000);
        net_server_counters(own.server, &now);
    }
    assert_true(now.slow_disconnects >= 1);
    /* The next one is served, and by hand: the client library would close its socket. */
    static uint8_t reply[65536];
    int other = hostile_connect_tcp(&own);
    assert_true(hostile_shake_hands(other));
    hostile_send_frame(other, 1, ping, sizeof ping);
    assert_true(hostile_receive_frame(other, reply, sizeof reply) > 0);
    close(other);
    close(fd);
    assert_int_equal(net_server_stop(own.server, 5000), NET_OK);
    (void)unlink(own.ipc_path);   /* whatever is left in /tmp harms nobody */
    (void)unlink(own.admin_path); /* likewise */
    (void)rmdir(own.directory);   /* likewise */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(slow_reader)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)fflush(NULL); /* leaving */
    _exit(failed ? EXIT_FAILURE : EXIT_SUCCESS);
}
