"""What a format declares: rules, layouts, kinds and filters that hold together."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from inspector import formats
from inspector.format import Format, Query, Wishes
from inspector.inspect import CORE_RULES
from inspector.layout import Layout

FORMATS = formats.all_formats()
LAYOUTS = [(form, layout) for form in FORMATS for layout in form.layouts]
each_format = pytest.mark.parametrize("form", FORMATS, ids=lambda f: f.name)
each_layout = pytest.mark.parametrize(
    "layout", [layout for _, layout in LAYOUTS], ids=[f"{f.name}.{layout.name}" for f, layout in LAYOUTS]
)


def test_names_of_formats_are_unique_and_what_they_stand_on_exists() -> None:
    names = [form.name for form in FORMATS]
    assert len(set(names)) == len(names)
    assert all(form.on is None or form.on in names for form in FORMATS)


def test_codes_and_slugs_are_unique_over_all_formats() -> None:
    rules = [*CORE_RULES, *(rule for form in FORMATS for rule in form.rules)]
    assert [code for code, n in Counter(r.code for r in rules).items() if n > 1] == []
    for form in FORMATS:
        assert [slug for slug, n in Counter(r.slug for r in form.rules).items() if n > 1] == []


@each_format
def test_every_rule_explains_itself(form: Format) -> None:
    for rule in form.rules:
        assert re.fullmatch(r"[A-Z]{3}[0-9]{3}", rule.code), rule.code
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.slug), rule.slug
        assert rule.summary, rule.code
        assert "\n" not in rule.summary, rule.code
        assert rule.explanation, rule.code
        assert rule.loader, rule.code


@each_format
def test_a_bottom_format_walks_and_an_upper_one_does_not(form: Format) -> None:
    assert (form.walk is None) == (form.on is not None)


@each_format
def test_wishes_and_filters_are_ones_that_exist(form: Format) -> None:
    assert form.wishes <= set(Wishes.__struct_fields__)
    assert form.filters <= set(Query.__struct_fields__) | {"live", "deleted", "from", "to", "kind", "flag"}


@each_layout
def test_every_field_of_a_layout_has_a_meaning(layout: Layout) -> None:
    rows = list(layout.rows())
    assert rows
    assert [row.name for row in rows if not row.meaning] == []
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert layout.private | layout.secret | set(layout.show) <= set(names)


@each_layout
def test_a_layout_reads_any_bytes_and_gives_the_same_bytes_back(layout: Layout) -> None:
    rng = Random(layout.name)
    sizes = [row.size for row in layout.rows()]
    fixed = sum(size or 0 for size in sizes)
    for round_ in range(40):
        data = rng.randbytes(fixed + (0 if None not in sizes else rng.randrange(3000)))
        if round_ == 0:
            data = bytes(len(data))
        if round_ == 1:
            data = b"\xff" * len(data)
        values = layout.parse(data)
        if values is None:
            assert None in sizes, "a layout of fixed size did not read bytes of that size"
            continue
        built = layout.build(values)
        assert built == data[: len(built)]
        if None not in sizes:
            assert built == data
        told = layout.fields(data, base=100)
        assert [f.start for f in told[1:]] == [f.end for f in told[:-1]]
        assert told[-1].end == 100 + len(data)


@each_layout
def test_a_layout_never_raises_on_bytes_that_end_too_early(layout: Layout) -> None:
    data = Random(layout.name).randbytes(600)
    for size in range(0, 600, 7):
        layout.parse(data[:size])
        layout.fields(data[:size])


@each_layout
def test_the_fast_path_reads_what_the_layout_reads(layout: Layout) -> None:
    try:
        fast = layout.fast()
    except ValueError:
        assert any(row.size is None or row.type.startswith("bytes") for row in layout.rows())
        return
    rng = Random(layout.name)
    for _ in range(50):
        data = rng.randbytes(fast.size)
        values = layout.parse(data)
        assert values is not None
        slow = [v if isinstance(v, bytes) else int(v) for v in values.values()]
        assert slow == list(fast.unpack(data))
