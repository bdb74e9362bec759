"""A random length meets the border of some record once in 150 times: that alone must not cost what lies before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.gossip import HEADER, healthy
from tests.formats.gossip_store.witness import objection, walk

WHOLE = healthy(16, 60_000, seed=7)
RECORDS = list(walk(WHOLE))
VICTIM = next(r for r in RECORDS if r.kind == 258)


def claiming(end: int) -> bytes:
    """The store with the head of an update overwritten, so that its length ends at `end`."""
    at = VICTIM.at
    return WHOLE[: at + 2] + (end - at - HEADER).to_bytes(2, "big") + b"\x5a" * 40 + WHOLE[at + 44 :]


@pytest.mark.parametrize("number", [40, 100, 200])
def test_a_length_that_meets_a_later_record_costs_one_record(number: int, tmp_path: Path) -> None:
    data = claiming(RECORDS[number].at)
    report = inspect(MemorySource(data), formats.all_formats())
    assert report.account.units == len(RECORDS) - 1
    result = repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert result.bytes["lost"] == VICTIM.end - VICTIM.at
    assert not objection((tmp_path / "out").read_bytes())
