"""What is taken for a ledger, what is not, and ledgers that are not quite what was expected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.snarkos import verdict
from tests.builders.snarkos import batches, key, ledger, sized, state, u
from tests.builders.snarkos_stores import engine_rows, write_engine, write_folder
from tests.builders.snarkos_wal import write_wal
from tests.formats.snarkos.stores import mend, on_disk, scan

BLOCKS = ledger(6)


@pytest.mark.parametrize(
    "rows",
    [
        {b"user:%d" % i: b"value" for i in range(50)},
        {u(i, 4): b"value" for i in range(50)},
        {bytes(4) + u(i, 8): b"value" for i in range(50)},
        {u(0, 2) + u(300 + i, 2) + b"key": b"value" for i in range(50)},
    ],
    ids=["text keys", "counters", "zero prefixes", "maps that do not exist"],
)
def test_a_database_that_is_no_ledger_is_left_to_rocksdb(rows: dict[bytes, bytes], tmp_path: Path) -> None:
    write_folder(tmp_path / "db", write_wal([rows]))
    assert scan(tmp_path / "db").format.name == "rocksdb"


@pytest.mark.parametrize(("network", "name"), [(0, "mainnet"), (1, "testnet"), (2, "canary")])
def test_the_network_is_named(network: int, name: str, tmp_path: Path) -> None:
    report = scan(on_disk(tmp_path / "ledger", batches(ledger(4, network=network))))
    assert report.answer.summary["network"] == name
    assert report.answer.summary["class"] is None


def test_rows_of_another_network_are_counted_and_left_alone(tmp_path: Path) -> None:
    other = {k: v for k, v in state(ledger(2, network=1)).items() if k[2] < 10}
    report = scan(on_disk(tmp_path / "ledger", [*batches(BLOCKS), other]))
    assert report.answer.summary["network"] == "mainnet"
    assert report.answer.summary["consistent_prefix"] == 6
    assert {code for code, _ in report.tally.counts} == {"SNK013"}


def test_unknown_maps_are_read_past_named_and_carried_through_a_repair(tmp_path: Path) -> None:
    newer = {key(61, b"a"): b"1", key(64, b"b"): b"2", key(900, b"c"): b"3"}
    parts = [*batches(BLOCKS[:-1]), BLOCKS[-1].insert, newer]
    report = scan(on_disk(tmp_path / "ledger", parts))
    assert report.answer.summary["generation"] == "2025 or later"
    assert report.answer.summary["unknown_maps"] == [64, 900]
    assert report.answer.summary["classes"] == ["A"]
    mend(tmp_path / "ledger", tmp_path / "new")
    assert engine_rows(tmp_path / "new") == {**state(BLOCKS[:-1]), **newer}


@pytest.mark.parametrize(
    ("number", "own", "value"),
    [
        (6, BLOCKS[2].hash, u(280, 8) + bytes(3)),
        (6, BLOCKS[2].hash, b""),
        (14, BLOCKS[2].hash, u(1 << 60, 8)),
        (7, BLOCKS[2].hash, sized(b"\7")),
        (2, u(2, 4), b"short"),
        (4, u(2, 4), b"\xff" * 32),
        (21, u(2, 4), sized(b"\1" + bytes(40) + b"\xff\xff")),
        (20, b"odd", u(2, 4)),
        (59, b"\xff\xff\xff\xff", b""),
    ],
    ids=lambda v: v.hex()[:12] if isinstance(v, bytes) else str(v),
)
def test_a_value_that_does_not_fit_its_map_is_one_finding_and_no_exception(
    number: int, own: bytes, value: bytes, tmp_path: Path
) -> None:
    report = scan(on_disk(tmp_path / "ledger", [*batches(BLOCKS), {key(number, own): value}]))
    codes = {code for code, _ in report.tally.counts}
    assert "INS001" not in codes
    if number == 59:  # nothing inside mappings is judged
        assert report.exit_code() is Exit.CLEAN
    else:
        assert "SNK011" in codes
        assert report.exit_code() is Exit.DAMAGED


def test_the_newest_whole_checkpoint_inside_the_folder_is_named(tmp_path: Path) -> None:
    folder = on_disk(tmp_path / "ledger", [*batches(BLOCKS[:-1]), BLOCKS[-1].insert])
    write_folder(folder / "checkpoints/100", write_wal(batches(BLOCKS[:2])))
    write_folder(folder / "checkpoints/200", write_wal(batches(BLOCKS[:4])))
    write_folder(folder / "checkpoints/300", write_wal([*batches(BLOCKS[:4]), BLOCKS[4].insert]))
    report = scan(folder)
    assert [(c["path"], c["block_tip"], c["class"]) for c in report.answer.summary["checkpoints"]] == [
        ("checkpoints/100", 1, None),
        ("checkpoints/200", 3, None),
        ("checkpoints/300", 4, "A"),
    ]
    assert "checkpoints/200 is whole up to block 3: a whole one beats a repair" in " ".join(report.answer.words)
    mend(folder, tmp_path / "new")
    assert (tmp_path / "new" / "checkpoints/200/CURRENT").exists()


def test_checkpoints_of_a_whole_ledger_are_not_looked_into(tmp_path: Path) -> None:
    folder = on_disk(tmp_path / "ledger", batches(BLOCKS))
    write_folder(folder / "checkpoints/100", write_wal(batches(BLOCKS[:2])))
    found = scan(folder).answer.summary["checkpoints"]
    assert found == [{"path": "checkpoints/100", "block_tip": None, "class": None}]


def test_a_repair_costs_what_the_damage_costs(tmp_path: Path) -> None:
    blocks = ledger(150)
    write_engine(tmp_path / "ledger", [*batches(blocks[:-1]), blocks[-1].insert], flush_every=20)
    done = mend(tmp_path / "ledger", tmp_path / "new")
    assert done.bytes["added"] < 6000
    shared = [p for p in (tmp_path / "new").glob("*.sst") if p.stat().st_nlink > 1]
    assert len(shared) == len(list((tmp_path / "ledger").glob("*.sst"))) > 3


def test_a_second_repair_changes_nothing(tmp_path: Path) -> None:
    on_disk(tmp_path / "ledger", [*batches(BLOCKS[:-1]), BLOCKS[-1].insert])
    mend(tmp_path / "ledger", tmp_path / "one")
    done = mend(tmp_path / "one", tmp_path / "two")
    assert done.changes_total == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "one").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "two").iterdir()
    }


def test_the_engines_lock_is_looked_at_before_a_ledger_is_repaired() -> None:
    from inspector.formats.rocksdb.claim import busy
    from inspector.formats.snarkos import FORMAT

    assert FORMAT.busy is busy


def test_of_several_ledgers_the_newest_whole_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger_ = on_disk(tmp_path / "ledger-0", [*batches(BLOCKS[:-1]), BLOCKS[-1].insert])
    folder = tmp_path / "ledger-0-checkpoints"
    old = on_disk(folder / "100", batches(BLOCKS[:2]))
    new = on_disk(folder / "200", batches(BLOCKS[:4]))
    half = on_disk(folder / "300", [*batches(BLOCKS[:4]), BLOCKS[4].insert])
    report = scan(ledger_)
    names = [f"ledger-0-checkpoints/{number}" for number in (100, 200, 300)]
    assert report.answer.summary["beside"] == names
    assert any(all(f"{{path}}/../{name}" in command for name in names) for command in report.answer.next)
    assert run(["scan", *map(str, (ledger_, old, new, half)), "--json"]) == Exit.DAMAGED
    words = json.loads(capsys.readouterr().out)["comparisons"][0]["words"]
    assert words[0] == f"mainnet: {new} is the newest whole one, up to block 3 (2 of 4 ledgers are whole)."
    assert words[1].startswith(f"{ledger_} has 1 more whole blocks behind it")
    assert [f"{half}: class A, 4 whole blocks from 0." in words, any(str(old) in word for word in words)] == [
        True,
        False,
    ]


def test_of_many_checkpoints_the_last_ones_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "MAX_CHECKPOINTS", 2)
    folder = on_disk(tmp_path / "ledger", [*batches(BLOCKS[:-1]), BLOCKS[-1].insert])
    for number in (1, 2, 3):
        write_folder(folder / f"checkpoints/{number}00", write_wal(batches(BLOCKS[: number + 1])))
    found = scan(folder).answer.summary["checkpoints"]
    assert [(c["path"], c["block_tip"]) for c in found] == [
        ("checkpoints/100", None),
        ("checkpoints/200", 2),
        ("checkpoints/300", 3),
    ]
