/* version.h - what --version prints, the same for every program
 *
 * The commit stands in a file of its own, which Meson makes at each build. Only the programs are
 * linked with it: after a commit nothing else is compiled or linked again.
 */
#ifndef USHER_TOOLS_COMMON_VERSION_H
#define USHER_TOOLS_COMMON_VERSION_H

#include "engine/base/version.h"

/* The commit of this build. */
extern const char version_git[];
extern const struct version version_of_build;

/* version_print - on standard output: a line for the program, one for each format */
void version_print(const char *program);

/* version_offer - argp prints it at --version, for the program that is called by argv[0] */
void version_offer(void);

#endif
