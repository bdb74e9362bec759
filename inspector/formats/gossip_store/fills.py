"""Zeroed bytes of a message that are known from elsewhere: the chain, the time, keys, channels, an older version.

Only bytes that are zero are filled. What comes out is a list of guesses; the checksum and the signature decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import product

from inspector.correct import Patch, Word, difference
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, NODE, SIGNED, UPDATE, kind_of

HEADER = 12
ANNOUNCED = 432  # bytes of a channel_announcement without features
GUESSES = 1 << 16  # of one record
_RUN = re.compile(rb"\x00{4,}")

# [start, end) of the body, what may stand there; a large store has hundreds of thousands of channels to choose from
Slot = tuple[int, int, Callable[[], list[bytes]]]


def fills(unit: bytes, word: Word, known: Known) -> Iterator[Patch]:
    """Patches that fill zeroed fields of a message, at most `GUESSES`."""
    body = unit[HEADER:]
    if kind_of(body) not in SIGNED or not _RUN.search(body, 2):
        return
    time = unit[8:12]
    runs = [run.span() for run in _RUN.finditer(body, 2)]
    slots = [(slot[0], slot[1], _narrow(body, slot, runs)) for slot in _slots(body, time, known)]
    slots = [slot for slot in slots if slot[2]]
    count = 0
    for choice in product(*([body[start:end], *values] for start, end, values in slots)):
        filled = bytearray(body)
        for (start, end, _), value in zip(slots, choice, strict=True):
            filled[start:end] = value
        if filled == body:
            continue
        count += 1
        if count > GUESSES:
            return
        yield difference(unit, unit[:HEADER] + bytes(filled))


def _narrow(body: bytes, slot: Slot, runs: list[tuple[int, int]]) -> list[bytes]:
    """Only those values of a slot that differ from the body where the body is zero, and in a run of zeroes."""
    start, end, values = slot
    if not any(low < end and high > start for low, high in runs):
        return []
    present = body[start:end]
    fitting = dict.fromkeys(_merge(present, value) for value in values() if len(value) == end - start)
    return [v for v in fitting if v is not None and v != present]


def _merge(present: bytes, value: bytes) -> bytes | None:
    if any(p and p != v for p, v in zip(present, value, strict=True)):
        return None
    return value


def _slots(body: bytes, time: bytes, known: Known) -> Iterator[Slot]:
    kind = kind_of(body)
    if kind == UPDATE and len(body) >= 130:
        yield from _of_update(body, time, known)
    elif kind == ANNOUNCEMENT and len(body) >= ANNOUNCED:
        yield from _of_announcement(body, known)
    elif kind == NODE and len(body) >= 142:
        yield from _of_node(body, time, known)


def _of_update(body: bytes, time: bytes, known: Known) -> Iterator[Slot]:
    yield 66, 98, lambda: _chain(known)
    scid = int.from_bytes(body[98:106], "big")
    if not known.announced(scid):
        yield 98, 106, lambda: [other.to_bytes(8, "big") for other in known.channels()]
    yield 106, 110, lambda: [time]
    yield 110, 112, lambda: [bytes([1, flags]) for flags in range(4)]
    donors = cache(lambda: [known.body(at) for at in known.index.updates(scid)])
    for start, end in ((112, 114), (114, 122), (122, 126), (126, 130), (130, 138)):
        if len(body) >= end:
            yield start, end, partial(_fields, donors, start, end)


def _of_announcement(body: bytes, known: Known) -> Iterator[Slot]:
    size = len(body) - ANNOUNCED
    yield 258, 260, lambda: [size.to_bytes(2, "big")]
    donors = cache(lambda: [d for at in known.index.first if kind_of(d := known.body(at)) == ANNOUNCEMENT])
    yield 260, 260 + size, partial(_fields, donors, 260, 260 + size)
    at = 260 + size
    yield at, at + 32, lambda: _chain(known)
    yield at + 32, at + 40, known.unannounced
    for start in (at + 40, at + 73):
        if b"\0\0\0\0" in body[start : start + 33]:
            yield start, start + 33, known.node_ids


def _of_node(body: bytes, time: bytes, known: Known) -> Iterator[Slot]:
    at = 68 + (body[66] << 8 | body[67])
    yield at, at + 4, lambda: [time]
    if at + 37 > len(body):
        return
    if b"\0\0\0\0" in body[at + 4 : at + 37]:
        yield at + 4, at + 37, known.node_ids
    donor = known.last_of(body[at + 4 : at + 37])
    if len(donor) == len(body):
        yield (
            at + 37,
            len(body),
            lambda: [bytes(b or d for b, d in zip(body[at + 37 :], donor[at + 37 :], strict=True))],
        )
        yield 68, at, lambda: [donor[68:at]]


def _chain(known: Known) -> list[bytes]:
    chain = known.chain()
    return [chain] if chain else []


def _fields(donors: Callable[[], list[bytes]], start: int, end: int) -> list[bytes]:
    return list(dict.fromkeys(donor[start:end] for donor in donors() if len(donor) >= end))
