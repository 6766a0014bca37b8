#!/usr/bin/env python3
"""meson_tests.py - what tools/test asks of a build of Meson

usage: meson_tests.py suites BUILD   the names of its suites, in one line
       meson_tests.py counts BUILD   "PASSED FAILED SKIPPED", cases of the run before; on standard
                                     error what failed and what was skipped

A test that died without saying which case failed counts as one failure.
"""
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as tree


def suites(build):
    tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", build]))
    print(*sorted({name.split(":")[-1] for test in tests for name in test["suite"]}))


def complain(text):
    print(text, file=sys.stderr)


def counts(build):
    passed = failed = skipped = 0
    broken = set()
    logs = os.path.join(build, "meson-logs")
    for suite in tree.parse(os.path.join(logs, "testlog.junit.xml")).getroot():
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                broken.add(suite.get("name").split(".", 1)[-1])
            elif case.find("skipped") is not None:
                skipped += 1
                complain(f"skipped: {suite.get('name')}, {case.get('name')}")
            else:
                passed += 1
    with open(os.path.join(logs, "testlog.json"), encoding="utf-8") as file:
        for test in map(json.loads, file):
            good = test["result"] in ("OK", "SKIP", "EXPECTEDFAIL")
            if not good and test["name"] not in broken:
                failed += 1
            if not good:
                complain(f"FAILED {test['name']} ({test['result']})")
                output = test.get("stdout", "") + test.get("stderr", "")
                bad = [row for row in output.split("\n") if row and not row.startswith("ok ")]
                complain("\n".join("    " + row for row in bad[-40:]))
    print(passed, failed, skipped)


def main():
    commands = {"suites": suites, "counts": counts}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        complain(__doc__)
        return 2
    commands[sys.argv[1]](sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
