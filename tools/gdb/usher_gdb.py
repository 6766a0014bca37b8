"""usher_gdb.py - gdb shows ids, tokens, texts and decisions as people write them

    (gdb) source tools/gdb/usher_gdb.py
    (gdb) print *decision
    $1 = seats_held by date/1 at 2026-11-21T11:32:35.648Z = {reservation = 1, place = 1, ...}

Names of kinds and fields come from the program's debug symbols, so that a new row of decision.def
needs nothing here.
"""
import datetime

import gdb
import gdb.printing

# engine/domain/types.h
ACCOUNT_FIRST = 0x10000
DATE_FIRST = 0x1000000


def raw(value, size):
    return bytes(int(value["bytes"][i]) for i in range(size))


def uuid(value):
    digits = raw(value, 16).hex()
    if not digits.strip("0"):
        return "none"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def moment(time_ms):
    if time_ms == 0:
        return "0"
    time = datetime.datetime.fromtimestamp(time_ms // 1000, datetime.timezone.utc)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z"


def partition(number):
    if number >= DATE_FIRST:
        return f"date/{number - DATE_FIRST}"
    return f"account/{number - ACCOUNT_FIRST}" if number >= ACCOUNT_FIRST else "catalogue"


class Id:
    """struct id128"""
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return uuid(self.value)


class Token:
    """struct token, as the wire has it"""
    def __init__(self, value):
        self.value = value

    def to_string(self):
        secret = raw(self.value["secret"], 16).hex()
        return f"{int(self.value['date']):08x}{int(self.value['place']):08x}{secret}"


class Text:
    """struct text"""
    def __init__(self, value):
        self.value = value

    def to_string(self):
        size = int(self.value["size"])
        if size == 0:
            return '""'
        return '"' + self.value["bytes"].string("utf-8", "replace", size) + '"'


class Numbers:
    """struct numbers"""
    def __init__(self, value):
        self.value = value

    def to_string(self):
        count = min(int(self.value["count"]), self.value["values"].type.range()[1] + 1)
        return "[" + ", ".join(str(int(self.value["values"][i])) for i in range(count)) + "]"


class Decision:
    """struct decision: its kind, and the fields of this kind only"""
    def __init__(self, value):
        self.value = value
        number = int(value["kind"])
        kinds = gdb.lookup_type("enum decision_kind").fields()
        names = {kind.enumval: kind.name for kind in kinds}
        self.name = names.get(number, "").replace("DECISION_", "").lower()

    def to_string(self):
        name = self.name or f"kind {int(self.value['kind'])}, unknown"
        return (f"{name} by {partition(int(self.value['partition']))} at "
                f"{moment(int(self.value['time_ms']))}")

    def children(self):
        if not self.name:
            return
        body = self.value[self.name]
        for field in body.type.fields():
            yield field.name, body[field]


def printers():
    found = gdb.printing.RegexpCollectionPrettyPrinter("usher")
    for name, printer in (("id128", Id), ("token", Token), ("text", Text), ("numbers", Numbers),
                          ("decision", Decision)):
        found.add_printer(name, f"^{name}$", printer)
    return found


gdb.printing.register_pretty_printer(None, printers(), replace=True)
