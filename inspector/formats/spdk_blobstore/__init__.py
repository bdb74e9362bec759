"""SPDK blobstore: super block, three masks, metadata pages of 4096 bytes with a CRC-32C, then clusters of data.

A volume (blob) is a root page at the index its id names, continuation pages linked by `next`, and extent pages
with 512 clusters each. Snapshots are volumes that others name as parent. Nothing but metadata has a checksum.

Reading order: layout, page, superblock, region (the scan), blobs (chains), store and assemble (who owns what),
clustermap (content), crash, recover, then state, walk, check, loader, items, content, plan, merging, identities.
"""

from inspector.catalogue import later
from inspector.format import Format, Traits
from inspector.formats.spdk_blobstore.answer import SCHEMA, answer
from inspector.formats.spdk_blobstore.blob_rules import RULES
from inspector.formats.spdk_blobstore.check import check
from inspector.formats.spdk_blobstore.content import extents
from inspector.formats.spdk_blobstore.items import after, items
from inspector.formats.spdk_blobstore.layout import LAYOUTS
from inspector.formats.spdk_blobstore.plan import plan
from inspector.formats.spdk_blobstore.private import PRIVATE
from inspector.formats.spdk_blobstore.show import records, show
from inspector.formats.spdk_blobstore.state import State, claim, open_store
from inspector.formats.spdk_blobstore.walk import DAMAGED, KINDS, walk


def _traits() -> Traits:
    from inspector.formats.spdk_blobstore.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="spdk-blobstore",
    title="SPDK blobstore or lvolstore (image or block device)",
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
    after=after,
    plan=plan,
    merge=later("inspector.formats.spdk_blobstore.merging", "merge"),
    identities=later("inspector.formats.spdk_blobstore.identities", "identities"),
    filters=frozenset({"kinds", "damaged", "start", "end"}),
    wishes=frozenset({"release", "accept", "lost", "checksums", "cluster_size", "no_correct"}),
    schema=SCHEMA,
    private=PRIVATE,
    traits=_traits,
)

__all__ = ["FORMAT", "State"]
