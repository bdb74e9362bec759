"""Ledgers as folders of a MANIFEST and a WAL, byte for byte the same each time."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.manifest_writer import snapshot
from inspector.formats.rocksdb.version import Family, Version
from tests.builders.snarkos import Rows

DB_ID = "00000000-0000-4000-8000-000000000000"
WAL = "000004.log"
OPTIONS = """[Version]
  rocksdb_version=8.1.1
  options_file_version=1.1

[DBOptions]
  max_background_jobs=4

[CFOptions "default"]
  comparator=leveldb.BytewiseComparator
  prefix_extractor=rocksdb.FixedPrefix.4
  compression=kLZ4Compression

[TableOptions/BlockBasedTable "default"]
  block_size=4096
  format_version=5
"""


def write_wal(batches: Iterable[Rows | list[tuple[int, bytes, bytes]]], number: int = 4) -> dict[str, bytes]:
    """Members of a folder whose rows all lie in one WAL, one record per batch; always the same bytes."""
    out, sequence = bytearray(), 1
    for rows in batches:
        if isinstance(rows, dict):
            rows = [(keys.PUT, key, value) for key, value in rows.items()]
        out += frame(batch.encode(sequence, [(0, kind, key, value) for kind, key, value in rows]), len(out))
        sequence += len(rows)
    version = Version(next_file=number + 1, last_sequence=0, db_id=DB_ID)
    family = Family(0, "default", log_number=number)
    return {
        "CURRENT": b"MANIFEST-000003\n",
        "IDENTITY": DB_ID.encode(),
        "MANIFEST-000003": snapshot([family], version),
        "OPTIONS-000005": OPTIONS.encode(),
        f"{number:06d}.log": bytes(out),
    }
