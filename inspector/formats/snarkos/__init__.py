"""A snarkVM ledger inside a RocksDB database: 60 maps (and newer ones) in one key space.

A key is network u16, map u16 and the map's own key; a block is some 75 rows in 30 maps. Since 2024 a block is one
write batch; before, a process that ended between two batches left the last block half written.

Blocks without transactions are extracted as CDN files; for the others see `blocks`.

Reading order: reading, names, values, authority, maps (what rows hold); rows, network, takes, reader (one pass);
judge, doubts, not_named, check_hashes, check_heights, check_transactions (the joins);
block_tree, ledger, verdict (what it adds up to);
loader, words, records, items, blocks, compare; fixes, plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from inspector.catalogue import LaterMapping, LaterSequence, later
from inspector.finding import Tally
from inspector.format import Claim, Format, State, Stretch
from inspector.formats.rocksdb.claim import busy
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.private import FILES
from inspector.formats.snarkos.rules import RULES
from inspector.private import Private
from inspector.source import Source

if TYPE_CHECKING:
    from inspector.formats.snarkos.ledger import Ledger


def claim(source: Source, lower: State | None) -> Claim:
    """A single file is told from a ledger without a look at the keys, and without what reads them."""
    if not isinstance(lower, Database) or lower.single:
        return Claim(0, "a ledger is a RocksDB folder")
    from inspector.formats.snarkos import ledger

    return ledger.claim(lower)


def check(ledger: Ledger, stretches: Iterable[Stretch], tally: Tally) -> None:
    """The lower format has walked the bytes; here its live rows are judged, as they are where its damage is undone."""
    from inspector.formats.snarkos.ledger import corrected
    from inspector.formats.snarkos.verdict import judge_ledger

    seen = corrected(ledger, ledger.wishes, repair=False)
    judge_ledger(seen, tally)
    ledger.verdict, ledger.cut, ledger.doubts = seen.verdict, seen.cut, seen.doubts


FORMAT = Format(
    name="snarkos",
    title="snarkOS ledgers (snarkVM's RocksDB store)",
    kinds={},
    rules=RULES,
    layouts=LaterSequence("inspector.formats.snarkos.layout", "LAYOUTS"),
    claim=claim,
    open=later("inspector.formats.snarkos.ledger", "open_ledger"),
    check=check,
    answer=later("inspector.formats.snarkos.words", "answer"),
    on="rocksdb",
    records=later("inspector.formats.snarkos.records", "records"),
    items=later("inspector.formats.snarkos.items", "items"),
    item=later("inspector.formats.snarkos.items", "item"),
    extents=later("inspector.formats.snarkos.blocks", "extents"),
    addresses=True,
    plan=later("inspector.formats.snarkos.plan", "plan"),
    busy=busy,
    filters=frozenset({"kinds", "damaged", "start", "end", "member", "value_limit"}),
    wishes=frozenset({"archive", "max_unit"}),
    together=later("inspector.formats.snarkos.compare", "together"),
    schema=LaterMapping("inspector.formats.snarkos.words", "SCHEMA"),
    private=Private(files=(*FILES, "block_tree*", "ARCHIVE-NOT-A-LEDGER.txt")),  # the chain is public
)
