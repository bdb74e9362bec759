"""Blocks of tables that no longer verify: exactly the heights and transactions whose rows were in them are named."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector.errors import Exit, RefusedError
from inspector.formats.rocksdb.database import good_blocks, open_database, pairs_of
from inspector.source import open_source
from tests import damage
from tests.builders.snarkos import Block, batches, ledger, state
from tests.builders.snarkos_stores import engine_rows, write_engine
from tests.formats.snarkos.stores import heights, mend, scan

UNVERSIONED = (19, 58, 59)  # current values: no block owns them


def broken(folder: Path, rng: Random, count: int) -> set[bytes]:
    """Damage each of `count` data blocks beyond what a repair undoes; the keys that were in them."""
    with open_source(str(folder)) as source:
        db = open_database(source)
        found = [
            (name, start, end, {key[:-8] for key, _ in pairs_of(content)})
            for name in db.tables.values()
            for start, end, content in good_blocks(db.table(name))
        ]
    gone: set[bytes] = set()
    for name, start, end, keys in rng.sample(found, count):
        data = (folder / name).read_bytes()
        at = rng.randrange(start, end - 9)
        noise = bytes(byte ^ rng.randrange(1, 256) for byte in data[at : at + 4])
        (folder / name).write_bytes(data[:at] + noise + data[at + 4 :])
        gone |= keys
    return gone


def owners(blocks: list[Block]) -> dict[bytes, int]:
    return {key: block.height for block in blocks for key in block.rows() if key[2] not in UNVERSIONED}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Block]]:
    folder, blocks = tmp_path_factory.mktemp("loss") / "ledger", ledger(120)
    write_engine(folder, batches(blocks), flush_every=40)
    return folder, blocks


def copy(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize("seed", range(8))
def test_three_broken_blocks_cost_exactly_the_heights_they_held(
    seed: int, healthy: tuple[Path, list[Block]], tmp_path: Path
) -> None:
    folder, blocks = copy(healthy[0], tmp_path / "ledger"), healthy[1]
    gone, owner = broken(folder, Random(seed), 3), owners(healthy[1])
    summary = scan(folder).answer.summary
    assert heights(summary["lost"]["heights"]) == {owner[key] for key in gone if key in owner}
    # a row is not counted where every other row that names it was lost as well
    assert 0 < summary["lost"]["rows"] <= sum(key in owner for key in gone)
    assert bool(summary["lost"]["mapping_blocks"]) == any(key[2] in (58, 59) for key in gone)
    first = min((owner[key] for key in gone if key in owner), default=len(blocks))
    assert summary["consistent_prefix"] == first
    assert summary["class"] == "D"


def test_the_transactions_whose_rows_are_gone_are_named(healthy: tuple[Path, list[Block]], tmp_path: Path) -> None:
    from inspector.formats.snarkos.names import transaction_name

    folder = copy(healthy[0], tmp_path / "ledger")
    gone = broken(folder, Random(11), 2)
    truth = {transaction_name(key[4:]) for key in gone if key[2] in (17, 22, 29, 31, 32, 51)}
    told = set(scan(folder).answer.summary["lost"]["transactions"])
    assert truth <= told
    owner = owners(healthy[1])
    touched = {owner[key] for key in gone if key in owner}
    listed = {transaction_name(t) for block in healthy[1] if block.height in touched for t in block.transactions}
    assert told <= listed


def test_each_lost_row_points_at_the_damaged_block(healthy: tuple[Path, list[Block]], tmp_path: Path) -> None:
    folder = copy(healthy[0], tmp_path / "ledger")
    broken(folder, Random(3), 1)
    findings = scan(folder).tally.findings()
    bad = {f.span for f in findings if f.rule.code == "RDB001"}
    assert len(bad) == 1
    assert {f.span for f in findings if f.rule.code == "SNK002"} == bad


def test_what_cannot_be_rebuilt_is_not_called_repaired(healthy: tuple[Path, list[Block]], tmp_path: Path) -> None:
    folder = copy(healthy[0], tmp_path / "ledger")
    broken(folder, Random(0), 3)
    with pytest.raises(RefusedError, match="nothing in this ledger can rebuild"):
        mend(folder, tmp_path / "new")


def test_an_archive_holds_the_whole_blocks_and_says_that_no_node_runs_on_it(
    healthy: tuple[Path, list[Block]], tmp_path: Path
) -> None:
    folder, blocks = copy(healthy[0], tmp_path / "ledger"), healthy[1]
    for seed in range(50):  # a seed whose damage leaves some blocks whole
        trial = copy(healthy[0], tmp_path / f"trial{seed}")
        broken(trial, Random(seed), 1)
        prefix = scan(trial).answer.summary["consistent_prefix"]
        if 0 < prefix < len(blocks):
            folder = trial
            break
    done = mend(folder, tmp_path / "archive", archive=True)
    assert done.code in (Exit.CLEAN, Exit.LOST)
    assert any("not bootable" in note for note in done.notes)
    rows = engine_rows(tmp_path / "archive")
    kept = {k: v for k, v in state(blocks[:prefix]).items() if k[2] not in UNVERSIONED}
    # the catch-up rounds of the first block left out are its own
    assert {k: v for k, v in rows.items() if k[2] != 20} == {k: v for k, v in kept.items() if k[2] != 20}
    report = scan(tmp_path / "archive")
    assert report.exit_code() is Exit.CLEAN
    assert report.answer.summary["archive"]
    assert "not a ledger that a node can run on" in " ".join(report.answer.words)


def test_rows_that_follow_from_others_are_written_again_where_only_they_were_lost(tmp_path: Path) -> None:
    blocks = ledger(60)
    folder = tmp_path / "ledger"
    write_engine(folder, batches(blocks), flush_every=60)
    with open_source(str(folder)) as source:
        db = open_database(source)
        name = next(iter(db.tables.values()))
        derived = [
            (start, end)
            for start, end, content in good_blocks(db.table(name))
            if all(key[2] in (33, 35, 43, 54, 56) for key, _ in pairs_of(content))
        ]
    assert derived
    data = (folder / name).read_bytes()
    for start, end in derived[:3]:
        data = damage.flip_bit(data, (start + end) // 2, 3).data
    (folder / name).write_bytes(data)
    assert scan(folder).answer.summary["classes"] == ["D", "C"]
    done = mend(folder, tmp_path / "new")
    assert done.bytes["lost"] > 0
    assert engine_rows(tmp_path / "new") == state(blocks)
