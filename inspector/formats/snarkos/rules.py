"""What can be wrong with a ledger; each rule says what the node does and what to do."""

from __future__ import annotations

from typing import Final

from inspector.finding import Rule, Severity

_GET = "snarkVM ledger/store/src/block/mod.rs (get_block, BlockStore::open)"
_CLEAN = "Failed to load ledger (run 'snarkos clean' and try again)"
_RESYNC = "Take a checkpoint or a snapshot from before it, or resync; the network still has these blocks."


def _rule(
    number: int, slug: str, severity: Severity, summary: str, explanation: str, loader: str, advice: str, source: str
) -> Rule:
    return Rule(f"SNK{number:03d}", slug, severity, summary, explanation, loader, advice, source)


MISSING: Final = _rule(
    1,
    "row-missing",
    Severity.ERROR,
    "a row that a block needs is not there",
    "Another row of the same block names it, no map holds it, and no other row says what it was.",
    "The node starts, because it checks ten random blocks, and fails when it reads this one.",
    _RESYNC,
    _GET,
)
LOST: Final = _rule(
    2,
    "row-lost-with-block",
    Severity.ERROR,
    "a row was lost with a damaged table block",
    "Its key lies between the last key before a table block that no longer verifies and the first one after it.",
    "Reading the block's neighbourhood ends with 'Corruption: block checksum mismatch'.",
    _RESYNC,
    _GET,
)
DERIVED_MISSING: Final = _rule(
    3,
    "derived-row-missing",
    Severity.WARNING,
    "a row that follows from other rows is not there",
    "Reverse maps and indexes say again what other rows say: height and hash, root and height, id and transition.",
    "Missing block hash for block {h}, or a lookup that finds nothing.",
    "inspector repair writes the row again from the rows that it follows from.",
    _GET,
)
DERIVED_WRONG: Final = _rule(
    4,
    "derived-row-wrong",
    Severity.WARNING,
    "a row contradicts the rows that it follows from",
    "A reverse map or an index points somewhere else than the rows it was made from, as after an older write.",
    "Blocks or transactions are found under the wrong height or not at all.",
    "inspector repair overwrites the row with what follows from the others.",
    _GET,
)
ORPHAN: Final = _rule(
    5,
    "orphan-row",
    Severity.WARNING,
    "a row belongs to no block",
    "No block that can be read claims it: what is left of a block whose other rows were not written.",
    "Inserting the block again may fail because the id exists already.",
    "inspector repair deletes such rows when nothing else of the ledger is lost.",
    "snarkVM pull request 1762: each map once wrote its own batch",
)
UNFINALISED: Final = _rule(
    6,
    "tip-not-finalised",
    Severity.WARNING,
    "the last block is stored but was never finalised",
    "The block store has one block more than the committee store: the process ended between the two batches.",
    "Next height must be sequential; Previous block hash is incorrect in block {h+1}.",
    "inspector repair removes this one block; the node fetches it again.",
    "snarkVM issue 2218, pull request 2296 (synthesizer/src/vm/mod.rs)",
)
PARTIAL_TIP: Final = _rule(
    7,
    "tip-partly-written",
    Severity.WARNING,
    "the last block is only partly written",
    "Some maps have rows of a block after the last finalised one, others have not.",
    f"{_CLEAN}; Missing block header, transactions ... for block {{h}}.",
    "inspector repair removes what is there of this block; the node fetches it again.",
    "snarkVM pull request 1762 (one batch for all maps), issue 2218",
)
HEIGHT_GAP: Final = _rule(
    8,
    "heights-missing",
    Severity.ERROR,
    "no map has any row for these heights",
    "Heights run from 0 to the tip without a gap; here nothing is left of a whole range.",
    "Missing block hash for block {h} when the store opens.",
    _RESYNC,
    _GET,
)
CHAIN: Final = _rule(
    9,
    "state-root-chain-broken",
    Severity.ERROR,
    "the header's previous state root is not the root of the block before",
    "The state root stored for height h-1 and the one in the header of block h must be the same 32 bytes.",
    "The block fails verification when it is served to peers; the node itself seldom notices.",
    _RESYNC,
    "snarkVM ledger/block/src/verify.rs",
)
HEADER: Final = _rule(
    10,
    "header-contradicts-chain",
    Severity.ERROR,
    "a header's height, network, round or timestamp does not fit its place",
    "The height is the map's, the network the key's, rounds rise and timestamps never fall.",
    "The block fails verification.",
    _RESYNC,
    "snarkVM ledger/block/src/verify.rs",
)
MALFORMED: Final = _rule(
    11,
    "value-malformed",
    Severity.ERROR,
    "a key or value is not what its map holds",
    "Too short, too long, a count that does not fit the bytes, or a number that is no field element.",
    "The row fails to deserialize; most lookups answer with an error, some iterators skip it.",
    _RESYNC,
    "snarkVM store/src/helpers/rocksdb/internal/map.rs",
)
UNKNOWN_MAP: Final = _rule(
    12,
    "unknown-map",
    Severity.NOTE,
    "a map of a newer snarkVM; its rows are carried untouched",
    "Map numbers are append-only. Numbers above 62 mean different things in different branches.",
    "The release that wrote it reads it.",
    "Nothing to do. What is in it is not checked.",
    "snarkVM store/src/helpers/rocksdb/internal/id.rs",
)
MIXED: Final = _rule(
    13,
    "mixed-networks",
    Severity.NOTE,
    "the store holds rows of more than one network",
    "Keys begin with the network id; a ledger has one.",
    "A node of one network does not see the other's rows; they cost space and time.",
    "Find out which program wrote them. Only the network with the most rows is checked.",
    "snarkVM store/src/helpers/rocksdb/internal/map.rs",
)
COMMITTEE: Final = _rule(
    14,
    "committee-missing",
    Severity.ERROR,
    "a finalised height has no committee, or one of another round",
    "Finalising a block stores its committee under its height; the committee starts in the block's round.",
    "Current committee not found in committee storage, or verification of later blocks fails.",
    _RESYNC,
    "snarkVM store/src/program/committee.rs",
)
AHEAD: Final = _rule(
    15,
    "finalised-ahead-of-blocks",
    Severity.ERROR,
    "blocks were finalised that the block store does not have",
    "The committee store is ahead: program mappings already contain what the missing blocks did.",
    "Next round N must be greater than current round N; the node cannot go on.",
    "Mappings have no versions, so nothing can roll them back. " + _RESYNC,
    "snarkOS issues 2974 and 3133",
)
BLOCK_TREE: Final = _rule(
    16,
    "block-tree-stale",
    Severity.WARNING,
    "the block_tree cache is of another height than the ledger",
    "The node caches its Merkle tree of block hashes in a file beside the tables and compares it on start.",
    "The stored height is different than the one in the block tree ... delete the 'block_tree' file",
    "Delete block_tree; the node builds it again. inspector repair leaves it out.",
    "snarkOS issue 4227",
)
TORN: Final = _rule(
    17,
    "wal-cut-at-block",
    Severity.NOTE,
    "the WAL ends early; the ledger before it is whole",
    "A block is one WAL record since snarkVM pull request 2296, so a cut WAL ends between two blocks.",
    "Loads; the engine drops everything from the damaged record on and the node fetches those blocks again.",
    "Nothing to do after power loss. inspector repair writes the WAL without its damaged end.",
    "snarkVM synthesizer/src/vm/mod.rs",
)
WAL_HOLE: Final = _rule(
    18,
    "wal-damaged-before-its-end",
    Severity.WARNING,
    "a WAL record is damaged and blocks stand behind it",
    "Blocks behind the damaged record can be read, but their predecessor is gone and mappings skip its changes.",
    "The engine silently drops everything from the damaged record on; the node fetches those blocks again.",
    "inspector repair cuts the WAL at the damaged record, as the engine would.",
    "rocksdb db/db_impl/db_impl_open.cc (point-in-time recovery)",
)
MAPPINGS: Final = _rule(
    19,
    "mapping-values-lost",
    Severity.ERROR,
    "rows that no block repeats may be lost with a damaged table block",
    "Map 59 holds only the current value of each mapping key; no block says what it was. Newer maps are not judged.",
    "Transactions that read the value are judged differently than on other nodes: the ledger forks or halts.",
    "Mappings cannot be rebuilt from this ledger. " + _RESYNC,
    "snarkVM store/src/program/finalize.rs",
)
ARCHIVE: Final = _rule(
    20,
    "archive",
    Severity.NOTE,
    "an archive of whole blocks, not a ledger that a node can run on",
    "inspector wrote it with --archive: blocks and transactions without program mappings.",
    "Do not start a node on it.",
    "Read blocks from it, or feed them to a clean node.",
    "",
)
CURRENT_ROUND: Final = _rule(
    21,
    "current-round-wrong",
    Severity.ERROR,
    "the current round is missing or not that of the last finalised block",
    "Finalising a block stores its round as the current one; the node finds its height through it.",
    "Current round not found in committee storage; Next round N must be greater than current round N.",
    "inspector repair writes it again when the last finalised block is whole.",
    "snarkVM store/src/program/committee.rs",
)

RULES: Final = (
    MISSING,
    LOST,
    DERIVED_MISSING,
    DERIVED_WRONG,
    ORPHAN,
    UNFINALISED,
    PARTIAL_TIP,
    HEIGHT_GAP,
    CHAIN,
    HEADER,
    MALFORMED,
    UNKNOWN_MAP,
    MIXED,
    COMMITTEE,
    AHEAD,
    BLOCK_TREE,
    TORN,
    WAL_HOLE,
    MAPPINGS,
    ARCHIVE,
    CURRENT_ROUND,
)
