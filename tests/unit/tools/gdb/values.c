/* values.c - values that test_gdb.sh looks at with the printers of tools/gdb
 *
 * They are no locals: where those are when the debugger stops depends on compiler and options.
 */
#include "engine/domain/decision.h"

#define USER                                                                                       \
    {                                                                                              \
        {                                                                                          \
            0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x43, 0x33, 0x84, 0x44, 0x55, 0x55, 0x55, 0x55,    \
                0x55, 0x5a                                                                         \
        }                                                                                          \
    }

/* clang tells the debugger of an enum only where something has that type. */
static const enum decision_kind kind = DECISION_SEATS_HELD;
static const struct token token = {.date = 1, .place = 18, .secret = USER};
static const struct decision decision = {
    .kind = DECISION_SEATS_HELD,
    .partition = PARTITION_DATE_FIRST + 7,
    .time_ms = 1700000000123,
    .seats_held = {.reservation = 3, .place = 18, .user = USER, .seats = {2, {100, 101}}},
};

/* The debugger stops here. */
__attribute__((noinline)) static void look_here(void) {
    /* All are kept. */
    __asm__ volatile("" : : "r"(&decision), "r"(&token), "r"(&kind) : "memory");
}

int main(void) {
    look_here();
    return 0;
}
