"""What snarkOS does with a ledger in a given state: a total function of a few facts.

Sources: snarkOS and snarkVM sources and issues named at each line; nothing here was run on a real node.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from inspector.format import Outcome
from inspector.formats.rocksdb.loader import DELETES, EMPTY, REFUSES

RELEASE_2024: Final = "2.2.7 to 3.x"
RELEASE_2026: Final = "4.x"


class Facts(Struct, frozen=True):
    """What of a verdict the node would meet; heights or None."""

    block_tip: int | None = None
    finalised: int | None = None
    id_gap: bool = False  # a height without a hash in map 4
    tip_broken: bool = False  # the block that the node calls its last cannot be read whole
    rows_lost: bool = False
    corrupt_blocks: bool = False  # table blocks that fail their checksum
    round_missing: bool = False
    wal_cut: bool = False
    tree_stale: bool = False
    archive: bool = False
    engine: tuple[str, str] = ("", "")  # what RocksDB does when it opens the folder for writing, and says


def outcomes(f: Facts) -> tuple[Outcome, ...]:
    """The first thing in the way of a start decides; then what happens later."""
    return (Outcome("snarkOS", RELEASE_2024, *_start(f)), Outcome("snarkOS", RELEASE_2026, *_start_2026(f)))


def shut(f: Facts) -> str:
    """What RocksDB does where it does not open the ledger as it is, else nothing; an archive is not for it."""
    outcome, message = f.engine
    if f.archive or not (outcome in (REFUSES, EMPTY) or outcome.startswith(DELETES)):
        return ""
    return f"{outcome} ({message})" if outcome == REFUSES else outcome.replace(" where create_if_missing is set", "")


def _start(f: Facts) -> tuple[str, str]:
    if f.archive:
        return "must not be started on an archive", "its program mappings are not there"
    outcome, message = f.engine
    if outcome == REFUSES:  # before the node has read a row
        return "refuses to start", message
    if outcome == EMPTY:  # snarkVM sets create_if_missing (store/src/helpers/rocksdb/internal/mod.rs)
        return "starts a new ledger from genesis over these files", ""
    if outcome.startswith(DELETES):
        return f"starts without rows, if it does: RocksDB {outcome}", message
    if f.block_tip is None:
        return "starts a new ledger from genesis beside these rows", ""
    if f.id_gap:  # BlockStore::open reads map 4 for every height
        return "refuses to start", "Missing block hash for block {h}; run 'snarkos clean' and try again"
    if f.tip_broken:  # Ledger::load reads the last block
        return "refuses to start", f"Failed to load block {f.block_tip} from the ledger"
    if f.round_missing:
        return "refuses to start", "Current round not found in committee storage"
    if f.finalised is not None and f.block_tip > f.finalised:
        return "starts, then cannot add the next block", "Next height must be sequential"
    if f.finalised is not None and f.block_tip < f.finalised:
        return "starts, then cannot add the next block", "Next round N must be greater than current round N"
    if f.corrupt_blocks:
        return "starts if its ten random blocks are whole, fails later", "Corruption: block checksum mismatch"
    if f.rows_lost:
        return "starts if its ten random blocks are whole, fails when it reads a damaged one", "Missing block ..."
    if f.wal_cut:
        return "starts; blocks behind the damaged WAL record are dropped and fetched again", ""
    return "starts", ""


def _start_2026(f: Facts) -> tuple[str, str]:
    outcome, message = _start(f)
    if f.tree_stale and outcome.startswith("starts"):
        return (
            "refuses to start",
            "The stored height is different than the one in the block tree ... delete the 'block_tree' file",
        )
    return outcome, message
