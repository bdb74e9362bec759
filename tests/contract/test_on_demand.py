"""Records, exhibits, items and extents stay inside the source and can be printed as JSON."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import msgspec
import pytest

from inspector import formats
from inspector.errors import RefusedError
from inspector.format import Extent, Query
from inspector.inspect import inspect
from tests.contract.corpus import Case, case_id, cases

FORMATS = formats.all_formats()
CASES = cases()
each_case = pytest.mark.parametrize("case", CASES, ids=case_id)


@each_case
def test_records_come_in_order_inside_the_source_and_print_as_json(case: Case) -> None:
    with case.open() as source:
        report = inspect(source, FORMATS)
        form = report.format
        if form.records is None:
            return
        count = 0
        for entry in form.records(report.state, Query()):
            assert 0 <= entry.span.start <= entry.span.end <= source.length(entry.span.member)
            assert entry.state
            assert msgspec.json.encode(dict(entry.fields))
            count += 1
        assert count or source.size < 64


@each_case
def test_an_exhibit_holds_the_byte_that_was_asked_for(case: Case) -> None:
    rng = Random(case.path.name)
    with case.open() as source:
        report = inspect(source, FORMATS)
        show = report.format.show
        if show is None:
            return
        for member in source.members[:8]:
            for at in {0, max(0, member.size - 1), *(rng.randrange(max(1, member.size)) for _ in range(12))}:
                exhibit = show(report.state, member.name, at)
                if exhibit is None:
                    continue
                assert exhibit.span.end <= member.size
                assert exhibit.matched
                assert source.read(exhibit.span.start, len(exhibit.data), member.name) == exhibit.data
                for one in exhibit.fields:
                    assert exhibit.span.start <= one.start <= one.end <= exhibit.span.end
            beyond = show(report.state, member.name, member.size + 10)
            assert beyond is None or beyond.span.end <= member.size


@each_case
def test_items_and_their_extents_point_into_the_source(case: Case) -> None:
    with case.open() as source:
        report = inspect(source, FORMATS)
        form = report.format
        if form.items is None:
            return
        names = set()
        for item in form.items(report.state):
            names.add(item.id)
            assert item.parent is None or isinstance(item.parent, str)
            assert msgspec.json.encode(dict(item.fields))
            if form.extents is None:
                continue
            at = 0
            extents: list[Extent] = []
            with suppress(RefusedError):  # of this item not every byte is here
                extents = list(form.extents(report.state, item.id))
            for extent in extents:
                assert extent.at >= at
                assert extent.length > 0
                at = extent.at + extent.length
                if extent.origin is not None:
                    assert extent.origin.end <= source.length(extent.origin.member)
