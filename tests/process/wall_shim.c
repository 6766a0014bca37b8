/* wall_shim.c - preloaded into a child process: its wall clock is what the test says
 *
 * clock_gettime(CLOCK_REALTIME) of the process says what the kernel says, plus the number of
 * nanoseconds in the file that WALL_SHIM_FILE names. The test may change the number at any moment;
 * the next reading has it. Other clocks are the kernel's. Includes nothing of usher: usherd has its
 * own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000

static const _Atomic int64_t *set_ns;

/* Without the file the clock is the kernel's, and the test sees that. */
__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("WALL_SHIM_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *set_ns, PROT_READ, MAP_SHARED, file, 0);
    (void)close(file); /* the mapping stays */
    if (page != MAP_FAILED) set_ns = page;
}

int clock_gettime(clockid_t id, struct timespec *ret_time) {
    long result = syscall(SYS_clock_gettime, id, ret_time);
    if (result != 0 || id != CLOCK_REALTIME || !set_ns) return (int)result;
    int64_t ns = ret_time->tv_nsec + (int64_t)ret_time->tv_sec * SECOND_NS + atomic_load(set_ns);
    ret_time->tv_sec = ns / SECOND_NS;
    ret_time->tv_nsec = ns % SECOND_NS;
    return 0;
}
