"""From corrections to findings and to the repair: what they tell, which of them are written, the store with them."""

from __future__ import annotations

from array import array
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.correct import Correction, flips, told
from inspector.counted import plural
from inspector.finding import UNKNOWN_CAUSE, Cause, Salvage
from inspector.format import Wishes
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.correction import GAP_SOLVES, REPAIR_CHECKS, Corrector
from inspector.formats.gossip_store.exchanged import Exchange, exchanges
from inspector.formats.gossip_store.hurt import LOOKED_AT, Hurt
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.walk import LOST, Store, walk
from inspector.overlay import Overlay, Piece
from inspector.span import Span
from inspector.undone import evidence, why, written

SURE_CAUSE = 1e-6  # a chance of error below this makes a cause certain, though not a correction
Mending = tuple[Cause, dict[str, Any], Salvage]  # the cause as it is then, more evidence, what a repair does


def corrector(store: Store) -> Corrector:
    """The one corrector of a store: what was found out for the scan is not looked for again by the repair."""
    made: Corrector = store.facts.setdefault("corrector", Corrector(store))
    return made


def channel_lives(store: Store, at: int) -> bool:
    """Whether the channel of the announcement at `at` is open by its updates: then its DELETED flag is the damage."""
    known = corrector(store).known
    return bool(known.lives(known.channel_at(at)))


def of_record(store: Store, span: Span, before: Cause) -> Mending:
    """What a finding about a damaged record says of its correction."""
    if store.wishes.no_correct:
        return before, {}, "lost"
    if moved := _moved(store, span):
        return moved
    found = corrector(store).record(span)
    unit = store.source.read(span.start, span.length)
    saved: Salvage = "corrected" if written(found, store.wishes) else "lost"
    return cause(found, before, unit, span.start), evidence(found, unit, span.start), saved


def of_gap(store: Store, span: Span, before: Cause) -> Mending:
    """What a finding about a stretch without records says of the records that can be proved in it."""
    if store.wishes.no_correct:
        return before, {}, "lost"
    if moved := _moved(store, span):
        return moved
    found = [(at, one) for at, one in corrector(store).gap(span) if written(one, store.wishes)]
    lines = [why(one, store.source.read(at.start, at.length), at.start) for at, one in found[:4]]
    facts: dict[str, Any] = {"records_corrected": len(found), "undone": lines} if found else {}
    if sum(at.length for at, _ in found) == span.length:
        return cause(found[0][1], before, store.source.read(span.start, span.length), span.start), facts, "corrected"
    rest = [_moved(store, Span(low, high)) for low, high in _between(span, [at for at, _ in found])] if found else []
    if rest and all(rest):
        return before, facts, "corrected"
    for one in exchanged(store) if not found else ():
        if (left := one.leaves(span)) < span.length:
            told = {"undone": [one.first.why], "exchanged_with": one.other(span.start), "lost_bytes": left}
            return Cause("swapped", "certain", one.first.why), told, "lost"
    return before, facts, "lost"


def _between(span: Span, parts: list[Span]) -> list[tuple[int, int]]:
    """What is left of a span without parts of it, which are in order."""
    edges = [span.start, *(edge for part in parts for edge in (part.start, part.end)), span.end]
    return [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]


def comes_back(store: Store, hurt: Hurt, before: Span) -> bool:
    """Whether a repair writes a record right behind a whole one, where damage is or where its page changed places."""
    if store.wishes.no_correct or not hurt.count:
        return False
    if (damage := hurt.at(before.end)) is None:
        return _moved(store, before) is not None
    mark, span = damage
    if _moved(store, span):
        return True
    undo = corrector(store)
    if mark == LOST:
        return any(at.start == span.start and written(one, store.wishes) for at, one in undo.gap(span))
    return written(undo.record(span), store.wishes)


def exchanged(store: Store) -> list[Exchange]:
    """The pages of a store that changed places, looked for once."""
    found: list[Exchange] | None = store.facts.get("exchanged")
    if found is None:
        found = exchanges(store, corrector(store).known.areas)
        if any(one.left for one in found):
            found = _settled(put_back(store, found), found)
        store.facts["exchanged"] = found
    return found


def put_back(store: Store, moved: list[Exchange]) -> Store:
    """The store with pages in their places, which may be damaged yet."""
    back: Store | None = store.facts.get("put_back")
    if back is None:
        back = seen_through(store, Mended([piece for one in moved for piece in one.pieces]))
        back = store.facts["put_back"] = replace(back, wishes=store.wishes)
    return back


def _settled(back: Store, moved: list[Exchange]) -> list[Exchange]:
    """The exchanges, told apart what a repair loses of what is damaged once the pages are in their places."""
    out = []
    for one in moved:
        settled = tuple(run for run in one.left if _nothing_lost(back, Span(*run)))
        out.append(replace(one, left=tuple(run for run in one.left if run not in settled), settled=settled))
    return out


def _nothing_lost(store: Store, span: Span) -> bool:
    """Whether a repair writes all of a damaged record, or of a stretch, but for records that are deleted."""
    undo = corrector(store)
    if written(undo.record(span), store.wishes):
        return True
    parts = [at for at, one in undo.gap(span) if written(one, store.wishes)]
    return all(_dead(store, low, high) for low, high in _between(span, parts))


def _dead(store: Store, start: int, end: int) -> bool:
    """Whether a damaged record that says DELETED stands there, from one end to the other: a repair drops it."""
    flags, length, *_ = SEALED_HEADER.unpack(store.source.read(start, SEALED_HEADER.size).ljust(SEALED_HEADER.size))
    return bool(flags & versions.DELETED and start + SEALED_HEADER.size + length == end)


def _moved(store: Store, span: Span) -> Mending | None:
    """What a finding about damage says that pages put back in their places undo."""
    one = next((one for one in exchanged(store) if one.covers(span)), None)
    if one is None:
        return None
    told: dict[str, Any] = {"undone": [one.first.why], "exchanged_with": one.other(span.start)}
    return Cause("swapped", "certain", one.first.why), told, "corrected"


def of_start(store: Store, before: Cause) -> tuple[Cause, int]:
    """The cause of a finding about the version byte or the first record, and the version, with pages put back."""
    one = None if store.wishes.no_correct else next((one for one in exchanged(store) if not one.first.start), None)
    if one is None:
        return before, store.version
    return Cause("swapped", "certain", one.first.why), one.first.data[0]


def of_order(store: Store, span: Span, before: Cause) -> Cause:
    """The cause of a finding about a whole record's place: that of its page, where that one is put back."""
    moved = None if store.wishes.no_correct else _moved(store, span)
    return moved[0] if moved else before


def cause(found: Correction, before: Cause, unit: bytes, base: int) -> Cause:
    """The cause as the correction shows it; what the checksum alone suggested stands where nothing was found."""
    if not found.unit:
        if found.verdict == "none" and before.name == "bit-flip":
            because = "one flipped bit would explain the checksum, but the message contradicts it"
            return Cause("unknown", "possible", because)
        return before
    sure = found.verdict == "sealed"
    bits = flips(found.patch)
    if "zeroes" in found.how:
        return Cause("zeroed-range", "certain" if sure else "possible", found.how)
    if bits <= 2:
        where = "; ".join(told(unit, found.patch, base))
        because = f"{where}; {found.witness}" if sure else f"{where} explains it, and nothing else of that size"
        firm = sure or found.chance < SURE_CAUSE
        return Cause("bit-flip" if bits == 1 else "multi-bit", "certain" if firm else "likely", because)
    if before.name not in ("bit-flip", "unknown"):
        return before
    return Cause("multi-bit", "likely", found.how) if "burst" in found.how else UNKNOWN_CAUSE


class Mended(Struct):
    """The corrections of one repair."""

    pieces: list[Piece] = field(default_factory=list)
    waiting: int = 0  # unique ones that --accept unique would write
    beyond: int = 0  # damaged records behind the limit
    unsearched: int = 0  # damaged records that were not searched for bursts

    def notes(self) -> list[str]:
        """What the user should know about corrections that are not written."""
        lines = []
        if self.waiting:
            what = plural(self.waiting, "damaged record has", "damaged records have")
            told = "inspector scan tells each one's chance of being wrong"
            lines.append(f"{what} one correction and no second witness: --accept unique writes what it gives ({told})")
        if self.beyond:
            lines.append(f"{self.beyond:,} damaged records were not looked at: one repair corrects {LOOKED_AT:,}")
        if self.unsearched:
            lines.append(
                f"{self.unsearched:,} damaged places were not searched for every correction: there are too many"
            )
        return lines


def mend(store: Store, wishes: Wishes) -> Mended:
    """Corrections of every damaged record that these wishes allow to be written."""
    mended = Mended()
    hurt = _hurt(store)
    if wishes.no_correct or not hurt.count:
        return mended
    moved = exchanged(store)
    if "put_back" in store.facts:
        return _mend_behind(store, moved, wishes)
    undo = corrector(store)
    undo.checks, undo.solves, undo.skipped = max(undo.checks, REPAIR_CHECKS), GAP_SOLVES, 0
    mended.beyond = hurt.count - len(hurt.places) // 3
    mended.pieces += (piece for one in moved for piece in one.pieces)
    for mark, span in hurt:
        if any(one.covers(span) for one in moved):
            continue
        if len(mended.pieces) >= LOOKED_AT:
            mended.beyond += 1
        elif mark == LOST:
            for inner, found in undo.gap(span):
                mended.waiting += not written(found, wishes)
                if written(found, wishes):
                    mended.pieces.append(_piece(store, inner, found))
        else:
            found = undo.record(span)
            mended.waiting += found.verdict == "unique" and not written(found, wishes)
            if written(found, wishes):
                mended.pieces.append(_piece(store, span, found))
    mended.unsearched = undo.skipped
    return mended


def _mend_behind(store: Store, moved: list[Exchange], wishes: Wishes) -> Mended:
    """Pages in their places, and corrections of what is damaged then."""
    back = put_back(store, moved)
    back.facts["exchanged"] = []
    mended = mend(back, wishes)
    fixes = sorted(mended.pieces, key=lambda piece: piece.start)
    for one in moved:
        for piece in one.pieces:
            at = piece.start
            for fix in fixes:
                if fix.start >= piece.end or fix.end <= at:
                    continue
                if at < fix.start:
                    mended.pieces.append(one.part(piece, at, fix.start))
                at = fix.end
            if at < piece.end:
                mended.pieces.append(one.part(piece, at, piece.end))
    return mended


def _hurt(store: Store) -> Hurt:
    """As the scan met them; in a walk of its own where nobody has scanned this store."""
    known: Hurt | None = store.facts.get("hurt")
    if known is not None:
        return known
    found = Hurt()
    for stretch in walk(store):
        for i in stretch.marked():
            found.add(stretch.marks[i], stretch, i)
    return found


def _piece(store: Store, span: Span, found: Correction) -> Piece:
    unit = store.source.read(span.start, span.length)
    return Piece(
        span.start, found.unit, "sealed" if found.verdict == "sealed" else "none", why(found, unit, span.start)
    )


def seen_through(store: Store, mended: Mended) -> Store:
    """The store as it is with the corrections; what is still damaged has been searched and is not searched again."""
    over = Overlay(store.source, mended.pieces)
    wishes = replace(store.wishes, no_correct=True)
    byte = next((piece.data[0] for piece in mended.pieces if not piece.start), None)
    if byte is not None:  # of a page put back
        return Store(over, wishes, store.size, byte, byte, 0, 1)
    return replace(store, source=over, wishes=wishes, facts={}, ribbon=array("Q"))
