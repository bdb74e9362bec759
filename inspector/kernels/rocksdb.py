"""Blocks of RocksDB tables, compiled where that was built and plain was not asked for."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from inspector.kernels import WHICH

__all__ = [
    "FOUND_TYPES",
    "BlockRun",
    "LogRun",
    "batch_sums",
    "block_entries",
    "chain",
    "checksum_of",
    "find_block",
    "flips",
    "index_handles",
    "log_relength",
    "log_sound",
    "sealed_begin",
    "sealed_end",
]

if TYPE_CHECKING or WHICH == "plain" or find_spec("inspector.kernels._rocksdb") is None:
    from inspector.kernels.plain_rocksdb import (
        FOUND_TYPES,
        BlockRun,
        LogRun,
        batch_sums,
        block_entries,
        chain,
        checksum_of,
        find_block,
        flips,
        index_handles,
        log_relength,
        log_sound,
        sealed_begin,
        sealed_end,
    )
else:
    from inspector.kernels._rocksdb import (
        FOUND_TYPES,
        BlockRun,
        LogRun,
        batch_sums,
        block_entries,
        chain,
        checksum_of,
        find_block,
        flips,
        index_handles,
        log_relength,
        log_sound,
        sealed_begin,
        sealed_end,
    )
