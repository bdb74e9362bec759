"""Which run of blocks a repair writes: heights by one, each naming the one before, later rounds, no time going back."""

from __future__ import annotations

import pytest

from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.snarkos_blocks import FORMAT
from inspector.formats.snarkos_blocks.walk import head_at
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.snarkos import cdn_file, cdn_latest, ledger

WHOLE = cdn_file(ledger(6), 0, 6)
NAME = "0.6.blocks"


def starts() -> list[int]:
    return list(inspect(MemorySource(WHOLE, NAME), (FORMAT,), Wishes(), FORMAT.name).state.starts)


@pytest.mark.parametrize(
    ("field", "change", "kept"),
    [("timestamp", 0, 5), ("timestamp", -1, 3), ("round", 0, 3), ("round", 1, 5)],  # against those of the block before
)
def test_blocks_of_one_second_follow_each_other_and_those_of_one_round_do_not(
    field: str, change: int, kept: int
) -> None:
    """The third block gets another number, and the last one is cut."""
    begins = starts()
    source = MemorySource(WHOLE, NAME)
    one, two = head_at(source, begins[1]), head_at(source, begins[2])
    assert one is not None
    assert two is not None
    old, new = (n.to_bytes(8, "little") for n in (getattr(two, field), getattr(one, field) + change))
    at = WHOLE.index(old, begins[2])
    data = WHOLE[:at] + new + WHOLE[at + 8 : -10]
    done = repair(MemorySource(data, NAME), all_formats(), None, Wishes(), forced=FORMAT.name, dry_run=True)
    assert done.records["kept"] == kept


def test_a_plan_says_how_large_the_output_may_become() -> None:
    assert FORMAT.plan is not None
    for data, name, most in ((WHOLE, NAME, len(WHOLE) + 8), (cdn_latest(9), "latest.json", len(cdn_latest(9)))):
        state = inspect(MemorySource(data, name), (FORMAT,), Wishes(), FORMAT.name).state
        assert FORMAT.plan(state, Wishes()).estimate == most
