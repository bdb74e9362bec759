"""Properties of records that verify but will trouble a reader: too short, unknown, flagged strangely."""

from __future__ import annotations

from array import array

from inspector import kernels
from inspector.formats.gossip_store import versions

SHORT, UNKNOWN_TYPE, UNKNOWN_FLAGS = kernels.SHORT, kernels.UNKNOWN_TYPE, kernels.UNKNOWN_FLAGS
INCOMPLETE, BAD_ALIAS, SPECIAL = kernels.INCOMPLETE, kernels.BAD_ALIAS, kernels.SPECIAL


def oddities(batch: kernels.Batch, window: bytes, at: int, version: int) -> array[int]:
    """One byte of bits per tile; only tiles that verify are judged. `at` is the file offset of `window`."""
    return kernels.oddities(
        batch,
        window,
        at,
        versions.unknown_bits(version),
        versions.COMPLETED if versions.has_completed(version) else 0,
        130 if version <= 10 else 138,  # htlc_maximum_msat became mandatory with version 11
        42 if version >= 16 else 10,  # version 16 adds the uuid to `ended`
    )
