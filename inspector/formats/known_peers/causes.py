"""Why a slot is damaged, as far as its own bytes and the other slot tell."""

from __future__ import annotations

from inspector.finding import UNKNOWN_CAUSE, Cause
from inspector.formats.known_peers.carve import carve
from inspector.formats.known_peers.payload import DIGEST
from inspector.formats.known_peers.slots import MAX_CACHE, Slot
from inspector.formats.known_peers.state import State, last_byte

PAGE, SECTOR = 4096, 512
LEAST = 256  # bytes in which a list has its next entry, but for the longest
LEAST_ZEROES = 64  # in a row, which no list has
NOTICED = 64  # bytes of something else that may decode as an entry's
ENTRY = 1024  # bytes within which a list shows its next entry; one with 30 long addresses has more
CARVED = 1 << 20  # bytes of a slot without a head that are searched for entries


def cause_of(state: State, slot: Slot) -> Cause:
    if slot.index in state.flips:
        return Cause("bit-flip", "certain", "one changed bit makes the BLAKE3 digest hold")
    match slot.verdict:
        case "never sealed":
            return Cause("software-rule-violation", "likely", "a resize copies the list without a digest")
        case "cut":
            return Cause("truncated", "certain", "the list goes on past the end of the file")
        case "misplaced":
            if state.geometry.right_length and displaced_by(state, slot) % SECTOR == 0:
                pages = f"it lies whole sectors from its place ({displaced_by(state, slot):+,} bytes)"
                return Cause("swapped", "likely", f"{pages}, and the file has its length: pages changed places")
            if state.geometry.right_length:
                return Cause("shifted", "certain", "the digest holds at another offset")
            if displaced_by(state, slot) == state.geometry.size - 2 * state.geometry.room:
                return Cause(
                    "shifted", "certain", f"it lies {displaced_by(state, slot):+,} bytes from its place, as the file is"
                )
            return Cause("unknown", "possible", "the length of the file changed, and with it the half")
    zero = _zeroed(state, slot)
    if zero:
        return zero
    return _torn(state, slot) or _no_entries(state, slot) or UNKNOWN_CAUSE


def _entries(state: State, slot: Slot) -> int:
    """Entries of the slot before and behind the byte at which its list breaks off, and the broken one."""
    assert slot.torn_at is not None
    end = slot.offset + slot.room
    return len(slot.payload.peers) + 1 + sum(slot.torn_at <= peer.start < end for peer in state.carved)


def _no_entries(state: State, slot: Slot) -> Cause | None:
    """More bytes than one broken entry has, in the middle of a list: they were never a part of it."""
    if slot.verdict != "torn" or slot.torn_at is None:
        return None
    end = slot.offset + min(slot.room, max(0, state.geometry.size - slot.room))
    behind = min((p.start for p in state.carved if slot.torn_at <= p.start < end), default=None)
    torn_at, known = slot.torn_at, slot.payload.peers
    if slot.payload.declared > MAX_CACHE:  # not even the head is one: what decoded behind it is chance
        torn_at = slot.offset
        known = tuple(carve(state.source.read(slot.offset, min(end - slot.offset, CARVED)), slot.offset))
        behind = next((p.start for p in known), None)
    stop = behind if behind is not None else last_byte(state.source, torn_at, end) - DIGEST
    longest = max((p.end - p.start for p in (*known, *state.carved)), default=0)
    if stop - torn_at <= max(LEAST, longest):
        return None
    what = f"{stop - torn_at} bytes from {torn_at} on are no entries of the list"
    goes_on = ", and it goes on behind them" if behind is not None else ""
    for unit in (PAGE, 512):
        at = torn_at // unit * unit
        last = slot.payload.peers[-1].end if slot.payload.peers and torn_at > slot.offset else slot.offset
        if last <= at + unit <= stop and torn_at - at < longest + NOTICED:
            return Cause("overwritten", "likely", f"{what}{goes_on}; the block of {unit} bytes at {at} covers them")
    return Cause("overwritten", "possible", what + goes_on)


def _torn(state: State, slot: Slot) -> Cause | None:
    """Pages of two lists in one slot: the other one shows from a page boundary on, or names again what was named."""
    newer = all(slot.payload.timestamp >= s.payload.timestamp for s in state.slots if s.sealed)
    if slot.payload.error is not None and slot.verdict == "torn" and slot.torn_at is not None:
        last = slot.payload.peers[-1].end if slot.payload.peers else slot.offset
        page = slot.torn_at // PAGE * PAGE
        behind = min((p.start for p in state.carved if slot.torn_at <= p.start < slot.offset + slot.room), default=None)
        cut = page if page >= last else last  # a killed process stops at any byte, a lost page at a boundary
        longest = max((p.end - p.start for p in (*slot.payload.peers, *state.carved)), default=0)
        # an older list goes on at once behind the two entries that are cut; other bytes hold none
        if behind is None or behind - cut > min(ENTRY, 2 * longest):
            return None
        if -1 <= slot.payload.declared - _entries(state, slot) <= 2:
            return None  # all entries are here but those that were hit: no older list shows through
        if newer:
            return Cause("torn-write", "likely", "its head is newer than the other slot and its tail is not its own")
        return Cause("torn-write", "possible", "the list stops and another goes on there")
    if slot.payload.error is None and newer:
        first: dict[bytes, int] = {}
        for peer in slot.payload.peers:
            one = first.setdefault(peer.raw, peer.start)
            if one // PAGE != peer.start // PAGE:
                because = f"the peer at {peer.start} is named at {one} as well, on another page: pages of two lists"
                return Cause("torn-write", "likely", because)
    return None


def _zeroed(state: State, slot: Slot) -> Cause | None:
    """A run of at least 64 zero bytes inside the list; addresses and ids hold none."""
    end = slot.end if slot.torn_at is None else max(slot.end, slot.torn_at)
    limit = slot.offset + min(slot.room, 1 << 20)
    if not any(state.source.read(slot.offset, LEAST_ZEROES)):
        end = last_byte(state.source, slot.offset, min(limit, state.source.size))  # zeroes decode as an empty list
    buf = state.source.read(slot.offset, min(end - slot.offset, 1 << 20))
    if slot.payload.declared > MAX_CACHE:
        buf = buf.rstrip(b"\0")  # the head is none, and the zeroes behind the list are free room
    at = buf.find(bytes(LEAST_ZEROES))
    if at < 0:
        return None
    stop = at + len(buf[at:]) - len(buf[at:].lstrip(b"\0"))
    start, stop = slot.offset + at, slot.offset + stop
    aligned = next((a for a in (PAGE, SECTOR) if start % a == 0 or (stop % a == 0 and at == 0)), None)
    where = f"zero from {start} to {stop}" + (f", on a boundary of {aligned}" if aligned else "")
    return Cause("zeroed-range", "likely" if aligned else "possible", where)


def displaced_by(state: State, slot: Slot) -> int:
    """How far a slot lies from its place."""
    return slot.offset - slot.index * state.geometry.room
