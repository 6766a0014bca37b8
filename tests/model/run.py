#!/usr/bin/env python3
"""run.py - check payment.pml with SPIN, and that every planted bug in it is found

Prints TAP. Each case is one search: `spin -a` makes a verifier in C, gcc builds it, it visits every
state that its sizes allow. Without spin or gcc: skipped.

Usage: run.py [--sizes small]      small: a minute less, for trying changes
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "payment.pml")
SECONDS_MAX = 300
DEPTH_MAX = 20000
MEMORY_MAX_MB = 1950

# What each search may do: as large as two minutes for all of them allow.
ONE = {"RESERVATIONS": 1, "PAYMENTS": 3, "CHARGES": 2, "LOG_MAX": 4, "CLICK_MAX": 2}
TWO = {"RESERVATIONS": 2, "PAYMENTS": 2, "CHARGES": 1, "LOG_MAX": 3, "CLICK_MAX": 2}
LIVE = {"RESERVATIONS": 1, "PAYMENTS": 2, "CHARGES": 2, "LOG_MAX": 3, "CLICK_MAX": 2, "CRASHES": 2}
SMALL = {"RESERVATIONS": 1, "PAYMENTS": 2, "CHARGES": 2, "LOG_MAX": 3, "CLICK_MAX": 2}
SMALL_LIVE = dict(SMALL, CRASHES=1)
CLAIMS = ("every_payment_ends", "every_refund_ends", "every_transfer_closes")

# Planted bug: what finds it, the sizes that it takes.
SAFETY_BUGS = {
    "BUG_TRANSFER_FORGOTTEN": "an account that does not recognise a payment spends it",
    "BUG_PAID_ASKS_AGAIN": "a double click on a paid reservation: charged twice",
    "BUG_POST_AT_ONCE": "points spent before the seats are sold: charged without seat",
    "BUG_SELL_UNFUNDED": "seats sold though the account refused: seat without charge",
    "BUG_POST_FOR_VOID": "a late answer to a refused payment is spent",
    "BUG_SEND_BEFORE_APPEND": "a message that overtakes its cause on the way to the disk",
    "BUG_TELL_BEFORE_DURABLE": "a client reads what a crash undoes",
    "BUG_SELL_CANCELLED": "seats sold on a cancelled date",
    "BUG_EXPIRY_IGNORES_PAYING": "a hold that ends in the middle of its payment (P5)",
    "BUG_NO_VOID": "points set aside for ever",
    "BUG_VOID_LOSES_POINTS": "points that vanish",
    "BUG_REFUND_TWICE": "points refunded as often as asked for",
    "BUG_REFUND_UNPOSTED": "a refund of points that were not spent yet",
}
LIVE_BUGS = {
    "BUG_DATE_NOT_RESUMED": ("every_payment_ends", "after a crash the date does not ask again"),
    "BUG_ACCOUNT_NOT_RESUMED": ("every_transfer_closes", "nor does the account"),
    "BUG_REFUND_NOT_RESUMED": ("every_refund_ends", "after a crash a refund is forgotten"),
    "BUG_REFUSAL_IGNORED": ("every_payment_ends", "a refusal that the date does not act upon"),
}


class Search:
    """A verifier, built once, run for one claim or for the assertions."""

    def __init__(self, folder, name, sizes, bug=None, live=False):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.live = live
        defines = [f"-D{key}={value}" for key, value in sizes.items()]
        defines += [f"-D{bug}"] if bug else []
        self.call(["spin", "-a", *defines, MODEL])
        # A search for a planted bug ends soon: the compiler's time is what counts.
        options = ["-DNFAIR=3"] if live else ["-DSAFETY", "-DNOCLAIM"]
        self.call(["gcc", "-O1" if bug else "-O2", "-w", "-DCOLLAPSE",
                   f"-DMEMLIM={MEMORY_MAX_MB}", *options,
                   "-o", "pan", "pan.c"])

    def call(self, command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True,
                              timeout=SECONDS_MAX, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def run(self, claim=None):
        """Return (errors, figures as text, output)."""
        command = ["./pan", f"-m{DEPTH_MAX}", "-n"]
        # A claim is looked at alone: whatever the assertions would find is another case's.
        command += ["-a", "-f", "-A", "-N", claim] if claim else []
        output = self.call(command)
        errors = re.search(r"errors: (\d+)", output)
        states = re.search(r"(\d+) states, stored", output)
        depth = re.search(r"depth reached (\d+)", output)
        memory = re.search(r"([\d.]+)\s+total actual memory", output)
        complete = ("Search not completed" not in output
                    and "max search depth too small" not in output)
        if not errors or (int(errors.group(1)) == 0 and not complete):
            raise RuntimeError("the search did not come to an end:\n" + output)
        figures = f"{int(states.group(1)):,} states, depth {depth.group(1)}, {memory.group(1)} MB"
        violated = re.search(r"assertion violated (.*) \(at depth|(acceptance cycle)", output)
        if violated:
            figures += "\nviolated: " + (violated.group(1) or violated.group(2))
        return int(errors.group(1)), figures, output


class Tap:
    def __init__(self, count):
        self.number = self.failed = 0
        print(f"1..{count}", flush=True)

    def case(self, name, good, note, output):
        self.number += 1
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}", flush=True)
        for line in (note if good else note + "\n" + output).split("\n"):
            print("# " + line, flush=True)
        self.failed += not good


def holds(tap, name, search, claim=None):
    errors, figures, output = search.run(claim)
    tap.case(name, errors == 0, figures, output)


def is_found(tap, bug, what, search, claim=None):
    errors, figures, output = search.run(claim)
    wrong = claim is None and "assertion violated" not in output
    wrong = wrong or (claim is not None and "acceptance cycle" not in output)
    tap.case(f"{bug} is found: {what}", errors > 0 and not wrong, figures, output)


def main():
    small = sys.argv[1:] == ["--sizes", "small"]
    if sys.argv[1:] and not small:
        sys.exit(__doc__)
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            print(f"1..0 # SKIP {tool} is not installed")
            sys.exit(0)
    tap = Tap(2 + len(CLAIMS) + len(SAFETY_BUGS) + len(LIVE_BUGS))
    with tempfile.TemporaryDirectory(prefix="usher-model-") as folder:
        holds(tap, "safety, one reservation", Search(folder, "one", SMALL if small else ONE))
        holds(tap, "safety, two reservations and money for one",
              Search(folder, "two", SMALL if small else TWO))
        live = Search(folder, "live", SMALL_LIVE if small else LIVE, live=True)
        for claim in CLAIMS:
            holds(tap, f"liveness, {claim}", live, claim)
        for bug, what in SAFETY_BUGS.items():
            is_found(tap, bug, what, Search(folder, bug, SMALL, bug))
        for bug, (claim, what) in LIVE_BUGS.items():
            is_found(tap, bug, what, Search(folder, bug, SMALL_LIVE, bug, live=True), claim)
    sys.exit(1 if tap.failed else 0)


if __name__ == "__main__":
    main()
