/* corpus_main.c - a fuzz target as an ordinary test: every file of a corpus, once
 *
 * Usage: fuzz_NAME PATH...   a path is a file or a folder of files
 * Prints TAP with one case. A file that breaks the target ends the process; the last line then
 * names it. By hand, with one file, it repeats what a fuzzer has found, in any build.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A copy of exactly the input's size, so that a sanitizer sees the first byte read beyond it. */
static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    struct stat info;
    REQUIRE(file != NULL && fstat(fileno(file), &info) == 0);
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    REQUIRE(bytes != NULL && fread(bytes, 1, size, file) == size);
    (void)fclose(file);
    printf("# %s\n", path);
    (void)fflush(stdout); /* the name must be out before the target can abort */
    (void)LLVMFuzzerTestOneInput(bytes, size); /* says nothing here */
    free(bytes);
}

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* Return: how many files */
static int run_path(const char *path) {
    struct stat info;
    REQUIRE(stat(path, &info) == 0);
    if (!S_ISDIR(info.st_mode)) {
        run_file(path);
        return 1;
    }
    struct dirent **names;
    int count = scandir(path, &names, is_visible, alphasort);
    REQUIRE(count >= 0);
    for (int i = 0; i < count; i++) {
        char name[4096];
        int size = snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        REQUIRE(size > 0 && (size_t)size < sizeof name);
        run_file(name);
        free(names[i]);
    }
    free(names);
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) count += run_path(argv[i]);
    /* A corpus that is not there would pass for ever. */
    printf("%s 1 - %d inputs\n1..1\n", count > 0 ? "ok" : "not ok", count);
    return count > 0 ? 0 : 1;
}
