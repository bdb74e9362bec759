"""Whole files of a database in each other's place, a table ingested without its MANIFEST, and logs that went on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb.log import LogReader
from inspector.inspect import Report, inspect
from inspector.ledger import Result
from inspector.repair import repair
from inspector.source import open_source
from tests.formats.rocksdb.engines import Recipe, make
from tests.formats.rocksdb.test_engine import xor
from tests.formats.rocksdb.test_sequences import folder, rows, wal

rocksdict: Any = pytest.importorskip("rocksdict")
KEYS = 3 * 60 + 10


def scan(path: Path) -> Report:
    with open_source(str(path)) as source:
        return inspect(source, all_formats())


def mended(path: Path) -> Result:
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(path) + ".new", Wishes())
    assert done.verified["engine"].get("ok"), done.verified
    assert scan(Path(f"{path}.new")).exit_code() is Exit.CLEAN
    return done


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make(tmp_path / "db", Recipe(tables=3, keys=60, wal=10))


def test_tables_in_each_others_place_get_their_own_names_and_nothing_is_lost(store: Path) -> None:
    first, second, _ = sorted(store.glob("*.sst"))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    xor(store / sorted(p.name for p in store.glob("*.log"))[-1], 30)  # the repair looks at a mended copy, too
    found = [f for f in scan(store).tally.findings() if f.rule.code != "RDB020"]
    assert [(f.rule.code, f.level.value, f.cause.name, f.salvage) for f in found] == [
        ("RDB016", "warning", "swapped", "corrected")
    ] * 2
    assert mended(store).records["lost"] in (0, 1)
    new = Path(f"{store}.new")
    assert ((new / first.name).read_bytes(), (new / second.name).read_bytes()) == (one, two)


def test_a_table_renamed_to_another_one_that_is_gone_gets_its_name_back(store: Path) -> None:
    first, second, _ = sorted(store.glob("*.sst"))
    first.rename(second)
    assert {f.rule.code for f in scan(store).tally.findings()} == {"RDB011", "RDB016"}
    assert mended(store).code is Exit.LOST
    assert rows(Path(f"{store}.new")) == KEYS - 60


@pytest.mark.parametrize("whose", ["its own", "another"])
def test_a_table_that_is_not_the_listed_one_is_left_out(whose: str, store: Path, tmp_path: Path) -> None:
    first, second, _ = sorted(store.glob("*.sst"))
    # another database: the same keys, the same sizes, other values
    other = make(tmp_path / "other", Recipe(tables=3, keys=60, wal=10)) if whose == "another" else store
    shutil.copy(other / (first if whose == "another" else second).name, first)
    (found,) = scan(store).tally.findings()
    assert (found.rule.code, found.level.value, found.span.member) == ("RDB016", "error", first.name)
    assert mended(store).code is Exit.LOST
    assert rows(Path(f"{store}.new")) == KEYS - 60


def test_tables_of_leveldb_in_each_others_place_are_known_by_their_ends(tmp_path: Path) -> None:
    plyvel: Any = pytest.importorskip("plyvel")
    for turn in range(3):
        with plyvel.DB(str(tmp_path / "db"), create_if_missing=True) as db:
            for i in range(50 * turn, 50 * turn + 40 + turn):
                db.put(b"k%05d" % i, b"v" * 30)
    truth = {b"k%05d" % i for turn in range(3) for i in range(50 * turn, 50 * turn + 40 + turn)}
    first, second = sorted((tmp_path / "db").glob("*.ldb"))[:2]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert {(f.rule.code, f.salvage) for f in scan(tmp_path / "db").tally.findings()} == {("RDB016", "corrected")}
    with open_source(str(tmp_path / "db")) as source:
        assert repair(source, all_formats(), str(tmp_path / "new"), Wishes()).code is Exit.CLEAN
    with plyvel.DB(str(tmp_path / "new")) as db:
        assert {key for key, _ in db} == truth


def test_an_ingested_table_without_its_manifest_is_no_column_family_of_its_own(tmp_path: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    database = rocksdict.Rdict(str(tmp_path / "db"), options)
    writer = rocksdict.SstFileWriter(options)
    writer.open(str(tmp_path / "made.sst"))
    for i in range(50):
        writer[b"in%03d" % i] = b"value"
    writer.finish()
    database.ingest_external_file([str(tmp_path / "made.sst")])
    database[b"put"] = b"value"
    database.close()
    for manifest in (tmp_path / "db").glob("MANIFEST-*"):
        manifest.write_bytes(bytes(manifest.stat().st_size))
    done = mended(tmp_path / "db")
    assert (done.code, rows(tmp_path / "db.new")) == (Exit.LOST, 51)
    assert any("ingested" in note for note in done.notes)


@pytest.mark.parametrize("apart", [False, True])
def test_of_two_ingested_tables_with_one_key_nothing_but_the_manifest_tells_the_newer(
    apart: bool, tmp_path: Path
) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    database = rocksdict.Rdict(str(tmp_path / "db"), options)
    for turn in range(2):
        writer = rocksdict.SstFileWriter(options)
        writer.open(str(tmp_path / "made.sst"))
        for i in range(50):
            writer[b"in%03d" % (i + 50 * turn * apart)] = b"value %d" % turn
        writer.finish()
        database.ingest_external_file([str(tmp_path / "made.sst")])
    database.close()
    for manifest in (tmp_path / "db").glob("MANIFEST-*"):
        manifest.write_bytes(bytes(manifest.stat().st_size))
    if apart:
        assert (mended(tmp_path / "db").code, rows(tmp_path / "db.new")) == (Exit.LOST, 100)
        return
    with pytest.raises(RefusedError, match=r"were ingested with 'in000' in both"):
        mended(tmp_path / "db")


def test_a_wal_that_is_gone_is_a_loss_of_the_repair_too(store: Path) -> None:
    for log in store.glob("*.log"):
        log.unlink()
    (store / "LOCK").touch()
    assert {f.rule.code for f in scan(store).tally.findings()} == {"RDB036"}
    assert mended(store).code is Exit.LOST


@pytest.mark.parametrize("behind", ["gap", "due"])
def test_a_log_that_ends_inside_a_record_and_went_on_elsewhere_is_no_torn_tail(behind: str, tmp_path: Path) -> None:
    later = wal(list(range(25 if behind == "gap" else 19, 40)))
    path = folder(tmp_path / "db", {4: wal(list(range(20)))[:-9], 6: later})
    found = {f.rule.code for f in scan(path).tally.findings()}
    if behind == "due":  # the engine kept the log when it started again, and gave the number once more
        assert found == {"RDB022"}
        return
    assert "RDB036" in found
    assert mended(path).code is Exit.LOST
    assert rows(tmp_path / "db.new") == 19 + 15


def with_blobs(tmp_path: Path, step: int) -> Path:
    """Three blob files; with `step` 0 they differ in nothing but keys and values."""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    options.set_enable_blob_files(True)
    options.set_min_blob_size(1)
    database = rocksdict.Rdict(str(tmp_path / "db"), options)
    for table in range(3):
        for i in range(20 + step * table):
            database[b"key-%d-%03d" % (table, i)] = b"%d %03d" % (table, i) * 20
        database.flush()
    database.close()
    return tmp_path / "db"


@pytest.mark.parametrize("step", [0, 2])
def test_blob_files_in_each_others_place_get_their_own_names_and_nothing_is_lost(step: int, tmp_path: Path) -> None:
    store = with_blobs(tmp_path, step)
    assert scan(store).tally.total == 0
    first, second, _ = sorted(store.glob("*.blob"))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    found = scan(store).tally.findings()
    assert [(f.rule.code, f.level.value, f.salvage) for f in found] == [("RDB031", "warning", "corrected")] * 2
    assert mended(store).code is Exit.CLEAN
    assert (Path(f"{store}.new") / first.name).read_bytes() == one
    assert rows(Path(f"{store}.new")) == 60 + 3 * step


def test_a_blob_file_in_anothers_place_costs_the_values_of_that_one(tmp_path: Path) -> None:
    store = with_blobs(tmp_path, 2)
    first, second, _ = sorted(store.glob("*.blob"))
    shutil.copy(second, first)
    assert {(f.rule.code, f.level.value) for f in scan(store).tally.findings()} == {("RDB031", "error")}
    assert mended(store).code is Exit.LOST
    assert rows(Path(f"{store}.new")) == 66 - 20


def test_whole_blob_records_in_each_others_place_are_told_by_their_keys(tmp_path: Path) -> None:
    store = with_blobs(tmp_path, 0)
    path = sorted(store.glob("*.blob"))[0]
    data, size = bytearray(path.read_bytes()), 32 + 9 + 100
    one, two = 30 + 3 * size, 30 + 7 * size
    data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]
    path.write_bytes(data)
    (found,) = scan(store).tally.findings()
    assert (found.rule.code, found.evidence["count"], found.cause.name) == ("RDB031", 2, "swapped")
    done = mended(store)
    assert (done.code, done.records["lost"]) == (Exit.LOST, 2)
    assert rows(Path(f"{store}.new")) == 58


@pytest.mark.parametrize("left", [30, 500, None], ids=["nothing", "a part", "all as zeroes"])
def test_values_that_are_gone_are_counted_once(left: int | None, tmp_path: Path) -> None:
    store = with_blobs(tmp_path, 0)
    path = sorted(store.glob("*.blob"))[1]
    data = path.read_bytes()
    path.write_bytes(data[:30] + bytes((left or len(data)) - 30))
    done = mended(store)
    assert (done.code, done.records["lost"]) == (Exit.LOST, 20)
    assert rows(Path(f"{store}.new")) == 40


def test_a_database_whose_tables_have_leveldbs_ending_is_still_rocksdbs(store: Path) -> None:
    for table in store.glob("*.sst"):
        table.rename(table.with_suffix(".ldb"))
    report = scan(store)
    assert (report.exit_code(), report.answer.summary["engine"]) == (Exit.CLEAN, "rocksdb")
    assert rows(store) == KEYS


def test_zeroes_at_the_end_of_a_log_are_told_and_count_where_it_went_on(tmp_path: Path) -> None:
    blank = wal(list(range(10))) + bytes(900)
    (found,) = scan(folder(tmp_path / "last", {4: blank})).tally.findings()
    assert (found.rule.code, found.level.value, found.span.length, found.cause.name) == (
        "RDB022", "note", 900, "zeroed-range",
    )  # fmt: skip
    path = folder(tmp_path / "db", {4: blank, 6: wal(list(range(20, 30)))})
    assert scan(path).exit_code() is Exit.DAMAGED
    assert mended(path).code is Exit.LOST
    assert rows(tmp_path / "db.new") == 20
    assert scan(folder(tmp_path / "on", {4: blank, 6: wal(list(range(10, 30)))})).exit_code() is Exit.CLEAN


@pytest.mark.parametrize("whose", ["its own", "another"])
def test_the_only_table_left_is_taken_in_under_another_ones_name_if_the_manifest_names_its_database(
    whose: str, store: Path, tmp_path: Path
) -> None:
    """The edit that listed it is lost, and no table stands in its place that would tell whose they are."""
    first, second, third = sorted(store.glob("*.sst"))
    (manifest,) = store.glob("MANIFEST-*")
    data = manifest.read_bytes()
    record = [piece for piece in LogReader(lambda at, n: data[at : at + n], len(data)).pieces() if piece.payload][-2]
    assert b"key" in record.payload  # it adds a table, the last one only sets numbers
    xor(manifest, record.start + 50)
    if whose == "another":
        third = make(tmp_path / "other", Recipe(tables=3, keys=60, wal=10)) / third.name
    shutil.copy(third, first)
    second.unlink()
    (store / third.name).unlink()
    assert mended(store).code is Exit.LOST
    assert rows(Path(f"{store}.new")) == 10 + 60 * (whose == "its own")


def test_a_table_under_a_number_that_no_list_has_gets_its_name_back(store: Path) -> None:
    first, *_ = sorted(store.glob("*.sst"))
    was = first.read_bytes()
    first.rename(store / "000777.sst")
    report = scan(store)
    assert [(f.rule.code, f.span.member, f.salvage) for f in report.tally.findings()] == [
        ("RDB016", "000777.sst", "corrected")
    ]
    outcome = next(o for o in report.answer.loaders if o.program == "RocksDB")
    assert outcome.message == f"IO error: No such file or directory: {first.name}"
    assert mended(store).code is Exit.CLEAN
    new = Path(f"{store}.new")
    assert (new / first.name).read_bytes() == was
    assert not (new / "000777.sst").exists()
    assert rows(new) == KEYS


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "no MANIFEST"])
def test_a_table_under_a_blob_files_number_gets_another_one(listed: bool, tmp_path: Path) -> None:
    """The engine's cache tells files apart by their numbers alone, and reads the one as the other."""
    store = make(tmp_path / "db", Recipe(tables=1, keys=60, wal=0, blobs="none"))
    (table,), blob = store.glob("*.sst"), min(store.glob("*.blob"))
    table.rename(blob.with_suffix(".sst"))
    if not listed:
        next(store.glob("MANIFEST-*")).unlink()
    done = mended(store)
    assert done.records["lost"] == (0 if listed else done.records["lost"])
    assert (Path(f"{store}.new") / table.name).exists()
    assert rows(Path(f"{store}.new")) == 60
