"""The two slots of `known_addresses.bin`: where they lie and what state each is in.

All functions here are pure: bytes in, values out.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace

from inspector.formats.known_peers.payload import (
    CACHE_WIDTH,
    DIGEST,
    NEWEST_FIRST,
    Generation,
    Payload,
    head_length,
    parse_payload,
    payload_end,
)
from inspector.formats.known_peers.scale import write_compact

Verdict = Literal["good", "bad checksum", "torn", "zero", "never sealed", "cut", "misplaced", "absent"]
CACHES = (100, 10_000)  # nodes and farmers; bootstrap nodes
PER_PEER = 35 + 1 + (150 + 9) * 30  # the writer's estimate of one peer with 30 addresses of 150 bytes
MAX_CACHE = 1_000_000
_SHORT, _LONG = 1 << 16, 1 << 20  # bytes of a slot that is remembered
EARLIEST = 1_690_000_000  # July 2023, before the first release of this file (2023-08-08)
LATEST = 4_102_444_800  # the year 2100


class Slot(Struct, frozen=True):
    """A slot from `offset`; `room` bytes belong to it by the layout, `limit` is where its bytes end."""

    index: int
    offset: int
    room: int
    limit: int
    verdict: Verdict
    payload: Payload
    stored: bytes = b""
    computed: bytes = b""
    torn_at: int | None = None  # first byte that no longer reads as the payload
    why: str = ""

    @property
    def sealed(self) -> bool:
        return self.verdict in ("good", "misplaced")

    @property
    def end(self) -> int:
        """After the digest, or after the last byte that decoded."""
        return min(self.payload.end + len(self.stored), self.limit)


def slot_length(cache_size: int) -> int:
    """Bytes of one slot for a cache of that many peers (`file_size` of the source, halved)."""
    return 8 + len(write_compact(cache_size)) + PER_PEER * cache_size + DIGEST


def cache_for(length: int) -> int | None:
    """The cache size whose slots have this length, or None."""
    cache = (length - 8 - DIGEST) // PER_PEER
    return next((c for c in (cache, cache - 1) if c > 0 and slot_length(c) == length), None)


def is_sealed(buf: bytes, start: int, end: int) -> bool:
    """True when the 32 bytes after the payload [start, end) are its BLAKE3 digest."""
    return end + DIGEST <= len(buf) and blake3(memoryview(buf)[start:end]).digest() == buf[end : end + DIGEST]


def find_sealed(buf: bytes) -> Payload | None:
    """The payload at the start of `buf` under the first generation whose digest verifies."""
    generation = sealed_as(buf)
    return None if generation is None else parse_payload(buf, 0, len(buf), generation)


_asked: deque[tuple[bytes, Generation | None]] = deque(maxlen=4)  # claim, opening and diagnosis ask for the same


def sealed_as(buf: bytes) -> Generation | None:
    """The first generation under which the bytes at the start of `buf` are a payload with its BLAKE3 digest."""
    if not _SHORT < len(buf) <= _LONG:
        return _sealed_as(buf)
    for known, generation in _asked:
        if known == buf:
            return generation
    _asked.append((buf, _sealed_as(buf)))
    return _asked[-1][1]


def _sealed_as(buf: bytes) -> Generation | None:
    for generation in NEWEST_FIRST:
        end = payload_end(buf, generation)
        if end is not None and is_sealed(buf, 0, end):
            return generation
    return None


def read_slot(buf: bytes, index: int, offset: int, room: int) -> Slot:
    """The slot whose bytes are `buf` (what is there of `room` bytes); offsets in the result are the file's."""
    sealed = find_sealed(buf)
    payload = sealed or parse_payload(buf, 0, len(buf), _likely(buf, room))
    cut = len(buf) < room
    stored = buf[payload.end : payload.end + DIGEST] if payload.error is None else b""
    computed = _digest(buf, payload) if payload.error is None else b""
    verdict, torn_at, why = _judge(buf, payload, sealed is not None, cut)
    return Slot(index, offset, room, offset + len(buf), verdict, moved(payload, offset), stored, computed,
                None if torn_at is None else offset + torn_at, why)  # fmt: skip


def _judge(buf: bytes, payload: Payload, sealed: bool, cut: bool) -> tuple[Verdict, int | None, str]:
    if sealed:
        return "good", None, ""
    if not buf:
        return "absent", None, "the file ends before this slot"
    if buf.count(0) == len(buf):
        return "zero", None, "a slot that was never written is zero"
    if payload.error:
        at, why = payload.error.at, payload.error.why
        reached_end = cut and at + 256 > len(buf)  # no single field is longer than an address and its peer id
        return ("cut" if reached_end else "torn"), at, why
    if payload.end + DIGEST > len(buf):
        return "cut", len(buf), "the file ends inside the digest"
    invalid = payload.first_invalid
    if invalid:
        return "torn", invalid.start, invalid.problem
    return "bad checksum", None, ""


def _likely(buf: bytes, room: int) -> Generation:
    """The generation by its header where no digest tells: a known cache size and a time that can be."""
    caches = {*CACHES, cache_for(room)}
    for generation in NEWEST_FIRST:
        width = CACHE_WIDTH[generation]
        cache = int.from_bytes(buf[:width], "little")
        timestamp = int.from_bytes(buf[width : head_length(generation)], "little")
        if EARLIEST < timestamp < LATEST and (not width or cache in caches):
            return generation
    return 3


def _digest(buf: bytes, payload: Payload) -> bytes:
    return blake3(memoryview(buf)[payload.start : payload.end]).digest()


def moved(payload: Payload, by: int) -> Payload:
    """The same payload with offsets counted from the start of the file."""
    if not by:
        return payload
    error = replace(payload.error, at=payload.error.at + by) if payload.error else None
    peers = tuple(replace(p, start=p.start + by, end=p.end + by) for p in payload.peers)
    return replace(payload, peers=peers, start=payload.start + by, end=payload.end + by, error=error)
