"""Writing another store version than the one read, as CLN's own upgrade does (gossip_store.c:94-190)."""

from __future__ import annotations

import hashlib

from inspector import crc32c
from inspector.errors import RefusedError, UsageError
from inspector.format import Wishes
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import SEALED_HEADER, kind_name
from inspector.formats.gossip_store.walk import Store

TARGETS = (14, 15, 16)
PRIVATE = frozenset({3503, 4102, 4104})
OLD_UPDATE = 142  # bytes of a record that holds a channel_update without htlc_maximum_msat


def target_version(store: Store, wishes: Wishes) -> int:
    """The store version to write; raises UsageError or RefusedError for one that cannot be written."""
    target = wishes.to_version
    if target is None and wishes.release:
        by = versions.release(wishes.release)
        target = versions.store_version(by)
        if target not in TARGETS and store.version in versions.readable(by):
            target = store.version  # that release upgrades it by itself
    if target is None or target == store.version:
        return store.version
    if target not in TARGETS:
        raise UsageError(f"store version {target} cannot be written", "--to-version takes 14, 15 or 16")
    if store.version < 9:
        raise RefusedError(
            f"CLN never upgraded store version {store.version} to {target}", "repair it in its own version instead"
        )
    return target


def flag_rewrite(version: int, target: int) -> tuple[int, int] | None:
    """(mask to keep, bits to set) when conversion crosses the version that brought COMPLETED."""
    before, after = versions.has_completed(version), versions.has_completed(target)
    if before == after:
        return None
    return (0xFFFF, versions.COMPLETED) if after else (0xFFFF & ~versions.COMPLETED, 0)


def not_converted(version: int, target: int, kind: int, flags: int, length: int) -> str:
    """Why a live record is left out on the way to `target`, or "" if it comes along; length with header."""
    if kind in PRIVATE and version <= 12 < target:
        return f"{kind_name(kind)}: later versions keep private channels in the wallet's database"
    if flags & versions.ZOMBIE and version in (12, 13):
        return f"{kind_name(kind)} flagged ZOMBIE: an upgrade drops it"
    if kind == 258 and version <= 10 and length == OLD_UPDATE:
        return "channel_update without htlc_maximum_msat: an upgrade drops it"
    return ""


def uuid_record(store: Store) -> bytes:
    """A uuid record derived from the source's size and first MiB, so that the same input gives the same output."""
    digest = hashlib.sha256(b"store-inspector uuid\0" + store.size.to_bytes(8, "big"))
    digest.update(store.source.read(0, 1 << 20))
    body = (4107).to_bytes(2, "big") + digest.digest()
    header: bytes = SEALED_HEADER.pack(versions.COMPLETED, len(body), crc32c.crc32c(body, 0), 0)
    return header + body
