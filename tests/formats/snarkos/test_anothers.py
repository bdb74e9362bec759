"""A row that holds what belongs to another, or stands under a wrong key: nothing else of the ledger is harmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import Exit, RefusedError
from tests.builders.snarkos import Rows, ledger, state
from tests.formats.snarkos.stores import mend, on_disk, scan

BLOCKS = ledger(6, seed=3)
TRUTH: Rows = dict(state(BLOCKS))
HERE = {key for block in BLOCKS[1:5] for key in block.rows()}
MAPS = sorted({int.from_bytes(key[2:4], "little") for key in HERE})
# no other row says what these hold: what is in them is believed
BELIEVED = frozenset({9, 16, 18, 23, 25, 26, 27, 28, 31, 36, 37, 38, 44, 45, 46, 47, 48, 50, 52, 57, 58, 59})
# an id that such a row does not name is left over: it goes
NAMED_BY = {10: 11, 12: 13, 15: 16}
LISTS = ((14, "block.transactions"), (29, "execution.id"), (34, "input.id"), (42, "output.id"))


def of_map(number: int) -> list[bytes]:
    return sorted(key for key in HERE if int.from_bytes(key[2:4], "little") == number)


def rows_of(folder: Path) -> Rows:
    from tests.builders.snarkos_stores import engine_rows

    return dict(engine_rows(folder))


def repaired(rows: Rows, tmp_path: Path) -> Rows | None:
    """The rows of the repaired ledger, which is clean; None where the repair is refused."""
    folder = on_disk(tmp_path / "ledger", [rows])
    try:
        mend(folder, tmp_path / "new")  # an own check that fails would raise
    except RefusedError:
        assert scan(folder).exit_code() is Exit.DAMAGED
        return None
    assert scan(tmp_path / "new").exit_code() is Exit.CLEAN
    return rows_of(tmp_path / "new")


@pytest.mark.parametrize("number", MAPS)
def test_a_row_with_the_value_of_another_costs_no_other_row(number: int, tmp_path: Path) -> None:
    pytest.importorskip("rocksdict")
    found = of_map(number)
    pair = next(((a, b) for a in found for b in found if TRUTH[a] and TRUTH[b] and TRUTH[a] != TRUTH[b]), None)
    if pair is None:
        pytest.skip("all rows of this map hold the same")
    key, other = pair
    now = repaired({**TRUTH, key: TRUTH[other]}, tmp_path)
    if now is None:
        return
    changed = {k for k in TRUTH.keys() | now.keys() if TRUTH.get(k) != now.get(k)}
    assert {int.from_bytes(k[2:4], "little") for k in changed - {key}} <= {NAMED_BY.get(number)}
    assert not changed or number in BELIEVED | NAMED_BY.keys()


@pytest.mark.parametrize(("number", "name"), LISTS)
def test_a_list_that_is_anothers_is_told_and_what_it_should_name_is_kept(
    number: int, name: str, tmp_path: Path
) -> None:
    found = of_map(number)
    key, other = next((a, b) for a in found for b in found if min(len(TRUTH[a]), len(TRUTH[b])) >= 40 and a != b)
    folder = on_disk(tmp_path / "ledger", [{**TRUTH, key: TRUTH[other]}])
    told = [f for f in scan(folder).tally.findings() if f.rule.code == "SNK011"]
    assert {(f.evidence["map"], f.evidence["key"]) for f in told} >= {(name, key[4:].hex())}
    with pytest.raises(RefusedError):
        mend(folder, tmp_path / "new")


@pytest.mark.parametrize(("forth", "reverse"), [(53, 54), (55, 56), (39, 40)])
def test_a_number_that_is_anothers_is_written_as_what_leads_back_says(forth: int, reverse: int, tmp_path: Path) -> None:
    pytest.importorskip("rocksdict")
    key, other = of_map(forth)[:2]
    assert repaired({**TRUTH, key: TRUTH[other]}, tmp_path) == TRUTH
    found = scan(tmp_path / "ledger").tally.findings()
    assert [(f.rule.code, f.salvage, f.evidence["key"]) for f in found] == [("SNK004", "corrected", key[4:].hex())]
    assert of_map(reverse)


@pytest.mark.parametrize(("forth", "reverse"), [(53, 54), (55, 56), (39, 40)])
@pytest.mark.parametrize("changed", ["said", "have"])
def test_of_two_that_disagree_and_are_nobody_elses_the_row_itself_is_believed(
    forth: int, reverse: int, changed: str, tmp_path: Path
) -> None:
    pytest.importorskip("rocksdict")
    key = of_map(forth)[1]
    prefix, said = key[:2] + reverse.to_bytes(2, "little"), TRUTH[key]
    strange = bytes([said[0] ^ 1]) + said[1:]
    rows = dict(TRUTH)
    if changed == "said":
        rows[key] = strange
    else:
        rows[prefix + strange] = rows.pop(prefix + said)
    now = repaired(rows, tmp_path)
    assert now is not None
    assert now[key] == rows[key]
    assert now[prefix + rows[key]] == TRUTH[prefix + said]
    assert len(now) == len(TRUTH)


def test_a_transaction_that_names_another_block_is_not_deleted(tmp_path: Path) -> None:
    key, other = (next(k for k in of_map(17) if k in block.rows()) for block in BLOCKS[2:4])
    rows = {**TRUTH, key: TRUTH[other][:32] + TRUTH[key][32:]}
    folder = on_disk(tmp_path / "ledger", [rows])
    found = scan(folder).tally.findings()
    assert [(f.rule.code, f.evidence["map"], f.evidence["key"]) for f in found] == [
        ("SNK011", "block.confirmed_transaction", key[4:].hex())
    ]
    with pytest.raises(RefusedError):
        mend(folder, tmp_path / "new")


def test_thousands_of_malformed_rows_that_follow_from_others_are_counted_and_written_again(tmp_path: Path) -> None:
    pytest.importorskip("rocksdict")
    truth = dict(state(ledger(12, heavy=30)))
    hurt = {key for key in truth if key[2] in (35, 54)}
    assert len(hurt) > 2700
    rows = {key: value[:-1] if key in hurt else value for key, value in truth.items()}
    assert repaired(rows, tmp_path) == truth
    counts = scan(tmp_path / "ledger").tally.counts
    assert sum(count for (code, _), count in counts.items() if code == "SNK011") == len(hurt)


def test_what_leads_back_under_a_wrong_key_is_written_under_the_right_one(tmp_path: Path) -> None:
    pytest.importorskip("rocksdict")
    key = of_map(30)[1]
    rows = dict(TRUTH)
    rows[key[:-1] + bytes([key[-1] ^ 1])] = rows.pop(key)
    assert repaired(rows, tmp_path) == TRUTH
