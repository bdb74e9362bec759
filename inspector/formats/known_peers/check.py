"""Findings about the slots, with the bytes that show them and a cause where the bytes tell one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inspector.counted import counted
from inspector.finding import Cause, Finding, Salvage, Severity, Tally
from inspector.format import Stretch
from inspector.formats.known_peers import rules
from inspector.formats.known_peers.causes import cause_of, displaced_by
from inspector.formats.known_peers.loader import MAX_AGE
from inspector.formats.known_peers.payload import MAX_ADDRESS, MAX_ADDRESSES, Peer
from inspector.formats.known_peers.slots import Slot
from inspector.formats.known_peers.state import State
from inspector.span import Span

RULE_OF = {
    "bad checksum": rules.CHECKSUM,
    "torn": rules.TORN,
    "never sealed": rules.NEVER_SEALED,
    "cut": rules.CUT,
    "misplaced": rules.MISPLACED,
}


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    for _ in stretches:  # all evidence was gathered when the slots were read; the bytes are only counted here
        pass
    for finding in findings(state):
        tally.put(finding)


def findings(state: State) -> Iterator[Finding]:
    size = state.geometry.size
    if size == 1:
        yield Finding(rules.ONE_BYTE, Span(0, 1), "a file of 1 byte makes the node panic at every start")
        return
    if size and not state.geometry.right_length:
        yield _length(state)
    for slot in state.slots:
        if slot.verdict in RULE_OF:
            yield _slot(state, slot)
        if slot.sealed:
            yield from _content(slot)
    if first_is_erased(state):
        yield _erased(state)
    yield from _times(state)
    if state.carved:
        yield _slack(state)


def _length(state: State) -> Finding:
    size, right = state.geometry.size, 2 * state.geometry.room
    message = f"the file has {size} bytes, {right} are right ({state.geometry.because})"
    evidence = {"stored": size, "computed": right, "half": state.geometry.half, "slot": state.geometry.room}
    moved = next((s for s in state.slots if s.verdict == "misplaced" and displaced_by(state, s) == size - right), None)
    if moved:
        cause = Cause("shifted", "certain", f"a sealed slot lies as many bytes from its place: {size - right:+,}")
    elif size < right:
        cause = Cause(
            "truncated", "likely", f"{counted(right - size, 'byte is', 'bytes are')} missing at the end or inside"
        )
    else:
        cause = Cause("unknown", "possible", f"{counted(size - right, 'byte is', 'bytes are')} too many")
    return Finding(rules.LENGTH, Span(min(size, right), size), message, evidence, cause)


def _slot(state: State, slot: Slot) -> Finding:
    flip = state.flips.get(slot.index)
    letter = "AB"[slot.index]
    payload = slot.payload
    twin = next((s for s in state.slots if s.sealed and s.index != slot.index), None)
    evidence: dict[str, int | str | None] = {
        "slot": slot.index,
        "offset": slot.offset,
        "generation": f"v{payload.generation}",
        "timestamp": payload.timestamp,
        "peers_declared": payload.declared,
        "peers_read": len(payload.peers),
        "peers_that_parse": sum(not p.problem for p in payload.peers),
        "stored": slot.stored.hex() or None,
        "computed": slot.computed.hex() or None,
    }
    if slot.torn_at is not None:
        evidence["torn_at"] = slot.torn_at
        evidence["last_entry_ends"] = payload.peers[-1].end if payload.peers else slot.offset
    message = f"slot {letter} is {slot.verdict}" + (f": {slot.why}" if slot.why else "")
    if flip:
        evidence |= {"flipped_byte": slot.offset + flip.at, "flipped_bit": flip.bit}
        message = f"slot {letter}: bit {flip.bit} of byte {slot.offset + flip.at} is flipped; with it the digest holds"
    severity = None
    salvage: Salvage = "corrected" if flip else "kept" if slot.verdict == "misplaced" else "lost"
    if slot.verdict == "never sealed" and twin and _same_list(slot, twin):
        severity, salvage = Severity.NOTE, "kept"  # the same list is sealed in the other slot: nothing is at risk
    end = max(slot.torn_at + 1 if slot.torn_at is not None else 0, slot.end, slot.offset)
    if flip:
        end = slot.offset + len(flip.data)
    span = Span(slot.offset, min(end, state.geometry.size))
    return Finding(RULE_OF[slot.verdict], span, message, evidence, cause_of(state, slot), salvage, severity)


def first_is_erased(state: State) -> bool:
    """Whether slot A holds nothing although slot B, which a node writes to after it, was written."""
    first, second = state.slots
    return state.geometry.right_length and first.verdict == "zero" and second.verdict not in ("zero", "absent")


def _erased(state: State) -> Finding:
    because = "the whole slot is zero, and a node writes to it before it writes to slot B"
    cause = Cause("zeroed-range", "likely", because)
    return Finding(rules.ERASED, Span(0, state.geometry.room), "slot A was erased", {"slot": 0}, cause, "lost")


def _same_list(slot: Slot, twin: Slot) -> bool:
    return slot.computed == twin.computed  # the digest of what lies there, whatever the stored one says


def _content(slot: Slot) -> Iterator[Finding]:
    payload = slot.payload
    letter = "AB"[slot.index]
    for peer in payload.peers:
        if peer.problem:
            message = f"slot {letter}: the node drops the entry at {peer.start}: {peer.problem}"
            yield Finding(rules.REFUSED_PEER, Span(peer.start, peer.end), message, {"addresses": len(peer.addresses)})
        if len(peer.addresses) > MAX_ADDRESSES or any(len(a.raw) > MAX_ADDRESS for a in peer.addresses):
            longest = max((len(a.raw) for a in peer.addresses), default=0)
            evidence = {"addresses": len(peer.addresses), "longest_address": longest}
            message = f"slot {letter}: {len(peer.addresses)} addresses of up to {longest} bytes in one entry"
            yield Finding(rules.LIMITS, Span(peer.start, peer.end), message, evidence)
    most = payload.cache_size or 100
    if payload.declared > most:
        message = f"slot {letter} lists {payload.declared} peers, the cache holds {most}"
        evidence = {"peers": payload.declared, "cache_size": most}
        yield Finding(rules.LIMITS, Span(slot.offset, slot.end), message, evidence)
    twice = duplicates(payload.peers)
    if twice:
        message = (
            f"slot {letter}: {counted(twice, 'entry or address is', 'entries or addresses are')} there more than once"
        )
        yield Finding(rules.DUPLICATES, Span(slot.offset, slot.end), message, {"duplicates": twice})


def duplicates(peers: tuple[Peer, ...]) -> int:
    """Entries with an id, and addresses within an entry, that came before."""
    ids = len(peers) - len({p.raw for p in peers})
    return ids + sum(len(p.addresses) - len({a.raw for a in p.addresses}) for p in peers)


def _times(state: State) -> Iterator[Finding]:
    good = [s for s in state.slots if s.sealed]
    if len(good) == 2:
        span = Span(good[1].offset, good[1].end)
        if good[0].payload.generation != good[1].payload.generation:
            names = [f"v{s.payload.generation}" for s in good]
            yield Finding(
                rules.GENERATIONS, span, f"slot A is {names[0]}, slot B is {names[1]}", {"generations": names}
            )
        elif good[0].payload.timestamp == good[1].payload.timestamp and not _same_list(*good):
            message = f"both slots were written at {good[0].payload.timestamp}; the node takes A"
            yield Finding(rules.TIE, span, message, {"timestamp": good[0].payload.timestamp})
    chosen, now = state.choice.slot, state.wishes.at
    if chosen is None or now is None:
        return
    age = now - chosen.payload.timestamp
    span = Span(chosen.offset, chosen.end)
    if age > MAX_AGE:
        message = f"the list is {age} seconds old at the asked time; the node uses none older than {MAX_AGE}"
        yield Finding(rules.STALE, span, message, {"timestamp": chosen.payload.timestamp, "at": now, "age": age})
    elif age < 0:
        message = f"the list was written {-age} seconds after the asked time"
        yield Finding(rules.FUTURE, span, message, {"timestamp": chosen.payload.timestamp, "at": now, "age": age})


def _slack(state: State) -> Finding:
    known = {p.raw for _, peers, _ in state.sealed for p in peers}
    new = sum(p.raw not in known for p in state.carved)
    first, last = state.carved[0], state.carved[-1]
    lying = counted(len(state.carved), "entry of earlier lists lies", "entries of earlier lists lie")
    message = f"{lying} in the slack, {new} of peers that no list names now"
    return Finding(rules.SLACK, Span(first.start, last.end), message, {"peers": len(state.carved), "not_listed": new})
