"""Records and blocks of a WAL that changed places: they are put back where their sequence numbers are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import batch, keys, order
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import Mark
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.seen import seen_through
from inspector.formats.rocksdb.version import Version
from inspector.inspect import inspect
from inspector.overlay import Overlay
from inspector.repair import Result, repair
from inspector.source import open_source
from tests.formats.rocksdb.test_sequences import RECORDS, Order, folder, rows, scan, wal

BLOCK = 32768


def mend(path: Path, new: Path) -> Result:
    with open_source(str(path)) as source:
        return repair(source, all_formats(), str(new), Wishes())


@pytest.mark.parametrize(
    "order",
    [
        lambda all_: all_[:10] + all_[20:25] + all_[15:20] + all_[10:15] + all_[25:],
        lambda all_: all_[:10] + all_[11:12] + all_[10:11] + all_[12:],
        lambda all_: all_[:35] + all_[39:] + all_[36:39] + all_[35:36],
        lambda all_: all_[20:25] + all_[5:20] + all_[:5] + all_[25:],
        lambda all_: all_[1:2] + all_[:1] + all_[2:],
        lambda all_: all_[::-1],
    ],
    ids=["two runs", "neighbours", "to the end", "from the start", "the first", "backwards"],
)
def test_records_that_changed_places_cost_nothing(order: Order, tmp_path: Path) -> None:
    path = folder(tmp_path / "db", {4: wal(order(list(range(RECORDS))))})
    found = scan(path).tally.findings()
    assert {(f.rule.code, f.level.value, f.cause.name, f.salvage) for f in found} == {
        ("RDB040", "warning", "swapped", "corrected")
    }
    done = mend(path, tmp_path / "new")
    assert (done.code, done.records["lost"], done.records["dropped"]) == (Exit.CLEAN, 0, 0)
    assert (tmp_path / "new" / "000004.log").read_bytes() == wal(list(range(RECORDS)))
    assert rows(tmp_path / "new") == RECORDS
    with open_source(str(path / "000004.log")) as source:
        assert inspect(source, all_formats()).exit_code() is Exit.DAMAGED
        done = repair(source, all_formats(), str(tmp_path / "alone.log"), Wishes())
    assert (tmp_path / "alone.log").read_bytes() == wal(list(range(RECORDS)))


def test_the_first_and_the_last_record_of_a_log_alone_changed_places(tmp_path: Path) -> None:
    order = [RECORDS - 1, *range(1, RECORDS - 1), 0]
    (tmp_path / "000004.log").write_bytes(wal(order, first=5000))
    done = mend(tmp_path / "000004.log", tmp_path / "new.log")
    assert (done.code, (tmp_path / "new.log").read_bytes()) == (Exit.CLEAN, wal(list(range(RECORDS)), first=5000))


def test_a_record_of_another_history_is_lost_and_said_to_be(tmp_path: Path) -> None:
    """Its numbers lie before the log's first, and nothing tells whether they were this log's."""
    data = wal(list(range(20, 40)), first=11)
    stray = frame(batch.encode(5, [(0, keys.PUT, b"stray", b"v")]), len(data))
    path = folder(tmp_path / "db", {4: data + stray})
    assert [f.salvage for f in scan(path).tally.findings()] == ["lost"]
    assert mend(path, tmp_path / "new").code is Exit.LOST
    assert rows(tmp_path / "new") == 20


def test_records_with_lost_ones_between_are_put_back_without_them(tmp_path: Path) -> None:
    whole = list(range(RECORDS))
    data = wal(whole[:10] + whole[20:25] + whole[15:20] + whole[10:15] + whole[25:])
    size = len(wal([0]))
    data = data[: 12 * size + 40] + bytes([data[12 * size + 40] ^ 0x11]) + data[12 * size + 41 :]
    path = folder(tmp_path / "db", {4: data})
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(tmp_path / "new"), Wishes(no_correct=True))
    assert (done.code, done.records["lost"]) == (Exit.LOST, 1)
    assert rows(tmp_path / "new") == RECORDS - 1


def uneven(count: int, seed: int) -> bytes:
    rng, out = Random(seed), bytearray()
    for i in range(count):
        value = rng.randbytes(rng.randrange(10, 300))
        out += frame(batch.encode(1 + i, [(0, keys.PUT, b"k%05d" % i, value)]), len(out))
    return bytes(out)


@pytest.mark.parametrize(
    ("size", "one", "two"),
    [(BLOCK, 0, 2), (BLOCK, 0, 1), (BLOCK, 1, 2), (4096, 3, 20), (4096, 9, 10), (8192, 5, 7), (512, 40, 141)],
)
def test_blocks_that_changed_places_cost_not_even_the_records_over_their_ends(
    size: int, one: int, two: int, tmp_path: Path
) -> None:
    whole = uneven(800, size + one)
    assert len(whole) > 3 * BLOCK
    here, there = (whole[at * size : (at + 1) * size] for at in (one, two))
    data = whole[: one * size] + there + whole[(one + 1) * size : two * size] + here + whole[(two + 1) * size :]
    path = folder(tmp_path / "db", {4: data})
    found = scan(path).tally.findings()
    told = {(f.cause.name, f.salvage) for f in found if f.rule.code != "RDB025"}
    assert told == {("swapped", "corrected")}
    assert mend(path, tmp_path / "new").code is Exit.CLEAN
    assert (tmp_path / "new" / "000004.log").read_bytes() == whole


@pytest.mark.parametrize(("size", "one", "two"), [(512, 0, 66), (4096, 0, 1), (4096, 0, 5), (512, 30, 66)])
@pytest.mark.parametrize("first", [1, 5001])
def test_blocks_at_the_ends_of_a_log_alone_are_put_back(
    size: int, one: int, two: int, first: int, tmp_path: Path
) -> None:
    """Its first number is not known then, and the records over the border are missing between the others."""
    rng, out = Random(first), bytearray()
    for i in range(220):
        value = rng.randbytes(rng.randrange(10, 250))
        out += frame(batch.encode(first + i, [(0, keys.PUT, b"k%05d" % i, value)]), len(out))
    whole = bytes(out)
    here, there = (whole[at * size : (at + 1) * size] for at in (one, two))
    data = whole[: one * size] + there + whole[(one + 1) * size : two * size] + here + whole[(two + 1) * size :]
    assert len(data) > (two + 1) * size
    assert data != whole
    (tmp_path / "000004.log").write_bytes(data)
    found = scan(tmp_path / "000004.log").tally.findings()
    assert {(f.cause.name, f.salvage) for f in found if f.rule.code != "RDB025"} == {("swapped", "corrected")}
    assert mend(tmp_path / "000004.log", tmp_path / "new.log").code is Exit.CLEAN
    assert (tmp_path / "new.log").read_bytes() == whole


@pytest.mark.parametrize("leveldb", [False, True])
@pytest.mark.parametrize(
    "order",
    [lambda all_: all_[10:] + all_[:10], lambda all_: all_[10:30] + all_[:10] + all_[30:]],
    ids=["end", "middle"],
)
def test_the_beginning_of_a_log_that_stands_elsewhere_goes_back_by_the_manifests_last_number(
    order: Order, leveldb: bool, tmp_path: Path
) -> None:
    version = Version(next_file=5, last_sequence=50, db_id="" if leveldb else "synthetic", leveldb=leveldb)
    path = folder(tmp_path / "db", {4: wal(order(list(range(RECORDS))), first=51)}, version)
    assert mend(path, tmp_path / "new").code is Exit.CLEAN
    assert (tmp_path / "new" / "000004.log").read_bytes() == wal(list(range(RECORDS)), first=51)


def test_a_log_of_many_shuffled_pages_is_read_once_for_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No order of whole blocks makes them rise, and nothing is laid anew to see that."""
    whole = uneven(800, 5)
    pages = [whole[at : at + 4096] for at in range(0, len(whole), 4096)]
    Random(7).shuffle(pages)
    (tmp_path / "000004.log").write_bytes(b"".join(pages))
    asked, laid = Counter[str](), Counter[str]()

    def read(db: Database, member: str) -> Iterator[order.Numbered | None]:
        asked[member] += 1
        return numbered(db, member)

    def made(db: Database, over: Overlay, touched: set[str]) -> tuple[Database, list[Mark]]:
        laid.update(touched)
        return seen_through(db, over, touched)

    numbered = order._read_numbered
    monkeypatch.setattr(order, "_read_numbered", read)
    monkeypatch.setattr("inspector.formats.rocksdb.exchanged.seen_through", made)
    report = scan(tmp_path / "000004.log")
    assert report.tally.counts
    assert report.answer is not None
    assert asked == {"": 1}
    assert not laid
