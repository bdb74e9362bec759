"""Findings, answer, records and repair of a piece cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inspector.counted import counted
from inspector.errors import RefusedError
from inspector.finding import Cause, Finding, Severity, Tally
from inspector.format import UNIT, Answer, Edit, Entry, Exhibit, Item, Outcome, Plan, Query, Stretch, Wishes
from inspector.formats.piece_cache import rules
from inspector.formats.piece_cache.elements import (
    BAD,
    KIND_PIECE,
    Moved,
    State,
    begins_none,
    cause_of,
    elements,
    number,
)
from inspector.formats.piece_cache.hunting import INDEX, judge
from inspector.formats.piece_cache.layout import ELEMENT, PIECE
from inspector.span import Span

MAX_LISTED = 1000
AFRESH = "stop the farmer and delete it: the farmer makes a new one and fetches its pieces again"


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    for stretch in stretches:
        if stretch.marks[0] == BAD and stretch.kinds[0] == KIND_PIECE and stretch.roles[0] == UNIT:
            span = Span(stretch.start, stretch.end)
            tally.add(rules.CHECKSUM, lambda span=span: bad_piece(state, span))  # type: ignore[misc]
    for run in state.moved:
        tally.add(rules.MOVED, lambda run=run: _moved(run))  # type: ignore[misc]
    if state.cut:
        tally.put(_cut(state))
    if state.twice_first:
        index, first, second = state.twice_first
        twice = counted(state.twice, "piece is", "pieces are")
        message = f"piece {index} is in elements {number(first)} and {number(second)} ({twice} there twice)"
        span = Span(second, second + ELEMENT)
        found = {"piece_index": index, "first": number(first), "count": state.twice}
        tally.put(Finding(rules.TWICE, span, message, found))


def bad_piece(state: State, span: Span) -> Finding:
    element = state.source.read(span.start, span.length)
    index = int.from_bytes(element[:8], "little")
    found: dict[str, int | str] = {"element": number(span.start), "piece_index": index}
    if span.length == ELEMENT:
        cause, evidence = cause_of(element, span.start)
        message = f"element {number(span.start)} (piece {index} by its own word) does not match its digest"
        return Finding(rules.CHECKSUM, span, message, found | evidence, cause, "lost")
    more = span.length - _pieces(span.length) * ELEMENT
    what = counted(abs(more), "byte was", "bytes were") + (" put in" if more > 0 else " lost")
    message = f"{counted(span.length, 'byte')} before the next good element, in which none verifies"
    found |= {"length": span.length, "needed": ELEMENT, "inserted" if more > 0 else "lost": abs(more)}
    cause = Cause("shifted", "certain", f"{what} here: the next good element begins at {span.end}")
    return Finding(rules.CHECKSUM, span, message, found, cause, "lost")


def _pieces(length: int) -> int:
    """How many there were in so many bytes, before some were put in or lost."""
    return number(length)


def _moved(run: Moved) -> Finding:
    side = "further on" if run.by > 0 else "further back"
    elements = counted(run.count, "good element stands", "good elements stand")
    message = f"{elements} {counted(abs(run.by), 'byte')} {side} than the farmer looks"
    cause = Cause("shifted", "certain", f"bytes were {'put in' if run.by > 0 else 'lost'} before it")
    return Finding(rules.MOVED, Span(run.start, run.end), message, {"count": run.count, "by": run.by}, cause, "kept")


def _cut(state: State) -> Finding:
    size = state.source.length()
    span = Span(size - state.cut, size)
    found = {"stored": state.cut, "needed": ELEMENT}
    if _nothing_in(state, span):
        message = f"{counted(state.cut, 'zero')} behind the last element: nothing is in them"
        return Finding(rules.CUT, span, message, found, salvage="kept", severity=Severity.WARNING)
    if begins_none(state):
        message = f"{counted(state.cut, 'byte')} behind the last element that cannot begin one: no piece is in them"
        why = Cause("shifted", "likely", "where a piece index would begin is none: these bytes were put in here")
        return Finding(rules.CUT, span, message, found, why, "kept", Severity.WARNING)
    return Finding(rules.CUT, span, f"the last element has {state.cut} of {ELEMENT} bytes", found, salvage="lost")


def _nothing_in(state: State, span: Span) -> bool:
    """Zeroes, and more of them than an index may begin with."""
    return span.length >= INDEX and not any(state.source.read(span.start, span.length))


def answer(state: State, _: Tally) -> Answer:
    total = state.good + state.empty + state.bad
    words = [f"{counted(total, 'element')}: {state.good} good, {state.empty} empty, {state.bad} bad."]
    if state.moved_pieces:
        words.append(
            f"{counted(state.moved_pieces, 'good one is', 'good ones are')} not where the farmer looks; "
            "a repair puts them back."
        )
    if state.bad or state.cut:
        words.append("Nothing is lost for good: the farmer fetches these pieces from the network again.")
    summary = {
        "elements": total,
        "good": state.good,
        "empty": state.empty,
        "bad": state.bad,
        "cut_bytes": state.cut,
        "bad_elements": list(state.bad_at[:MAX_LISTED]),
        "moved": state.moved_pieces,
    }
    unread = state.bad + state.moved_pieces
    outcome = "loads; " + (f"skips {counted(unread, 'piece')}, each with a warning" if unread else "uses every piece")
    message = "Hash doesn't match, corrupted piece in cache" if unread else ""
    following = ("inspector repair {path} -o piece_cache.repaired.bin",) if state.good and (unread or state.cut) else ()
    loaders = (Outcome("subspace farmer", "", outcome, message),)
    return Answer("", "elements of 1,048,712 bytes with a digest", tuple(words), summary, loaders, following)


def records(state: State, query: Query) -> Iterator[Entry]:
    for at, element, verdict in elements(state.source):
        kind = "empty" if verdict == "empty" else "piece"
        if query.kinds and kind not in query.kinds:
            continue
        if (query.damaged and verdict != "bad") or at + len(element) <= query.start:
            continue
        if query.end is not None and at >= query.end:
            return
        told = {"element": number(at)} | (
            {"piece_index": int.from_bytes(element[:8], "little")} if kind == "piece" else {}
        )
        yield Entry(Span(at, at + len(element)), kind, "bad checksum" if verdict == "bad" else "ok", told)


def items(state: State) -> Iterator[Item]:
    for at, element, verdict in elements(state.source):
        if verdict == "good":
            index = int.from_bytes(element[:8], "little")
            yield Item(f"piece:{index}", "piece", None, {"element": number(at)}, (Span(at, at + ELEMENT),))


def show(state: State, _: str, at: int) -> Exhibit | None:
    size = state.source.length()
    if not 0 <= at < size:
        return None
    span, verdict = _around(state, at)
    element = state.source.read(span.start, min(span.length, ELEMENT))
    fields = tuple(PIECE.fields(element, span.start))
    findings = (bad_piece(state, span),) if verdict == "bad" else ()
    title = f"element {number(span.start)}"
    return Exhibit(title, span, verdict, "offset", element[:4096], fields, (), (), findings)


def _around(state: State, at: int) -> tuple[Span, str]:
    """The element that holds a byte, and its verdict."""
    start = at - at % ELEMENT
    element = state.source.read(start, ELEMENT)
    verdict = judge(element) if len(element) == ELEMENT else "cut"
    if verdict in ("good", "empty"):
        return Span(start, start + ELEMENT), verdict
    end = 0
    for start, element, verdict in elements(state.source):  # one that moved, or stands before such a one
        end = start + len(element)
        if at < end:
            return Span(start, end), verdict
    return Span(end, state.source.length()), "cut"


def plan(state: State, _: Wishes) -> Plan:
    """Good and empty elements stay, or go back to their places; bad ones become empty, as what the farmer lacks."""
    if not state.good and (state.bad or state.cut):
        raise RefusedError("no piece of this cache is good: a repaired one would be all zeroes", AFRESH)
    length = state.source.length()
    # where bytes were put in, as many are too many at the end
    behind = Span(length - state.cut, length)
    if state.cut and not _nothing_in(state, behind) and begins_none(state):
        length = behind.start
    size = (number(length) if state.moved else -(-length // ELEMENT)) * ELEMENT
    last = max((place for place, *_ in _placed(state)), default=-ELEMENT) if state.moved else 0
    size = max(size, last + ELEMENT)
    return Plan(_edits(state), size, size=size, notes=[], after=after)


def _placed(state: State) -> Iterator[tuple[int, int, int, str]]:
    """Where each element belongs; its offset, length and verdict. No two have one place: they do not overlap."""
    for at, element, verdict in elements(state.source):
        yield number(at) * ELEMENT, at, len(element), verdict


def _edits(state: State) -> Iterator[Edit]:
    end = 0
    for place, at, length, verdict in _placed(state):
        end = at + length
        span = Span(at, end)
        if verdict == "bad":
            yield Edit("lost", span, why="the digest does not hold: left empty", units=_pieces(length))
        elif verdict == "good" or not state.moved:
            yield Edit("kept", span, units=int(verdict == "good"), at=place)
        else:
            yield Edit("dropped", span, why="an empty element: what is not written is empty")
    size = state.source.length()
    if end < size:
        span = Span(end, size)
        if _nothing_in(state, span):
            yield Edit("dropped", span, why="zeroes, in which is nothing")
        elif begins_none(state):
            yield Edit("dropped", span, why="bytes that begin no element")
        else:
            yield Edit("lost", span, why="a part of an element: left empty")


def after(source: str, output: str) -> tuple[str, ...]:
    return (
        "stop the farmer",
        f"mv {source} {source}.before   # the way back; it can be deleted, the cache is fetched again",
        f"mv {output} {source}",
        "start the farmer; it fills the empty elements again",
    )
