"""What fuzzing found once is tried for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.formats import all_formats
from tests.fuzz.target import Target

CRASHERS = sorted((Path(__file__).parents[1] / "samples" / "crashers").glob("*.bin"))


@pytest.mark.parametrize("path", CRASHERS, ids=lambda path: path.name)
def test_a_file_that_once_broke_something_breaks_nothing(path: Path) -> None:
    name = path.stem.rpartition("-")[0]
    form = next(form for form in all_formats() if form.name == name)
    Target(form, {"": b""}, "")(path.read_bytes(), patience=4.0)
