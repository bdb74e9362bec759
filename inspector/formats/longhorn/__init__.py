"""Longhorn's v2 replicas on an SPDK blobstore: lvols that their names make into heads and snapshots.

A replica is found by its head (`<volume>-r-<8 characters>`); snapshots are `<replica>-snap-<name>`. The running
engine keeps a map and a chain of them in memory; `--against` holds that memory against the disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from inspector.catalogue import LaterMapping
from inspector.errors import RefusedError
from inspector.finding import Severity, Tally
from inspector.format import Extent, Format, Item, Plan, Wishes
from inspector.formats.longhorn.answer import answer
from inspector.formats.longhorn.check import check
from inspector.formats.longhorn.private import PRIVATE
from inspector.formats.longhorn.rules import RULES, STANDING
from inspector.formats.longhorn.state import State, claim, open_replicas
from inspector.formats.spdk_blobstore import FORMAT as STORE
from inspector.formats.spdk_blobstore.content import extents as store_extents
from inspector.formats.spdk_blobstore.items import after as store_after
from inspector.formats.spdk_blobstore.items import items as store_items
from inspector.formats.spdk_blobstore.plan import damaged
from inspector.formats.spdk_blobstore.plan import plan as store_plan


def items(state: State) -> Iterator[Item]:
    """The store's items, each with its part in a replica."""
    by_id = {f"0x{blob:x}": what for blob, what in state.named.items()}
    for item in store_items(state.lower):
        what = by_id.get(str(item.fields.get("blob")))
        if what is None or what.role == "other" or item.kind == "lost":
            yield item
        else:
            yield replace(item, kind=what.role, fields={**item.fields, "replica": what.replica})


def extents(state: State, item: str) -> Iterator[Extent]:
    return store_extents(state.lower, item)


def after(state: State, item: Item, output: str) -> tuple[str, ...]:
    return store_after(state.lower, item, output)


def plan(state: State, wishes: Wishes) -> Plan:
    """The store's own plan; raises RefusedError where the disk is whole and only a replica is odd."""
    tally = Tally(2)
    check(state, (), tally)
    if tally.total and not damaged(state.lower):
        standing = sorted(code for code, level in tally.counts if level is not Severity.NOTE)
        if standing:
            raise RefusedError(
                f"the disk itself is whole, and no repair takes {', '.join(standing)} away",
                f"inspector explain {standing[0]} tells what to do",
            )
    return store_plan(state.lower, wishes)


FORMAT = Format(
    name="longhorn",
    title="Longhorn v2 replicas",
    kinds={},
    rules=RULES,
    layouts=(),
    claim=claim,
    open=open_replicas,
    check=check,
    answer=answer,
    on=STORE.name,
    items=items,
    extents=extents,
    after=after,
    plan=plan,
    wishes=frozenset({"against"}),
    standing=STANDING,
    schema=LaterMapping("inspector.formats.longhorn.answer", "SCHEMA"),
    private=PRIVATE,
)
