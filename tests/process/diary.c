/* diary.c - see diary.h */
#include "tests/process/diary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/require.h"

void diary_path(const char *directory, uint32_t process, char ret_path[128]) {
    int size = snprintf(ret_path, 128, "%s/diary-%" PRIu32, directory, process);
    REQUIRE(size > 0 && size < 128);
}

FILE *diary_open(const char *directory, uint32_t process) {
    char path[128];
    diary_path(directory, process, path);
    FILE *diary = fopen(path, "wbx");
    REQUIRE(diary);
    return diary;
}

void diary_write(FILE *diary, const struct diary_entry *entry) {
    REQUIRE(fwrite(entry, sizeof *entry, 1, diary) == 1);
}

struct diary_entry *diary_read(const char *directory, uint32_t process, uint32_t *ret_count) {
    char path[128];
    struct stat about;
    diary_path(directory, process, path);
    FILE *diary = fopen(path, "rb");
    REQUIRE(diary && fstat(fileno(diary), &about) == 0);
    size_t count = (size_t)about.st_size / sizeof(struct diary_entry);
    REQUIRE(count * sizeof(struct diary_entry) == (size_t)about.st_size);
    struct diary_entry *entries = malloc((count + 1) * sizeof *entries);
    REQUIRE(entries && fread(entries, sizeof *entries, count, diary) == count);
    (void)fclose(diary);
    *ret_count = (uint32_t)count;
    return entries;
}
