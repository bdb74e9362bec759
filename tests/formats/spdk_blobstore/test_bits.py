"""Ranges of a bit set: taken whole or not at all."""

from __future__ import annotations

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
