"""Where the next piece begins behind bytes that were put in or lost, and what one such place teaches of the others."""

from __future__ import annotations

import pytest

from inspector.format import Wishes
from inspector.formats.piece_cache import FORMAT
from inspector.formats.piece_cache.hunting import Hunt
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.formats.piece_cache.merging import identities
from inspector.source import MemorySource
from tests.builders.piece_cache import element

SEVEN, ROUND = element(7), element(256)  # of which the index begins with a zero
BAD = SEVEN[:-1] + bytes([SEVEN[-1] ^ 1])


def hunt(data: bytes) -> Hunt:
    return Hunt(MemorySource(data, "piece_cache.bin"))


@pytest.mark.parametrize("back", [1, 2, 8, 9])
def test_a_piece_that_begins_with_zeroes_is_found_before_them(back: int) -> None:
    """At most as many bytes as an index has, and what was found is tried first from then on."""
    found = hunt(bytes(100) + ROUND)
    found.distances = [3]
    assert found.back(100 + back) == (back if back <= 8 else 0)
    assert found.distances == ([100, 3] if back <= 8 else [3])
    assert found.tries == 512 - min(back, 8)


def test_nothing_is_tried_where_the_tries_have_ended() -> None:
    found = hunt(bytes(100) + ROUND)
    found.tries = 0
    assert found.back(101) == 0
    found.tries = 1
    assert (found.back(101), found.tries) == (1, 0)


@pytest.mark.parametrize("more", [1, 37, 4096])
def test_bytes_that_were_put_in_are_passed_over_and_the_distance_is_kept(more: int) -> None:
    found = hunt(BAD + b"\1" * more + SEVEN + bytes(50))
    assert found.next(0) == ELEMENT + more
    assert found.distances[0] == more
    assert found.next(ELEMENT + more - ELEMENT) == ELEMENT + more


def test_the_places_that_were_met_last_are_asked_first_and_six_are_kept() -> None:
    found = hunt(BAD)
    for distance in (5, 6, 7, 8, 9, 5):
        found._learn(distance)
    assert found.distances == [5, 9, 8, 7, 6, len(BAD) % ELEMENT]


def test_a_bad_element_before_an_empty_or_another_bad_one_has_not_moved() -> None:
    assert hunt(BAD + bytes(ELEMENT)).next(0) == ELEMENT
    assert hunt(BAD + BAD + SEVEN).next(0) == ELEMENT
    assert hunt(BAD + BAD + BAD).next(0) is None


def test_what_is_no_piece_is_counted_apart() -> None:
    state = FORMAT.open(MemorySource(SEVEN + bytes(ELEMENT) + BAD + bytes(ELEMENT), "piece_cache.bin"), None, Wishes())
    told = identities(state)
    assert len([row for rows in told.rows for row in rows]) == 1
    assert told.kinds == {1: "piece"}
    assert told.counts == {"empty": 2, "bad": 1}


@pytest.mark.parametrize(
    "place", [1, 2, 300, ELEMENT - 7, ELEMENT, ELEMENT + 5, 2 * ELEMENT - 1, 2 * ELEMENT, 2 * ELEMENT + 1]
)
@pytest.mark.parametrize("index", [1, 0xFF, 0x100, 0x1FF, 0x10000, 0xABCDEF, 0x1000000, 0xFFFFFFFF])
def test_what_looks_like_an_index_is_found_where_it_begins(place: int, index: int) -> None:
    """Up to two lengths behind, and where a whole element fits before the end; nothing between other bytes is one."""
    head = index.to_bytes(8, "little")
    data = (b"\x5a" * place + head).ljust(4 * ELEMENT, b"\x5a")
    for size in (4 * ELEMENT, place + ELEMENT, place + ELEMENT - 1):
        fits = place <= 2 * ELEMENT and place + ELEMENT <= size
        assert (place in hunt(data[:size])._heads(0)) is fits
    found = hunt(data)
    assert all(abs(one - place) < 4 for one in found._heads(0))  # a zero of its lower half may begin another
    found.tries = 0
    assert found._heads(0) == []


def test_a_cache_is_known_by_its_first_four_elements() -> None:
    for number, strength in ((0, 98), (3, 98), (4, 0)):
        data = BAD * number + SEVEN + BAD * (5 - number)
        assert FORMAT.claim(MemorySource(data, "cache"), None).strength == strength
    assert FORMAT.claim(MemorySource(SEVEN, "cache"), None).strength == 98
    assert FORMAT.claim(MemorySource(SEVEN + b"1", "cache"), None).strength == 0
    assert FORMAT.claim(MemorySource(SEVEN + b"1", "piece_cache.bin"), None).strength == 98
    assert FORMAT.claim(MemorySource(b"", "piece_cache.bin"), None).strength == 70


@pytest.mark.parametrize("more", [0, 5, 152, ELEMENT - 1])
def test_first_asked_are_the_places_of_elements_that_begin_with_the_file_or_end_with_it(more: int) -> None:
    assert hunt(BAD + b"\1" * more).distances == [more, 0]
