"""What every format that can be compared or merged promises: itself is no difference, and no bytes raise."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.cli.inputs import opened
from inspector.comparing import Comparison, compare
from inspector.errors import InspectorError, UsageError
from inspector.format import Wishes
from inspector.merge import merge
from inspector.source import Source, open_source
from tests.contract.corpus import Case, bottom_of, case_id, cases, damaged_again, memory

FORMATS = formats.all_formats()
COMPARED = [case for case in cases() if case.format.identities or bottom_of(case.format).identities]
MERGED = [case for case in cases() if case.format.merge and case.path.is_file()]


def held_against(one: Source, two: Source, case: Case) -> Comparison:
    found = []
    for source in (one, two):
        store = opened(source, FORMATS, Wishes(), bottom_of(case.format).name)
        served = store.serving("identities")
        assert served is not None
        assert served[0].identities is not None
        found.append(served[0].identities(served[1]))
    return compare(*found)


@pytest.mark.parametrize("case", COMPARED, ids=case_id)
def test_a_store_differs_from_itself_in_nothing(case: Case) -> None:
    try:
        found = held_against(case.open(), case.open(), case)
    except UsageError:  # one file of a database
        return
    assert found.total == 0
    for name, data in damaged_again(case, 1, 7):
        other = held_against(case.open(), memory(data), case)
        told = sum(1 for one in other.differences() if one.name is not None)
        assert told == other.total, name
        other.close()


@pytest.mark.parametrize("case", MERGED, ids=case_id)
def test_a_store_and_its_damaged_copy_become_one_or_are_refused(case: Case, tmp_path: Path) -> None:
    for number, (name, members) in enumerate(damaged_again(case, 1, 11)):
        copy = tmp_path / f"{number}{case.path.suffix}"
        copy.write_bytes(members[""])
        output = str(tmp_path / f"out{number}")
        with open_source(str(case.path)) as one, open_source(str(copy)) as two:
            before = case.path.read_bytes()
            refused, done = None, None
            try:
                done = merge([one, two], FORMATS, output, Wishes(), forced=case.format.name)
            except InspectorError as error:
                refused = error.code
            assert (done is not None and done.verified["ok"]) or refused in (2, 7), name
            assert Path(output).exists() is (done is not None), name
            assert case.path.read_bytes() == before
