"""What the programs of Core Lightning do with a store in a given state: a total function, no prose elsewhere.

Measured with CLN's own code on a 48-row damage matrix (v26.06) and read from the source of each release.
"""

from __future__ import annotations

from typing import TypeGuard

from msgspec import Struct

from inspector.format import Outcome
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.versions import Release, release

V0_10, V22_11, V24_02, V24_05 = (release(r) for r in ("v0.10.0", "v22.11", "v24.02", "v24.05"))
V25_02, V26_04 = (release(r) for r in ("v25.02", "v26.04"))

LOADS = "loads"
CORRUPT = "renames the whole store to gossip_store.corrupt"
PREFIX = "keeps the records before it, drops the rest"
ABORT = "aborts at start, in a loop"
LATER = "accepts it and aborts later"
STOPS = "stops reading there silently"
COPIES = "copies it on"
FAILS = "fails"


class Facts(Struct):
    """What the check saw, as far as it matters to a loader. Offsets are of record headers, None = none."""

    version: int
    version_byte: int | None
    size: int
    displaced: bool = False
    torn: int | None = None  # the last record is cut off
    bad_live: int | None = None  # live record with a wrong checksum, end confirmed
    bad_dead: int | None = None
    broken: int | None = None  # length wrong, zeroes or rubbish: what follows cannot be found by lengths
    past_end: int | None = None  # a length that leads past the end of the file
    zero_tail: int | None = None
    incomplete: int | None = None  # whole record without COMPLETED (15+)
    duplicate: int | None = None
    no_amount: int | None = None
    no_amount_at_end: int | None = None
    amount_deleted: int | None = None  # announcement live, amount deleted
    announcement_deleted: int | None = None
    unknown: int | None = None
    short_dying: int | None = None
    short_at_end: int | None = None
    short: int | None = None
    ended: int | None = None
    second: int | None = None


def outcomes(f: Facts, by: Release) -> tuple[Outcome, ...]:
    """gossipd at start, connectd, the gossmap of plugins, and compactd of this release."""
    name = str(by)
    rows = [("gossipd", *_gossipd(f, by)), ("connectd", *_connectd(f, by))]
    if by >= V0_10:
        rows.append(("gossmap (plugins)", *_gossmap(f, by)))
    if by >= V26_04:
        rows.append(("compactd", *_compactd(f)))
    return tuple(Outcome(program, name, outcome, message) for program, outcome, message in rows)


def _gossipd(f: Facts, by: Release) -> tuple[str, str]:
    if f.version_byte is None:
        return CORRUPT, "Cannot read gossip_store version"
    if f.displaced or f.version_byte not in versions.readable(by):
        return CORRUPT, f"Cannot upgrade gossip_store version {0 if f.displaced else f.version_byte}"
    upgrade = f.version < versions.store_version(by)
    if by >= V26_04:
        return _gossipd_strict(f, upgrade)
    return _gossipd_rewrites(f, by)


def _gossipd_strict(f: Facts, upgrade: bool) -> tuple[str, str]:
    """v26.04 and later: the map must load to the very end, or everything goes."""
    if upgrade and f.torn is not None:
        return CORRUPT, f"gossip_store_compact: store ends early at {f.torn}"
    stop = _first(f.bad_live, f.broken, f.past_end, f.torn, f.zero_tail, f.second, f.incomplete)
    crash = _first(f.ended, f.short_dying)
    if _before(crash, stop):
        return ABORT, "FATAL SIGNAL 11"
    if f.short_at_end is not None and stop is None:
        return ABORT, "map_copy: Assertion `offset + len <= map->map_size' failed"
    if _before(f.unknown, stop):
        return CORRUPT, f"Unknown record at {f.unknown + 12} in gossmap"
    if _before(f.duplicate, stop):
        return CORRUPT, f"gossmap: redundant channel_announce, offset {f.duplicate + 12}"
    if stop is not None:
        if upgrade and f.bad_live == stop:
            return CORRUPT, f"checksum verification failed? (offset {stop})"
        return CORRUPT, f"gossip_store only processed {stop} bytes of {f.size}"
    if f.no_amount_at_end is not None:
        return CORRUPT, f"gossip_store only processed {f.no_amount_at_end} bytes of {f.size}"
    if f.no_amount is not None:
        return LATER, "gossmap_chan_get_capacity (common/gossmap.c:1497)"
    return LOADS, ""


def _gossipd_rewrites(f: Facts, by: Release) -> tuple[str, str]:
    """Before v26.04 every start rewrites the store record by record."""
    bad = _first(f.bad_live, f.bad_dead) if by < V24_02 else f.bad_live
    broken = _first(bad if by >= V22_11 else None, f.broken, f.second, f.zero_tail if by < V24_02 else None)
    torn = _first(f.torn, f.past_end)
    if broken is not None and not _before(torn, broken):  # a length past the end is both, and read as torn
        words = "Checksum verification failed" if by < V24_02 else "checksum verification failed?"
        return CORRUPT, f"gossip_store: {words} (offset {broken})"
    if f.no_amount is not None or f.no_amount_at_end is not None:
        return CORRUPT, "channel_announcement without amount"
    if f.duplicate is not None:
        if by < V24_02:
            return CORRUPT, f"gossip_store channel_announce {f.duplicate} replaces an earlier one"
        if by < V24_05:
            return ABORT, "gossmap.c:464 Assertion `!gossmap_find_chan' failed"
        if by < V25_02:
            return STOPS, f"gossmap: redundant channel_announce, offset {f.duplicate + 12}"
        return CORRUPT, f"gossmap: redundant channel_announce, offset {f.duplicate + 12}"
    if torn is not None:
        if by < V24_02:
            return CORRUPT, "gossip_store: truncated file?"
        return PREFIX, f"gossip_store_compact: store ends early at {torn}"
    if f.zero_tail is not None:
        return PREFIX, f"gossip_store_compact: store ends early at {f.zero_tail}"
    if f.unknown is not None:
        return CORRUPT, f"Unknown record type at {f.unknown}"
    if f.ended is not None or f.short_at_end is not None:
        return ABORT, "map_copy: Assertion `offset + len <= map->map_size' failed" if f.short_at_end is not None else ""
    return LOADS, ""


def _connectd(f: Facts, by: Release) -> tuple[str, str]:
    if by < V0_10:
        return LOADS, ""
    if f.bad_live is not None:
        return (
            "kills the node when it streams this record to a peer",
            f"gossip_store: bad checksum at offset {f.bad_live}",
        )
    stop = _first(f.broken, f.past_end, f.second)
    return (
        ("kills the node or stops streaming there", f"gossip_store: bad checksum at offset {stop}")
        if stop
        else (LOADS, "")
    )


def _gossmap(f: Facts, by: Release) -> tuple[str, str]:
    if f.version_byte is None or f.displaced:
        return "aborts", "Unknown gossip_store version 0" if f.displaced else "cannot read the version byte"
    if f.version_byte & 0xE0:
        return "refuses", f"Unknown gossip_store version {f.version_byte}"
    stop = _first(f.bad_live if by >= V25_02 else None, f.broken, f.past_end, f.incomplete, f.second)
    if _before(f.ended, stop):
        return "crashes", "endless recursion, FATAL SIGNAL 11"
    if f.short_at_end is not None and stop is None:
        return "aborts", "map_copy: Assertion `offset + len <= map->map_size' failed"
    if _before(f.no_amount, stop):
        return "aborts when it asks for a capacity", "gossmap_chan_get_capacity (common/gossmap.c:1497)"
    if stop is not None:
        return STOPS, f"Bad checksum on gossmap record @{stop}/" if stop == f.bad_live else ""
    if f.duplicate is not None and by >= V24_02:
        return "logs it" if by >= V25_02 else STOPS, f"gossmap: redundant channel_announce, offset {f.duplicate + 12}"
    if f.unknown is not None:
        return "logs it", f"Unknown record at {f.unknown + 12} in gossmap: ignoring"
    return LOADS, ""


def _compactd(f: Facts) -> tuple[str, str]:
    if f.version_byte is None or f.displaced:
        return FAILS, "Could not read old gossip_store"
    fails = _first(f.torn, f.past_end, f.zero_tail, f.second)
    stop = _first(f.broken, f.incomplete)
    if _before(stop, fails):
        return STOPS, f"Incomplete gossip_store record at {stop}"
    if fails is not None:
        return FAILS, f"Incomplete gossip_store record at {fails}"
    short = _first(f.short_dying, f.short_at_end, f.short)
    copied = _first(f.bad_live, f.duplicate, f.unknown, f.ended, short, f.no_amount, f.no_amount_at_end)
    if copied is not None:
        return COPIES, "compactd checks no checksum and no structure"
    if f.amount_deleted is not None:
        return "drops the amount and leaves its announcement alone", ""
    if f.announcement_deleted is not None:
        return "drops the announcement and leaves its amount alone", ""
    if f.bad_dead is not None:
        return "drops it", ""
    return LOADS, ""


def _before(one: int | None, other: int | None) -> TypeGuard[int]:
    """Whether the one is there and the other does not come before it."""
    return one is not None and one == _first(one, other)


def _first(*offsets: int | None) -> int | None:
    return min((o for o in offsets if o is not None), default=None)
