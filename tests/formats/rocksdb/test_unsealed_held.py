"""What the content of a block is held to where no checksum seals it: order, types, restarts, numbers."""

from __future__ import annotations

from functools import partial

import pytest

from inspector.formats.rocksdb import block, checksums, keys, properties, unsealed
from inspector.formats.rocksdb.block import IndexShape, Pair
from inspector.formats.rocksdb.carve import Context
from inspector.formats.rocksdb.footer import Handle
from inspector.formats.rocksdb.properties import PREFIX
from inspector.formats.rocksdb.table import Role, Table

A, B = b"a", b"b"


def key(name: bytes, sequence: int = 9, kind: int = keys.PUT) -> bytes:
    return keys.internal(name, sequence, kind)


def table(comparator: str | None = None, *, user_keys: bool = False) -> Table:
    raw = {b"rocksdb.comparator": comparator.encode()} if comparator else {}
    stated = properties.Properties(raw) if comparator else None
    return Table(lambda at, n: b"", 0, properties=stated, shape=IndexShape(user_keys=user_keys))


ORDERS = [
    (None, False, [key(A), key(B)], True),
    (None, False, [key(B), key(A)], False),
    (None, False, [key(A), key(A)], True),  # an index may name a key twice
    (None, False, [key(A, 9), key(A, 8)], True),
    (None, False, [key(A, 8), key(A, 9)], False),
    (None, True, [A, B], True),
    (None, True, [A, A], True),
    (None, True, [B, A], False),
    (keys.BYTEWISE, False, [key(B), key(A)], False),
    (keys.REVERSE, False, [key(B), key(A)], True),
    (keys.REVERSE, False, [key(A), key(B)], False),
    (keys.REVERSE, False, [key(A, 9), key(A, 8)], True),
    (keys.REVERSE, True, [A, B], False),
    ("somebody's own", False, [key(B), key(A)], True),  # which nobody here knows
]


@pytest.mark.parametrize(("comparator", "user_keys", "found", "fits"), ORDERS)
def test_keys_of_an_index_ascend_by_the_tables_own_order(
    comparator: str | None, user_keys: bool, found: list[bytes], fits: bool
) -> None:
    assert unsealed._ascend(table(comparator, user_keys=user_keys), found) is fits


ENTRIES: list[tuple[Role, list[Pair], bool]] = [
    ("data", [(key(A), b"v")], True),
    ("data", [(key(A)[-8:], b"v")], True),  # a key may be empty
    ("data", [(key(A)[-7:], b"v")], False),
    ("data", [(key(A, kind=keys.RANGE_DELETE), b"v")], False),
    ("range-deletes", [(key(A, kind=keys.RANGE_DELETE), b"v")], True),
    ("range-deletes", [(key(A), b"v")], False),
    ("data", [(key(A, keys.MAX_SEQUENCE), b"v")], False),
    ("data", [(key(A, keys.MAX_SEQUENCE - 1), b"v")], True),
    ("data", [(key(A, kind=keys.DELETE), b"")], True),
    ("data", [(key(A, kind=keys.DELETE), b"v")], False),
    ("data", [(key(A, kind=keys.BLOB_INDEX), b"\xff")], False),
    ("data", [(key(B), b"v"), (key(A), b"v")], True),  # the walk tells what is out of order
    ("properties", [(A, b"v"), (B, b"v")], True),
    ("properties", [(B, b"v"), (A, b"v")], False),
    ("metaindex", [(A, b"v"), (A, b"v")], False),
    ("filter", [(A, b"v")], True),
]


@pytest.mark.parametrize(("role", "pairs", "fits"), ENTRIES)
def test_entries_are_what_a_writer_makes(role: Role, pairs: list[Pair], fits: bool) -> None:
    assert unsealed.fits(table(), role, block.build(pairs, 16)) is fits


@pytest.mark.parametrize(
    ("restarts", "fits"),
    [([], True), ([0], True), ([0, 1], True), ([0, 2], True), ([1], False), ([0, 0], False), ([0, 2, 1], False),
     ([0, 3], False)],
)  # fmt: skip
def test_restarts_rise_from_the_first_entry_to_others(restarts: list[int], fits: bool) -> None:
    """Places of three entries by number; the fourth is one at which none begins. An empty block has no restarts."""
    whole = block.build([(key(name), b"value") for name in (b"a", b"b", b"c")], 1)
    body = whole[: block.frame(whole).values_end]
    starts = [*(start for _, start, *_ in block.places(whole)), 1]
    words = [*(starts[number] for number in restarts), len(restarts)]
    made = (body if restarts else b"") + b"".join(word.to_bytes(4, "little") for word in words)
    assert unsealed._restarts_fit(made, set(starts[:3])) is fits


def test_an_empty_block_has_one_restart_at_its_start() -> None:
    for at, fits in ((0, True), (1, False)):
        made = at.to_bytes(4, "little") + (1).to_bytes(4, "little")
        assert unsealed._restarts_fit(made, set()) is fits


def piece(body: bytes, at: int, n: int) -> bytes:
    return body[at : at + n]


def test_properties_under_another_name_are_known_by_how_many_they_are() -> None:
    """Four at least: with three a block may be anything, and one whose name says what it is was not renamed."""
    for count in (2, 3, 4, 5):
        body = block.build([(PREFIX + b"%d" % i, b"\1") for i in range(count)], 1) + bytes(5)
        for name in (b"rocksdb.propertieX", b"rocksdb.properties"):
            one = Table(partial(piece, body), len(body), context=Context(checksums.NONE))
            one.meta = {name: Handle(0, len(body) - 5)}
            found = unsealed.properties_by_content(one)
            assert found == (Handle(0, len(body) - 5) if count > 3 and name.endswith(b"X") else None)


BITS = 0b1100
ORDER = keys.order_of(keys.BYTEWISE)


def test_numbers_above_the_last_one_lose_the_bits_that_none_has() -> None:
    """The last is 12: of four bits, so that 13 stays too high and 0b10110 is 6."""
    kept = unsealed.numbered(
        [(key(b"a", 12), b"1"), (key(b"b", 13), b"2"), (key(b"c", 0b10110), b"3"), (key(b"d", 0b11101), b"4"),
         (key(b"e", 0b11100), b"5")], BITS, ORDER,
    )  # fmt: skip
    assert kept == [(key(b"a", 12), b"1"), (key(b"c", 6), b"3"), (key(b"e", 12), b"5")]
    cleared = [(key(b"a", 0), b"1"), (key(b"b", 0), b"2")]
    assert unsealed.numbered([(key(b"a", 1), b"1"), (key(b"b", 0), b"2")], 0, ORDER) == cleared


def test_an_entry_that_is_out_of_order_with_its_number_put_right_is_left_out() -> None:
    older, newer = (key(b"a", 5), b"old"), (key(b"a", 16 + 7), b"new")
    assert unsealed.numbered([newer, older], BITS, ORDER) == [(key(b"a", 7), b"new"), older]
    assert unsealed.numbered([older, newer], BITS, ORDER) == [older]
    assert unsealed.numbered([newer], BITS, ORDER) == [(key(b"a", 7), b"new")]
    behind = (key(b"b", 3), b"x"), (key(b"a", 4), b"x")
    assert unsealed.numbered([*behind], BITS, ORDER) == [*behind]  # what keeps its number is not asked
    last = (key(b"b", 3), b"x"), (key(b"a", BITS), b"x")  # also the last number
    assert unsealed.numbered([*last], BITS, ORDER) == [*last]
    assert unsealed.numbered([older, newer], BITS, None) == [older, (key(b"a", 7), b"new")]
