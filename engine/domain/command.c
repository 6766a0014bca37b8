#include "engine/domain/command.h"

#include "engine/base/require.h"

const char *command_method(uint32_t kind) {
    static const char *const methods[COMMAND_COUNT] = {
#define COMMAND(kind_, method, decider) [COMMAND_##kind_] = method,
        COMMANDS(COMMAND)
#undef COMMAND
    };
    REQUIRE(kind > COMMAND_NONE && kind < COMMAND_COUNT);
    return methods[kind];
}

enum command_decider command_decider(uint32_t kind) {
    static const enum command_decider deciders[COMMAND_COUNT] = {
#define COMMAND(kind_, method, decider) [COMMAND_##kind_] = DECIDER_##decider,
        COMMANDS(COMMAND)
#undef COMMAND
    };
    REQUIRE(kind > COMMAND_NONE && kind < COMMAND_COUNT);
    return deciders[kind];
}
