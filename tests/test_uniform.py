"""Stretches of one value, counted against a plain reading of every byte."""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from inspector.diagnosis import traces
from inspector.uniform import uniform


def plainly(data: bytes, least: int) -> list[tuple[int, int]]:
    found, at = [], 0
    for value, same in groupby(data):
        length = len(list(same))
        if value in (0, 255) and length >= least:
            found.append((at, at + length))
        at += length
    return found


@pytest.mark.parametrize("least", [1, 3, 14])
def test_every_stretch_of_zeroes_or_ones_is_found_once(least: int) -> None:
    chance = random.Random(7)
    for _ in range(60):
        data = b"".join(bytes([chance.choice((0, 255, 1, 254))]) * chance.randrange(1, 20) for _ in range(30))
        assert uniform(data, least) == plainly(data, least)


@pytest.mark.parametrize("data", [b"", b"\0", bytes(64), b"\xff" * 64, bytes(32) + b"\xff" * 32, b"a" + bytes(47)])
def test_stretches_at_the_ends_count(data: bytes) -> None:
    assert uniform(data, 32) == plainly(data, 32)


@pytest.mark.parametrize("lengths", [(1, 20), (60, 70), (500, 530), (14, 9000), (64, 64)])
def test_the_first_runs_are_whole_blocks_and_then_the_longest(lengths: tuple[int, int]) -> None:
    chance, least = random.Random(11), 512 - 2 * traces.CHANCE
    for _ in range(40):
        data = b"".join(bytes([chance.choice((0, 255, 7))]) * chance.randint(*lengths) for _ in range(30))
        at = chance.choice((0, 100, 4096))
        places = [traces.Run(at + a, at + b, data[a]) for a, b in plainly(data, 64) or plainly(data, 14)]
        ordered = sorted(
            places,
            key=lambda r: (r.length < least or traces.blocks_of(r.start, r.end) is None, -r.length, r.start),
        )
        for most in (1, 3, 99):
            assert traces.runs(data, at, most) == ordered[:most]
