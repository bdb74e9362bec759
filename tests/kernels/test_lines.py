"""The compiled reader of lines and its plain twin say the same."""

from __future__ import annotations

from array import array
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.kernels import plain_lines

TWINS: tuple[ModuleType, ...] = (plain_lines,)
if find_spec("inspector.kernels._lines"):
    TWINS = (plain_lines, import_module("inspector.kernels._lines"))
TEXT = st.lists(st.sampled_from([b"\n", b"a", b"ab", b"abc", b"\0", b"b\r\n"]), max_size=60).map(b"".join)


@given(TEXT, st.integers(0, 1 << 40))
def test_starts_of_lines_are_those_of_a_split(data: bytes, at: int) -> None:
    expected, place = [], at
    for line in data.splitlines(keepends=True) if b"\r" not in data else data.split(b"\n"):
        if b"\r" not in data:
            expected.append(place)
            place += len(line)
    for twin in TWINS:
        starts = twin.line_starts(data, at)
        assert starts.typecode == "Q"
        assert starts == plain_lines.line_starts(data, at)
        if b"\r" not in data:
            assert list(starts) == expected


@given(TEXT, st.integers(0, 1 << 40), st.lists(st.sampled_from([b"a", b"ab", b"abc", b"zz"]), max_size=3))
def test_lines_with_a_word_are_those_that_contain_it(data: bytes, at: int, needles: list[bytes]) -> None:
    lines = data.split(b"\n")
    expected = {i for i, line in enumerate(lines) if any(n in line for n in needles)}
    for twin in TWINS:
        assert twin.lines_with(data, twin.line_starts(data, at), at, tuple(needles)) == expected


@pytest.mark.parametrize("twin", TWINS, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
def test_an_empty_block_has_no_lines(twin: ModuleType) -> None:
    assert twin.line_starts(b"", 7) == array("Q")
    assert twin.lines_with(b"", array("Q"), 7, (b"a",)) == set()


@given(st.binary(max_size=80).map(lambda data: data * 40), st.integers(0, 1 << 40))
def test_lines_that_are_no_text_are_those_with_a_byte_that_text_never_holds(data: bytes, at: int) -> None:
    lines = data.split(b"\n")
    expected = {i for i, line in enumerate(lines) if any(bad in line for bad in plain_lines.NEVER_TEXT)}
    for twin in TWINS:
        assert twin.lines_never_text(data, twin.line_starts(data, at), at) == expected


@given(
    st.lists(st.sampled_from([b" error", b" err", b"or", b"x" * 15, b"\n", b"r" * 17, b"IO(", b"\0"]), max_size=60),
    st.sampled_from([b" error", b"IO(", b"rr", b"x", b"or error"]),
)
def test_a_word_is_found_as_often_and_where_it_stands(parts: list[bytes], word: bytes) -> None:
    data = b"".join(parts)
    lines = data.split(b"\n")
    for twin in TWINS:
        assert twin.occurrences(data, word) == data.count(word)
        assert twin.lines_with(data, twin.line_starts(data, 7), 7, (word,)) == {
            i for i, line in enumerate(lines) if word in line
        }
