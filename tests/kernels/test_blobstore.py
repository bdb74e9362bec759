"""The compiled judge of metadata pages and its plain twin say the same."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.formats.spdk_blobstore import page as pg
from inspector.kernels import plain_blobstore
from tests.builders.spdk import NONE, PAGE, desc, md_page

TWINS: tuple[ModuleType, ...] = (plain_blobstore,)
if find_spec("inspector.kernels._blobstore"):
    TWINS = (plain_blobstore, import_module("inspector.kernels._blobstore"))
ROOT = md_page(1 << 32 | 5, 0, NONE, b"")
EXTENT = md_page(1 << 32 | 9, 0, NONE, desc(6, bytes(8)))
CHAIN = md_page(1 << 32 | 5, 3, 17, desc(2, b"\1\0\1\0ab"))
PAGES = (bytes(PAGE), ROOT, EXTENT, CHAIN, b"\xff" * PAGE)


def flipped(page: bytes, bit: int) -> bytes:
    return page[: bit // 8] + bytes([page[bit // 8] ^ 1 << bit % 8]) + page[bit // 8 + 1 :]


@given(
    st.lists(st.tuples(st.sampled_from(PAGES), st.one_of(st.none(), st.integers(0, 8 * PAGE - 1))), max_size=12),
    st.sampled_from([PAGE, 2 * PAGE]),
    st.integers(0, 9),
)
def test_twins_agree_on_pages_of_all_kinds_and_on_flipped_ones(
    chosen: list[tuple[bytes, int | None]], size: int, first: int
) -> None:
    pages = [page if bit is None else flipped(page, bit) for page, bit in chosen]
    data = b"".join(page.ljust(size, b"x") for page in pages)
    expected = plain_blobstore.page_states(data, size, first)
    for twin in TWINS:
        assert twin.page_states(data, size, first) == expected


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__.rpartition(".")[2])
def test_a_page_is_what_its_head_says(twin: ModuleType) -> None:
    states, columns = twin.page_states(b"".join([*PAGES, ROOT]), PAGE, 0)
    assert list(states) == [pg.ZERO, pg.STRAY, pg.EXTENT, pg.CONT, pg.BAD, pg.ROOT]
    assert list(columns[0]) == [1, 2, 3, 5]
    assert list(columns[1]) == [pg.STRAY, pg.EXTENT, pg.CONT, pg.ROOT]
    assert list(columns[2]) == [1 << 32 | 5, 1 << 32 | 9, 1 << 32 | 5, 1 << 32 | 5]
    assert list(columns[3]) == [0, 0, 3, 0]
    assert list(columns[4]) == [NONE, NONE, 17, NONE]


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__.rpartition(".")[2])
def test_every_flipped_bit_of_a_page_is_noticed(twin: ModuleType) -> None:
    bits = range(0, 8 * PAGE, 61)
    states, columns = twin.page_states(b"".join(flipped(ROOT, bit) for bit in bits), PAGE, 5)
    assert set(states) == {pg.BAD}
    assert not columns[0]


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__.rpartition(".")[2])
def test_a_part_of_a_page_is_refused(twin: ModuleType) -> None:
    with pytest.raises(ValueError, match="whole pages"):
        twin.page_states(bytes(PAGE + 1), PAGE, 0)
