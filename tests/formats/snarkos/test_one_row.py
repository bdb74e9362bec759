"""One row too few, or a few rows of a block that is not there: what a repair would write and delete, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.finding import Tally
from inspector.formats.snarkos.verdict import Verdict, judge_ledger
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.snarkos import Block, Rows, ledger
from tests.builders.snarkos_variants import partly_written
from tests.formats.snarkos.stores import FORMATS, mend, on_disk, scan

# maps whose rows follow from others; the rows of all others hold what is nowhere else
FOLLOWS = frozenset({2, 3, 4, 5, 8, 11, 13, 19, 20, 30, 33, 35, 40, 43, 51, 54, 56})
UNCLAIMED = frozenset({3, 16, 18, 39, 48})  # where one is malformed nothing tells that it is of the last block
UNJUDGED = frozenset({58, 59})  # programs' own mappings: nothing says which keys they must have
BLOCKS = ledger(13)
TRUTH = {key: value for block in BLOCKS for key, value in block.rows().items()}
PREFIX = {19: 13, 20: 10}  # the current round is of no block; a round's height is asked of the block before, too


def _judged(folder: Path, batches: list[Rows]) -> tuple[Verdict, Rows, set[bytes]]:
    """The verdict, rows that a repair writes, and those that it deletes."""
    with open_source(str(on_disk(folder, batches))) as source:
        verdict = judge_ledger(inspect(source, FORMATS).state, Tally(10))
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


@pytest.mark.parametrize("number", sorted(FOLLOWS - {11, 51}))
def test_a_wrong_row_that_follows_from_others_is_written_as_it_was_and_no_other_is(number: int, tmp_path: Path) -> None:
    key = _one_of_each_map(BLOCKS[11])[number]
    wrong = bytearray(TRUTH[key])
    wrong[number % 2 - 1] ^= 1
    batches = [{k: bytes(wrong) if k == key else v for k, v in block.rows().items()} for block in BLOCKS]
    verdict, puts, deletes = _judged(tmp_path / "ledger", batches)
    assert (puts, deletes) == ({key: TRUTH[key]}, set())
    assert verdict.prefix == PREFIX.get(number, 11)


@pytest.mark.parametrize("number", sorted(FOLLOWS - {11}))
def test_a_row_that_is_cut_short_and_follows_from_others_is_written_as_it_was(number: int, tmp_path: Path) -> None:
    key = _one_of_each_map(BLOCKS[11])[number]
    batches = [{k: v[:-1] if k == key else v for k, v in block.rows().items()} for block in BLOCKS]
    verdict, puts, deletes = _judged(tmp_path / "ledger", batches)
    assert (puts, deletes) == ({key: TRUTH[key]}, set())
    assert (verdict.judge.beyond_repair, verdict.lossy) == (0, False)
    found = scan(tmp_path / "ledger").tally.findings()
    assert [(f.rule.code, f.salvage) for f in found if f.evidence.get("key") == key[4:].hex()] == [
        ("SNK011", "corrected")
    ]
    mend(tmp_path / "ledger", tmp_path / "new")
    assert scan(tmp_path / "new").tally.total == 0


@pytest.mark.parametrize("number", sorted(_one_of_each_map(BLOCKS[11]).keys() - FOLLOWS - UNJUDGED))
def test_a_row_that_is_cut_short_and_is_nowhere_else_is_lost(number: int, tmp_path: Path) -> None:
    key = _one_of_each_map(BLOCKS[11])[number]
    batches = [{k: v[:-1] if k == key else v for k, v in block.rows().items()} for block in BLOCKS]
    verdict, puts, _ = _judged(tmp_path / "ledger", batches)
    assert key not in puts
    assert verdict.lossy


def test_a_ledger_with_a_wrong_state_root_is_repaired_to_what_it_was(tmp_path: Path) -> None:
    key = _one_of_each_map(BLOCKS[11])[2]
    batches = [{k: bytes(32) if k == key else v for k, v in block.rows().items()} for block in BLOCKS]
    mend(on_disk(tmp_path / "ledger", batches), tmp_path / "new")
    verdict, puts, deletes = _judged(tmp_path / "again", [block.rows() for block in BLOCKS])
    assert (verdict.prefix, puts, deletes) == (13, {}, set())
    report = scan(tmp_path / "new")
    assert (report.tally.total, report.answer.summary["consistent_prefix"]) == (0, 13)


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("height", [11, 12])
def test_a_row_that_leads_back_from_no_root_is_deleted_and_the_right_one_stays(
    wrong: bool, height: int, tmp_path: Path
) -> None:
    root = _one_of_each_map(BLOCKS[height])[2]
    bogus = root[:2] + b"\3\0" + b"\7" * 32
    changes = {bogus: height.to_bytes(4, "little")} | ({root: b"\6" * 32} if wrong and height == 11 else {})
    batches = [*(block.rows() for block in BLOCKS), changes]
    _, puts, deletes = _judged(tmp_path / "ledger", batches)
    assert (puts, deletes) == ({root: TRUTH[root]} if root in changes else {}, {bogus})


# maps of which a row under an id of its own is told to be nobody's; of 16, 18, 24, 40 and 48 no other row tells
STRANGERS = (3, *range(7, 16), 17, 20, 22, 25, 26, *range(29, 36), 37, 38, 39, 42, 43, 47, *range(50, 58))


def _stranger(key: bytes) -> bytes:
    return key[:-5] + bytes([key[-5] ^ 1]) + key[-4:]


def test_rows_that_nobody_claims_are_deleted_and_cost_nothing(tmp_path: Path) -> None:
    own = {number: key for block in BLOCKS for number, key in _one_of_each_map(block).items()}
    rows = {_stranger(own[number]): TRUTH[own[number]] for number in STRANGERS if number in own}
    assert len(rows) > 30
    verdict, puts, deletes = _judged(tmp_path / "ledger", [*(block.rows() for block in BLOCKS), rows])
    assert (puts, deletes) == ({}, set(rows))
    assert (verdict.judge.orphans, verdict.judge.tip_rows, verdict.judge.beyond_repair) == (len(rows), 0, 0)
    assert (verdict.prefix, verdict.classes) == (13, ["B"])


@pytest.mark.parametrize("number", [2, 3, 4, 8, 11, 13])
def test_a_row_of_a_height_that_no_block_has_is_of_a_tip_that_was_never_finalised(number: int, tmp_path: Path) -> None:
    key = next(key for block in BLOCKS for n, key in _one_of_each_map(block).items() if n == number)
    height = (40).to_bytes(4, "little")
    row = {key[:4] + height: b"\5" * 32} if number in (2, 4) else {_stranger(key): height + TRUTH[key][4:]}
    verdict, puts, deletes = _judged(tmp_path / "ledger", [*(block.rows() for block in BLOCKS), row])
    assert (puts, deletes) == ({}, set(row))
    assert (verdict.judge.orphans, verdict.judge.tip_rows, verdict.judge.beyond_repair) == (0, 1, 0)


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


@pytest.mark.parametrize("number", sorted(frozenset(key[2] for key in ledger(12)[-1].insert) - UNJUDGED - {19}))
def test_a_malformed_row_of_a_tip_that_was_never_finalised_is_counted_and_deleted_once(
    number: int, tmp_path: Path
) -> None:
    last = ledger(12)[-1].insert
    key = next(key for key in last if key[2] == number)
    chosen = frozenset(k[2] for k in last) - {21}
    whole = partly_written(12, chosen).batches
    _, _, expected = _judged(tmp_path / "whole", whole)
    cut = [{k: v[:-1] if k == key and v else v for k, v in rows.items()} for rows in whole]
    verdict, puts, deletes = _judged(tmp_path / "cut", cut)
    assert (puts, deletes) == ({}, expected - {key} if number in UNCLAIMED else expected)
    assert verdict.judge.tip_rows + verdict.judge.orphans == len(deletes)
    assert verdict.lossy == (number in UNCLAIMED)


@pytest.mark.parametrize("number", [53, 55])
def test_of_a_row_and_its_reverse_that_disagree_none_is_said_to_be_proved(number: int, tmp_path: Path) -> None:
    key, folder = _one_of_each_map(BLOCKS[11])[number], tmp_path / "ledger"
    other = bytes(31) + b"\1"
    batches = [{k: other if k == key else v for k, v in block.rows().items()} for block in BLOCKS]
    verdict, puts, deletes = _judged(folder, batches)
    assert (len(puts), len(deletes), verdict.judge.disagreed) == (1, 1, 1)
    assert any("nothing proves which is right" in f.message for f in scan(folder).tally.findings())
    notes = mend(folder, tmp_path / "new").notes
    assert any("nothing in the ledger proves which is right" in note for note in notes)
