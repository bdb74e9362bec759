"""Small tables that would cost much: prefixes of a megabyte, entries of three bytes, one block ten thousand times.

Every block is sealed, so only its content is hostile.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from time import process_time

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.errors import Exit
from inspector.format import Wishes
from inspector.formats.rocksdb import block, codecs, footer, keys
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.coding import MalformedError, put_varint
from inspector.formats.rocksdb.footer import Handle
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders import rocksdb
from tests.builders.rocksdb_table import Shape, Writer, data_block
from tests.builders.rocksdb_table import table as built_table

FORMATS = formats.all_formats()
END = bytes(4) + (1).to_bytes(4, "little")  # one restart
PUT = keys.internal(b"", 5, keys.PUT)


def entry(shared: int, key: bytes, value: bytes = b"") -> bytes:
    return put_varint(shared) + put_varint(len(key)) + put_varint(len(value)) + key + value


def growing(prefix: int, count: int) -> bytes:
    """Keys of `prefix` bytes that all share it: 12 bytes each in the block."""
    first = entry(0, b"k" * prefix + PUT)
    return first + b"".join(entry(prefix, bytes([i * 255 // count]) + PUT) for i in range(count)) + END


def table(data: list[bytes], index: bytes | None = None) -> bytes:
    writer = Writer(Shape(index="full"))
    blocks = [writer.block(one) for one in data]
    named = [(keys.internal(b"key-%06d" % i, 5, keys.PUT), footer.put_handle(h)) for i, h in enumerate(blocks)]
    top = writer.block(index if index is not None else block.build(named, 1))
    meta = writer.block(block.build([], 1))
    return bytes(writer.out) + footer.encode(5, writer.shape.checksum, 0, meta, top, len(writer.out), False)


def sound() -> bytes:
    return data_block([(keys.internal(b"k", 5, keys.PUT), b"v")], Shape())


HANDLE = footer.put_handle(Handle(0, len(sound())))
BOMBS = {
    "keys that share a megabyte": table([growing(1 << 20, 5000)]),
    "entries of three bytes": table([bytes(3) * 1_000_000 + END]),
    "an index of keys that share a megabyte": table(
        [sound()], entry(0, b"k" * (1 << 20), HANDLE) + entry(1 << 20, b"k", HANDLE) * 20_000 + END
    ),
    "one block ten thousand times": table([sound()], entry(0, b"k" + PUT, HANDLE) * 10_000 + END),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_table_costs_little_whatever_it_says(name: str) -> None:
    data = BOMBS[name]
    begun = process_time()
    if name != "entries of three bytes":  # there it takes half a minute to look
        tracemalloc.start()
    report = inspect(MemorySource(data, "000009.sst"), FORMATS, forced="rocksdb", keep=20)
    peak = tracemalloc.get_traced_memory()[1] if tracemalloc.is_tracing() else 0
    tracemalloc.stop()
    assert report.exit_code() is Exit.DAMAGED
    assert not [f for f in report.tally.findings() if f.rule.code == "INS001"]
    assert peak < 200 << 20
    assert process_time() - begun < 20


def test_listing_a_block_that_costs_too_much_says_so_and_is_damage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "000009.sst"
    path.write_bytes(BOMBS["keys that share a megabyte"])
    assert main(["records", str(path), "--jsonl"]) == Exit.DAMAGED
    assert '"state":"malformed"' in capfd.readouterr().out


def test_an_ordinary_block_is_far_from_the_bound() -> None:
    """A megabyte of entries with keys of 40 bytes that share 30."""
    pairs = [(keys.internal(b"prefix-" * 5 + b"%06d" % i, 5, keys.PUT), b"v" * 20) for i in range(50_000)]
    content = block.build(pairs)
    assert len(content) > 1 << 20
    assert block.entries(content) == pairs
    assert [place[0] for place in block.places(content)] == [key for key, _ in pairs]
    with pytest.raises(MalformedError, match="take more than"):
        block.entries(growing(1 << 16, 2000))


def test_one_file_is_live_or_unlisted_if_it_is_among_those_that_are() -> None:
    """Asked of each of thousands of logs: the lists of all of them, made each time, took minutes."""
    members = rocksdb.small_world().members()
    members |= {"000003.log": b"", "000099.log": b"", "000077.sst": members["000009.sst"], "archive/000098.log": b""}
    db = open_store(MemorySource(members), None, Wishes())
    assert {name for name in db.files if db.is_live(name)} == {name for _, name in db.live_wals()}
    assert {n for n in range(100) if db.is_unlisted(n)} == set(db.unlisted())
    assert {"000099.log"} <= {name for _, name in db.live_wals()}
    assert 77 in db.unlisted()
    assert 9 not in db.unlisted()


@pytest.mark.parametrize("codec", [codecs.ZLIB, codecs.BZIP2, codecs.ZSTD])
def test_many_blocks_of_a_format_without_sizes_are_read(codec: int) -> None:
    """Version 1 does not say what a block unpacks to: that is no reason to leave real ones out."""
    pairs = rocksdb.pairs(0, 20_000)
    with MemorySource(bytes(built_table(pairs, Shape(codec=codec, version=1, index="full")).data), "x.sst") as source:
        report = inspect(source, FORMATS)
    assert report.exit_code() == Exit.CLEAN
    assert not report.tally.total


def test_room_beyond_the_usual_is_taken_once_by_each_place_and_not_given_back() -> None:
    room = codecs.Room(100)
    asked = [
        (0, 1, ""),
        (101, 1, ""),
        (60, 1, ""),
        (60, 1, ""),
        (60, 1, "other"),
        (41, 2, ""),
        (40, 2, ""),
        (1, 3, ""),
        (0, 3, ""),
    ]
    assert [room.fits(*one) for one in asked] == [True, False, True, True, False, False, True, False, True]
    assert (room.left, room.taken) == (0, {("", 1), ("", 2)})
