"""A comparison in words for people: the counts first, then the first differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from inspector.comparing import Comparison, Described, Difference
from inspector.counted import plural
from inspector.render.text import Block, Column, Heading, Part, Table, para, place, row, size_words
from inspector.sanitize import clean
from inspector.source import Source

TITLES = {"only_a": "only in A", "only_b": "only in B", "changed": "changed"}
FIELDS = 6  # of one thing in a line


def diff_blocks(
    sources: Sequence[Source], name: str, found: Comparison, listed: Iterable[Difference], brief: Sequence[str] = ()
) -> Iterator[Block]:
    """The whole screen of `inspector diff`; `brief` are the fields to show of what only one side has."""
    for letter, source, counts in zip("AB", sources, (found.a.counts, found.b.counts), strict=True):
        rest = [f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items() if count]
        more = f"; not compared: {', '.join(rest)}" if rest else ""
        label = clean(source.label, 300)
        yield para((f"{letter} ", "strong"), (label, "strong"), f": {name}, {size_words(source.size)}{more}", hang=2)
    if not found.total:
        yield para(("no difference", "good"), f" in {plural(sum(found.same.values()), 'record')}")
    else:
        yield para((plural(found.total, "difference"), "warn"))
    yield from _counts(found)
    shown = 0
    for one in listed:
        if not shown:
            yield Heading("Differences", "by kind and name")
        shown += 1
        yield _difference(one, brief)
    if shown < found.total:
        yield para((f"… {found.total - shown:,} more: --limit N lists more, --jsonl all of them", "dim"), indent=2)


def _counts(found: Comparison) -> Iterator[Block]:
    kinds = sorted({*found.same, *found.only_a, *found.only_b, *found.altered})
    if not kinds:
        return
    yield Heading("Counts")
    titles = ("same", "changed", "only in A", "only in B")
    columns = (Column(""), *(Column(title, right=True) for title in titles))
    by = (found.same, found.altered, found.only_a, found.only_b)
    yield Table(columns, [row(kind, *(counts.get(kind, 0) for counts in by)) for kind in kinds])


def _difference(one: Difference, brief: Sequence[str]) -> Block:
    what: Part = (TITLES[one.what], "warn" if one.what == "changed" else "note")
    where = ", ".join(f"{letter} {_where(side)}" for letter, side in (("A", one.a), ("B", one.b)) if side is not None)
    return para(
        what, f" {one.kind} ", (clean(one.name, 200), "strong"), f" at {where}{_fields(one, brief)}", indent=2, hang=2
    )


def _where(side: Described) -> str:
    member = f"{clean(side.span.member, 200)} " if side.span.member else ""
    return f"{member}{place(side.span.start)}"


def _fields(one: Difference, brief: Sequence[str]) -> str:
    if one.what == "changed":
        pairs = [f"{name} {_short(a)} -> {_short(b)}" for name, (a, b) in one.changed.items()]
    else:
        only = one.a or one.b
        told = only.fields if only else {}
        names = [name for name in brief if told.get(name) not in (None, one.name)] or list(told)
        pairs = [f"{name} {_short(told[name])}" for name in names]
    rest = f", and {len(pairs) - FIELDS} more" if len(pairs) > FIELDS else ""
    return f": {', '.join(pairs[:FIELDS])}{rest}" if pairs else ""


def _short(value: Any) -> str:
    text = clean(str(value), 200)
    return text if len(text) <= 40 else f"{text[:18]}…{text[-18:]}"
