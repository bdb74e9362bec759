"""Records of a WAL by their numbers: which stay, which are copies, and where the others belong."""

from __future__ import annotations

from array import array
from itertools import combinations, pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inspector.formats.rocksdb.facts import LogFacts
from inspector.formats.rocksdb.order import END, Order, _Log, _places, _rising, strangers


def longest(numbers: list[int]) -> int:
    """By all subsequences."""
    for size in range(len(numbers), 0, -1):
        if any(all(a < b for a, b in pairwise(some)) for some in combinations(numbers, size)):
            return size
    return 0


def test_the_most_records_that_rise_are_kept() -> None:
    rng = Random(4)
    for _ in range(150):
        numbers = [rng.randrange(9) for _ in range(rng.randrange(9))]
        kept = _rising(array("Q", numbers))
        stays = [n for n, keep in zip(numbers, kept, strict=True) if keep]
        assert sorted(set(stays)) == stays
        assert len(stays) == longest(numbers)


def placed(
    records: list[tuple[int, int]],
    due: int | None = None,
    begun: frozenset[int] = frozenset({1}),
    behind: int | None = None,
    broken: frozenset[int] = frozenset(),
) -> Order:
    """Of records with their first number and how many they take; record n begins at 100 n."""
    read = _Log(
        array("Q", [100 * n for n in range(len(records))]),
        array("Q", [first for first, _ in records]),
        array("Q", [count for _, count in records]),
    )
    read.kept = _rising(read.firsts)
    own = [i for i, kept in enumerate(read.kept) if kept]
    return _places(read, own, due, begun, behind, broken)


A, B, C, D, E, F = ((n, 1) for n in range(1, 7))


@pytest.mark.parametrize(
    ("records", "more", "astray", "before"),
    [
        ([A, B, C], {}, {}, {}),
        ([A, C, B, D], {}, {100: "moved"}, {300: (100,)}),  # of two that changed places either could be moved
        ([A, B, D, C, E, F], {}, {200: "moved"}, {400: (200,)}),
        ([A, B, A, C, D], {}, {200: "copy"}, {}),
        ([A, (2, 3), (3, 1), (5, 1), (6, 1)], {}, {}, {}),  # numbers that rise are in order
        ([A, (2, 3), (5, 1), (6, 1), (3, 1), (7, 1)], {}, {400: "copy"}, {}),  # within those of a batch before
        ([A, (2, 3), (5, 1), (6, 1), (4, 2)], {}, {400: "copy"}, {}),
        ([A, (4, 1), (5, 1), (2, 2), (6, 1)], {}, {300: "moved"}, {100: (300,)}),
        ([A, (4, 1), (5, 1), (2, 3), (6, 1)], {}, {300: "copy"}, {}),  # it would reach into the next
        ([A, (4, 1), (5, 1), (3, 1), (2, 1), (6, 1)], {}, {300: "moved", 400: "moved"}, {100: (400, 300)}),
        ([A, (5, 1), (6, 1), (3, 1), (3, 1)], {}, {300: "moved", 400: "copy"}, {100: (300,)}),
        ([A, B, D, C, E, F], {"broken": frozenset({200})}, {200: "lost"}, {}),  # what makes no sense goes nowhere
        ([A, B, D, C, E, F], {"broken": frozenset({300})}, {200: "moved"}, {400: (200,)}),
        # behind the last one: only what goes on exactly
        ([D, A, B, C], {}, {0: "moved"}, {END: (0,)}),
        ([E, A, B, C], {}, {0: "lost"}, {}),
        ([D, A, B, C], {"behind": 5}, {0: "moved"}, {END: (0,)}),
        ([D, A, B, C], {"behind": 4}, {0: "lost"}, {}),
        # before the first one: only where a log may begin so
        ([B, C, D, A], {}, {300: "moved"}, {0: (300,)}),
        ([C, D, E, A], {}, {300: "lost"}, {}),
        ([C, D, E, B], {}, {300: "lost"}, {}),
        ([C, D, E, B], {"begun": frozenset({1, 2})}, {300: "moved"}, {0: (300,)}),
        ([C, D, E, B], {"due": 3}, {300: "copy"}, {}),
        ([C, D, E, B], {"due": 2, "begun": frozenset({2})}, {300: "moved"}, {0: (300,)}),
    ],
)
def test_a_record_out_of_order_is_a_copy_or_belongs_where_its_numbers_are_missing(
    records: list[tuple[int, int]], more: dict[str, Any], astray: dict[int, str], before: dict[int, tuple[int, ...]]
) -> None:
    found = placed(records, **more)
    assert (dict(found.astray), dict(found.before)) == (astray, before)


def test_numbers_that_no_record_has_are_told_between_those_in_order() -> None:
    assert placed([A, (4, 1), (5, 2), (8, 1)]).gaps == ((100, 2, 4), (300, 7, 8))
    assert placed([A, B, C]).gaps == ()
    # under a copy they were lost, and it tells of that
    assert placed([A, B, A, (5, 1), (6, 1)]).gaps == ()
    # one that is put back fills its place
    assert placed([A, (4, 1), (5, 1), (2, 1), (6, 1)]).gaps == ((100, 3, 4),)
    assert placed([A, (4, 1), (5, 1), (2, 2), (6, 1)]).gaps == ()


def log_of(first: int | None, highest: int) -> LogFacts:
    facts = LogFacts()
    facts.first_sequence, facts.highest = first, highest
    return facts


@pytest.mark.parametrize(
    ("logs", "odd"),
    [
        ([(1, 9), (10, 19), (20, 29)], set()),
        ([(1, 9), (40, 49), (10, 19), (20, 29)], {1}),
        ([(1, 9), (10, 19), (10, 15), (20, 29)], {2}),  # of two that begin alike the longer one
        ([(1, 9), (10, 15), (10, 19), (20, 29)], {1}),
        ([(1, 25), (10, 19), (30, 39)], {1}),  # within another one
        ([(0, 5), (6, 9)], set()),
        ([(None, 0), (6, 9)], set()),
    ],
)
def test_a_log_whose_numbers_do_not_rise_with_the_others_is_a_stranger(
    logs: list[tuple[int | None, int]], odd: set[int]
) -> None:
    names = [f"{n:06d}.log" for n in range(len(logs))]
    facts = {name: log_of(*one) for name, one in zip(names, logs, strict=True)}
    db: Any = SimpleNamespace(live_wals=lambda: list(enumerate(names)), facts=facts)
    assert strangers(db) == {names[n] for n in odd}
