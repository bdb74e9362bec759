"""Store versions, the releases that write and read them, and what flag bits mean in each.

Source: gossipd/gossip_store.c and common/gossip_store.h of Core Lightning at each release tag.
"""

from __future__ import annotations

import re

from msgspec import Struct

from inspector.errors import UsageError
from inspector.format import Wishes

NEWEST = 16
OLDEST_JUDGED = 7  # versions 2-6 used a checksum that was not CRC-32C (fixed with the bump to 7)
OLDEST = 2

DELETED, PUSH, RATELIMIT_OR_COMPLETED, ZOMBIE, DYING = 0x8000, 0x4000, 0x2000, 0x1000, 0x0800
COMPLETED = RATELIMIT_OR_COMPLETED
UNKNOWN_BITS = 0x07FF

# store version -> (first release, last release); development versions have none
WRITTEN_BY: dict[int, tuple[str, str]] = {
    2: ("v0.6", "v0.6.1"),
    3: ("v0.6.2", "v0.7.0"),
    7: ("v0.7.1", "v0.8.2.1"),
    8: ("v0.9.0", "v0.9.1"),
    9: ("v0.9.2", "v0.11.2"),
    10: ("v0.12.0", "v0.12.1"),
    11: ("v22.11", "v22.11.1"),
    12: ("v23.02", "v23.11.2"),
    14: ("v24.02", "v25.09"),
    15: ("v25.09.1", "v25.12.1"),
    16: ("v26.04", "v26.06.6"),
}

# releases from which a table of readable store versions holds (can_upgrade), newest first
_READS: tuple[tuple[str, frozenset[int]], ...] = (
    ("v26.04", frozenset(range(9, 17))),
    ("v25.09.1", frozenset(range(9, 16))),
    ("v24.02", frozenset(range(9, 15))),
    ("v23.08", frozenset({9, 10, 11, 12})),
    ("v23.02", frozenset({9, 10, 12})),  # 11 was forgotten; fixed in v23.08
    ("v22.11", frozenset({9, 10, 11})),
    ("v0.12.0", frozenset({7, 8, 9, 10})),
    ("v0.9.2", frozenset({7, 8, 9})),
    ("v0.9.0", frozenset({7, 8})),
    ("v0.7.1", frozenset({7})),
    ("v0.6.2", frozenset({3})),
    ("v0.6", frozenset({2})),
)


class Release(Struct, frozen=True, order=True):
    """A Core Lightning release, ordered as they came out."""

    number: tuple[int, ...]

    def __str__(self) -> str:
        parts = [str(n) for n in self.number]
        if self.number[0] >= 22:  # calendar versions write the month with two digits
            parts[1] = f"{self.number[1]:02}"
        return "v" + ".".join(parts)


def release(text: str) -> Release:
    """`v24.11.1`, `24.11`, `v0.10.0`, `v24.02rc1` -> Release; raises UsageError."""
    match = re.fullmatch(r"v?(\d{1,3}(?:\.\d{1,3}){1,3})(?:rc\d+|-.*)?", text.strip())
    if not match:
        raise UsageError(f"{text!r} is not a Core Lightning release", "give it as in: --for v24.11.1")
    number = tuple(int(part) for part in match[1].split("."))
    if number < (0, 6):
        raise UsageError(f"{text}: releases before v0.6 had no store that can be judged")
    return Release(number)


def written_by(version: int) -> str:
    """In words, which releases write this store version."""
    pair = WRITTEN_BY.get(version)
    if pair is None:
        return "a development version" if OLDEST <= version <= NEWEST else "no known release"
    first, last = pair
    return f"Core Lightning {first} and later" if version == NEWEST else f"Core Lightning {first} to {last}"


def store_version(of: Release) -> int:
    """The store version that a release writes."""
    return max((v for v, (first, _) in WRITTEN_BY.items() if release(first) <= of), default=OLDEST)


def readable(of: Release) -> frozenset[int]:
    """The store versions that a release loads or upgrades; any other is moved to .corrupt."""
    return next((versions for first, versions in _READS if release(first) <= of), frozenset())


def default_release(version: int) -> Release:
    """The last release that wrote this version: whom the findings are judged for unless --for says otherwise."""
    known = [v for v in WRITTEN_BY if v <= version] or [min(WRITTEN_BY)]
    return release(WRITTEN_BY[max(known)][1])


def judged_for(version: int, wishes: Wishes) -> Release:
    """The release that findings are judged for: --for, or the last one that wrote this version."""
    return release(wishes.release) if wishes.release else default_release(version)


def has_completed(version: int) -> bool:
    return version >= 15


def needs_uuid(version: int) -> bool:
    return version >= 16


def header_size(version: int) -> int:
    """Bytes before the body: flags and timestamp came during version 5."""
    return 12 if version >= 5 else 8


def flag_names(flags: int, version: int) -> list[str]:
    """The names that CLN of this store version gives the bits; unknown bits by number."""
    names = []
    if flags & DELETED:
        names.append("DELETED")
    if flags & PUSH:
        names.append("PUSH")
    if flags & 0x2000:
        names.append("COMPLETED" if version >= 15 else "RATELIMIT" if 10 <= version <= 13 else "0x2000")
    if flags & ZOMBIE:
        names.append("ZOMBIE" if version in (12, 13) else "0x1000")
    if flags & DYING:
        names.append("DYING" if version >= 12 else "0x0800")
    if flags & UNKNOWN_BITS:
        names.append(f"0x{flags & UNKNOWN_BITS:04x}")
    return names


def unknown_bits(version: int) -> int:
    """Bits that no release writing this version ever set (a stale PUSH or RATELIMIT after an upgrade is legal)."""
    known = DELETED | PUSH
    if version >= 10:
        known |= 0x2000
    if version in (12, 13):
        known |= ZOMBIE
    if version >= 12:
        known |= DYING
    return 0xFFFF & ~known


def flags_say_nothing(flags: int, version: int) -> bool:
    """Whether two bits or more are as no release leaves them: then DELETED is damage, too, as likely as not."""
    wrong = flags & unknown_bits(version)
    if has_completed(version):
        wrong |= ~flags & COMPLETED
    return wrong.bit_count() >= 2
