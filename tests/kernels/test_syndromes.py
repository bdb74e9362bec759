"""Both twins find the same flipped bits by their effect, and find those that were flipped."""

from __future__ import annotations

from array import array
from importlib import import_module
from importlib.util import find_spec
from random import Random
from types import ModuleType

import pytest

from inspector.crc32c import crc32c
from inspector.kernels import plain_syndromes

TWINS: tuple[ModuleType, ...] = (plain_syndromes,)
if find_spec("inspector.kernels._syndromes") is not None:
    TWINS = (plain_syndromes, import_module("inspector.kernels._syndromes"))
each = pytest.mark.parametrize("twin", TWINS, ids=lambda m: m.__name__.rsplit(".", 1)[-1])


def effects(twin: ModuleType, count: int) -> array[int]:
    zero = crc32c(b"\0")
    made = array("I", [crc32c(bytes([1 << bit])) ^ zero for bit in range(8)])
    twin.grow(made, count)
    return made


@each
def test_an_effect_is_what_the_flip_does_to_the_checksum(twin: ModuleType) -> None:
    rng = Random(1)
    found = effects(twin, 8 * 700)
    assert len(found) == 8 * 700
    for length in (1, 2, 47, 433, 700):
        data = rng.randbytes(length)
        for k in (0, 8 * length - 1, rng.randrange(8 * length)):
            hurt = bytearray(data)
            hurt[length - 1 - k // 8] ^= 1 << k % 8
            syndrome = crc32c(data) ^ crc32c(hurt)
            assert syndrome == found[k]
            assert twin.place(found, 8 * length, syndrome) == k


@each
def test_two_flips_are_found_and_nothing_else(twin: ModuleType) -> None:
    rng = Random(2)
    found = effects(twin, 8 * 655)
    for length in (1, 3, 60, 655):
        for _ in range(5):
            one, two = sorted(rng.sample(range(8 * length), 2))
            assert twin.pairs(found, 8 * length, found[one] ^ found[two]) == [(one, two)]  # at most one up to 655 bytes


@each
def test_what_no_flip_explains_is_not_found(twin: ModuleType) -> None:
    found = effects(twin, 8 * 20)
    assert twin.place(found, 160, 0) == -1
    assert twin.place(found, 0, found[0]) == -1
    assert twin.pairs(found, 160, 0) == []  # a bit is no pair with itself
    assert twin.pairs(found, 0, 1) == []
    before = found[:]
    twin.grow(found, 8)
    assert found == before
    for search in (twin.place, twin.pairs):
        with pytest.raises(IndexError):
            search(found, 161, 1)


@pytest.mark.skipif(len(TWINS) < 2, reason="the extension was not built here")
def test_both_twins_say_the_same_of_random_syndromes() -> None:
    rng = Random(3)
    plain, fast = TWINS
    tables = effects(plain, 8 * 1500), effects(fast, 8 * 1500)
    assert tables[0] == tables[1]
    met = 0
    for _ in range(60):
        count = rng.randrange(8 * 1500)
        wanted = tables[0][rng.randrange(len(tables[0]))]
        if rng.random() < 0.7:
            wanted ^= tables[0][rng.randrange(len(tables[0]))] if rng.random() < 0.7 else rng.getrandbits(32)
        assert plain.place(tables[0], count, wanted) == fast.place(tables[1], count, wanted)
        told = plain.pairs(tables[0], count, wanted)
        assert told == fast.pairs(tables[1], count, wanted)
        met += len(told)
    assert met > 5
