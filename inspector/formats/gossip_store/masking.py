"""A store with other names for what is private, that is damaged in the same way.

CRC-32C is linear: a stored checksum that keeps its difference to the computed one holds, or fails by the same flipped
bits, whatever the body. So bodies can be replaced, and the finding stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inspector import crc32c
from inspector.disguise import noise
from inspector.format import GAP, UNIT, Name
from inspector.formats.gossip_store import kinds, versions
from inspector.formats.gossip_store.private import KINDS, originals
from inspector.formats.gossip_store.walk import OK, UNJUDGED, Store, walk
from inspector.source import Source

SEED_FROM = 7  # store versions from here on mix the timestamp into the checksum
GAP_PIECE = 4 << 20  # bytes of a gap that noise is made for at once
FIRST_BLOCK = 600_000  # made-up channels are numbered from here


def mask(store: Store, name: Name, hide: Callable[[int, int], bool]) -> Iterator[tuple[int, bytes]]:
    """Offsets and the bytes to stand there; `hide` tells which damaged stretches [start, end) are to be noise."""
    names = dict(_needles(store, name))
    private = frozenset(kind for kind, called in kinds.KINDS.items() if called in KINDS)
    size = versions.header_size(store.version)
    for stretch in walk(store):
        ends = [*stretch.starts[1:], stretch.end]
        columns = zip(stretch.starts, ends, stretch.roles, stretch.marks, stretch.kinds, strict=True)
        batch = stretch.columns.get("batch")
        flags = batch.flags if batch is not None and not names else None
        for i, (start, end, role, mark, kind) in enumerate(columns):
            if flags and role == UNIT and mark == OK and kind not in private and not flags[i] & versions.PUSH:
                continue  # nothing in it has another name
            if role == GAP:
                if hide(start, end):
                    yield from _noisy(store.source, start, end, size + 2)
                continue
            raw = store.source.read(start, end - start)
            if role != UNIT or store.version < SEED_FROM:
                continue
            else:
                sound = mark in (OK, UNJUDGED)
                new = _record(raw, size, start, kind in private, not sound and hide(start, end), names)
            if new != raw:
                yield start, new


def _noisy(source: Source, start: int, end: int, head: int) -> Iterator[tuple[int, bytes]]:
    """Noise for a gap but for what would be its header, by which a torn record is known; zeroes stay."""
    at = start + head
    while at < end:
        if (hole := min(source.hole_end(at), end)) > at + GAP_PIECE:
            at += (hole - at) // GAP_PIECE * GAP_PIECE  # the pieces behind a hole are those of zeroes that are there
            continue
        raw = source.read(at, min(GAP_PIECE, end - at))
        if (new := noise(raw, at - head)) != raw:
            first = at == start + head
            yield (start, source.read(start, head) + new) if first else (at, new)
        at += GAP_PIECE


def _needles(store: Store, name: Name) -> Iterator[tuple[bytes, bytes]]:
    """The bytes of each private channel id, and those that stand for it."""
    for noun, original in originals(store):
        number = int(name(noun, original).rpartition("-")[2].lstrip("h"), 16) & 0xFFFF
        block, transaction, output = map(int, original.split("x"))
        old = (block << 40 | transaction << 16 | output).to_bytes(8, "big")
        yield old, (FIRST_BLOCK + number << 40 | number << 16).to_bytes(8, "big")


def _record(raw: bytes, size: int, at: int, private: bool, hidden: bool, names: dict[bytes, bytes]) -> bytes:
    head, body = bytearray(raw[:size]), raw[size:]
    head[0] &= ~(versions.PUSH >> 8) & 0xFF  # no checksum covers the flags
    new = body[:2] + noise(body[2:], at) if hidden else body
    for old, other in names.items():
        new = new.replace(old, other)
    if private and not hidden:
        new = _stripped(body, new, names)
    stored, seed = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    wrong = stored ^ crc32c.crc32c(body, seed)
    head[4:8] = (crc32c.crc32c(new, seed) ^ wrong).to_bytes(4, "big")
    return bytes(head) + new


def _stripped(body: bytes, new: bytes, names: dict[bytes, bytes]) -> bytes:
    """Of a private record the ids that were replaced and the structure stay; amounts, fees and signatures are zero."""
    keep = bytearray(len(body))
    for old in names:
        at = body.find(old)
        while at >= 0:
            keep[at : at + len(old)] = b"\1" * len(old)
            at = body.find(old, at + 1)
    inner = {4102: 4, 4104: 12}.get(body[0] << 8 | body[1], len(body))
    for low, high in ((0, 2), (inner - 2, inner + 2)):  # its type; the length of the message inside, and its type
        keep[low:high] = b"\1" * len(keep[low:high])
    if body[:2] == (4102).to_bytes(2, "big"):  # time and direction of the update, which others are compared with
        keep[inner + 106 : inner + 112] = b"\1" * len(keep[inner + 106 : inner + 112])
    if body[:2] == (3503).to_bytes(2, "big"):
        keep[51:] = b"\1" * len(keep[51:])
    return bytes(b if k else 0 for b, k in zip(new, keep, strict=True))
