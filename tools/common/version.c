/* version.c - see version.h */
#include "tools/common/version.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>

const struct version version_of_build = {.version = USHER_VERSION, .git = version_git};

void version_print(const char *program) {
    printf("%s %s (git %s)\n", program, version_of_build.version, version_of_build.git);
#define PRINT(name, number) printf("%-8s %u\n", #name, (unsigned)number);
    VERSIONS(PRINT)
#undef PRINT
}

static void print_to(FILE *stream, struct argp_state *state) {
    (void)stream; /* argp's is standard output, too */
    (void)state;
    version_print(program_invocation_short_name);
}

void version_offer(void) { argp_program_version_hook = print_to; }
