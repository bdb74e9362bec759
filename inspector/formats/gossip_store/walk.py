"""Detection and the walk: which bytes are records, whole or damaged, and where reading can go on."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from inspector import kernels
from inspector.errors import RefusedError
from inspector.format import FRAME, GAP, Claim, Stretch, Wishes, accepting, tile
from inspector.formats.gossip_store import holding, versions
from inspector.formats.gossip_store.kinds import LEAST, SEALED_HEADER
from inspector.formats.gossip_store.legacy import LegacyWalker
from inspector.formats.gossip_store.oddities import oddities
from inspector.formats.gossip_store.structure import plausible
from inspector.kernels.gossip_tiles import HEADER, LONGEST_RECORD
from inspector.source import Source
from inspector.vouching import Vouched

WINDOW = 1 << 20  # is read and checked several times over while it is in the cache of a core
PROBE = 1 << 20
SLICES = 240  # of the one-line map
FOREIGN = 1 << 10  # bytes that may stand before the version byte of a store without a uuid record
UUID_TYPE = b"\x10\x0b"
OWN_NAMES = frozenset({"gossip_store", "gossip_store.corrupt"})
ANY = 14  # the version to write where nothing tells which it was
UPGRADED = 9  # the oldest version that today's programs still take
GLIMPSE = 1 << 14  # bytes from which a version with COMPLETED bits is told
WITNESSES = 2  # records by CRC-32C: no version before it was used has one in 2**32
ANNOUNCEMENT, AMOUNT, ENDED = 256, 4101, 4105
AMOUNT_RECORD = 22  # bytes of one with its header
UPDATE, SHORT_UPDATE = 258, b"\x00\x82"  # channel_update without htlc_max: 130 bytes
SHORT_UNTIL = 10  # the last version that has those

# marks of tiles; 0-7 come from the kernels
OK, BAD_CHECKSUM, BAD_LENGTH, TOO_SHORT, ANCHORED, LOST, TORN_HEADER, TORN_BODY = range(8)
UNJUDGED, SECOND_STORE, DISPLACED = 8, 9, 10
DAMAGED = frozenset({BAD_CHECKSUM, BAD_LENGTH, TOO_SHORT})
ACCEPTS = frozenset({"anchored", "unique"})  # unsigned records inside damaged ones; corrections without a witness
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


class Store(Struct):
    """An opened gossip store: its version, where records begin, and what the check found out."""

    source: Source
    wishes: Wishes
    size: int
    version: int  # as the records are read; from the version byte unless that is damaged
    version_byte: int | None  # as it stands; None in an empty file
    version_at: int  # where it was found; normally 0
    start: int  # first record; 0 where the version byte is gone
    guessed: bool = False  # the version byte did not tell, the records did
    untold: bool = False  # they did not either: none holds
    facts: dict[str, Any] = field(default_factory=dict)
    ribbon: array[int] = field(default_factory=lambda: array("Q"))

    @property
    def headless(self) -> bool:
        """Whether the version byte is gone: byte 0 is the first of a record."""
        return not self.start and self.size > 0


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
        if not 1 <= head[0] <= versions.NEWEST:
            return Claim(0, "one byte that is no store version")
        if named or head[0] not in b"\t\n\r":
            return Claim(2, "a version byte and nothing else")
        why = (
            f"one byte, a blank of a text or store version {head[0]} and nothing else (--format gossip-store reads it)"
        )
        return Claim(0, why)
    found, at = probe(source)
    if found and at == 1 and 1 <= head[0] <= 0x1F:
        return Claim(100, f"version byte {head[0]} and records that verify from offset 1")
    if _begins_with_record(source):
        return Claim(95, "no version byte: a record verifies from byte 0 on")
    if found >= 2:
        return Claim(95, f"records that verify from offset {at}")
    legacy = LegacyWalker.plausible_start(source, head[0]) if 2 <= head[0] < versions.OLDEST_JUDGED else 0
    if legacy >= 2:
        return Claim(40, f"version byte {head[0]} and a chain of {legacy} plausible records")
    if found:
        return Claim(30 if named else 10, f"one record that verifies, at offset {at}")
    if named and 1 <= head[0] <= versions.NEWEST:
        return Claim(3, f"the name and version byte {head[0]}; no record verifies")
    if source.name in OWN_NAMES:
        return Claim(1, "the name alone; no record verifies")
    return Claim(0, "no record verifies by CRC-32C in any probed part")


def probe(source: Source) -> tuple[int, int]:
    """(verified records seen, offset of the first) in the head, then in probes further on."""
    size = source.length()
    head = 0, 0
    for at, span in [(1, 64 << 10), (1, 8 << 20)] + [(size * k // 5, PROBE) for k in range(1, 5) if size > 16 << 20]:
        seen = _verified(source.read(at, span), at)
        if seen[0] >= WITNESSES:
            return seen
        head = seen if at == 1 else head
    return head


def _verified(window: bytes, at: int) -> tuple[int, int]:
    """How many records verify in a window taken as a whole file, and where the first lies."""
    batch = kernels.GossipWalker(len(window), 0).feed(window, True)
    sound = [start for start, mark in zip(batch.starts, batch.marks, strict=True) if mark in (OK, ANCHORED)]
    return len(sound), at + sound[0] if sound else 0


def open_store(source: Source, _: object, wishes: Wishes) -> Store:
    accepting(wishes, ACCEPTS, "a gossip store")
    size = source.length()
    head = source.read(0, 3)
    store = Store(
        source, wishes, size, head[0] if head else versions.NEWEST, head[0] if head else None, 0, min(1, size)
    )
    if size == 0:
        return store
    if _begins_with_record(source):
        store.start, store.version, store.guessed = 0, guess_version(source, 0) or ANY, True
        return store
    _place_version_byte(store, head)
    if _contradicted(store):
        # what stands before no record is not known to be a version byte, and near to none
        told = guess_version(source, store.start, store.version if _headed(source, store.start) else None)
        store.version, store.guessed, store.untold = told or ANY, True, told is None
    return store


def _contradicted(store: Store) -> bool:
    """Whether the version byte is none, or records say another."""
    if not 1 <= store.version <= versions.NEWEST:
        return True
    if store.version < versions.NEWEST and store.source.read(store.start + 12, 2) == UUID_TYPE:
        return True  # only version 16 begins with a uuid record
    if store.version < versions.OLDEST_JUDGED:
        return probe(store.source)[0] >= WITNESSES
    _, flags, short = _sound(store.source.read(store.start, GLIMPSE))
    completed = sum(flag & versions.COMPLETED > 0 for flag in flags)
    if len(flags) <= WITNESSES:
        return False
    if versions.has_completed(store.version):
        return 2 * completed < len(flags)  # a few have the bit in a store of before, where it means something else
    # an upgrade leaves such updates out (gossip_store.c:166)
    if completed == len(flags) or store.version <= SHORT_UNTIL or not short:
        return completed == len(flags)
    return short >= WITNESSES or not any(flag & versions.unknown_bits(SHORT_UNTIL) for flag in flags)


def _place_version_byte(store: Store, head: bytes) -> None:
    """Find the version byte when something stands before it: it is the byte before the first record."""
    if not 2 <= head[0] < versions.OLDEST_JUDGED:
        if store.source.next_vouched(holding.WHAT, 0) == 1:
            return  # a record is known to begin at 1
        found, first = _verified(store.source.glance(1, 1 << 20), 1)
        if found and first > 1:
            before = store.source.read(first - 1, 1)
            moved = not 1 <= head[0] <= versions.NEWEST and not _headed(store.source, 1)
            if moved and begins(store.source, before[0], first):
                store.version, store.version_at, store.start = before[0], first - 1, first


def _begins_with_record(source: Source) -> bool:
    """Whether a record verifies from byte 0 on, where the version byte is due, and its amount follows if it has one."""
    head = source.read(0, HEADER + 2)
    length, kind = int.from_bytes(head[2:4], "big"), int.from_bytes(head[HEADER:], "big")
    if len(head) < HEADER + 2 or kind not in LEAST or kind == ENDED:  # no store keeps an `ended`
        return False
    window = source.read(0, HEADER + length + AMOUNT_RECORD)
    batch = kernels.GossipWalker(len(window), 0).feed(window, True)
    body = window[HEADER : HEADER + length]
    if batch.marks[0] != OK or not plausible(kind, body, length, versions.NEWEST):
        return False
    if kind != ANNOUNCEMENT:
        return True
    paired = batch.kinds[1:2].tolist() == [AMOUNT] and batch.marks[1] == OK
    return paired and not (batch.flags[0] ^ batch.flags[1]) & versions.DELETED


def _headed(source: Source, start: int) -> bool:
    """Whether a record's header stands where the first is due: then its body may be damaged, but nothing moved."""
    head = source.read(start, SEALED_HEADER.size + 2)
    length, kind = int.from_bytes(head[2:4], "big"), int.from_bytes(head[SEALED_HEADER.size :], "big")
    return len(head) == SEALED_HEADER.size + 2 and length >= LEAST.get(kind, 1 << 16)


def begins(source: Source, byte: int, first: int) -> bool:
    """Whether this byte before the first record is a version byte and not the tail of a lost record.

    One byte in sixteen would pass for one, so the records must be of that version and, as only the uuid record of
    version 16 proves a beginning, in older versions not much may stand before it.
    """
    if not 1 <= byte <= versions.NEWEST:
        return False
    if byte == versions.NEWEST or source.read(first + 12, 2) == UUID_TYPE:
        return byte == versions.NEWEST and source.read(first + 12, 2) == UUID_TYPE
    fits = guess_version(source, first) or ANY
    return first <= FOREIGN and versions.has_completed(byte) == versions.has_completed(fits)


def guess_version(source: Source, start: int, byte: int | None = None) -> int | None:
    """The store version that sound records tell: a uuid record, COMPLETED bits, old types and lengths.

    Where they fit several, a single one that is one bit away from the byte that is there; else the newest.
    """
    kinds, flags, short = _sound(source.read(start, 1 << 20))
    if not flags:
        return None
    completed = sum(1 for f in flags if f & versions.COMPLETED) * 2 > len(flags)
    if 4107 in kinds:
        return 16
    if completed:
        return 15
    newest = SHORT_UNTIL if short else 12 if kinds & {4102, 4104} else 14
    near = [v for v in range(UPGRADED, newest + 1) if byte is not None and (byte ^ v).bit_count() == 1]
    return near[0] if len(near) == 1 else newest


def _sound(window: bytes) -> tuple[set[int], list[int], int]:
    """Of the records that verify in it: their kinds, the flags of each, how many are updates without htlc_max."""
    batch = kernels.GossipWalker(len(window), 0).feed(window, True)
    kinds: set[int] = set()
    flags: list[int] = []
    short = 0
    for at, mark, kind, flag in zip(batch.starts, batch.marks, batch.kinds, batch.flags, strict=True):
        if mark == OK:
            kinds.add(kind)
            flags.append(flag)
            short += kind == UPDATE and window[at + 2 : at + 4] == SHORT_UPDATE
    return kinds, flags, short


def walk(store: Store, judged: bool = True) -> Iterator[Stretch]:
    """Tiles from 0 to the end: version byte, records, gaps.

    Unless `judged`, the column `odd` is left out. The column `window` holds the bytes of all records that verify.
    """
    if store.size == 0:
        return
    if store.version_at:
        yield tile(0, store.version_at, GAP, mark=DISPLACED)
    if not store.headless:
        yield tile(store.version_at, store.version_at + 1, FRAME)
    if store.version < versions.OLDEST_JUDGED:
        yield from LegacyWalker(store.source, store.size, store.start, store.version).stretches()
        return
    yield from _Walk(store, judged).stretches()


class _Walk:
    """The walk from the first record on: windows for the kernel, and runs whose bytes are not here."""

    def __init__(self, store: Store, judged: bool) -> None:
        self.store, self.source, self.judged = store, store.source, judged
        self.clear = 0  # from here on no earlier damage bears on what a record is
        self.walker = kernels.GossipWalker(store.size, store.start, SLICES)
        store.ribbon = self.walker.ribbon

    def stretches(self) -> Iterator[Stretch]:
        store, source, window = self.store, self.source, WINDOW
        while not self.walker.done:
            at = self.walker.want
            if run := source.vouched(holding.WHAT, at):
                yield self._held(run)
                continue
            missing = source.next_vouched(holding.WHAT, at) if source.sparing else None
            data = source.glance(at, window if missing is None else min(window, missing - at))
            due = min(window, (missing or store.size) - at)
            if len(data) < due:  # the file shrank: what is gone counts as zeroes, and INS003 says so
                data += bytes(due - len(data))
            batch = self.walker.feed(data, at + len(data) >= store.size)
            if len(batch):
                yield self._read(batch, data, at)
            elif self.walker.want == at and not self.walker.done:
                if at + len(data) == missing:
                    raise RefusedError(f"{source.label}: the records before {missing} were not captured whole")
                window *= 2  # one record set that needs more room than the window had
            else:
                window = WINDOW
                self._pass_hole(missing)

    def _pass_hole(self, missing: int | None) -> None:
        """Where the gap goes on in a hole no record begins: its type would be in it, and is never zero."""
        at = self.walker.want
        end = self.source.hole_end(at) - HEADER
        self.walker.skip(end if missing is None else min(end, missing - LONGEST_RECORD))

    def _read(self, batch: Any, data: bytes, at: int) -> Stretch:
        _mark_version_bytes(batch, data, at)
        columns: dict[str, Any] = {"batch": batch, "window": (at, data), "held": None}
        if self.judged or self.source.sparing:
            columns["odd"] = odd = oddities(batch, data, at, self.store.version)
            if self.source.sparing:
                self.clear = holding.vouch(self.source, batch, odd, data, at, self.clear)
        return _stretch(batch, columns, self.judged)

    def _held(self, run: Vouched) -> Stretch:
        from inspector.kernels.plain_columns import fill_ribbon  # only here: capsules are read seldom

        batch, odd, held = holding.unpacked(run)
        ribbon = self.store.ribbon
        fill_ribbon(ribbon, SLICES, self.store.size, batch)
        self.walker = kernels.GossipWalker(self.store.size, run.end, SLICES)
        self.walker.ribbon[:] = ribbon
        self.store.ribbon = self.walker.ribbon
        return _stretch(batch, {"batch": batch, "odd": odd, "held": held}, self.judged)


def _stretch(batch: Any, columns: dict[str, Any], judged: bool) -> Stretch:
    counts = kernels.count_kinds(batch.kinds) if judged else None
    return Stretch(
        batch.starts[0],
        batch.end,
        batch.starts,
        batch.roles,
        batch.kinds,
        batch.marks,
        columns=columns,
        counts=counts,
    )


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
