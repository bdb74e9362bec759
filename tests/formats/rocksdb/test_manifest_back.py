"""Edits of a MANIFEST that verify and were written at an earlier place: the engine refuses what must not be clean."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb.edit import Edit, NewFile, encode
from inspector.formats.rocksdb.log import LogReader
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.logical import Assembler
from inspector.formats.rocksdb.version import replay
from inspector.repair import repair
from inspector.source import open_source
from tests.formats.rocksdb.test_sequences import rows, scan

KEYS = 60
Order = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with flushes and a compaction, as a killed process leaves it."""
    rocksdict = pytest.importorskip("rocksdict")
    path = tmp_path_factory.mktemp("manifest") / "db"
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    database = rocksdict.Rdict(str(path), options)
    for turn in range(6):
        for i in range(KEYS):
            database[b"%d" % i] = b"%d" % turn * 20
        database.flush()
        if turn == 3:
            database.compact_range(None, None)
    shutil.copytree(path, path.with_name("killed"))
    database.close()
    return path.with_name("killed")


def framed(records: list[bytes]) -> bytes:
    out = bytearray()
    for data in records:
        out += frame(data, len(out))
    return bytes(out)


def rewritten(path: Path, to: Path, order: Order) -> Path:
    shutil.copytree(path, to)
    (name,) = to.glob("MANIFEST-*")
    data = name.read_bytes()
    records = [r.data for r in Assembler().records(LogReader(lambda at, n: data[at : at + n], len(data)).pieces())]
    name.write_bytes(framed(order(records)))
    return to


@pytest.mark.parametrize(
    ("order", "opens"),
    [
        (lambda all_: all_ + all_[5:7], False),
        (lambda all_: all_ + all_[9:], False),
        (lambda all_: all_[:-3] + all_[-6:-3], False),
        (lambda all_: all_[:-4] + all_[-2:] + all_[-4:-2], True),
    ],
    ids=["behind", "again", "over", "exchanged"],
)
def test_edits_of_an_earlier_place_are_told_and_not_obeyed(
    order: Order, opens: bool, running: Path, tmp_path: Path
) -> None:
    path = rewritten(running, tmp_path / "db", order)
    report = scan(path)
    assert report.exit_code() is Exit.DAMAGED
    assert "RDB041" in {f.rule.code for f in report.tally.findings()}
    assert report.answer.loaders[0].outcome.startswith("opens") is opens
    with open_source(str(path)) as source:
        repair(source, all_formats(), str(tmp_path / "new"), Wishes())
    assert scan(tmp_path / "new").exit_code() is Exit.CLEAN
    assert rows(tmp_path / "new") == KEYS
    if opens:
        assert rows(path) == KEYS
    else:
        with pytest.raises(Exception, match=r"VersionBuilder|No such file"):
            rows(path)


def test_an_edit_that_hangs_on_a_lost_one_is_not_out_of_place() -> None:
    table = NewFile(0, 9, 100, b"a" + bytes(8), b"z" + bytes(8), 1, 20)
    steps = [
        Edit(next_file=9, last_sequence=5),
        Edit(added=[table], next_file=10),
        Edit(deleted=[(0, 9)], next_file=11),
    ]
    data = bytearray(framed([encode(step) for step in steps]))
    assert not replay(lambda at, n: bytes(data[at : at + n]), len(data)).stale
    data[30] ^= 1
    version = replay(lambda at, n: bytes(data[at : at + n]), len(data))
    assert (version.fault_count, version.stale) == (1, [])


def test_edits_that_changed_places_are_both_obeyed() -> None:
    table = NewFile(0, 9, 100, b"a" + bytes(8), b"z" + bytes(8), 1, 20)
    steps = [
        Edit(next_file=9, last_sequence=5),
        Edit(deleted=[(0, 9)], next_file=11),
        Edit(added=[table], next_file=10),
    ]
    data = framed([encode(step) for step in steps])
    version = replay(lambda at, n: data[at : at + n], len(data))
    assert (len(version.stale), list(version.live_tables())) == (1, [])
