"""Zeroed bytes of a message that are known from elsewhere: the chain, the time, keys, channels, an older version.

Only bytes that are zero are filled. What comes out are guesses with which the checksum holds; the signature decides.
CRC-32C is linear: what each value of a field changes in it is computed once, and of several fields those values are
found that together make up what is wrong, without a look at each of their combinations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from math import prod
from typing import Final

from inspector.correct import Patch, Word, difference
from inspector.crc32c import crc32c
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.signed import ANNOUNCEMENT, NODE, SIGNED, UPDATE, kind_of

HEADER = 12
ANNOUNCED = 432  # bytes of a channel_announcement without features
GUESSES: Final = 1 << 16  # of one record
_RUN = re.compile(rb"\x00{4,}")

# [start, end) of the body, what may stand there; a large store has hundreds of thousands of channels to choose from
Slot = tuple[int, int, Callable[[], list[bytes]]]


Choice = tuple[int, ...]  # of each slot which value, 0 for what is there


def fills(unit: bytes, word: Word, known: Known) -> tuple[int, list[Patch]]:
    """How many ways to fill zeroed fields of a message were tried, and the patches with which its checksum holds."""
    body = unit[HEADER:]
    if kind_of(body) not in SIGNED or not _RUN.search(body, 2):
        return 0, []
    time = unit[8:12]
    runs = [run.span() for run in _RUN.finditer(body, 2)]
    slots = [(slot[0], slot[1], _narrow(body, slot, runs)) for slot in _slots(body, time, known)]
    slots = [(start, end, values[:GUESSES]) for start, end, values in slots if values]
    wrong, found = word.syndrome(unit), []
    changes = [_changes(body, start, values) for start, end, values in slots]
    for choice in _making_up(wrong, changes):
        filled = bytearray(body)
        for (start, end, values), which in zip(slots, choice, strict=True):
            if which:
                filled[start:end] = values[which - 1]
        found.append(difference(unit, unit[:HEADER] + bytes(filled)))
    return min(GUESSES, prod(map(len, changes)) - 1), found


def _changes(body: bytes, start: int, values: list[bytes]) -> list[int]:
    """What each value of a slot changes in the checksum; first that nothing does."""
    end = start + len(values[0])
    head, rest = crc32c(body[:start]), body[end:]
    whole = crc32c(body)
    return [0, *(crc32c(rest, crc32c(value, head)) ^ whole for value in values)]


def _making_up(wrong: int, changes: list[list[int]]) -> Iterator[Choice]:
    """Choices that together change the checksum by `wrong`, in their order: the last slot's turn fastest.

    Of the first `GUESSES` behind that of no change at all. The slots are cut in two where both halves are small.
    """
    sizes = [len(one) for one in changes]
    cut = min(range(len(sizes) + 1), key=lambda i: prod(sizes[:i]) + prod(sizes[i:]))
    behind = prod(sizes[cut:])
    ends: dict[int, list[int]] = {}
    for place, change in enumerate(islice(_sums(changes[cut:]), GUESSES + 1)):
        ends.setdefault(change, []).append(place)
    for first, change in enumerate(islice(_sums(changes[:cut]), GUESSES // behind + 1)):
        for last in ends.get(change ^ wrong, ()):
            if 0 < first * behind + last <= GUESSES:
                yield _choice(first * behind + last, sizes)


def _sums(changes: list[list[int]]) -> Iterator[int]:
    """What all choices of some slots change, in their order."""
    if not changes:
        yield 0
        return
    for change in _sums(changes[:-1]):
        for one in changes[-1]:
            yield change ^ one


def _choice(number: int, sizes: list[int]) -> Choice:
    out = []
    for size in reversed(sizes):
        number, which = divmod(number, size)
        out.append(which)
    return tuple(reversed(out))


def _narrow(body: bytes, slot: Slot, runs: list[tuple[int, int]]) -> list[bytes]:
    """Only those values of a slot that differ from the body where the body is zero, and in a run of zeroes."""
    start, end, values = slot
    if not any(low < end and high > start for low, high in runs):
        return []
    present = body[start:end]
    if len(present) < end - start:
        return []  # the record ends in it
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
