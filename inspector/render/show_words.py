"""An exhibit in words for people: fields, bytes, what is wrong with them, and what lies beside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from inspector.counted import plural
from inspector.format import Entry, Exhibit, Item
from inspector.render.hexdump import colour, hexdump, letter
from inspector.render.record_lines import LONG, LONG_SHOWN, cut, field_words
from inspector.render.scan_words import LEVELS, finding_blocks
from inspector.render.text import Block, Column, Heading, Part, Table, Verbatim, para, place, row
from inspector.sanitize import clean

NEAR_LIMIT = 160  # columns of a neighbour's words
HEX = re.compile("[0-9a-f]+…?")
FIELD_LIMIT = 300  # characters of one value


def exhibit_blocks(exhibit: Exhibit, limit: int, coloured: bool, brief: Sequence[str] = ()) -> Iterator[Block]:
    """The whole screen of `inspector show`; `limit` bytes are dumped at most."""
    span = exhibit.span
    sound = exhibit.state == "ok"
    state: Part = (clean(exhibit.state), "good" if sound else "bad")
    yield para((clean(exhibit.title), "strong"), ": ", state, hang=2)
    where = f"in {clean(span.member)}, " if span.member else ""
    yield para(f"{where}{place(span.start)} to {place(span.end)}, {plural(span.length, 'byte')}", indent=2)
    if exhibit.matched:
        yield para(f"matched: {exhibit.matched}", indent=2)
    for note in exhibit.notes:
        yield para(note, indent=2)
    yield from _fields(exhibit)
    yield from _bytes(exhibit, limit, coloured)
    if exhibit.findings:
        yield Heading("Findings here")
        for found in exhibit.findings:
            rule = found.rule
            yield para((found.level.value, LEVELS[found.level]), f" {rule.code} ", (rule.slug, "strong"), indent=2)
            yield from finding_blocks(found)
    yield from _neighbours(exhibit.neighbours, brief)


def _fields(exhibit: Exhibit) -> Iterator[Block]:
    if not exhibit.fields:
        return
    rows = []
    for index, field in enumerate(exhibit.fields):
        mark: Part = (letter(index), colour(index))
        name: Part = (field.name, colour(index))
        value = _value(field.text)
        rows.append(row(mark, f"{field.start:#x}", f"{field.end - field.start:,}", name, value, field.meaning))
    yield Heading("Fields")
    columns = (
        Column(""),
        Column("offset", right=True),
        Column("size", right=True),
        Column("name"),
        Column("value", wrap=True),
        Column("meaning", wrap=True),
    )
    yield Table(columns, rows)


def _value(text: str) -> str:
    """A long run of hexadecimal digits (a signature) only begins here: its bytes stand in the dump."""
    if len(text) > LONG and HEX.fullmatch(text):
        return f"{text[:LONG_SHOWN]}…"
    return clean(text, FIELD_LIMIT)


def _bytes(exhibit: Exhibit, limit: int, coloured: bool) -> Iterator[Block]:
    data = exhibit.data[:limit]
    if not data:
        return
    yield Heading("Bytes")
    yield from hexdump(data, exhibit.span.start, exhibit.fields, not coloured)
    rest = exhibit.span.length - len(data)
    if rest > 0:
        more = "; --bytes shows more" if len(exhibit.data) > len(data) else ""
        yield para((f"… {plural(rest, 'byte')} more{more}", "dim"), indent=2)


def _neighbours(found: tuple[Entry, ...], brief: Sequence[str]) -> Iterator[Block]:
    if found:
        yield Heading("Neighbours")
        columns = (
            Column("offset", right=True),
            Column("length", right=True),
            Column("kind"),
            Column("state"),
            Column("", wrap=True),
        )
        rows = [
            row(
                _at(e),
                e.span.length,
                clean(e.kind, 40),
                clean(e.state, 40),
                cut(field_words(e.fields, brief), NEAR_LIMIT),
            )
            for e in found
        ]
        yield Table(columns, rows)


def _at(entry: Entry) -> str:
    return f"{clean(entry.span.member, 80)}@{entry.span.start}" if entry.span.member else place(entry.span.start)


def item_blocks(item: Item) -> Iterator[Block]:
    """One item with all its fields and places."""
    yield para((clean(item.id), "strong"), f": {clean(item.kind)}", hang=2)
    if item.parent:
        yield para(f"of {clean(item.parent)}", indent=2)
    yield Table((Column("field"), Column("value", wrap=True)), [row(clean(k), str(v)) for k, v in item.fields.items()])
    for span in item.spans:
        where = f"{clean(span.member)} " if span.member else ""
        yield Verbatim(((f"{where}{place(span.start)}, {plural(span.length, 'byte')}", ""),), 2)
