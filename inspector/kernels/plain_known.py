"""Where a store's sound records stand, by owner, in plain Python: the twin of `_gossip_known`.

Of a channel the last announcement (a private one only where there is no other), the last four updates and whether a
tombstone closes it; of a node the last announcement. Once as many owners are known as the limit allows, new ones are
not remembered.
"""

from typing import Final

from inspector.kernels.gossip_tiles import OK, Batch
from inspector.kernels.plain_structure import ANNOUNCEMENT, DELETE, NODE, PRIVATE_CHANNEL, UPDATE

_UPDATES: Final = 4


class GossipKnown:
    """Offsets of sound announcements, updates and tombstones by their owner; at most `limit` owners of each."""

    def __init__(self, limit: int = 1 << 17, first: int = 32) -> None:
        self.first: list[int] = []  # offsets of the first signed messages
        self._limit, self._wanted = limit, first
        self._order: dict[int, None] = {}  # channels in the order of their first record
        self._announced: dict[int, int] = {}
        self._updated: dict[int, list[int]] = {}
        self._closed: set[int] = set()
        self._nodes: dict[int, int] = {}

    def feed(self, batch: Batch) -> list[int]:
        """Take in one batch; the numbers of its tiles that are marked."""
        marked = []
        for i, (kind, mark) in enumerate(zip(batch.kinds, batch.marks, strict=True)):
            if mark != OK:
                marked.append(i)
            elif kind in (ANNOUNCEMENT, UPDATE, NODE, DELETE, PRIVATE_CHANNEL):
                self._fact(kind, batch.nodes_a[i] if kind == NODE else batch.owners[i], batch.starts[i])
                if kind in (ANNOUNCEMENT, UPDATE, NODE) and len(self.first) < self._wanted:
                    self.first.append(batch.starts[i])
        return marked

    def _fact(self, kind: int, owner: int, at: int) -> None:
        if kind == NODE:
            if owner in self._nodes or len(self._nodes) < self._limit:
                self._nodes[owner] = at
            return
        named = kind in (ANNOUNCEMENT, PRIVATE_CHANNEL)
        table = self._announced if named else self._updated if kind == UPDATE else self._closed
        if len(table) >= self._limit if owner not in table else kind == PRIVATE_CHANNEL:
            return
        self._order[owner] = None
        if named:
            self._announced[owner] = at
        elif kind == UPDATE:
            offsets = self._updated.setdefault(owner, [])
            offsets.append(at)
            del offsets[:-_UPDATES]
        else:
            self._closed.add(owner)

    def announce(self, scid: int, at: int) -> None:
        """Take in one announcement."""
        self._fact(ANNOUNCEMENT, scid, at)

    def announcement(self, scid: int) -> int:
        """Offset of a channel's last sound announcement, -1 where there is none."""
        return self._announced.get(scid, -1)

    def updates(self, scid: int) -> list[int]:
        """Offsets of a channel's last sound updates, the oldest first."""
        return list(self._updated.get(scid, ()))

    def closed(self, scid: int) -> bool:
        """Whether a tombstone closes the channel."""
        return scid in self._closed

    def node(self, folded: int) -> int:
        """Offset of a node's last sound announcement, -1 where there is none."""
        return self._nodes.get(folded, -1)

    def announced(self) -> list[int]:
        """Channels that have an announcement, in the order of their first record."""
        return [scid for scid in self._order if scid in self._announced]

    def unannounced(self) -> list[int]:
        """Channels that have an update and no announcement, in the order of their first record."""
        return [scid for scid in self._order if scid in self._updated and scid not in self._announced]
