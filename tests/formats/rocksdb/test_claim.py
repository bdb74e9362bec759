"""By what a folder or a file is known for a database: the first four of each kind of file are looked into."""

from __future__ import annotations

import pytest

from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.claim import claim
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.log_writer import frame
from inspector.source import MemorySource
from tests.builders.rocksdb import blob_file, log_of, pairs, small_world, wal
from tests.builders.rocksdb_table import Shape, table
from tests.contract.corpus import memory

WORLD = small_world().members()
TABLE, LOG = WORLD["000009.sst"], wal(3, 7)[0]


@pytest.mark.parametrize(
    ("name", "sound", "strength", "without"),
    [("MANIFEST-{:06d}", WORLD["MANIFEST-000005"], 95, 20), ("{:06d}.sst", TABLE, 85, 20), ("{:06d}.log", LOG, 70, 0)],
)
def test_four_files_of_a_kind_are_looked_into(name: str, sound: bytes, strength: int, without: int) -> None:
    for before, expected in ((0, strength), (3, strength), (4, without)):
        members = {name.format(n): b"\7" * 900 for n in range(1, before + 1)} | {name.format(before + 1): sound}
        with memory(members) as source:
            assert claim(source, None).strength == expected, before


def test_of_what_verifies_the_manifest_counts_most() -> None:
    told = []
    for names in (list(WORLD), ["000009.sst", "000014.log"], ["000014.log"]):
        with memory({name: WORLD[name] for name in names}) as source:
            told.append(claim(source, None).because)
    assert told == [
        "MANIFEST-000005 holds version edits whose checksums match",
        "000009.sst is a table whose metaindex verifies",
        "000014.log holds write batches whose checksums match",
    ]


@pytest.mark.parametrize("version", range(1, 8))
def test_a_table_alone_is_known_by_its_metaindex_and_less_by_its_magic(version: int) -> None:
    made = table(pairs(0, 20), Shape(version=version))
    place = made.places["metaindex"].offset
    hurt = made.data[:place] + bytes([made.data[place] ^ 1]) + made.data[place + 1 :]
    for data, strength in ((made.data, 95), (hurt, 60), (made.data[:-1], 0)):
        assert claim(MemorySource(data, "something"), None).strength == strength
    assert claim(MemorySource(made.data[:-1], "000001.sst"), None).strength == 20


def test_a_log_alone_is_known_by_a_whole_batch() -> None:
    sound = batch.encode(5, [(0, keys.PUT, b"k", b"v")])
    for content, strength in ((sound, 95), (sound[:-1], 0), (sound + b"\1", 0)):
        assert claim(MemorySource(frame(content, 0), "something"), None).strength == strength, content


@pytest.mark.parametrize("first", [b"", b"\7" * 40, b"\0" * 11])
def test_a_log_alone_is_known_by_its_first_record_that_says_anything(first: bytes) -> None:
    sound = batch.encode(5, [(0, keys.PUT, b"k", b"v")])
    edit = edits.encode(edits.Edit(comparator=keys.BYTEWISE))
    for then, strength, kind in ((sound, 95, "wal"), (edit, 95, "manifest"), (first, 0, "wal")):
        source = MemorySource(log_of([first, then]), "something")
        assert (claim(source, None).strength, open_database(source).files[""].kind) == (strength, kind)
    assert claim(MemorySource(log_of([first, first]), "000004.log"), None).strength == 20


@pytest.mark.parametrize(("at", "strength"), [(0, 95), (30, 0), (45, 0), (61, 0), (94, 95)])
def test_a_blob_file_is_known_by_its_magic_and_its_first_record(at: int, strength: int) -> None:
    data = blob_file([(b"one", b"v" * 9), (b"two", b"w" * 20)])[0]
    hurt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert claim(MemorySource(data, "something"), None).strength == 95
    assert claim(MemorySource(hurt, "something"), None).strength == strength
