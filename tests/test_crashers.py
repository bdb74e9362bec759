"""What fuzzing found once is tried for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.formats import all_formats
from tests.contract.corpus import Case
from tests.fuzz.target import Target

CRASHERS = sorted((Path(__file__).parents[1] / "samples" / "crashers").glob("*-*"))


@pytest.mark.parametrize("path", CRASHERS, ids=lambda path: path.name)
def test_a_file_that_once_broke_something_breaks_nothing(path: Path) -> None:
    name = path.stem.rpartition("-")[0]
    form = next(form for form in all_formats() if form.name == name)
    members = Case(form, path).members()
    name = next(iter(members))
    Target(form, members, name)(members[name], patience=4.0)
