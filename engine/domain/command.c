/* command.c - see command.h */
#include "engine/domain/command.h"

#include <stddef.h>

#include "engine/base/require.h"

#define ENTROPY_NONE 0
#define ENTROPY_TOKEN offsetof(struct command, enter.secret)
#define ENTROPY_SEED offsetof(struct command, date.seed)
_Static_assert(ENTROPY_TOKEN <= UINT8_MAX && ENTROPY_SEED <= UINT8_MAX, "fits a row");

const struct command_row *command_row(uint32_t kind) {
    static const struct command_row rows[COMMAND_COUNT] = {
#define COMMAND(KIND, method, OWNER, LISTENER, NAMED_BY, ENTROPY, REQUIRED, OPTIONAL)              \
    [COMMAND_##KIND] = {method, OWNER_##OWNER, LISTENER_##LISTENER, NAMED_BY_##NAMED_BY,           \
                        ENTROPY_##ENTROPY},
#include "engine/domain/command.def"
#undef COMMAND
    };
    REQUIRE(kind > COMMAND_NONE && kind < COMMAND_COUNT);
    return &rows[kind];
}
