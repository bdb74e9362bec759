"""A gossip store in a file, written the way gossipd writes it: body first, then the COMPLETED bit, flags in place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, HEADER, Network, Store

Pause = Callable[[], None]


class FileStore(Store):
    """A `Store` that writes every change to a file at once; `flagged` are the offsets that were deleted."""

    def __init__(self, path: Path, pause: Pause = lambda: None) -> None:
        self.fd = -1
        super().__init__(16)
        self.path, self.pause = path, pause
        self.flagged: list[int] = []
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.pwrite(self.fd, self.data, 0)

    def append(self, body: bytes, timestamp: int = 0, flags: int = 0) -> int:
        at = super().append(body, timestamp, flags)
        if self.fd >= 0:
            record = bytearray(self.data[at:])
            record[0] &= 0xDF  # the COMPLETED bit is set by a second write of one byte (gossip_store.c:72)
            os.pwrite(self.fd, record, at)
            self.pause()
            os.pwrite(self.fd, self.data[at : at + 1], at)
        return at

    def flag(self, at: int, bits: int) -> None:
        super().flag(at, bits)
        if bits & DELETED:
            self.flagged.append(at)
        os.pwrite(self.fd, self.data[at : at + HEADER], at)

    def set_timestamp(self, at: int, timestamp: int) -> None:
        super().set_timestamp(at, timestamp)
        os.pwrite(self.fd, self.data[at : at + HEADER], at)

    def close(self) -> None:
        os.close(self.fd)


class LiveStore:
    """A network on a file, and what may happen to it. `records` counts those in the present file."""

    def __init__(self, path: Path, seed: int, pause: Pause = lambda: None) -> None:
        self.path, self.pause = path, pause
        self.rng = Random(seed)
        self._begin(path)

    def _begin(self, path: Path) -> None:
        self.store = FileStore(path, self.pause)
        self.net = Network(self.store, self.rng.randrange(1 << 30))
        for _ in range(6):
            self.net.node()
        for k in range(5):
            self.net.open(self.net.nodes[k], self.net.nodes[k + 1])

    def grow(self, steps: int = 5) -> None:
        """Updates, announcements, new and closed channels; each replaces and flags as gossipd does."""
        for _ in range(steps):
            dice = self.rng.random()
            if dice < 0.1 or len(self.net.channels) < 3:
                one, two = self.rng.sample(self.net.nodes, 2)
                self.net.open(one, two)
            elif dice < 0.2:
                node = self.rng.choice(self.net.nodes)
                if node.channels:
                    self.net.announce(node)
            elif dice < 0.25:
                self.net.close(self.rng.choice(self.net.channels))
            else:
                self.net.update(self.rng.choice(self.net.channels), self.rng.randrange(2))

    def tear(self) -> Callable[[], None]:
        """Half a record at the end; what is returned finishes it."""
        at = len(self.store.data)
        self._quietly(lambda: self.net.update(self.net.channels[0], 0))
        whole = bytes(self.store.data[at:])
        os.pwrite(self.store.fd, b"\0" + whole[1 : len(whole) // 2], at)
        return lambda: self._finish(at, whole)

    def hole(self) -> tuple[tuple[int, int], Callable[[], None]]:
        """A record of zeroes with a sound one behind it, as ZFS has shown it; its place, and what fills it."""
        at = len(self.store.data)
        self._quietly(lambda: self.net.announce(next(n for n in self.net.nodes if n.channels)))
        end = len(self.store.data)
        os.ftruncate(self.store.fd, end)
        filled = bytes(self.store.data[at:end])
        self.net.update(self.net.channels[-1], 1)
        return (at, end), lambda: self._finish(at, filled)

    def flip(self) -> tuple[int, Callable[[], None]]:
        """One bit of an old record's body, in place; where, and what puts it back."""
        at = self.net.channels[0].announcement + HEADER + self.rng.randrange(2, 250)
        before = bytes(self.store.data[at : at + 1])
        os.pwrite(self.store.fd, bytes([before[0] ^ 1 << self.rng.randrange(8)]), at)
        return at, lambda: self._finish(at, before)

    def rotate(self) -> None:
        """A compacted copy takes the name; the old file gets its `ended` record afterwards."""
        old, beside = self.store, self.path.with_name("gossip_store.compact")
        self._begin(beside)
        self.store.path = self.path
        beside.rename(self.path)
        at = len(old.data)
        old.append(m.ended(len(self.store.data), bytes(range(100, 132))))
        assert at
        old.close()

    def refused(self) -> None:
        """gossipd did not like the store: it is moved aside and a new one made."""
        self.store.close()
        self.path.rename(self.path.with_name("gossip_store.corrupt"))
        self._begin(self.path)

    def _quietly(self, change: Callable[[], object]) -> None:
        """Change the store without its file; flags of that change are written when the record is."""
        fd, self.store.fd = self.store.fd, os.open(os.devnull, os.O_WRONLY)
        flagged = list(self.store.flagged)
        try:
            change()
        finally:
            os.close(self.store.fd)
            self.store.fd = fd
            self._late, self.store.flagged = self.store.flagged[len(flagged) :], flagged

    def _finish(self, at: int, data: bytes) -> None:
        os.pwrite(self.store.fd, data, at)
        late, self._late = getattr(self, "_late", []), []
        for old in late:
            self.store.flagged.append(old)
            os.pwrite(self.store.fd, self.store.data[old : old + HEADER], old)
