"""A WAL that ends early or is damaged inside: the ledger ends where the engine stops replaying."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.fingerprint import fingerprint
from inspector.formats.rocksdb.log import LogReader
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.logical import Assembler
from inspector.source import MemorySource
from tests import damage
from tests.builders.snarkos import batches, ledger, state
from tests.builders.snarkos_stores import engine_rows, write_folder
from tests.builders.snarkos_wal import WAL, write_wal
from tests.formats.snarkos.stores import mend, scan

BLOCKS = ledger(9)
MEMBERS = write_wal(batches(BLOCKS))


def record_starts(data: bytes) -> list[int]:
    reader = LogReader(lambda at, n: data[at : at + n], len(data))
    return [record.start for record in Assembler().records(reader.pieces())]


@pytest.mark.parametrize("block", range(1, 9))
def test_a_wal_torn_inside_a_block_costs_that_block_and_nothing_before(block: int, tmp_path: Path) -> None:
    at = record_starts(MEMBERS[WAL])[block] + 1000
    folder = write_folder(tmp_path / "ledger", {**MEMBERS, WAL: MEMBERS[WAL][:at]})
    report = scan(folder)
    assert report.answer.summary["classes"] == ["E"]
    assert report.answer.summary["consistent_prefix"] == block
    assert report.exit_code() is Exit.CLEAN
    assert engine_rows(folder) == state(BLOCKS[:block])
    done = mend(tmp_path / "ledger", tmp_path / "new")
    assert done.code is Exit.CLEAN
    assert done.changes_total == 0  # every power loss leaves this; the engine needs no help with it


@pytest.mark.parametrize("block", [1, 4, 7])
def test_blocks_behind_a_damaged_record_are_dropped_as_the_engine_drops_them(block: int, tmp_path: Path) -> None:
    at = record_starts(MEMBERS[WAL])[block] + 500
    write_folder(tmp_path / "ledger", {**MEMBERS, WAL: damage.flip_bit(MEMBERS[WAL], at, 5).data})
    summary = scan(tmp_path / "ledger").answer.summary
    assert (summary["classes"], summary["consistent_prefix"], summary["block_tip"]) == (["E"], block, block - 1)
    done = mend(tmp_path / "ledger", tmp_path / "new")
    assert done.bytes["lost"] > 0
    assert engine_rows(tmp_path / "new") == state(BLOCKS[:block])


def test_a_damaged_record_keeps_its_name_while_blocks_are_appended(tmp_path: Path) -> None:
    starts = record_starts(MEMBERS[WAL])
    data = damage.flip_bit(MEMBERS[WAL], starts[2] + 500, 5).data
    names = []
    for i, end in enumerate((starts[5], starts[8], len(data))):
        report = scan(write_folder(tmp_path / str(i), {**MEMBERS, WAL: data[:end]}))
        found = next(f for f in report.tally.findings() if f.rule.code == "SNK018")
        assert (found.span.start, found.span.end) == (starts[2], starts[3])
        names.append(fingerprint(found, MemorySource({WAL: data})))
    assert len(set(names)) == 1


def test_a_torn_wal_behind_an_unfinalised_block_is_rolled_back_and_cut(tmp_path: Path) -> None:
    parts = [*(b.rows() for b in BLOCKS[:-1]), BLOCKS[-1].insert, BLOCKS[-1].finalize]
    members = write_wal(parts)
    write_folder(tmp_path / "ledger", {**members, WAL: members[WAL][:-40]})
    assert scan(tmp_path / "ledger").answer.summary["classes"] == ["A", "E"]
    mend(tmp_path / "ledger", tmp_path / "new")
    assert engine_rows(tmp_path / "new") == state(BLOCKS[:-1])


def test_a_block_tree_of_another_height_is_stale_and_one_of_the_tip_is_not(tmp_path: Path) -> None:
    write_folder(tmp_path / "fresh", {**MEMBERS, "block_tree": bytes(99) + BLOCKS[-1].root})
    write_folder(tmp_path / "stale", {**MEMBERS, "block_tree": bytes(99) + BLOCKS[-3].root})
    assert scan(tmp_path / "fresh").answer.summary["classes"] == []
    assert scan(tmp_path / "stale").answer.summary["classes"] == ["F"]
    mend(tmp_path / "stale", tmp_path / "new")
    assert not (tmp_path / "new" / "block_tree").exists()


def test_a_root_across_two_windows_of_the_block_tree_is_found(tmp_path: Path) -> None:
    from inspector.holes import WINDOW

    write_folder(tmp_path / "ledger", {**MEMBERS, "block_tree": bytes(WINDOW - 9) + BLOCKS[-1].root + b"tail"})
    assert scan(tmp_path / "ledger").answer.summary["classes"] == []


def test_a_rollback_leaves_the_block_tree_out_because_it_counts_the_block(tmp_path: Path) -> None:
    members = write_wal([*(b.rows() for b in BLOCKS[:-1]), BLOCKS[-1].insert])
    write_folder(tmp_path / "ledger", {**members, "block_tree": BLOCKS[-1].root})
    mend(tmp_path / "ledger", tmp_path / "new")
    assert not (tmp_path / "new" / "block_tree").exists()


def framed(records: list[bytes]) -> bytes:
    out = bytearray()
    for data in records:
        out += frame(data, len(out))
    return bytes(out)


def wal_records() -> list[bytes]:
    data = MEMBERS[WAL]
    reader = LogReader(lambda at, n: data[at : at + n], len(data))
    return [record.data for record in Assembler().records(reader.pieces())]


def test_a_ledger_ends_where_the_numbers_of_its_wal_are_given_again(tmp_path: Path) -> None:
    """Block 6 lies under a copy of block 3: the engine goes back to block 2 without a word."""
    records = wal_records()
    folder = write_folder(tmp_path / "ledger", {**MEMBERS, WAL: framed([*records[:6], records[3], *records[7:]])})
    report = scan(folder)
    summary = report.answer.summary
    assert (summary["classes"], summary["consistent_prefix"], summary["block_tip"]) == (["E"], 3, 2)
    assert "twice" in next(f.message for f in report.tally.findings() if f.rule.code == "SNK018")
    assert mend(folder, tmp_path / "new").code is Exit.LOST
    assert engine_rows(tmp_path / "new") == state(BLOCKS[:3])
    assert engine_rows(folder) == state(BLOCKS[:3])


def test_blocks_that_changed_places_in_a_wal_cost_nothing(tmp_path: Path) -> None:
    records = wal_records()
    records[2], records[6] = records[6], records[2]
    folder = write_folder(tmp_path / "ledger", {**MEMBERS, WAL: framed(records)})
    summary = scan(folder).answer.summary
    assert (summary["classes"], summary["consistent_prefix"]) == ([], 9)
    assert mend(folder, tmp_path / "new").code is Exit.CLEAN
    assert (tmp_path / "new" / WAL).read_bytes() == MEMBERS[WAL]
    assert engine_rows(folder) == engine_rows(tmp_path / "new") == state(BLOCKS)
