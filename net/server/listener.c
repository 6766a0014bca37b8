/* listener.c - see listener.h */
#include "net/server/listener.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include "engine/base/require.h"
#include "net/server/accept.h"
#include "net/server/deadline.h"

/* Backtraces of up to 15 SP devices stand before a frame; frame.c judges the frame itself. */
#define RECEIVE_BYTES_MAX (FRAME_BYTES_MAX + 64u)
#define SP_HEADER_BYTES 8u

void listener_init(struct listener *listener) {
    pthread_condattr_t attributes;
    *listener = (struct listener){0};
    REQUIRE(pthread_mutex_init(&listener->mutex, NULL) == 0);
    REQUIRE(pthread_condattr_init(&attributes) == 0);
    REQUIRE(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    REQUIRE(pthread_cond_init(&listener->announced, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
}

void listener_deinit(struct listener *listener) {
    (void)pthread_cond_destroy(&listener->announced);
    (void)pthread_mutex_destroy(&listener->mutex);
}

static nng_listener listener_handle(const struct listener *listener) {
    return (nng_listener){.id = atomic_load(&listener->id)};
}

/* --- listening -------------------------------------------------------------------------------- */

/* Where a client of this machine reaches the listener: a wildcard address becomes loopback.
 * Return: 0 or an nng error */
static int listener_address(struct listener *listener) {
    nng_sockaddr bound;
    int rc = nng_listener_get_addr(listener_handle(listener), NNG_OPT_LOCADDR, &bound);
    if (rc != 0) return rc;
    memset(&listener->address, 0, sizeof listener->address);
    switch (bound.s_family) {
    case NNG_AF_INET: {
        struct sockaddr_in *in = (struct sockaddr_in *)&listener->address;
        in->sin_family = AF_INET;
        in->sin_port = bound.s_in.sa_port;
        in->sin_addr.s_addr = bound.s_in.sa_addr;
        if (in->sin_addr.s_addr == htonl(INADDR_ANY)) in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listener->address_bytes = sizeof *in;
        return 0;
    }
    case NNG_AF_INET6: {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&listener->address;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = bound.s_in6.sa_port;
        memcpy(&in6->sin6_addr, bound.s_in6.sa_addr, sizeof in6->sin6_addr);
        if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) in6->sin6_addr = in6addr_loopback;
        listener->address_bytes = sizeof *in6;
        return 0;
    }
    case NNG_AF_IPC: {
        struct sockaddr_un *un = (struct sockaddr_un *)&listener->address;
        if (strlen(bound.s_ipc.sa_path) >= sizeof un->sun_path) return NNG_EADDRINVAL;
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, bound.s_ipc.sa_path);
        listener->address_bytes = sizeof *un;
        return 0;
    }
    default: return NNG_ENOTSUP;
    }
}

static int listener_options(const struct listener *listener) {
    nng_listener handle = listener_handle(listener);
    int rc = nng_listener_set_size(handle, NNG_OPT_RECVMAXSZ, RECEIVE_BYTES_MAX);
    if (rc == 0 && strncmp(listener->url, "tcp", 3) == 0) {
        rc = nng_listener_set_bool(handle, NNG_OPT_TCP_KEEPALIVE, true);
    }
    /* nng changes the mode between bind and listen: nobody can connect before it holds. */
    if (rc == 0 && listener->admin) {
        rc = nng_listener_set_int(handle, NNG_OPT_IPC_PERMISSIONS, 0600);
    }
    return rc;
}

/* --- the socket file -------------------------------------------------------------------------- */

static bool has_file(const struct listener *listener) {
    return listener->address.ss_family == AF_UNIX;
}

static bool find_file(const struct listener *listener, struct stat *ret_status) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&listener->address;
    return lstat(un->sun_path, ret_status) == 0;
}

/* Just bound, or about to be closed. */
static void remember_file(struct listener *listener, bool bound) {
    struct stat status;
    bool known = bound && has_file(listener) && find_file(listener, &status);
    pthread_mutex_lock(&listener->mutex);
    listener->file_device = known ? status.st_dev : 0;
    listener->file_inode = known ? status.st_ino : 0;
    pthread_mutex_unlock(&listener->mutex);
}

enum listener_owner listener_owner(struct listener *listener) {
    struct stat status;
    if (!has_file(listener)) return LISTENER_OURS;
    pthread_mutex_lock(&listener->mutex);
    uint64_t device = listener->file_device, inode = listener->file_inode;
    pthread_mutex_unlock(&listener->mutex);
    bool there = find_file(listener, &status);
    if (inode == 0 || (there && status.st_dev == device && status.st_ino == inode)) {
        return LISTENER_OURS;
    }
    pthread_mutex_lock(&listener->mutex);
    bool replaced_meanwhile = listener->file_inode != inode;
    pthread_mutex_unlock(&listener->mutex);
    if (replaced_meanwhile) return LISTENER_OURS;
    return there ? LISTENER_OTHERS : LISTENER_GONE;
}

/* Bind listener->url. Return: 0 or an nng error; nothing is left behind then */
static int listener_open(struct listener *listener) {
    nng_listener handle;
    char *url = NULL;
    int rc = nng_listener_create(&handle, (nng_socket){.id = listener->socket}, listener->url);
    if (rc != 0) return rc;
    /* Before anything is accepted. */
    atomic_store(&listener->id, (uint32_t)nng_listener_id(handle));
    rc = listener_options(listener);
    if (rc == 0) rc = nng_listener_start(handle, 0);
    if (rc == 0) rc = listener_address(listener);
    if (rc == 0) rc = nng_listener_get_string(handle, NNG_OPT_URL, &url);
    if (rc == 0 && strlen(url) >= sizeof listener->url) rc = NNG_EADDRINVAL;
    if (rc == 0) {
        /* Once the port is known it stays: net_server_url() may be reading. */
        if (strcmp(listener->url, url) != 0) strcpy(listener->url, url);
        listener->listening = true;
        remember_file(listener, true);
    } else {
        atomic_store(&listener->id, 0);
        (void)nng_listener_close(handle); /* it is ours alone: cannot be closed already */
    }
    nng_strfree(url);
    return rc;
}

/* What to do about an address that cannot be bound; begins with a blank or is empty. */
static const char *advice(int rc, bool ipc) {
    switch (rc) {
    case NNG_EADDRINUSE:
        return ipc ? " Another process serves at this socket file, perhaps another usherd (`lsof "
                     "PATH` names it): stop it, or choose another path."
                   : " Another process listens there, perhaps another usherd (`ss -ltnp` names "
                     "it): stop it, or choose another port.";
    case NNG_EPERM:
        return ipc ? " The user that runs this may not make a file in that folder, or not replace "
                     "the one there: change the folder's owner or permissions, or choose another."
                   : " Ports below 1024 need a right (CAP_NET_BIND_SERVICE): choose a higher port, "
                     "or grant it.";
    case NNG_ENOENT:
        return " The folder of the socket file is not there: make it, or choose another.";
    case NNG_EADDRINVAL:
        return ipc ? "" : " No interface of this machine has this address, or no name says so.";
    default: return "";
    }
}

int listener_start(struct listener *listener, uint32_t socket, const char *url, bool admin,
                   struct net_error *ret_error) {
    REQUIRE(!listener->listening);
    bool ipc = strncmp(url, "ipc://", 6) == 0;
    bool tcp = strncmp(url, "tcp://", 6) == 0 || strncmp(url, "tcp4://", 7) == 0 ||
               strncmp(url, "tcp6://", 7) == 0;
    if (strlen(url) >= sizeof listener->url || !(ipc || (tcp && !admin))) {
        (void)snprintf(ret_error->text, sizeof ret_error->text, "cannot listen on %.100s: %s", url,
                       admin ? "the admin address must be ipc://PATH"
                             : "the address must be tcp://HOST:PORT or ipc://PATH");
        return NET_BAD_OPTIONS;
    }
    listener->socket = socket;
    listener->admin = admin;
    strcpy(listener->url, url);
    int rc = listener_open(listener);
    if (rc == 0) return NET_OK;
    (void)snprintf(ret_error->text, sizeof ret_error->text, "cannot listen on %.150s (--%s): %s.%s",
                   url, admin ? "admin" : "listen", nng_strerror(rc), advice(rc, ipc));
    return NET_LISTEN;
}

void listener_stop(struct listener *listener) {
    nng_listener handle = listener_handle(listener);
    if (!listener->listening) return;
    listener->listening = false;
    remember_file(listener, false);
    atomic_store(&listener->id, 0);
    (void)nng_listener_close(handle); /* fails only if it is closed already */
}

/* --- the watchdog ----------------------------------------------------------------------------- */

bool listener_accepted(struct listener *listener, uint32_t listener_id) {
    if (atomic_load(&listener->id) != listener_id) return false;
    pthread_mutex_lock(&listener->mutex);
    listener->accepted++;
    pthread_cond_broadcast(&listener->announced);
    pthread_mutex_unlock(&listener->mutex);
    return true;
}

static int ms_until(const struct timespec *deadline) {
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    int64_t ms = (int64_t)(deadline->tv_sec - now.tv_sec) * 1000 +
                 (deadline->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

static bool wait_for(int fd, short events, const struct timespec *deadline) {
    struct pollfd entry = {.fd = fd, .events = events};
    int rc;
    do { rc = poll(&entry, 1, ms_until(deadline)); } while (rc < 0 && errno == EINTR);
    return rc == 1 && (entry.revents & events) != 0;
}

/* Shake hands as the SP mapping for TCP and the one for IPC have it: both sides send
 * 0 'S' 'P' 0, their protocol in 16 bits, and 16 reserved bits. */
static bool shake_hands(int fd, const struct timespec *deadline) {
    const uint8_t hello[SP_HEADER_BYTES] = {0, 'S', 'P', 0, 0, NNG_REQ0_SELF, 0, 0};
    const uint8_t wanted[SP_HEADER_BYTES] = {0, 'S', 'P', 0, 0, NNG_REP0_SELF, 0, 0};
    uint8_t got[SP_HEADER_BYTES];
    size_t size = 0;
    /* Eight bytes fit the send buffer of a new connection: no partial sends. */
    if (send(fd, hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello) return false;
    while (size < sizeof got) {
        if (!wait_for(fd, POLLIN, deadline)) return false;
        ssize_t more = recv(fd, got + size, sizeof got - size, 0);
        if (more <= 0) return false;
        size += (size_t)more;
    }
    return memcmp(got, wanted, sizeof got) == 0;
}

static bool wait_announced(struct listener *listener, uint64_t before,
                           const struct timespec *deadline) {
    pthread_mutex_lock(&listener->mutex);
    int rc = 0;
    while (listener->accepted == before && rc == 0) {
        rc = pthread_cond_timedwait(&listener->announced, &listener->mutex, deadline);
    }
    bool announced = listener->accepted != before;
    pthread_mutex_unlock(&listener->mutex);
    return announced;
}

static uint64_t accepted_count(struct listener *listener) {
    pthread_mutex_lock(&listener->mutex);
    uint64_t count = listener->accepted;
    pthread_mutex_unlock(&listener->mutex);
    return count;
}

/* Let the door know us, however few descriptors are left (accept.h). */
static void announce_probe(const struct listener *listener, int fd) {
    struct sockaddr_storage own = {.ss_family = listener->address.ss_family};
    socklen_t bytes = listener->address_bytes;
    if (has_file(listener) || bind(fd, (const struct sockaddr *)&own, bytes) < 0) return;
    if (getsockname(fd, (struct sockaddr *)&own, &bytes) < 0) return;
    accept_probe(own.ss_family == AF_INET ? ((struct sockaddr_in *)&own)->sin_port
                                          : ((struct sockaddr_in6 *)&own)->sin6_port);
}

enum probe_result { PROBE_ACCEPTS, PROBE_STUCK, PROBE_UNKNOWN };

/* Connections of others count as proof just as well as our own. */
static enum probe_result listener_probe(struct listener *listener) {
    uint64_t before = accepted_count(listener);
    struct timespec deadline = deadline_after(NET_WATCH_TIMEOUT_MS);
    int fd = socket(listener->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return PROBE_UNKNOWN; /* no descriptor left: says nothing about the listener */
    announce_probe(listener, fd);
    int rc = connect(fd, (const struct sockaddr *)&listener->address, listener->address_bytes);
    bool connected = rc == 0 || (errno == EINPROGRESS && wait_for(fd, POLLOUT, &deadline));
    /* The connection stays open until it is announced: one that is gone before is the very thing
     * that makes a listener stick. */
    bool good = connected && shake_hands(fd, &deadline) &&
                wait_announced(listener, before, &deadline);
    if (!good) good = accepted_count(listener) != before;
    accept_probe(0);
    close(fd);
    return good ? PROBE_ACCEPTS : PROBE_STUCK;
}

/* nng frees a closed address in the background: it takes a few milliseconds. */
#define REOPEN_TRIES 50
#define REOPEN_PAUSE_MS 10

static bool listener_reopen(struct listener *listener) {
    const struct timespec pause = {.tv_nsec = REOPEN_PAUSE_MS * 1000000};
    for (int i = 0; i < REOPEN_TRIES; i++) {
        if (listener_open(listener) == 0) return true;
        (void)nanosleep(&pause, NULL); /* a shorter pause does no harm */
    }
    return false;
}

bool listener_step(struct listener *listener) {
    if (listener->listening) {
        if (listener_owner(listener) == LISTENER_OTHERS) return false;
        if (listener_probe(listener) != PROBE_STUCK) return false;
        if (listener_probe(listener) != PROBE_STUCK) return false;
        if (listener_owner(listener) == LISTENER_OTHERS)
            return false; /* it answered in our place */
        listener_stop(listener);
    }
    return listener_reopen(listener);
}
