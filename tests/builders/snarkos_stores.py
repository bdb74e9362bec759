"""Ledgers as folders that RocksDB itself writes and reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rocksdict import DBCompressionType, Options, Rdict, SliceTransform, WriteBatch, WriteOptions

from tests.builders.snarkos import Rows
from tests.builders.snarkos_wal import write_wal


def engine_options() -> Options:
    """As snarkVM opens its store (store/src/helpers/rocksdb/internal/mod.rs), as far as rocksdict can say it."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_prefix_extractor(SliceTransform.create_fixed_prefix(4))
    return options


def write_engine(folder: Path, batches: Iterable[Rows], flush_every: int = 0, compact: bool = False) -> None:
    """A folder that RocksDB wrote; with `flush_every` a table after so many batches, the rest stays in the WAL."""
    db = Rdict(str(folder), engine_options())
    for i, rows in enumerate(batches):
        group = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            group.put(key, value)
        db.write(group)
        if flush_every and i % flush_every == flush_every - 1:
            db.flush()
    if compact:
        db.compact_range(None, None)
    db.close()


def write_folder(folder: Path, members: dict[str, bytes]) -> Path:
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def engine_rows(folder: Path) -> Rows:
    """Live rows as RocksDB reads them."""
    from rocksdict import AccessType

    db = Rdict(str(folder), engine_options(), access_type=AccessType.read_only(False))
    try:
        return {k: v for k, v in db.items() if isinstance(k, bytes) and isinstance(v, bytes)}
    finally:
        db.close()


__all__ = ["WriteOptions", "engine_options", "engine_rows", "write_engine", "write_folder", "write_wal"]
