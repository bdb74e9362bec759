"""Tiles as the plain walk finds them, and the columns made of them."""

from array import array
from bisect import bisect_right
from itertools import compress
from operator import sub
from struct import Struct
from typing import Final, NamedTuple

from inspector.kernels.gossip_tiles import ANCHORED, DELETED, HEADER, OK, ROLE_GAP, Batch
from inspector.kernels.plain_structure import UPDATE, owner_of

Head = tuple[int, int, int, int, int]  # flags, length, checksum, timestamp, type
Names = tuple[int, int, int, int]  # scid, two nodes, channel_flags

_OWNING: Final = frozenset((256, 257, 258, 3503, 4102, 4103, 4104, 4106))
_update = Struct(">Q5xB").unpack_from


class Row(NamedTuple):
    """One tile kept for a later window; `start` is of the file."""

    start: int
    role: int
    mark: int
    head: Head
    names: Names


class Rows:
    """The tiles of one window, in order; positions are relative to it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.starts: list[int] = []
        self.heads: list[Head] = []
        self.roles = bytearray()
        self.marks = bytearray()
        self.held: Names | None = None  # what the first row names, its bytes were in an earlier window

    def push(self, start: int, role: int, mark: int, head: Head) -> None:
        self.starts.append(start)
        self.heads.append(head)
        self.roles.append(role)
        self.marks.append(mark)

    def pop(self, base: int, end: int) -> Row:
        """Takes the last tile back; it ends at `end`."""
        start, head = self.starts.pop(), self.heads.pop()
        names = owner_of(self.data, start + HEADER, end - start - HEADER, head[4])
        return Row(base + start, self.roles.pop(), self.marks.pop(), head, names)

    def hold(self, row: Row, base: int) -> None:
        """The first tile of this window is one of an earlier window."""
        self.push(row.start - base, row.role, row.mark, row.head)
        self.held = row.names

    def batch(self, base: int, end: int) -> Batch:
        count = len(self.starts)
        flags, _, _, times, kinds = zip(*self.heads, strict=True) if count else ((),) * 5
        owners, nodes_a, nodes_b = (array("Q", bytes(8 * count)) for _ in range(3))
        aux = array("B", bytes(count))
        self._name(end - base, kinds, owners, nodes_a, nodes_b, aux)
        if self.held is not None:
            owners[0], nodes_a[0], nodes_b[0], aux[0] = self.held
        return Batch(
            end=end,
            starts=array("Q", [base + start for start in self.starts]),
            roles=array("B", self.roles),
            marks=array("B", self.marks),
            kinds=array("H", kinds),
            flags=array("H", flags),
            times=array("I", times),
            owners=owners,
            nodes_a=nodes_a,
            nodes_b=nodes_b,
            aux=aux,
        )

    def _name(
        self,
        end: int,
        kinds: "tuple[int, ...]",
        owners: "array[int]",
        nodes_a: "array[int]",
        nodes_b: "array[int]",
        aux: "array[int]",
    ) -> None:
        data, starts = self.data, self.starts
        # only the last tile of a file can be a gap with a type, and only the first can be of an earlier window
        count = len(kinds) - (bool(kinds) and self.roles[-1] == ROLE_GAP)
        starts = [*starts, end]
        for i in range(0 if self.held is None else 1, count):
            kind = kinds[i]
            if kind == UPDATE and starts[i + 1] - starts[i] >= 124:
                owners[i], aux[i] = _update(data, starts[i] + 110)
            elif kind in _OWNING:
                body = starts[i] + HEADER
                owners[i], nodes_a[i], nodes_b[i], aux[i] = owner_of(data, body, starts[i + 1] - body, kind)


def fill_ribbon(ribbon: "array[int]", buckets: int, size: int, batch: Batch) -> None:
    """Adds the batch's bytes, live, deleted, damaged and in gaps, to each equal slice of the file they fall into."""
    if not len(batch):
        return
    ends = [*batch.starts[1:], batch.end]
    classes = bytes(map(_ribbon_class, batch.roles, batch.marks, batch.flags))
    at, i = batch.starts[0], 0
    bucket = at * buckets // size
    while at < batch.end:
        edge = min((bucket + 1) * size // buckets, batch.end)
        whole = bisect_right(ends, edge, i)
        bounds = [at, *ends[i:whole]]
        lengths = list(map(sub, bounds[1:], bounds))
        for kind in range(4):
            ribbon[4 * bucket + kind] += sum(compress(lengths, [found == kind for found in classes[i:whole]]))
        if bounds[-1] < edge:
            ribbon[4 * bucket + classes[whole]] += edge - bounds[-1]
        at, i, bucket = max(at, edge), whole, bucket + 1


def _ribbon_class(role: int, mark: int, flags: int) -> int:
    if role == ROLE_GAP:
        return 3
    if mark not in (OK, ANCHORED):
        return 2
    return 1 if flags & DELETED else 0
