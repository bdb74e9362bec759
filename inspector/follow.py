"""Following a store that grows: what a format gives for it, and what it says about each stretch of bytes.

A follower verifies units as they land, reads nothing twice but what a new unit says has changed, and keeps a bounded
amount of memory. It never decides how long damage has to last to be called damage: `inspector.watch` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct, field

from inspector.source import Source

# sound: verified; unfinished: it reaches the end of the file, more may come; broken: it does not verify, and something
# stands behind it; changed: an older unit was changed in place and verifies; odd: it verifies and will trouble a reader
What = Literal["sound", "unfinished", "broken", "changed", "odd"]


class Landed(Struct, frozen=True):
    """Bytes [start, end) that a follower judged. `counts` says how many units of each kind a sound stretch has."""

    what: What
    start: int
    end: int
    text: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


class Follower(Protocol):
    """State of one growing file. `at`: everything before it was verified or passed over."""

    at: int
    torn_matters: bool  # whether an end that stays unfinished is damage

    judges_all: bool  # whether what it calls sound is what a scan would call clean

    def advance(self, source: Source) -> Iterator[Landed]:
        """What landed since; ends behind the first stretch that is unfinished or broken, and stays before it."""
        ...

    def settled(self) -> bool:
        """Whether every older unit that has to change because of a newer one was seen to have changed."""
        ...

    def skip(self, end: int) -> None:
        """Go on behind damage that lasts."""
        ...

    def heal(self, source: Source, start: int, end: int) -> Mapping[str, int]:
        """Take in what was passed over as damage and is sound now; units by kind."""
        ...

    def revisit(self, source: Source) -> Iterator[Landed]:
        """Older units that newer ones said would change."""
        ...

    def sweep(self, source: Source, room: int) -> Iterator[Landed]:
        """About `room` bytes of what was verified before, read again; goes round and round."""
        ...

    def sweep_done(self) -> bool:
        """Whether the round ended."""
        ...

    def sound(self, source: Source, start: int, end: int) -> bool:
        """Whether [start, end) is made of whole units now."""
        ...

    def save(self) -> dict[str, Any]:
        """What the format's `follow` needs to go on from here, JSON-ready."""
        ...


class AppendOnly:
    """What followers of files share in which nothing changes once it is written: nothing is looked at twice."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        self.at = int(saved["at"]) if saved else 0

    def settled(self) -> bool:
        return True

    def skip(self, end: int) -> None:
        self.at = max(self.at, end)

    def revisit(self, source: Source) -> Iterator[Landed]:
        return iter(())

    def sweep(self, source: Source, room: int) -> Iterator[Landed]:
        return iter(())

    def sweep_done(self) -> bool:
        return True

    def save(self) -> dict[str, Any]:
        return {"at": self.at}


class UnfollowableError(Exception):
    """This file is not one that the follower understands: it has to be scanned whole."""
