"""A store of any size, not of gossip: PATH BYTES trace | wal | manifest | blobs | tables | members | volumes.

`trace`: a node's log, day after day. `wal`, `manifest`, `blobs`: one file of a RocksDB folder. `tables`: a folder that
RocksDB wrote. `members`: a folder of tables of 5 kB each, up to 20,000. `volumes`: a dirty blobstore in which each
megabyte of BYTES is a volume of one cluster with its own page of metadata; sparse beyond the metadata.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.build_blobstore import super_block
from benchmarks.build_trace import build as build_trace
from inspector.formats.rocksdb import batch, blob, edit, keys
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.edit import Edit, NewFile
from inspector.formats.rocksdb.log_writer import frame
from tests.builders.rocksdb import World, log_of, pairs
from tests.builders.spdk import NONE, PAGE, desc, md_page, uuid, xattr

DAY, PIECE = "2024-05-30", 20_000_000
CHUNK = 1 << 22
MEMBERS = 20_000
CLUSTER = 1 << 20


def trace(path: Path, size: int) -> None:
    """Each piece on a day of its own."""
    build_trace(path, PIECE)
    data, day = path.read_bytes(), date.fromisoformat(DAY)
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(data.replace(DAY.encode(), day.isoformat().encode()))
            day += timedelta(days=1)


def logged(path: Path, size: int, records: Iterator[bytes]) -> None:
    """Records in the framing of a log."""
    held, at = bytearray(), 0
    with path.open("wb") as file:
        while at < size:
            framed = frame(next(records), at)
            held += framed
            at += len(framed)
            if len(held) > CHUNK:
                file.write(held)
                held.clear()
        file.write(held)


def batches() -> Iterator[bytes]:
    """Ten values of 400 bytes each, of ever new keys."""
    value, sequence = Random(1).randbytes(1 << 16), 1
    while True:
        ops = [(0, keys.PUT, b"key-%016d" % (sequence + i), value[sequence * 7 % 60000 :][:400]) for i in range(10)]
        yield batch.encode(sequence, ops)
        sequence += 10


def edits() -> Iterator[bytes]:
    """Tables that come and go; a thousand of them live at a time, as under steady compaction."""
    yield edit.encode(Edit(db_id="0a1b2c3d-0000-4000-8000-000000000000"))
    yield edit.encode(Edit(comparator=keys.BYTEWISE, log_number=0))
    number = 10
    while True:
        low = keys.internal(b"key-%016d" % (number % 1000), number, keys.PUT)
        high = keys.internal(b"key-%016d-" % (number % 1000), number, keys.PUT)
        made = Edit(added=[NewFile(1, number, 5_000_000, low, high, number, number)], next_file=number + 1)
        made.last_sequence = number
        if number >= 1010:
            made.deleted = [(1, number - 1000)]
        yield edit.encode(made)
        number += 1


def blobs(path: Path, size: int) -> None:
    """Values of 64 KiB, then the footer."""
    value, count = Random(1).randbytes(2 << 16), 0
    with path.open("wb") as file:
        file.write(blob.MAGIC_BYTES + struct.pack("<II", 1, 0) + bytes(18))
        while file.tell() < size:
            key, body = b"key-%016d" % count, value[count % 65536 :][:65536]
            head = struct.pack("<QQQ", len(key), len(body), 0)
            seals = masked_crc(head).to_bytes(4, "little") + masked_crc(key + body).to_bytes(4, "little")
            file.write(head + seals + key + body)
            count += 1
        end = blob.MAGIC_BYTES + struct.pack("<QQQ", count, 0, 0)
        file.write(end + masked_crc(end).to_bytes(4, "little"))


def tables(path: Path, size: int) -> None:
    """Written by RocksDB itself, a table for each 64 MiB."""
    import rocksdict

    r: Any = rocksdict
    options = r.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    options.set_level_zero_slowdown_writes_trigger(1 << 20)
    options.set_level_zero_stop_writes_trigger(1 << 20)
    options.set_compression_type(r.DBCompressionType.none())
    db, value = r.Rdict(str(path), options), Random(1).randbytes(1 << 16)
    for i in range(size // 420):
        db[b"key-%016d" % i] = value[i * 7 % 60000 :][:400]
    db.flush()
    db.close()


def members(path: Path, size: int) -> None:
    path.mkdir()
    world, count = World(), min(MEMBERS, size // 5000)
    first = b""
    listed = []
    for number in range(count):
        built = world.add(10 + number, pairs(60 * number, 60 * number + 60, 100 + 60 * number))
        (path / f"{10 + number:06d}.sst").write_bytes(built.data)
        world.tables.clear()
        listed.append(edit.encode(Edit(added=[world.listed.pop()])))
    first = edit.encode(Edit(comparator=world.comparator, log_number=0))
    last = edit.encode(Edit(next_file=count + 100, last_sequence=100 + 60 * count, prev_log=0, max_family=0))
    (path / "MANIFEST-000005").write_bytes(log_of([first, *listed, last]))
    (path / "CURRENT").write_bytes(b"MANIFEST-000005\n")


def volumes(path: Path, size: int) -> None:
    count = size // PAGE  # a page of metadata each
    clusters = 2 * count
    masks = -(-(5 + -(-clusters // 8)) // PAGE)
    first = 1 + 3 * masks
    data = -(-(first + count + 1) * PAGE // CLUSTER)
    with path.open("wb") as file:
        file.truncate(clusters * CLUSTER)
        file.write(super_block(clusters, masks, first, count + 1))
        file.seek(first * PAGE)
        own = desc(3, struct.pack("<QQQ", 4, 0, 0)) + xattr(b"uuid", uuid(0)) + xattr(b"name", b"disk\0")
        file.write(md_page(1 << 32, 0, NONE, own + desc(5, struct.pack("<Q", 0))))
        for root in range(1, count + 1):
            body = desc(3, struct.pack("<QQQ", 0, 0, 2)) + xattr(b"name", f"volume-{root}".encode().ljust(64, b"\0"))
            body += xattr(b"uuid", uuid(root)) + desc(1, struct.pack("<II", data + root - 1, 1))
            file.write(md_page(1 << 32 | root, 0, NONE, body))


def main(path: Path, size: int, shape: str) -> None:
    if shape == "wal":
        logged(path, size, batches())
    elif shape == "manifest":
        logged(path, size, edits())
    else:
        {"trace": trace, "blobs": blobs, "tables": tables, "members": members, "volumes": volumes}[shape](path, size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(float(sys.argv[2])), sys.argv[3])
