"""The walk over a gossip store in plain Python: the twin of `_gossip`, the same to the last value.

Where a header does not verify, the first of these decides, and each is a function of the file's bytes alone (the
windows in which they arrive change nothing):

1. the body verifies at another length that its type allows: only the length field is damaged;
2. the claimed end is confirmed: following claimed lengths from it meets a record that verifies. What is inside is
   never searched, because strangers choose bytes of a node announcement and can plant a record there. Of a length that
   no type explains this holds up to UNSEEN: a random one meets the border of some record once in 150 times, and would
   cost all records before it;
3. the next anchor, a record of a known and plausible shape that verifies, lies where the type lets this one end;
4. else a gap, up to that anchor.

A cut makes lengths inside the body random, so where the type would let it end alone decides nothing: up to 64 such
places could meet a later record by chance and swallow the good ones before it.
"""

import re
from array import array
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from inspector.crc32c import crc32c
from inspector.kernels.gossip_tiles import (
    ANCHORED,
    BAD_CHECKSUM,
    BAD_LENGTH,
    GAP,
    HEADER,
    HOPS,
    LONGEST_RECORD,
    OK,
    REACH,
    ROLE_GAP,
    ROLE_UNIT,
    TOO_SHORT,
    TORN_BODY,
    TORN_HEADER,
    UNSEEN,
    Batch,
)
from inspector.kernels.plain_checksum import PartChecksums
from inspector.kernels.plain_columns import Names, Rows, fill_ribbon
from inspector.kernels.plain_structure import ANNOUNCEMENT, FIXED, believable, owner_of, plausible, structural_lengths

_head = Struct(">HHIIH").unpack_from  # flags, length, checksum, timestamp, and the body's type
_header = Struct(">HHII").unpack_from
_u16 = Struct(">H").unpack_from

# The first byte of a known type, followed by its second. One byte is consumed, so that 01 01 02 is two chances.
_TYPES: Final = re.compile(rb"\x01(?=[\x00-\x02])|\x10(?=[\x05-\x0b])|\x0d(?=\xaf)")
_ZEROES: Final = bytes(1 << 16)
_DIRECT: Final = 2048  # longer bodies are checksummed with an eye on what has been spent


_NOTHING: Final[Names] = (0, 0, 0, 0)


class _More(Exception):  # noqa: N818 - not an error: the answer lies past this window
    """The bytes that decide are not in this window."""


class _OpenGap(NamedTuple):
    start: int
    flags: int
    time: int
    kind: int
    torn: bool  # its header is plausible and its body runs past the end of the file
    ends: frozenset[int]  # where the type lets the record end that begins here
    names: Names


class GossipWalker:
    """Tiles [start, size) from windows that the caller reads at `want`."""

    def __init__(self, size: int, start: int = 1, buckets: int = 0) -> None:
        self.want = start
        self.done = start >= size
        self.ribbon = array("Q", bytes(32 * buckets))
        self._size = size
        self._buckets = buckets
        self._sliced = size
        self._gap: _OpenGap | None = None
        self._suspect_end = 0  # what lies before it may be the body of a damaged record
        self._trusted = 0  # claimed ends up to here are confirmed

    def feed(self, window: bytes | bytearray | memoryview, final: bool) -> Batch:
        """The tiles that this window settles; `window` begins at `want`, `final` says that it reaches the end."""
        data = bytes(window)[: max(0, self._size - self.want)]
        if final:
            self._size = self.want + len(data)
        return _Window(self, data, self.want, final or self.want + len(data) == self._size).walk()

    def skip(self, to: int) -> bool:
        """Go on at `to` where a gap is open; only zeroes may lie in [want, to + HEADER), where no record's type is."""
        if self._gap is None or self.done or not self.want < to < self._size:
            return False
        self.want = to
        return True


class _Window:
    """One window being walked. Positions are relative to it; `at` is where the next tile begins."""

    def __init__(self, walker: GossipWalker, data: bytes, base: int, final: bool) -> None:
        self.walker = walker
        self.data = data
        self.base = base
        self.final = final
        self.size = walker._size - base
        self.sums = PartChecksums(data)
        self.hops: dict[int, int] = {}
        self.at = 0
        self.rows = Rows(data)

    def walk(self) -> Batch:
        walker = self.walker
        try:
            if walker._gap is not None:
                self.seek()
            while self.at < self.size:
                self.run()
                if self.at < self.size and not self.single():
                    self.seek()
        except _More:
            self.put_back()
            walker.want = self.base + self.at
        else:
            walker.done = True
            walker.want = self.base + self.size
        batch = self.rows.batch(self.base, self.end())
        if walker._buckets:
            fill_ribbon(walker.ribbon, walker._buckets, walker._sliced, batch)
        return batch

    def end(self) -> int:
        """Where the next batch's first tile begins."""
        return self.walker._gap.start if self.walker._gap is not None else self.base + self.at

    def run(self) -> None:
        """Records that verify one after the other: the path that every healthy store takes."""
        data, view, at = self.data, memoryview(self.data), self.at
        starts, heads = self.rows.starts, self.rows.heads
        first = len(starts)
        end = len(data)
        last = end - HEADER - 2
        while at <= last:
            head = _head(data, at)
            length = head[1]
            after = at + HEADER + length
            if length > _DIRECT or length < 2 or after > end or crc32c(view[at + HEADER : after], head[3]) != head[2]:
                break
            starts.append(at)
            heads.append(head)
            at = after
        count = len(starts) - first
        self.rows.roles += bytes((ROLE_UNIT,)) * count
        marks = bytearray(count)
        suspect = self.walker._suspect_end - self.base
        if count and starts[first] < suspect:
            ends = [*starts[first + 1 :], at]
            marks[:] = bytes(ANCHORED if after <= suspect else OK for after in ends)
        self.rows.marks += marks
        self.at = at

    def single(self) -> bool:
        """The tile at a place where the run stopped; False where a gap begins."""
        at = self.at
        if self.size - at < HEADER:
            self.tile(self.size, ROLE_GAP, TORN_HEADER, (0, 0, 0, 0, 0))
            return True
        self.need(at + HEADER)
        flags, length, checksum, time = _header(self.data, at)
        after = at + HEADER + length
        if length >= 2 and after <= self.size:
            self.need(after)
            if self.sums.matches(at + HEADER, after, time, checksum):
                inside = after <= self.walker._suspect_end - self.base
                self.tile(after, ROLE_UNIT, ANCHORED if inside else OK, _head(self.data, at))
                return True
        self.need(min(self.size, at + LONGEST_RECORD))
        others = self.other_lengths(at, length)
        found = self.damaged(at, length, checksum, time, others)
        if found is None:
            self.open_gap(at, flags, length, time, others)
            return False
        mark, after = found
        kind = 0 if mark == TOO_SHORT else _u16(self.data, at + HEADER)[0]
        self.tile(after, ROLE_UNIT, mark, (flags, length, checksum, time, kind))
        return True

    def other_lengths(self, at: int, length: int) -> list[int]:
        """The lengths that the type allows, without the one that the header claims."""
        body = at + HEADER
        return [n for n in structural_lengths(self.data, body, min(self.size, body + 0xFFFF)) if n != length]

    def damaged(self, at: int, length: int, checksum: int, time: int, others: list[int]) -> tuple[int, int] | None:
        """(mark, end) of a record whose header does not verify, None where its end cannot be told."""
        body = at + HEADER
        for other in others:
            if self.sums.matches(body, body + other, time, checksum):
                self.walker._trusted = 0
                return BAD_LENGTH, body + other
        after = body + length
        told = length <= UNSEEN or self.plausible(at, after)
        if told and after <= self.size and any(self.data[at:body]) and self.confirmed(at, after):
            return (BAD_CHECKSUM if length >= 2 else TOO_SHORT), after
        return None

    def confirmed(self, at: int, claimed: int) -> bool:
        """Whether claimed lengths, followed from the claimed end, meet a record that verifies, or the file's end."""
        if at + self.base < self.walker._trusted:
            return True
        limit = at + REACH
        before, here = at, claimed
        for _ in range(HOPS + 1):
            if here == self.size:
                if before == at and not self.plausible(at, claimed):
                    return False
                self.walker._trusted = here + self.base
                return True
            after = self.hop(here, limit)
            if after == 0:
                self.walker._trusted = here + self.base
                return True
            if after < 0:
                return False
            before, here = here, after
        return False

    def hop(self, here: int, limit: int) -> int:
        """0 if a record verifies here, the claimed end of a damaged but plausible one, else -1."""
        if here + HEADER + 2 > min(self.size, limit):
            return -1
        self.need(here + HEADER + 2)
        _, length, checksum, time = _header(self.data, here)
        after = here + HEADER + length
        if length < 2 or after > min(self.size, limit):
            return -1
        self.need(after)
        known = self.hops.get(here)
        if known is None:
            known = after if self.plausible(here, after) else -1
            if self.sums.matches(here + HEADER, after, time, checksum):
                known = 0
            self.hops[here] = known
        return known

    def plausible(self, at: int, after: int) -> bool:
        body = at + HEADER
        return plausible(self.data, body, after - body, min(after, self.size))

    def open_gap(self, at: int, flags: int, length: int, time: int, others: list[int]) -> None:
        body = at + HEADER
        if body + 2 > self.size:
            self.walker._gap = _OpenGap(self.base + at, 0, 0, 0, False, frozenset(), _NOTHING)
        else:
            after = body + length
            likely = self.plausible(at, after)
            inside = believable(self.data, body, length, self.size)
            if inside:
                self.walker._suspect_end = max(self.walker._suspect_end, self.base + body + inside)
            kind = _u16(self.data, body)[0]
            # whatever a record names lies within the shortest of its type's lengths
            names = owner_of(self.data, body, others[0], kind) if others else _NOTHING
            ends = frozenset(self.base + body + other for other in others)
            self.walker._gap = _OpenGap(self.base + at, flags, time, kind, likely and after > self.size, ends, names)
        self.at = at + 1

    def seek(self) -> None:
        """The next anchor, or the end: closes the open gap there."""
        walker = self.walker
        gap = walker._gap
        assert gap is not None
        anchor = self.anchor()
        torn = gap.torn and anchor == self.size
        if self.base + anchor in gap.ends:
            head = (gap.flags, 0, 0, gap.time, gap.kind)
            self.rows.push_named(gap.start - self.base, ROLE_UNIT, BAD_LENGTH, head, gap.names)
        else:
            head = (gap.flags, 0, 0, gap.time, gap.kind if torn else 0)
            self.rows.push(gap.start - self.base, ROLE_GAP, TORN_BODY if torn else GAP, head)
        walker._gap = None
        self.at = anchor

    def anchor(self) -> int:
        """The next record of a known, plausible shape that verifies, or the end of the file."""
        data, size = self.data, self.size
        stop = len(data) - HEADER - 1 if self.final else len(data) - LONGEST_RECORD + 1
        for type_at in self.type_bytes(self.at + HEADER, stop + HEADER):
            at = type_at - HEADER
            _, length, checksum, time, kind = _head(data, at)
            after = type_at + length
            sizes = FIXED.get(kind)
            if after > size or (length < 53 if sizes is None else length not in sizes):
                continue  # most candidates end here, before anything is called
            if not plausible(data, type_at, length, after):
                continue
            if self.sums.matches(type_at, after, time, checksum):
                return at
        if self.final:
            return size
        self.at = max(self.at, stop)
        raise _More

    def type_bytes(self, at: int, stop: int) -> Iterator[int]:
        """Where the type of a known record could be in [at, stop), past runs of zeroes at memcmp's speed."""
        data = self.data
        while at < stop:
            upto = min(at + len(_ZEROES), stop)
            if data.startswith(_ZEROES, at):
                at = upto
                continue
            for match in _TYPES.finditer(data, at, upto + 1):
                yield match.start()
            at = upto

    def need(self, upto: int) -> None:
        if upto > len(self.data):
            raise _More

    def tile(self, after: int, role: int, mark: int, head: tuple[int, int, int, int, int]) -> None:
        self.rows.push(self.at, role, mark, head)
        self.at = after

    def put_back(self) -> None:
        """An announcement and its amount come in one batch: one that is last waits for the next window.

        Not if a gap follows it: then it has no amount.
        """
        rows = self.rows
        if (
            self.walker._gap is None
            and rows.starts
            and rows.roles[-1] == ROLE_UNIT
            and rows.heads[-1][4] == ANNOUNCEMENT
        ):
            self.at = rows.pop()
