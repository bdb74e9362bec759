"""Repair: a store that lightningd loads, made of records that verify, in the order of the source.

Structure is mended by flags alone wherever that is enough, so that bytes stay what they were: DELETED on the later
of two announcements, COMPLETED on a record that is whole. Conversion follows gossip_store.c:94-190 (upgrade).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct, field

from inspector.errors import RefusedError
from inspector.finding import Tally
from inspector.format import UNIT, Edit, Plan, Proof, Stretch, Wishes, accepting
from inspector.formats.gossip_store import oddities as odd
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.conversion import flag_rewrite, not_converted, target_version, uuid_record
from inspector.formats.gossip_store.events import (
    ANNOUNCEMENT_WITHOUT_AMOUNT,
    DUPLICATE_ANNOUNCEMENT,
    PAIR_FLAG_MISMATCH,
    EventLog,
)
from inspector.formats.gossip_store.evidence import is_uniform
from inspector.formats.gossip_store.kinds import kind_name
from inspector.formats.gossip_store.lone import elsewhere
from inspector.formats.gossip_store.mending import corrector, mend, seen_through
from inspector.formats.gossip_store.over_start import covered, turned
from inspector.formats.gossip_store.placing import steps
from inspector.formats.gossip_store.survey import check
from inspector.formats.gossip_store.twice import Twice
from inspector.formats.gossip_store.walk import (
    ACCEPTS,
    ANCHORED,
    BAD_CHECKSUM,
    DISPLACED,
    LOST,
    OK,
    SECOND_STORE,
    TORN_BODY,
    TORN_HEADER,
    Store,
)
from inspector.formats.gossip_store.words import LEAVE_ALONE, NO_FUNDS
from inspector.overlay import Overlay, corrected_edits
from inspector.span import Span
from inspector.windowed import Read, Windowed

_OTHERS = ("amount of an announcement that was written over, a channel that is lost: DELETED set", "lost")
CHANNELS = 1 << 20  # live announcements; with more of them none is made live again


class Verdict(Struct):
    """What becomes of one tile that is not simply kept."""

    action: str
    why: str
    units: int = 1
    flags: int | None = None  # new flags of a record that is written though it is lost, or "corrected"
    proof: Proof = "derived"


class Planner(Struct):
    store: Store
    wishes: Wishes
    target: int
    events: Iterator[tuple[int, int, int]]
    tiles: Callable[[], Iterable[Stretch]]
    heads: Read  # of records one behind the other
    elsewhere: tuple[dict[int, int], set[int]]  # announcements without amount whose channels are not lost
    covered: frozenset[int]  # second announcements of channels of which one of the two stands over another one
    turned: dict[int, int]  # copies over other announcements, and where the genuine ones stand
    pending: tuple[int, int, int] | None = None
    notes: list[str] = field(default_factory=list)
    ended: bool = False
    live: set[int] | None = None  # channels with a live announcement, once they are asked for

    @property
    def converts(self) -> bool:
        return self.target != self.store.version

    @property
    def healthy(self) -> bool:
        """Nothing here troubles the loader: the repaired store is a copy, odd and orphaned records included."""
        return not (self.store.facts["damaged"] or self.converts or self.wishes.compact)

    def edits(self) -> Iterator[Edit]:
        run: Edit | None = None
        for edit in self._raw():
            if run is not None and _joins(run, edit):
                assert run.origin is not None
                assert edit.origin is not None
                whole = Span(run.origin.start, edit.origin.end)
                run = Edit("kept", whole, proof=run.proof, units=run.units + edit.units)
                continue
            if run is not None:
                yield run
            run = edit
        if run is not None:
            yield run

    def _raw(self) -> Iterator[Edit]:
        store = self.store
        if self.healthy:
            yield from self._copy()
            return
        if store.version_at:
            yield Edit("dropped", Span(0, store.version_at), proof="none", why="bytes before the version byte")
        yield self._version_byte()
        first = store.facts.get("first")
        if versions.needs_uuid(self.target) and (not first or first[2:] != (4107, OK)):
            yield Edit(
                "added", data=uuid_record(store), proof="derived", why="uuid record, made from the source", units=1
            )
        for stretch in self.tiles():
            if stretch.start >= store.start:
                yield from self._stretch(stretch)

    def _copy(self) -> Iterator[Edit]:
        yield self._version_byte()
        for stretch in self.tiles():
            if stretch.start < self.store.start:
                continue
            at = 0
            marks = stretch.marks.tobytes()
            for i, mark in enumerate(marks if marks.count(OK) != len(marks) else b""):
                if mark != OK:
                    if i > at:
                        yield self._keep(stretch, at, i, None)
                    why = "deleted, and does not verify: nothing proves it and nobody reads it"
                    yield Edit("dropped", Span(stretch.starts[i], _end(stretch, i)), proof="none", why=why, units=1)
                    at = i + 1
            if at < len(stretch):
                yield self._keep(stretch, at, len(stretch), None)

    def _version_byte(self) -> Edit:
        if self.store.headless:
            why = f"the version byte that is gone: the records fit version {self.target}"
            return Edit("added", data=bytes([self.target]), proof="derived", why=why)
        span = Span(self.store.version_at, self.store.version_at + 1)
        if self.store.source.read(span.start, 1) == bytes([self.target]):
            return Edit("kept", span, why="version byte")
        why = f"version byte: the records are of version {self.target}"
        if self.converts or self.store.untold:
            why = f"version byte: {self.target}"
        return Edit("corrected", span, bytes([self.target]), "derived", why)

    def _stretch(self, stretch: Stretch) -> Iterator[Edit]:
        verdicts = self._damage(stretch)
        self._oddities(stretch, verdicts)
        self._contradictions(stretch, verdicts)
        if self.wishes.compact or self.converts:
            self._dead(stretch, verdicts)
        rewrite = flag_rewrite(self.store.version, self.target)
        at = 0
        for i in sorted(verdicts):
            if i > at:
                yield self._keep(stretch, at, i, rewrite)
            yield from self._carry_out(stretch, i, verdicts[i], rewrite)
            at = i + 1
        if at < len(stretch):
            yield self._keep(stretch, at, len(stretch), rewrite)

    def _keep(self, stretch: Stretch, first: int, last: int, rewrite: tuple[int, int] | None) -> Edit:
        span = Span(stretch.starts[first], _end(stretch, last - 1))
        if rewrite is None:
            return Edit("kept", span, units=last - first)
        data = bytearray(self.store.source.read(span.start, span.length))
        keep, put = rewrite
        for i in range(first, last):
            at = stretch.starts[i] - span.start
            data[at] = (data[at] & (keep >> 8)) | (put >> 8)
        why = f"flags converted to store version {self.target}"
        return Edit("corrected", span, bytes(data), "derived", why, last - first)

    def _carry_out(self, stretch: Stretch, i: int, verdict: Verdict, rewrite: tuple[int, int] | None) -> Iterator[Edit]:
        span = Span(stretch.starts[i], _end(stretch, i))
        if verdict.action == "corrected" and verdict.flags is not None:
            flags = verdict.flags
            if rewrite:
                flags = flags & rewrite[0] | rewrite[1]
            head = flags.to_bytes(2, "big") + self.heads(span.start + 2, 10)
            yield Edit("corrected", Span(span.start, span.start + 12), head, "derived", verdict.why, 1)
            yield Edit("kept", Span(span.start + 12, span.end))
        elif verdict.action == "lost" and verdict.flags is not None and not (self.wishes.compact or rewrite):
            record = verdict.flags.to_bytes(2, "big") + self.store.source.read(span.start + 2, span.length - 2)
            yield Edit("lost", span, record, "derived", verdict.why, 1)
        elif verdict.action == "kept":
            yield Edit("kept", span, proof=verdict.proof, why=verdict.why, units=verdict.units)
        elif verdict.action == "lost":
            yield Edit("lost", span, proof="none", why=verdict.why, units=verdict.units)
        else:
            yield Edit("dropped", span, proof=verdict.proof, why=verdict.why, units=verdict.units)

    def _damage(self, stretch: Stretch) -> dict[int, Verdict]:
        verdicts: dict[int, Verdict] = {}
        marks = stretch.marks.tobytes()
        if marks.count(OK) == len(marks):
            return verdicts
        for i in stretch.marked():
            mark = marks[i]
            kind = kind_name(stretch.kinds[i])
            if mark == SECOND_STORE:
                verdicts[i] = Verdict("dropped", "version byte of a second store", 0)
            elif mark == ANCHORED and "anchored" in self.wishes.accept:
                verdicts[i] = Verdict("kept", f"{kind} found inside a damaged record, accepted", proof="none")
            elif mark == ANCHORED:
                verdicts[i] = Verdict("dropped", f"{kind} found inside a damaged record (--accept anchored keeps it)")
            elif mark in (TORN_BODY, TORN_HEADER):
                verdicts[i] = Verdict("lost", "cut off by the end of the file", 1)
            elif mark == LOST and self._only_tail_zeroes(stretch, i):
                verdicts[i] = Verdict("dropped", "zeroes after the last record", 0)
            elif mark in (LOST, DISPLACED):
                verdicts[i] = Verdict("lost", "no record can be read here", -1)
            else:
                dead = mark == BAD_CHECKSUM and stretch.columns["batch"].flags[i] & versions.DELETED
                why = f"{'deleted ' if dead else ''}{kind} does not verify"
                verdicts[i] = Verdict("dropped" if dead else "lost", why, proof="none")
        return verdicts

    def _only_tail_zeroes(self, stretch: Stretch, i: int) -> bool:
        start, end = stretch.starts[i], _end(stretch, i)
        behind = start > self.store.start and (i == 0 or stretch.marks[i - 1] in (OK, ANCHORED))
        return end == self.store.size and behind and is_uniform(self.store.source, start, end)

    def _oddities(self, stretch: Stretch, verdicts: dict[int, Verdict]) -> None:
        bits = stretch.columns["odd"].tobytes()
        if bits.count(0) == len(bits):
            return
        batch = stretch.columns["batch"]
        for i, bit in enumerate(bits):
            if not bit or i in verdicts:
                continue
            kind, flags = stretch.kinds[i], batch.flags[i]
            live = not flags & versions.DELETED
            if bit & odd.SHORT and live:
                verdicts[i] = Verdict(
                    "dropped", f"{kind_name(kind)} shorter than its type needs: readers run past its end"
                )
            elif bit & odd.UNKNOWN_TYPE and live:
                verdicts[i] = Verdict("dropped", f"type {kind} is unknown: gossipd refuses the store for it")
            elif kind == 4105:
                verdicts[i] = Verdict("dropped", "says that this store was replaced: readers crash on it")
            elif kind == 4107 and (stretch.starts[i] != self.store.start or not versions.needs_uuid(self.target)):
                verdicts[i] = Verdict("dropped", "a uuid record is only legal as the first of version 16")
            elif bit & odd.INCOMPLETE:
                verdicts[i] = Verdict(
                    "corrected", f"{kind_name(kind)} is whole: COMPLETED set", flags=flags | versions.COMPLETED
                )

    def _written_over(self, stretch: Stretch, verdicts: dict[int, Verdict]) -> None:
        """A copy over another announcement goes, and the amount that is not its own; the one behind it stays."""
        for first, at in self.turned.items():
            if stretch.start <= first < stretch.end:
                i = _index(stretch, first)
                what = "the first record" if first == self.store.start else "another"
                self._delete(stretch, verdicts, i, f"written over {what}, and stands at {at}: DELETED set")
                if self._is_amount(stretch, i + 1):
                    self._delete(stretch, verdicts, i + 1, *_OTHERS)

    def _contradictions(self, stretch: Stretch, verdicts: dict[int, Verdict]) -> None:
        self._written_over(stretch, verdicts)
        whole, seconds = self.elsewhere
        while (event := self.pending or next(self.events, None)) is not None:
            if event[0] >= stretch.end:
                self.pending = event
                return
            self.pending = None
            at, code, other = event
            i = _index(stretch, at)
            if code == DUPLICATE_ANNOUNCEMENT and at in (self.turned.get(other), whole.get(other)):
                continue  # the other one is deleted, and this one is whole
            if code == DUPLICATE_ANNOUNCEMENT:
                self._delete(stretch, verdicts, i, f"announced already at {other}: DELETED set")
                if self._is_amount(stretch, i + 1):
                    told = _OTHERS if at in self.covered else ("amount of a second announcement: DELETED set",)
                    self._delete(stretch, verdicts, i + 1, *told)
            elif code == ANNOUNCEMENT_WITHOUT_AMOUNT and (at in whole or at in seconds):
                self._delete(stretch, verdicts, i, "its channel_amount is missing: DELETED set")
            elif code == ANNOUNCEMENT_WITHOUT_AMOUNT:
                why = "its channel_amount is missing: the channel is lost, DELETED set"
                self._delete(stretch, verdicts, i, why, "lost")
            elif code == PAIR_FLAG_MISMATCH:
                self._pair(stretch, verdicts, i)
            else:
                self._delete(stretch, verdicts, i, "its channel_announcement is missing: DELETED set")

    def _pair(self, stretch: Stretch, verdicts: dict[int, Verdict], i: int) -> None:
        """DELETED on one of an announcement and its amount: the channel's updates say on which it is wrong."""
        batch = stretch.columns["batch"]
        dead, lives = batch.flags[i] & versions.DELETED, corrector(self.store).known.lives(batch.owners[i])
        if dead and lives and i not in verdicts and self._alone(batch.owners[i]):
            why = "its amount and updates are live: DELETED cleared"
            verdicts[i] = Verdict("corrected", why, flags=batch.flags[i] & ~versions.DELETED)
        elif dead:
            self._delete(stretch, verdicts, i + 1, "its announcement is deleted: DELETED set")
        elif lives is False:
            self._delete(stretch, verdicts, i, "its amount and updates are deleted: DELETED set")
        elif i + 1 not in verdicts:
            why = "its announcement is live: DELETED cleared"
            verdicts[i + 1] = Verdict("corrected", why, flags=batch.flags[i + 1] & ~versions.DELETED)

    def _alone(self, channel: int) -> bool:
        """Whether no live announcement has the channel: a second one would be refused."""
        if self.live is None:
            self.live = set()
            for stretch in self.tiles():
                batch = stretch.columns.get("batch")
                columns = (batch.flags, batch.owners) if batch else ((), ())
                for kind, flags, owner in zip(stretch.kinds, *columns, strict=False):
                    if kind == 256 and not flags & versions.DELETED:
                        self.live.add(owner)
        if channel in self.live or len(self.live) > CHANNELS:
            return False
        self.live.add(channel)
        return True

    def _delete(
        self, stretch: Stretch, verdicts: dict[int, Verdict], i: int, why: str, action: str = "corrected"
    ) -> None:
        known = verdicts.get(i)
        if known is not None and known.action != "corrected":
            return
        flags = known.flags if known is not None and known.flags is not None else stretch.columns["batch"].flags[i]
        verdicts[i] = Verdict(action, why, flags=flags | versions.DELETED)

    def _is_amount(self, stretch: Stretch, i: int) -> bool:
        return i < len(stretch) and stretch.kinds[i] == 4101 and stretch.marks[i] in (OK, ANCHORED)

    def _dead(self, stretch: Stretch, verdicts: dict[int, Verdict]) -> None:
        """Drop what compaction, or CLN's own upgrade, leaves out."""
        upward = self.target > self.store.version
        for i, (flags, kind, role) in enumerate(
            zip(stretch.columns["batch"].flags, stretch.kinds, stretch.roles, strict=True)
        ):
            known = verdicts.get(i)
            if role != UNIT or (known is not None and known.action != "corrected"):
                continue
            now = known.flags if known is not None and known.flags is not None else flags
            if now & versions.DELETED and (self.wishes.compact or upward):
                verdicts[i] = Verdict("dropped", f"deleted {kind_name(kind)}", proof="sealed")
            elif self.converts:
                why = not_converted(self.store.version, self.target, kind, flags, _end(stretch, i) - stretch.starts[i])
                if why:
                    verdicts[i] = Verdict("dropped", why, proof="sealed")


def _joins(run: Edit, edit: Edit) -> bool:
    """Two kept neighbours of one proof become one edit; a why of its own keeps an edit apart."""
    if run.action != "kept" or edit.action != "kept" or run.why or edit.why or run.proof != edit.proof:
        return False
    return run.origin is not None and edit.origin is not None and run.origin.end == edit.origin.start


def _end(stretch: Stretch, i: int) -> int:
    return stretch.starts[i + 1] if i + 1 < len(stretch) else stretch.end


def _index(stretch: Stretch, at: int) -> int:
    return max(0, bisect_right(stretch.starts, at) - 1)


def plan(store: Store, wishes: Wishes) -> Plan:
    if store.version_byte is None:
        raise RefusedError("the file is empty: there is nothing to save", "delete it; lightningd makes a new store")
    if store.version < versions.OLDEST_JUDGED:
        raise RefusedError(
            f"store version {store.version}: its checksums cannot be judged, so nothing proves a record",
            "inspector records lists them; lightningd makes a new store by itself",
        )
    accepting(wishes, ACCEPTS, "a gossip store")
    mended = mend(store, wishes)
    # where something could not be read it may have been read when the facts were made, and be gone since
    anew = bool(mended.pieces or store.source.unreadable)
    store = seen_through(store, mended) if anew else store
    target = target_version(store, wishes)  # a page put back at the start tells the version
    tiles = Twice(store)
    if anew:
        check(store, tiles.first(), Tally(2))
    events: EventLog = store.facts["events"]
    heads = Windowed(store.source.read, store.source.sparing, 1 << 16)
    over = frozenset(covered(store.facts)), turned(store, store.facts)
    planner = Planner(store, wishes, target, iter(events), tiles.again, heads, elsewhere(events), *over)
    edits = planner.edits()
    if isinstance(store.source, Overlay):
        edits = corrected_edits(edits, store.source)
    made = Plan(edits, store.size + 64, notes=planner.notes, after=steps)
    made.notes += mended.notes()
    made.notes += [NO_FUNDS, LEAVE_ALONE]
    live, dead = _bytes_by_life(store)
    if dead > live and not wishes.compact:
        made.notes.append(f"{dead:,} of {store.size:,} bytes are deleted records: --compact would save them")
    return made


def _bytes_by_life(store: Store) -> tuple[int, int]:
    flat = store.ribbon
    return sum(flat[0::4]), sum(flat[1::4])
