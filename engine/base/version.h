/* version.h - which usher this is, and which versions of its formats it speaks: one table
 *
 * A program knows its version and the commit that it was built from (tools/common/version.h). What
 * others must agree on has numbers of its own, which rise with a change that older programs cannot
 * read. `usherd --version` prints them all; system.stats has them in its map `build`.
 * To raise one: its line here, and what the page says that specifies the format.
 */
#ifndef USHER_ENGINE_BASE_VERSION_H
#define USHER_ENGINE_BASE_VERSION_H

/* name: in system.stats and in --version, then where the format is specified */
#define VERSION_PROTOCOL 1u /* net/PROTOCOL.md */
#define VERSION_LOG 1u      /* wal/FORMAT.md */
#define VERSION_SNAPSHOT 1u /* replay/snapshot/FORMAT.md */
#define VERSION_SCHEMA 2    /* replay/postgres/TABLES.md */

#define VERSIONS(VERSION)                                                                          \
    VERSION(protocol, VERSION_PROTOCOL)                                                            \
    VERSION(log, VERSION_LOG)                                                                      \
    VERSION(snapshot, VERSION_SNAPSHOT)                                                            \
    VERSION(schema, VERSION_SCHEMA)

/* Of a program; both are constants that live as long as the process. */
struct version {
    const char *version; /* "0.1.0" */
    const char *git;     /* the commit, "-dirty" where files were changed; "unknown" */
};

#endif
