"""One flipped bit in a slot, found by trial: BLAKE3 is not linear, so every candidate is hashed.

The proof is the digest itself: 256 bits that match by chance once in 2^256 tries.
"""

from __future__ import annotations

from collections.abc import Iterator

from blake3 import blake3
from msgspec import Struct

from inspector.correct import SILENT, Candidate, decide
from inspector.formats.known_peers.payload import (
    DIGEST,
    Address,
    Generation,
    Payload,
    entries_end,
    head_length,
    parse_payload,
    payload_end,
)
from inspector.formats.known_peers.scale import write_compact
from inspector.trial import flipped, stored_flip

MAX_PAYLOAD = 16 << 10  # trials grow with the square of the payload
MAX_HASHED = 1300 << 20  # bytes hashed in the trials of all slots: two lists of 9 KiB or one of 12.7, half a second
MAX_WORK = 4 << 20  # bytes decoded in all trials of lengths: a length may lead 300 bytes astray before it shows
NEAR = 2  # entries before the place where decoding stopped that may hold the flipped length


class Flip(Struct, frozen=True):
    """The bit, as an offset in the buffer and its value in that byte, and the slot's bytes with it put right."""

    at: int
    bit: int
    payload: Payload
    data: bytes  # payload and digest


class Hashing(Struct):
    """What the trials of all slots may still hash."""

    left: int = MAX_HASHED

    def takes(self, length: int) -> bool:
        """Whether every bit of so many bytes may be tried."""
        work = 8 * length * length
        if work > self.left:
            return False
        self.left -= work
        return True


def one_flip(buf: bytes, generation: Generation, hashing: Hashing | None = None) -> Flip | None:
    """The single bit whose change makes the slot at the start of `buf` verify, or None."""
    payload = parse_payload(buf, 0, len(buf), generation)
    if payload.end > MAX_PAYLOAD and payload.error is not None:
        return None
    found = decide(buf, _candidates(buf, payload, hashing or Hashing()), lambda *_: SILENT, 8 * len(buf), 8 * DIGEST)
    if found.verdict != "sealed":
        return None
    ((at, mask),) = found.patch
    read = parse_payload(found.unit, 0, len(buf), generation)
    return Flip(at, mask.bit_length() - 1, read, found.unit[: read.end + DIGEST])


def _candidates(buf: bytes, payload: Payload, hashing: Hashing) -> Iterator[Candidate]:
    """Single flips after which the slot verifies: of the stored digest, of what it covers, of counts and lengths."""
    end = payload.end
    if payload.error is None and end + DIGEST <= len(buf):
        stored = buf[end : end + DIGEST]
        yield from stored_flip(stored, blake3(buf[:end]).digest(), end)
        if not hashing.takes(end):
            return
        yield from flipped(buf[:end], lambda trial: blake3(trial).digest() == stored)
    yield from _in_structure(buf, payload)  # a flipped length may still decode, with another end


def _in_structure(buf: bytes, payload: Payload) -> Iterator[Candidate]:
    """Bits of counts, lengths and flags: of the last entries that decoded, the number of peers, then all others."""
    head = head_length(payload.generation)
    stop = min((payload.error.at if payload.error else payload.end) + 2, len(buf), MAX_PAYLOAD)
    resume = max(0, len(payload.peers) - NEAR)
    begin = payload.peers[resume].start if payload.peers else head
    near = (*range(stop - 1, max(begin, head) - 1, -1), *range(head, min(head + 2, len(buf))))
    places = [(at, resume if at >= begin and payload.peers else 0) for at in near]
    work = 0
    for at, from_entry in (*places, *_framing(payload, resume)):
        for bit in range(8):
            if work > MAX_WORK:
                return
            verifies, cost = _try(buf, at, bit, payload, from_entry)
            work += cost
            if verifies:
                yield Candidate(((at, 1 << bit),), "one flipped bit")


def _framing(payload: Payload, count: int) -> Iterator[tuple[int, int]]:
    """Bytes of counts, lengths and flags in the first `count` entries, the last entry first: (byte, entry)."""
    for number in range(count - 1, -1, -1):
        peer = payload.peers[number]
        at = peer.start
        for part in (peer.raw, None, *peer.addresses):
            size = len(peer.addresses) if part is None else len(part.raw if isinstance(part, Address) else part)
            width = len(write_compact(size))
            yield from ((at + k, number) for k in range(width))
            at += width + (size if part is not None else 0)
            if isinstance(part, Address):
                yield at, number
                at += 9 if part.failed is not None else 1


def _try(buf: bytes, at: int, bit: int, payload: Payload, resume: int) -> tuple[bool, int]:
    """Whether the slot verifies with that bit changed, and the bytes that were decoded to know it.

    Entries before number `resume` are not read again.
    """
    trial = bytearray(buf[: MAX_PAYLOAD + DIGEST])
    trial[at] ^= 1 << bit
    mended = bytes(trial)
    cost = 0
    if resume:
        start = payload.peers[resume].start
        end, whole = entries_end(mended, start, payload.declared - resume)
        cost = end - start
        if not whole or (payload.error is None and end == payload.end):
            return False, cost  # does not decode, or to an end that was tried already
    read = payload_end(mended, payload.generation)
    if read is None:
        return False, cost + (payload.error.at if payload.error else payload.end)
    return blake3(mended[:read]).digest() == mended[read : read + DIGEST], cost + read
