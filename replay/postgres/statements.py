#!/usr/bin/env python3
"""statements.py - the .sql files as texts of C: see statements.h

usage: statements.py OUTPUT.c TABLE... -- FILE.sql...

TABLE are the files of C whose rows and constants the statements name. Each number that comes from
one is asserted in the output: the compiler, which understands C, has the last word.
"""
import os
import re
import sys

LIST = re.compile(r"^#define (\w+)\(X\)[ \\\n]+((?:.*\\\n)*.*)", re.M)
LIST_ROW = re.compile(r'X\((\d+), (\w+), "(\w+)"\)')
PREFIX = re.compile(r"^#define X\(number, name, text\) (\w+?)##name.*\nenum \w+ {\s*(\w+)\(X\)",
                    re.M)
CONSTANT = re.compile(r"^#define (\w+) (\d+)[uUlL]*\b", re.M)
ERROR = re.compile(r"^E\((\d+), (\w+),", re.M)
DECISION = re.compile(r"^DECISION\(\d+, (\w+), (\w+)", re.M)
FIELDS = re.compile(r"^#define FIELDS_(\w+)\(F\)((?:.*\\\n)*.*)", re.M)
POLICY_ROW = re.compile(r"\bP\(\d+, (\w+),")


class Tables:
    """What the statements may name: words of SQL, and assertions that go with them."""

    def __init__(self, text):
        self.words = {}    # "DATE_OPEN" -> "2", "DATE_STATES" -> "'draft', ..."
        self.asserts = {}  # the same names -> an expression of C
        self.literals = set(POLICY_ROW.findall(text))
        self.decisions = {name: NAME for NAME, name in DECISION.findall(text)}
        self.fields = {name: re.findall(r"F\((\w+), (\w+)\)", body)
                       for name, body in FIELDS.findall(text)}
        prefixes = {name: prefix for prefix, name in PREFIX.findall(text)}
        for name, body in LIST.findall(text):
            rows = LIST_ROW.findall(body)
            if name in prefixes and rows:
                self.add_list(name, prefixes[name], rows)
        errors = [(number, name, name) for number, name in ERROR.findall(text)]
        self.words["ERRORS_WHEN"] = whens(errors)
        self.asserts["ERRORS_WHEN"] = " && ".join(f"ERROR_{name} == {number}"
                                                  for number, name, _ in errors)
        self.literals.update(name for _, name, _ in errors)
        for name, number in CONSTANT.findall(text):
            self.words[name] = number
            self.asserts[name] = f"{name} == {number}"

    def add_list(self, name, prefix, rows):
        self.words[name] = ", ".join(f"'{text}'" for _, _, text in rows)
        self.words[name + "_WHEN"] = whens(rows)
        same = " && ".join(f"{prefix}{row} == {number}" for number, row, _ in rows)
        count = f"0 {name}(ONE) == {len(rows)}"
        self.asserts[name] = self.asserts[name + "_WHEN"] = f"{same} && {count}"
        for number, row, text in rows:
            self.words[prefix + row] = number
            self.asserts[prefix + row] = f"{prefix}{row} == {number}"
            self.literals.add(text)


def whens(rows):
    return " ".join(f"WHEN {number} THEN '{text}'" for number, _, text in rows)


def fail(where, what):
    sys.exit(f"{where}: {what}")


def without_comment(line):
    return re.match(r"""((?:'[^']*'|"[^"]*"|-(?!-)|[^'"-])*)""", line).group(1).rstrip()


class Reader:
    """The named statements of the .sql files."""

    def __init__(self, tables):
        self.tables = tables
        self.statements = []  # file, name, is a step, text
        self.used = set()     # names of tables.words
        self.no_rows = set()
        self.columns = {}     # type of a field -> type of its column
        self.literals = []    # where, word

    def read(self, path):
        name, step, lines, each = None, False, [], None
        with open(path, encoding="utf-8") as file:
            rows = file.read().split("\n")
        file = os.path.basename(path)
        for number, line in enumerate(rows + ["-- @statement"], 1):
            where = f"{path}:{number}"
            directive, _, rest = line.removeprefix("-- @").partition(" ")
            if not line.startswith("-- @"):
                kept = without_comment(line)
                if kept and name is None:
                    fail(where, "SQL before the first -- @statement")
                if kept:
                    self.literals += [(where, word) for word in re.findall(r"(?<!:)'(\w+)'", kept)]
                    (lines if each is None else each).append(kept)
            elif directive in ("statement", "step"):
                if name is not None:
                    self.add(f"{path}: {name}", file, name, step, lines)
                name, step, lines = rest, directive == "step", []
            elif directive == "column":
                kinds, _, column = rest.partition(": ")
                self.columns.update((kind, column) for kind in kinds.split())
            elif directive == "each":
                each = []
            elif directive == "end":
                lines, each = lines + self.for_each_decision(each), None
            elif directive == "words":
                self.tables.literals.update(rest.split(":")[0].split())
            elif directive == "no_rows":
                self.no_rows.update(rest.split(":")[0].split())
            else:
                fail(where, f"@{directive} is not known")

    def add(self, where, file, name, step, lines):
        text = self.fill(where, "\n".join(lines)).rstrip(";")
        if not re.fullmatch("[a-z_]+", name) or not text or name in [s[1] for s in self.statements]:
            fail(where, "a statement needs a name of its own, and a text")
        self.statements.append((file, name, step, text))

    def fill(self, where, text):
        def word(match):
            if match[1] not in self.tables.words:
                fail(where, f":{match[1]} is in no table and no constant")
            self.used.add(match[1])
            return self.tables.words[match[1]]
        return re.sub(r"(?<!:):([A-Z][A-Z_]*)", word, text)

    def for_each_decision(self, lines):
        result = []
        for decision in self.tables.decisions:
            columns = ",\n    ".join(f'"{field}" {self.columns[kind]}'
                                     for kind, field in self.tables.fields[decision])
            text = "\n".join(lines).replace(":DECISION", decision).replace(":FIELDS", columns)
            result.append(re.sub(r",\s*\)", "\n)", text))  # a decision without fields
        return result

    def kinds_of(self, text):
        read = set(re.findall(r"\bpg_temp\.(\w+)", text))
        return [kind for kind in self.tables.decisions if kind in read]

    def check(self):
        for where, word in self.literals:
            if re.fullmatch("[a-z_]+|[A-Z_]+", word) and word not in self.tables.literals:
                fail(where, f"'{word}' is not a word of the engine's tables, nor of -- @words")
        read = {kind for _, _, step, text in self.statements if step
                for kind in self.kinds_of(text)}
        for kind in self.tables.decisions:
            if (kind in read) == (kind in self.no_rows):
                fail("fold.sql", f"{kind} is read by a step or named by -- @no_rows, one of them")


def c_text(text):
    lines = [line.replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return "\n".join(f'    "{line}\\n"' for line in lines[:-1]) + f'\n    "{lines[-1]}"'


def c_kinds(reader, kinds):
    return ", ".join(f"DECISION_{reader.tables.decisions[kind]}" for kind in kinds)


def write(reader, headers, out):
    out.write("/* Made by statements.py from the .sql files. */\n")
    for header in headers:
        out.write(f'#include "{header}"\n')
    out.write("#define ONE(number, name, text) +1\n#define DECISION(...) +1\n"
              'enum { DECISIONS = 0\n#include "engine/domain/decision.def"\n};\n#undef DECISION\n')
    asserts = {reader.tables.asserts[name] for name in reader.used}
    asserts.add(f"DECISIONS == {len(reader.tables.decisions)}")
    for expression in sorted(asserts):
        out.write(f'_Static_assert({expression}, "statements.py reads the tables well");\n')
    for _, name, step, text in reader.statements:
        if step:
            kinds = c_kinds(reader, reader.kinds_of(text))
            out.write(f"\nstatic const uint16_t {name}_kinds[] = {{{kinds}, 0}};\n")
            out.write(f"static const char step_{name}[] =\n{c_text(text)};\n")
        else:
            out.write(f"\nconst char statement_{name}[] =\n{c_text(text)};\n")
    steps = [name for _, name, step, _ in reader.statements if step]
    out.write("\nconst struct fold_step fold_steps[] = {\n")
    out.writelines(f'    {{"{name}", {name}_kinds, step_{name}}},\n' for name in steps)
    out.write(f"}};\nconst uint32_t fold_step_count = {len(steps)};\n\n")
    out.write("const struct statement statement_table[] = {\n")
    for file, name, step, _ in reader.statements:
        out.write(f'    {{"{file}", "{name}", {"step" if step else "statement"}_{name}}},\n')
    out.write(f"}};\nconst uint32_t statement_count = {len(reader.statements)};\n\n")
    read = [kind for kind in reader.tables.decisions if kind not in reader.no_rows]
    cases = "\n".join(f"    case DECISION_{reader.tables.decisions[kind]}:" for kind in read)
    out.write("bool fold_reads(uint32_t kind) {\n    switch (kind) {\n"
              f"{cases} return true;\n    default: return false;\n    }}\n}}\n")


def main():
    output, *rest = sys.argv[1:]
    split = rest.index("--")
    tables, paths = rest[:split], rest[split + 1:]
    text = ""
    for path in tables:
        with open(path, encoding="utf-8") as file:
            text += file.read()
    reader = Reader(Tables(text))
    for path in paths:
        reader.read(path)
    reader.check()
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    headers = [os.path.relpath(path, root) for path in tables if path.endswith(".h")]
    with open(output, "w", encoding="utf-8") as out:
        write(reader, [*headers, "engine/domain/decision.h", "engine/domain/error.h"], out)


if __name__ == "__main__":
    main()
