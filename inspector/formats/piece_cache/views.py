"""Findings, answer, records and repair of a piece cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inspector.counted import counted
from inspector.finding import Finding, Tally
from inspector.format import UNIT, Answer, Edit, Entry, Exhibit, Item, Outcome, Plan, Query, Stretch, Wishes
from inspector.formats.piece_cache import rules
from inspector.formats.piece_cache.elements import BAD, KIND_PIECE, State, cause_of, elements, judge
from inspector.formats.piece_cache.layout import ELEMENT, PIECE
from inspector.span import Span

MAX_LISTED = 1000


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    for stretch in stretches:
        if stretch.marks[0] == BAD and stretch.kinds[0] == KIND_PIECE and stretch.roles[0] == UNIT:
            at = stretch.start
            tally.add(rules.CHECKSUM, lambda at=at: bad_piece(state, at))  # type: ignore[misc]
    if state.cut:
        size = state.source.length()
        message = f"the last element has {state.cut} of {ELEMENT} bytes"
        evidence = {"stored": state.cut, "needed": ELEMENT}
        tally.put(Finding(rules.CUT, Span(size - state.cut, size), message, evidence, salvage="lost"))
    if state.twice_first:
        index, first, second = state.twice_first
        twice = counted(state.twice, "piece is", "pieces are")
        message = f"piece {index} is in elements {first} and {second} ({twice} there twice)"
        span = Span(second * ELEMENT, (second + 1) * ELEMENT)
        tally.put(Finding(rules.TWICE, span, message, {"piece_index": index, "first": first, "count": state.twice}))


def bad_piece(state: State, at: int) -> Finding:
    element = state.source.read(at, ELEMENT)
    cause, evidence = cause_of(element, at)
    index = int.from_bytes(element[:8], "little")
    message = f"element {at // ELEMENT} (piece {index} by its own word) does not match its digest"
    found = {"element": at // ELEMENT, "piece_index": index, **evidence}
    return Finding(rules.CHECKSUM, Span(at, at + ELEMENT), message, found, cause, "lost")


def answer(state: State, _: Tally) -> Answer:
    total = state.good + state.empty + state.bad
    words = [f"{counted(total, 'element')}: {state.good} good, {state.empty} empty, {state.bad} bad."]
    if state.bad or state.cut:
        words.append("Nothing is lost for good: the farmer fetches these pieces from the network again.")
    summary = {
        "elements": total,
        "good": state.good,
        "empty": state.empty,
        "bad": state.bad,
        "cut_bytes": state.cut,
        "bad_elements": list(state.bad_at[:MAX_LISTED]),
    }
    outcome = "loads; " + (
        f"skips {counted(state.bad, 'piece')}, each with a warning" if state.bad else "uses every piece"
    )
    message = "Hash doesn't match, corrupted piece in cache" if state.bad else ""
    following = ("inspector repair {path} -o piece_cache.repaired.bin",) if state.bad or state.cut else ()
    loaders = (Outcome("subspace farmer", "", outcome, message),)
    return Answer("", "elements of 1,048,712 bytes with a digest", tuple(words), summary, loaders, following)


def records(state: State, query: Query) -> Iterator[Entry]:
    for at, element, verdict in elements(state.source):
        kind = "empty" if verdict == "empty" else "piece"
        if query.kinds and kind not in query.kinds:
            continue
        if (query.damaged and verdict != "bad") or at + ELEMENT <= query.start:
            continue
        if query.end is not None and at >= query.end:
            return
        told = {"element": at // ELEMENT} | (
            {"piece_index": int.from_bytes(element[:8], "little")} if kind == "piece" else {}
        )
        yield Entry(Span(at, at + ELEMENT), kind, "bad checksum" if verdict == "bad" else "ok", told)


def items(state: State) -> Iterator[Item]:
    for at, element, verdict in elements(state.source):
        if verdict == "good":
            index = int.from_bytes(element[:8], "little")
            yield Item(f"piece:{index}", "piece", None, {"element": at // ELEMENT}, (Span(at, at + ELEMENT),))


def show(state: State, _: str, at: int) -> Exhibit | None:
    size = state.source.length()
    if not 0 <= at < size:
        return None
    start = at - at % ELEMENT
    element = state.source.read(start, ELEMENT)
    whole = len(element) == ELEMENT
    verdict = judge(element) if whole else "cut"
    fields = tuple(PIECE.fields(element, start))
    findings = (bad_piece(state, start),) if verdict == "bad" else ()
    span = Span(start, start + len(element))
    return Exhibit(f"element {start // ELEMENT}", span, verdict, "offset", element[:4096], fields, (), (), findings)


def plan(state: State, _: Wishes) -> Plan:
    """Good and empty elements stay; bad ones become empty, as the farmer leaves what it does not have."""
    size = state.source.length()
    whole = -(-size // ELEMENT) * ELEMENT
    return Plan(_edits(state), whole, size=whole, notes=[], after=after)


def _edits(state: State) -> Iterator[Edit]:
    for at, _, verdict in elements(state.source):
        span = Span(at, at + ELEMENT)
        if verdict == "bad":
            yield Edit("lost", span, why="the digest does not hold: left empty", units=1)
        else:
            yield Edit("kept", span, units=int(verdict == "good"), at=at)
    size = state.source.length()
    if size % ELEMENT:
        yield Edit("lost", Span(size - size % ELEMENT, size), why="a part of an element: left empty")


def after(source: str, output: str) -> tuple[str, ...]:
    return (
        "stop the farmer",
        f"mv {source} {source}.before   # the way back; it can be deleted, the cache is fetched again",
        f"mv {output} {source}",
        "start the farmer; it fills the empty elements again",
    )
