"""From tiles to findings: damaged records and stretches, records that trouble a reader, contradictions."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from inspector import crc32c, kernels
from inspector.catalogue import later
from inspector.finding import Cause, Finding, Later, Severity, Tally
from inspector.format import Stretch
from inspector.formats.gossip_store import events as ev
from inspector.formats.gossip_store import oddities as odd
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.causes import (
    anchored,
    flag_bits,
    lacking,
    legal,
    run_cause,
    torn,
    unfinished,
    unfinished_flag,
    writer,
    zero_cause,
)
from inspector.formats.gossip_store.evidence import body_cause, claims_past, is_uniform, length_cause, longest_run
from inspector.formats.gossip_store.hurt import Hurt
from inspector.formats.gossip_store.kinds import SEALED_HEADER, kind_name
from inspector.formats.gossip_store.loader import V24_02, Facts
from inspector.formats.gossip_store.rules import BY_SLUG
from inspector.formats.gossip_store.shorts import short_records
from inspector.formats.gossip_store.walk import (
    ANCHORED,
    BAD_CHECKSUM,
    BAD_LENGTH,
    DAMAGED,
    DISPLACED,
    LOST,
    OK,
    SECOND_STORE,
    TOO_SHORT,
    TORN_BODY,
    TORN_HEADER,
    UNJUDGED,
    Store,
)
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.gossip_store.mending import Mending

SHORTEST = 14  # bytes of a header and a type; less than that at the end was cut off before its type
_MORE = re.compile(b"[^%s]" % re.escape(bytes((0, odd.SHORT))))  # odd in another way than short, or also
BEGINNINGS = frozenset({256, 3503, 4104, 4107})  # kinds of record that a store begins with
RULE = BY_SLUG

# only damage asks for these
_MENDING = "inspector.formats.gossip_store.mending"
of_record, of_gap, of_start, of_order, channel_lives = (
    later(_MENDING, name) for name in ("of_record", "of_gap", "of_start", "of_order", "channel_lives")
)
written_over = later("inspector.formats.gossip_store.over_start", "tell")


def _flags(stretch: Stretch) -> Sequence[int]:
    """The flags of each tile; none where they were not read."""
    return stretch.columns["batch"].flags if "batch" in stretch.columns else bytes(len(stretch))


class Checker:
    """Collects findings and loader facts while stretches pass; remembers only what the next stretch needs."""

    def __init__(self, store: Store, tally: Tally) -> None:
        self.store, self.tally = store, tally
        self.facts = Facts(version=store.version, version_byte=store.version_byte, size=store.size)
        if store.headless:
            self.facts.broken = 1  # where programs look for the first record
        self.owners = kernels.GossipOwners(ev.OWNERS)
        self.log = ev.EventLog()
        self.previous_mark = OK
        self.hurt = Hurt()
        self.lost: Counter[str] = Counter()  # live records by kind
        self.lost_bytes = 0  # in which not even records can be counted
        self.strays = 0  # updates of channels without an announcement
        self.live = self.deleted = self.dead_bytes = self.live_bytes = 0

    def add(
        self,
        slug: str,
        span: Span | Callable[[], Span],
        message: str | Callable[[], str],
        cause: Callable[[], tuple[Cause, dict[str, Any]]] | None = None,
        severity: Severity | None = None,
        salvage: Any = None,
        evidence: dict[str, Any] | None = None,
        mended: Callable[[Cause], Mending] | None = None,
    ) -> None:
        rule = RULE[slug]

        def make() -> Finding:
            why, told = (
                cause() if cause else (Cause("software-rule-violation", "likely", "the record's checksum is right"), {})
            )
            text = message() if callable(message) else message
            saved = salvage
            if mended:
                why, more, saved = mended(why)
                told = {**told, **more}
            where = span() if callable(span) else span
            told_by = cause.func if isinstance(cause, partial) else cause
            if self.hurt.count and told_by in (unfinished, lacking, writer, anchored):
                why = of_order(self.store, where, why)
            return Finding(rule, where, text, {**(evidence or {}), **told}, why, saved, severity)

        self.tally.add(rule, make, severity)

    def fact(self, name: str, at: int) -> None:
        if name and getattr(self.facts, name) is None:
            setattr(self.facts, name, at)

    # -- one stretch ---------------------------------------------------------------------------

    def stretch(self, stretch: Stretch) -> None:
        marks = stretch.marks.tobytes()
        if marks.count(0) != len(marks):
            bad = []  # these are counted at once: there may be one in every few bytes
            for i in stretch.marked():
                if i:
                    self.previous_mark = marks[i - 1]
                if marks[i] == BAD_CHECKSUM:
                    bad.append(i)
                    self.hurt.add(BAD_CHECKSUM, stretch, i)
                    continue
                self.damaged(stretch, i, stretch.span(i))
            self._bad_checksums(stretch, bad)
        batch = stretch.columns.get("batch")
        if batch is None:
            return
        bits = stretch.columns["odd"].tobytes()
        if bits.count(0) != len(bits):
            short_records(self.store, batch, bits, self.tally, self.fact)
            for match in _MORE.finditer(bits):
                i = match.start()
                end = batch.starts[i + 1] if i + 1 < len(bits) else batch.end
                self.strange(batch, i, Span(batch.starts[i], end), bits[i])
        self.events(self.owners.feed(self._proved(batch)))

    def _proved(self, batch: Any) -> Any:
        """The batch without records found inside damaged ones: a planted one must not contradict a genuine one."""
        if "anchored" in self.store.wishes.accept or bytes([ANCHORED]) not in batch.marks.tobytes():
            return batch
        marks = batch.marks.tobytes().replace(bytes([ANCHORED]), bytes([LOST]))
        return replace(batch, marks=array("B", marks))

    def damaged(self, stretch: Stretch, i: int, span: Span) -> None:
        mark, kind = stretch.marks[i], stretch.kinds[i]
        flags = _flags(stretch)[i]
        if mark == UNJUDGED:
            return
        if mark in DAMAGED or mark == LOST:
            self.hurt.add(mark, stretch, i)
        if mark == TORN_BODY or (mark in DAMAGED and not flags & versions.DELETED):
            self.lost[kind_name(kind)] += 1
        elif mark in (LOST, TORN_HEADER):
            self.lost_bytes += span.length
        if mark == ANCHORED:
            self.add(
                "record-inside-damage", span, f"{kind_name(kind)} found inside a damaged record", anchored, None, None
            )
        elif mark in (BAD_LENGTH, TOO_SHORT):
            self._bad_length(span, kind, flags, mark)
        elif mark in (TORN_BODY, TORN_HEADER):
            self._torn(span, kind, mark)
        elif mark == SECOND_STORE:
            self.fact("second", span.start)
            self._second(span)
        elif mark == DISPLACED:
            self._displaced(span)
        elif mark == LOST:
            self._gap(span)

    def _bad_checksums(self, stretch: Stretch, places: list[int]) -> None:
        dead = [i for i in places if _flags(stretch)[i] & versions.DELETED]
        live = sorted(set(places) - set(dead)) if dead else places
        for kind, count in Counter(stretch.kinds[i] for i in live).items():
            self.lost[kind_name(kind)] += count
        for name, found in (("bad_dead", dead), ("bad_live", live)):
            if found:
                self.fact(name, stretch.starts[found[0]])
                severity = self.severity_of_dead if found is dead else None
                # what is kept of a tile must not keep the columns of all the others
                units = Later(found, lambda i: (stretch.span(i), stretch.kinds[i], _flags(stretch)[i]))
                make = partial(self._bad_checksum, severity)
                self.tally.add_each(RULE["record-checksum-mismatch"], units, make, severity)

    def _bad_checksum(self, severity: Severity | None, unit: tuple[Span, int, int]) -> Finding:
        span, kind, flags = unit
        clear = versions.has_completed(self.store.version) and not flags & versions.COMPLETED
        dead = "deleted " if flags & versions.DELETED else ""
        size = span.length - 12
        what = f"{dead}{kind_name(kind)}: the checksum does not match its {size} bytes"
        why, told = body_cause(self.store.source, span.start, span.end, clear)
        why, more, saved = of_record(self.store, span, why)
        told = {"type": kind, "flags": flags, "length": size, **told, **more}
        return Finding(RULE["record-checksum-mismatch"], span, what, told, why, saved, severity)

    @cached_property
    def severity_of_dead(self) -> Severity:
        """Until v24.02 the start-up check looked at deleted records too."""
        judge = versions.judged_for(self.store.version, self.store.wishes)
        return Severity.NOTE if judge >= V24_02 else Severity.WARNING

    def _bad_length(self, span: Span, kind: int, flags: int, mark: int) -> None:
        right = span.length - 12
        claimed, stored, timestamp = SEALED_HEADER.unpack(self.store.source.read(span.start, 12))[1:]
        past_end = span.start + 12 + claimed > self.store.size

        def verifies() -> bool:
            return bool(crc32c.crc32c(self.store.source.read(span.start + 12, right), timestamp) == stored)

        if past_end and span.end == self.store.size and not verifies():
            self._torn(span, kind, TORN_BODY)  # cut off where a shorter form of its type happens to end
            return
        self.fact("past_end" if past_end else "broken", span.start)

        def cause() -> tuple[Cause, dict[str, Any]]:
            proof = verifies()
            return length_cause(claimed, right, proof), {"claimed": claimed, "right": right, "body_verifies": proof}

        if mark == TOO_SHORT:
            self.add("record-too-short", span, "a record without even a type", cause, Severity.ERROR, "lost")
        else:
            text = f"{kind_name(kind)}: the length says {claimed}, the message ends after {right}"
            told = {"type": kind, "flags": flags}
            self.add(
                "record-length-wrong", span, text, cause, None, None, told, lambda why: of_record(self.store, span, why)
            )

    def _torn(self, span: Span, kind: int, mark: int) -> None:
        self.fact("torn", span.start)
        if mark == TORN_HEADER:
            text = f"{span.length} bytes are left where a 12-byte record header is due"
            self.add(
                "truncated-header", span, text, lambda: (torn(self.store, span), {"left": span.length}), None, "lost"
            )
            return
        head = self.store.source.read(span.start, 12)
        size = versions.header_size(self.store.version)
        claimed = int.from_bytes(head[2:4] if size == 12 else head[:4], "big")
        left = span.length - size
        text = f"{kind_name(kind)}: its body needs {claimed} bytes, {left} are left in the file"
        told = {"needed": claimed, "left": left, "type": kind}
        self.add("truncated-body", span, text, lambda: (torn(self.store, span), told), None, "lost")

    def _second(self, span: Span) -> None:
        value = self.store.source.read(span.start, 1)[0]
        why = Cause("appended-store", "certain", "a version byte here, and records that verify right behind it")
        text = f"a second store (version {value}) begins here"
        self.add("second-store", span, text, lambda: (why, {"version": value}), None, "kept")

    def _displaced(self, span: Span) -> None:
        self.facts.displaced = True
        at = self.store.version_at
        why = Cause("shifted", "certain", f"the version byte and all records stand {at} bytes too far on")
        # in later stores nothing but that old bug is known to leave this
        if at == 1 and self.store.version <= 9 and self.store.source.read(0, 1) == b"\0":
            why = Cause("software-rule-violation", "likely", "version at offset 1 and zero at 0, as before v0.10.0")
        text = f"the version byte ({self.store.version}) stands at offset {at}, not 0"
        told = {"version_at": at}
        self.add("version-byte-displaced", span, text, lambda: (of_start(self.store, why)[0], told), None, "kept")

    def _gap(self, span: Span) -> None:
        source, at_end = self.store.source, span.end == self.store.size
        if is_uniform(source, span.start, span.end):
            if at_end and self.previous_mark in (OK, ANCHORED) and span.start > self.store.start:
                self.fact("zero_tail", span.start)
                why = Cause("zeroed-range", "certain", f"all {span.length} bytes are zero")
                text = f"{span.length:,} zero bytes after the last record"
                self.add("trailing-zeroes", span, text, lambda: (why, {"length": span.length}), None, "kept")
                return
            self.fact("broken", span.start)
            self.add("zeroed-range", span, f"{span.length:,} zero bytes", lambda: zero_cause(span), None, "lost")
            return
        if at_end and span.length < SHORTEST and self.previous_mark == OK:
            self._torn(span, 0, TORN_BODY)
            return

        def mended(why: Cause) -> Mending:
            told: Mending = of_gap(self.store, span, why)
            return told

        self.fact("broken", span.start)
        if self.previous_mark == ANCHORED:
            text = f"{span.length:,} bytes: the rest of the damaged record around the one found inside it"
            self.add("unreadable-stretch", span, text, lambda: run_cause(self.store, span), Severity.NOTE, "lost")
            return
        first = self.store.source.read(span.start, 14)
        claimed = int.from_bytes(first[2:4], "big")
        run = longest_run(source, span.start, span.end)
        if self._overwritten_start(span):
            return
        if run and run.value == 0 and run.end - run.start >= 64:
            text = f"{run.end - run.start:,} zero bytes at [{run.start}, {run.end}) cover the records here"
            self.add("zeroed-range", span, text, lambda: run_cause(self.store, span), mended=mended)
        elif claims_past(first, self.store.size - span.start) and not at_end:
            self.fact("past_end", span.start)
            kind = kind_name(first[12] << 8 | first[13])
            text = f"{kind} claims {claimed} bytes, past the end of the file; records go on at {span.end}"
            told = {"claimed": claimed}
            self.add("length-past-end", span, text, lambda: run_cause(self.store, span), evidence=told, mended=mended)
        else:
            ends = "the end of the file" if at_end else f"{span.end}, where the next record verifies"
            text = f"no record can be read in {span.length:,} bytes, up to {ends}"
            self.add("unreadable-stretch", span, text, lambda: run_cause(self.store, span), mended=mended)

    def _overwritten_start(self, span: Span) -> bool:
        """A gap right behind a first record that does not belong at offset 1."""
        store, first = self.store, self.store.facts.get("first")
        if store.headless or not first or first[:2] != (store.start, span.start) or first[2] in BEGINNINGS:
            return False
        why = Cause(
            "overwritten", "likely", f"a {kind_name(first[2])} stands at offset {first[0]}, over what was there"
        )
        text = f"{span.length:,} bytes behind the first record are the rest of what it was written over"
        self.add(
            "overwritten-start", Span(first[0], span.end), text, lambda: (why, {"record_end": span.start}), None, "lost"
        )
        return True

    # -- records that verify -------------------------------------------------------------------

    def strange(self, batch: Any, i: int, span: Span, bits: int) -> None:
        kind, flags = batch.kinds[i], batch.flags[i]
        live = not flags & versions.DELETED
        if bits & odd.UNKNOWN_TYPE and live:
            self.fact("unknown", span.start)
            self.add(
                "unknown-type", span, f"type {kind}, {span.length - 12} bytes", writer, None, "lost", {"type": kind}
            )
        if bits & odd.UNKNOWN_FLAGS:
            unknown = flags & versions.unknown_bits(self.store.version)
            told = {"flags": flags, "unknown": unknown}
            self.add(
                "flag-bits-unknown",
                span,
                f"{kind_name(kind)}: flag bits 0x{unknown:04x}",
                flag_bits,
                None,
                "kept",
                told,
            )
        if bits & odd.INCOMPLETE:
            self.fact("incomplete", span.start)
            text = f"{kind_name(kind)}: whole, but COMPLETED is not set"
            self.add("not-completed", span, text, lambda: unfinished_flag(flags, self.store, span), None, "kept")
        if bits & odd.BAD_ALIAS:
            self.add("alias-not-utf8", span, "the alias is not UTF-8", legal, None, "kept")
        if bits & odd.SPECIAL:
            self._special(span, kind, live)

    def _special(self, span: Span, kind: int, live: bool) -> None:
        if kind == 4105 and live:
            self.fact("ended", span.start)
            self.add("ended-in-place", span, "this store says that it was replaced", writer, None, "kept")
        elif kind == 4107 and span.start != self.store.start:
            self.add("uuid-not-first", span, "a uuid record in the middle", writer, None, "kept")

    def events(self, found: Any, late: bool = False) -> None:
        self.log.add(found, late)
        for k in range(0, len(found), 3):
            at, code, other = found[k], found[k + 1], found[k + 2]
            slug, text, name = ev.EVENTS[code]
            if code == ev.DUPLICATE_ANNOUNCEMENT and written_over(self.store, at, other, self.add):
                self.fact(name, at)
                continue
            severity = None
            self.strays += code == ev.UPDATE_UNKNOWN_CHANNEL
            if code == 4:
                dead = bool(self.store.source.read(at, 1)[0] & 0x80)
                name = "announcement_deleted" if dead else "amount_deleted"
                severity = Severity.NOTE if dead and not channel_lives(self.store, at) else None
            if code == ev.ANNOUNCEMENT_WITHOUT_AMOUNT:
                self.fact("no_amount_at_end" if self.record_at(at).end == self.store.size else name, at)
                continue  # told at the end: the channel may be announced again
            self.fact(name, at)
            told = {"other": other} if code in ev.NAMING else {}
            words = partial(text.format, other=other)
            why = partial(lacking, self.hurt, at) if code in ev.LACKING else unfinished
            self.add(slug, partial(self.record_at, at), words, why, severity, "kept", told)

    def record_at(self, at: int) -> Span:
        """The record that begins at `at`, by its own length."""
        return Span(at, min(self.store.size, at + 12 + int.from_bytes(self.store.source.read(at + 2, 2), "big")))
