"""Tables whose blocks need a compression dictionary, and that lost what names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import Exit, RefusedError
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import checksums, codecs
from inspector.formats.rocksdb.database import good_blocks, pairs_of
from inspector.formats.rocksdb.opening import open_table
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Built, Shape, table

WORDS = b"".join(b"value %06d " % i + b"." * (i % 40) + bytes(3) for i in range(200))
SHAPES = (
    Shape(codec=codecs.ZSTD, dictionary=WORDS),
    Shape(codec=codecs.ZSTD, dictionary=WORDS, checksum=checksums.XXHASH64, version=4),
    Shape(codec=codecs.LZ4, dictionary=WORDS, checksum=checksums.CRC32C),
)


def built_of(shape: Shape) -> Built:
    return table(pairs(0, 120), shape)


def write(data: bytes, out: Path) -> Exit:
    return repair(MemorySource(data, "000009.sst"), all_formats(), str(out), Wishes()).code


@pytest.mark.parametrize("shape", SHAPES, ids=["zstd", "zstd-4", "lz4"])
@pytest.mark.parametrize("tail", ["cut", "zeroes"])
def test_a_dictionary_of_which_only_the_beginning_is_known_is_found(shape: Shape, tail: str, tmp_path: Path) -> None:
    """Where the index ends it begins; the properties, which tell where it ends, are lost."""
    built = built_of(shape)
    end = built.places["dictionary"].end + 30
    data = built.data[:end] + (bytes(len(built.data) - end) if tail == "zeroes" else b"")
    assert write(data, tmp_path / "out.sst") in (Exit.LOST, Exit.CLEAN)
    new = (tmp_path / "out.sst").read_bytes()
    opened = open_table(lambda at, n: new[at : at + n], len(new))
    assert [pair for _, _, content in good_blocks(opened) for pair in pairs_of(content)] == pairs(0, 120)


@pytest.mark.parametrize("shape", SHAPES, ids=["zstd", "zstd-4", "lz4"])
def test_without_its_dictionary_it_is_said_what_is_needed(shape: Shape, tmp_path: Path) -> None:
    built = built_of(shape)
    data = built.data[: built.places["dictionary"].end - 40]
    found = inspect(MemorySource(data, "000009.sst"), all_formats()).tally.findings()
    assert "RDB008" in {f.rule.code for f in found}
    assert "software-rule-violation" not in {f.cause.name for f in found}
    with pytest.raises(RefusedError, match="compressed with a dictionary") as refused:
        write(data, tmp_path / "out.sst")
    assert "another copy" in (refused.value.hint or "")


def test_a_filter_in_place_of_a_lost_dictionary_gives_no_entries(tmp_path: Path) -> None:
    """Streams decompress with it, too, and give other bytes than were written."""
    built = built_of(Shape(codec=codecs.ZSTD, dictionary=b"value 0000" * 8, filter=bytes(range(1, 65)), version=5))
    place = built.places["dictionary"]
    assert built.places["filter"].end <= built.places["index"].offset
    data = built.data[: place.offset] + bytes(b ^ 255 for b in built.data[place.offset : place.end])
    with pytest.raises(RefusedError, match="compressed with a dictionary"):
        write(data, tmp_path / "out.sst")
