"""A gossip store followed while gossipd writes it: new records as they land, flags that they announce.

A record that replaces another one (a later channel_update, node_announcement, a delete_chan) is appended first, then
the old ones are flagged DELETED in place (gossmap_manage.c:306-380). So each new record names what will change.
"""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any
from zlib import compress, decompressobj

from inspector import crc32c, kernels
from inspector.follow import Landed, UnfollowableError, What
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import SEALED_HEADER, kind_name
from inspector.formats.gossip_store.oddities import INCOMPLETE, SHORT, SPECIAL, UNKNOWN_TYPE, oddities
from inspector.formats.gossip_store.walk import OK, STATES, TORN_BODY, TORN_HEADER, WINDOW
from inspector.source import Source

ANNOUNCEMENT, NODE, UPDATE, AMOUNT, TOMBSTONE, ENDED, DYING, UUID = 256, 257, 258, 4101, 4103, 4105, 4106, 4107
CHANNELS = 1 << 17  # remembered; the public network has 50,000 (February 2026)
NODES = 1 << 16
EXPECTED = 1 << 16  # records that are to be flagged and were not seen to be
# how a record is expected to be deleted: because another one replaces it; perhaps, where a node has other channels;
# an announcement whose channel is announced again; and for how many looks each is waited for
SURELY, MAYBE, TWICE = range(3)
TRIES = (600, 60, 5)
LOOKS = 2048  # of them in one round
NOWHERE = 0
FIRST = 1 << 16  # bytes that are read at first
ROW = 8  # numbers of a channel in a saved state


class GossipFollower:
    """See `inspector.follow.Follower`."""

    torn_matters = True
    judges_all = True

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        self.at = 0
        self.version = 0
        # scid -> offsets of announcement, amount, update of each side, chan_dying (0: none), and its two nodes folded
        self._channels: dict[int, list[int]] = {}
        self._nodes: dict[int, int] = {}  # folded node id -> announcement
        self._expected: deque[tuple[int, int, int]] = deque(maxlen=EXPECTED)  # offset, looks left, how
        self._sweeper: Any = None
        self._swept = 0
        if saved:
            self._load(saved)

    # -- new bytes -----------------------------------------------------------------------------

    def advance(self, source: Source) -> Iterator[Landed]:
        size = source.length()
        if self.at == 0:
            if size == 0:
                return
            self.version = source.read(0, 1)[0]
            if not versions.OLDEST_JUDGED <= self.version <= versions.NEWEST:
                raise UnfollowableError(f"version byte {self.version}")
            self.at = 1
        walker = kernels.GossipWalker(size, self.at)
        window = FIRST  # it grows: behind each damaged record reading begins anew
        while not walker.done:
            at = walker.want
            data = source.read(at, window)
            batch = walker.feed(data, at + len(data) >= size)
            if not len(batch):
                window = FIRST if walker.want != at else window * 2
                continue
            window = min(2 * window, max(window, WINDOW))
            yield from self._take(batch, oddities(batch, data, at, self.version), size)
            if self.at < batch.end:
                return

    def _take(self, batch: Any, odd: Any, size: int) -> Iterator[Landed]:
        """The sound records of a batch up to the first that is not; remembers what they say."""
        counts: Counter[int] = Counter()
        begin, count = self.at, len(batch)
        wrong: Landed | None = None
        strange: list[Landed] = []
        for i in range(count):
            start = batch.starts[i]
            end = batch.starts[i + 1] if i + 1 < count else batch.end
            if batch.marks[i] != OK or odd[i] & INCOMPLETE:
                # the kernel cuts what it cannot read into several tiles: up to the end of the file they are one
                rest = all(m != OK for m in batch.marks[i + 1 :]) and batch.end == size
                what: What = "unfinished" if end == size or rest else "broken"
                wrong = Landed(what, start, size if rest else end, self._words(batch, i))
                break
            if batch.kinds[i] == ANNOUNCEMENT and not self._paired(batch, i):
                text = "a channel_announcement without its channel_amount"
                if end == size:  # the amount is appended by the next write
                    wrong = Landed("unfinished", start, end, text)
                    break
                strange.append(Landed("odd", start, end, text))
            counts[batch.kinds[i]] += 1
            if odd[i] & (SHORT | UNKNOWN_TYPE | SPECIAL):
                strange += self._strange(batch, i, start, end, odd[i])
            self._remember(batch, i, start, end)
            self.at = end
        if self.at > begin:
            yield Landed("sound", begin, self.at, "", {kind_name(k): n for k, n in counts.items()})
        yield from strange
        if wrong is not None:
            yield wrong

    @staticmethod
    def _paired(batch: Any, i: int) -> bool:
        """Whether an announcement is dead or followed by its amount."""
        dead = bool(batch.flags[i] & versions.DELETED)
        return dead or (i + 1 < len(batch) and batch.kinds[i + 1] == AMOUNT)

    def _words(self, batch: Any, i: int) -> str:
        mark = batch.marks[i]
        name = kind_name(batch.kinds[i]) if batch.kinds[i] else "record"
        if mark == OK:
            return f"{name} without its COMPLETED bit"
        if mark in (TORN_BODY, TORN_HEADER):
            return f"{name} that is not whole"
        return f"{name}: {STATES[mark]}" if batch.kinds[i] else STATES[mark]

    @staticmethod
    def _strange(batch: Any, i: int, start: int, end: int, bits: int) -> Iterator[Landed]:
        name = kind_name(batch.kinds[i])
        if batch.kinds[i] == ENDED:
            yield Landed("odd", start, end, "an `ended` record: the program says that it goes on in another file")
        elif bits & SHORT:
            yield Landed("odd", start, end, f"{name} is shorter than its type needs: gossipd crashes on it")
        elif bits & UNKNOWN_TYPE:
            yield Landed("odd", start, end, f"type {batch.kinds[i]}, which no known release writes")
        elif batch.kinds[i] == UUID and start > 1:
            yield Landed("odd", start, end, "a uuid record that is not the first record: an appended store")

    def _remember(self, batch: Any, i: int, start: int, end: int) -> None:
        kind, dead = batch.kinds[i], bool(batch.flags[i] & versions.DELETED)
        if kind == AMOUNT and i and batch.kinds[i - 1] == ANNOUNCEMENT:
            other = bool(batch.flags[i - 1] & versions.DELETED)
            if other != dead:  # both are flagged, one after the other
                self._expect(batch.starts[i - 1] if dead else start)
        if kind == ANNOUNCEMENT and not dead:
            known = self._channels.get(batch.owners[i])
            if known:
                self._expect(known[0], TWICE)
            if len(self._channels) < CHANNELS or known:
                nodes = (batch.nodes_a[i], batch.nodes_b[i])
                self._channels[batch.owners[i]] = [start, end, NOWHERE, NOWHERE, NOWHERE, *nodes]
        elif kind == UPDATE and not dead:
            known = self._channels.get(batch.owners[i])
            if known:
                side = 2 + (batch.aux[i] & 1)
                self._expect(min(known[side], start) if known[side] else NOWHERE)
                known[side] = max(known[side], start)  # damage that healed comes in behind what came after it
        elif kind == NODE and not dead:
            before = self._nodes.get(batch.nodes_a[i], NOWHERE)
            self._expect(min(before, start) if before else NOWHERE)
            if len(self._nodes) < NODES or before:
                self._nodes[batch.nodes_a[i]] = max(before, start)
        elif kind == DYING and not dead and batch.owners[i] in self._channels:
            self._channels[batch.owners[i]][4] = start
        elif kind == TOMBSTONE:
            *places, one, two = self._channels.pop(batch.owners[i], (0, 0))
            for at in places:
                self._expect(at)
            for node in (one, two):
                self._expect(self._nodes.get(node, NOWHERE), MAYBE)

    def _expect(self, at: int, how: int = SURELY) -> None:
        if at != NOWHERE:
            self._expected.append((at, TRIES[how], how))

    def skip(self, end: int) -> None:
        self.at = max(self.at, end)

    # -- old bytes -----------------------------------------------------------------------------

    def heal(self, source: Source, start: int, end: int) -> Mapping[str, int]:
        size = source.length()
        window = source.read(start, end - start + (1 << 20))
        batch = kernels.GossipWalker(size, start).feed(window, start + len(window) >= size)
        counts: Counter[str] = Counter()
        for i in range(len(batch)):
            if batch.starts[i] >= end or batch.marks[i] != OK:
                break
            counts[kind_name(batch.kinds[i])] += 1
            self._remember(batch, i, batch.starts[i], batch.starts[i + 1] if i + 1 < len(batch) else batch.end)
        return counts

    def settled(self) -> bool:
        return len(self._expected) < EXPECTED and all(how == MAYBE for _, _, how in self._expected)

    def revisit(self, source: Source) -> Iterator[Landed]:
        for _ in range(min(LOOKS, len(self._expected))):
            at, tries, how = self._expected.popleft()
            flags, whole, end = self._record(source, at)
            if whole and flags & versions.DELETED:
                yield Landed("changed", at, end, "deleted")
            elif not whole:
                yield Landed("broken", at, end, "a record that verified before does not any more")
            elif tries > 1:
                self._expected.append((at, tries - 1, how))
            elif how == TWICE:
                yield Landed("odd", at, end, "its channel is announced again further on, and this one is still live")

    @staticmethod
    def _record(source: Source, at: int) -> tuple[int, bool, int]:
        """Flags, whether it verifies, and its end."""
        head = source.read(at, 12)
        if len(head) < 12:
            return 0, False, source.length()
        flags, length, stored, timestamp = SEALED_HEADER.unpack(head)
        body = source.read(at + 12, length)
        whole = len(body) == length >= 2 and crc32c.crc32c(body, timestamp) == stored
        return flags, whole, at + 12 + len(body)

    def sweep(self, source: Source, room: int) -> Iterator[Landed]:
        if self._sweeper is None or self._sweeper.done:
            if self.at == 0:
                return
            if source.read(0, 1) != bytes([self.version]):
                yield Landed("broken", 0, 1, "the version byte is another one than before")
            self._swept = self.at
            self._sweeper = kernels.GossipWalker(self.at, 1)
        while room > 0 and not self._sweeper.done:
            at = self._sweeper.want
            data = source.read(at, min(WINDOW, self._swept - at))
            batch = self._sweeper.feed(data, at + len(data) >= self._swept)
            room -= len(data)
            for i, mark in enumerate(batch.marks):
                if mark != OK:
                    end = batch.starts[i + 1] if i + 1 < len(batch) else batch.end
                    yield Landed("broken", batch.starts[i], end, self._words(batch, i))
            if not len(batch) and self._sweeper.want == at:
                self._sweeper = None  # one stretch larger than a window: the walk of a scan is the place for that
                return

    def sweep_done(self) -> bool:
        return self._sweeper is None or bool(self._sweeper.done)

    def sound(self, source: Source, start: int, end: int) -> bool:
        if start == 0:
            return source.read(0, 1) == bytes([self.version])
        if not self._record(source, start)[1]:
            return False  # what can be called sound begins with a record
        walker = kernels.GossipWalker(source.length(), start)
        data = source.read(start, end - start + (1 << 20))
        batch = walker.feed(data, start + len(data) >= source.length())
        odd = oddities(batch, data, start, self.version)
        for i, mark in enumerate(batch.marks):
            if mark != OK or odd[i] & INCOMPLETE:
                return bool(batch.starts[i] == end)
            if (batch.starts[i + 1] if i + 1 < len(batch) else batch.end) >= end:
                return True
        return False

    # -- between two runs ----------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        rows = array("Q")
        for scid, places in self._channels.items():
            rows.extend((scid, *places))
        nodes = array("Q", [value for pair in self._nodes.items() for value in pair])
        return {
            "at": self.at,
            "version": self.version,
            "channels": _pack(rows),
            "nodes": _pack(nodes),
            "expected": [[at, how] for at, _, how in self._expected],
        }

    def _load(self, saved: Mapping[str, Any]) -> None:
        self.at, self.version = int(saved["at"]), int(saved["version"])
        rows, nodes = _unpack(saved["channels"], ROW * CHANNELS), _unpack(saved["nodes"], 2 * NODES)
        for k in range(0, len(rows) - ROW + 1, ROW):
            self._channels[rows[k]] = list(rows[k + 1 : k + ROW])
        self._nodes = {nodes[k]: nodes[k + 1] for k in range(0, len(nodes) - 1, 2)}
        self._expected.extend((int(at), TRIES[how], int(how)) for at, how in saved["expected"])


def follow(saved: Mapping[str, Any] | None) -> GossipFollower:
    """A follower at the beginning, or where a saved one was; raises ValueError, KeyError or TypeError on nonsense."""
    return GossipFollower(saved)


def _pack(values: array[int]) -> str:
    return b64encode(compress(values.tobytes(), 6)).decode()


def _unpack(text: str, most: int) -> array[int]:
    raw = b64decode(text)
    if len(raw) > 8 * most:
        raise ValueError("too long")
    values = array("Q")
    values.frombytes(decompressobj().decompress(raw, 8 * most))
    return values
