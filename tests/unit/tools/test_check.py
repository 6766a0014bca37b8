#!/usr/bin/env python3
"""test_check.py - each rule of tools/check is seen failing

A copy of the tree is clean by the rule; then one fault is planted, and the rule must tell it, and
where it is. A rule without a fault here fails, too. Prints TAP.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LINTERS = {"format": "clang-format", "shell": "shellcheck", "python": "pyflakes3"}
SOME_C = "engine/base/require.c"
SOME_DOMAIN_C = "engine/domain/index.c"


# For each rule: the file to change or to make, what to add at its end, and what must be told.
FAULTS = {
    "top_level": ("extra/README.md", "# Extra\n", "extra: not part of"),
    "readmes": ("lonely/x.c", "\n", "lonely: has no README.md"),
    "links": ("README.md", "\n[nowhere](engine/NOWHERE.md)\n", "engine/NOWHERE.md"),
    "sections": (SOME_C, '/* engine/README.md, ' + '"Nothing of the kind" */\n',
                 "Nothing of the kind"),
    "floors": (SOME_C, '#include "engine/domain/types.h"\n', "engine/domain/types.h"),
    "circles": ("engine/domain/types.h", '#include "engine/domain/index.h"\n',
                "engine/domain/index"),
    "includes": (SOME_C, '#include "require.h"\n', "say in which folder"),
    "domain_includes": (SOME_DOMAIN_C, "#include <stdio.h>\n", "stdio.h"),
    "domain_pure": (SOME_DOMAIN_C, "double half(void) { return 0.5; }\n", "double"),
    "faces": (SOME_C, "#include <libpq-fe.h>\n", "libpq-fe.h"),
    "silent_libraries": ("wal/block.c", "void f(void) { puts(text); }\n", "puts("),
    "complaints": ("tools/usher/usher.c", "void f(void) { perror(text); }\n", "perror("),
    "no_typedef": (SOME_C, "typedef struct x { int y; } x;\n", "typedef struct"),
    "struct_names": (SOME_C, "struct partition {\n    int y;\n};\n", "struct partition"),
    "guards": ("moved/x.h", "#ifndef USHER_OLD_H\n#define USHER_OLD_H\n#endif\n",
               "USHER_OLD_H"),
    "short_ifs": (SOME_C, "void f(int x) {\n    if (x) { return; }\n}\n", "if (x) { return; }"),
    "file_names": (SOME_C, "/* as date_undecided.c says */\n", "date_undecided.c"),
    "length": (SOME_C, "\n" * 800, "split it"),
    "openings": ("opened/x.c", "#include <stdio.h>\n", "opened/x.c:1"),
    "width": (SOME_C, "/* " + "x" * 100 + " */\n", "106 columns"),
    "whitespace": (SOME_C, "int x; \n", "blanks at the end"),
    "shell": ("tools/test", "\nif [ $x = 1 ]; then cd $y\n", "tools/test"),
    "python": ("tests/golden/reader.py", "import wave\n", "'wave' imported but unused"),
    "format": (SOME_C, "int  f( void );\n", "clang-format -i"),
}


def judges(linter):
    """Is it installed? Of clang-format, Debian 12's version alone judges."""
    if linter != "clang-format" or not shutil.which(linter):
        return shutil.which(linter) is not None
    told = subprocess.run([linter, "--version"], capture_output=True, text=True, check=False).stdout
    return "version 14." in told


def check(root, *arguments):
    command = [sys.executable, os.path.join(root, "tools", "check"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def copy_tree(target):
    def ignored(folder, names):
        return [name for name in names if name.startswith(("build", "data", "__pycache__", ".git"))
                and (folder == ROOT or name == "__pycache__") and name not in (".github",)]
    shutil.copytree(ROOT, target, ignore=ignored, symlinks=True)


def outcome(root, rule):
    """What is wrong, or nothing."""
    path, text, told = FAULTS[rule]
    full = os.path.join(root, path)
    status, output = check(root, rule)
    if status != 0:
        return f"the tree is not clean: {output}"
    before = None
    if os.path.exists(full):
        with open(full, encoding="utf-8") as file:
            before = file.read()
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write((before or "") + text)
    status, output = check(root, rule)
    if before is None:
        shutil.rmtree(os.path.dirname(full))
    else:
        with open(full, "w", encoding="utf-8") as file:
            file.write(before)
    if status != 1 or told not in output:
        return f"exit status {status}, and \"{told}\" is not in: {output}"
    return None


def main():
    with tempfile.TemporaryDirectory(prefix="usher-check-") as folder:
        root = os.path.join(folder, "tree")
        copy_tree(root)
        rules = rules_of_check()
        print(f"1..{len(rules) + 1}")
        for number, rule in enumerate(rules, 1):
            if rule in LINTERS and not judges(LINTERS[rule]):
                print(f"ok {number} - {rule} # SKIP there is no {LINTERS[rule]} that judges")
                continue
            wrong = outcome(root, rule) if rule in FAULTS else "has no fault here: plant one"
            print(f"{'not ok' if wrong else 'ok'} {number} - {rule}")
            if wrong:
                print("\n".join("# " + line for line in wrong.split("\n")))
        status, output = check(root, "no_such_rule")
        good = status == 2 and "there is no such rule" in output
        print(f"{'ok' if good else 'not ok'} {len(rules) + 1} - a rule that there is not")


def rules_of_check():
    with open(os.path.join(ROOT, "tools", "check"), encoding="utf-8") as file:
        return [line[9:line.index("(")] for line in file if line.startswith("def rule_")]


if __name__ == "__main__":
    main()
