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
