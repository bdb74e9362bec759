"""Sequence numbers along a WAL: records of another place that verify where they stand, and WALs that are not there."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.edit import Edit, NewFile, encode
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.version import Family, Version
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import open_source

RECORDS = 40
Order = Callable[[list[int]], list[int]]


def wal(order: list[int], step: int = 1, first: int = 1) -> bytes:
    """Batches of `step` operations by their numbers, all of one size, in this order."""
    out = bytearray()
    for i in order:
        ops = [(0, keys.PUT, b"k%04d%d" % (i, j), b"v%05d" % i * 5) for j in range(step)]
        out += frame(batch.encode(first + i * step, ops), len(out))
    return bytes(out)


def folder(path: Path, logs: dict[int, bytes], version: Version | None = None) -> Path:
    path.mkdir()
    (path / "CURRENT").write_bytes(b"MANIFEST-000003\n")
    family = Family(0, "default", log_number=4)
    (path / "MANIFEST-000003").write_bytes(
        snapshot([family], version or Version(next_file=5, db_id="synthetic", leveldb=False))
    )
    for number, data in logs.items():
        (path / f"{number:06d}.log").write_bytes(data)
    return path


def scan(path: Path) -> Report:
    with open_source(str(path)) as source:
        return inspect(source, all_formats())


def rows(path: Path) -> int:
    rocksdict = pytest.importorskip("rocksdict")
    database = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))
    try:
        return len(list(database.keys()))
    finally:
        database.close()


@pytest.mark.parametrize(
    ("order", "lost", "seen", "severity"),
    [
        (lambda all_: all_[:20] + all_[5:10] + all_[25:], 5, 5, "error"),
        (lambda all_: all_[:20] + all_[5:10] + all_[20:], 0, 5, "warning"),
        (lambda all_: all_[:35] + all_[10:15], 5, 10, "error"),
        (lambda all_: all_[:20] + all_[5:6] + all_[21:], 1, 5, "error"),
    ],
    ids=["over", "put in", "over the end", "one"],
)
def test_sound_records_of_an_earlier_place_are_told_and_left_out(
    order: Order, lost: int, seen: int, severity: str, tmp_path: Path
) -> None:
    path = folder(tmp_path / "db", {4: wal(order(list(range(RECORDS))))})
    report = scan(path)
    (found,) = [f for f in report.tally.findings() if f.rule.code == "RDB040"]
    assert (report.exit_code(), found.level.value) == (Exit.DAMAGED, severity)
    size = len(wal([0]))
    assert found.span.length == size * (1 if lost == 1 else 5)
    assert found.cause.name in ("stale-page", "shifted")
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(tmp_path / "new"), Wishes())
    assert done.code is (Exit.LOST if lost else Exit.CLEAN)
    assert scan(tmp_path / "new").exit_code() is Exit.CLEAN
    assert rows(tmp_path / "new") == RECORDS - lost
    assert rows(path) == seen  # what the engine shows of it, without a word: it opened for writing, and is spoiled now


@pytest.mark.parametrize(
    ("logs", "left_out", "left"),
    [
        ({4: range(30), 5: range(5), 6: range(30, 40)}, 5, 40),  # an old WAL again, under a new number
        ({4: range(30), 5: range(5), 6: range(7)}, 6, 30),
        ({4: range(100, 110), 5: range(30), 6: range(30, 40)}, 4, 40),  # a later one
    ],
    ids=["again", "twice again", "later"],
)
def test_a_wal_in_the_place_of_another_is_left_out(
    logs: dict[int, range], left_out: int, left: int, tmp_path: Path
) -> None:
    path = folder(tmp_path / "db", {number: wal(list(order)) for number, order in logs.items()})
    assert "RDB040" in {f.rule.code for f in scan(path).tally.findings()}
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(tmp_path / "new"), Wishes())
    assert done.code is Exit.LOST
    lost = tmp_path / "new" / f"{left_out:06d}.log"
    assert not lost.exists() or not lost.read_bytes()  # the oldest would be missed
    assert scan(tmp_path / "new").exit_code() is Exit.CLEAN
    assert rows(tmp_path / "new") == left


def test_a_wal_whose_batches_have_one_number_each_is_sound(tmp_path: Path) -> None:
    """WritePrepared transactions count batches, not operations."""
    out = bytearray()
    for i in range(RECORDS):
        ops = [(0, keys.PUT, b"k%d %d" % (i, j), b"v") for j in range(3)]
        out += frame(batch.encode(1 + i, ops), len(out))
    report = scan(folder(tmp_path / "db", {4: bytes(out)}))
    assert (report.exit_code(), report.tally.total) == (Exit.CLEAN, 0)
    out[200] ^= 1
    path = folder(tmp_path / "hurt", {4: bytes(out)})
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(tmp_path / "new"), Wishes(no_correct=True))
    assert done.records["dropped"] == 0


def test_transactions_that_are_prepared_take_no_numbers(tmp_path: Path) -> None:
    """Two-phase commit: the prepared batch and what is written before its commit begin with the same number."""
    out, sequence = bytearray(), 1
    for i in range(RECORDS):
        ops = batch.encode(sequence, [(0, keys.PUT, b"p%d %d" % (i, j), b"v") for j in range(3)])
        prepare = ops[:12] + b"\x09" + ops[12:] + b"\x0a\x02x%d" % (i % 10)
        plain = batch.encode(sequence, [(0, keys.PUT, b"k%d %d" % (i, j), b"v") for j in range(2)])
        commit = batch.encode(sequence + 2, []) + b"\x0b\x02x%d" % (i % 10)
        for data in (prepare, plain, commit):
            out += frame(data, len(out))
        sequence += 5
    path = folder(tmp_path / "db", {4: bytes(out)})
    assert [f.rule.code for f in scan(path).tally.findings() if f.rule.code != "RDB025"] == []
    assert scan(path).exit_code() is Exit.CLEAN
    out[len(out) // 2] ^= 1
    path = folder(tmp_path / "hurt", {4: bytes(out)})
    assert "RDB040" not in {f.rule.code for f in scan(path).tally.findings()}
    for what, new in ((path / "000004.log", tmp_path / "new.log"), (path, tmp_path / "new")):
        with open_source(str(what)) as source:
            done = repair(source, all_formats(), str(new), Wishes(no_correct=True))
        assert (done.code, done.records["dropped"], done.records["lost"]) == (Exit.LOST, 0, 1)
    assert "TransactionDB" in done.verified["engine"]["why"]  # the plain engine refuses what is only prepared


def test_a_wal_of_another_time_between_two_others_is_told(tmp_path: Path) -> None:
    whole = list(range(RECORDS))
    logs = {4: wal(whole[:20]), 6: wal(whole[3:9]), 8: wal(whole[20:])}
    found = [f for f in scan(folder(tmp_path / "db", logs)).tally.findings() if f.rule.code == "RDB040"]
    assert [f.span.member for f in found] == ["000006.log"]


def running(path: Path, numbers: list[int], last: int, present: list[int]) -> Path:
    """A folder as the engine leaves it: a flush up to number 20 made it keep WALs from the first of `numbers` on."""
    table = NewFile(0, 9, 0, b"a" + bytes(8), b"z" + bytes(8), 1, 20)
    body = snapshot([Family(0, "default", log_number=3)], Version(next_file=12, db_id="synthetic", leveldb=False))
    edits = [Edit(log_number=numbers[0], last_sequence=last, next_file=12, added=[table]), Edit(deleted=[(0, 9)])]
    folder(path, {n: wal(list(range(20 + 10 * i, 30 + 10 * i))) for i, n in enumerate(numbers) if n in present})
    for edit in edits:  # the table was compacted away since
        body += frame(encode(edit), len(body))
    (path / "MANIFEST-000003").write_bytes(body)
    (path / "LOCK").touch()
    return path


@pytest.mark.parametrize(
    ("numbers", "last", "present", "gone"),
    [
        ([10], 30, [10], None),
        ([10, 11], 40, [10, 11], None),
        ([10], 30, [], 10),
        ([10, 11], 40, [11], 10),
        ([10], 21, [], 1),
        ([10], 20, [], 0),
        ([2], 20, [], None),  # below the MANIFEST's own number: recovery wrote it, and no WAL need have it
    ],
)
def test_a_wal_that_the_engine_keeps_from_and_that_is_gone_is_told(
    numbers: list[int], last: int, present: list[int], gone: int | None, tmp_path: Path
) -> None:
    path = running(tmp_path / "db", numbers, last, present)
    report = scan(path)
    found = [f for f in report.tally.findings() if f.rule.code == "RDB036"]
    if gone is None:
        assert (report.exit_code(), found) == (Exit.CLEAN, [])
        return
    assert found[0].level.value == ("error" if gone else "warning")
    told = f"{gone} {'operation' if gone == 1 else 'operations'} from number 21 on were in it"
    assert (told in found[0].message) == bool(gone)
    assert found[0].evidence["following"] == (21 + gone if gone else None)
    with open_source(str(path)) as source:
        repair(source, all_formats(), str(tmp_path / "new"), Wishes())
    assert scan(tmp_path / "new").exit_code() is Exit.CLEAN
    (path / "LOCK").unlink()  # a checkpoint: it has no WAL that was empty
    assert scan(path).exit_code() is Exit.CLEAN


def test_a_wal_that_the_next_one_names_is_missed_and_no_word_of_it_is_left(tmp_path: Path) -> None:
    says = frame(struct.pack("<QQQ", 4, len(wal([0, 1, 2])), 3), 0, None, 130)
    later = frame(batch.encode(4, [(0, keys.PUT, b"k", b"v")]), len(says))
    both = folder(tmp_path / "both", {4: wal([0, 1, 2]), 6: says + later})
    assert scan(both).tally.total == 0
    for name, first in (("cut", wal([0, 1])), ("gone", b"")):
        path = folder(tmp_path / name, {4: first, 6: says + later} if first else {6: says + later})
        (found,) = [f for f in scan(path).tally.findings() if f.rule.code != "RDB025"]
        assert (found.rule.code, found.level.value, found.evidence["told_by"]) == ("RDB036", "error", "000006.log")
        with open_source(str(path)) as source:
            repair(source, all_formats(), str(tmp_path / f"new {name}"), Wishes())
        assert scan(tmp_path / f"new {name}").exit_code() is Exit.CLEAN
        assert rows(tmp_path / f"new {name}") == (3 if first else 1)


def test_a_database_that_lives_and_dies_misses_no_wal(tmp_path: Path) -> None:
    rocksdict = pytest.importorskip("rocksdict")
    path = tmp_path / "db"
    for turn in range(4):
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_disable_auto_compactions(True)  # else files go away while they are copied
        database = rocksdict.Rdict(str(path), options)
        for i in range(50):
            database[b"%d %d" % (turn, i)] = b"v" * 40
            if i == 30:
                database.flush()
        shutil.copytree(path, tmp_path / f"killed {turn}")
        database.close()
        shutil.copytree(path, tmp_path / f"closed {turn}")
        for name in (f"killed {turn}", f"closed {turn}"):
            found = scan(tmp_path / name).tally.findings()
            assert not [f.message for f in found if f.rule.code in ("RDB025", "RDB036", "RDB040")]
    for log in path.glob("*.log"):
        log.unlink()
    assert "RDB036" in [f.rule.code for f in scan(path).tally.findings()]


def test_a_first_record_that_says_number_0_costs_that_record_alone(tmp_path: Path) -> None:
    broken = bytearray(batch.encode(0, [(0, keys.PUT, b"k", b"v")]))
    broken[8] = 9  # more operations than it has
    first = frame(bytes(broken), 0)
    rest = bytearray(first)
    for i in range(1, RECORDS):
        rest += frame(batch.encode(1 + i, [(0, keys.PUT, b"k%04d" % i, b"v")]), len(rest))
    path = folder(tmp_path / "db", {4: bytes(rest)})
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(tmp_path / "new"), Wishes())
    assert (done.code, done.records["lost"]) == (Exit.LOST, 1)
    assert rows(tmp_path / "new") == RECORDS - 1
