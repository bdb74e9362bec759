"""Nothing that is said of a sample changes unnoticed; where it is meant to, `python -m tests.golden.told` writes it."""

from __future__ import annotations

import pytest

from tests.contract.corpus import Case, case_id, cases
from tests.golden.told import path_of, told


@pytest.mark.parametrize("case", cases(), ids=case_id)
def test_what_is_said_of_a_sample_is_what_was_said(case: Case) -> None:
    kept = path_of(case.format).read_text(encoding="utf-8").splitlines()
    first = next((n for n, line in enumerate(kept) if line.startswith(f"# {case.path.name}:")), len(kept))
    last = next((n for n, line in enumerate(kept) if n > first and line.startswith("# ")), len(kept))
    assert list(told(case)) == kept[first:last]
