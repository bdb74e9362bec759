"""The one explicit list of what can be carved; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module

from inspector.carve import Carver

# name -> module under inspector.formats; its Carver value is named CARVER
MODULES = {
    "gossip-store": "gossip_store.carving",
    "rocksdb-sst": "rocksdb.carving_tables",
    "rocksdb-log": "rocksdb.carving_logs",
    "spdk-blobstore": "spdk_blobstore.carving",
}


def carver(name: str) -> Carver:
    """The carver of this name; KeyError for another."""
    value = import_module(f"inspector.formats.{MODULES[name]}").CARVER
    assert isinstance(value, Carver)
    return value
