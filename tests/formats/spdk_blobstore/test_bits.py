"""Ranges of a bit set: taken whole or not at all."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from inspector.formats.spdk_blobstore.bits import CHUNK, Bits

PLACES = st.one_of(st.integers(0, 70), st.integers(8 * CHUNK - 70, 8 * CHUNK + 70), st.integers(0, 24 * CHUNK))


@given(st.lists(st.tuples(PLACES, st.integers(1, 200)), max_size=8))
def test_a_range_is_taken_only_where_nothing_of_it_is_set(ranges: list[tuple[int, int]]) -> None:
    bits, known = Bits(), set[int]()
    for start, length in ranges:
        wanted = set(range(start, start + length))
        free = not wanted & known
        assert bits.take(start, start + length) == free
        if free:
            known |= wanted
        assert bits.count == len(known)
    assert list(bits) == sorted(known)


def test_a_range_over_several_chunks_is_taken_whole() -> None:
    bits = Bits()
    assert bits.take(5, 20 * CHUNK)
    assert bits.count == 20 * CHUNK - 5
    assert not bits.take(20 * CHUNK - 1, 40 * CHUNK)
    assert bits.count == 20 * CHUNK - 5


@given(
    st.lists(st.tuples(PLACES, st.integers(0, 300)), max_size=4),
    st.one_of(PLACES, st.integers(8 * CHUNK - 9, 8 * CHUNK + 9), st.integers(16 * CHUNK - 9, 16 * CHUNK + 9)),
)
def test_a_mask_is_the_bits_of_one_large_number(ranges: list[tuple[int, int]], size: int) -> None:
    bits, number = Bits(), 0
    for start, length in ranges:
        bits.add_range(start, start + length)
        number |= ((1 << length) - 1) << start
    assert bits.count == number.bit_count()
    whole = -(-size // 8)
    expected = (number & ((1 << whole * 8) - 1)).to_bytes(whole, "little")
    assert b"".join(bits.to_bytes(size)) == expected
    edges = [bit for start, length in ranges for bit in (start - 1, start + length) if bit >= 0]
    assert all((bit in bits) == bool(number >> bit & 1) for bit in edges)


def test_a_range_over_whole_chunks_is_added_at_once_and_read_back() -> None:
    bits = Bits()
    bits.add_range(8 * CHUNK - 3, 24 * CHUNK + 5)
    number = (1 << 16 * CHUNK + 8) - 1 << 8 * CHUNK - 3
    assert bits.count == 16 * CHUNK + 8
    assert b"".join(bits.to_bytes(32 * CHUNK)) == number.to_bytes(4 * CHUNK, "little")


@given(
    st.lists(st.tuples(PLACES, st.integers(1, 200)), max_size=4),
    st.lists(st.tuples(PLACES, st.integers(1, 300)), max_size=3),
)
def test_numbers_are_covered_where_each_but_zero_is_set(
    ranges: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    bits, known = Bits(), set[int]()
    for start, length in ranges:
        bits.add_range(start, start + length)
        known |= set(range(start, start + length))
    for start, length in (*ranges, *asked, *((start + length - 1, 2) for start, length in ranges)):
        run = array("I", range(start, start + length))
        assert bits.covers(run) == (set(run) - {0} <= known)
    mixed = array("I", (number for start, length in asked for number in (start, start + length, 0)))
    assert bits.covers(mixed) == (set(mixed) - {0} <= known)
    assert bits.covers(array("I", (*sorted(known)[::3], 0)))
