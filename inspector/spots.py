"""Whether a followed file is still the one that was read: small pieces of it, remembered and compared.

A log that is copied and truncated, or a store that is written anew under its old name, can be as long as before at the
next look. Damage and flags change a few places; another content changes nearly all of them.
"""

from __future__ import annotations

import hashlib

from inspector.source import Source

SPOTS = 32
LENGTH = 32  # bytes of one


class Spots:
    """Pieces of what was verified, by offset."""

    def __init__(self) -> None:
        self._seen: dict[int, bytes] = {}
        self._end = 0

    def take(self, source: Source, at: int) -> None:
        """Remember pieces of [where the last call ended, at); every second one goes where they are too many."""
        room = at - self._end
        if room < LENGTH:
            return
        step = max(LENGTH, room // (SPOTS // 4))
        for start in range(self._end, at - LENGTH + 1, step):
            self._seen[start] = source.read(start, LENGTH)
        self._end = at
        while len(self._seen) > SPOTS:
            self._seen = dict(list(self._seen.items())[::2])

    def another(self, source: Source) -> bool:
        """Whether three quarters of the pieces are others now; a few that changed are taken as they are."""
        now = {start: source.read(start, LENGTH) for start in self._seen}
        differ = sum(now[start] != seen for start, seen in self._seen.items())
        if source.unreadable or 4 * differ > 3 * len(now):
            return not source.unreadable
        self._seen = now  # else the flags of months would add up
        return False

    def clear(self) -> None:
        self._seen.clear()
        self._end = 0


def mark(source: Source, at: int) -> str:
    """A name for the part of a file before `at`, out of bytes that no flag changes."""
    data = source.read(0, 1) + source.read(13, 34) + source.read(max(0, at - 8), min(8, at))
    return hashlib.sha256(data).hexdigest()
