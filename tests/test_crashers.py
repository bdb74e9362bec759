"""What fuzzing found once is tried for ever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inspector.formats import all_formats
from tests.contract.corpus import Case
from tests.fuzz.target import COMMANDS, Target

CRASHERS = sorted((Path(__file__).parents[1] / "samples" / "crashers").glob("*-*"))


@pytest.mark.parametrize("path", CRASHERS, ids=lambda path: path.name)
def test_a_file_that_once_broke_something_breaks_nothing(path: Path) -> None:
    name, _, number = path.stem.rpartition("-")
    form = next(form for form in all_formats() if form.name == name)
    members = Case(form, path).members()
    name = next(iter(members))
    target = Target(form, members, name)
    target(members[name], patience=4.0)
    if re.match(r"\d\d[0-9a-f]{10}$", number) and 0 < int(number[:2]) <= COMMANDS:
        target.command(members[name], int(number[:2]) - 1, patience=4.0)
