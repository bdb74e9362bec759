"""The one explicit list of formats, in order of detection; each is imported only when it is needed."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from inspector.catalogue import Catalogue, Formats
from inspector.format import Format

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


def all_formats() -> Formats:
    return Catalogue(MODULES, UPPERS, load)
