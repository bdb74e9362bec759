"""Damage is always a change, and says where."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import damage
from tests.damage import Damaged

DATA = bytes(range(1, 201)) + b"\n" + bytes(range(1, 56))

KINDS: dict[str, Callable[[], Damaged]] = {
    "flip_bit": lambda: damage.flip_bit(DATA, 17, 3),
    "flip_bits": lambda: damage.flip_bits(DATA, 10, 20, 5, seed=4),
    "zero": lambda: damage.zero(DATA, 30, 40),
    "ones": lambda: damage.ones(DATA, 30, 40),
    "noise": lambda: damage.noise(DATA, 5, 50, seed=1),
    "overwrite": lambda: damage.overwrite(DATA, 3, b"xyz"),
    "swap": lambda: damage.swap(DATA, 100, 8, 16),
    "stale": lambda: damage.stale(DATA, 100, 8, 16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_damage_in_place_touches_only_the_bytes_it_names(kind: str) -> None:
    done = KINDS[kind]()
    differs = {i for i, (a, b) in enumerate(zip(DATA, done.data, strict=True)) if a != b}
    named = {i for start, end in done.spans for i in range(start, end)}
    assert differs
    assert differs <= named
    assert done == KINDS[kind]()


def test_bytes_put_in_and_taken_out_move_the_rest() -> None:
    assert damage.splice(DATA, 9, b"abc").data[12:] == DATA[9:]
    assert damage.cut(DATA, 9, 12).data[9:] == DATA[12:]
    assert damage.append(DATA, b"abc") == Damaged(DATA + b"abc", ((256, 259),))
    assert damage.truncate(DATA, 99) == Damaged(DATA[:99], ((99, 99),))
    assert damage.tear(DATA, b"\x20\x00\x01", 2) == Damaged(DATA + b"\0\0", ((256, 258),))
    assert damage.crlf(DATA).spans == ((9, 10), (201, 202), (212, 213))


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: damage.zero(bytes(9), 2, 5),
        lambda: damage.ones(b"\xff" * 9, 2, 5),
        lambda: damage.swap(bytes(9), 0, 4, 3),
        lambda: damage.swap(DATA, 0, 4, 9),
        lambda: damage.splice(DATA, 4, b""),
        lambda: damage.cut(DATA, 4, 4),
        lambda: damage.truncate(DATA, len(DATA)),
        lambda: damage.tear(DATA, b"abc", 3),
        lambda: damage.crlf(b"one line"),
        lambda: damage.overwrite(DATA, 0, DATA[:4]),
    ],
)
def test_damage_that_changes_nothing_is_an_error(attempt: Callable[[], Damaged]) -> None:
    with pytest.raises(ValueError, match=r"."):
        attempt()
