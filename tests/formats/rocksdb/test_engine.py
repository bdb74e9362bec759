"""Against the engine: what it wrote reads the same here, key for key, and what is repaired it opens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit
from inspector.finding import Severity
from inspector.format import Query, Wishes
from inspector.formats.rocksdb import FORMAT, batch, block, log, logical
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.edit import WAL_DELETE, decode
from inspector.formats.rocksdb.names import classify
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.table import Table
from inspector.formats.rocksdb.view import Doubts, families, live_view
from inspector.formats.rocksdb.witness import witness
from inspector.inspect import inspect
from inspector.repair import Result, repair
from inspector.source import open_source
from tests.formats.rocksdb.engines import CODECS, KEYS, SUMS, Recipe, make

FORMATS = formats.all_formats()
RECIPES = [
    *(Recipe(codec=codec, version=version) for codec, version in zip(CODECS, (2, 3, 4, 5, 6, 5, 6), strict=True)),
    *(Recipe(checksum=checksum, version=6, codec="none") for checksum in SUMS),
    Recipe(families=True, deletes=True, compact=True),
    Recipe(index="two-level", version=6),
    Recipe(hash_blocks=True, codec="none"),
    Recipe(blobs="none"),
    Recipe(blobs="zstd", deletes=True, compact=True),
    Recipe(codec="zstd", dictionary=True, compact=True, version=6),
    Recipe(entities=True, deletes=True),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_what_the_engine_wrote_reads_the_same_here_and_is_clean(recipe: Recipe, tmp_path: Path) -> None:
    folder = make(tmp_path / "db", recipe)
    told = witness(str(folder))
    assert told.get("ok"), told
    with open_source(str(folder)) as source:
        report = inspect(source, FORMATS)
        assert report.format is FORMAT
        assert report.exit_code() is Exit.CLEAN, [f.message for f in report.tally.findings()]
        assert report.account.roles[4] == 0  # no gap


Damage = Callable[[Path], None]


def xor(path: Path, at: int, count: int = 1, value: int = 4) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(count)
        file.seek(at)
        file.write(bytes(b ^ value for b in old))


def zero(path: Path, start: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        assert any(file.read(count))
        file.seek(start)
        file.write(bytes(count))


class Healthy:
    """Where everything lies in a healthy database: the measure of what a damage leaves readable."""

    def __init__(self, folder: Path) -> None:
        tables = sorted(folder.glob("*.sst"))
        self.sst = tables[1].name
        self.log = next(p for p in sorted(folder.glob("*.log")) if p.stat().st_size).name
        self.manifest = next(folder.glob("MANIFEST-*")).name
        self.table, self.blocks = _blocks(folder / self.sst)
        self.size = (folder / self.sst).stat().st_size
        self.places = dict(self.table.tail)
        self.records = _records(folder / self.log)
        self.manifest_size = (folder / self.manifest).stat().st_size
        self.total = sum(n for t in tables for *_, n in _blocks(t)[1]) + sum(n for *_, n in self.records)
        self.middle = self.blocks[len(self.blocks) // 2]
        self.record = self.records[len(self.records) // 2]

    def lost(self, start: int, end: int) -> int:
        return sum(n for low, high, n in self.blocks if low < end and start < high)

    def lost_ops(self, start: int, end: int) -> int:
        return sum(n for low, high, n in self.records if low < end and start < high)


def _blocks(path: Path) -> tuple[Table, list[tuple[int, int, int]]]:
    data = path.read_bytes()
    table = open_table(lambda at, n: data[at : at + n], len(data))
    handles = [table.data_handle(i) for i in range(table.data_blocks)]
    return table, [(h.offset, h.end, len(block.entries(table.load(h).content))) for h in handles]


def _records(path: Path) -> list[tuple[int, int, int]]:
    data = path.read_bytes()
    reader = log.LogReader(lambda at, n: data[at : at + n], len(data), classify(path.name).number)
    records = logical.Assembler().records(reader.pieces())
    return [(r.start, r.end, len(list(batch.operations(r.data)))) for r in records]


Row = tuple[str, Callable[[Healthy, Path], None], Callable[[Healthy], int], set[str]]


def _page(start: int) -> int:
    return (start // 512 + 1) * 512


def _three(h: Healthy, d: Path) -> None:
    xor(d / h.sst, h.places["index"].offset + 20)
    xor(d / h.sst, h.places["metaindex"].offset + 5)
    xor(d / h.sst, h.middle[0] + 90)


ROWS: list[Row] = [
    ("one bit of a data block costs that block", lambda h, d: xor(d / h.sst, h.middle[0] + 90),
     lambda h: h.middle[2], {"RDB001"}),
    ("a zeroed sector costs the blocks it touches", lambda h, d: zero(d / h.sst, _page(h.middle[0]), 512),
     lambda h: h.lost(_page(h.middle[0]), _page(h.middle[0]) + 512), {"RDB001"}),
    ("one bit of the index costs nothing", lambda h, d: xor(d / h.sst, h.places["index"].offset + 20),
     lambda h: 0, {"RDB003"}),
    ("one bit of the properties costs nothing", lambda h, d: xor(d / h.sst, h.places["properties"].offset + 20),
     lambda h: 0, {"RDB004"}),
    ("one bit of the metaindex costs nothing", lambda h, d: xor(d / h.sst, h.places["metaindex"].offset + 5),
     lambda h: 0, {"RDB004"}),
    ("the footer's magic costs nothing", lambda h, d: xor(d / h.sst, h.size - 3), lambda h: 0, {"RDB005"}),
    ("one bit of the filter costs nothing", lambda h, d: xor(d / h.sst, h.places["filter"].offset + 20),
     lambda h: 0, {"RDB006"}),
    ("a table cut to 60 % costs what was cut", lambda h, d: os.truncate(d / h.sst, h.size * 6 // 10),
     lambda h: h.lost(h.size * 6 // 10, h.size), {"RDB009", "RDB010"}),
    ("a missing table costs that table", lambda h, d: (d / h.sst).unlink(),
     lambda h: sum(n for *_, n in h.blocks), {"RDB011"}),
    ("half a MANIFEST costs nothing", lambda h, d: os.truncate(d / h.manifest, h.manifest_size // 2),
     lambda h: 0, {"RDB012", "RDB027"}),
    ("one bit of the MANIFEST costs nothing", lambda h, d: xor(d / h.manifest, h.manifest_size // 2),
     lambda h: 0, {"RDB012", "RDB026"}),
    ("a missing MANIFEST costs nothing", lambda h, d: (d / h.manifest).unlink(), lambda h: 0, {"RDB029", "RDB039"}),
    ("a missing CURRENT costs nothing", lambda h, d: (d / "CURRENT").unlink(), lambda h: 0, {"RDB029"}),
    ("one bit of a WAL record costs that record", lambda h, d: xor(d / h.log, h.record[0] + 30),
     lambda h: h.record[2], {"RDB020"}),
    ("a zeroed sector of the WAL costs its records", lambda h, d: zero(d / h.log, _page(h.record[0]), 512),
     lambda h: h.lost_ops(_page(h.record[0]), _page(h.record[0]) + 512), {"RDB021"}),
    ("a WAL record's length costs nothing", lambda h, d: xor(d / h.log, h.record[0] + 4, 1, 1),
     lambda h: 0, {"RDB024"}),
    ("index, metaindex and a block cost that block", _three, lambda h: h.middle[2],
     {"RDB004", "RDB009"}),
]  # fmt: skip


V6 = Recipe(codec="zstd", version=6)  # its checksums know their offset: only rows where blocks move or are carved
MATRIX = [(row, Recipe()) for row in ROWS] + [(ROWS[i], V6) for i in (0, 2, 5, 7, -1)]


@pytest.mark.parametrize(("row", "recipe"), MATRIX, ids=lambda x: x[0] if isinstance(x, tuple) else f"v{x.version}")
def test_every_entry_that_can_be_read_is_in_the_repaired_database(row: Row, recipe: Recipe, tmp_path: Path) -> None:
    _, damage, lost, codes = row
    folder = make(tmp_path / "db", recipe)
    healthy = Healthy(folder)
    damage(healthy, folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    done = _repaired(folder, tmp_path / "new", Wishes(no_correct=True))
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    with open_source(str(folder)) as source:
        found = [f for f in inspect(source, FORMATS).tally.findings() if f.level is not Severity.NOTE]
        assert codes <= {f.rule.code for f in found}
    kept = witness(str(tmp_path / "new"))
    assert kept.get("ok"), kept
    assert kept["families"] == {"default": healthy.total - lost(healthy)}
    assert done.code is (Exit.LOST if lost(healthy) or codes & {"RDB009", "RDB039"} else Exit.CLEAN)


def _repaired(folder: Path, new: Path, wishes: Wishes | None = None) -> Result:
    with open_source(str(folder)) as source:
        return repair(source, FORMATS, str(new), wishes or Wishes())


ONE_BIT = [row for row in ROWS if "one bit" in row[0] or "magic" in row[0] or "length" in row[0] or "index," in row[0]]


@pytest.mark.parametrize(("row", "recipe"), [*((row, Recipe()) for row in ONE_BIT), (ONE_BIT[0], V6), (ROWS[-1], V6)],
                         ids=lambda x: x[0] if isinstance(x, tuple) else f"v{x.version}")  # fmt: skip
def test_flipped_bits_are_undone_and_the_database_is_what_it_was(row: Row, recipe: Recipe, tmp_path: Path) -> None:
    folder = make(tmp_path / "db", recipe)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    row[1](Healthy(folder), folder)
    done = _repaired(folder, tmp_path / "new", Wishes(accept=frozenset({"unique"})))
    assert {p.name: p.read_bytes() for p in (tmp_path / "new").iterdir()} == before
    assert done.code is Exit.CLEAN
    assert done.verified["engine"]["ok"]
    assert {e.action for e in done.changes} == {"corrected"}
    assert all("went" in e.why for e in done.changes)


def test_a_damaged_blob_costs_that_value_and_nothing_older_comes_back(tmp_path: Path) -> None:
    folder = make(tmp_path / "db", Recipe(blobs="none", filter=False))
    blob_file = sorted(folder.glob("*.blob"))[0]
    xor(blob_file, 30 + 32 + 40)
    with open_source(str(folder)) as source:
        db = open_database(source)
        total = sum(1 for f in families(db) for _ in live_view(db, f, Doubts()))
    done = _repaired(folder, tmp_path / "new")
    assert done.verified["engine"]["ok"]
    assert done.verified["engine"]["families"] == {"default": total - 1}


def test_a_repaired_table_keeps_healthy_members_as_links_to_the_source(tmp_path: Path) -> None:
    folder = make(tmp_path / "db", Recipe())
    healthy = Healthy(folder)
    xor(folder / healthy.sst, healthy.middle[0] + 90)
    _repaired(folder, tmp_path / "new")
    for path in (tmp_path / "new").iterdir():
        linked = (folder / path.name).exists() and path.samefile(folder / path.name)
        assert linked == (path.suffix == ".sst" and path.name != healthy.sst), path.name


def test_a_database_that_was_opened_twice_loses_only_the_table_that_is_gone(tmp_path: Path) -> None:
    """At a second start the engine notes in the MANIFEST which WALs it deleted; such an edit holds nothing else."""
    rocksdict = pytest.importorskip("rocksdict")
    folder = make(tmp_path / "db", Recipe())
    db = rocksdict.Rdict(str(folder), rocksdict.Options(raw_mode=True))
    db[b"later"] = b"written after the second start"
    db.close()
    assert WAL_DELETE in _ignorable(folder)  # what this test is about
    gone = sorted(folder.glob("*.sst"))[1]
    entries = sum(n for *_, n in _blocks(gone)[1])
    with open_source(str(folder)) as source:
        opened = open_database(source)
        total = sum(1 for family in families(opened) for _ in live_view(opened, family, Doubts()))
    gone.unlink()
    done = _repaired(folder, tmp_path / "new")
    assert done.verified["engine"]["ok"], done.verified
    assert done.verified["engine"]["families"] == {"default": total - entries}
    assert WAL_DELETE not in _ignorable(tmp_path / "new")


def _ignorable(folder: Path) -> set[int]:
    """The tags of the MANIFEST in use that a reader may pass over."""
    name = (folder / "CURRENT").read_text().strip()
    data = (folder / name).read_bytes()
    records = logical.Assembler().records(log.LogReader(lambda at, n: data[at : at + n], len(data)).pieces())
    return {tag for record in records for tag, _ in decode(record.data).others}


def test_sst_dump_counts_the_entries_that_we_read(tmp_path: Path) -> None:
    folder = make(tmp_path / "db", Recipe(codec="snappy", version=5, checksum="crc32c"))
    table = sorted(folder.glob("*.sst"))[0]
    command = ["sst_dump", f"--file={table}", "--command=scan", "--output_hex"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("rocksdb-tools is not installed")
    theirs = [line for line in run.stdout.splitlines() if " seq:" in line]
    with open_source(str(table)) as source:
        assert FORMAT.records
        ours = list(FORMAT.records(open_database(source), Query()))
    assert len(ours) == len(theirs) == KEYS
    for entry, line in zip(ours, theirs, strict=True):
        told = entry.fields
        assert line == f"'{told['key'].upper()}' seq:{told['sequence']}, type:1 => {told['value'].upper()}"


@pytest.mark.parametrize("codec", CODECS)
def test_bytes_put_into_a_block_are_damage_of_that_block_whatever_its_codec(codec: str, tmp_path: Path) -> None:
    """Behind them all blocks have moved, and are found without the index."""
    whole = Healthy(make(tmp_path / "db", Recipe(codec=codec, tables=2, wal=1)))
    path, (low, high, _) = tmp_path / "db" / whole.sst, whole.middle
    data, put = path.read_bytes(), (low + high) // 2
    path.write_bytes(data[:put] + bytes(range(256)) * 4 + data[put:])
    with open_source(str(path)) as source:
        report = inspect(source, FORMATS)
    found = [f.span for f in report.tally.findings()]
    assert [(span.start, span.end) for span in found if span.start <= put < span.end] == [(low, high + 1024)]


@pytest.mark.parametrize("able", [True, False])
def test_an_engine_that_dies_says_nothing_of_a_store_where_it_can_open_none(
    able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory it aborts on any store; that it opens an empty one shows that it was this store."""
    from inspector.formats.rocksdb import witness as module

    make(tmp_path / "db", Recipe())
    real = subprocess.run

    def run(command: list[str], **words: object) -> subprocess.CompletedProcess[str]:
        if command[3] == module._SCRIPT or not able:
            return subprocess.CompletedProcess(command, -6, "", "fatal runtime error: aborting")
        return real(command, **words)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr("inspector.formats.rocksdb.witness.subprocess.run", run)
    told = witness(str(tmp_path / "db"))
    assert told["ran"] is able
    assert "aborting" in told["why"] if able else "cannot run here" in told["why"]
    assert [p.name for p in tmp_path.iterdir()] == ["db"]
