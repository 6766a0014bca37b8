/* types.c - see types.h */
#include "engine/domain/types.h"

#define X(number, name, text)                                                                      \
    case number: return text;

const char *date_state_name(uint32_t state) {
    switch (state) { DATE_STATES(X) default : return "unknown"; }
}
const char *token_state_name(uint32_t state) {
    switch (state) { TOKEN_STATES(X) default : return "unknown"; }
}
const char *token_end_name(uint32_t end) {
    switch (end) { TOKEN_ENDS(X) default : return "unknown"; }
}
const char *reservation_state_name(uint32_t state) {
    switch (state) { RESERVATION_STATES(X) default : return "unknown"; }
}
const char *ledger_reason_name(uint32_t reason) {
    switch (reason) { LEDGER_REASONS(X) default : return "unknown"; }
}
const char *outage_cause_name(uint32_t cause) {
    switch (cause) { OUTAGE_CAUSES(X) default : return "unknown"; }
}
