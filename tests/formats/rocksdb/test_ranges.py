"""What a table alone says of itself: its key range with its range deletes, its numbers, and where those deletes end."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.formats.rocksdb import keys, view
from inspector.formats.rocksdb.database import good_blocks, pairs_of
from inspector.formats.rocksdb.edit import NewFile
from inspector.formats.rocksdb.keys import MAX_SEQUENCE, PUT, RANGE_DELETE, internal
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.table import Table
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.rocksdb import World
from tests.builders.rocksdb_table import Shape, table


def made(
    pairs: list[tuple[bytes, int, int, bytes]],
    ranges: list[tuple[bytes, int, bytes]] | None = None,
    forced: int | None = None,
) -> Table:
    """Of key, number, kind and value; range deletes from, number, to; `forced` is the number of an ingested file."""
    built = table(
        [(internal(key, number, kind), value) for key, number, kind, value in pairs],
        Shape(),
        [(internal(begin, number, RANGE_DELETE), end) for begin, number, end in ranges or ()],
    )
    data = built.data
    one = open_table(lambda at, n: data[at : at + n], len(data))
    one.forced = forced
    return one


PAIRS = [(b"c", 9, PUT, b"1"), (b"d", 4, PUT, b"2"), (b"e", 7, keys.DELETE, b"")]


def test_a_table_says_its_range_and_its_numbers() -> None:
    assert view.file_of(made(PAIRS), 5, 999) == NewFile(
        0, 5, 999, internal(b"c", 9, PUT), internal(b"e", 7, keys.DELETE), 4, 9, assumed=True
    )


@pytest.mark.parametrize(
    ("begin", "end", "smallest", "largest"),
    [
        (b"a", b"d", internal(b"a", 5, RANGE_DELETE), internal(b"e", 7, keys.DELETE)),
        (b"d", b"z", internal(b"c", 9, PUT), internal(b"z", MAX_SEQUENCE, RANGE_DELETE)),
        (b"a", b"z", internal(b"a", 5, RANGE_DELETE), internal(b"z", MAX_SEQUENCE, RANGE_DELETE)),
        (b"c", b"e", internal(b"c", 9, PUT), internal(b"e", 7, keys.DELETE)),
    ],
)
def test_range_deletes_widen_the_range_of_a_table(begin: bytes, end: bytes, smallest: bytes, largest: bytes) -> None:
    found = view.file_of(made(PAIRS, [(begin, 5, end)]), 5, 999)
    assert found is not None
    assert (found.smallest, found.largest) == (smallest, largest)
    assert (found.smallest_sequence, found.largest_sequence) == (4, 9)
    for number, numbers in ((2, (2, 9)), (30, (4, 30))):
        found = view.file_of(made(PAIRS, [(begin, number, end)]), 5, 999)
        assert found is not None
        assert (found.smallest_sequence, found.largest_sequence) == numbers


def test_range_deletes_alone_are_a_table_and_nothing_is_none() -> None:
    found = view.file_of(made([], [(b"b", 5, b"f"), (b"h", 6, b"k")]), 5, 999)
    assert found is not None
    assert (found.smallest, found.largest) == (
        internal(b"b", 5, RANGE_DELETE),
        internal(b"k", MAX_SEQUENCE, RANGE_DELETE),
    )
    assert (found.smallest_sequence, found.largest_sequence) == (5, 6)
    assert view.file_of(made([]), 5, 999) is None


def test_an_ingested_table_has_one_number_for_all() -> None:
    one = made([(b"c", 0, PUT, b"1"), (b"d", 0, PUT, b"2")], [(b"a", 0, b"b")], forced=70)
    found = view.file_of(one, 5, 999)
    assert found is not None
    assert (found.smallest_sequence, found.largest_sequence) == (70, 70)
    assert [(e.key, e.sequence) for e in view.table_entries(one, "f")] == [(b"c", 70), (b"d", 70)]
    assert [(t.begin, t.end, t.sequence) for t in view.tombstones(one, "f", None)] == [(b"a", b"b", 70)]
    mixed = made([(b"c", 3, PUT, b"1")], [(b"a", 3, b"b")], forced=70)
    assert [e.sequence for e in view.table_entries(mixed, "f")] == [3]
    assert [t.sequence for t in view.tombstones(mixed, "f", None)] == [3]


@pytest.mark.parametrize(
    ("low", "high", "cut"),
    [
        (internal(b"a", 9, PUT), internal(b"z", 1, PUT), (b"c", b"m")),
        (internal(b"e", 9, PUT), internal(b"z", 1, PUT), (b"e", b"m")),
        (internal(b"a", 9, PUT), internal(b"k", 1, PUT), (b"c", b"k\0")),
        (internal(b"a", 9, PUT), internal(b"k", MAX_SEQUENCE, RANGE_DELETE), (b"c", b"k")),
        (internal(b"m", 9, PUT), internal(b"z", 1, PUT), None),
        (internal(b"a", 9, PUT), internal(b"c", MAX_SEQUENCE, RANGE_DELETE), None),
    ],
)
def test_a_range_delete_is_void_beyond_the_range_of_its_file(
    low: bytes, high: bytes, cut: tuple[bytes, bytes] | None
) -> None:
    one = made(PAIRS, [(b"c", 5, b"m")])
    file = NewFile(1, 5, 999, low, high)
    assert [(t.begin, t.end) for t in view.tombstones(one, "f", file)] == ([cut] if cut else [])
    assert [(t.begin, t.end) for t in view.tombstones(one, "f", file, bytewise=False)] == [(b"c", b"m")]
    backwards = made(PAIRS, [(b"m", 5, b"c")])
    assert list(view.tombstones(backwards, "f", None)) == []
    assert [(t.begin, t.end) for t in view.tombstones(backwards, "f", None, bytewise=False)] == [(b"m", b"c")]


def test_a_table_behind_a_torn_copy_of_itself_keeps_its_range_deletes_and_no_entry_twice(tmp_path: Path) -> None:
    world = World(shape=Shape(codec=0))
    ranges = ((internal(b"k", 36, RANGE_DELETE), b"p"),)
    built = world.add(9, [(internal(b"long", 37, keys.DELETE), b"")], ranges=ranges)
    tail = next(at for at in range(len(built.data)) if built.data[at:].startswith(internal(b"k", 36, RANGE_DELETE)))
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in world.members().items():
        (folder / name).write_bytes(data)
    (folder / "000009.sst").write_bytes(built.data[: tail + 90] + built.data)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) in (0, 4)
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0
    with open_source(str(tmp_path / "out")) as source:
        state = inspect(source, formats.all_formats()).state
        found = state.table("000009.sst")
        assert sum(len(pairs_of(content)) for _, _, content in good_blocks(found)) == 1
        assert [(t.begin, t.end) for t in view.tombstones(found, "", None)] == [(b"k", b"p")]
