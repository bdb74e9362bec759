"""Databases written by the engines themselves, with everything they can write; in temporary folders."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

rocksdict: Any = pytest.importorskip("rocksdict")

CODECS = ("none", "snappy", "zlib", "bz2", "lz4", "lz4hc", "zstd")
SUMS = ("crc32c", "xxhash", "xxhash64", "xxh3")
KEYS = 400  # per table


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a database is made of."""

    codec: str = "lz4"
    version: int = 5
    checksum: str = "xxh3"
    index: str = ""
    hash_blocks: bool = False
    filter: bool = True
    blobs: str = ""
    compact: bool = False
    dictionary: bool = False
    families: bool = False
    deletes: bool = False
    entities: bool = False
    tables: int = 3
    keys: int = KEYS  # per table
    wal: int = 300
    block: int = 1024


def _options(recipe: Recipe) -> Any:
    r = rocksdict
    options = r.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_disable_auto_compactions(True)
    options.set_compression_type(getattr(r.DBCompressionType, recipe.codec)())
    table = r.BlockBasedOptions()
    table.set_format_version(recipe.version)
    table.set_checksum_type(getattr(r.ChecksumType, recipe.checksum)())
    table.set_block_size(recipe.block)
    if recipe.filter:
        table.set_bloom_filter(10, False)
    if recipe.index == "two-level":
        table.set_index_type(r.BlockBasedIndexType.two_level_index_search())
        table.set_partition_filters(True)
        table.set_metadata_block_size(256)
    if recipe.hash_blocks:
        table.set_data_block_index_type(r.DataBlockIndexType.binary_and_hash())
    options.set_block_based_table_factory(table)
    if recipe.blobs:
        options.set_enable_blob_files(True)
        options.set_min_blob_size(60)
        options.set_blob_compression_type(getattr(r.DBCompressionType, recipe.blobs)())
    if recipe.dictionary:
        options.set_compression_options(-14, 3, 0, 4096)
        options.set_zstd_max_train_bytes(4096 * 50)
    return options


def make(folder: Path, recipe: Recipe) -> Path:
    """A database with three tables and a WAL that was never flushed, as a crash leaves it."""
    live = folder.with_name(folder.name + ".live")
    db = rocksdict.Rdict(str(live), _options(recipe))
    other = db.create_column_family("other", _options(recipe)) if recipe.families else None
    rng = Random(1)
    for table in range(recipe.tables):
        for i in range(recipe.keys):
            db[b"key-%02d-%06d" % (table, i)] = b"value %d " % i + rng.randbytes(16) + b"." * (i % 90)
            if other is not None:
                other[b"o%06d" % i] = b"other %d" % table * 4
        if recipe.deletes:
            for i in range(0, recipe.keys, 7):
                db.delete(b"key-00-%06d" % i)
            db.delete_range(b"key-00-%06d" % (50 * table), b"key-00-%06d" % (50 * table + 20))
        if recipe.entities:
            db.put_entity(b"entity-%d" % table, [b"", b"a"], [b"plain", b"column"])
        db.flush()
        if other is not None:
            other.flush()
    if recipe.compact:
        db.compact_range(None, None)
    for i in range(recipe.wal):
        db[b"wal-%06d" % i] = b"w" * 60 + b"%d" % i
    if recipe.deletes:
        db.delete(b"key-01-000001")
        db.delete_range(b"key-01-000100", b"key-01-000120")
    db.flush_wal(True)
    shutil.copytree(live, folder)
    db.close()
    if other is not None:
        other.close()
    shutil.rmtree(live)
    return folder
