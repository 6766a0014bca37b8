/* kit.c - see kit.h */
#include "tests/integration/operator/kit.h"

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
#include "tests/integration/operator/story.h"
#include "wal/trim.h"

#define ARGUMENTS_MAX 32u

/* --- folders ---------------------------------------------------------------------------------- */

void kit_path(const struct kit *kit, const char *name, char *ret_path) {
    int size = snprintf(ret_path, KIT_PATH_BYTES, "%s/%s", kit->directory, name);
    REQUIRE(size > 0 && size < (int)KIT_PATH_BYTES);
}

int kit_setup(void **state) {
    struct kit *kit = calloc(1, sizeof *kit);
    struct story_marks marks;
    REQUIRE(kit);
    (void)snprintf(kit->directory, sizeof kit->directory, "/tmp/usher-operator-XXXXXX"); /* fits */
    REQUIRE(mkdtemp(kit->directory));
    kit_path(kit, "data", kit->data);
    REQUIRE(mkdir(kit->data, 0700) == 0);
    story_write(kit->data, &kit->world, &marks);
    kit->end_lsn = marks.end_lsn;
    kit->records = marks.records;
    kit->held_lsn = marks.held_lsn;
    kit->filler_lsn = marks.filler_lsn;
    *state = kit;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status; /* nftw's form; also below */
    (void)kind;
    (void)walk;
    (void)remove(path); /* what stays is in /tmp */
    return 0;
}

int kit_teardown(void **state) {
    struct kit *kit = *state;
    (void)nftw(kit->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* likewise */
    world_free(kit->world);
    free(kit->out);
    free(kit->err);
    free(kit);
    return 0;
}

static void copy_file(const char *from, const char *to) {
    char *bytes = malloc(KIT_SEGMENT_BYTES);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(bytes && in >= 0 && out >= 0);
    ssize_t size;
    while ((size = read(in, bytes, KIT_SEGMENT_BYTES)) > 0)
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

void kit_copy(struct kit *kit, const char *name) {
    char path[KIT_PATH_BYTES];
    kit_path(kit, name, path);
    copy_folder(kit->data, path);
    memcpy(kit->data, path, sizeof path);
}

void kit_flip(const struct kit *kit, const char *file, uint64_t offset) {
    char *path;
    uint8_t byte;
    REQUIRE(asprintf(&path, "%s/%s", kit->data, file) > 0);
    int handle = open(path, O_RDWR);
    REQUIRE(handle >= 0 && pread(handle, &byte, 1, (off_t)offset) == 1);
    byte ^= 1;
    REQUIRE(pwrite(handle, &byte, 1, (off_t)offset) == 1 && close(handle) == 0);
    free(path);
}

bool kit_exists(const struct kit *kit, const char *file) {
    char *path;
    REQUIRE(asprintf(&path, "%s/%s", kit->data, file) > 0);
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

uint64_t kit_fingerprint(const struct kit *kit) { return fingerprint(kit->data); }

uint64_t kit_trim(const struct kit *kit, uint64_t keep_lsn) {
    struct storage *storage;
    struct wal_error error;
    uint64_t removed;
    REQUIRE(storage_posix_open(kit->data, STORAGE_WAL, &storage) == 0);
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
        _exit(KIT_CANNOT_MOUNT);
    }
}

static _Noreturn void become(const struct kit *kit, bool read_only, const char *program,
                             char *const arguments[], const char *out, const char *err) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(126);
    if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr)) _exit(126);
    if (read_only) mount_read_only(kit->data);
    execv(program, arguments);
    _exit(127);
}

void kit_usher(struct kit *kit, bool read_only, const char *const *arguments, const char *file,
               int line) {
    const char *program = getenv("USHER");
    char *copies[ARGUMENTS_MAX] = {NULL}, out[KIT_PATH_BYTES], err[KIT_PATH_BYTES];
    if (!program || access(program, X_OK) != 0) {
        _fail("USHER must name the usher to test; meson test does that", 0);
    }
    for (uint32_t i = 0; arguments[i]; i++) {
        REQUIRE(i + 1 < ARGUMENTS_MAX);
        copies[i] = strdup(strcmp(arguments[i], FOLDER) == 0 ? kit->data : arguments[i]);
        REQUIRE(copies[i]);
    }
    kit_path(kit, "stdout", out);
    kit_path(kit, "stderr", err);
    int status;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) become(kit, read_only, program, copies, out, err);
    REQUIRE(waitpid(child, &status, 0) == child);
    free(kit->out);
    free(kit->err);
    kit->out = read_all(out);
    kit->err = read_all(err);
    kit->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    if (kit->status < 0) {
        print_error("usher %s died of signal %d\n%s", arguments[1], -kit->status, kit->err);
        _fail(file, line);
    }
    for (uint32_t i = 0; i < ARGUMENTS_MAX; i++) free(copies[i]);
}

/* --- judging ---------------------------------------------------------------------------------- */

static void dump(const struct kit *kit) {
    print_error("status %d\n--- stdout\n%.4000s\n--- stderr\n%.4000s\n---\n", kit->status, kit->out,
                kit->err);
}

void kit_status(const struct kit *kit, int status, const char *file, int line) {
    if (kit->status == status) return;
    print_error("status %d was expected\n", status);
    dump(kit);
    _fail(file, line);
}

void kit_complained(const struct kit *kit, int status, const char *complaint, const char *file,
                    int line) {
    kit_status(kit, status, file, line);
    if (strstr(kit->err, complaint)) return;
    print_error("stderr lacks \"%s\"\n", complaint);
    dump(kit);
    _fail(file, line);
}

void kit_says(const struct kit *kit, const char *text, bool expected, const char *file, int line) {
    if ((strstr(kit->out, text) != NULL) == expected) return;
    print_error("stdout %s \"%s\"\n", expected ? "lacks" : "has", text);
    dump(kit);
    _fail(file, line);
}

void kit_prints(const struct kit *kit, const char *text, const char *file, int line) {
    if (strcmp(kit->out, text) == 0) return;
    print_error("stdout should be\n%s\n", text);
    dump(kit);
    _fail(file, line);
}

json_t *kit_json(const struct kit *kit) {
    json_t *lines = json_array();
    char *copy = strdup(kit->out), *rest = copy, *line;
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

uint64_t kit_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) fail_msg("no number \"%s\"", key);
    return (uint64_t)json_integer_value(value);
}

const char *kit_text(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) fail_msg("no text \"%s\"", key);
    return json_string_value(value);
}
