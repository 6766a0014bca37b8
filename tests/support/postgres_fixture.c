/* postgres_fixture.c - see postgres_fixture.h */
#include "tests/support/postgres_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"

#define BINARIES "/usr/lib/postgresql/" /* VERSION/bin/, as Debian has them */
#define BINARY_BYTES 128
#define PORT "61543" /* a name for the socket, nothing more */
#define WAIT_MS 60000

static void pause_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* A program of the newest PostgreSQL's server. Return: false if there is none */
static bool find_binary(const char *name, char ret_path[BINARY_BYTES]) {
    glob_t found;
    long newest = 0;
    (void)snprintf(ret_path, BINARY_BYTES, BINARIES "*/bin/%s", name);
    if (glob(ret_path, 0, NULL, &found) != 0) return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        long version = strtol(path + sizeof BINARIES - 1, NULL, 10);
        if (version <= newest || access(path, X_OK) != 0) continue;
        newest = version;
        (void)snprintf(ret_path, BINARY_BYTES, BINARIES "%ld/bin/%s", version, name);
    }
    globfree(&found);
    return newest > 0;
}

bool postgres_fixture_available(void) {
    char path[BINARY_BYTES];
    bool user = geteuid() != 0 || getpwnam("postgres") != NULL;
    return user && find_binary("initdb", path) && find_binary("postgres", path);
}

/* In the child: who PostgreSQL may run as, and a log in place of the test's output. */
static void become_postgres(const struct postgres_fixture *postgres) {
    char log[96];
    if (geteuid() == 0) {
        const struct passwd *user = getpwnam("postgres");
        if (!user || initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
            setuid(user->pw_uid) != 0) {
            _exit(126);
        }
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after setuid, which forgets it */
    snprintf(log, sizeof log, "%s/log", postgres->directory);
    int to = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), from = open("/dev/null", O_RDONLY);
    if (to < 0 || from < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0) _exit(126);
    if (chdir(postgres->directory) != 0) _exit(126);
}

static pid_t launch(const struct postgres_fixture *postgres, char *const arguments[]) {
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        become_postgres(postgres);
        execv(arguments[0], arguments);
        _exit(127);
    }
    return pid;
}

/* The eighth line of postmaster.pid says "ready" once connections are accepted. */
static bool is_ready(const struct postgres_fixture *postgres) {
    char path[96], line[256] = "";
    snprintf(path, sizeof path, "%s/data/postmaster.pid", postgres->directory);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    bool ready = false;
    for (int i = 1; fgets(line, sizeof line, file); i++) {
        if (i == 1 && strtol(line, NULL, 10) != postgres->pid) break; /* of the one before */
        if (i == 8) ready = strncmp(line, "ready", 5) == 0;
    }
    fclose(file);
    return ready;
}

void postgres_fixture_start(struct postgres_fixture *postgres) {
    char data[80], program[BINARY_BYTES];
    REQUIRE(postgres->pid == 0 && find_binary("postgres", program));
    snprintf(data, sizeof data, "%s/data", postgres->directory);
    char *const arguments[] = {program,
                               (char[]){"-D"},
                               data,
                               (char[]){"-k"},
                               postgres->directory,
                               (char[]){"-p"},
                               (char[]){PORT},
                               (char[]){"-c"},
                               (char[]){"listen_addresses="},
                               (char[]){"-c"},
                               (char[]){"fsync=off"},
                               (char[]){"-c"},
                               (char[]){"full_page_writes=off"},
                               (char[]){"-c"},
                               (char[]){"max_connections=20"},
                               NULL};
    postgres->pid = launch(postgres, arguments);
    for (int waited_ms = 0; !is_ready(postgres); waited_ms += 5) {
        REQUIRE(waited_ms < WAIT_MS);
        REQUIRE(waitpid(postgres->pid, NULL, WNOHANG) == 0); /* it died: see its log */
        pause_ms(5);
    }
}

void postgres_fixture_database(struct postgres_fixture *postgres, const char *name) {
    snprintf(postgres->conninfo, sizeof postgres->conninfo,
             "host=%s port=" PORT " user=usher dbname=%s", postgres->directory, name);
}

void postgres_fixture_create(struct postgres_fixture *postgres) {
    char data[80], program[BINARY_BYTES];
    REQUIRE(find_binary("initdb", program));
    *postgres = (struct postgres_fixture){.directory = "/tmp/usher-postgres-XXXXXX"};
    REQUIRE(mkdtemp(postgres->directory) != NULL);
    if (geteuid() == 0) {
        const struct passwd *user = getpwnam("postgres");
        REQUIRE(user && chown(postgres->directory, user->pw_uid, user->pw_gid) == 0);
    }
    snprintf(data, sizeof data, "%s/data", postgres->directory);
    postgres_fixture_database(postgres, "postgres");
    char *const arguments[] = {program,
                               (char[]){"-D"},
                               data,
                               (char[]){"-U"},
                               (char[]){"usher"},
                               (char[]){"--no-sync"},
                               (char[]){"--auth=trust"},
                               (char[]){"--encoding=UTF8"},
                               (char[]){"--locale=C.UTF-8"},
                               NULL};
    int status = -1;
    pid_t pid = launch(postgres, arguments);
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    postgres_fixture_start(postgres);
}

void postgres_fixture_stop(struct postgres_fixture *postgres, int signal) {
    int status;
    if (postgres->pid == 0) return;
    REQUIRE(kill(postgres->pid, signal) == 0);
    while (waitpid(postgres->pid, &status, 0) < 0) REQUIRE(errno == EINTR);
    postgres->pid = 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void postgres_fixture_destroy(struct postgres_fixture *postgres) {
    postgres_fixture_stop(postgres, SIGQUIT);
    REQUIRE(nftw(postgres->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
