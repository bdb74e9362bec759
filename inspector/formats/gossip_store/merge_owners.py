"""Which record of which copy stands for each owner in a merged store.

Copies are fed from the newest to the oldest, so that what a newer one says of an owner is known before an older one
speaks. The newest copy that says anything about a channel's life decides it; an update that a newer copy has deleted
kills every one of its direction that is not newer.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct, field

from inspector.kernels.spill import PARTITIONS, Spill

# facts: the owner, code << CODE | value, place; the value of an update is side << SIDE | time. A place is
# rank << PLACE | offset + 1; 0 is none
PLACE: Final = 48
CODE: Final = 40
SIDE: Final = 32
ASKED: Final = 1 << 17  # damaged records that are remembered until all copies were read
_TIMES: Final = (1 << SIDE) - 1
ANNOUNCED, NODE_A, NODE_B, AMOUNT, DYING, CLOSED, UPDATED, REPLACED, WANTED, WANTED_UPDATE, NAMED = range(11)
# what is said of an announcement
LIVE, PAIRED, AMOUNT_LIVE, PRIVATE, PATCHED = 1, 2, 4, 8, 16

# what one copy says of a channel
_A_LIVE, _A_DEAD, _M_LIVE, _M_DEAD, _U_LIVE, _U_DEAD, _TOMB, _PATCHED, _HURT = (1 << k for k in range(9))
# the columns of a row; those of updates come in pairs, one for each direction
_LIFE, _RANK, _SAID, _PAIR, _DEAD_PAIR, _LONE, _STRAY, _DYING, _TOMBSTONE = range(9)
_UPDATE, _TIME, _KILLED, _NOW_KILLED, _NOW_LIVE, _NODES = range(9, 21, 2)
_WIDTH: Final = 21
_ALIVE, _DEAD = 1, 2


def place_of(rank: int, at: int) -> int:
    """What stands for offset `at` of the copy of this rank in facts."""
    return (rank << PLACE) + at + 1


def where(place: int) -> tuple[int, int]:
    """The rank of the copy and the offset that a place stands for."""
    return place >> PLACE, (place & (1 << PLACE) - 1) - 1


class Channel(Struct, frozen=True):
    """What is to be written of one channel; places, 0 where there is none."""

    scid: int
    alive: bool
    announcement: int
    amount: int  # only where it does not stand right behind the announcement
    updates: tuple[int, int]
    times: tuple[int, int]
    dying: int
    tombstone: int
    without_amount: int  # place of an announcement that cannot be written
    resurrectable: bool  # an older copy has it alive
    dead_by: int  # rank of the copy that says it is dead
    nodes: tuple[int, int]  # of a node: whether a written channel names it, 1 + rank of the newest dead one's judge
    wanted: tuple[tuple[int, int, int], ...] = ()  # code, direction and time, place of damaged records


class Channels(Struct):
    """`limit` owners are held in memory, the facts of others in temporary files, which are worked off at the end."""

    limit: int = 60_000  # the public network has 50,000 channels
    nodes: bool = False  # the owners are nodes, whose only fact is an update of side 0
    whole: set[int] = field(default_factory=set)  # ranks of copies without damage: what is missing there never was
    holed: set[int] = field(default_factory=set)  # ranks of copies of which much at once cannot be read
    asked: int = 0  # damaged records that are looked for
    unasked: int = 0  # and those beyond the limit
    superseded: int = 0  # live updates that a newer one replaces
    dead: int = 0  # live updates that a newer copy has deleted
    _places: dict[int, int] = field(default_factory=dict)
    _rows: array[int] = field(default_factory=lambda: array("Q"))
    _wanted: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    _moved: dict[int, tuple[int, int]] = field(default_factory=dict)
    _spill: Spill = field(default_factory=lambda: Spill(None))
    _spilled: bool = False
    _level: int = 0  # how often what is fed was spilled before: each time other owners share a file

    def state(self, owner: int, code: int, value: int, place: int) -> None:
        """Takes one fact in."""
        at = self._places.get(owner)
        if at is None:
            if len(self._places) >= self.limit:
                self._spilled = True
                slot = hash((owner, self._level)) % PARTITIONS
                self._spill.add(slot, array("Q", (owner, code << CODE | value, place)))
                return
            at = self._places[owner] = len(self._rows)
            self._rows.frombytes(bytes(8 * _WIDTH))
        rows = self._rows
        if code in (NODE_A, NODE_B):
            rows[at + _NODES + (code == NODE_B)] = place
            return
        if code == NAMED:
            if value:
                rows[at + _NODES + 1] = min(value, rows[at + _NODES + 1] or value)
            else:
                rows[at + _NODES] = 1
            return
        if code >= WANTED:
            if self.asked < ASKED:
                self.asked += 1
                self._wanted.setdefault(owner, []).append((code, value, place))
            else:
                self.unasked += 1
            if code == WANTED and not value & LIVE:
                return
        rank = (place >> PLACE) + 1
        if rows[at + _RANK] != rank:
            if rows[at + _RANK]:
                self._next_copy(at)
            rows[at + _RANK] = rank
        if code == UPDATED:
            self._update(owner, at, value, place)
        elif code == REPLACED:
            side, time = value >> SIDE, value & _TIMES
            rows[at + _SAID] |= _U_DEAD
            if time >= rows[at + _NOW_KILLED + side]:
                rows[at + _NOW_KILLED + side] = time + 1
        elif code == ANNOUNCED:
            self._announce(at, value, place)
        elif code == AMOUNT:
            rows[at + _STRAY] = rows[at + _STRAY] or place
        elif code >= WANTED:
            rows[at + _SAID] |= _HURT  # what is not deleted stands here, though it is damaged
        elif code == DYING:
            rows[at + _DYING] = rows[at + _DYING] or place
        else:
            rows[at + _SAID] |= _TOMB
            if value & LIVE:
                rows[at + _TOMBSTONE] = rows[at + _TOMBSTONE] or place

    def feed(self, facts: array[int]) -> None:
        """Facts as they are spilled."""
        for i in range(0, len(facts), 3):
            self.state(facts[i], facts[i + 1] >> CODE, facts[i + 1] & ((1 << CODE) - 1), facts[i + 2])

    def replaced(self, rows: Iterable[tuple[int, int, int]], rank: int) -> None:
        """Many facts of one kind, owner, channel_flags and time: most records of a store are updates that died."""
        places, table, now = self._places, self._rows, rank + 1
        for owner, flags, time in rows:
            at = places.get(owner)
            if at is None or table[at + _RANK] != now:
                self.state(owner, REPLACED, (flags & 1) << SIDE | time, rank << PLACE)
                continue
            table[at + _SAID] |= _U_DEAD
            if time >= table[at + _NOW_KILLED + (flags & 1)]:
                table[at + _NOW_KILLED + (flags & 1)] = time + 1

    def _update(self, owner: int, at: int, value: int, place: int) -> None:
        rows = self._rows
        side, time = value >> SIDE, value & _TIMES
        rows[at + _SAID] |= _U_LIVE
        if time >= rows[at + _NOW_LIVE + side]:
            rows[at + _NOW_LIVE + side] = time + 1
        if time < rows[at + _KILLED + side]:
            if self.nodes:
                self._moved[owner] = max((time, place), self._moved.get(owner, (time, place)))
            self.dead += 1
            return
        held, known = rows[at + _UPDATE + side], rows[at + _TIME + side]
        # within a copy the later of two equals was appended last; between copies the newer one speaks first
        if not held or time > known or (time == known and held >> PLACE == place >> PLACE):
            self.superseded += bool(held) and time != known
            rows[at + _UPDATE + side], rows[at + _TIME + side] = place, time
        else:
            self.superseded += time != known

    def _announce(self, at: int, value: int, place: int) -> None:
        rows = self._rows
        said = rows[at + _SAID]
        if value & PAIRED:
            said |= _M_LIVE if value & AMOUNT_LIVE else _M_DEAD
        whole = value & (PAIRED | PRIVATE)
        if value & LIVE:
            said = said & ~_TOMB | _A_LIVE
            if value & PATCHED:
                said |= _PATCHED
            if whole:
                rows[at + _PAIR] = rows[at + _PAIR] or place
            else:
                rows[at + _LONE] = rows[at + _LONE] or place
        else:
            said |= _A_DEAD
            if whole:
                rows[at + _DEAD_PAIR] = rows[at + _DEAD_PAIR] or place
        rows[at + _SAID] = said

    def _next_copy(self, at: int) -> None:
        """What the copy before said becomes what a newer copy says."""
        rows = self._rows
        rank = rows[at + _RANK] - 1
        # one direction without a live update may have lost it to damage; both at once only where much is lost
        both = bool(rows[at + _NOW_KILLED] and rows[at + _NOW_KILLED + 1])
        sure = rank in self.whole or (both and rank not in self.holed)
        life = _ALIVE if self.nodes else _life(rows[at + _SAID], sure)
        whole = rank in self.whole and life == _ALIVE
        rows[at + _LIFE] = rows[at + _LIFE] or (life and life | rank << 2)
        rows[at + _SAID] = 0
        for side in (0, 1):
            killed = rows[at + _NOW_KILLED + side]
            if whole and killed > rows[at + _NOW_LIVE + side]:
                killed -= 1  # nothing replaced it and its owner lives: its flag is the damage
            rows[at + _KILLED + side] = max(rows[at + _KILLED + side], killed)
            rows[at + _NOW_KILLED + side] = rows[at + _NOW_LIVE + side] = 0

    def finish(self) -> Iterator[Channel]:
        """Every channel once. Nothing can be fed afterwards."""
        waiting = [self._take()]
        while True:
            for owner, at in self._places.items():
                if self._rows[at + _RANK]:
                    self._next_copy(at)
                yield self._channel(owner, at)
            partition = None
            while waiting and partition is None:
                partition = next(waiting[-1], None)
                if partition is None:
                    waiting.pop()
            if partition is None:
                return
            self._places, self._rows = {}, array("Q")
            self._wanted, self._moved = {}, {}
            self._spill, self._level = Spill(None), len(waiting)
            for facts in partition:
                self.feed(facts)
            waiting.append(self._take())

    def _take(self) -> Iterator[Iterator[array[int]]]:
        spilled, self._spilled = self._spilled, False
        return self._spill.take() if spilled else iter(())

    def _channel(self, owner: int, at: int) -> Channel:
        row = self._rows[at : at + _WIDTH]
        life, decided_by = row[_LIFE] & 3, row[_LIFE] >> 2
        alive = life != _DEAD
        pair, amount = row[_PAIR] or (row[_DEAD_PAIR] if life == _ALIVE else 0), 0
        wanted = tuple(self._wanted.get(owner, ()))
        moved = self._moved.get(owner)
        if moved and not row[_UPDATE] and any(value == moved[0] for _, value, _ in wanted):
            # deleted where it stood before and appended again, and only that second one is damaged
            row[_TIME], row[_UPDATE] = moved
        if not pair and row[_LONE] and row[_STRAY]:
            pair, amount = row[_LONE], row[_STRAY]
        return Channel(
            owner,
            alive,
            pair if alive else 0,
            amount,
            (row[_UPDATE], row[_UPDATE + 1]) if alive else (0, 0),
            (row[_TIME], row[_TIME + 1]),
            row[_DYING] if alive else 0,
            0 if life == _ALIVE else row[_TOMBSTONE],
            row[_LONE] if alive and not pair else 0,
            not alive and bool(row[_PAIR]),
            decided_by,
            (row[_NODES], row[_NODES + 1]),
            wanted,
        )


def _life(said: int, sure: bool) -> int:
    """What one copy says of a channel: alive, dead, or nothing (0).

    Flags are not covered by any checksum, so where an announcement and its amount disagree the updates decide.
    """
    closed = bool(said & _U_DEAD) and not said & (_U_LIVE | _HURT)
    if said & _TOMB:
        return _DEAD
    if said & _A_LIVE:
        doubtful = (bool(said & _PATCHED) and sure) or (bool(said & _M_DEAD) and not said & _M_LIVE)
        return _DEAD if closed and doubtful else _ALIVE
    if said & _A_DEAD:
        return _ALIVE if said & _M_LIVE and said & _U_LIVE else _DEAD
    return _ALIVE if said & _U_LIVE else _DEAD if closed and sure else 0
