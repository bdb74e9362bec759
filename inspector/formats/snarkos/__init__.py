"""A snarkVM ledger inside a RocksDB database: 60 maps (and newer ones) in one key space.

A key is network u16, map u16 and the map's own key; a block is some 75 rows in 30 maps. Since 2024 a block is one
write batch; before, a process that ended between two batches left the last block half written.

Blocks without transactions are extracted as CDN files; for the others see `blocks`.

Reading order: reading, names, values, authority, maps (what rows hold); rows, network, takes, reader (one pass);
judge, check_hashes, check_heights, check_transactions (the joins); block_tree, ledger, verdict (what it adds up to);
loader, words, records, items, blocks, compare; fixes, plan.
"""

from __future__ import annotations

from collections.abc import Iterable

from inspector.finding import Tally
from inspector.format import Format, Stretch
from inspector.formats.rocksdb.claim import busy
from inspector.formats.rocksdb.private import FILES
from inspector.formats.snarkos.blocks import extents
from inspector.formats.snarkos.compare import together
from inspector.formats.snarkos.items import item, items
from inspector.formats.snarkos.layout import LAYOUTS
from inspector.formats.snarkos.ledger import Ledger, claim, open_ledger
from inspector.formats.snarkos.plan import plan
from inspector.formats.snarkos.records import records
from inspector.formats.snarkos.rules import RULES
from inspector.formats.snarkos.verdict import judge_ledger
from inspector.formats.snarkos.words import SCHEMA, answer
from inspector.private import Private


def check(ledger: Ledger, stretches: Iterable[Stretch], tally: Tally) -> None:
    """The lower format has walked the bytes; here its live rows are judged."""
    judge_ledger(ledger, tally)


FORMAT = Format(
    name="snarkos",
    title="snarkOS ledgers (snarkVM's RocksDB store)",
    kinds={},
    rules=RULES,
    layouts=LAYOUTS,
    claim=claim,
    open=open_ledger,
    check=check,
    answer=answer,
    on="rocksdb",
    records=records,
    items=items,
    item=item,
    extents=extents,
    addresses=True,
    plan=plan,
    busy=busy,
    filters=frozenset({"kinds", "damaged", "start", "end", "member", "value_limit"}),
    wishes=frozenset({"archive", "max_unit"}),
    together=together,
    schema=SCHEMA,
    private=Private(files=(*FILES, "block_tree*", "ARCHIVE-NOT-A-LEDGER.txt")),  # the chain is public
)
