"""A new file from the newest proved list: both slots the same, the right length, the node's limits kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from blake3 import blake3
from msgspec import Struct

from inspector.errors import RefusedError
from inspector.finding import Severity
from inspector.format import FREE, UNIT, Action, Edit, Plan, Proof, Wishes
from inspector.formats.known_peers.check import findings, first_is_erased
from inspector.formats.known_peers.loader import MAX_AGE
from inspector.formats.known_peers.payload import (
    DIGEST,
    MAX_ADDRESS,
    MAX_ADDRESSES,
    MAX_PEERS,
    Address,
    Generation,
    Peer,
    write_payload,
)
from inspector.formats.known_peers.place import Geometry
from inspector.formats.known_peers.slots import EARLIEST, LATEST, cache_for, slot_length
from inspector.formats.known_peers.state import Region, State, last_byte, regions
from inspector.span import Span


class List(Struct, frozen=True):
    """What will be written: `base` is the slot it comes from (None: no slot is proved), `used` all that gave peers."""

    generation: Generation
    cache_size: int
    timestamp: int
    peers: tuple[Peer, ...]
    base: int | None
    used: frozenset[int]
    proof: Proof


def plan(state: State, wishes: Wishes) -> Plan:
    size = state.geometry.size
    wrong = any(f.level is not Severity.NOTE and f.rule.slug != "list-too-old" for f in findings(state))
    accepted = "unsealed" in wishes.accept
    if not wrong and not wishes.touch:
        whole = [Edit("kept", Span(0, size), units=sum(s.sealed for s in state.slots))] if size else []
        return Plan(whole, size, notes=["nothing is wrong: a copy"], after=after)
    chosen = compose(state, wishes, accepted)
    made, notes = build_list(chosen, state.geometry) if chosen else (b"", [])
    if chosen and not wishes.touch:
        notes.append(
            f"the list keeps its time of writing ({chosen.timestamp}): a node since 2024-05-30 ignores it more than "
            f"{MAX_AGE // 3600} hours later; --touch writes the current time"
        )
    if chosen is None:
        notes.append("there is no list to save: the output is the empty file a node begins with")
    edits = _edits(state, chosen, made)
    return Plan(edits, 2 * state.geometry.room, size=2 * state.geometry.room, notes=notes, after=after)


def compose(state: State, wishes: Wishes, accepted: bool) -> List | None:
    """The newest proved list, with peers of slots without a digest if they are accepted; None when all is empty."""
    proved = state.sealed
    base = max(proved, key=lambda p: (p[2], -p[0].index), default=None)
    known = {slot.index for slot, _, _ in proved}
    loose = [s for s in state.slots if s.index not in known and s.payload.peers] if accepted else []
    if base is None and not loose:
        unsealed = sum(not p.problem for s in state.slots for p in s.payload.peers)
        if unsealed == 0:
            return None
        raise RefusedError(
            "no slot has a good digest: nothing in this file is proved",
            f"--accept unsealed writes the {unsealed} entries whose id and addresses parse",
        )
    gathered = list(base[1]) if base else []
    for slot in sorted(loose, key=lambda s: s.payload.timestamp, reverse=True):
        gathered += [p for p in slot.payload.peers if not p.problem and p.addresses]
    cache_size = cache_for(state.geometry.room) or MAX_PEERS
    if base and base[0].payload.cache_size and slot_length(base[0].payload.cache_size) == state.geometry.room:
        cache_size = base[0].payload.cache_size
    peers = limited(gathered, cache_size)
    timestamp = base[2] if base else max((plausible(s.payload.timestamp) for s in loose), default=0)
    if wishes.touch:
        timestamp = wishes.at if wishes.at is not None else int(time.time())
    used = frozenset(s.index for s in loose) | ({base[0].index} if base else frozenset())
    same = (
        base is not None
        and not (loose or wishes.touch)
        and base[0].payload.cache_size == cache_size  # else its digest is another one
        and _contents(peers) == _contents(base[1])
    )
    proof: Proof = "none" if loose else "sealed" if same else "derived"
    generation = base[0].payload.generation if base else state.generation
    return List(generation, cache_size, timestamp, peers, base[0].index if base else None, used, proof)


def limited(peers: Iterable[Peer], cache_size: int | None) -> tuple[Peer, ...]:
    """Each peer once with its addresses merged, refused entries and addresses out, the writer's limits kept.

    Without a `cache_size` all of them, however many.
    """
    merged: dict[bytes, dict[bytes, Address]] = {}
    for peer in peers:
        if peer.problem:
            continue
        addresses = merged.setdefault(peer.raw, {})
        for address in peer.addresses:
            if len(address.raw) <= MAX_ADDRESS and len(addresses) < MAX_ADDRESSES:
                addresses.setdefault(address.raw, address)
    whole = [Peer(raw, tuple(addresses.values())) for raw, addresses in merged.items()]
    return tuple(whole[:cache_size])


def _contents(peers: Iterable[Peer]) -> list[tuple[bytes, tuple[Address, ...]]]:
    return [(p.raw, p.addresses) for p in peers]


def plausible(timestamp: int) -> int:
    return timestamp if EARLIEST < timestamp < LATEST else 0


def build_list(chosen: List, geometry: Geometry) -> tuple[bytes, list[str]]:
    """Payload and digest; peers at the end are left out when a full list is longer than its slot."""
    peers = list(chosen.peers)
    notes: list[str] = []
    while True:
        payload = write_payload(chosen.generation, chosen.cache_size, chosen.timestamp, peers)
        if len(payload) + DIGEST <= geometry.room:
            break
        del peers[-max(1, len(peers) // 50) :]
    if len(peers) < len(chosen.peers):
        notes.append(f"{len(chosen.peers) - len(peers)} peers do not fit in a slot and are left out")
    return payload + blake3(payload).digest(), notes


def _edits(state: State, chosen: List | None, made: bytes) -> Iterator[Edit]:
    placed: set[int] = set()
    room = state.geometry.room
    for region in regions(state):
        start, end, role, _, _ = region
        if role == FREE:
            yield from _slack(state, start, end, len(made))
        elif role == UNIT:
            slot = max((s for s in state.slots if s.offset <= start), key=lambda s: s.offset)
            yield _unit(state, chosen, made, region, slot.index)
            if chosen and slot.index in chosen.used:
                placed.add(slot.index)
        elif last_byte(state.source, start, end) > start:
            yield Edit("lost", Span(start, end), why="bytes that belong to no slot that could be read")
        else:
            yield Edit("dropped", Span(start, end), why="zeroes past the slots")
    size = state.source.length()
    for slot in state.slots:
        if slot.verdict == "absent" and size:
            why = f"slot {'AB'[slot.index]} lay behind the end: whether its list was the newer one is not known"
            yield Edit("lost", Span(size, size), why=why, units=-1)
    for index in (0, 1):
        if made and index not in placed and chosen:
            yield Edit("added", data=made, proof=chosen.proof, why="the saved list", units=1, at=index * room)


def _unit(state: State, chosen: List | None, made: bytes, region: Region, index: int) -> Edit:
    start, end, _, _, mark = region
    span, target = Span(start, end), index * state.geometry.room
    if chosen and index in chosen.used:
        if state.source.read(start, end - start) == made:
            return Edit("kept", span, proof="sealed", units=1, at=target)
        why = "the flipped bit put right" if index in state.flips else "the list written again with a digest"
        return Edit("corrected", span, made, chosen.proof, why, 1, at=target)
    action: Action = "lost" if mark else "dropped"
    why = "its digest does not hold" if mark else "an older list"
    return Edit(action, span, why=why, units=1)


def _slack(state: State, start: int, end: int, used: int) -> Iterator[Edit]:
    """Zero slack stays where it is; old tails, and what the new list covers, go."""
    room = state.geometry.room
    cut = last_byte(state.source, start, end)
    for base in (0, room):
        if base < end and start < base + used:
            cut = max(cut, min(end, base + used))
    if cut > start and start == 0 and first_is_erased(state):
        yield Edit("lost", Span(start, cut), why="the list of slot A, which was erased", units=1)
    elif cut > start:
        yield Edit("dropped", Span(start, cut), why="slack behind a list, or covered by the new one")
    if cut < end:
        yield Edit("kept", Span(cut, end), at=cut)


def after(source: str, output: str) -> tuple[str, ...]:
    return (
        "stop the node (or the farmer)",
        f"the way back: cp -p {source} {source}.before",
        f"cp {output} {source}",
        "start it; with the log filter subspace_networking=debug it says how many peers it loaded",
    )
