/* values.c - values that test_gdb.sh looks at with the printers of tools/gdb */
#include "engine/base/require.h"
#include "engine/domain/decision.h"

__attribute__((noinline)) static void look_here(const struct decision *decision,
                                                const struct token *token) {
    /* Kept: the debugger stops here. */
    __asm__ volatile("" : : "r"(decision), "r"(token) : "memory");
}

int main(void) {
    const struct id128 user = {{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x43, 0x33, 0x84, 0x44, 0x55,
                                0x55, 0x55, 0x55, 0x55, 0x5a}};
    const struct token token = {.date = 1, .place = 18, .secret = user};
    const struct decision decision = {
        .kind = DECISION_SEATS_HELD,
        .partition = PARTITION_DATE_FIRST + 7,
        .time_ms = 1700000000123,
        .seats_held = {.reservation = 3, .place = 18, .user = user, .seats = {2, {100, 101}}},
    };
    look_here(&decision, &token);
    return 0;
}
