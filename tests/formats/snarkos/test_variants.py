"""Every way a ledger is left behind: its consistent prefix, its class, and what a repair makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import Exit, RefusedError
from tests.builders.snarkos import state
from tests.builders.snarkos_stores import engine_rows, write_engine
from tests.builders.snarkos_variants import ALL, Variant, ledger, not_finalised, partly_written
from tests.formats.snarkos.stores import mend, on_disk, scan

VARIANTS = [make() for make in ALL]
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)


@each_variant
def test_the_consistent_prefix_and_the_class_are_the_true_ones(variant: Variant, tmp_path: Path) -> None:
    summary = scan(on_disk(tmp_path / "ledger", variant.batches)).answer.summary
    assert summary["consistent_prefix"] == variant.prefix
    assert summary["first_bad_height"] == variant.first_bad
    assert summary["classes"] == variant.classes
    assert summary["class"] == (variant.classes[0] if variant.classes else None)


@each_variant
def test_a_repair_gives_the_rows_of_the_ledger_that_never_had_the_damage(variant: Variant, tmp_path: Path) -> None:
    path = on_disk(tmp_path / "ledger", variant.batches)
    if variant.good is None:
        with pytest.raises(RefusedError):
            mend(path, tmp_path / "new")
        assert not (tmp_path / "new").exists()
        return
    done = mend(path, tmp_path / "new")
    assert done.code is Exit.CLEAN
    assert done.verified["engine"]["ran"]
    assert engine_rows(tmp_path / "new") == variant.good
    again = scan(tmp_path / "new")
    assert again.exit_code() is Exit.CLEAN
    assert again.answer.summary["class"] is None
    assert again.answer.summary["consistent_prefix"] == again.answer.summary["block_tip"] + 1


@pytest.mark.parametrize("compact", [False, True], ids=["several tables", "one level"])
def test_a_tip_that_lies_in_tables_is_rolled_back_as_well(compact: bool, tmp_path: Path) -> None:
    variant = not_finalised(40)
    write_engine(tmp_path / "ledger", variant.batches, flush_every=1, compact=compact)
    assert scan(tmp_path / "ledger").answer.summary["classes"] == ["A"]
    mend(tmp_path / "ledger", tmp_path / "new")
    assert engine_rows(tmp_path / "new") == variant.good


@pytest.mark.parametrize("last", range(3, 58, 6))
def test_a_tip_cut_after_any_map_is_rolled_back_to_the_block_before(last: int, tmp_path: Path) -> None:
    variant = partly_written(8, frozenset(range(2, last)))
    path = on_disk(tmp_path / "ledger", variant.batches)
    summary = scan(path).answer.summary
    assert (summary["classes"], summary["consistent_prefix"]) == (["B"], 7)
    mend(path, tmp_path / "new")
    assert engine_rows(tmp_path / "new") == variant.good


def test_the_ledger_goes_on_from_where_the_repair_left_it(tmp_path: Path) -> None:
    variant = not_finalised(9)
    path = on_disk(tmp_path / "ledger", variant.batches)
    mend(path, tmp_path / "new")
    write_engine(
        tmp_path / "new", [block.rows() for block in ledger(12)[8:]]
    )  # the network's blocks, as a node adds them
    assert engine_rows(tmp_path / "new") == state(ledger(12))
    summary = scan(tmp_path / "new").answer.summary
    assert (summary["class"], summary["block_tip"]) == (None, 11)


def test_the_words_name_the_block_and_calm_the_operator(tmp_path: Path) -> None:
    words = " ".join(scan(on_disk(tmp_path / "ledger", not_finalised(7).batches)).answer.words)
    assert "The last block (6)" in words
    assert "No funds are at risk" in words
    assert "proposal cache" in words


def test_the_node_is_said_to_stop_at_the_next_height(tmp_path: Path) -> None:
    loaders = scan(on_disk(tmp_path / "ledger", not_finalised(7).batches)).answer.loaders
    assert {o.message for o in loaders} == {"Next height must be sequential"}


@pytest.mark.parametrize(
    "kept", [{4, 6, 14, 22, 23, 24, 27}, {6, 24, 28}, {2, 26, 27}], ids=lambda kept: "-".join(map(str, sorted(kept)))
)
def test_parts_of_a_deployment_in_a_half_written_block_are_taken_back(kept: set[int], tmp_path: Path) -> None:
    blocks = ledger(3, seed=5, heavy=3)
    assert any(k[2] == 26 for k in blocks[-1].insert)
    some = {k: v for k, v in blocks[-1].insert.items() if k[2] in kept}
    path = on_disk(tmp_path / "ledger", [*(b.rows() for b in blocks[:-1]), some])
    assert scan(path).exit_code() is Exit.DAMAGED
    assert mend(path, tmp_path / "new").code is Exit.CLEAN
    assert engine_rows(tmp_path / "new") == state(blocks[:-1])
