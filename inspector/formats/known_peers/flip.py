"""One flipped bit in a slot, found by trial: BLAKE3 is not linear, so every candidate is hashed.

The proof is the digest itself: 256 bits that match by chance once in 2^256 tries.
"""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from inspector.formats.known_peers.payload import DIGEST, Generation, Payload, head_length, parse_payload, read_peers
from inspector.formats.known_peers.scale import Malformed
from inspector.formats.known_peers.slots import is_sealed

MAX_PAYLOAD = 16 << 10  # trials grow with the square of the payload: 16 KiB take about a second
MAX_WORK = 1 << 20  # bytes decoded in all trials of lengths
NEAR = 2  # entries before the place where decoding stopped that may hold the flipped length


@dataclass(frozen=True, slots=True)
class Flip:
    """The bit, as an offset in the buffer and its value in that byte, and the slot's bytes with it put right."""

    at: int
    bit: int
    payload: Payload
    data: bytes  # payload and digest


def one_flip(buf: bytes, generation: Generation) -> Flip | None:
    """The single bit whose change makes the slot at the start of `buf` verify, or None."""
    payload = parse_payload(buf, 0, len(buf), generation)
    if payload.error is None and payload.end + DIGEST <= len(buf):
        return _in_content(buf, payload)
    if payload.end > MAX_PAYLOAD:
        return None
    return _in_structure(buf, payload)


def _in_content(buf: bytes, payload: Payload) -> Flip | None:
    end = payload.end
    stored = buf[end : end + DIGEST]
    differ = int.from_bytes(blake3(buf[:end]).digest(), "little") ^ int.from_bytes(stored, "little")
    if differ.bit_count() == 1:
        place = differ.bit_length() - 1
        return _fixed(buf, end + place // 8, place % 8, payload)
    if end > MAX_PAYLOAD:
        return None
    trial = bytearray(buf[:end])
    for at in range(end):
        for bit in range(8):
            trial[at] ^= 1 << bit
            if blake3(trial).digest() == stored:
                return _fixed(buf, at, bit, payload)
            trial[at] ^= 1 << bit
    return _in_structure(buf, payload)  # a flipped length may still decode, with another end


def _in_structure(buf: bytes, payload: Payload) -> Flip | None:
    """Bits of counts, lengths and flags: those of the last entries that decoded, and of the number of peers."""
    head = head_length(payload.generation)
    stop = min((payload.error.at if payload.error else payload.end) + 2, len(buf), MAX_PAYLOAD)
    resume = max(0, len(payload.peers) - NEAR)
    begin = payload.peers[resume].start if payload.peers else head
    work = 0
    for at in (*range(stop - 1, max(begin, head) - 1, -1), *range(head, min(head + 2, len(buf)))):
        from_entry = resume if at >= begin and payload.peers else 0
        for bit in range(8):
            if work > MAX_WORK:
                return None
            found, cost = _try(buf, at, bit, payload, from_entry)
            work += cost
            if found:
                return found
    return None


def _try(buf: bytes, at: int, bit: int, payload: Payload, resume: int) -> tuple[Flip | None, int]:
    """The slot with that bit changed, if it then verifies, and the bytes that were decoded to know it.

    Entries before number `resume` are not read again.
    """
    trial = bytearray(buf[: MAX_PAYLOAD + DIGEST])
    trial[at] ^= 1 << bit
    mended = bytes(trial)
    cost = 0
    if resume:
        start = payload.peers[resume].start
        end, whole = _decodes(mended, start, payload.declared - resume)
        cost = end - start
        if not whole or (payload.error is None and end == payload.end):
            return None, cost  # does not decode, or to an end that was tried already
    read = parse_payload(mended, 0, len(mended), payload.generation)
    cost += read.length
    return (Flip(at, bit, read, mended[: read.end + DIGEST]) if is_sealed(mended, read) else None), cost


def _decodes(mended: bytes, start: int, count: int) -> tuple[int, bool]:
    """Where decoding `count` entries from `start` ends, and whether all of them decode."""
    end = start
    for peer in read_peers(mended, start, len(mended), count):
        if isinstance(peer, Malformed):
            return max(end, peer.at), False
        end = peer.end
    return end, True


def _fixed(buf: bytes, at: int, bit: int, payload: Payload) -> Flip:
    mended = bytearray(buf[: payload.end + DIGEST])
    mended[at] ^= 1 << bit
    data = bytes(mended)
    return Flip(at, bit, parse_payload(data, 0, len(data), payload.generation), data)
