"""SPDK blobstore: super block, three masks, metadata pages of 4096 bytes with a CRC-32C, then clusters of data.

A volume (blob) is a root page at the index its id names, continuation pages linked by `next`, and extent pages
with 512 clusters each. Snapshots are volumes that others name as parent. Nothing but metadata has a checksum.

Reading order: layout, page, superblock, region (the scan), blobs (chains), store and assemble (who owns what),
clustermap (content), crash, recover, then state, walk, check, loader, items, content, plan, merging, identities.
"""

from inspector.catalogue import LaterMapping, LaterSequence, later
from inspector.format import Format, Traits
from inspector.formats.spdk_blobstore.blob_rules import RULES
from inspector.formats.spdk_blobstore.private import PRIVATE
from inspector.formats.spdk_blobstore.state import State, begins, claim
from inspector.formats.spdk_blobstore.walk import DAMAGED, KINDS


def _traits() -> Traits:
    from inspector.formats.spdk_blobstore.units import TRAITS

    return TRAITS


FORMAT = Format(
    name="spdk-blobstore",
    title="SPDK blobstore or lvolstore (image or block device)",
    kinds=KINDS,
    rules=RULES,
    layouts=LaterSequence("inspector.formats.spdk_blobstore.layout", "LAYOUTS"),
    claim=claim,
    begins=begins,
    open=later("inspector.formats.spdk_blobstore.state", "open_store"),
    walk=later("inspector.formats.spdk_blobstore.walk", "walk"),
    check=later("inspector.formats.spdk_blobstore.check", "check"),
    answer=later("inspector.formats.spdk_blobstore.answer", "answer"),
    damaged=DAMAGED,
    records=later("inspector.formats.spdk_blobstore.show", "records"),
    show=later("inspector.formats.spdk_blobstore.show", "show"),
    items=later("inspector.formats.spdk_blobstore.items", "items"),
    extents=later("inspector.formats.spdk_blobstore.content", "extents"),
    after=later("inspector.formats.spdk_blobstore.items", "after"),
    plan=later("inspector.formats.spdk_blobstore.plan", "plan"),
    mask=later("inspector.formats.spdk_blobstore.masking", "mask"),
    merge=later("inspector.formats.spdk_blobstore.merging", "merge"),
    identities=later("inspector.formats.spdk_blobstore.identities", "identities"),
    filters=frozenset({"kinds", "damaged", "start", "end"}),
    wishes=frozenset({"release", "accept", "lost", "checksums", "cluster_size", "no_correct"}),
    schema=LaterMapping("inspector.formats.spdk_blobstore.answer", "SCHEMA"),
    private=PRIVATE,
    traits=_traits,
)

__all__ = ["FORMAT", "State"]
