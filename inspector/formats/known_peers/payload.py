"""The payload of a slot: cache size, time of writing, and the peers, in three generations.

Source: subspace-networking/src/behavior/persistent_parameters.rs (`EncodableKnownPeers`), SCALE encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from inspector.formats.known_peers.identity import peer_problem, peer_text
from inspector.formats.known_peers.multiaddr import Refused, address_text, components
from inspector.formats.known_peers.scale import Malformed, compact, sized, write_compact, write_sized

Generation = Literal[1, 2, 3]
NEWEST_FIRST: tuple[Generation, ...] = (3, 2, 1)
CACHE_WIDTH: dict[Generation, int] = {1: 0, 2: 8, 3: 4}  # bytes of cache_size in front of the time
DIGEST = 32
MAX_PEERS, MAX_ADDRESSES, MAX_ADDRESS = 100, 30, 150  # what the node writes (lines 32-34 of the source)
MAX_KEPT = 20_000  # peers kept in memory of one slot; a node's largest cache is 10,000
MAX_KEPT_ADDRESSES = 300_000  # of all peers of a slot: 10,000 with 30 each
LIGHT = 500  # entries of a payload that is sooner read again than kept
MOST_WEIGHT = 250_000  # of the payloads that are kept
_NOBODY = b"\0\0"  # a peer without a name and without addresses
TOGETHER = 64  # addresses that are passed at once where a peer has so many; a node writes 30
# addresses whose length is one byte and whose dialling never failed, in a row
_TOGETHER = re.compile(
    rb"(?:%s){%d}+" % (b"|".join(b"%s.{%d}\0" % (re.escape(bytes([4 * n])), n) for n in range(64)), TOGETHER),
    re.DOTALL,
)


class Address(Struct, frozen=True, gc=False):
    """One address and when dialling it first failed (unix seconds; None: never)."""

    raw: bytes
    failed: int | None = None

    @property
    def text(self) -> str | None:
        return address_text(self.raw)

    @property
    def problem(self) -> str:
        return _address_problem(self.raw)


@lru_cache(maxsize=4096)
def _address_problem(raw: bytes) -> str:
    parts = components(raw)
    if isinstance(parts, Refused):
        return f"address byte {parts.at}: {parts.why}"
    return "" if parts else "an empty address"


class Peer(Struct, frozen=True):
    """One entry; `start` and `end` are offsets in the buffer it was read from."""

    raw: bytes
    addresses: tuple[Address, ...]
    start: int = 0
    end: int = 0

    @property
    def text(self) -> str:
        return peer_text(self.raw)

    @property
    def problem(self) -> str:
        """Why a node drops this whole entry ("skipping peer entry"); empty when it takes it."""
        return _entry_problem(self.raw, self.addresses)


@lru_cache(maxsize=1024)
def _entry_problem(raw: bytes, addresses: tuple[Address, ...]) -> str:
    found = peer_problem(raw)
    different = () if found else dict.fromkeys([a.raw for a in addresses])  # there may be thousands of the same
    return found or next((problem for one in different if (problem := _address_problem(one))), "")


class Payload(Struct, frozen=True):
    """What decoding found; `error` is None when all `declared` peers decoded and ended at `end`."""

    generation: Generation
    cache_size: int | None
    timestamp: int
    declared: int
    peers: tuple[Peer, ...]
    start: int
    end: int
    error: Malformed | None = None

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def first_invalid(self) -> Peer | None:
        return next((p for p in self.peers if p.problem), None)


def head_length(generation: Generation) -> int:
    return CACHE_WIDTH[generation] + 8


class _Parsed:
    """Payloads read last, a bounded number of entries in all: claims, slots and trials ask for the same bytes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, int, int, Generation], Payload] = {}
        self._weight = 0

    def __call__(self, buf: bytes, start: int, end: int, generation: Generation) -> Payload:
        """Decode as the node would; whatever decoded before an error is kept."""
        key = (buf, start, end, generation)
        found = self._kept.get(key)
        if found is None:
            found = _parse(buf, start, end, generation)
            weight = _weight(found) + (len(buf) >> 6)
            if LIGHT < weight < MOST_WEIGHT // 2:
                while self._weight + weight > MOST_WEIGHT:
                    oldest = next(iter(self._kept))
                    self._weight -= _weight(self._kept.pop(oldest)) + (len(oldest[0]) >> 6)
                self._kept[key] = found
                self._weight += weight
        return found


def _weight(payload: Payload) -> int:
    return len(payload.peers) + sum(len(peer.addresses) for peer in payload.peers)


parse_payload = _Parsed()


def _parse(buf: bytes, start: int, end: int, generation: Generation) -> Payload:
    width = CACHE_WIDTH[generation]
    body = start + width + 8
    if body > end:
        return Payload(generation, None, 0, 0, (), start, end, Malformed(end, "the bytes end inside the header"))
    cache = int.from_bytes(buf[start : start + width], "little") if width else None
    timestamp = int.from_bytes(buf[start + width : body], "little")
    if generation == 2 and cache == 0:
        refused = Malformed(start, "a cache size of 0, which the codec refuses")
        return Payload(generation, cache, timestamp, 0, (), start, start, refused)
    count = compact(buf, body, end)
    if isinstance(count, Malformed):
        return Payload(generation, cache, timestamp, 0, (), start, count.at, count)
    declared, at = count
    found: list[Peer] = []
    error: Malformed | None = None
    for peer in read_peers(buf, at, end, min(declared, MAX_KEPT)):
        if isinstance(peer, Malformed):
            error = peer
            break
        found.append(peer)
        at = peer.end
    if error is None and declared > len(found):
        error = Malformed(at, f"{declared} peers declared; only {MAX_KEPT} are read")
    return Payload(generation, cache, timestamp, declared, tuple(found), start, at, error)


def payload_end(buf: bytes, generation: Generation) -> int | None:
    """Where the payload at the start of `buf` ends if all of it decodes, else None: `parse_payload` without the peers,
    for whoever asks thousands of times."""
    end, whole = payload_reach(buf, 0, generation)
    return end if whole else None


def payload_reach(buf: bytes, start: int, generation: Generation) -> tuple[int, bool]:
    """How far the payload at `start` decodes, and whether all of it does."""
    width = CACHE_WIDTH[generation]
    at = start + width + 8
    if at > len(buf) or (generation == 2 and not int.from_bytes(buf[start : start + width], "little")):
        return start, False
    head = _count(buf, at, len(buf))
    if head is None or head[0] > MAX_KEPT:
        return at, False
    return entries_end(buf, head[1], head[0])


def entries_end(buf: bytes, at: int, count: int) -> tuple[int, bool]:
    """Where decoding `count` entries ends, and whether all of them decode."""
    end, kept = len(buf), 0
    for _ in range(count):
        if buf.startswith(_NOBODY, at):
            at += 2
            continue
        name = _count(buf, at, end)
        listed = None if name is None or name[0] > end - name[1] else _count(buf, name[0] + name[1], end)
        if listed is None or listed[0] > MAX_KEPT_ADDRESSES or listed[0] * 2 > end - listed[1]:
            return at, False
        more, at = listed
        kept += more
        if kept > MAX_KEPT_ADDRESSES:
            return at, False
        while more >= TOGETHER and (run := _TOGETHER.match(buf, at, end)):  # there may be hundreds of thousands of them
            at, more = run.end(), more - TOGETHER
        for _ in range(more):
            if at < end and (head := buf[at]) % 4 == 0:  # nearly always
                behind = at + 1 + (head >> 2)
                if behind < end and not buf[behind]:
                    at = behind + 1
                    continue
            address = _count(buf, at, end)
            behind = end if address is None else address[0] + address[1]
            if behind >= end or buf[behind] > 1 or (buf[behind] and end - behind < 9):
                return at, False
            at = behind + (9 if buf[behind] else 1)
    return at, True


def _count(buf: bytes, at: int, end: int) -> tuple[int, int] | None:
    """`compact`, mostly a single byte."""
    if at < end and buf[at] % 4 == 0:
        return buf[at] >> 2, at + 1
    found = compact(buf, at, end)
    return None if isinstance(found, Malformed) else found


def read_peers(buf: bytes, at: int, end: int, count: int) -> Iterator[Peer | Malformed]:
    """Up to `count` entries from `at`; the first that does not decode is yielded as `Malformed` and ends it."""
    kept = 0
    for _ in range(count):
        peer = read_peer(buf, at, end)
        if not isinstance(peer, Malformed):
            kept += len(peer.addresses)
        if kept > MAX_KEPT_ADDRESSES:
            peer = Malformed(at, f"more than {MAX_KEPT_ADDRESSES} addresses in one slot; no more are read")
        yield peer
        if isinstance(peer, Malformed):
            return
        at = peer.end


def read_peer(buf: bytes, start: int, end: int) -> Peer | Malformed:
    if buf.startswith(_NOBODY, start, end):  # as zeroes decode: thousands of them
        return Peer(b"", (), start, start + 2)
    name = sized(buf, start, end)
    if isinstance(name, Malformed):
        return name
    raw, at = name
    count = compact(buf, at, end)
    if isinstance(count, Malformed):
        return count
    # an address takes at least two bytes: its length and its time flag
    if count[0] > MAX_KEPT_ADDRESSES or count[0] * 2 > end - count[1]:
        return Malformed(at, f"{count[0]} addresses declared, {end - count[1]} bytes are left")
    at = count[1]
    addresses: list[Address] = []
    while count[0] - len(addresses) >= TOGETHER and (run := _TOGETHER.match(buf, at, end)):
        last = run.end()
        while at < last:
            behind = at + 1 + (buf[at] >> 2)
            addresses.append(Address(buf[at + 1 : behind]))
            at = behind + 1
    for _ in range(count[0] - len(addresses)):
        if at < end and (head := buf[at]) % 4 == 0:
            behind = at + 1 + (head >> 2)
            if behind < end and not buf[behind]:
                addresses.append(Address(buf[at + 1 : behind], None))
                at = behind + 1
                continue
        body = sized(buf, at, end)
        if isinstance(body, Malformed):
            return body
        address, at = body
        if at >= end or buf[at] > 1 or (buf[at] == 1 and end - at < 9):
            return Malformed(at, "the time of a failed dial is neither absent (0) nor present (1)")
        failed = int.from_bytes(buf[at + 1 : at + 9], "little") if buf[at] else None
        at += 9 if buf[at] else 1
        addresses.append(Address(address, failed))
    return Peer(raw, tuple(addresses), start, at)


def write_payload(generation: Generation, cache_size: int, timestamp: int, peers: Sequence[Peer]) -> bytes:
    """The bytes a node of that generation writes; the digest follows them in the slot."""
    out = bytearray(cache_size.to_bytes(CACHE_WIDTH[generation], "little") if CACHE_WIDTH[generation] else b"")
    out += timestamp.to_bytes(8, "little")
    out += write_compact(len(peers))
    for peer in peers:
        out += write_peer(peer)
    return bytes(out)


def write_peer(peer: Peer) -> bytes:
    out = bytearray(write_sized(peer.raw) + write_compact(len(peer.addresses)))
    for address in peer.addresses:
        out += write_sized(address.raw)
        out += b"\0" if address.failed is None else b"\1" + address.failed.to_bytes(8, "little")
    return bytes(out)
