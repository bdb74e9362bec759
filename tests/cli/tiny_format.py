"""A store of a few lines, so that the command line is tested without any real format.

`TINY` and a line end, then records: kind (0x80 = deleted), length, CRC-32 of the body (big endian), body.
A `name` body is an item "id/parent"; a `text` body is free text.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import construct as c

from inspector.finding import Cause, Finding, Rule, Severity, Tally
from inspector.format import (
    FRAME,
    GAP,
    OPAQUE,
    UNIT,
    Answer,
    Claim,
    Edit,
    Entry,
    Exhibit,
    Extent,
    Format,
    Item,
    Outcome,
    Plan,
    Query,
    Stretch,
    Wishes,
    tile,
)
from inspector.layout import Layout
from inspector.source import Source
from inspector.span import Span

MAGIC = b"TINY\n"
NAME, TEXT = 1, 2
KINDS = {NAME: "name", TEXT: "text"}
DELETED = 0x80
HEADER = struct.Struct(">BBI")

BAD = Rule(
    "TNY001",
    "checksum-mismatch",
    Severity.ERROR,
    "the body does not have its checksum",
    "A byte of the body or of its checksum changed.",
    "tinyd stops reading here.",
    "Repair the store.",
    "tiny.c: load()",
)
TORN = Rule(
    "TNY002",
    "torn-tail",
    Severity.WARNING,
    "the last record is cut short",
    "The file ends inside a record.",
    "tinyd refuses the store.",
    "Repair the store.",
)
ODD = Rule("TNY003", "empty-text", Severity.NOTE, "a text is empty", "Legal.", "tinyd reads it.", "Nothing to do.")

HEAD = Layout(
    "record",
    "a record's header and body",
    c.Struct(
        "kind" / c.Int8ub * "kind, 0x80 when deleted",
        "length" / c.Int8ub * "bytes of the body",
        "crc" / c.Int32ub * "CRC-32 of the body",
        "body" / c.Bytes(c.this.length) * "the body",
    ),
)


@dataclass(slots=True)
class State:
    source: Source
    wishes: Wishes
    found: list[tuple[int, int, int, int]] = field(default_factory=list)  # start, end, kind with flag, mark


def record(kind: int, body: bytes) -> bytes:
    return HEADER.pack(kind, len(body), zlib.crc32(body)) + body


def store(*records: bytes) -> bytes:
    return MAGIC + b"".join(records)


def read(source: Source) -> Iterator[tuple[int, int, int, int]]:
    at, size = len(MAGIC), source.size
    while at < size:
        head = source.read(at, HEADER.size)
        if len(head) < HEADER.size:
            yield at, size, 0, 2
            return
        kind, length, crc = HEADER.unpack(head)
        body = source.read(at + HEADER.size, length)
        if len(body) < length:
            yield at, size, kind, 2
            return
        yield at, at + HEADER.size + length, kind, int(zlib.crc32(body) != crc)
        at += HEADER.size + length


def claim(source: Source, _: object) -> Claim:
    if source.kind == "folder" and source.member("TINYDB"):
        return Claim(90, "holds TINYDB")
    if source.kind == "folder":
        return Claim(0, "a folder is not a tiny store")
    if source.read(0, len(MAGIC)) == MAGIC:
        return Claim(90, "begins with TINY")
    return Claim(0, "does not begin with TINY")


def open_(source: Source, _: object, wishes: Wishes) -> State:
    return State(source, wishes)


def walk(state: State) -> Iterator[Stretch]:
    if state.source.kind == "folder":
        yield from (tile(0, m.size, OPAQUE, member=m.name) for m in state.source.members if m.size)
        return
    head = min(len(MAGIC), state.source.size)
    starts, roles, kinds, marks = array("Q", [0]), array("B", [FRAME]), array("H", [0]), array("B", [0])
    end = head
    for start, end, kind, mark in read(state.source):
        state.found.append((start, end, kind, mark))
        starts.append(start)
        roles.append(GAP if mark == 2 else UNIT)
        kinds.append(kind & 0x7F)
        marks.append(mark)
    if end:
        yield Stretch(0, end, starts, roles, kinds, marks)


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    for stretch in stretches:
        ends = [*stretch.starts[1:], stretch.end]
        for start, end, kind, mark in zip(stretch.starts, ends, stretch.kinds, stretch.marks, strict=True):
            if mark == 1:
                tally.put(bad(state.source, start, end))
            elif mark == 2:
                torn = Cause("torn-write", "likely", "the file ends here")
                tally.put(Finding(TORN, Span(start, end), f"{end - start} bytes are left", {}, torn, "lost"))
            elif kind == TEXT and end - start == HEADER.size:
                tally.put(Finding(ODD, Span(start, end), "nothing in it"))


def bad(source: Source, start: int, end: int) -> Finding:
    body = source.read(start + HEADER.size, end - start - HEADER.size)
    numbers = {"stored": HEADER.unpack(source.read(start, HEADER.size))[2], "computed": zlib.crc32(body)}
    message = f"the body {body.decode('utf-8', 'replace')} is not what was written"
    return Finding(BAD, Span(start, end), message, numbers, Cause("bit-flip", "possible", "one bit"), "lost")


def upper_claim(source: Source, lower: State | None) -> Claim:
    if lower is not None and source.kind == "file" and b"vol1" in source.read(0, 64):
        return Claim(80, "has a vol1")
    return Claim(0, "has no vol1")


def upper_items(state: State) -> Iterator[Item]:
    yield Item("volumes", "set", fields={"count": sum(1 for _ in items(state))})


def answer(state: State, tally: Tally) -> Answer:
    names = [text(state.source, s, e) for s, e, kind, _ in state.found if kind & 0x7F == NAME]
    words = (f"{tally.total} things are wrong.",) if tally.total else ()
    next_ = ("inspector repair {path} -o {path}.repaired",) if tally.total else ()
    loader = Outcome("tinyd", state.wishes.release or "v1", "stops reading" if tally.total else "loads", "tiny: bad")
    return Answer("1", "", words, {"names": names}, (loader,), next_)


def text(source: Source, start: int, end: int) -> str:
    return source.read(start + HEADER.size, end - start - HEADER.size).decode("utf-8", "surrogateescape")


def records(state: State, query: Query) -> Iterator[Entry]:
    for start, end, kind, mark in read(state.source):
        name = KINDS.get(kind & 0x7F, "unknown")
        deleted = bool(kind & DELETED)
        wanted = not query.kinds or name in query.kinds
        wanted = wanted and (query.deleted is None or query.deleted == deleted)
        if wanted and end > query.start and (not query.damaged or mark):
            yield Entry(
                Span(start, end),
                name,
                ("ok", "bad checksum", "truncated")[mark],
                {"deleted": deleted, "text": text(state.source, start, end), "line": f"{start}: {name}"},
            )


def show(state: State, member: str, at: int) -> Exhibit | None:
    for start, end, kind, mark in read(state.source):
        if start <= at < end:
            data = state.source.read(start, end - start)
            found = (bad(state.source, start, end),) if mark == 1 else ()
            near = tuple(e for e in records(state, Query()) if end == e.span.start or e.span.end == start)
            title = f"{KINDS.get(kind & 0x7F, 'unknown')} {text(state.source, start, end)}"
            matched = "a record starts here" if at == start else "a record holds this byte"
            states = ("ok", "bad checksum", "truncated")
            return Exhibit(
                title, Span(start, end), states[mark], matched, data, tuple(HEAD.fields(data, start)), (), near, found
            )
    return None


def items(state: State) -> Iterator[Item]:
    for start, end, kind, _ in read(state.source):
        if kind & 0x7F == NAME and (not kind & DELETED or state.wishes.lost):
            name, _, parent = text(state.source, start, end).partition("/")
            yield Item(name, "thing", parent or None, {"size": end - start}, (Span(start, end),))


def extents(state: State, item: str) -> Iterator[Extent]:
    """Eight zeroes that are meant, then the record's own bytes, then what is unknown where its checksum is bad."""
    for start, end, _, mark in read(state.source):
        if text(state.source, start, end).partition("/")[0] == item:
            yield Extent(0, 8, None, "derived", "a hole")
            if mark:
                yield Extent(8, end - start, None, "none", "its checksum is bad")
            else:
                yield Extent(8, end - start, Span(start, end), "sealed")
            return


def plan(state: State, wishes: Wishes) -> Plan:
    def edits() -> Iterator[Edit]:
        yield Edit("kept", Span(0, len(MAGIC)))
        for start, end, kind, mark in read(state.source):
            if mark:
                yield Edit("lost", Span(start, end), proof="none", why="its checksum is bad", units=1)
            elif wishes.compact and kind & DELETED:
                yield Edit("dropped", Span(start, end), why="deleted", units=1)
            else:
                yield Edit("kept", Span(start, end), units=1)

    return Plan(edits(), state.source.size, after=lambda source, output: (f"mv {output} {source}", "start tinyd"))


def compare(stores: list[tuple[str, int, int, State]]) -> tuple[str, ...]:
    biggest = max(stores, key=lambda s: s[1])
    return (f"{len(stores)} stores; {biggest[0]} is the largest.",)


FORMAT = Format(
    name="tiny",
    title="Tiny store",
    kinds=KINDS,
    rules=(BAD, TORN, ODD),
    layouts=(HEAD,),
    claim=claim,
    open=open_,
    check=check,
    answer=answer,
    walk=walk,
    damaged=frozenset({1}),
    records=records,
    show=show,
    items=items,
    extents=extents,
    plan=plan,
    filters=frozenset({"kinds", "deleted", "damaged", "start", "dump"}),
    wishes=frozenset({"release", "compact", "lost"}),
    names=("*.tiny",),
    compare=compare,
    schema={"type": "object", "properties": {"names": {"type": "array"}}, "required": ["names"]},
)


UPPER = Format(
    name="tiny-volumes",
    title="Volumes",
    kinds={},
    rules=(),
    layouts=(),
    claim=upper_claim,
    open=lambda source, lower, wishes: lower,
    check=lambda state, stretches, tally: None,
    answer=lambda state, tally: Answer("2", "", ("Volumes.",)),
    on="tiny",
    items=upper_items,
)
