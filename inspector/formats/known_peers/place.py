"""Where the slots lie in a file whose length may be wrong, and what the node sees instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from inspector.formats.known_peers.carve import PEER_START
from inspector.formats.known_peers.payload import (
    DIGEST,
    NEWEST_FIRST,
    Generation,
    head_length,
    payload_reach,
)
from inspector.formats.known_peers.scale import compact
from inspector.formats.known_peers.slots import (
    CACHES,
    EARLIEST,
    LATEST,
    MAX_CACHE,
    Slot,
    cache_for,
    is_sealed,
    read_slot,
    slot_length,
)

Read = Callable[[int, int], bytes]  # offset, length -> bytes, shorter at the end of the file
MAX_SLOT = slot_length(10_000)  # bytes read of one slot: those of the largest cache in use (48 MB)
MAX_HUNT = 64 << 20  # bytes of a file searched for a slot that is not in its place


class Geometry(Struct, frozen=True):
    """`room` is the length of one slot by the layout; the node halves whatever length the file has."""

    size: int
    room: int
    because: str

    @property
    def half(self) -> int:
        return self.size // 2

    @property
    def right_length(self) -> bool:
        return self.size == 2 * self.room


def measure(size: int, head: bytes) -> Geometry:
    """The slot length, from the file's own length, else from slot A's header, else from the nearest known cache."""
    if size % 2 == 0 and cache_for(size // 2):
        return Geometry(size, size // 2, f"the length fits a cache of {cache_for(size // 2)} peers")
    for width, first in ((4, 4), (8, 8)):  # v3 and v2 begin with the cache size, then the time
        cache = int.from_bytes(head[:width], "little")
        timestamp = int.from_bytes(head[first : first + 8], "little")
        if 0 < cache <= MAX_CACHE and EARLIEST < timestamp < LATEST:
            return Geometry(size, slot_length(cache), f"slot A says a cache of {cache} peers")
    cache = min(CACHES, key=lambda c: abs(2 * slot_length(c) - size))
    return Geometry(size, slot_length(cache), f"the nearest known layout has a cache of {cache} peers")


def read_slots(read: Read, geometry: Geometry) -> tuple[Slot, Slot]:
    """Both slots by the layout; one that is elsewhere in the file is found there and called misplaced."""
    size, room = geometry.size, geometry.room
    first = _slot_at(read, 0, 0, room, size)
    second = _slot_at(read, 1, min(room, size), room, size)
    if not geometry.right_length and second.verdict == "good":
        second = replace(second, verdict="misplaced", why=f"the node looks for it at {geometry.half}")
    if not first.sealed:  # no list ever begins in the free room of a slot, so what is found there was moved
        first = _hunted(read, first, second, size)
    if not second.sealed:
        second = _hunted(read, second, first, size)
    return _twins(first, second, read)


def node_slots(read: Read, geometry: Geometry) -> tuple[Slot, Slot]:
    """The two slots as the node cuts them: each half of the actual length."""
    half = geometry.half
    return _slot_at(read, 0, 0, half, geometry.size), _slot_at(read, 1, half, half, 2 * half)


def _slot_at(read: Read, index: int, offset: int, room: int, size: int) -> Slot:
    buf = read(offset, min(room, MAX_SLOT, max(0, size - offset)))
    return read_slot(buf, index, offset, min(room, max(MAX_SLOT, len(buf))))


def _hunted(read: Read, slot: Slot, other: Slot, size: int) -> Slot:
    """`slot`, or the sealed slot found anywhere outside the other one."""
    taken = range(other.offset, other.end) if other.sealed else range(0)
    for found in hunt(read, size):
        if found.offset in taken or found.offset == slot.offset:
            continue
        if not other.sealed and abs(found.offset - other.offset) < abs(found.offset - slot.offset):
            continue  # it is the other one, which is looked for as well
        why = f"it lies {found.offset - slot.offset:+d} bytes from its place"
        return replace(found, index=slot.index, room=slot.room, verdict="misplaced", why=why)
    return slot


def hunt(read: Read, size: int) -> Iterator[Slot]:
    """Sealed slots at any offset, found by their header and proved by their digest; linear in the file's length."""
    buf = read(0, min(size, MAX_HUNT))
    yield from _hunted_before(buf) if len(buf) <= MAX_SLOT // 8 else _hunt(buf)


def _hunt(buf: bytes) -> tuple[Slot, ...]:
    """Both slots are looked for in the same bytes, by the claim and when the file is opened."""
    budget = 2 * len(buf) + (1 << 18)  # bytes given to the decoder, so that fake headers cannot make it quadratic
    done = 0
    found: list[Slot] = []
    for match in PEER_START.finditer(buf):
        for start, generation in _heads_before(buf, match.start()):
            if start < done or budget < 0:
                continue
            end, whole = payload_reach(buf, start, generation)
            budget -= end - start + 256
            if whole and is_sealed(buf, start, end):
                done = end + DIGEST
                found.append(read_slot(buf[start:done], 0, start, done - start))
    return tuple(found)


_hunted_before = lru_cache(maxsize=2)(_hunt)


def _heads_before(buf: bytes, first_peer: int) -> Iterator[tuple[int, Generation]]:
    """Where a slot would begin whose first peer begins there: behind a count and a time that can be."""
    for count_width in (1, 2, 4):
        end = first_peer - count_width
        count = compact(buf, end, first_peer) if end >= 8 else None
        if not isinstance(count, tuple) or count[1] != first_peer or count[0] > MAX_CACHE:
            continue
        if EARLIEST < int.from_bytes(buf[end - 8 : end], "little") < LATEST:
            yield from ((end - head_length(g), g) for g in NEWEST_FIRST if end >= head_length(g))


def _twins(first: Slot, second: Slot, read: Read) -> tuple[Slot, Slot]:
    """A slot whose payload equals the other's and has no digest was copied by a resize and never sealed."""
    verdicts = (first.verdict, second.verdict)
    if "bad checksum" not in verdicts or "zero" in verdicts or first.payload.length != second.payload.length:
        return first, second  # a list of nothing but zeroes is none that anybody wrote
    if first.payload.error or second.payload.error:
        return first, second
    length = first.payload.length
    if read(first.payload.start, length) != read(second.payload.start, length):
        return first, second
    why = "both slots hold the same payload, as the copy of a resize leaves them"
    return tuple(
        replace(s, verdict="never sealed", why=why) if s.verdict == "bad checksum" else s for s in (first, second)
    )  # type: ignore[return-value]
