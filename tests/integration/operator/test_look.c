/* test_look.c - usher wal ls, cat, verify; state; history; diff: on a history that is known by
 * heart */
#include "tests/integration/operator/operator_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net/protocol/text.h"

/* --- wal ls, wal verify ----------------------------------------------------------------------- */

static void ls_tells_every_segment(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "wal", "ls", FOLDER, "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture);
    uint64_t lsn = 0, records = 0, used = 0;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (strcmp(operator_text(line, "state"), "unused") == 0) continue;
        used++;
        assert_string_equal(operator_text(line, "state"), "sound");
        assert_int_equal(operator_number(line, "first_lsn"), lsn); /* they follow each other */
        assert_true(operator_number(line, "used_bytes") <= operator_number(line, "file_bytes"));
        assert_int_equal(operator_number(line, "file_bytes"), KNOWN_SEGMENT_BYTES);
        assert_true(strcmp(operator_text(line, "first_write"), operator_text(line, "last_write")) <=
                    0);
        lsn = operator_number(line, "end_lsn");
        records += operator_number(line, "records");
    }
    assert_true(used >= 3);
    assert_int_equal(lsn, fixture->end_lsn);
    assert_int_equal(records, fixture->records);
    const json_t *first = json_array_get(lines, 0);
    assert_string_equal(operator_text(first, "first_write"), DAY "19:00:00.000Z");
    json_decref(lines);
    USHER(fixture, "wal", "ls", FOLDER);
    DONE(fixture);
    SAYS(fixture, "wal-0000000000000001.seg  sound");
    SAYS(fixture, DAY "19:00:00.000Z");
}

static void verify_finds_it_sound(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "wal", "verify", FOLDER);
    DONE(fixture);
    SAYS(fixture, "The log is sound.\n");
    USHER(fixture, "wal", "verify", FOLDER, "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture), *line = json_array_get(lines, 0);
    assert_int_equal(json_array_size(lines), 1);
    assert_true(json_is_true(json_object_get(line, "sound")));
    assert_int_equal(operator_number(line, "records"), fixture->records);
    assert_int_equal(operator_number(line, "end_lsn"), fixture->end_lsn);
    assert_string_equal(operator_text(line, "log"), "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
    json_decref(lines);
}

/* --- wal cat ---------------------------------------------------------------------------------- */

/* Kinds of the decisions printed, "seats_held,admitted". */
static const char *kinds_of(struct operator_fixture *fixture, char *ret_text, size_t room) {
    json_t *lines = operator_json(fixture);
    ret_text[0] = '\0';
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *kind = operator_text(json_array_get(lines, i), "kind");
        size_t size = strlen(ret_text);
        assert_true(size + strlen(kind) + 2 < room);
        (void)snprintf(ret_text + size, room - size, "%s%s", size ? "," : "", kind);
    }
    json_decref(lines);
    return ret_text;
}
#define KINDS(fixture, expected)                                                                   \
    do {                                                                                           \
        char kinds[4096];                                                                          \
        DONE(fixture);                                                                             \
        assert_string_equal(kinds_of(fixture, kinds, sizeof kinds), expected);                     \
    } while (0)

static void cat_prints_all(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "wal", "cat", FOLDER, "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture);
    assert_int_equal(json_array_size(lines), fixture->records);
    uint64_t lsn = 0;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        uint64_t next = operator_number(json_array_get(lines, i), "lsn");
        assert_true(next > lsn);
        lsn = next;
    }
    assert_int_equal(lsn, fixture->end_lsn);
    json_decref(lines);
}

static void cat_takes_a_range(void **state) {
    struct operator_fixture *fixture = *state;
    char held[24], inside[24];
    (void)snprintf(held, sizeof held, "%" PRIu64, fixture->held_lsn);
    (void)snprintf(inside, sizeof inside, "%" PRIu64, fixture->held_lsn - 1);
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--to", held, "--kind",
          "seats_held,hold_refused");
    KINDS(fixture, "seats_held");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--to", inside, "--kind",
          "seats_held,hold_refused");
    KINDS(fixture, "");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--from", inside, "--to", held);
    KINDS(fixture, "seats_held");
    /* To the millisecond, and in another zone. */
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--from", DAY "20:00:03.249Z", "--to",
          DAY "22:00:03.300+02:00");
    KINDS(fixture, "seats_held,hold_refused");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--from", DAY "20:00:03.25Z", "--to",
          DAY "20:00:03.299Z");
    KINDS(fixture, "");
    /* Far behind the first segment: the search does not begin at the log's beginning. */
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--from", DAY "20:29Z", "--to", DAY "20:31Z",
          "--kind", "wallet_charged");
    KINDS(fixture, "");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--from", DAY "20:20:02.997Z", "--kind",
          "wallet_charged");
    KINDS(fixture, "wallet_charged,wallet_charged");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--from", "2020-01-01T00:00Z", "--to",
          DAY "19:00:00Z", "--kind", "concert_created");
    KINDS(fixture, "concert_created");
}

static void cat_follows_a_user(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--user", ALICE);
    KINDS(fixture, "queue_entered,admitted,seats_held,reservation_ended,seats_held,outage_credited,"
                   "token_expired");
    /* What was said before --from is not shown, but known. */
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--user", ALICE, "--from", DAY "20:05:03Z");
    KINDS(fixture, "reservation_ended,seats_held,outage_credited,token_expired");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--user", BOB, "--date", "1", "--kind",
          "funds_reserved,funds_posted,wallet_charged");
    KINDS(fixture, "funds_reserved,funds_posted");
}

static void cat_follows_a_reservation_and_a_seat(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--reservation", "4294967298"); /* 1-2 */
    KINDS(fixture, "seats_held,payment_started,funds_refused,payment_refused,payment_started,"
                   "funds_reserved,seats_sold,funds_posted,refund_started,funds_refunded,"
                   "seats_refunded,refund_closed");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--reservation", "1-3");
    KINDS(fixture, "seats_held,outage_credited,token_expired");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--date", "1", "--seat", "A/12/9");
    KINDS(fixture, "seat_added,date_opened,seats_held,outage_credited,token_expired");
    USHER(fixture, "wal", "cat", FOLDER, "--json", "--date", "1", "--kind",
          "date_created,policy_changed");
    KINDS(fixture, "date_created");
}

static void cat_hides_secrets(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "wal", "cat", FOLDER, "--kind", "queue_entered,date_created");
    DONE(fixture);
    SAYS_NOT(fixture, "01020300-0000");
    SAYS(fixture, "secret=\xE2\x80\xA6");
    SAYS(fixture, "seed=\xE2\x80\xA6");
    USHER(fixture, "wal", "cat", FOLDER, "--kind", "queue_entered", "--token-secrets");
    DONE(fixture);
    SAYS(fixture, "secret=01020300-0000-0000-0000-000000000000");
}

/* --- state ------------------------------------------------------------------------------------ */

/* The question of all questions: who held section A row 12 seat 7 at 20:00:03.250? */
static void who_held_the_seat(void **state) {
    struct operator_fixture *fixture = *state;
    char expected[512];
    USHER(fixture, "state", FOLDER, "--date", "1", "--seat", "A/12/7", "--at", DAY "20:00:03.250Z");
    DONE(fixture);
    (void)snprintf(expected, sizeof expected,
                   "date 1 at " DAY "20:00:03.250Z, LSN %" PRIu64 "\n"
                   "section A, row 12, seat 7 (number 2), 120 points: held\n"
                   "  by           " ALICE "\n"
                   "  reservation  1-1, held at " DAY "20:00:03.250Z until " DAY
                   "20:05:03.250Z, 120 points\n",
                   fixture->held_lsn); /* fits */
    PRINTS(fixture, expected);
}

static void the_seat_at_other_times(void **state) {
    struct operator_fixture *fixture = *state;
    static const struct {
        const char *at, *state, *user;
    } cases[] = {
        {DAY "19:00:00Z", "free", NULL},        {DAY "20:00:03.249Z", "free", NULL},
        {DAY "20:00:03.250Z", "held", ALICE},   {DAY "20:05:03.249Z", "held", ALICE},
        {DAY "20:05:03.250Z", "free", NULL},    {DAY "20:05:10Z", "held", BOB},
        {DAY "20:06:00Z", "held", BOB},         {DAY "20:06:20Z", "paid", BOB},
        {DAY "20:09:59.999Z", "paid", BOB},     {DAY "20:10:00Z", "free", NULL},
        {"2030-01-01T00:00:00Z", "free", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* By label, by guid and by number in turn. */
        static const char *const names[] = {"A/12/7", "A-12-7", "2"};
        USHER(fixture, "state", FOLDER, "--date", "1", "--seat", names[i % 3], "--at", cases[i].at,
              "--json");
        DONE(fixture);
        json_t *lines = operator_json(fixture), *line = json_array_get(lines, 0);
        const json_t *holder = json_array_get(json_object_get(line, "reservations"), 0);
        assert_int_equal(operator_number(json_object_get(line, "seat"), "number"), 2);
        if (cases[i].user) {
            assert_string_equal(operator_text(holder, "state"), cases[i].state);
            assert_string_equal(operator_text(holder, "user"), cases[i].user);
        } else {
            assert_null(holder);
        }
        json_decref(lines);
    }
}

static void state_of_a_user(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "state", FOLDER, "--user", BOB, "--at", DAY "20:06:20Z");
    DONE(fixture);
    SAYS(fixture, "wallet: balance 760, reserved 0, charged 1000 in all; 2 entries");
    SAYS(fixture, "payment  -240, balance 760, reservation 1-2");
    SAYS(fixture, "reservation 1-2 (4294967298): paid, 240 points");
    SAYS(fixture, "section A, row 12, seat 8 (number 3)");
    SAYS(fixture, "date 1: place 2 in line, expired (paid)");
    SAYS_NOT(fixture, "+10,"); /* Dora's */
    USHER(fixture, "state", FOLDER, "--user", CAROL, "--at", DAY "20:10:00Z");
    DONE(fixture);
    SAYS(fixture, "date 1: place 4 in line, waiting, 1 ahead");
    SAYS_NOT(fixture, "wallet");
    USHER(fixture, "state", FOLDER, "--user", BOB, "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture), *line = json_array_get(lines, 0);
    assert_int_equal(operator_number(json_object_get(line, "account"), "balance"), 1000);
    assert_int_equal(json_array_size(json_object_get(line, "ledger")), 3);
    assert_int_equal(operator_number(line, "lsn"), fixture->end_lsn);
    assert_string_equal(operator_text(line, "last_decision"), DAY "20:20:02.999Z");
    json_decref(lines);
}

static void state_of_a_reservation(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "state", FOLDER, "--reservation", "1-3", "--at", DAY "20:06:59.999Z");
    DONE(fixture);
    SAYS(fixture, "reservation 1-3 (4294967299): held, 120 points");
    SAYS(fixture, DAY "20:10:14.000Z"); /* 4 s later than when it was made: an outage */
    SAYS(fixture, "  by           " ALICE);
    USHER(fixture, "state", FOLDER, "--reservation", "4294967299");
    DONE(fixture);
    SAYS(fixture, "expired at " DAY "20:07:00.000Z");
}

static void state_of_a_date_and_of_all(void **state) {
    struct operator_fixture *fixture = *state;
    char hash[32];
    USHER(fixture, "state", FOLDER, "--date", "1", "--at", DAY "20:05:10Z");
    DONE(fixture);
    SAYS(fixture, "date 1 \"Odesa\", concert 1");
    SAYS(fixture, "open, 6 seats, 5 for sale, 0 sold for 0 points, 3 held, 2 active, 2 waiting");
    SAYS(fixture, "\nseat number=2 ");
    SAYS(fixture, "\nwaiter place=1 user=" ALICE);
    USHER(fixture, "state", FOLDER, "--date", "1", "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture);
    size_t seats = 0;
    assert_int_equal(operator_number(json_array_get(lines, 0), "date"), 1);
    for (size_t i = 1; i < json_array_size(lines); i++) {
        seats += strcmp(operator_text(json_array_get(lines, i), "entity"), "seat") == 0;
    }
    assert_int_equal(seats, 6);
    json_decref(lines);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, world_hash(fixture->world));
    USHER(fixture, "state", FOLDER, "--json");
    DONE(fixture);
    lines = operator_json(fixture);
    assert_string_equal(operator_text(json_array_get(lines, 0), "state_hash"), hash);
    json_decref(lines);
    USHER(fixture, "state", FOLDER);
    DONE(fixture);
    SAYS(fixture, hash);
    SAYS(fixture, "points conserved yes");
}

/* --- history ---------------------------------------------------------------------------------- */

static void history_of_a_seat(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "history", FOLDER, "--date", "1", "--seat", "A/12/7");
    DONE(fixture);
    PRINTS(fixture, DAY
           "19:00:00.000Z added as section A, row 12, seat 7: 120 points\n" DAY
           "19:30:00.000Z date 1 opened\n" DAY "20:00:03.250Z held by " ALICE
           " until 20:05:03.250, reservation 1-1, 120 points\n" DAY "20:00:03.300Z refused to " BOB
           ": SEAT_TAKEN\n" DAY "20:05:03.250Z freed: the hold of " ALICE
           " is over, reservation 1-1\n" DAY "20:05:10.000Z held by " BOB
           " until 20:10:10.000, reservation 1-2, 240 points, with 1 other seat\n" DAY
           "20:06:00.000Z payment 1-1 started by " BOB ", reservation 1-2\n" DAY
           "20:06:00.000Z payment 1-1 refused: 240 points short, balance 0 points; held as "
           "before by " BOB ", reservation 1-2\n" DAY "20:06:20.000Z payment 1-2 started by " BOB
           ", reservation 1-2\n" DAY "20:06:20.000Z sold to " BOB
           ", reservation 1-2, 240 points, with 1 other seat\n" DAY "20:10:00.000Z refund to " BOB
           " started, reservation 1-2\n" DAY "20:10:00.000Z freed: refunded to " BOB
           ", reservation 1-2\n");
}

static void history_of_a_user(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "history", FOLDER, "--user", ALICE);
    DONE(fixture);
    PRINTS(fixture, DAY
           "20:00:00.000Z entered the line of date 1 at place 1\n" DAY
           "20:00:00.000Z admitted to date 1 until 20:06:56.000, place 1\n" DAY
           "20:00:03.250Z held until 20:05:03.250, reservation 1-1, 120 points: date 1, section "
           "A, row 12, seat 7 (number 2)\n" DAY
           "20:05:03.250Z freed: the hold is over, reservation 1-1\n" DAY
           "20:05:10.000Z held until 20:10:10.000, reservation 1-3, 120 points: date 1, section "
           "A, row 12, seat 9 (number 4)\n" DAY
           "20:06:20.000Z turn and holds extended by 4.000 s, date 1: the engine stood still since "
           "20:06:16.000\n" DAY
           "20:07:00.000Z active time is over, date 1, place 1; with it expired reservation "
           "1-3\n");
    USHER(fixture, "history", FOLDER, "--user", BOB, "--from", DAY "20:06:10Z", "--to",
          DAY "20:06:20Z");
    DONE(fixture);
    PRINTS(fixture,
           DAY "20:06:20.000Z payment 1-2 started, reservation 1-2\n" DAY
               "20:06:20.000Z wallet: 240 points set aside for payment 1-2, reservation 1-2; "
               "balance 760\n" DAY
               "20:06:20.000Z bought, reservation 1-2, 240 points: date 1, section A, row 12, "
               "seat 7 (number 2); section A, row 12, seat 8 (number 3)\n" DAY
               "20:06:20.000Z wallet: 240 points spent on payment 1-2, reservation 1-2\n");
}

static void history_as_json(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "history", FOLDER, "--reservation", "1-3", "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture);
    assert_int_equal(json_array_size(lines), 3);
    assert_string_equal(operator_text(json_array_get(lines, 0), "kind"), "seats_held");
    assert_string_equal(operator_text(json_array_get(lines, 1), "kind"), "outage_credited");
    assert_string_equal(operator_text(json_array_get(lines, 2), "text"),
                        "freed: the active time of " ALICE " is over");
    json_decref(lines);
}

/* --- diff ------------------------------------------------------------------------------------- */

static void diff_tells_fields(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "diff", FOLDER, "--from", DAY "20:00:03.250Z", "--to", DAY "20:05:03.250Z",
          "--json");
    DONE(fixture);
    json_t *lines = operator_json(fixture);
    bool found = false;
    for (size_t i = 0; i + 1 < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        assert_string_equal(operator_text(line, "partition"), "date/1");
        if (strcmp(operator_text(line, "key"), "reservation 1") != 0) continue;
        assert_string_equal(operator_text(json_object_get(line, "left"), "state"), "held");
        assert_string_equal(operator_text(json_object_get(line, "right"), "state"), "expired");
        assert_null(json_object_get(json_object_get(line, "left"), "user")); /* is the same */
        found = true;
    }
    assert_true(found);
    const json_t *sum = json_array_get(lines, json_array_size(lines) - 1);
    assert_int_equal(operator_number(sum, "left_lsn"), fixture->held_lsn);
    assert_int_equal(operator_number(sum, "only_left") + operator_number(sum, "only_right"), 0);
    json_decref(lines);
    USHER(fixture, "diff", FOLDER, "--from", DAY "20:00:03.250Z", "--to", DAY "20:05:10Z");
    DONE(fixture);
    SAYS(fixture, "date/1 reservation 1\n    state \"held\" -> \"expired\"\n");
    SAYS(fixture, "date/1 + reservation 2: ");
    USHER(fixture, "diff", FOLDER, "--from", DAY "20:05:10Z", "--to", DAY "20:00:03.250Z",
          "--exit-code");
    FAILED(fixture, "");
    SAYS(fixture, "date/1 - reservation 2: ");
    USHER(fixture, "diff", FOLDER, "--from", DAY "20:06:20Z", "--date", "1");
    DONE(fixture);
    SAYS_NOT(fixture, "account/");
    /* Rows of a ledger are known by their number, also when the oldest are forgotten. */
    USHER(fixture, "diff", FOLDER, "--from", DAY "20:20:02.998Z", "--to", DAY "20:20:02.999Z");
    DONE(fixture);
    SAYS(fixture, "+ ledger_row 3000 of " CAROL);
    SAYS(fixture, "- ledger_row 2936 of " CAROL);
    SAYS(fixture, "+ charge_key ");
    SAYS(fixture, "2 entities only on the right, 1 only on the left");
}

static void diff_of_the_same(void **state) {
    struct operator_fixture *fixture = *state;
    USHER(fixture, "diff", FOLDER, FOLDER, "--exit-code");
    DONE(fixture);
    SAYS(fixture, "The two states are the same.\n");
}

/* --- mistakes and refusals -------------------------------------------------------------------- */

static void mistakes_in_the_call(void **state) {
    struct operator_fixture *fixture = *state;
    static const struct {
        const char *arguments[8];
        const char *complaint;
    } cases[] = {
        {{"usher", "stat", FOLDER}, "Did you mean \"usher state\"?"},
        {{"usher", "wal", "lss", FOLDER}, "Did you mean \"usher wal ls\"?"},
        {{"usher", "wal", "ls"}, "DIR is missing"},
        {{"usher", "wal", "ls", FOLDER, FOLDER}, "one argument too many"},
        {{"usher", "wal", "cat", FOLDER, "--from", "yesterday"}, "must be an LSN"},
        {{"usher", "wal", "cat", FOLDER, "--from", "2026-11-21T20:00"}, "must be an LSN"},
        {{"usher", "wal", "cat", FOLDER, "--from", "2026-11-21T20:00:00.0001Z"}, "must be an LSN"},
        {{"usher", "wal", "cat", FOLDER, "--kind", "seat_held"}, "did you mean \"seats_held\"?"},
        {{"usher", "wal", "cat", FOLDER, "--seat", "A/12/7"}, "--seat needs --date"},
        {{"usher", "wal", "cat", FOLDER, "--date", "0"}, "must be a number from 1"},
        {{"usher", "state", FOLDER, "--user", "bob"}, "must be a UUID"},
        {{"usher", "state", FOLDER, "--reservation", "12"}, "must be a whole id"},
        {{"usher", "state", FOLDER, "--user", BOB, "--reservation", "1-2"}, "ask one"},
        {{"usher", "history", FOLDER}, "whose history?"},
        {{"usher", "diff", FOLDER}, "compare what with what?"},
        {{"usher", "restore", FOLDER, "--to", "5"}, "it takes DIR NEW"},
        {{"usher", "restore", FOLDER, "x"}, "--to is missing"},
        {{"usher", "snapshot", "make", FOLDER, "--keep", "0"}, "must be a number from 1"},
        {{"usher", "check", FOLDER}, "--postgres is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        operator_usher(fixture, false, cases[i].arguments, __FILE__, __LINE__);
        MISUSED(fixture, cases[i].complaint);
        PRINTS(fixture, "");
    }
}

static void every_command_has_help(void **state) {
    struct operator_fixture *fixture = *state;
    static const char *const commands[][2] = {
        {"state"},
        {"history"},
        {"diff"},
        {"replay"},
        {"restore"},
        {"check"},
        {"project"},
        {"wal", "ls"},
        {"wal", "cat"},
        {"wal", "verify"},
        {"wal", "repair"},
        {"snapshot", "make"},
        {"snapshot", "ls"},
        {"snapshot", "verify"},
        {"wal"},
        {"snapshot"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *const arguments[] = {"usher", commands[i][0],
                                         commands[i][1] ? commands[i][1] : "--help",
                                         commands[i][1] ? "--help" : NULL, NULL};
        operator_usher(fixture, false, arguments, __FILE__, __LINE__);
        DONE(fixture);
        SAYS(fixture, "Usage: usher");
    }
}

static void refusals(void **state) {
    struct operator_fixture *fixture = *state;
    static const struct {
        const char *arguments[10];
        const char *complaint;
    } cases[] = {
        {{"usher", "wal", "ls", "/nowhere"}, "Name the folder that usherd got with --data"},
        {{"usher", "state", "/nowhere"}, "Name the folder that usherd got with --data"},
        {{"usher", "wal", "verify", "/tmp"}, "there is no log in this folder"},
        {{"usher", "state", "/tmp"}, "there is no log in this folder"},
        {{"usher", "wal", "cat", FOLDER, "--to", "99999999"}, "is beyond the end of the log, LSN"},
        {{"usher", "state", FOLDER, "--at", "1795291203250"}, "is beyond the end of the log"},
        {{"usher", "state", FOLDER, "--at", DAY "18:59:59.999Z"},
         "is before the log's first decision, at " DAY "19:00:00.000Z"},
        {{"usher", "restore", FOLDER, "/tmp/never", "--to", DAY "18:00Z"}, "There was nothing yet"},
        {{"usher", "state", FOLDER, "--date", "2"}, "there is no date 2"},
        {{"usher", "state", FOLDER, "--date", "1", "--seat", "Z/1/1"}, "has no seat \"Z/1/1\""},
        {{"usher", "state", FOLDER, "--date", "1", "--seat", "7"}, "has no seat \"7\""},
        {{"usher", "state", FOLDER, "--date", "1", "--seat", "B/1/1"}, "name it by its number"},
        {{"usher", "state", FOLDER, "--date", "1", "--seat", "2", "--at", "1"},
         "there is no date 1"},
        {{"usher", "state", FOLDER, "--reservation", "1-4"},
         "nothing is known of this reservation"},
        {{"usher", "history", FOLDER, "--reservation", "1-4"}, "knows nothing of this reservation"},
        {{"usher", "history", FOLDER, "--date", "1", "--seat", "Z/1/1"}, "has no seat"},
        {{"usher", "state", FOLDER, "--user", "dddddddd-0000-4000-8000-000000000001"},
         "nothing is known of this user"},
        {{"usher", "history", FOLDER, "--user", "dddddddd-0000-4000-8000-000000000001"},
         "knows nothing of this user"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        operator_usher(fixture, false, cases[i].arguments, __FILE__, __LINE__);
        FAILED(fixture, cases[i].complaint);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ls_tells_every_segment),
        cmocka_unit_test(verify_finds_it_sound),
        cmocka_unit_test(cat_prints_all),
        cmocka_unit_test(cat_takes_a_range),
        cmocka_unit_test(cat_follows_a_user),
        cmocka_unit_test(cat_follows_a_reservation_and_a_seat),
        cmocka_unit_test(cat_hides_secrets),
        cmocka_unit_test(who_held_the_seat),
        cmocka_unit_test(the_seat_at_other_times),
        cmocka_unit_test(state_of_a_user),
        cmocka_unit_test(state_of_a_reservation),
        cmocka_unit_test(state_of_a_date_and_of_all),
        cmocka_unit_test(history_of_a_seat),
        cmocka_unit_test(history_of_a_user),
        cmocka_unit_test(history_as_json),
        cmocka_unit_test(diff_tells_fields),
        cmocka_unit_test(diff_of_the_same),
        cmocka_unit_test(mistakes_in_the_call),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, operator_setup, operator_teardown);
}
