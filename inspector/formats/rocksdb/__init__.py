"""RocksDB and LevelDB databases: a folder of immutable tables, write-ahead logs and a MANIFEST, or one file of it.

Tables hold sorted entries in blocks, each with a checksum; an index at the end says where they lie. WALs and the
MANIFEST share one log format. CURRENT names the MANIFEST, whose edits say which tables of which level are live.

Reading order: coding, checksums, codecs, keys; log and logical, batch, edit, version; footer, block, properties,
table, opening with index, carve (ends) and patch; blob; database and view (merge): what a reader of the database would
see. Then walk with runs, check with whole, loader, words; mending with judges and correction undoes flipped bits; plan
with rewrite, rewal, reblob, levels; witness asks the engine.

A format that stands on this one iterates `view.live_view(state, family)`: keys, values and the span of each.
"""

from __future__ import annotations

from inspector.catalogue import later
from inspector.format import Format, Traits
from inspector.formats.rocksdb.check import check
from inspector.formats.rocksdb.claim import busy, claim, open_store
from inspector.formats.rocksdb.follow import follow
from inspector.formats.rocksdb.items import extents, items
from inspector.formats.rocksdb.kinds import DAMAGED, KINDS
from inspector.formats.rocksdb.layout import LAYOUTS
from inspector.formats.rocksdb.plan import plan
from inspector.formats.rocksdb.private import PRIVATE
from inspector.formats.rocksdb.records import records, show
from inspector.formats.rocksdb.rules import RULES
from inspector.formats.rocksdb.walk import walk
from inspector.formats.rocksdb.witness import witness
from inspector.formats.rocksdb.words import SCHEMA, answer


def _traits() -> Traits:
    from inspector.formats.rocksdb.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="rocksdb",
    title="RocksDB and LevelDB databases, and their tables, WALs, MANIFESTs and blob files",
    kinds=KINDS,
    rules=RULES,
    layouts=LAYOUTS,
    claim=claim,
    open=open_store,
    walk=walk,
    check=check,
    answer=answer,
    damaged=DAMAGED,
    records=records,
    show=show,
    items=items,
    extents=extents,
    addresses=True,
    plan=plan,
    identities=later("inspector.formats.rocksdb.identities", "identities"),
    busy=busy,
    engine=witness,
    filters=frozenset({"kinds", "damaged", "deleted", "start", "end", "member", "text", "value_limit"}),
    wishes=frozenset({"accept", "jobs", "max_unit", "no_correct"}),
    standing=frozenset({"RDB035"}),
    names=("*.sst", "*.ldb", "MANIFEST-*"),
    follow=follow,
    schema=SCHEMA,
    private=PRIVATE,
    traits=_traits,
)
