/* accept.c - see accept.h */
#include "net/server/accept.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <netinet/in.h>

#include "engine/base/require.h"

static struct {
    _Atomic uint32_t public_below, private_below; /* 0: no limit */
    _Atomic uint32_t probe_port;                  /* network order; 0: none */
    _Atomic uint64_t refused;
    char admin_path[sizeof((struct sockaddr_un *)0)->sun_path]; /* set before anything listens */
} door;

void accept_limit(uint32_t public_below, uint32_t private_below, const char *admin_path) {
    REQUIRE(public_below <= private_below);
    REQUIRE(!admin_path || strlen(admin_path) < sizeof door.admin_path);
    strcpy(door.admin_path, admin_path ? admin_path : "");
    atomic_store(&door.private_below, private_below);
    atomic_store(&door.public_below, public_below);
}

void accept_probe(uint16_t port) { atomic_store(&door.probe_port, port); }

uint64_t accept_refused(void) { return atomic_load(&door.refused); }

/* Did it come in on the admin listener? */
static bool by_admin(int listening) {
    struct sockaddr_un own;
    socklen_t bytes = sizeof own;
    memset(&own, 0, sizeof own);
    return door.admin_path[0] != '\0' && /* else there is none */
           getsockname(listening, (struct sockaddr *)&own, &bytes) == 0 &&
           own.sun_family == AF_UNIX && bytes > offsetof(struct sockaddr_un, sun_path) &&
           strncmp(own.sun_path, door.admin_path, sizeof own.sun_path) == 0;
}

/* Is it the watchdog, who asks whether this listener still accepts? */
static bool by_ourselves(int connection) {
    struct sockaddr_storage peer;
    struct ucred who;
    socklen_t bytes = sizeof peer, who_bytes = sizeof who;
    if (getpeername(connection, (struct sockaddr *)&peer, &bytes) < 0) return false;
    uint32_t port = atomic_load(&door.probe_port);
    if (peer.ss_family == AF_INET) {
        return port != 0 && ((struct sockaddr_in *)&peer)->sin_port == port;
    }
    if (peer.ss_family == AF_INET6) {
        return port != 0 && ((struct sockaddr_in6 *)&peer)->sin6_port == port;
    }
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &who_bytes) == 0 &&
           who.pid == getpid();
}

/* Return: the connection, or -1 with EAGAIN: nng then goes on when the next one comes, and looks
 * after its other connections before that. */
static int judge(int listening, int connection) {
    uint32_t public_below = atomic_load(&door.public_below);
    uint32_t private_below = atomic_load(&door.private_below);
    if (connection < 0 || public_below == 0 || (uint32_t)connection < public_below) {
        return connection;
    }
    if ((uint32_t)connection < private_below && (by_admin(listening) || by_ourselves(connection))) {
        return connection;
    }
    (void)close(connection); /* nothing was sent on it */
    atomic_fetch_add(&door.refused, 1);
    errno = EAGAIN;
    return -1;
}

/* In the place of the C library's: a library's calls find the program's symbols first. By their
 * names for the linker, since the C library declares them with types of its own. */
__attribute__((visibility("default"))) int
door_accept4(int listening, void *address, socklen_t *address_bytes, int flags) __asm__("accept4");
__attribute__((visibility("default"))) int door_accept(int listening, void *address,
                                                       socklen_t *address_bytes) __asm__("accept");

int door_accept4(int listening, void *address, socklen_t *address_bytes, int flags) {
    return judge(listening, (int)syscall(SYS_accept4, listening, address, address_bytes, flags));
}

int door_accept(int listening, void *address, socklen_t *address_bytes) {
    return door_accept4(listening, address, address_bytes, 0);
}
