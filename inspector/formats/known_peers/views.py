"""What the owner is told: the answer in plain words, the peers as records, a slot laid open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from inspector.counted import counted
from inspector.field import Field
from inspector.finding import Severity, Tally
from inspector.format import Answer, Entry, Exhibit, Item, Query
from inspector.formats.known_peers.check import findings
from inspector.formats.known_peers.layout import HEADS, SEAL
from inspector.formats.known_peers.loader import MAX_AGE, outcomes
from inspector.formats.known_peers.multiaddr import address_text
from inspector.formats.known_peers.payload import DIGEST, Peer, head_length
from inspector.formats.known_peers.slots import LATEST, Slot
from inspector.formats.known_peers.state import State, regions
from inspector.span import Span

MAX_SHOWN = 200  # fields of peers in one exhibit
DATA_SHOWN = 4096
SAID = {  # of a slot that the node does not take as it lies
    "bad checksum": "does not match its digest",
    "torn": "is torn",
    "cut": "is cut",
    "never sealed": "never got its digest",
    "misplaced": "is misplaced",
}


def moment(timestamp: int) -> str:
    """A unix time as text; nonsense from damaged bytes stays a number."""
    return (
        datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if timestamp < LATEST else str(timestamp)
    )


def answer(state: State, tally: Tally) -> Answer:
    generation = f"v{state.generation}"
    size = state.geometry.size
    version = generation if any(s.sealed or s.payload.peers for s in state.slots) else ""
    length = 2 * state.geometry.room
    return Answer(
        version,
        state.geometry.because,
        tuple(_words(state)),
        _summary(state),
        outcomes(size, state.halves, length, state.wishes.at)
        if size >= 2
        else outcomes(size, state.slots, length, None),
        _next(state, tally),
    )


def _words(state: State) -> Iterator[str]:
    size = state.geometry.size
    if size == 0:
        yield "An empty file: the node takes it for a new one."
        return
    if size == 1:
        yield "A file of one byte: the node panics at every start. Delete the file; there is nothing in it to save."
        return
    chosen = state.choice.slot
    if chosen:
        when = moment(chosen.payload.timestamp)
        yield (
            f"The node loads slot {'AB'[chosen.index]}: {chosen.payload.declared} peers written {when} "
            f"({state.choice.why})."
        )
    elif all(s.verdict == "zero" for s in state.slots):
        yield "Both slots are zero: a new file, nothing was ever saved in it."
    else:
        yield "No slot that the node looks at is good: it starts with an empty list and finds peers through its "\
            "bootstrap nodes."  # fmt: skip
    best = max((p for p in state.sealed), key=lambda p: p[2], default=None)
    if best and (chosen is None or best[2] > chosen.payload.timestamp):
        yield f"Slot {'AB'[best[0].index]} holds a newer list of {len(best[1])} peers that a repair brings back."
    for slot in state.slots:
        if slot.verdict not in ("good", "zero"):
            parse = sum(not p.problem for p in slot.payload.peers)
            name = f"Slot {'AB'[slot.index]}"
            if slot.verdict == "absent":
                yield f"{name} is not there: the file ends before it."
            elif slot.payload.declared == 0:
                yield f"{name} {SAID[slot.verdict]}; no peer of it can be read."
            else:
                yield f"{name} {SAID[slot.verdict]}; {parse} of its {slot.payload.declared} peers can be read."
    listed = {p.raw for _, peers, _ in state.sealed for p in peers}
    loose = [p for s in state.slots if not s.sealed and s.index not in state.flips for p in s.payload.peers]
    more = len({p.raw for p in loose if not p.problem} - listed)
    if more and state.sealed:
        yield f"{counted(more, 'peer')} that no sealed list names can be read; --accept unsealed writes them as well."
    yield "Peers are found again by the network; no funds and no plots depend on this file."


def _next(state: State, tally: Tally) -> tuple[str, ...]:
    wrong = tally.severity_count(Severity.ERROR) + tally.severity_count(Severity.WARNING)
    if state.geometry.size < 2 or not wrong:
        return ()
    if state.sealed:
        return ("inspector repair {path} -o known_addresses.repaired.bin",)
    if any(not p.problem for s in state.slots for p in s.payload.peers):
        return ("inspector repair {path} -o known_addresses.repaired.bin --accept unsealed",)
    return ()


def _summary(state: State) -> dict[str, Any]:
    chosen = state.choice.slot
    winner = None
    until = None
    if chosen:
        payload = chosen.payload
        winner = {"slot": chosen.index, "timestamp": payload.timestamp, "peers": payload.declared}
        until = payload.timestamp + MAX_AGE
    summary: dict[str, Any] = {
        "generation": f"v{state.generation}",
        "slots": [_slot_summary(state, s) for s in state.slots],
        "winner": winner,
        "because": state.choice.why,
        "usable_until": until,
        "old_peers_in_slack": len(state.carved),
    }
    if state.wishes.at is not None:
        summary["usable"] = until is not None and state.wishes.at <= until
    return summary


def _slot_summary(state: State, slot: Slot) -> dict[str, Any]:
    payload = slot.payload
    flip = state.flips.get(slot.index)
    seen = slot.verdict not in ("zero", "absent")
    return {
        "slot": slot.index,
        "offset": slot.offset,
        "verdict": slot.verdict,
        "generation": f"v{payload.generation}" if seen else None,
        "timestamp": payload.timestamp if seen else None,
        "peers": payload.declared if seen else 0,
        "peers_that_parse": sum(not p.problem for p in payload.peers) if seen else 0,
        "payload_length": payload.length if seen else 0,
        "stored": slot.stored.hex() or None,
        "computed": slot.computed.hex() or None,
        "torn_at": slot.torn_at,
        "flipped": [slot.offset + flip.at, flip.bit] if flip else None,
    }


def records(state: State, query: Query) -> Iterator[Entry]:
    """Each slot with its peers, then old ones from the slack, in the order of offsets."""
    for slot in state.slots:
        flip = state.flips.get(slot.index)
        if slot.verdict != "absent":
            yield from _slot_entry(state, query, slot)
        peers = flip.payload.peers if flip else slot.payload.peers
        if slot.verdict == "zero":
            continue
        for peer in peers:
            trusted = "ok" if slot.sealed else "corrected" if flip else slot.verdict
            yield from _entry(query, "peer", peer, "refused" if peer.problem else trusted, slot.index)
    for peer in state.carved:
        yield from _entry(query, "old-peer", peer, "old", None)


def _slot_entry(state: State, query: Query, slot: Slot) -> Iterator[Entry]:
    end = min(slot.offset + slot.room, state.geometry.size) if slot.verdict == "zero" else slot.end
    if query.kinds and "slot" not in query.kinds:
        return
    if (query.damaged and slot.verdict in ("good", "zero")) or end <= query.start:
        return
    if query.end is None or slot.offset < query.end:
        told = _slot_summary(state, slot)
        yield Entry(Span(slot.offset, end), "slot", told.pop("verdict"), told)


def _entry(query: Query, kind: str, peer: Peer, trust: str, slot: int | None) -> Iterator[Entry]:
    if query.kinds and kind not in query.kinds:
        return
    if query.damaged and trust == "ok":
        return
    if peer.end <= query.start or (query.end is not None and peer.start >= query.end):
        return
    yield Entry(Span(peer.start, peer.end), kind, trust, {"slot": slot, **_fields(peer)})


def _fields(peer: Peer) -> dict[str, Any]:
    addresses = [
        {"address": f"0x{a.raw[:64].hex()}" if (text := address_text(a.raw)) is None else text, "failed_at": a.failed}
        for a in peer.addresses  # there may be hundreds of thousands
    ]
    return {"peer": peer.text, "addresses": addresses, "problem": peer.problem or None}


def items(state: State) -> Iterator[Item]:
    """The peers the node loads, else those of the newest proved list."""
    best = max(state.sealed, key=lambda p: (p[2], -p[0].index), default=None)
    chosen = state.choice.slot
    peers = chosen.payload.peers if chosen else best[1] if best else ()
    for peer in peers:
        failures = [a.failed for a in peer.addresses if a.failed is not None]
        fields = _fields(peer) | {"failed_at": max(failures) if failures else None}
        yield Item(peer.text, "peer", None, fields, (Span(peer.start, peer.end),))


def show(state: State, _: str, at: int) -> Exhibit | None:
    """The slot or stretch that holds the byte `at`; in a slot the peers from there on."""
    size = state.geometry.size
    if not 0 <= at < size:
        return None
    region = next(r for r in regions(state) if r[0] <= at < r[1])
    span = Span(region[0], region[1])
    slot = next((s for s in state.slots if s.offset == region[0] and s.verdict not in ("zero", "absent")), None)
    mine = tuple(f for f in findings(state) if f.span.overlaps(span))
    data = state.source.read(span.start, min(DATA_SHOWN, span.length))
    if slot is None:
        old = tuple(Entry(Span(p.start, p.end), "old-peer", "old", _fields(p)) for p in state.carved if p.start in span)
        return Exhibit("bytes outside of the lists", span, "free", "offset", data, (), (), old[:20], mine)
    fields = HEADS[slot.payload.generation].fields(data[: head_length(slot.payload.generation)], slot.offset)
    fields += _peer_fields(slot.payload.peers, at)
    if slot.stored:
        fields += SEAL.fields(slot.stored, slot.payload.end)
    notes = (f"{slot.payload.declared} peers declared, {len(slot.payload.peers)} read", f"digest of {DIGEST} bytes")
    title = f"slot {'AB'[slot.index]}, v{slot.payload.generation}"
    return Exhibit(title, span, slot.verdict, "offset", data, tuple(fields), notes, (), mine)


def _peer_fields(peers: tuple[Peer, ...], at: int) -> list[Field]:
    first = next((i for i, p in enumerate(peers) if p.end > at), 0)
    found: list[Field] = []
    for peer in peers[first : first + MAX_SHOWN]:
        text = f"{peer.text} " + " ".join(a.text or f"0x{a.raw[:32].hex()}" for a in peer.addresses)
        meaning = peer.problem or "one peer with its addresses"
        found.append(Field("peer", peer.start, peer.end, peer.raw, text, meaning, "private"))
    return found
