"""Contradictions between records, kept from the check for the repair plan in bounded memory."""

from __future__ import annotations

import heapq
import tempfile
import weakref
from array import array
from collections.abc import Iterator
from typing import Any

DUPLICATE_ANNOUNCEMENT, ANNOUNCEMENT_WITHOUT_AMOUNT, AMOUNT_WITHOUT_ANNOUNCEMENT, PAIR_FLAG_MISMATCH = 1, 2, 3, 4
UPDATE_UNKNOWN_CHANNEL = 5
OWNERS = 80_000  # that a check holds in memory: the public network has 67,000; facts of others go to files
IN_MEMORY = 1 << 20  # bytes of events before they go to a temporary file
_CHUNK = 3 * 8 * 4096

# event code of kernels.GossipOwners -> rule, message, loader fact it sets
EVENTS: dict[int, tuple[str, str, str]] = {
    1: ("duplicate-announcement", "the channel is announced already at {other}", "duplicate"),
    2: ("announcement-without-amount", "no channel_amount follows", "no_amount"),
    3: ("amount-without-announcement", "no channel_announcement stands before it", ""),
    4: ("pair-flag-mismatch", "DELETED differs between this announcement and its amount at {other}", ""),
    5: ("update-unknown-channel", "no live announcement of its channel stands before it", ""),
    6: ("update-superseded", "another live update of the same direction stands at {other}", ""),
    7: ("node-unknown", "no live channel of this node stands before it", ""),
    8: ("duplicate-node", "another live announcement of the same node stands at {other}", ""),
    9: ("closed-channel-live", "this tombstone closes the channel announced at {other}, which is still live", ""),
}

NAMING = frozenset(code for code, (_, text, _) in EVENTS.items() if "{other}" in text)  # those with another record
LACKING = frozenset({3, 5, 7})  # a record that belongs to one before it, which is not there


class EventLog:
    """(offset, code, other) of everything a repair acts on, read back in the order of offsets."""

    def __init__(self) -> None:
        # events met while walking are in order; those that only the end told are in order among themselves
        self._parts = [tempfile.SpooledTemporaryFile(IN_MEMORY), tempfile.SpooledTemporaryFile(IN_MEMORY)]  # noqa: SIM115
        for part in self._parts:  # they go when the store's facts go, which have no end of their own
            weakref.finalize(self, part.close)

    def add(self, events: Any, late: bool = False) -> None:
        wanted = array("Q")
        for k in range(0, len(events), 3):
            if events[k + 1] <= PAIR_FLAG_MISMATCH:
                wanted.extend(events[k : k + 3])
        if wanted:
            self._parts[late].write(wanted.tobytes())

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return heapq.merge(*(self._read(part) for part in self._parts))

    @staticmethod
    def _read(part: Any) -> Iterator[tuple[int, int, int]]:
        at = 0
        while True:
            part.seek(at)
            data = array("Q")
            data.frombytes(part.read(_CHUNK))
            if not data:
                return
            at += len(data) * 8
            for k in range(0, len(data), 3):
                yield data[k], data[k + 1], data[k + 2]
