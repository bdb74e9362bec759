"""A copy seen with pieces of other copies."""

from __future__ import annotations

from random import Random

from inspector.copies import Patch, Quilt
from inspector.source import MemorySource


def test_reads_of_a_quilt_are_those_of_its_patches_wherever_they_begin_and_end() -> None:
    rng = Random(1)
    below, others = rng.randbytes(300), {1: rng.randbytes(280), 2: rng.randbytes(300)}
    patches = [Patch(10, 30, 1), Patch(30, 31, 2), Patch(100, 180, 2), Patch(270, 280, 1)]
    whole = bytearray(below)
    for patch in patches:
        whole[patch.start : patch.end] = others[patch.copy][patch.start : patch.end]
    quilt = Quilt(MemorySource(below), {n: MemorySource(data) for n, data in others.items()}, patches[::-1])
    for _ in range(500):
        at, n = rng.randrange(310), rng.randrange(120)
        assert quilt.read(at, n) == bytes(whole[at : at + n])
    assert [quilt.taken_from(at) for at in (9, 10, 30, 31, 99, 179, 180)] == [None, 1, 2, None, None, 2, None]
