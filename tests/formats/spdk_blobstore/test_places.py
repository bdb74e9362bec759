"""Whether bytes would make the page that is due at a place, and whose page it is that stands there instead."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from inspector.crc32c import crc32c
from inspector.format import Misplaced, Unit
from inspector.formats.spdk_blobstore.units import misplaced, unit
from tests.builders.spdk import PAGE, Image
from tests.formats.spdk_blobstore.support import look

NOISE = bytes(range(1, 129)) * 32


def image() -> Image:
    """Three volumes: roots in metadata pages 1, 3 and 5, their extent pages behind them."""
    made = Image()
    for number, name in enumerate(("one", "two", "three")):
        made.lvol(name, 4, [number])
    return made


MADE = image()
WHOLE = bytes(MADE.build())
MD = MADE.page_at(0)
LAST = MADE.page_at(MADE.md_len)


def seen(data: bytes | bytearray) -> tuple[Any, Any]:
    """What was inspected, and what reads it as it lies on the medium."""
    held = bytes(data)
    return look(held).state, lambda at, n: held[at : at + n]


def at(page: int) -> int:
    return MADE.page_at(page)


def page(number: int) -> bytes:
    return WHOLE[at(number) : at(number + 1)]


def with_pages(**pages: bytes) -> bytearray:
    """The image with other bytes in these metadata pages, p3=..."""
    made = bytearray(WHOLE)
    for name, data in pages.items():
        start = at(int(name[1:]))
        made[start : start + PAGE] = data
    return made


def sealed(data: bytes) -> bytes:
    return data[:4092] + struct.pack("<I", crc32c(data[:4092]))


def test_the_pages_of_a_store_are_where_they_are_and_nothing_else_is_one() -> None:
    state, read = seen(WHOLE)
    assert unit(state, "", 0, read) == Unit(PAGE, True)
    for number in range(7):
        assert unit(state, "", at(number), read) == Unit(at(number + 1), True)
    for start in (PAGE, MD - PAGE, MD + 512, LAST, LAST + PAGE):
        assert unit(state, "", start, read) is None
    assert unit(state, "", LAST - PAGE, read) == Unit(LAST, False)  # it is in no use: all zero
    assert unit(state, "", at(1), lambda start, n: read(start, n)[:-1]) == Unit(at(2), False)
    hurt = bytearray(WHOLE)
    hurt[100] ^= 1
    assert unit(state, "", 0, lambda start, n: bytes(hurt[start : start + n])) == Unit(PAGE, False)


def test_a_sealed_root_holds_in_its_own_place_only_and_an_extent_page_anywhere() -> None:
    state, _ = seen(WHOLE)
    for number in (1, 3, 5):
        assert unit(state, "", at(number), lambda s, n: page(number)) == Unit(at(number + 1), True)  # noqa: B023
        assert unit(state, "", at(number + 1), lambda s, n: page(number)) == Unit(at(number + 2), False)  # noqa: B023
        assert unit(state, "", at(number), lambda s, n: page(number + 1)) == Unit(at(number + 1), True)  # noqa: B023


def told(data: bytes | bytearray, number: int) -> Misplaced | None:
    state, read = seen(data)
    return misplaced(state, "", at(number), read)


def test_nothing_is_misplaced_in_a_healthy_store_and_where_no_page_is_due() -> None:
    state, read = seen(WHOLE)
    for start in (0, PAGE, MD + 7, *(at(n) for n in range(8)), LAST):
        assert misplaced(state, "", start, read) is None


def test_two_roots_that_changed_places_name_each_other() -> None:
    both = with_pages(p3=page(5), p5=page(3))
    assert told(both, 3) == Misplaced("swapped", "the sealed page 5 stands here, and page 3 in its place", at(5))
    assert told(both, 5) == Misplaced("swapped", "the sealed page 3 stands here, and page 5 in its place", at(3))


def test_a_root_that_stands_twice_was_written_in_two_places() -> None:
    because = "the sealed page 5 stands here as well: it was written, or kept, in two places"
    assert told(with_pages(p3=page(5)), 3) == Misplaced("stale-page", because)


@pytest.mark.parametrize(("there", "what"), [(NOISE, "what is no page of metadata"), (bytes(PAGE), "zeroes")])
def test_a_root_in_whose_place_other_bytes_stand_was_exchanged_with_them(there: bytes, what: str) -> None:
    free = 7
    found = told(with_pages(p7=page(5), p5=there), free)
    assert found == Misplaced("swapped", f"the sealed page 5 stands here, and {what} in its place", at(5))


def test_a_page_in_use_was_written_over_and_not_exchanged_with_zeroes() -> None:
    """Its own bytes stand nowhere: with what it held, page 5 would not be zero."""
    because = "a sealed page that belongs to place 5 stands here: an older one, or one that went astray"
    made = with_pages(p3=page(5), p5=bytes(PAGE))
    state, read = seen(made)
    state.homes, state.store = {}, state._built()  # as they lie there
    assert misplaced(state, "", at(3), read) == Misplaced("stale-page", because)


def test_an_older_root_that_went_astray_was_exchanged_with_nothing() -> None:
    because = "a sealed page that belongs to place 5 stands here: an older one, or one that went astray"
    older = sealed(page(5)[:4000] + b"older" + page(5)[4005:])
    assert told(with_pages(p3=older), 3) == Misplaced("stale-page", because)
    hurt = bytearray(page(5))
    hurt[200] ^= 1  # its own place holds it still, damaged
    assert told(with_pages(p3=older, p5=bytes(hurt)), 3) == Misplaced("stale-page", because)


def test_a_damaged_root_in_its_own_place_is_not_misplaced() -> None:
    hurt = bytearray(page(3))
    hurt[200:300] = bytes(range(1, 101))
    assert told(with_pages(p3=bytes(hurt)), 3) is None


@pytest.mark.parametrize("there", [NOISE, bytes(PAGE)])
def test_other_bytes_changed_places_with_a_root_that_stands_where_no_page_belongs(there: bytes) -> None:
    """In the masks or among the clusters: where exactly one sealed page of that name stands."""
    place = PAGE * 6 + LAST // PAGE * PAGE
    made = with_pages(p3=there)
    made[place : place + PAGE] = page(3)
    verb, what = ("stand", "zeroes") if there == bytes(PAGE) else ("stands", "what is no page of metadata")
    because = f"{what} {verb} here, and a sealed page of metadata at {place}, where none belongs"
    assert told(made, 3) == Misplaced("swapped", because, place)
    made[place + PAGE : place + 2 * PAGE] = page(3)
    assert told(made, 3) is None


def test_a_root_of_no_place_in_this_store_is_nobodys() -> None:
    far = bytearray(page(5))
    far[:4] = struct.pack("<I", MADE.md_len)
    assert told(with_pages(p3=sealed(bytes(far))), 3) is None
