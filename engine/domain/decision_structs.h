/* decision_structs.h - one struct per row of decision.def; included by decision.h alone
 *
 * C cannot define a macro inside another macro's expansion, so the table's FIELDS_* lists become
 * visible by one pass over it with an empty DECISION, and become structs by a second pass. */
#define DECISION(number, NAME, name, OWNER)
#include "engine/domain/decision.def"
#undef DECISION

#define DECISION_FIELD(type, field) DECISION_TYPE_##type field;
#define DECISION(number, NAME, name, OWNER)                                                        \
    struct decision_##name {                                                                       \
        FIELDS_##name(DECISION_FIELD)                                                              \
    };
#include "engine/domain/decision.def"
#undef DECISION
