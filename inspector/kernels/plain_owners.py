"""Which live records contradict each other, in plain Python: the twin of `_gossip_owners`."""

from array import array
from collections.abc import Iterator
from typing import Final

from inspector.kernels.gossip_tiles import (
    AMOUNT_WITHOUT_ANNOUNCEMENT,
    ANCHORED,
    ANNOUNCEMENT_WITHOUT_AMOUNT,
    CLOSED_CHANNEL_LIVE,
    DELETED,
    DUPLICATE_ANNOUNCEMENT,
    NODE_DUPLICATE,
    NODE_UNKNOWN,
    OK,
    PAIR_FLAG_MISMATCH,
    UPDATE_SUPERSEDED,
    UPDATE_UNKNOWN_CHANNEL,
    Batch,
)
from inspector.kernels.plain_structure import (
    AMOUNT,
    ANNOUNCEMENT,
    DELETE,
    NODE,
    PRIVATE_CHANNEL,
    PRIVATE_UPDATE,
    UPDATE,
)
from inspector.kernels.spill import PARTITIONS, EventRuns, Spill

# The facts that a live record states about one owner; updates are one fact per direction.
_ANNOUNCED: Final = 0
_UPDATED: Final = 1
_DELETED: Final = 3
_NAMED: Final = 4
_NODE: Final = 5


class _Channels:
    """What is live about the channels or nodes that are held in memory, and how many of them there are."""

    def __init__(self, limit: int, spill: Spill, level: int = 0) -> None:
        # owner: its place in the flat columns, which are much smaller than an object for each
        self.channels: dict[int, int] = {}
        self.nodes: dict[int, int] = {}
        # places are one more than the offset, 0 where there is none
        self.channels_at = array("Q")  # announcement, then an update each way
        self.nodes_at = array("Q")  # announcement, then 1 where a channel names the node
        self.limit = limit
        self.spill = spill
        self.level = level  # how often these facts were spilled before: each time other owners share a file
        self.spilled = False
        self.live_channels = 0
        self.live_nodes = 0

    def state(self, owner: int, code: int, offset: int, events: "array[int]") -> None:
        """Takes one fact in and appends what it contradicts."""
        if owner == 0:
            return
        if code >= _NAMED:
            self._node(owner, code, offset, events)
        else:
            self._channel(owner, code, offset, events)

    def _room(self, owner: int, code: int, offset: int) -> bool:
        """Whether a new owner may enter; once the tables are full, every fact of it goes to the files."""
        if len(self.channels) + len(self.nodes) < self.limit:
            return True
        # the product's upper bits, because the lowest of a scid are an output's number
        slot = ((owner + self.level) * 0x9E3779B97F4A7C15 >> 40 + 4 * self.level) % PARTITIONS
        self.spill.add(slot, array("Q", (owner, code, offset)))
        self.spilled = True
        return False

    def _channel(self, owner: int, code: int, offset: int, events: "array[int]") -> None:
        place = self.channels.get(owner)
        if place is None:
            if not self._room(owner, code, offset):
                return
            place = self.channels[owner] = len(self.channels_at)
            self.channels_at.extend((0, 0, 0))
        at = self.channels_at
        announced = at[place]
        if code == _ANNOUNCED:
            if announced:
                events.extend((offset, DUPLICATE_ANNOUNCEMENT, announced - 1))
            else:
                at[place] = offset + 1
                self.live_channels += 1
        elif code == _DELETED:
            if announced:
                events.extend((offset, CLOSED_CHANNEL_LIVE, announced - 1))
                self.live_channels -= 1
            at[place] = at[place + 1] = at[place + 2] = 0
        else:
            if not announced:
                events.extend((offset, UPDATE_UNKNOWN_CHANNEL, 0))
            if at[place + code]:
                events.extend((offset, UPDATE_SUPERSEDED, at[place + code] - 1))
            at[place + code] = offset + 1

    def _node(self, owner: int, code: int, offset: int, events: "array[int]") -> None:
        place = self.nodes.get(owner)
        if place is None:
            if not self._room(owner, code, offset):
                return
            place = self.nodes[owner] = len(self.nodes_at)
            self.nodes_at.extend((0, 0))
        at = self.nodes_at
        if code == _NAMED:
            at[place + 1] = 1
            return
        if not at[place + 1]:
            events.extend((offset, NODE_UNKNOWN, 0))
        if at[place]:
            events.extend((offset, NODE_DUPLICATE, at[place] - 1))
        else:
            self.live_nodes += 1
        at[place] = offset + 1


class GossipOwners:
    """Live records against each other. `limit` owners are held in memory, the others' facts in files in `spill`."""

    def __init__(self, limit: int = 1_000_000, spill: str | None = None) -> None:
        if limit < 1:
            raise ValueError("at least one owner must fit in memory")
        self._limit = limit
        self._folder = spill
        self._spill = Spill(spill)
        self._known = _Channels(limit, self._spill)
        self.channels = 0
        self.nodes = 0
        self.spilled = False

    def feed(self, batch: Batch) -> "array[int]":
        """Flat triples (offset, code, other offset; 0 for the codes that have none), by offset."""
        events: array[int] = array("Q")
        state = self._known.state
        before = 0  # the tile before is an announcement that verifies
        count = len(batch)
        columns = zip(batch.starts, batch.marks, batch.kinds, batch.flags, strict=True)
        for i, (start, mark, kind, flags) in enumerate(columns):
            announced, before = before, 0
            if mark != OK and mark != ANCHORED:
                continue
            live = not flags & DELETED
            if kind == ANNOUNCEMENT:
                before = 1
            elif not live:
                continue
            if kind in (UPDATE, PRIVATE_UPDATE):
                state(batch.owners[i], _UPDATED + (batch.aux[i] & 1), start, events)
            elif kind == ANNOUNCEMENT:
                if live:
                    self._announce(batch, i, events)
                self._pair(batch, i, count, live, events)
            elif kind == AMOUNT:
                if not announced:
                    events.extend((start, AMOUNT_WITHOUT_ANNOUNCEMENT, 0))
            elif kind == NODE:
                state(batch.nodes_a[i], _NODE, start, events)
            elif kind == PRIVATE_CHANNEL:
                self._announce(batch, i, events)
            elif kind == DELETE:
                state(batch.owners[i], _DELETED, start, events)
        self._count()
        return events

    def _announce(self, batch: Batch, i: int, events: "array[int]") -> None:
        self._known.state(batch.owners[i], _ANNOUNCED, batch.starts[i], events)
        self._known.state(batch.nodes_a[i], _NAMED, batch.starts[i], events)
        self._known.state(batch.nodes_b[i], _NAMED, batch.starts[i], events)

    def _pair(self, batch: Batch, i: int, count: int, live: bool, events: "array[int]") -> None:
        after = i + 1
        paired = after < count and batch.kinds[after] == AMOUNT and batch.marks[after] in (OK, ANCHORED)
        if not paired:
            if live:
                events.extend((batch.starts[i], ANNOUNCEMENT_WITHOUT_AMOUNT, 0))
        elif (batch.flags[i] ^ batch.flags[after]) & DELETED:
            events.extend((batch.starts[i], PAIR_FLAG_MISMATCH, batch.starts[after]))

    def _count(self) -> None:
        self.channels = self._known.live_channels
        self.nodes = self._known.live_nodes
        self.spilled = self._known.spilled

    def finish(self) -> "Iterator[array[int]]":
        """The events of owners that were spilled, by offset, in batches. Nothing can be fed afterwards."""
        found = EventRuns()
        waiting = [self._spill.take()]
        while waiting:
            partition = next(waiting[-1], None)
            if partition is None:
                waiting.pop()
                continue
            again, events = Spill(self._folder), array("Q")
            known = self._known = _Channels(self._limit, again, len(waiting))
            for facts in partition:
                for i in range(0, len(facts), 3):
                    known.state(facts[i], facts[i + 1], facts[i + 2], events)
                found.extend(events)
                del events[:]
            self.channels += known.live_channels
            self.nodes += known.live_nodes
            if known.spilled:
                waiting.append(again.take())
        self._known = _Channels(1, self._spill)
        return found.batches()
