"""From damaged tiles to corrections: in a scan of those that are shown, in a repair of all, until nothing is new.

A corrected block may show others: behind a corrected metaindex stand an index and properties. So a repair looks at
the corrected database again, a few times.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, field

from inspector.correct import NONE, Correction, Word, apply, correct_crc32c, difference, flips, noticed_by, told
from inspector.finding import Cause
from inspector.format import Proof, Wishes
from inspector.formats.rocksdb import (
    blob,
    blob_frame,
    checksums,
    codecs,
    exchanged,
    exchanged_pages,
    footer,
    judges,
    keys,
    kinds,
    log,
)
from inspector.formats.rocksdb.checksums import mask, unmask
from inspector.formats.rocksdb.coding import MalformedError, u64
from inspector.formats.rocksdb.correction import PAIRS, correct_block
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import MAX_DAMAGE, LogFacts, Mark, TableFacts, lost_range
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.opening import proves
from inspector.formats.rocksdb.runs import order_for
from inspector.formats.rocksdb.seen import seen_through
from inspector.formats.rocksdb.table import Table
from inspector.overlay import Overlay, Piece
from inspector.span import Span
from inspector.syndromes import LONGEST
from inspector.undone import evidence, why, written

# bytes that trials may hash: 256 blocks of 4 KiB in a scan, minutes in a repair
SCAN_WORK: Final = 256 * 8 * 4096 * 4096
REPAIR_WORK: Final = 1 << 43
ROUNDS: Final = 4
SURE_CAUSE: Final = 1e-5  # a chance of error below this makes a cause certain, though not a correction
_KEPT: Final = 2048  # corrections remembered between the scan and the repair
_PIECES: Final = 64 << 20  # bytes of corrected blocks that one repair holds
_RECORDS: Final = 64  # of one gap of a log
_RECYCLED: Final = frozenset({5, 6, 7, 8, 9, 11, 131})
_FRESH: Final = frozenset({1, 2, 3, 4, 9, 10, 130})


class Fix(Struct, frozen=True):
    """A correction of the bytes of `span`, which were `unit`."""

    span: Span
    unit: bytes
    found: Correction


class Corrector(Struct):
    """Corrections of one database; `work` bounds what trials may cost, in bytes hashed."""

    db: Database
    work: int = SCAN_WORK
    skipped: int = 0  # units that were not searched because of that
    _done: dict[Span, list[Fix]] = field(default_factory=dict)
    _indexes: dict[str, judges.Judge] = field(default_factory=dict)
    _codecs: dict[str, int] = field(default_factory=dict)  # of blob files

    def fixes(self, mark: Mark) -> list[Fix]:
        """What undoes the damage of a tile: one correction, or in a gap of a log several."""
        if mark.span not in self._done:
            skipped = self.skipped
            found = [fix for fix in self._solve(mark) if fix.found.verdict != "none"]
            if skipped != self.skipped or len(self._done) >= _KEPT:
                return found
            self._done[mark.span] = found
        return self._done[mark.span]

    def _solve(self, mark: Mark) -> Iterator[Fix]:
        kind = self.db.files[mark.span.member].kind
        if mark.span.length > LONGEST:
            return
        if kind == "table":
            yield from self._block(mark)
        elif kind in ("wal", "manifest"):
            yield from self._log(mark, kind == "manifest")
        elif kind == "blob" and mark.kind == kinds.BLOB_RECORD and mark.mark == kinds.CHECKSUM:
            yield self._blob(mark.span)

    def _bytes(self, span: Span) -> bytes:
        return self.db.source.read(span.start, span.length, span.member)

    def _affords(self, length: int, checksum: int) -> bool:
        cost = 8 * length * (200 if checksum == checksums.CRC32C else length)
        if cost > self.work:
            self.skipped += 1
            return False
        self.work -= cost
        return True

    def _block(self, mark: Mark) -> Iterator[Fix]:
        table, span = self.db.table(mark.span.member), mark.span
        if mark.kind == kinds.FOOTER:
            tail = self._bytes(Span(max(0, table.size - footer.SIZE), table.size, span.member))
            yield Fix(Span(table.size - len(tail), table.size, span.member), tail, undo_footer(table, tail))
            return
        context = table.context
        if mark.mark not in (kinds.CHECKSUM, kinds.GONE) or context.base is None:
            return
        if mark.mark == kinds.GONE and span.end == table.size:
            yield from self._lost_footer(table, span)
            return
        if not self._affords(span.length, context.checksum):
            return
        unit, modifier = self._bytes(span), context.modifier(span.start)
        judge = self._judge(table, mark)
        dictionary = context.dictionary if mark.kind in (kinds.DATA, kinds.LOST) else b""
        yield Fix(span, unit, correct_block(unit, context.checksum, context.version, modifier, dictionary, judge))

    def _lost_footer(self, table: Table, span: Span) -> Iterator[Fix]:
        """A gap up to the end of a table: its footer, whose own bytes do not say any more that it is one."""
        size = footer.SIZE if span.length >= footer.SIZE else footer.LEGACY_SIZE
        if span.length >= size:
            place = Span(table.size - size, table.size, span.member)
            tail = self._bytes(place)
            yield Fix(place, tail, undo_footer(table, tail))

    def _judge(self, table: Table, mark: Mark) -> judges.Judge:
        db, member = self.db, mark.span.member
        facts = db.facts.get(member)
        if mark.kind in (kinds.INDEX, kinds.TOP_INDEX):
            top = mark.kind == kinds.TOP_INDEX
            return self._indexes.setdefault(f"{member}/{top}", judges.index_judge(table, top))
        if mark.kind == kinds.METAINDEX:
            return judges.metaindex_judge(table, mark.span.start)
        if mark.kind == kinds.PROPERTIES:
            whole = isinstance(facts, TableFacts) and not facts.bad_blocks + facts.folded and not table.gaps
            return judges.properties_judge(facts.entries if whole and isinstance(facts, TableFacts) else None)
        if mark.kind == kinds.DICTIONARY:
            return judges.dictionary_judge(table)
        if mark.kind in (kinds.FILTER, kinds.OTHER_BLOCK):
            return judges.raw_block
        if mark.kind == kinds.RANGE_DELETES:
            cuts = {keys.RANGE_DELETE}
            return judges.reads(table.context.version, b"", self._bounds(table, mark, False), cuts)
        return judges.reads(table.context.version, table.context.dictionary, self._bounds(table, mark, True))

    def _bounds(self, table: Table, mark: Mark, placed: bool) -> judges.Bounds:
        facts = self.db.facts.get(mark.span.member)
        low, high = None, None
        if placed and isinstance(facts, TableFacts):
            low, high = lost_range(table, facts, mark.span)
        stated = table.properties.number("key.largest.seqno") if table.properties else None
        newest = keys.MAX_SEQUENCE if stated is None else stated
        return judges.Bounds(order_for(self.db, table), low, high, newest)

    def _log(self, mark: Mark, manifest: bool) -> Iterator[Fix]:
        span = mark.span
        if mark.mark == kinds.RELENGTH:
            yield self._length(span)
        elif mark.mark == kinds.CHECKSUM:
            yield self._record(span, manifest)
        elif mark.mark == kinds.GONE:
            yield from self._log_gap(span, manifest)

    def _length(self, span: Span) -> Fix:
        """The length field of a record that verifies with another one."""
        unit = self._bytes(span)
        right = span.length - log.header_size(unit[6])
        made = unit[:4] + right.to_bytes(2, "little") + unit[6:]
        patch = difference(unit, made)
        because = "no other length makes the checksum hold"
        how = "one flipped bit" if flips(patch) == 1 else "a wrong length field"
        return Fix(span, unit, Correction("sealed", made, patch, how, because, 18, 32, count=1))

    def _record(self, span: Span, manifest: bool) -> Fix:
        unit = self._bytes(span)
        head = self.db.source.read(0, log.HEADER, span.member)
        recycled = len(head) == log.HEADER and log.header_size(head[6]) == log.RECYCLABLE_HEADER and span.start > 0
        types = _RECYCLED if recycled else _FRESH if span.start else _RECYCLED | _FRESH
        judge = judges.record_judge(manifest, types, None if manifest else self._sequences(span))
        word = Word(6, len(unit), 0, stands_for=unmask, stored_as=mask)
        return Fix(span, unit, correct_crc32c(unit, word, noticed_by(judge)))

    def _sequences(self, span: Span) -> tuple[int, int] | None:
        """The number that is due at a lost record and the one behind it, where just this record is missing."""
        facts = self.db.facts.get(span.member)
        if not isinstance(facts, LogFacts):
            return None
        return next(((due, found) for at, due, found in facts.jumps if at == span.end), None)

    def _log_gap(self, span: Span, manifest: bool) -> Iterator[Fix]:
        """Records of a gap one after another, as far as their lengths lead to its end."""
        data, at = self._bytes(span), 0
        fixes: list[Fix] = []
        while at + log.HEADER < len(data) and len(fixes) < _RECORDS:
            length = int.from_bytes(data[at + 4 : at + 6], "little")
            for head in (log.HEADER, log.RECYCLABLE_HEADER):
                end = at + head + length
                place = Span(span.start + at, span.start + end, span.member)
                if end <= len(data) and (fix := self._record(place, manifest)).found.unit:
                    fixes.append(fix)
                    break
            else:
                break
            at = end
        if at == len(data):  # the last one ends where the next record verifies
            yield from fixes

    def _blob(self, span: Span) -> Fix:
        """A blob record's key and value; what compresses it must undo them. No flip brings back bytes that were cut."""
        unit = self._bytes(span)
        head = blob.RECORD_HEADER
        if len(unit) < head or len(unit) - head != u64(unit, 0) + u64(unit, 8):
            return Fix(span, unit, NONE)
        word = Word(head, len(unit), 28, stands_for=unmask, stored_as=mask)
        compression = self._compression(span.member)
        value_at = head + u64(unit, 0)

        def judge(trial: bytes) -> bool:
            if not compression:
                return True
            blob.plain(trial[value_at:], compression, self.db.max_unit)
            return True

        return Fix(
            span, unit, correct_crc32c(unit, word, noticed_by(judges.guarded(judge)), 2 if len(unit) <= PAIRS else 1)
        )

    def _compression(self, member: str) -> int:
        if member not in self._codecs:
            self._codecs[member] = blob_frame.compression(self.db, member)
        return self._codecs[member]


def undo_footer(table: Table, tail: bytes) -> Correction:
    """One flipped bit of a footer, with which its handles lead to a metaindex and an index that verify."""
    right: list[tuple[int, int]] = []
    proved: dict[tuple[int, Handle, int, int], bool] = {}  # most bits leave all as it is that leads to the metaindex
    for bit in range(8 * len(tail)):
        spot = bit >> 3, 1 << (bit & 7)
        try:
            trial = footer.decode(apply(tail, (spot,)), table.size)
        except MalformedError:
            continue
        if trial.problems:
            continue
        asked = (trial.checksum, trial.metaindex, trial.base, trial.start)
        if asked not in proved:
            proved[asked] = proves(table, trial)
        if proved[asked] and (trial.index is None or _verifies(table, trial, trial.index)):
            right.append(spot)
            if len(right) > 1:  # as with most bits of a footer that is another table's, which lie in no field
                return NONE
    if not right:
        return NONE
    made = apply(tail, (right[0],))
    because = "its handles lead to a metaindex and an index that verify"
    return Correction("sealed", made, (right[0],), "one flipped bit", because, 8 * len(tail), 32, count=1)


def _verifies(table: Table, trial: footer.Footer, handle: Handle) -> bool:
    if handle.end > trial.start or handle.size > codecs.MAX_BLOCK:
        return False
    raw = table.read(handle.offset, handle.size + TRAILER)
    computed = checksums.block_checksum(trial.checksum, raw[: handle.size + 1])
    return len(raw) == handle.size + TRAILER and computed == int.from_bytes(raw[-4:], "little")


def corrector(db: Database) -> Corrector:
    """The one corrector of a database: what was found out for the scan is not looked for again by the repair."""
    if db.corrector is None:
        db.corrector = Corrector(db)
    made: Corrector = db.corrector
    return made


def corrector_anew(db: Database) -> Corrector:
    """One that may work as much again, and knows what was found out before."""
    return Corrector(db, _done=dict(corrector(db)._done))


def of_mark(db: Database, mark: Mark, before: Cause) -> tuple[Cause, dict[str, Any], bool] | None:
    """What a finding says of a tile's correction: cause, evidence, whether a repair writes it."""
    if db.wishes.no_correct or not (fixes := corrector(db).fixes(mark)):
        return None
    fix = fixes[0]
    corrected = all(written(one.found, db.wishes) for one in fixes)
    facts = evidence(fix.found, fix.unit, fix.span.start)
    if len(fixes) > 1:
        facts |= {"records_corrected": len(fixes)}
    return _cause(fix, before), facts, corrected and bool(fix.found.unit)


def _cause(fix: Fix, before: Cause) -> Cause:
    found = fix.found
    if not found.unit or flips(found.patch) > 2:
        return before
    where = "; ".join(told(fix.unit, found.patch, fix.span.start))
    because = f"{where}; {found.witness}" if found.witness else f"{where} explains it, and nothing else of that size"
    sure = found.verdict == "sealed" or found.chance < SURE_CAUSE
    return Cause("bit-flip" if flips(found.patch) == 1 else "multi-bit", "certain" if sure else "likely", because)


class Mended(Struct):
    """The corrections of one repair, and the database as it is with them."""

    db: Database
    pieces: list[Piece] = field(default_factory=list)
    waiting: int = 0  # unique ones that --accept unique would write
    beyond: int = 0
    skipped: int = 0

    def notes(self) -> list[str]:
        """What the user should know about corrections that are written, and about those that are not."""
        lines = []
        if self.pieces:
            lines.append(f"damage undone: {len(self.pieces):,} of the damaged blocks and records are as they were")
        if self.waiting:
            what = f"one correction and no second witness: {self.waiting:,} of the damaged blocks and records"
            lines.append(f"{what}; --accept unique writes them (inspector scan tells each one's chance of being wrong)")
        if self.beyond:
            most = f"{MAX_DAMAGE:,} places and {_PIECES >> 20} MiB of blocks"
            lines.append(f"not looked at: {self.beyond:,} places of the damage; one repair corrects {most}")
        if self.skipped:
            lines.append(f"not searched for flipped bits, being too many: {self.skipped:,} of the damaged blocks")
        return lines


def mend(db: Database, wishes: Wishes, work: int = REPAIR_WORK) -> Mended:
    """Corrections of every damaged tile that these wishes allow to be written, as far as that work goes."""
    mended = Mended(db, beyond=max(0, db.damage_count - len(db.damage)))
    if wishes.no_correct:
        return mended
    marks, seen, held = _put_back(mended), set[Span](), 0
    if not marks:
        return mended
    below, undo, moved = mended.db.source, corrector(mended.db), mended.pieces
    undo.work = max(undo.work, work)
    for _ in range(ROUNDS):
        fresh: list[Piece] = []
        for mark in marks:
            if mark.mark == kinds.FRAGMENT or mark.span in seen:
                continue  # a fragment's own bytes hold
            seen.add(mark.span)
            if held > _PIECES:
                mended.beyond += 1
                continue
            for fix in undo.fixes(mark):
                if written(fix.found, wishes):
                    fresh.append(_piece(mended.db, fix))
                    held += fix.span.length
                else:
                    mended.waiting += fix.found.verdict == "unique"
        mended.skipped += undo.skipped
        if not fresh:
            break
        mended.pieces = [*mended.pieces, *fresh]
        over = Overlay(below, mended.pieces[len(moved) :])
        mended.db, marks = seen_through(mended.db, over, {piece.member for piece in fresh})
        if any(isinstance(facts, LogFacts) and facts.gave_up is not None for facts in mended.db.facts.values()):
            break  # each round would show as many more places of that log
        undo = Corrector(mended.db, undo.work)
    return mended


def _put_back(mended: Mended) -> list[Mark]:
    """Lay what changed places, blocks of WALs and pages of tables, over the damage; the damage that is left then."""
    marks = list(mended.db.damage)
    found = [(member, exchanged.found(mended.db, member)) for member in mended.db.wals.values()]
    for member in mended.db.tables.values():
        found.append((member, exchanged_pages.known(mended.db, member, [m for m in marks if m.span.member == member])))
    for member, pieces in found:
        if pieces:
            mended.db, left = seen_through(mended.db, Overlay(mended.db.source, pieces), {member})
            mended.pieces = [*mended.pieces, *pieces]
            marks = [mark for mark in marks if mark.span.member != member] + left
    return marks


def _piece(db: Database, fix: Fix) -> Piece:
    bare = db.files[fix.span.member].kind == "table" and db.table(fix.span.member).bare
    proof: Proof = "none" if fix.found.verdict != "sealed" else "derived" if bare else "sealed"
    return Piece(fix.span.start, fix.found.unit, proof, why(fix.found, fix.unit, fix.span.start), 1, fix.span.member)
