"""One row too few, or a few rows of a block that is not there: what a repair would write and delete, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.finding import Tally
from inspector.formats.snarkos.verdict import Verdict, judge_ledger
from tests.builders.snarkos import Block, Rows, ledger
from tests.builders.snarkos_variants import partly_written
from tests.formats.snarkos.stores import on_disk, scan

# maps whose rows follow from others; the rows of all others hold what is nowhere else
FOLLOWS = frozenset({2, 3, 4, 5, 8, 11, 13, 19, 20, 30, 33, 35, 40, 43, 51, 54, 56})
UNJUDGED = frozenset({58, 59})  # programs' own mappings: nothing says which keys they must have
BLOCKS = ledger(13)
TRUTH = {key: value for block in BLOCKS for key, value in block.rows().items()}
PREFIX = {19: 13, 20: 10}  # the current round is of no block; a round's height is asked of the block before, too


def _judged(folder: Path, batches: list[Rows]) -> tuple[Verdict, Rows, set[bytes]]:
    """The verdict, rows that a repair writes, and those that it deletes."""
    verdict = judge_ledger(scan(on_disk(folder, batches)).state, Tally(10))
    puts = {fix.key: fix.value or b"" for fix in verdict.judge.puts}
    return verdict, puts, {fix.key for fix in verdict.judge.deletes} - puts.keys()


def _one_of_each_map(block: Block) -> dict[int, bytes]:
    return {int.from_bytes(key[2:4], "little"): key for key in reversed(block.rows())}


@pytest.mark.parametrize("number", sorted(_one_of_each_map(BLOCKS[11])))
def test_a_lost_row_is_written_again_as_it_was_or_said_to_be_lost(number: int, tmp_path: Path) -> None:
    key = _one_of_each_map(BLOCKS[11])[number]
    batches = [{k: v for k, v in block.rows().items() if k != key} for block in BLOCKS]
    verdict, puts, deletes = _judged(tmp_path / "ledger", batches)
    judge = verdict.judge
    assert puts == ({key: TRUTH[key]} if number in FOLLOWS else {})
    assert judge.beyond_repair == (number not in FOLLOWS | UNJUDGED)
    assert (judge.orphans, judge.tip_rows) == (0, 0)
    assert not deletes or number == 19  # of the current round older rows may go
    assert verdict.prefix == (13 if number in UNJUDGED else PREFIX.get(number, 11))


@pytest.mark.parametrize("number", range(2, 19))
@pytest.mark.parametrize("alone", [True, False])
def test_the_rows_of_a_block_that_is_not_there_are_deleted_and_no_others(
    number: int, alone: bool, tmp_path: Path
) -> None:
    last = ledger(12)[-1].insert
    maps = {key[2] for key in last}
    chosen = frozenset({number}) & maps if alone else frozenset(maps) - {number}
    rows = {key for key in last if key[2] in chosen}
    verdict, puts, deletes = _judged(tmp_path / "ledger", partly_written(12, chosen).batches)
    assert puts == {}
    assert deletes == rows
    assert verdict.judge.tip_rows + verdict.judge.orphans == len(rows)
    assert verdict.prefix == 11


@pytest.mark.parametrize("number", [23, 25, 26, 27, 28, 37, 38, 47, 50])
def test_a_value_that_is_shorter_than_it_says_is_told_by_those_of_its_map(number: int, tmp_path: Path) -> None:
    batches = [block.rows() for block in ledger(16, 3, 0, 3)]
    one, batch = next((key, rows) for rows in batches for key in sorted(rows) if key[2] == number)
    batch[one] = batch[one][:-1]
    found = scan(on_disk(tmp_path / "ledger", batches)).tally.findings()
    assert [(f.rule.code, f.evidence["key"]) for f in found] == [("SNK011", one[4:].hex())]
