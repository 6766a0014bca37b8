#!/usr/bin/python3
"""test_reader.py - the independent reader against the expected lines and against `usher wal cat`

Usage: test_reader.py USHER FOLDER...      the tool, and golden folders; prints TAP
Skipped where python3-xxhash is not installed.
"""
import contextlib
import datetime
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

try:
    import reader
except ImportError:
    print("1..0 # SKIP python3-xxhash is not installed")
    sys.exit(0)

# wal/FORMAT.md, "Numbers in fields" and "Policy"
RESERVATION = ["", "held", "paying", "paid", "refunding", "refunded", "expired", "released",
               "cancelled"]
CAUSE = ["", "down", "stalled", "log"]
END = ["none", "paid", "reserved", "time", "left", "silent", "requeued"]
POLICY = ["order", "reentry", "token_expires_on", "gate_dates", "waiting_timeout_ms",
          "active_capacity",
          "active_ttl_ms", "admit_per_interval", "admit_interval_ms", "hold_ttl_ms",
          "max_seats_per_user", "sales_open_at", "outage_credit", "admit_first_at_once",
          "sales_end_at",
          "refund_until"]
POLICY_WORDS = {"order": ["fifo"], "reentry": ["keep", "requeue"],
                "token_expires_on": ["payment", "reservation"], "gate_dates": ["false", "true"],
                "outage_credit": ["false", "true"], "admit_first_at_once": ["false", "true"]}
FLIPS = 400


def printed(arguments, to_the_end=True):
    """What reader.py prints; else: before it refuses"""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            reader.main(arguments)
        except SystemExit:
            if to_the_end:
                raise
    return out.getvalue()


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def expected(folder):
    expected = text_of(os.path.join(folder, "expected.txt"))
    rows = [row.split() for row in expected.split("\n")[1:] if row]
    return dict(rows)


def milliseconds(moment):
    then = datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z")
    return round(then.timestamp() * 1000)


def partition(name):
    if name == "catalogue":
        return 0
    kind, number = name.split("/")
    return {"account": 0x10000, "date": 0x1000000}[kind] + int(number)


def same(field, theirs, ours):
    """Does the tool's JSON say the same about a field as the file?"""
    if field == "policy":
        for index, name in enumerate(POLICY):
            words = POLICY_WORDS.get(name)
            says = words.index(theirs[name]) if words else theirs[name]
            if isinstance(says, str):
                says = milliseconds(says)
            if says != ours[index]:
                return False
        return len(theirs) == len(ours)
    if isinstance(theirs, bool):
        return int(theirs) == ours
    if isinstance(theirs, str) and isinstance(ours, str):
        if theirs == "none":  # an id
            return ours == "0" * 32
        return theirs == ours or theirs.replace("-", "") == ours
    if isinstance(theirs, str):
        if field == "hash":
            return int(theirs, 16) == ours
        words = {"state": RESERVATION, "end": END, "cause": CAUSE}.get(field)
        if words:
            return words[ours] == theirs
        if field == "error":
            return theirs.isupper() or theirs.islower()
        return milliseconds(theirs) == ours
    return theirs == ours


def compare(theirs, ours):
    """What differs between a line of `usher wal cat --json` and one of reader.py; None: nothing"""
    if (theirs["lsn"], theirs["kind"]) != (ours["lsn"], ours["kind"]):
        return f"{theirs['lsn']} {theirs['kind']}, not {ours['lsn']} {ours['kind']}"
    if (partition(theirs["partition"]) != ours["partition"]
            or milliseconds(theirs["time"]) != ours["time_ms"]):
        return f"LSN {ours['lsn']}: {theirs['partition']} {theirs['time']}"
    if list(theirs["fields"]) != list(ours["fields"]):
        return f"LSN {ours['lsn']}: fields {list(theirs['fields'])}"
    for field, value in ours["fields"].items():
        if not same(field, theirs["fields"][field], value):
            return f"LSN {ours['lsn']}, {field}: {theirs['fields'][field]}, not {value}"
    return None


def without_additions(ours, wanted):
    """A line without what an older record cannot have: it must read as nothing there"""
    for field in list(ours["fields"]):
        value = ours["fields"][field]
        if field not in wanted["fields"] and value in (0, "", "0" * 32, []):
            del ours["fields"][field]
        elif field == "policy" and value[len(wanted["fields"][field]):] == reader.POLICY_DEFAULTS[
                len(wanted["fields"][field]):]:
            del value[len(wanted["fields"][field]):]
    return ours


def lines_are(lines, path):
    ours, wanted = lines.split("\n"), text_of(path).split("\n")
    if len(ours) != len(wanted):
        return f"{len(ours)} lines, not {len(wanted)} as in {path}"
    for our, want in zip(ours, wanted):
        if our != want and without_additions(json.loads(our), json.loads(want)) != json.loads(want):
            return f"{our}, not {want}"
    return None


def log_is_as_expected(folder, _):
    return lines_are(printed(["log", folder]), os.path.join(folder, "decisions.jsonl"))


def snapshot_is_as_expected(folder, _):
    name = f"snap-{int(expected(folder)['snapshot_lsn']):016x}.snp"
    lines = printed(["snapshot", os.path.join(folder, "snapshots", name)])
    return lines_are(lines, os.path.join(folder, "entities.jsonl"))


def figures_agree(folder, _):
    figures, wanted = json.loads(printed(["figures", folder])), expected(folder)
    newest = figures["snapshots"][-1]
    if (figures["end_lsn"], figures["epochs"]) != (int(wanted["end_lsn"]), int(wanted["epochs"])):
        return f"end {figures['end_lsn']}, {figures['epochs']} epochs"
    if figures["decisions"]["state_hashed"] != int(wanted["hashes"]):
        return "another number of hashes"
    if newest["lsn"] != int(wanted["snapshot_lsn"]) or newest["hashes_compared"] < 2:
        return f"newest snapshot: {newest}"
    return None


def the_tool_says_the_same(folder, usher):
    done = subprocess.run([usher, "wal", "cat", "--json", "--token-secrets", folder],
                          capture_output=True, check=False)
    if done.returncode != 0:
        return done.stderr.decode()
    theirs = [json.loads(row) for row in done.stdout.decode().split("\n") if row]
    ours = [json.loads(row) for row in printed(["log", folder]).split("\n") if row]
    if len(theirs) != len(ours):
        return f"{len(theirs)} decisions, not {len(ours)}"
    for their, our in zip(theirs, ours):
        difference = compare(their, our)
        if difference:
            return difference
    return None


def damage_is_never_read(folder, _):
    """A flipped bit makes the reader stop early or refuse; it never prints another record."""
    wanted = printed(["log", folder])
    chance = random.Random(20)
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(os.path.join(folder, "wal"), os.path.join(place, "wal"))
        names = sorted(os.listdir(os.path.join(place, "wal")))
        for _ in range(FLIPS):
            path = os.path.join(place, "wal", chance.choice(names))
            with open(path, "r+b") as file:
                at = chance.randrange(os.path.getsize(path))
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << chance.randrange(8)]))
                file.flush()
                if not wanted.startswith(printed(["log", place], False)):
                    return f"{path}, offset {at}: a wrong record was read"
                file.seek(at)
                file.write(bytes([byte]))
    return None


def main():
    usher, folders = sys.argv[1], sys.argv[2:]
    tests = [log_is_as_expected, snapshot_is_as_expected, figures_agree, the_tool_says_the_same,
             damage_is_never_read]
    print(f"1..{len(tests) * len(folders)}")
    number = failed = 0
    for folder in folders:
        for test in tests:
            number += 1
            wrong = test(folder, usher)
            failed += wrong is not None
            print(f"{'not ok' if wrong else 'ok'} {number} - {os.path.basename(folder)}, "
                  f"{test.__name__.replace('_', ' ')}")
            if wrong:
                print(f"# {wrong}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
