"""One `known_addresses.bin`, opened: its slots, what the node sees, what lies in the slack."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from inspector.format import FREE, GAP, OPAQUE, UNIT, Claim, Stretch, Wishes, accepting, tile
from inspector.formats.known_peers.carve import carve
from inspector.formats.known_peers.flip import MAX_PAYLOAD, Flip, Hashing, one_flip
from inspector.formats.known_peers.loader import Choice, choose
from inspector.formats.known_peers.payload import DIGEST, Generation, Peer
from inspector.formats.known_peers.place import MAX_SLOT, Geometry, measure, node_slots, read_slots
from inspector.formats.known_peers.slots import CACHES, Slot, moved, slot_length
from inspector.source import Source
from inspector.uniform import only_zeroes

KIND_SLOT, KIND_SLACK, KIND_TORN, KIND_STRAY = 1, 2, 3, 4
KINDS = {
    KIND_SLOT: "slot",
    KIND_SLACK: "slack",
    KIND_TORN: "torn rest",
    KIND_STRAY: "stray",
    100: "peer",  # of `records`; no tile has these
    101: "old-peer",
}
BAD = 1  # mark of a slot whose digest does not hold
STANDARD = {2 * slot_length(c): c for c in CACHES}
Region = tuple[int, int, int, int, int]  # start, end, role, kind, mark
TRIED = 64 << 10  # bytes of a slot in which one flipped bit is looked for
LOOK = 1 << 20  # bytes read at a time from slack


class State(Struct):
    source: Source
    wishes: Wishes
    geometry: Geometry
    slots: tuple[Slot, Slot]
    halves: tuple[Slot, Slot]
    flips: dict[int, Flip]
    carved: tuple[Peer, ...]

    @property
    def generation(self) -> Generation:
        """That of the newest sealed slot, else of one in which peers can be read, else the likeliest."""
        ranked = sorted(self.slots, key=lambda s: (s.sealed, bool(s.payload.peers), s.payload.generation), reverse=True)
        return ranked[0].payload.generation

    @property
    def choice(self) -> Choice:
        """What a node of the file's own generation loads."""
        return choose(self.geometry.size, self.halves, self.generation)

    @property
    def sealed(self) -> list[tuple[Slot, tuple[Peer, ...], int]]:
        """Slots whose list is proved, by their digest as it is or after one flipped bit: slot, peers, time."""
        found = [(s, s.payload.peers, s.payload.timestamp) for s in self.slots if s.sealed]
        found += [(self.slots[i], flip.payload.peers, flip.payload.timestamp) for i, flip in sorted(self.flips.items())]
        return found


def claim(source: Source, _: object) -> Claim:
    if source.member("") is None:
        return Claim(0, "not a single file")
    size = source.length()
    name = source.name
    named = name.startswith("known_addresses")
    if size > 2 * MAX_SLOT + (1 << 20) and not named:
        return Claim(0, "larger than any list of known peers")
    geometry = measure(size, source.read(0, 16))
    if named or geometry.right_length or geometry.because.startswith("slot A"):
        slots = read_slots(source.read, geometry)
        if any(s.sealed and s.payload.timestamp for s in slots):
            return Claim(97, "a slot carries the BLAKE3 digest of a list of peers")
        if named:
            return Claim(70, "the name of the file")
        if any(s.payload.peers and not s.payload.peers[0].problem for s in slots):
            return Claim(60, "a list of peers, and no good digest")
        if size in STANDARD and all(s.verdict == "zero" for s in slots):
            return Claim(45, f"the length of a new list for {STANDARD[size]} peers, all zero")
    return Claim(0, "neither name, length nor a list of peers")


def open_state(source: Source, _: object, wishes: Wishes) -> State:
    accepting(wishes, frozenset({"unsealed"}), "a list of peers")
    geometry = measure(source.length(), source.read(0, 16))
    if geometry.size < 2:
        empty = read_slots(source.read, geometry)
        return State(source, wishes, geometry, empty, empty, {}, ())
    slots = read_slots(source.read, geometry)
    halves = slots if geometry.right_length else node_slots(source.read, geometry)
    hashing = Hashing()
    flips = {s.index: flip for s in slots if (flip := _flip(source, s, hashing))}
    state = State(source, wishes, geometry, slots, halves, flips, ())
    state.carved = tuple(_carved(state))
    return state


def _flip(source: Source, slot: Slot, hashing: Hashing) -> Flip | None:
    if slot.verdict not in ("bad checksum", "torn"):
        return None
    within = max((end for p in slot.payload.peers if (end := p.end - slot.offset) <= TRIED), default=0)
    if within > MAX_PAYLOAD and (slot.payload.error or slot.payload.end - slot.offset > TRIED):
        return None  # what is tried breaks off too far behind
    flip = one_flip(source.read(slot.offset, min(slot.room, TRIED)), slot.payload.generation, hashing)
    return replace(flip, payload=moved(flip.payload, slot.offset)) if flip else None


def _carved(state: State) -> Iterator[Peer]:
    """Old entries in free and torn bytes; windows overlap by the longest entry's usual length."""
    for start, end, role, _, _ in regions(state):
        if role == UNIT:
            continue
        done = start
        for at in range(start, end, LOOK):
            buf = state.source.read(at, min(LOOK + (8 << 10), end - at))
            if only_zeroes(buf):
                continue  # most of a list is room that was never written
            for peer in carve(buf, at):
                if peer.start >= done:
                    done = peer.end
                    yield peer


def regions(state: State) -> list[Region]:
    """Every byte once, in order."""
    size, room = state.geometry.size, state.geometry.room
    units: list[Region] = []
    ordered = sorted(state.slots, key=lambda s: s.offset)
    for slot, after in zip(ordered, [*ordered[1:], None], strict=True):
        start = max(slot.offset, units[-1][1] if units else 0)
        ceiling = after.offset if after else size
        found = ((a, min(b, ceiling), role, kind, mark) for a, b, role, kind, mark in _slot_regions(state, slot, start))
        units += [region for region in found if region[0] < region[1]]
    tiles: list[Region] = []
    at = 0
    for region in [*units, (size, size, FREE, KIND_SLACK, 0)]:
        inside = min(region[0], 2 * room)
        if at < inside:
            tiles.append((at, inside, FREE, KIND_SLACK, 0))
            at = inside
        if at < region[0]:
            tiles.append((at, region[0], OPAQUE, KIND_STRAY, 0))
        if region[0] < region[1]:
            tiles.append(region)
        at = max(at, region[1])
    return tiles


def _slot_regions(state: State, slot: Slot, start: int) -> list[Region]:
    flip = state.flips.get(slot.index)
    if slot.verdict in ("zero", "absent"):
        return []
    if slot.sealed or slot.verdict in ("bad checksum", "never sealed") or flip:
        end = flip.payload.end + DIGEST if flip else slot.end
        return [(start, end, UNIT, KIND_SLOT, 0 if slot.sealed else BAD)] if end > start else []
    torn = max(start, min(slot.torn_at if slot.torn_at is not None else slot.limit, slot.limit))
    found = [(start, torn, UNIT, KIND_SLOT, BAD)] if torn > start else []
    rest = last_byte(state.source, torn, slot.limit)
    if rest > torn:
        found.append((torn, rest, GAP, KIND_TORN, BAD))
    return found


def last_byte(source: Source, start: int, end: int) -> int:
    """The offset after the last byte in the range that is not zero; `start` when all are. Holes are not read."""
    data = [s for s in takewhile(lambda one: one.start < end, source.data_ranges("", start)) if s.end > start]
    for span in reversed(data):
        first, at = max(start, span.start), min(end, span.end)
        while at > first:
            low = max(first, at - LOOK)
            buf = source.read(low, at - low).rstrip(b"\0")
            if buf:
                return low + len(buf)
            at = low
    return start


def walk(state: State) -> Iterator[Stretch]:
    for start, end, role, kind, mark in regions(state):
        yield tile(start, end, role, kind, mark)
