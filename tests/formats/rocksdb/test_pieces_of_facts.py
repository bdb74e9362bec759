"""Small borders: checksums of tiles, files that end too early, a run of one block, what a plan says of its size."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from inspector.finding import Tally
from inspector.format import UNIT, Wishes
from inspector.formats.rocksdb import blob, footer, kinds
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.check import check
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.facts import Tiles, mark_of, marks_of
from inspector.formats.rocksdb.units import endless
from inspector.formats.rocksdb.walk import walk
from inspector.source import MemorySource
from tests.builders.rocksdb import World, blob_file, pairs
from tests.builders.rocksdb_table import Shape, table
from tests.contract.corpus import memory


def test_tiles_that_are_not_sound_come_with_their_checksums() -> None:
    tiles = Tiles("f")
    for end, mark, stored, computed in ((10, 0, 1, 1), (25, kinds.CHECKSUM, 7, 8), (30, kinds.SHAPE, 5, 5)):
        tiles.add(end, UNIT, kinds.DATA, mark, stored, computed)
    stretch = tiles.take()
    told = [(m.span.start, m.span.end, m.span.member, m.kind, m.mark, m.stored, m.computed) for m in marks_of(stretch)]
    assert told == [(10, 25, "f", kinds.DATA, kinds.CHECKSUM, 7, 8), (25, 30, "f", kinds.DATA, kinds.SHAPE, 5, 5)]
    assert [mark_of(stretch, i) for i in (1, 2)] == list(marks_of(stretch))
    for gone in ("stored", "computed"):
        columns = {name: column for name, column in stretch.columns.items() if name != gone}
        assert (mark_of(replace(stretch, columns=columns), 1).stored, mark_of(stretch, 1).stored) == (0, 7)
    assert not list(marks_of(Tiles("f").take()))


TABLE = table(pairs(0, 20), Shape(version=5)).data


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (TABLE, True),
        (TABLE[:-53], False),
        (TABLE[:-8] + footer.MAGIC.to_bytes(8, "little"), True),
        (TABLE[:-8] + footer.LEGACY_MAGIC.to_bytes(8, "little"), True),
        (b"\7" * 60 + footer.MAGIC.to_bytes(8, "little"), True),
        (b"\7" * 60 + footer.MAGIC.to_bytes(8, "little") + b"\7", False),
        (b"\7" * 60 + bytes(16) + b"\7" * 12, True),  # the zeroes of a footer whose version and magic are other bytes
        (b"\7" * 60 + bytes(15) + b"\7" * 12, False),
        (b"\7" * 60 + bytes(16) + b"\7" * 13, False),
        (b"\7" * 60 + bytes(16) + b"\7" * 11, False),
    ],
)
def test_a_table_without_the_signs_of_a_footer_ends_too_early(data: bytes, whole: bool) -> None:
    db = open_store(MemorySource(data, "000009.sst"), None, Wishes())
    assert endless(db, "") == (None if whole else "the file ends without a table's footer")


@pytest.mark.parametrize(
    ("lost", "why"),
    [(32, None), (33, "the file has 1 byte fewer than the MANIFEST counts in it"),
     (34, "the file has 2 bytes fewer than the MANIFEST counts in it")],
)  # fmt: skip
def test_a_blob_file_shorter_than_it_is_counted_ends_too_early(lost: int, why: str | None) -> None:
    world = World()
    world.add(9, pairs(0, 3))
    data = blob_file([(b"one", b"v" * 30), (b"two", b"w" * 20)])[0]
    world.blobs[8] = data[:-lost]
    world.blob_edits.append(edits.BlobFile(8, 2, len(data) - blob.HEADER - blob.FOOTER - 32))
    with memory(world.members()) as source:
        db = open_store(source, None, Wishes())
        check(db, walk(db), Tally())
        assert endless(db, "000008.blob") == why
        assert endless(db, "CURRENT") is None
        assert endless(db, "no such member") is None
