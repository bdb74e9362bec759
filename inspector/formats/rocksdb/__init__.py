"""RocksDB and LevelDB databases: a folder of immutable tables, write-ahead logs and a MANIFEST, or one file of it.

Tables hold sorted entries in blocks, each with a checksum; an index at the end says where they lie. WALs and the
MANIFEST share one log format. CURRENT names the MANIFEST, whose edits say which tables of which level are live.

Reading order: coding, checksums, codecs, keys; log and logical, batch, edit, version; footer, block, properties,
table, opening with index, carve (ends) and patch; blob; database and view (merge): what a reader of the database would
see. Then walk with runs, check with whole, loader, words; mending with judges and correction undoes flipped bits; plan
with rewrite, rewal, reblob, levels; witness asks the engine. For capsules holding, for excerpts shrink with
shrink_table and shrink_log, and disguise.

A format that stands on this one iterates `view.live_view(state, family)`: keys, values and the span of each.
"""

from __future__ import annotations

from inspector.catalogue import LaterMapping, LaterSequence, later
from inspector.format import Format, Traits
from inspector.formats.rocksdb.claim import claim
from inspector.formats.rocksdb.kinds import DAMAGED, KINDS
from inspector.formats.rocksdb.private import PRIVATE
from inspector.formats.rocksdb.rules import RULES


def _traits() -> Traits:
    from inspector.formats.rocksdb.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="rocksdb",
    title="RocksDB and LevelDB databases, and their tables, WALs, MANIFESTs and blob files",
    kinds=KINDS,
    rules=RULES,
    layouts=LaterSequence("inspector.formats.rocksdb.layout", "LAYOUTS"),
    claim=claim,
    open=later("inspector.formats.rocksdb.claim", "open_store"),
    walk=later("inspector.formats.rocksdb.walk", "walk"),
    check=later("inspector.formats.rocksdb.check", "check"),
    answer=later("inspector.formats.rocksdb.words", "answer"),
    damaged=DAMAGED,
    records=later("inspector.formats.rocksdb.records", "records"),
    lines=later("inspector.formats.rocksdb.lines", "lines"),
    show=later("inspector.formats.rocksdb.records", "show"),
    items=later("inspector.formats.rocksdb.items", "items"),
    extents=later("inspector.formats.rocksdb.items", "extents"),
    addresses=True,
    plan=later("inspector.formats.rocksdb.plan", "plan"),
    excerpts=later("inspector.formats.rocksdb.shrink", "excerpts"),
    disguised=later("inspector.formats.rocksdb.disguise", "disguised"),
    identities=later("inspector.formats.rocksdb.identities", "identities"),
    busy=later("inspector.formats.rocksdb.claim", "busy"),
    engine=later("inspector.formats.rocksdb.witness", "witness"),
    filters=frozenset({"kinds", "damaged", "deleted", "start", "end", "member", "text", "value_limit"}),
    wishes=frozenset({"accept", "jobs", "max_unit", "no_correct"}),
    standing=frozenset({"RDB035"}),
    named=True,
    names=("*.sst", "*.ldb", "MANIFEST-*"),
    follow=later("inspector.formats.rocksdb.follow", "follow"),
    schema=LaterMapping("inspector.formats.rocksdb.words", "SCHEMA"),
    private=PRIVATE,
    traits=_traits,
)
