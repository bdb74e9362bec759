"""Formats and rules in words for people: the tables come from the declarations that read the bytes."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.catalogue import Formats
from inspector.finding import Rule
from inspector.format import Format
from inspector.layout import Layout
from inspector.render.format_documents import verbs
from inspector.render.scan_words import LEVELS
from inspector.render.text import Block, Column, Heading, Part, Table, para, row


def table(formats: Formats) -> Iterator[Block]:
    """One line per format."""
    columns = (Column("name"), Column("what it is", wrap=True), Column("stands on"), Column("commands", wrap=True))
    yield Table(columns, [row((f.name, "strong"), f.title, f.on or "", ", ".join(verbs(f))) for f in formats], 0)


def whole(form: Format) -> Iterator[Block]:
    """One format with its kinds, field tables and rules."""
    stands = f", stands on {form.on}" if form.on else ""
    yield para((form.name, "strong"), f": {form.title}{stands}", hang=2)
    yield para(f"commands: {', '.join(verbs(form))}", indent=2, hang=2)
    if form.names:
        yield para(f"files in a folder: {', '.join(form.names)}", indent=2, hang=2)
    yield Heading("Kinds of records")
    yield Table(
        (Column("number", right=True), Column("name", wrap=True)),
        [row(str(number), name) for number, name in sorted(form.kinds.items())],
    )
    for layout in form.layouts:
        yield from _layout(layout)
    yield Heading("Rules", "inspector explain CODE tells each in full")
    rows = [row(r.code, (r.severity.value, LEVELS[r.severity]), r.slug, r.summary) for r in form.rules]
    yield Table((Column("code"), Column("severity"), Column("rule"), Column("summary", wrap=True)), rows)


def _layout(layout: Layout) -> Iterator[Block]:
    yield Heading(layout.name, layout.title)
    rows = []
    for r in layout.rows():
        name: Part = (r.name, "dim" if r.privacy != "public" else "")
        at, size = ("" if n is None else str(n) for n in (r.at, r.size))
        secrecy = "" if r.privacy == "public" else f" ({r.privacy})"
        rows.append(row(at, size, r.type, name, r.meaning + secrecy))
    columns = (
        Column("at", right=True),
        Column("size", right=True),
        Column("type"),
        Column("field"),
        Column("meaning", wrap=True),
    )
    yield Table(columns, rows)


def rule_blocks(rule: Rule, owner: str) -> Iterator[Block]:
    yield para((rule.code, "strong"), f" {rule.slug} (", (rule.severity.value, LEVELS[rule.severity]), f", {owner})")
    yield para(rule.summary, indent=2)
    parts = (
        ("What it means", rule.explanation),
        ("What the original program does", rule.loader),
        ("What to do", rule.advice),
        ("Source", rule.source),
    )
    for title, words in parts:
        if words:
            yield Heading(title)
            yield para(words, indent=2)
