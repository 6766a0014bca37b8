/* operator_fixture.c - see operator_fixture.h */
#include "tests/integration/operator/operator_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/integration/operator/known_history.h"
#include "wal/trim.h"

#define ARGUMENTS_MAX 32u

/* --- folders ---------------------------------------------------------------------------------- */

void operator_path(const struct operator_fixture *fixture, const char *name, char *ret_path) {
    int size = snprintf(ret_path, OPERATOR_PATH_BYTES, "%s/%s", fixture->directory, name);
    REQUIRE(size > 0 && size < (int)OPERATOR_PATH_BYTES);
}

int operator_setup(void **state) {
    struct operator_fixture *fixture = calloc(1, sizeof *fixture);
    struct known_history_marks marks;
    REQUIRE(fixture);
    (void)snprintf(fixture->directory, sizeof fixture->directory,
                   "/tmp/usher-operator-XXXXXX"); /* fits */
    REQUIRE(mkdtemp(fixture->directory));
    operator_path(fixture, "data", fixture->data);
    REQUIRE(mkdir(fixture->data, 0700) == 0);
    known_history_write(fixture->data, &fixture->world, &marks);
    fixture->end_lsn = marks.end_lsn;
    fixture->records = marks.records;
    fixture->held_lsn = marks.held_lsn;
    fixture->filler_lsn = marks.filler_lsn;
    *state = fixture;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status; /* nftw's form; also below */
    (void)kind;
    (void)walk;
    (void)remove(path); /* what stays is in /tmp */
    return 0;
}

int operator_teardown(void **state) {
    struct operator_fixture *fixture = *state;
    (void)nftw(fixture->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* likewise */
    world_free(fixture->world);
    free(fixture->out);
    free(fixture->err);
    free(fixture);
    return 0;
}

static void copy_file(const char *from, const char *to) {
    char *bytes = malloc(KNOWN_SEGMENT_BYTES);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(bytes && in >= 0 && out >= 0);
    ssize_t size;
    while ((size = read(in, bytes, KNOWN_SEGMENT_BYTES)) > 0)
        REQUIRE(write(out, bytes, size) == size);
    REQUIRE(size == 0 && close(out) == 0 && close(in) == 0);
    free(bytes);
}

static void copy_folder(const char *from, const char *to) {
    DIR *stream = opendir(from);
    REQUIRE(stream && mkdir(to, 0700) == 0);
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        char *source, *target;
        if (entry->d_name[0] == '.') continue;
        REQUIRE(asprintf(&source, "%s/%s", from, entry->d_name) > 0);
        REQUIRE(asprintf(&target, "%s/%s", to, entry->d_name) > 0);
        if (entry->d_type == DT_DIR) {
            copy_folder(source, target);
        } else {
            copy_file(source, target);
        }
        free(source);
        free(target);
    }
    REQUIRE(closedir(stream) == 0);
}

void operator_copy(struct operator_fixture *fixture, const char *name) {
    char path[OPERATOR_PATH_BYTES];
    operator_path(fixture, name, path);
    copy_folder(fixture->data, path);
    memcpy(fixture->data, path, sizeof path);
}

void operator_flip(const struct operator_fixture *fixture, const char *file, uint64_t offset) {
    char *path;
    uint8_t byte;
    REQUIRE(asprintf(&path, "%s/%s", fixture->data, file) > 0);
    int handle = open(path, O_RDWR);
    REQUIRE(handle >= 0 && pread(handle, &byte, 1, (off_t)offset) == 1);
    byte ^= 1;
    REQUIRE(pwrite(handle, &byte, 1, (off_t)offset) == 1 && close(handle) == 0);
    free(path);
}

bool operator_exists(const struct operator_fixture *fixture, const char *file) {
    char *path;
    REQUIRE(asprintf(&path, "%s/%s", fixture->data, file) > 0);
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
    return hash;
}

/* Independent of the order in which names are listed. */
static uint64_t fingerprint(const char *folder) {
    DIR *stream = opendir(folder);
    REQUIRE(stream);
    uint64_t sum = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        char *path, bytes[4096];
        if (entry->d_name[0] == '.') continue;
        REQUIRE(asprintf(&path, "%s/%s", folder, entry->d_name) > 0);
        uint64_t hash = mix(0xcbf29ce484222325ull, path, strlen(path));
        if (entry->d_type == DT_DIR) {
            hash += fingerprint(path);
        } else {
            int handle = open(path, O_RDONLY);
            ssize_t size;
            while ((size = read(handle, bytes, sizeof bytes)) > 0) hash = mix(hash, bytes, size);
            REQUIRE(size == 0 && close(handle) == 0);
        }
        sum += hash;
        free(path);
    }
    REQUIRE(closedir(stream) == 0);
    return sum;
}

uint64_t operator_fingerprint(const struct operator_fixture *fixture) {
    return fingerprint(fixture->data);
}

uint64_t operator_trim(const struct operator_fixture *fixture, uint64_t keep_lsn) {
    struct storage *storage;
    struct wal_error error;
    uint64_t removed;
    REQUIRE(storage_posix_open(fixture->data, STORAGE_WAL, &storage) == 0);
    REQUIRE(storage->operations->claim(storage) == 0);
    REQUIRE(wal_trim(storage, keep_lsn, &removed, &error) == 0);
    storage->operations->destroy(storage);
    return removed;
}

/* --- running usher ---------------------------------------------------------------------------- */

static char *read_all(const char *path) {
    FILE *file = fopen(path, "r");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    char *bytes = calloc(1, (size_t)size + 1);
    rewind(file);
    REQUIRE(bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size);
    REQUIRE(fclose(file) == 0);
    return bytes;
}

static void mount_read_only(const char *path) {
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(path, path, NULL, MS_BIND, NULL) < 0 ||
        mount(path, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0) {
        _exit(OPERATOR_CANNOT_MOUNT);
    }
}

static _Noreturn void become(const struct operator_fixture *fixture, bool read_only,
                             const char *program, char *const arguments[], const char *out,
                             const char *err) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(126);
    if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr)) _exit(126);
    if (read_only) mount_read_only(fixture->data);
    execv(program, arguments);
    _exit(127);
}

void operator_usher(struct operator_fixture *fixture, bool read_only, const char *const *arguments,
                    const char *file, int line) {
    const char *program = getenv("USHER");
    char *copies[ARGUMENTS_MAX] = {NULL}, out[OPERATOR_PATH_BYTES], err[OPERATOR_PATH_BYTES];
    if (!program || access(program, X_OK) != 0) {
        _fail("USHER must name the usher to test; meson test does that", 0);
    }
    for (uint32_t i = 0; arguments[i]; i++) {
        REQUIRE(i + 1 < ARGUMENTS_MAX);
        copies[i] = strdup(strcmp(arguments[i], FOLDER) == 0 ? fixture->data : arguments[i]);
        REQUIRE(copies[i]);
    }
    operator_path(fixture, "stdout", out);
    operator_path(fixture, "stderr", err);
    int status;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) become(fixture, read_only, program, copies, out, err);
    REQUIRE(waitpid(child, &status, 0) == child);
    free(fixture->out);
    free(fixture->err);
    fixture->out = read_all(out);
    fixture->err = read_all(err);
    fixture->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    if (fixture->status < 0) {
        print_error("usher %s died of signal %d\n%s", arguments[1], -fixture->status, fixture->err);
        _fail(file, line);
    }
    for (uint32_t i = 0; i < ARGUMENTS_MAX; i++) free(copies[i]);
}

/* --- judging ---------------------------------------------------------------------------------- */

static void dump(const struct operator_fixture *fixture) {
    print_error("status %d\n--- stdout\n%.4000s\n--- stderr\n%.4000s\n---\n", fixture->status,
                fixture->out, fixture->err);
}

void operator_status(const struct operator_fixture *fixture, int status, const char *file,
                     int line) {
    if (fixture->status == status) return;
    print_error("status %d was expected\n", status);
    dump(fixture);
    _fail(file, line);
}

void operator_complained(const struct operator_fixture *fixture, int status, const char *complaint,
                         const char *file, int line) {
    operator_status(fixture, status, file, line);
    if (strstr(fixture->err, complaint)) return;
    print_error("stderr lacks \"%s\"\n", complaint);
    dump(fixture);
    _fail(file, line);
}

void operator_says(const struct operator_fixture *fixture, const char *text, bool expected,
                   const char *file, int line) {
    if ((strstr(fixture->out, text) != NULL) == expected) return;
    print_error("stdout %s \"%s\"\n", expected ? "lacks" : "has", text);
    dump(fixture);
    _fail(file, line);
}

void operator_prints(const struct operator_fixture *fixture, const char *text, const char *file,
                     int line) {
    if (strcmp(fixture->out, text) == 0) return;
    print_error("stdout should be\n%s\n", text);
    dump(fixture);
    _fail(file, line);
}

json_t *operator_json(const struct operator_fixture *fixture) {
    json_t *lines = json_array();
    char *copy = strdup(fixture->out), *rest = copy, *line;
    REQUIRE(copy);
    while ((line = strsep(&rest, "\n")) != NULL) {
        json_error_t error;
        if (line[0] == '\0') continue;
        json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        if (!value) {
            print_error("no JSON: %s\n%.2000s\n", error.text, line);
            fail();
        }
        REQUIRE(json_array_append_new(lines, value) == 0);
    }
    free(copy);
    return lines;
}

uint64_t operator_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) fail_msg("no number \"%s\"", key);
    return (uint64_t)json_integer_value(value);
}

const char *operator_text(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) fail_msg("no text \"%s\"", key);
    return json_string_value(value);
}
