"""What the search for pages that changed places may cost, and where it ends: each limit one below, at and above it."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inspector.format import Wishes
from inspector.formats.gossip_store import exchanged as module
from inspector.formats.gossip_store.borders import UNSEEN, Borders
from inspector.formats.gossip_store.exchanged import Exchange, exchanges
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.walk import Store, open_store
from inspector.kernels.gossip_tiles import LONGEST_RECORD
from inspector.overlay import Overlay, Piece
from inspector.source import MemorySource
from inspector.span import Run, Span
from tests import damage
from tests.builders.gossip import Store as Built
from tests.builders.gossip import healthy
from tests.formats.gossip_store.test_exchanged import swapped

SIZE = 4096  # the size that is tried first
WORK = 1 << 40
THREE = ((3, 11), (4, 20), (10, 25))


def opened(data: bytes) -> tuple[Store, list[Run]]:
    store = open_store(MemorySource(data), None, Wishes())
    return store, Known.of(store).areas


def hurt(*couples: tuple[int, int]) -> tuple[Store, list[Run]]:
    return opened(swapped(healthy(16, 120_000, 3), SIZE, *couples))


def places(found: list[Exchange]) -> list[list[int]]:
    return [[piece.start // SIZE for piece in one.pieces] for one in found]


@pytest.mark.parametrize("limit", ["MOST_AREAS", "MOST_BORDERS"])
def test_more_damage_than_is_searched_is_left(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, areas = hurt((3, 11))
    counted = {"MOST_AREAS": len(areas), "MOST_BORDERS": len(Borders(store, areas, WORK).at(SIZE))}
    for most, found in ((counted[limit] - 1, []), (counted[limit], [[3, 11]]), (counted[limit] + 1, [[3, 11]])):
        monkeypatch.setattr(module, limit, most)
        assert places(exchanges(store, areas)) == found


def test_so_many_circles_are_put_back_as_one_store_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    store, areas = hurt((2, 20), (9, 14), (17, 24))
    for most in (1, 2, 3, 4):
        monkeypatch.setattr(module, "MOST_CIRCLES", most)
        assert len(exchanges(store, areas)) == min(most, 3)


def test_the_search_costs_its_trials_and_the_bytes_around_the_pages_and_ends_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, areas = hurt((3, 11))
    borders = Borders(store, areas, WORK)
    borders.joins(SIZE)
    trials = WORK - borders.left
    assert trials
    assert trials % 1024 == 0  # no record here goes on for more than is held of a page
    ends = [(borders.area(page * SIZE), borders.area((page + 1) * SIZE)) for page in (3, 11)]
    looks = sum(two[1] - one[0] + 2 * LONGEST_RECORD for one, two in ends if one and two)
    asked: list[tuple[list[int], int]] = []  # circles, and what had been spent by then
    judge = module._Search._judged

    def seen(self: Any, circle: list[int], size: int) -> Any:
        asked.append((circle, WORK - self.borders.left))
        found = judge(self, circle, size)
        if circle == [3, 11]:
            assert WORK - self.borders.left == asked[-1][1] + looks
        return found

    with monkeypatch.context() as patch:
        patch.setattr(module._Search, "_judged", seen)
        assert module._Search(store, areas, WORK).next([])
    assert asked[0][1] == trials
    assert [3, 11] in [circle for circle, _ in asked]
    enough = asked[-1][1]  # at which the last circle is not looked at, and none may be said to be the only one
    for work, found in ((trials, False), (enough - 1, False), (enough, False), (enough + 1, True)):
        assert (module._Search(store, areas, work).next([]) is not None) is found
    again = module._Search(store, areas, WORK)
    one = again.next([])
    assert one
    assert again.after(one).borders.left == again.borders.left  # all circles of a store share one account


def test_pages_that_were_put_back_are_not_taken_again_and_those_beside_them_are() -> None:
    """Of three exchanges two have a page beside one of the third's, before or behind it."""
    store, areas = hurt(*THREE)
    assert sorted(places(exchanges(store, areas))) == sorted([list(pair) for pair in THREE])
    alone, its_areas = hurt((3, 11))
    search = module._Search(alone, its_areas)
    one = search.next([])
    assert one
    assert search.next([one]) is None
    for start, end in ((2, 3), (4, 11), (12, 13)):  # taken pages that touch these are no hindrance
        beside = Exchange((Piece(start * SIZE, bytes((end - start) * SIZE), "sealed", ""),), (0,), (), (), ())
        assert search.next([beside]) == one
    for at in (3, 11):
        for low, high in ((at * SIZE, at * SIZE + 1), ((at + 1) * SIZE - 1, (at + 1) * SIZE)):
            over = Exchange((Piece(low, bytes(high - low), "sealed", ""),), (0,), (), (), ())
            assert search.next([over]) is None


class Looked(dict[int, set[int]]):
    """Which pages belong where, and how many of those were looked at."""

    count = 0

    def get(self, key: int, default: Any = None) -> Any:
        found = super().get(key, default)
        self.count += len(found)
        return found


def circles(edges: dict[int, set[int]]) -> list[list[int]]:
    search = module._Search.__new__(module._Search)
    search._wanted = lambda size: edges  # type: ignore[method-assign]
    return search._circles(SIZE)


def full(count: int) -> Looked:
    """Every page may belong in the place of every other one."""
    return Looked({page: {*range(count)} - {page} for page in range(count)})


def test_the_search_for_circles_takes_as_many_steps_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    first = 5 * 4  # from each page to each other one; the next step closes the first circle
    for steps in (first - 1, first):
        monkeypatch.setattr(module, "_STEPS", steps)
        assert circles(full(5)) == []
    monkeypatch.setattr(module, "_STEPS", first + 1)
    assert circles(full(5)) == [[0, 1]]
    pairs = [[one, two] for one in range(5) for two in range(one + 1, 5)]
    monkeypatch.setattr(module, "_STEPS", first + len(pairs) * 4)
    assert circles(full(5)) == pairs
    edges = full(5)
    monkeypatch.setattr(module, "_STEPS", 10_000)
    monkeypatch.setattr(module, "MOST_TRIED", 1000)
    ways = circles(edges)
    assert sorted(map(len, ways)) == [2] * 10 + [3] * 20 + [4] * 30 + [5] * 24  # every circle once, the shortest first
    assert [*map(len, ways)] == sorted(map(len, ways))


def test_so_many_circles_are_looked_at_of_so_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for most in (2, 3, 4):
        monkeypatch.setattr(module, "MOST_PAGES", most)
        assert max(map(len, circles(full(5)))) == most
    for tried in (9, 10, 11, 29, 30, 31):
        monkeypatch.setattr(module, "MOST_TRIED", tried)
        assert len(circles(full(5))) == tried
    monkeypatch.setattr(module, "MOST_TRIED", 10)
    edges = full(5)
    assert len(circles(edges)) == 10
    assert edges.count <= 5 * 4 + 11 * 4  # the round that found them is the last one


def test_neighbours_of_pages_tell_more_up_to_a_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    search = module._Search.__new__(module._Search)
    joins = {2 * SIZE: [10 * SIZE], 11 * SIZE: [5 * SIZE]}
    search.borders = SimpleNamespace(joins=lambda size: joins)  # type: ignore[assignment]
    search.store = SimpleNamespace(size=32 * SIZE)  # type: ignore[assignment]
    told: dict[int, set[int]] = {2: {10}, 9: {1}, 11: {5}, 4: {10}}  # what the borders themselves say
    more: dict[int, set[int]]
    for most, more in ((3, {}), (4, {}), (5, {3: {5}}), (4000, {3: {5, 1}})):
        monkeypatch.setattr(module, "MOST_EDGES", most)
        found = {place: pages for place, pages in search._wanted(SIZE).items() if pages}
        assert found == told | more


def same_begin() -> tuple[bytes, int, int]:
    """Pages whose borders hold with either page before them, exchanged, far from the start of the store."""
    rng, made = Random(7), Built(14)
    made.data += healthy(14, 300_000)[1:]
    made.append(b"\x01\x02" + rng.randbytes(500 + (257 - len(made.data) - 514) % 512))
    assert len(made.data) % 512 == 257
    for last in range(100):
        for byte in (last if last != 60 else 20, 100 + last):
            made.append(b"\x01\x02" + rng.randbytes(241) + bytes([byte]))
    whole = made.bytes()
    one, two = (page for page in range(600, len(whole) // 512) if whole[512 * page] == 20)
    return swapped(whole, 512, (one, two)), one, two


def test_a_page_whose_border_holds_is_looked_at_from_two_records_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the longest: where a walk that begins in the middle of one is surely in step again."""
    bad, one, two = same_begin()
    reach = LONGEST_RECORD
    assert one * 512 > 3 * reach
    walks: list[tuple[int, int, int]] = []
    walk = module._Look.walk

    def seen(self: Any, start: int, low: int, high: int) -> None:
        walks.append((start, low, high))
        walk(self, start, low, high)

    monkeypatch.setattr(module._Look, "walk", seen)
    bad = damage.flip_bit(bad, one * 512 - 900, 1).data  # is not the exchange's
    store, areas = opened(bad)
    search = module._Search(store, areas, WORK)
    found = search._judged([one, two], 512)
    assert found
    ends = [area for page in (one, two) if (area := search.borders.area((page + 1) * 512))]
    assert walks == [(page * 512 - 2 * reach, page * 512, area[1]) for page, area in zip((one, two), ends, strict=True)]
    assert search.borders.left == WORK - sum(high - low + 2 * reach for _, low, high in walks)
    assert found.unmoved == 2
    assert found.exchange.left == ()


def test_a_border_that_stays_damaged_is_not_healed() -> None:
    whole = healthy(16, 120_000, 3)
    store, areas = opened(swapped(damage.flip_bit(whole, 11 * SIZE + 30, 3).data, SIZE, (3, 11)))
    found = module._Search(store, areas)._judged([3, 11], SIZE)
    assert found
    assert (found.broken, {*found.healed}) == (1, {3 * SIZE, 4 * SIZE, 12 * SIZE})
    (left,) = found.exchange.left
    assert left[0] < 11 * SIZE < left[1]


def test_the_records_that_begin_in_a_page_are_its_units() -> None:
    """The record over the end of a page begins in it, the one over its beginning does not."""
    whole = healthy(16, 120_000, 3)
    begins, at = [], 1
    while at < len(whole):
        begins.append(at)
        at += 12 + int.from_bytes(whole[at + 2 : at + 4], "big")
    store, areas = hurt((3, 11))
    found = module._Search(store, areas)._judged([3, 11], SIZE)
    assert found
    assert found.unmoved == 0
    held = [[at for at in begins if page * SIZE <= at < (page + 1) * SIZE] for page in (3, 11)]
    assert [piece.units for piece in found.exchange.pieces] == [len(one) for one in held]
    assert found.exchange.begins == (*held[0], *held[1])
    first = found.exchange.first
    middle = first.start + SIZE // 2
    assert found.exchange.part(first, first.start, middle).units == sum(at < middle for at in held[0])


def test_damage_hurts_the_borders_it_reaches() -> None:
    store, _ = hurt((3, 11))
    look = module._Look(store, Overlay(store.source, []), 1)
    look.bad = [(100, 200)]
    assert [look.hurts(at) for at in (99, 100, 200 + UNSEEN, 201 + UNSEEN)] == [False, True, True, False]


def judged(*starts: int, healed: int = 4, broken: int = 0) -> Any:
    pieces = tuple(Piece(at, bytes(SIZE), "sealed", "") for at in starts)
    exchange = Exchange(pieces, tuple(reversed(starts)), (), (), ())
    return module._Judged(exchange, broken, frozenset(range(starts[0], starts[0] + healed)), 0)


def test_the_best_circle_counts_unless_as_good_a_one_says_otherwise() -> None:
    one, rival, far = judged(0, 8 * SIZE), judged(0, 16 * SIZE), judged(4 * SIZE, 20 * SIZE)
    worse = judged(0, 24 * SIZE, healed=3)
    assert module._only([]) is None
    assert module._only([one]) is one.exchange
    assert module._only([one, rival]) is None
    assert module._only([one, worse]) is one.exchange
    assert module._only([worse, one]) is one.exchange
    assert module._only([one, rival, far]) is far.exchange
    assert module._only([one, far]) is one.exchange
    assert module._only([judged(0, 8 * SIZE, broken=1), rival]) is rival.exchange


def test_neighbours_whose_damage_is_one_area_go_back() -> None:
    """Short pages, and records that reach from one of their borders to the next."""
    hits = 0
    for seed in range(12):
        rng, made = Random(seed), Built(16)
        for _ in range(60):
            made.append(b"\x01\x02" + rng.randbytes(rng.randrange(150, 480)))
        whole = made.bytes()
        page = rng.randrange(2, len(whole) // 512 - 2)
        store, areas = opened(swapped(whole, 512, (page, page + 1)))
        found = exchanges(store, areas)
        back = Overlay(store.source, [piece for one in found for piece in one.pieces]).read(0, len(whole))
        assert back == (whole if found else store.source.read(0, len(whole)))
        hits += len(areas) == 1 and bool(found)
    assert hits > 6


def test_damage_that_stays_hurts_what_goes_there_and_nothing_else() -> None:
    here, there = 1 * SIZE, 4 * SIZE
    pieces = (Piece(here, bytes(SIZE), "sealed", ""), Piece(there, bytes(SIZE), "sealed", ""))
    touched = ((here - 100, here + SIZE + 100), (there - 100, there + SIZE + 100))
    one = Exchange(pieces, (there, here), (), touched, ((there - 10, there + 10),))
    for span, covered in (
        (Span(there, there + 50), True),  # goes to where nothing is damaged
        (Span(here, here + 10), False),  # goes to the damage
        (Span(here + 9, here + 10), False),
        (Span(here + 10, here + 20), True),
        (Span(there - 10, there), False),  # stays at it
        (Span(there - 20, there - 10), True),
        (Span(there - 11, there + 1), False),
        (Span(here - 100, here), True),
        (Span(here - 101, here), False),  # not all of it is looked at
    ):
        assert one.covers(span) is covered
