"""What both carving kernels give out: finds in columns."""

from array import array

from msgspec import Struct


class Finds(Struct, frozen=True):
    """Records that verify, in the order of their offsets, none inside another; find i is starts[i], sizes[i] bytes.

    owners, nodes_a, nodes_b, aux as in a Batch. marks: OK, or ANCHORED where the find lies inside what a record
    claims that looks right twice over and does not verify; `suspect` is where the first of those begins (-1: there
    is none) and `suspect_end` where the furthest ends.
    """

    starts: "array[int]"
    sizes: "array[int]"
    kinds: "array[int]"
    flags: "array[int]"
    times: "array[int]"
    owners: "array[int]"
    nodes_a: "array[int]"
    nodes_b: "array[int]"
    aux: "array[int]"
    marks: "array[int]"
    suspect: int
    suspect_end: int

    def __len__(self) -> int:
        return len(self.starts)
