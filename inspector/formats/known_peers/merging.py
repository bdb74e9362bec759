"""One list of peers from several files: the union of all sound slots, newest first; and what two files differ in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from inspector.comparing import Described, Identities, Row, digest_of, key_of, pack
from inspector.copies import Loss, Merge, Take
from inspector.errors import RefusedError, UsageError
from inspector.format import Proof, Wishes
from inspector.formats.known_peers.payload import DIGEST, MAX_PEERS, Peer, write_peer
from inspector.formats.known_peers.plan import List, after, build_list, limited, plausible
from inspector.formats.known_peers.slots import Slot, cache_for, slot_length
from inspector.formats.known_peers.state import State
from inspector.formats.known_peers.views import moment
from inspector.span import Span

SLOT, PEER = 1, 2
_UNREAD = frozenset({"bad checksum", "torn", "cut"})


class Listed(Struct, frozen=True):
    """The peers of one slot of one copy."""

    copy: int
    slot: Slot
    peers: tuple[Peer, ...]
    timestamp: int
    sealed: bool = True


def merge(states: Sequence[State], wishes: Wishes, item: str | None) -> Merge:
    if item is not None:
        raise UsageError("a list of known peers is merged as a whole", "leave --item out")
    found = [Listed(n, *one) for n, state in enumerate(states) for one in state.sealed]
    found.sort(key=lambda one: (-one.timestamp, one.copy, one.slot.index))
    if "unsealed" in wishes.accept:
        found += _loose(states, found)
    if not found:
        raise RefusedError("no slot of any copy has a good digest: nothing is proved", "--accept unsealed takes more")
    newest = found[0]
    room = states[newest.copy].geometry.room
    cache_size = newest.slot.payload.cache_size or 0
    if not cache_size or slot_length(cache_size) != room:
        cache_size = cache_for(room) or MAX_PEERS
    union = limited((peer for one in found for peer in one.peers), None)
    timestamp = newest.timestamp if newest.sealed else plausible(newest.timestamp)
    if wishes.touch:
        timestamp = wishes.at if wishes.at is not None else int(time.time())
    proof: Proof = "derived" if all(one.sealed for one in found) else "none"
    used = frozenset({newest.slot.index})
    chosen = List(newest.slot.payload.generation, cache_size, timestamp, union[:cache_size], None, used, proof)
    made, notes = build_list(chosen, states[newest.copy].geometry)
    order = tuple(dict.fromkeys([*(one.copy for one in found), *range(len(states))]))
    ages = tuple(_age(state) for state in states)
    plan = Merge((), 2 * room, order, ages, size=2 * room, notes=notes, after=after)
    plan.takes = _takes(plan, found, chosen, made, room)
    plan.counts = {"peers": len(chosen.peers), "sound_slots": sum(one.sealed for one in found)}
    if len(union) > len(chosen.peers):
        plan.counts["peers_beyond_the_limit"] = len(union) - len(chosen.peers)
        plan.notes.append(f"{len(union) - len(chosen.peers)} older peers are left out: the program keeps {cache_size}")
    _losses(plan, states, {peer.raw for peer in union})
    return plan


def _loose(states: Sequence[State], sealed: Sequence[Listed]) -> list[Listed]:
    known = {(one.copy, one.slot.index) for one in sealed}
    loose = [
        Listed(n, slot, tuple(p for p in slot.payload.peers if not p.problem), slot.payload.timestamp, sealed=False)
        for n, state in enumerate(states)
        for slot in state.slots
        if (n, slot.index) not in known and slot.payload.peers
    ]
    return sorted(loose, key=lambda one: (-one.timestamp, one.copy, one.slot.index))


def _age(state: State) -> str:
    times = [timestamp for _, _, timestamp in state.sealed]
    return f"its newest sound list is of {moment(max(times))}" if times else "no list in it is proved"


def _takes(plan: Merge, found: list[Listed], chosen: List, made: bytes, room: int) -> Iterator[Take]:
    """Both slots alike: head, each peer with the slot it comes from, digest."""
    origins: dict[bytes, tuple[int, Peer]] = {}
    for one in found:
        for peer in one.peers:
            origins.setdefault(peer.raw, (one.copy, peer))
    bodies = [write_peer(peer) for peer in chosen.peers]
    payload = len(made) - DIGEST
    while not made[:payload].endswith(b"".join(bodies)):  # some at the end did not fit
        bodies.pop()
    head = made[: payload - sum(map(len, bodies))]
    for slot in (0, 1):
        at = slot * room
        yield Take(-1, data=head, proof="derived", why="head of the list", units=0, at=at)
        at += len(head)
        for peer, body in zip(chosen.peers, bodies, strict=False):
            copy, first = origins[peer.raw]
            same = peer.addresses == first.addresses
            why = "" if same else "its addresses of all slots together"
            proof: Proof = chosen.proof if chosen.proof == "none" else "sealed" if same else "derived"
            yield Take(copy, Span(first.start, first.end), body, proof, why, 1 - slot, at)
            at += len(body)
        yield Take(-1, data=made[payload:], proof="derived", why="digest of the list", units=0, at=at)


def _losses(plan: Merge, states: Sequence[State], union: set[bytes]) -> None:
    """Slots that no digest proves and that hold, or may hold, peers that no sound slot has."""
    sound = [slot for state in states for slot, _, _ in state.sealed]
    digests = {slot.stored for slot in sound}
    lists = {(slot.payload.timestamp, slot.payload.declared) for slot in sound}
    for number, state in enumerate(states):
        proved = {slot.index for slot, _, _ in state.sealed}
        for slot in state.slots:
            if slot.index in proved or slot.verdict not in _UNREAD:
                continue
            missing = sum(peer.raw not in union for peer in slot.payload.peers)
            alike = (slot.payload.timestamp, slot.payload.declared) in lists and 2 * missing <= len(slot.payload.peers)
            if slot.stored in digests or alike:
                continue  # another copy has the list that was written here
            if missing or slot.payload.error:
                span = Span(slot.offset, max(slot.offset, slot.end))
                what = f"slot {'AB'[slot.index]} is not proved ({slot.verdict})"
                plan.lose(Loss(number, span, f"{what}; {missing} of its peers are in no sound slot"))


def identities(state: State) -> Identities:
    """The two slots, and the peers of the newest sound list."""
    newest = max(state.sealed, key=lambda one: (one[2], -one[0].index), default=None)
    peers = newest[1] if newest else ()

    def rows() -> Iterator[list[bytes]]:
        yield [
            pack(
                key_of(SLOT, bytes([slot.index])),
                digest_of(_slot_words(slot)),
                slot.offset,
                max(slot.offset, slot.end),
                slot.index,
            )
            for slot in state.slots
        ]
        yield [
            pack(key_of(PEER, peer.raw), digest_of(write_peer(peer)), peer.start, peer.end, number)
            for number, peer in enumerate(peers)
        ]

    def describe(row: Row) -> Described:
        span = Span(row.start, row.end)
        if row.kind == SLOT:
            slot = state.slots[row.extra]
            told = {"verdict": slot.verdict, "timestamp": slot.payload.timestamp, "peers": slot.payload.declared}
            return Described("AB"[slot.index], span, told)
        peer = peers[row.extra]
        return Described(
            peer.text, span, {address.text or address.raw.hex(): address.failed for address in peer.addresses}
        )

    return Identities({SLOT: "slot", PEER: "peer"}, rows(), describe, {})


def _slot_words(slot: Slot) -> bytes:
    return f"{slot.verdict} {slot.payload.timestamp} {slot.payload.declared}".encode() + slot.stored
