"""Blocks as items: ranges of whole ones, each damaged one, and one in full by its height."""

from __future__ import annotations

from pathlib import Path

from inspector.formats.snarkos import maps
from inspector.formats.snarkos.items import item, items
from tests.builders.snarkos import batches, ledger
from tests.builders.snarkos_variants import gap, header_mismatch, not_finalised
from tests.formats.snarkos.stores import on_disk, scan


def ids(path: Path) -> list[str]:
    return [found.id for found in items(scan(path).state)]


def test_whole_blocks_are_one_line(tmp_path: Path) -> None:
    assert ids(on_disk(tmp_path / "ledger", batches(ledger(8)))) == ["blocks:0-7"]


def test_a_damaged_block_stands_between_two_ranges(tmp_path: Path) -> None:
    path = on_disk(tmp_path / "ledger", header_mismatch(8, 5).batches)
    assert ids(path) == ["blocks:0-4", "block:5", "blocks:6-7"]
    damaged = list(items(scan(path).state))[1]
    assert "SNK009" in damaged.fields["findings"][0]
    assert damaged.spans


def test_an_unfinalised_tip_is_its_own_line(tmp_path: Path) -> None:
    path = on_disk(tmp_path / "ledger", not_finalised(8).batches)
    last = list(items(scan(path).state))[-1]
    assert (last.id, last.fields["state"]) == ("block:7", "not finalised")


def test_a_block_is_shown_in_full_by_its_height(tmp_path: Path) -> None:
    path = on_disk(tmp_path / "ledger", gap(8, 3).batches)
    state = scan(path).state
    found = item(state, "block:3")
    assert found is not None
    assert found.fields["block.header"]["height"] == 3
    assert found.fields["block.authority"]["kind"] == "quorum"
    assert found.fields["findings"]
    assert item(state, "block:99") is None
    assert item(state, "something") is None


def test_a_block_in_full_has_every_row_under_its_height_and_its_hash(tmp_path: Path) -> None:
    path = on_disk(tmp_path / "ledger", batches(ledger(4)))
    state = scan(path).state
    for block in ledger(4):
        found = item(state, f"block:{block.height}")
        assert found is not None
        own = (block.height.to_bytes(4, "little"), block.hash)
        keyed = {maps.name_of(number) for _, number, inner in map(maps.split, block.rows()) if inner in own}
        keyed -= {"block.reverse_id"}  # says the height again
        assert keyed == found.fields.keys() & {one.name for one in maps.MAPS.values()}
        assert len(found.spans) == len(keyed)
