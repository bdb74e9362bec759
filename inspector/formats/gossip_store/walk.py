"""Detection and the walk: which bytes are records, whole or damaged, and where reading can go on."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from inspector import kernels
from inspector.format import FRAME, GAP, Claim, Stretch, Wishes, tile
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.legacy import LegacyWalker
from inspector.formats.gossip_store.oddities import oddities
from inspector.source import Source

WINDOW = 4 << 20
PROBE = 1 << 20
SLICES = 240  # of the one-line map
FOREIGN = 1 << 10  # bytes that may stand before the version byte of a store without a uuid record
UUID_TYPE = b"\x10\x0b"

# marks of tiles; 0-7 come from the kernels
OK, BAD_CHECKSUM, BAD_LENGTH, TOO_SHORT, ANCHORED, LOST, TORN_HEADER, TORN_BODY = range(8)
UNJUDGED, SECOND_STORE, DISPLACED = 8, 9, 10
DAMAGED = frozenset({BAD_CHECKSUM, BAD_LENGTH, TOO_SHORT})
STATES = {
    OK: "ok",
    BAD_CHECKSUM: "bad checksum",
    BAD_LENGTH: "bad length",
    TOO_SHORT: "too short",
    ANCHORED: "anchored",
    LOST: "unreadable",
    TORN_HEADER: "torn header",
    TORN_BODY: "torn body",
    UNJUDGED: "not judged",
    SECOND_STORE: "second store begins",
    DISPLACED: "before the store",
}


@dataclass(slots=True)
class Store:
    """An opened gossip store: its version, where records begin, and what the check found out."""

    source: Source
    wishes: Wishes
    size: int
    version: int  # as the records are read; from the version byte unless that is damaged
    version_byte: int | None  # as it stands; None in an empty file
    version_at: int  # where it was found; normally 0
    start: int  # first record
    guessed: bool = False  # the version byte did not tell, the records did
    facts: dict[str, Any] = field(default_factory=dict)
    ribbon: array[int] = field(default_factory=lambda: array("Q"))


def claim(source: Source, _: object) -> Claim:
    """By a version byte and records that verify; no magic exists and the name is no proof."""
    if source.kind == "folder":
        return Claim(0, "a folder; a gossip store is one file")
    size = source.length()
    named = "gossip_store" in source.name
    if size == 0:
        return Claim(1, "an empty file with the name of a gossip store") if named else Claim(0, "the file is empty")
    head = source.read(0, 2)
    if size == 1:
        known = 1 <= head[0] <= versions.NEWEST and (named or head[0] not in b"\t\n\r")
        return Claim(2, "a version byte and nothing else") if known else Claim(0, "one byte that is no store version")
    found, at = probe(source)
    if found and at == 1 and 1 <= head[0] <= 0x1F:
        return Claim(100, f"version byte {head[0]} and records that verify from offset 1")
    if found >= 2:
        return Claim(95, f"records that verify from offset {at}")
    legacy = LegacyWalker.plausible_start(source, head[0]) if 2 <= head[0] < versions.OLDEST_JUDGED else 0
    if legacy >= 2:
        return Claim(40, f"version byte {head[0]} and a chain of {legacy} plausible records")
    if found:
        return Claim(30 if named else 10, f"one record that verifies, at offset {at}")
    if named and 1 <= head[0] <= versions.NEWEST:
        return Claim(3, f"the name and version byte {head[0]}; no record verifies")
    return Claim(0, "no record verifies by CRC-32C in any probed part")


def probe(source: Source) -> tuple[int, int]:
    """(verified records seen, offset of the first) in the head, then in probes further on."""
    size = source.length()
    places = [(1, 64 << 10), (1, 8 << 20)] + [(size * k // 5, PROBE) for k in range(1, 5) if size > 16 << 20]
    for at, span in places:
        found, first = _verified(source.read(at, span), at, size)
        if found >= 2 or (found and at + span >= size):
            return found, first
    return _verified(source.read(1, 8 << 20), 1, size)


def _verified(window: bytes, at: int, size: int) -> tuple[int, int]:
    """How many records verify in a window taken as a whole file, and where the first lies."""
    if len(window) < 14:
        return 0, 0
    walker = kernels.GossipWalker(len(window), 0)
    found, first = 0, 0
    while not walker.done:
        before = walker.want
        batch = walker.feed(window[walker.want :], True)
        for start, mark in zip(batch.starts, batch.marks, strict=True):
            if mark in (OK, ANCHORED):
                first = first if found else at + start
                found += 1
                if found >= 8:
                    return found, first
        if walker.want == before:
            break
    return found, first


def open_store(source: Source, _: object, wishes: Wishes) -> Store:
    size = source.length()
    head = source.read(0, 3)
    store = Store(
        source, wishes, size, head[0] if head else versions.NEWEST, head[0] if head else None, 0, min(1, size)
    )
    if size == 0:
        return store
    _place_version_byte(store, head)
    unnamed = source.read(store.start + 12, 2) == UUID_TYPE  # only version 16 begins with a uuid record
    if not 1 <= store.version <= versions.NEWEST or (unnamed and store.version < 16):
        store.version, store.guessed = guess_version(source, store.start), True
    return store


def _place_version_byte(store: Store, head: bytes) -> None:
    """Find the version byte when something stands before it: it is the byte before the first record."""
    window = store.source.read(1, 1 << 20)
    if not 2 <= head[0] < versions.OLDEST_JUDGED:
        found, first = _verified(window, 1, store.size)
        if found and first > 1:
            before = store.source.read(first - 1, 1)
            if not 1 <= head[0] <= versions.NEWEST and _begins(store.source, before[0], first):
                store.version, store.version_at, store.start = before[0], first - 1, first


def _begins(source: Source, byte: int, first: int) -> bool:
    """Whether this byte before the first record is a version byte and not the tail of a lost record.

    One byte in sixteen would pass for one, so the records must be of that version and, as only the uuid record of
    version 16 proves a beginning, in older versions not much may stand before it.
    """
    if not 1 <= byte <= versions.NEWEST:
        return False
    if byte == versions.NEWEST or source.read(first + 12, 2) == UUID_TYPE:
        return byte == versions.NEWEST and source.read(first + 12, 2) == UUID_TYPE
    fits = guess_version(source, first)
    return first <= FOREIGN and versions.has_completed(byte) == versions.has_completed(fits)


def guess_version(source: Source, start: int) -> int:
    """The store version that the records themselves tell: a uuid record, COMPLETED bits, old types."""
    window = source.read(start, 1 << 20)
    walker = kernels.GossipWalker(len(window), 0)
    kinds: set[int] = set()
    flags: list[int] = []
    while not walker.done:
        before = walker.want
        batch = walker.feed(window[walker.want :], True)
        for mark, kind, flag in zip(batch.marks, batch.kinds, batch.flags, strict=True):
            if mark == OK:
                kinds.add(kind)
                flags.append(flag)
        if walker.want == before:
            break
    completed = sum(1 for f in flags if f & versions.COMPLETED) * 2 > len(flags)
    if 4107 in kinds:
        return 16
    if completed and flags:
        return 15
    if kinds & {4102, 4104}:
        return 12
    return 14


def walk(store: Store) -> Iterator[Stretch]:
    """Tiles from 0 to the end: version byte, records, gaps."""
    if store.size == 0:
        return
    if store.version_at:
        yield tile(0, store.version_at, GAP, mark=DISPLACED)
    yield tile(store.version_at, store.version_at + 1, FRAME)
    if store.version < versions.OLDEST_JUDGED:
        yield from LegacyWalker(store.source, store.size, store.start, store.version).stretches()
        return
    walker = kernels.GossipWalker(store.size, store.start, SLICES)
    store.ribbon = walker.ribbon
    window = WINDOW
    while not walker.done:
        at = walker.want
        data = store.source.read(at, window)
        if len(data) < min(
            window, store.size - at
        ):  # the file shrank: what is gone counts as zeroes, and INS003 says so
            data += bytes(min(window, store.size - at) - len(data))
        batch = walker.feed(data, at + len(data) >= store.size)
        if len(batch):
            _mark_version_bytes(batch, data, at)
            odd = oddities(batch, data, at, store.version)
            yield Stretch(
                batch.starts[0],
                batch.end,
                batch.starts,
                batch.roles,
                batch.kinds,
                batch.marks,
                columns={"batch": batch, "odd": odd},
                counts=kernels.count_kinds(batch.kinds),
            )
        elif walker.want == at and not walker.done:
            window *= 2  # one record set that needs more room than the window had
        else:
            window = WINDOW


def _mark_version_bytes(batch: Any, data: bytes, at: int) -> None:
    """A one-byte gap before a good record, holding a version, is where a second store was appended."""
    marks = batch.marks.tobytes()
    i = marks.find(LOST)
    while i >= 0:
        start = batch.starts[i]
        end = batch.starts[i + 1] if i + 1 < len(marks) else batch.end
        value = data[start - at] if 0 <= start - at < len(data) else 0
        if end - start == 1 and versions.OLDEST_JUDGED <= value <= versions.NEWEST and i + 1 < len(marks):
            batch.marks[i], batch.roles[i] = SECOND_STORE, FRAME
        i = marks.find(LOST, i + 1)
