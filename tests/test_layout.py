"""The quick reading of a layout is construct's own reading, on any bytes."""

from __future__ import annotations

import construct as c
from hypothesis import given
from hypothesis import strategies as st

from inspector.formats import all_formats
from inspector.layout import Layout

LAYOUTS = [layout for form in all_formats() for layout in form.layouts]


def slow(layout: Layout, data: bytes) -> dict[str, object] | None:
    try:
        return {k: v for k, v in layout.struct.parse(data).items() if not k.startswith("_")}
    except c.ConstructError:
        return None


@given(st.sampled_from(LAYOUTS), st.binary(max_size=600))
def test_both_readings_agree_on_random_bytes(layout: Layout, data: bytes) -> None:
    assert layout.parse(data) == slow(layout, data)


@given(st.sampled_from(LAYOUTS), st.integers(0, 600))
def test_both_readings_agree_on_zeroes_where_every_inner_length_is_none(layout: Layout, size: int) -> None:
    assert layout.parse(bytes(size)) == slow(layout, bytes(size))
