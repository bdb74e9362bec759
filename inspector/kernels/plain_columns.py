"""Tiles as the plain walk finds them, and the columns made of them."""

from array import array
from bisect import bisect_right
from itertools import compress
from operator import sub
from struct import Struct
from typing import Final

from inspector.kernels.gossip_tiles import ANCHORED, DELETED, HEADER, OK, ROLE_GAP, Batch
from inspector.kernels.plain_structure import UPDATE, owner_of

Head = tuple[int, int, int, int, int]  # flags, length, checksum, timestamp, type
Names = tuple[int, int, int, int]  # scid, two nodes, channel_flags

_OWNING: Final = frozenset((256, 257, 258, 3503, 4102, 4103, 4104, 4106))
_update = Struct(">Q5xB").unpack_from


class Rows:
    """The tiles of one window, in order; positions are relative to it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.starts: list[int] = []
        self.heads: list[Head] = []
        self.roles = bytearray()
        self.marks = bytearray()
        self.named: dict[int, Names] = {}  # what rows name whose bytes were in an earlier window

    def push(self, start: int, role: int, mark: int, head: Head) -> None:
        self.starts.append(start)
        self.heads.append(head)
        self.roles.append(role)
        self.marks.append(mark)

    def push_named(self, start: int, role: int, mark: int, head: Head, names: Names) -> None:
        """A tile whose bytes may have been in an earlier window."""
        self.named[len(self.starts)] = names
        self.push(start, role, mark, head)

    def pop(self) -> int:
        """Takes the last tile back and says where it began."""
        del self.heads[-1], self.roles[-1], self.marks[-1]
        return self.starts.pop()

    def batch(self, base: int, end: int) -> Batch:
        count = len(self.starts)
        flags, _, _, times, kinds = zip(*self.heads, strict=True) if count else ((),) * 5
        owners, nodes_a, nodes_b = (array("Q", bytes(8 * count)) for _ in range(3))
        aux = array("B", bytes(count))
        self._name(end - base, kinds, owners, nodes_a, nodes_b, aux)
        for i, names in self.named.items():
            owners[i], nodes_a[i], nodes_b[i], aux[i] = names
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
        data, starts, named = self.data, self.starts, self.named
        # only the last tile of a file can be a gap with a type
        count = len(kinds) - (bool(kinds) and self.roles[-1] == ROLE_GAP)
        starts = [*starts, end]
        for i in range(count):
            if i in named:
                continue
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
