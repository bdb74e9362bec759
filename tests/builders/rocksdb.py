"""Healthy databases, logs, MANIFESTs and blob files, always the same bytes for the same arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from inspector.formats.rocksdb import batch, blob, keys
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.edit import Edit, NewFile
from inspector.formats.rocksdb.log_writer import frame
from tests.builders.rocksdb_table import Built, Shape, table

OPTIONS = b"""[Version]
  rocksdb_version=9.8.4
  options_file_version=1.1

[DBOptions]
  create_if_missing=true

[CFOptions "default"]
  comparator=leveldb.BytewiseComparator
"""


def value_of(i: int) -> bytes:
    """A value with a part that compresses and a part that does not."""
    return b"value %06d " % i + Random(i).randbytes(12) + b"." * 20


def pairs(start: int, end: int, sequence: int = 100, step: int = 1) -> list[Pair]:
    """Puts of key start ... end with rising sequence numbers."""
    return [
        (keys.internal(b"key-%06d" % i, sequence + n, keys.PUT), value_of(i))
        for n, i in enumerate(range(start, end, step))
    ]


def wal(
    count: int, sequence: int, number: int | None = None, family: int = 0, size: int = 40
) -> tuple[bytes, list[int]]:
    """A WAL of `count` batches of one put each, and where each record begins."""
    out, starts = bytearray(), []
    for i in range(count):
        ops = [(family, keys.PUT, b"wal-%06d" % i, b"w" * size + b"%d" % i)]
        starts.append(len(out))
        out += frame(batch.encode(sequence + i, ops), len(out), number)
    return bytes(out), starts


def log_of(records: list[bytes], number: int | None = None) -> bytes:
    """A log of these logical records."""
    out = bytearray()
    for record in records:
        out += frame(record, len(out), number)
    return bytes(out)


def blob_file(values: list[Pair], family: int = 0, closed: bool = True) -> tuple[bytes, list[tuple[int, int]]]:
    """A blob file of keys and values, and the offset and size of each value."""
    out = bytearray(blob.MAGIC_BYTES + (1).to_bytes(4, "little") + family.to_bytes(4, "little") + bytes(18))
    places = []
    for key, value in values:
        head = len(key).to_bytes(8, "little") + len(value).to_bytes(8, "little") + bytes(8)
        out += head + masked_crc(head).to_bytes(4, "little") + masked_crc(key + value).to_bytes(4, "little") + key
        places.append((len(out), len(value)))
        out += value
    if closed:
        body = blob.MAGIC_BYTES + len(values).to_bytes(8, "little") + bytes(16)
        out += body + masked_crc(body).to_bytes(4, "little")
    return bytes(out), places


@dataclass(slots=True)
class World:
    """A database in the making: tables by number, and the MANIFEST that lists them."""

    shape: Shape = field(default_factory=Shape)
    tables: dict[int, Built] = field(default_factory=dict)
    listed: list[NewFile] = field(default_factory=list)
    wals: dict[int, bytes] = field(default_factory=dict)
    blobs: dict[int, bytes] = field(default_factory=dict)
    blob_edits: list[edits.BlobFile] = field(default_factory=list)
    log_number: int = 0
    comparator: str = keys.BYTEWISE
    last_sequence: int = 10_000
    extra: list[Edit] = field(default_factory=list)

    def add(self, number: int, content: list[Pair], level: int = 1, ranges: tuple[Pair, ...] = ()) -> Built:
        """A table with this content in this level."""
        built = table(content, self.shape, ranges)
        self.tables[number] = built
        sequences = [keys.tag_of(key)[0] for key, _ in content]
        new = NewFile(level, number, len(built.data), built.smallest, built.largest, min(sequences), max(sequences))
        self.listed.append(new)
        return built

    def manifest(self) -> bytes:
        first = Edit(db_id="0a1b2c3d-0000-4000-8000-000000000000")
        second = Edit(comparator=self.comparator, log_number=self.log_number, blobs=self.blob_edits)
        files = [Edit(added=[new]) for new in self.listed]
        last = Edit(next_file=100, last_sequence=self.last_sequence, prev_log=0, max_family=0)
        return log_of([edits.encode(e) for e in (first, second, *files, *self.extra, last)])

    def members(self) -> dict[str, bytes]:
        """The folder's files by name."""
        found = {f"{n:06d}.sst": built.data for n, built in self.tables.items()}
        found |= {f"{n:06d}.log": data for n, data in self.wals.items()}
        found |= {f"{n:06d}.blob": data for n, data in self.blobs.items()}
        return found | {"MANIFEST-000005": self.manifest(), "CURRENT": b"MANIFEST-000005\n", "OPTIONS-000007": OPTIONS}


def small_world(shape: Shape | None = None) -> World:
    """Two tables of level 1 that do not overlap, and a WAL with 40 operations that are newer."""
    world = World(shape or Shape())
    world.add(9, pairs(0, 60))
    world.add(11, pairs(60, 120, 200))
    world.wals[14] = wal(40, 10_001)[0]
    world.log_number = 14
    return world
