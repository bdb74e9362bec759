"""Neighbours of a place: the same records with and without a veil, and nothing is hidden but what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.format import Exhibit, Query, Wishes
from inspector.inspect import Report, inspect
from inspector.redact import Redactor
from inspector.reporting import beside as module
from inspector.reporting.beside import Neighbours, beside
from inspector.reporting.hide import Hide
from inspector.source import open_source
from inspector.span import Span
from inspector.veil import veiled

TABLE = str(Path(__file__).parent.parent.parent / "samples" / "rocksdb" / "data-bit.sst")


def _listed(report: Report) -> list[Span]:
    listing = report.format.records
    assert listing is not None
    return [entry.span for entry in listing(report.state, Query())]


def _neighbours(redactor: Redactor | None, *places: Span) -> tuple[Neighbours, list[Span]]:
    """What stands beside these places of the sample, and all that its format lists."""
    known = formats.all_formats()
    with open_source(TABLE) as source:
        report = inspect(source, known if redactor is None else veiled(known, redactor), Wishes())
        shown = [Exhibit("", place, "", "") for place in places]
        found = beside(report, shown, Hide(redactor, report.layers))
        plain = inspect(source, known, Wishes())
        return found, _listed(plain)


def _spans(found: Neighbours) -> dict[tuple[str, int], list[Span]]:
    return {place: [entry.span for entry in entries] for place, entries in found.items()}


@pytest.mark.parametrize("redactor", [None, Redactor()], ids=["plain", "veiled"])
def test_the_records_before_and_after_a_place_are_its_neighbours(redactor: Redactor | None) -> None:
    _, listed = _neighbours(None)
    starts = sorted({span.start: span for span in listed}.values(), key=lambda span: span.start)
    place = starts[len(starts) // 2]
    found, _ = _neighbours(redactor, place)
    before = [span for span in listed if span.end <= place.start][-1]
    after = next(span for span in listed if span.start >= place.end)
    assert _spans(found) == {("", place.start): [before, after]}


def test_a_place_before_all_records_has_none_before_it_and_one_behind_all_none_after() -> None:
    _, listed = _neighbours(None)
    first, last = Span(0, 0), Span(listed[-1].end, listed[-1].end + 1)
    found, _ = _neighbours(Redactor(), first, last)
    assert _spans(found) == {("", first.start): [listed[0]], ("", last.start): [listed[-1]]}


def test_names_are_given_to_what_is_shown_and_to_nothing_else() -> None:
    _, listed = _neighbours(None)
    alone, beside_one = Redactor(), Redactor()
    _neighbours(alone)
    _neighbours(beside_one, listed[len(listed) // 2])
    more = len(beside_one._known) - len(alone._known)
    assert 0 < more <= 8 < len(listed)


def test_a_place_behind_more_records_than_there_is_room_for_has_no_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    _, listed = _neighbours(None)
    monkeypatch.setattr(module, "MAX_LISTED", 3)
    found, _ = _neighbours(None, listed[1], listed[-1])
    assert [*found] == [("", listed[1].start)]
