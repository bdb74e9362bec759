"""Healthy databases of random shape, written by RocksDB and LevelDB themselves; closed, or copied while open."""

from __future__ import annotations

import os
import shutil
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import plyvel
import rocksdict as r

from tests.builders import snarkos
from tests.builders.snarkos_stores import write_engine
from tests.builders.snarkos_wal import write_wal

CODECS = ("none", "snappy", "zlib", "bz2", "lz4", "lz4hc", "zstd")
SUMS = ("crc32c", "xxhash", "xxhash64", "xxh3", "no_checksum")


def _table_options(rng: Random) -> Any:
    table = r.BlockBasedOptions()
    table.set_format_version(rng.choice((2, 3, 4, 5, 6)))
    table.set_checksum_type(getattr(r.ChecksumType, rng.choice(SUMS))())
    table.set_block_size(rng.choice((64, 512, 1024, 4096, 16384, 1 << 18)))
    table.set_block_restart_interval(rng.choice((1, 2, 16, 64)))
    table.set_index_block_restart_interval(rng.choice((1, 1, 8)))
    if rng.random() < 0.7:
        table.set_bloom_filter(rng.choice((1, 5, 10, 20)), rng.random() < 0.3)
    if rng.random() < 0.3:
        table.set_index_type(r.BlockBasedIndexType.two_level_index_search())
        table.set_partition_filters(rng.random() < 0.5)
        table.set_metadata_block_size(rng.choice((128, 1024, 4096)))
    if rng.random() < 0.3:
        table.set_data_block_index_type(r.DataBlockIndexType.binary_and_hash())
        table.set_data_block_hash_ratio(rng.choice((0.4, 0.75, 1.0)))
    return table


def _options(rng: Random, wal: bool) -> Any:
    options = r.Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_block_based_table_factory(_table_options(rng))
    codecs = r.DBCompressionType
    options.set_compression_type(getattr(codecs, rng.choice(CODECS))())
    if rng.random() < 0.3:
        options.set_bottommost_compression_type(getattr(codecs, rng.choice(CODECS))())
    if rng.random() < 0.2:
        options.set_compression_options(-14, 3, 0, rng.choice((1024, 16384)))
        options.set_zstd_max_train_bytes(rng.choice((0, 1 << 18)))
    if rng.random() < 0.3:
        options.set_enable_blob_files(True)
        options.set_min_blob_size(rng.choice((1, 30, 200)))
        options.set_blob_compression_type(getattr(codecs, rng.choice(("none", "lz4", "zstd", "snappy")))())
        options.set_blob_file_size(rng.choice((4096, 1 << 28)))
        options.set_enable_blob_gc(rng.random() < 0.5)
        options.set_blob_gc_age_cutoff(1.0)
    if rng.random() < 0.3:
        options.set_prefix_extractor(r.SliceTransform.create_fixed_prefix(rng.choice((1, 4))))
    style = rng.random()
    if style < 0.2:
        options.set_compaction_style(r.DBCompactionStyle.universal())
    elif style < 0.25:
        options.set_compaction_style(r.DBCompactionStyle.fifo())
    options.set_write_buffer_size(rng.choice((1 << 16, 1 << 18, 1 << 26)))
    options.set_target_file_size_base(rng.choice((1 << 15, 1 << 26)))
    options.set_disable_auto_compactions(rng.random() < 0.5)
    options.set_recycle_log_file_num(rng.choice((0, 0, 2)) if wal else 0)
    options.set_max_manifest_file_size(rng.choice((1 << 30, 1 << 30, 400)))
    options.set_manifest_preallocation_size(rng.choice((4096, 1 << 22)))
    options.set_allow_mmap_writes(rng.random() < 0.1)
    ways = rng.random()
    options.set_atomic_flush(ways < 0.2)
    options.set_enable_pipelined_write(ways > 0.8)
    return options


def _key(rng: Random, most: int) -> bytes:
    number = rng.randrange(most)
    kind = rng.random()
    if kind < 0.8:
        return b"key-%08d" % number
    if kind < 0.9:
        return number.to_bytes(8, "big")
    return bytes([number & 0xFF]) * (number % 40) if kind < 0.97 else b"long" * (number % 700)


def _value(rng: Random) -> bytes:
    kind = rng.random()
    size = rng.choice((0, 1, 20, 20, 100, 100, 300, 5000))
    return bytes(size) if kind < 0.1 else rng.randbytes(size) if kind < 0.5 else (b"value " * size)[:size]


def _write_some(rng: Random, db: Any, count: int, most: int) -> None:
    """Puts, deletes and batches in one column family."""
    for _ in range(count):
        dice = rng.random()
        if dice < 0.7:
            db.put(_key(rng, most), _value(rng))
        elif dice < 0.85:
            db.delete(_key(rng, most))
        elif dice < 0.87:
            low, high = sorted((_key(rng, most), _key(rng, most)))
            db.delete_range(low, high)
        elif dice < 0.9:
            db.put_entity(_key(rng, most), [b"", b"a", b"b"], [_value(rng), b"1", _value(rng)])
        else:
            batch = r.WriteBatch(raw_mode=True)
            for _ in range(rng.randrange(1, 60)):
                batch.put(_key(rng, most), _value(rng)) if rng.random() < 0.8 else batch.delete(_key(rng, most))
            db.write(batch)


def _ingest(rng: Random, db: Any, options: Any, folder: Path) -> None:
    """A table made elsewhere becomes a member: its entries have sequence number 0, and the MANIFEST another one."""
    path = folder.with_name("ingested.sst")
    writer = r.SstFileWriter(options)
    writer.open(str(path))
    base = rng.randrange(1000)
    for i in range(rng.randrange(1, 300)):
        writer[b"key-%08d" % (base + i)] = b"ingested %d" % i
    writer.finish()
    asked = r.IngestExternalFileOptions()
    asked.set_move_files(True)
    db.ingest_external_file([str(path)], asked)


def rocksdb(rng: Random, folder: Path) -> Path:
    """A database with a history: flushes, compactions, families that come and go, reopened, closed or killed."""
    place = folder / "db"
    scale, most = rng.choice((0, 3, 30, 300, 1500)), rng.choice((5, 100, 5000))
    wal = rng.random() < 0.9
    for life in range(rng.choice((1, 1, 1, 2, 3))):
        seed = rng.randrange(1 << 30)
        apart(lambda life=life, seed=seed: _life(Random(seed), place, f"{life}", wal, scale, most))  # type: ignore[misc]
    (place / "rocksdict-config.json").unlink(missing_ok=True)  # not the engine's
    return place


def apart(work: Callable[[], object]) -> None:
    """In a process of its own, which may kill itself: the folder is then what a crash leaves."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001  a child of fork must never return
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        raise RuntimeError("the engine could not write this store")


def _life(rng: Random, place: Path, label: str, wal: bool, scale: int, most: int) -> None:
    """From open to close, or to a kill in between."""
    options = _options(rng, wal)
    names = [n for n in r.Rdict.list_cf(str(place), options) if n != "default"] if place.exists() else []
    db = r.Rdict(str(place), options, column_families={name: _options(rng, wal) for name in names})
    without: Any = r.WriteOptions()
    without.disable_wal = not wal
    opened = {"default": db, **{name: db.get_column_family(name) for name in names}}
    for family in opened.values():
        family.set_write_options(without)
    for step in range(rng.randrange(1, 5)):
        if len(opened) < 6 and rng.random() < 0.3:
            name = f"family-{label}-{step}"
            opened[name] = db.create_column_family(name, _options(rng, wal))
            opened[name].set_write_options(without)
        one = rng.choice(list(opened.values()))
        _write_some(rng, one, scale, most)
        _happens(rng, one, options, place)
    if len(opened) > 1 and rng.random() < 0.2:
        gone = rng.choice(sorted(opened.keys() - {"default"}))
        opened.pop(gone).close()
        db.drop_column_family(gone)
    if rng.random() < 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    for family in reversed(list(opened.values())):
        family.close()


def _happens(rng: Random, db: Any, options: Any, folder: Path) -> None:
    dice = rng.random()
    if dice < 0.5:
        db.flush()
    elif dice < 0.7:
        db.compact_range(None, None)
    elif dice < 0.8:
        _ingest(rng, db, options, folder)


def leveldb(rng: Random, folder: Path) -> Path:
    place = folder / "db"
    count, most = rng.choice((0, 10, 300, 3000)), rng.choice((5, 100, 5000))
    for _ in range(rng.choice((1, 1, 2, 4))):
        db = plyvel.DB(
            str(place),
            create_if_missing=True,
            write_buffer_size=rng.choice((1 << 16, 1 << 20)),
            block_size=rng.choice((256, 4096)),
            block_restart_interval=rng.choice((1, 16)),
            compression=rng.choice((None, "snappy")),
            bloom_filter_bits=rng.choice((0, 10)),
            max_file_size=1 << 20,
        )
        for _ in range(count):
            if rng.random() < 0.8:
                db.put(_key(rng, most), _value(rng))
            elif rng.random() < 0.5:
                db.delete(_key(rng, most))
            else:
                with db.write_batch() as batch:
                    for _ in range(rng.randrange(20)):
                        batch.put(_key(rng, most), _value(rng))
        if rng.random() < 0.3:
            db.compact_range()
        db.close()
    return place


def _finished(path: Path) -> bool:
    """Not a table that LevelDB began and left when it was closed: such a one has no footer."""
    return path.suffix != ".ldb" or path.read_bytes().endswith(bytes.fromhex("57fb808b247547db"))


def alone(make: Callable[[Random, Path], Path], *patterns: str) -> Callable[[Random, Path], Path]:
    """One member of a database, away from its folder."""

    def one(rng: Random, folder: Path) -> Path:
        while True:
            place = make(rng, folder)
            found = sorted(p for pattern in patterns for p in place.glob(pattern) if p.stat().st_size and _finished(p))
            if found:
                return Path(shutil.move(rng.choice(found), folder))
            shutil.rmtree(place)

    return one


def ledger(rng: Random, folder: Path) -> Path:
    """A ledger in a RocksDB folder: tables and WAL from the engine, or all of it in one WAL."""
    blocks = snarkos.ledger(rng.choice((1, 2, 5, 20, 60)), rng.randrange(1 << 20), rng.randrange(3), rng.randrange(4))
    place = folder / "ledger"
    batches = [block.rows() for block in blocks]
    if rng.random() < 0.3:
        place.mkdir()
        for name, data in write_wal(batches).items():
            (place / name).write_bytes(data)
        return place
    every, compact = rng.choice((0, 1, 3, 10)), rng.random() < 0.4
    apart(lambda: write_engine(place, batches, every, compact))
    (place / "rocksdict-config.json").unlink(missing_ok=True)
    return place
