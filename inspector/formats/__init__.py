"""The one explicit list of formats, in order of detection; each is imported only when it is needed."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

from inspector.catalogue import Catalogue, Formats
from inspector.format import Format
from inspector.source import Source

# module under inspector.formats -> its Format value is named FORMAT
MODULES: tuple[str, ...] = (
    "gossip_store",
    "spdk_blobstore",
    "longhorn",
    "rocksdb",
    "snarkos",
    "snarkos_blocks",
    "known_peers",
    "piece_cache",
    "kad_trace",
)
# name of a format -> modules of those that stand on it; a test holds this against their own `on`
UPPERS: dict[str, tuple[str, ...]] = {"spdk-blobstore": ("longhorn",), "rocksdb": ("snarkos",)}

# names that programs give to their files; a test holds this against what the formats declare in their `private`
FILES: tuple[str, ...] = (
    *("gossip_store", "gossip_store.corrupt", "gossip_store.tmp", "gossip_store.compact", "gossip_store.old"),
    *(f"[0-9][0-9][0-9][0-9][0-9][0-9]*.{ending}" for ending in ("sst", "ldb", "log", "blob", "dbtmp")),
    *("CURRENT", "IDENTITY", "LOCK", "LOG", "LOG.old*", "MANIFEST-*", "OPTIONS-*"),
    *("block_tree*", "ARCHIVE-NOT-A-LEDGER.txt", "[0-9]*.[0-9]*.blocks", "latest.json"),
    *("known_addresses.bin", "piece_cache.bin"),
)


@cache
def load(module: str) -> Format:
    value = import_module(f"inspector.formats.{module}").FORMAT
    assert isinstance(value, Format)
    return value


# names under which stores are usually found: their format is asked first, and where it is sure no other is imported
_NAMED: tuple[tuple[str, str], ...] = (
    (r".*\.(sst|ldb|blob)|MANIFEST-\d+|\d{6,}\.log", "rocksdb"),
    (r".*\.(log|jsonl)(\.gz)?", "kad_trace"),
    (r"known_addresses.*\.bin", "known_peers"),
    (r"piece_cache.*\.bin", "piece_cache"),
)


def _likely(source: Source) -> str | None:
    if source.kind == "folder":
        return "rocksdb" if source.member("CURRENT") else None
    return next((module for pattern, module in _NAMED if re.fullmatch(pattern, source.name)), None)


def all_formats() -> Formats:
    return Catalogue(MODULES, UPPERS, load, _likely)
