#!/usr/bin/env python3
"""compilers.py - one golden log, the same state from every compiler at every level of optimisation

Builds domain, log and recovery with test_golden.c and test_hashes.c by every compiler that is
installed (each gcc and each clang), at -O0 to -O3, without and with link-time optimisation, and
runs both on the golden folder. They compare every hash with what is on record: all of them agree.

Here the compilers may assume what the C standard lets them (-fstrict-aliasing), unlike in the
project's builds: our own code must not need that belt.

Prints TAP, one case for each way to build.
Usage: compilers.py FOLDER [CFLAG...]      FOLDER: the newest of golden
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS_MAX = 120
# Whatever decides what the state is, and whatever has a checksum. The rest of replay/ only reads.
SOURCES = ("engine/base/*.c", "engine/domain/**/*.c", "engine/runtime/waker.c", "wal/**/*.c",
           "net/protocol/text.c", "replay/source/*.c", "replay/snapshot/*.c", "replay/tell/text.c",
           "tests/golden/golden.c", "tests/support/memory_log.c", "tests/support/random_history.c",
           "tests/support/stepper.c", "tests/support/storage_memory.c")
PROGRAMS = {"tests/golden/test_golden.c": True, "tests/golden/test_hashes.c": False}
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-fno-strict-overflow", "-fstrict-aliasing", f"-I{ROOT}",
         "-w"]
LIBRARIES = ["-lcmocka", "-luring", "-pthread"]


def compilers():
    """Every gcc and clang there is, each once: "gcc" is also there as "gcc-12"."""
    found = {}
    for folder in os.environ["PATH"].split(":"):
        for path in sorted(glob.glob(os.path.join(folder, "*"))):
            name = os.path.basename(path)
            if re.fullmatch(r"(gcc|clang)(-[0-9]+)?", name) and os.access(path, os.X_OK):
                found.setdefault(os.path.realpath(path), path)
    return sorted(found.values(), key=os.path.basename)


def run(command, folder):
    result = subprocess.run(command, cwd=folder, text=True, timeout=SECONDS_MAX, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP"))
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} ...\n{result.stdout}")
    return result.stdout


def compiled(compiler, flags, folder, source):
    target = os.path.join(folder, os.path.relpath(source, ROOT).replace("/", "_") + ".o")
    run([compiler, *FLAGS, *flags, "-c", source, "-o", target], folder)
    return target


def build_and_test(compiler, flags, golden):
    """Return: what went wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="usher-compilers-") as folder:
        try:
            sources = [path for pattern in SOURCES
                       for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True))]
            objects = [compiled(compiler, flags, folder, source) for source in sources]
            for source, reads_log in PROGRAMS.items():
                program = os.path.join(folder, "program")
                own = compiled(compiler, flags, folder, os.path.join(ROOT, source))
                run([compiler, *FLAGS, *flags, own, *objects, *LIBRARIES, "-o", program], folder)
                run([program, golden] if reads_log else [program], folder)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return str(error)
    return ""


def version(compiler):
    first = run([compiler, "--version"], ROOT).split("\n")[0]
    return re.search(r"\d+\.\d+\.\d+", first).group()


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    golden, more = os.path.abspath(sys.argv[1]), sys.argv[2:]
    ways = [(compiler, [f"-O{level}", *link, *more])
            for compiler in compilers() for level in range(4) for link in ([], ["-flto"])]
    if not ways:
        print("1..0 # SKIP neither gcc nor clang is installed")
        return 0
    print(f"1..{len(ways)}", flush=True)
    failed = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = pool.map(lambda way: build_and_test(*way, golden), ways)
        for number, ((compiler, flags), wrong) in enumerate(zip(ways, results), 1):
            name = f"{os.path.basename(compiler)} {version(compiler)} {' '.join(flags)}"
            print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
            print("".join(f"# {line}\n" for line in wrong.split("\n")[:20] if line), end="",
                  flush=True)
            failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
