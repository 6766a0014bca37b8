#!/usr/bin/env python3
"""test_statements.py - statements.py refuses SQL that disagrees with the engine's tables

Each case is a change of the real files, and what must be told. Prints TAP.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(__file__)
for _ in range(5):
    ROOT = os.path.dirname(ROOT)
HOME = os.path.join(ROOT, "replay", "postgres")
TABLES = [os.path.join(ROOT, path) for path in (
    "engine/base/limits.h", "engine/base/version.h", "engine/domain/types.h",
    "engine/domain/policy.h",
    "engine/domain/error.def", "engine/domain/decision.def", "replay/postgres/statements.h",
    "replay/postgres/sql.h")]
FILES = ("session", "schema", "raise", "attach", "batch", "fold", "check")

# name, file, pattern, what stands there then, what must be told
CASES = (
    ("the files as they are", "fold", "^", "", None),
    ("a state that no table has", "fold", ":DATE_OPEN ", ":DATE_AJAR ", "DATE_AJAR is in no table"),
    ("a list that no table is", "schema", ":DATE_STATES", ":DATE_MOODS", "DATE_MOODS"),
    ("a word that is nobody's", "fold", "'sold'", "'sould'", "'sould' is not a word"),
    ("a kind that no step reads", "fold", "pg_temp.seat_added", "pg_temp.seat", "seat_added is"),
    ("a kind with rows and without", "fold", "no_rows refund_closed", "no_rows seat_added",
     "is read by a step or named"),
    ("two statements of one name", "check", "@statement check_dates", "@statement check_seats",
     "a name of its own"),
    ("a statement without a text", "batch", "COMMIT;", "", "and a text"),
    ("SQL that has no name", "raise", "-- @statement raise_schema", "", "before the first"),
    ("a directive that is none", "fold", "-- @step dates", "-- @stop dates", "@stop is not known"),
)


def run(folder):
    output = os.path.join(folder, "texts.c")
    paths = [os.path.join(folder, name + ".sql") for name in FILES]
    return subprocess.run([sys.executable, os.path.join(HOME, "statements.py"), output, *TABLES,
                           "--", *paths], capture_output=True, text=True, check=False)


def passes(file, pattern, instead, told):
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            shutil.copy(os.path.join(HOME, "sql", name + ".sql"), folder)
        path = os.path.join(folder, file + ".sql")
        with open(path, encoding="utf-8") as old:
            text, count = re.subn(pattern, instead, old.read(), count=1)
        with open(path, "w", encoding="utf-8") as new:
            new.write(text)
        result = run(folder)
    if told is None:
        return result.returncode == 0
    return count == 1 and result.returncode == 1 and told in result.stderr


def main():
    print(f"1..{len(CASES)}")
    failed = 0
    for number, (name, *case) in enumerate(CASES, 1):
        good = passes(*case)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
