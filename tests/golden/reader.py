#!/usr/bin/python3
"""reader.py - logs and snapshots of usher, read by somebody who has never seen its source

Written from wal/FORMAT.md and replay/snapshot/FORMAT.md alone, to show that they are enough.
Tables of fields are in the order and with the names of those files. Needs Debian's python3-xxhash.

    reader.py log DIR         every decision of the data folder DIR, one JSON line each
    reader.py snapshot FILE   every entity of a snapshot, one JSON line each
    reader.py figures DIR     what the log and its snapshots are made of, one JSON object

Numbers stand as they are in the file; ids are 32 hexadecimal digits; a policy is its numbers.
Exit status: 0; 1 and a sentence that names file and offset: something there is not as specified.
"""
import json
import os
import re
import struct
import sys

import xxhash

PAGE = 4096
BLOCK_MAX = 1 << 20
POLICY_DEFAULTS = [0, 0, 0, 0, 60000, 10, 420000, 0, 0, 300000, 4, 0, 1, 0, 0, 0]


class Wrong(Exception):
    """Something is not as specified."""


def xxh3(data, seed=0):
    return xxhash.xxh3_64_intdigest(data, seed)


# --- fields -------------------------------------------------------------------------------------

def fields(text):
    """"place u32, user id" as [("place", "u32"), ("user", "id")]"""
    return [tuple(field.split()) for field in text.split(", ")] if text else []


DECISIONS = {number: (name, fields(text)) for number, name, text in [
    (1, "concert_created", "concert u32, title text, key id"),
    (2, "date_created", "date u32, concert u32, title text, starts_at u64, seed id, policy policy, "
                        "key id"),
    (10, "seat_added", "number u32, price u64, for_sale u8, section text, row text, seat text, "
                       "guid text"),
    (11, "date_opened", ""),
    (12, "date_closed", ""),
    (13, "date_cancelled", ""),
    (14, "policy_changed", "policy policy"),
    (15, "outage_credited", "cause u8, since u64, credit_ms u64"),
    (20, "queue_entered", "place u32, user id, secret id"),
    (21, "admitted", "place u32, expires_at u64, at_once u8"),
    (22, "token_expired", "place u32, end u8, released numbers"),
    (30, "seats_held", "reservation u32, place u32, user id, seats numbers, amount u64, "
                       "expires_at u64, "
                       "token_expired u8"),
    (31, "hold_refused", "place u32, user id, error u16, seat u32"),
    (32, "reservation_ended", "reservation u32, state u8, key id"),
    (40, "payment_started", "payment u32, reservation u32, key id, payer u32"),
    (41, "payment_refused", "payment u32, reservation u32, balance u64, shortfall u64"),
    (42, "seats_sold", "payment u32, reservation u32, amount u64, balance u64, token_expired u8, "
                       "payer u32"),
    (43, "payment_aborted", "payment u32, reservation u32"),
    (44, "refund_started", "reservation u32, payment u32, key id"),
    (45, "seats_refunded", "reservation u32, payment u32, balance u64"),
    (50, "wallet_charged", "user id, amount u64, balance u64, key id"),
    (51, "funds_reserved", "user id, payment u64, reservation u64, amount u64, balance u64"),
    (52, "funds_refused", "user id, payment u64, reservation u64, amount u64, balance u64"),
    (53, "funds_posted", "user id, payment u64, amount u64"),
    (54, "funds_voided", "user id, payment u64, reservation u64, amount u64, balance u64"),
    (55, "funds_refunded", "user id, payment u64, reservation u64, amount u64, balance u64"),
    (56, "refund_closed", "user id, payment u64"),
    (60, "state_hashed", "hash u64"),
]}

ENTITIES = {number: (name, fields(text)) for number, name, text in [
    (1, "partition", "partition u32, decision_count u64, last_time_ms u64, hash u64"),
    (10, "concert", "concert u32, title text, key id"),
    (11, "concert_date", "date u32, concert u32, starts_at u64, title text, key id, policy_hash "
                         "u64"),
    (20, "date", "date u32, concert u32, starts_at u64, state u8, seed u64, payments u32, "
                 "reservations u32, "
                 "places u32, points_sold u64, interval_began_ms u64, interval_admitted u32, "
                 "last_admission_ms u64, admission_gap_ms_x16 u64, policy policy"),
    (21, "seat", "number u32, price u64, for_sale u8, section text, row text, seat text, guid "
                 "text"),
    (22, "reservation", "reservation u32, place u32, user id, secret id, state u8, token_spent u8, "
                        "seats numbers, amount u64, held_at u64, expires_at u64, changed_at u64, "
                        "payment u32, payment_key id, cancel_key id, balance u64, payer u32, "
                        "kept u8"),
    (23, "ended", "reservation u32"),
    (24, "waiter", "place u32, user id, secret id, state u8, end u8, expires_at u64"),
    (30, "account", "user id, balance u64, reserved u64, charged u64, rows u64, chain u64"),
    (31, "ledger_row", "time_ms u64, reason u8, amount u64, balance u64, payment u64, reservation "
                       "u64, key id"),
    (32, "transfer", "payment u64, reservation u64, user id, amount u64, state u8"),
    (33, "totals", "charged u64, balances u64, reserved u64, spent u64, refunded u64"),
    (34, "charge_key", "user id, key id, amount u64, balance u64, time_ms u64"),
]}

ZERO = {"id": "0" * 32, "text": "", "numbers": [], "policy": POLICY_DEFAULTS}
INTEGERS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


class Body:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise Wrong("a body ends inside a field")
        self.at += size
        return self.data[self.at - size:self.at]

    def integer(self, size):
        return int.from_bytes(self.take(size), "little")

    def field(self, kind):
        if self.at == len(self.data):  # written by an older usher
            return ZERO.get(kind, 0)
        if kind in INTEGERS:
            return self.integer(INTEGERS[kind])
        if kind == "id":
            return self.take(16).hex()
        count = self.integer(1)
        if kind == "text":
            return self.take(count).decode("utf-8", "replace")
        if kind == "numbers":
            if count > 16:
                raise Wrong(f"{count} numbers")
            return [self.integer(4) for _ in range(count)]
        policy = [self.integer(8) for _ in range(count)]
        if count > len(POLICY_DEFAULTS):
            raise Wrong(f"a policy of {count} fields")
        return policy + POLICY_DEFAULTS[count:]


def decode(table, kind, data):
    if kind not in table:
        raise Wrong(f"kind {kind} is not of this version")
    name, described = table[kind]
    body = Body(data)
    values = {field: body.field(of) for field, of in described}
    if body.at != len(data):
        raise Wrong(f"{name} has {len(data) - body.at} bytes behind its last field")
    return name, values


# --- the log ------------------------------------------------------------------------------------

SEGMENT = struct.Struct("<8sII16sQQQQQQ")
BLOCK = struct.Struct("<8sIIQQIIQQQQQ")


class Segment:
    """A file with a good header, or one that was never used (header None)."""

    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, "rb") as file:
            self.data = file.read()
        self.header = None
        if len(self.data) < PAGE or len(self.data) % PAGE:
            raise Wrong(f"{self.name}: no segment has {len(self.data)} bytes")
        (magic, version, self.partitions, self.log_id, self.number, self.epoch, self.first_lsn,
         self.chain, size, self.created_ms) = SEGMENT.unpack_from(self.data)
        self.checksum = int.from_bytes(self.data[4088:PAGE], "little")
        if magic != b"USHERSEG" or self.checksum != xxh3(self.data[:4088]):
            return
        if version != 1:
            raise Wrong(f"{self.name}: written by another usher, version {version}")
        if max(self.number, self.epoch, self.first_lsn) >= 1 << 63:
            return
        self.header = True
        if size != len(self.data):
            raise Wrong(f"{self.name}: has {len(self.data)} bytes, its header says {size}")
        if self.name != f"wal-{self.number:016x}.seg":
            raise Wrong(f"{self.name}: its header says number {self.number}")
        self.seed = int.from_bytes(self.log_id[:8], "little")

    def block(self, at, lsn, chain):
        """The block in sequence at an offset: (size, checksum, records, durable LSN); else None"""
        if len(self.data) - at < PAGE:
            return None
        (magic, version, count, epoch, first_lsn, body, _, _, durable, before, body_sum,
         checksum) = BLOCK.unpack_from(self.data, at)
        size = (80 + body + PAGE - 1) // PAGE * PAGE
        if (magic != b"USHERBLK" or version != 1 or
                checksum != xxh3(self.data[at:at + 72], self.seed) or
                size > BLOCK_MAX or at + size > len(self.data)):
            return None
        if (body_sum != xxh3(self.data[at + 80:at + size], self.seed) or epoch != self.epoch or
                first_lsn != lsn or durable > first_lsn or before != chain):
            return None
        records, place, end = [], at + 80, at + 80 + body
        while place < end:
            length = int.from_bytes(self.data[place:place + 4], "little")
            if not 20 <= length <= 4096 or place + length > end:
                return None
            records.append(self.data[place:place + length])
            place += length
        if len(records) != count:
            return None
        return size, checksum, records, durable


class Log:
    def __init__(self, folder):
        wal = os.path.join(folder, "wal")
        names = sorted(name for name in os.listdir(wal)
                       if re.fullmatch(r"wal-[0-9a-f]{16}\.seg", name))
        all_of_them = [Segment(os.path.join(wal, name)) for name in names]
        numbers = [int(name[4:20], 16) for name in names]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise Wrong("a segment is missing")
        self.segments = [segment for segment in all_of_them if segment.header]
        if [s.name for s in self.segments] != names[:len(self.segments)]:
            raise Wrong("a segment without a good header comes before one that has one")
        if len({segment.log_id for segment in self.segments}) != 1:
            raise Wrong("segments of two logs")
        self.blocks = self.seals = 0
        self.durable_lsn = 0
        self.end_lsn = self.segments[0].first_lsn

    def records(self):
        """Every record of the stream: (LSN just after it, bytes)"""
        lsn, chain = self.segments[0].first_lsn, None
        for index, segment in enumerate(self.segments):
            if chain is not None and (segment.first_lsn, segment.chain) != (lsn, chain):
                raise Wrong(f"{segment.name}: does not go on where the one before it ended")
            chain, at = segment.checksum, PAGE
            self.durable_lsn = max(self.durable_lsn, segment.first_lsn)
            after = self.segments[index + 1] if index + 1 < len(self.segments) else None
            overruled = after is not None and after.epoch > segment.epoch
            while not (overruled and (after.first_lsn, after.chain) == (lsn, chain)):
                block = segment.block(at, lsn, chain)
                if block is None:
                    break
                size, chain, records, durable = block
                self.durable_lsn = max(self.durable_lsn, durable)
                self.blocks += bool(records)
                self.seals += not records
                at += size
                for record in records:
                    lsn += len(record)
                    yield lsn, record
            self.end_lsn = lsn

    def decisions(self):
        for lsn, record in self.records():
            size, kind, zeros, partition, time_ms = struct.unpack_from("<IHHIQ", record)
            if zeros or size != len(record):
                raise Wrong(f"the record that ends at LSN {lsn} has no good header")
            name, values = decode(DECISIONS, kind, record[20:])
            yield {"lsn": lsn, "kind": name, "partition": partition, "time_ms": time_ms,
                   "fields": values}


# --- snapshots ----------------------------------------------------------------------------------

class Snapshot:
    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, "rb") as file:
            self.data = file.read()
        head = struct.unpack_from("<8sII16sQQQQQQ", self.data)
        (magic, version, self.partitions, self.log_id, self.lsn, self.epoch, self.last_time_ms,
         self.created_ms, self.decision_count, self.world_hash) = head
        self.checksum = int.from_bytes(self.data[4088:PAGE], "little")
        self.need(magic == b"USHERSNP" and self.checksum == xxh3(self.data[:4088]), 0, "header")
        self.need(version == 1, 8, "another version")
        self.need(self.name == f"snap-{self.lsn:016x}.snp", 32, "name")
        self.need(not any(self.data[80:4088]), 80, "zeros")
        self.seed = int.from_bytes(self.log_id[:8], "little")

    def need(self, good, at, what):
        if not good:
            raise Wrong(f"{self.name}: {what} at offset {at} is not as specified")

    def entities(self):
        """Every entity as (name, values); only whole files come to an end"""
        at, index, chain, count, total = PAGE, 0, self.checksum, 0, 0
        world = decisions = last_time = 0
        while True:
            self.need(at + PAGE <= len(self.data), at, "the file's end")
            (magic, version, entities, number, lsn, body, zeros, before, body_sum,
             checksum) = struct.unpack_from("<8sIIQQIIQQQ", self.data, at)
            size = (64 + body + PAGE - 1) // PAGE * PAGE
            self.need(magic == b"USHERSBK" and version == 1 and zeros == 0 and
                      checksum == xxh3(self.data[at:at + 56], self.seed), at, "a block's header")
            self.need(size <= BLOCK_MAX and at + size <= len(self.data) and
                      body_sum == xxh3(self.data[at + 64:at + size], self.seed), at,
                      "a block's body")
            self.need((number, lsn, before) == (index, self.lsn, chain), at, "the chain")
            self.need(not any(self.data[at + 64 + body:at + size]), at, "padding")
            place, end = at + 64, at + 64 + body
            if entities == 0:
                break
            for _ in range(entities):
                self.need(place + 4 <= end, at, "an entity")
                length, kind = struct.unpack_from("<HH", self.data, place)
                self.need(4 <= length <= 4096 and place + length <= end, at, "an entity")
                name, values = decode(ENTITIES, kind, self.data[place + 4:place + length])
                if name == "partition":
                    part = xxh3(values["hash"].to_bytes(8, "little"), values["partition"])
                    world = (world + part) % (1 << 64)
                    decisions += values["decision_count"]
                    last_time = max(last_time, values["last_time_ms"])
                yield name, values
                place += length
            self.need(place == end, at, "the body's sum")
            at, index, chain = at + size, index + 1, checksum
            count, total = count + entities, total + body
        self.need(body == 40, at, "the end block")
        stated = struct.unpack_from("<QQQQQ", self.data, place)
        self.need(stated == (index, count, total, len(self.data), self.world_hash), at,
                  "the end block")
        self.need(at + size == len(self.data), at, "what follows the end block")
        self.need((world, decisions, last_time) ==
                  (self.world_hash, self.decision_count, self.last_time_ms), 48,
                  "the header's sums")


def hashes_at(decisions, lsn):
    """What state_hashed says about each partition that has decided nothing since, up to an LSN"""
    hashes = {}
    for decision in decisions:
        if decision["lsn"] > lsn:
            break
        if decision["kind"] == "state_hashed":
            hashes[decision["partition"]] = decision["fields"]["hash"]
        else:
            hashes.pop(decision["partition"], None)
    return hashes


def snapshot_figures(path, log, decisions):
    snapshot = Snapshot(path)
    if snapshot.log_id != log.segments[0].log_id:
        raise Wrong(f"{snapshot.name}: a snapshot of another log")
    stated, entities, compared = hashes_at(decisions, snapshot.lsn), {}, 0
    for kind, values in snapshot.entities():
        entities[kind] = entities.get(kind, 0) + 1
        if kind == "partition" and values["partition"] in stated:
            compared += 1
            if stated[values["partition"]] != values["hash"]:
                raise Wrong(f"{snapshot.name}: the log says another hash of partition "
                            f"{values['partition']}")
    return {"lsn": snapshot.lsn, "world_hash": f"{snapshot.world_hash:016x}",
            "hashes_compared": compared, "entities": entities}


def figures(folder):
    log, kinds = Log(folder), {}
    decisions = list(log.decisions())
    for decision in decisions:
        kinds[decision["kind"]] = kinds.get(decision["kind"], 0) + 1
    place = os.path.join(folder, "snapshots")
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    return {"log_id": log.segments[0].log_id.hex(), "segments": len(log.segments),
            "epochs": len({segment.epoch for segment in log.segments}), "blocks": log.blocks,
            "seals": log.seals, "end_lsn": log.end_lsn, "durable_lsn": log.durable_lsn,
            "decisions": kinds,
            "snapshots": [snapshot_figures(os.path.join(place, name), log, decisions)
                          for name in names if re.fullmatch(r"snap-[0-9a-f]{16}\.snp", name)]}


def line(value):
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("log", "snapshot", "figures"):
        sys.exit(__doc__)
    what, path = arguments
    try:
        if what == "log":
            for decision in Log(path).decisions():
                line(decision)
        elif what == "snapshot":
            for name, values in Snapshot(path).entities():
                line({"kind": name, "fields": values})
        else:
            line(figures(path))
    except Wrong as wrong:
        sys.exit(f"reader.py: {wrong}")


if __name__ == "__main__":
    main(sys.argv[1:])
