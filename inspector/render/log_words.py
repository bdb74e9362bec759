"""What log lines mean, in words for people: which byte a message names, what is there now, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.counted import plural
from inspector.render.text import Block, Heading, Verbatim, para
from inspector.sanitize import clean

SHOWN = 3  # lines of one message of a whole log
TEXT = 240

Document = dict[str, Any]

CONVENTIONS = {
    "header": "{at} is the offset of a record's header; its body is 12 bytes later, at {later}",
    "body": "{at} is the offset of a record's body; its header is 12 bytes before, at {before}",
    "inside": "{at} is a byte inside a record",
    "unread": "{at} is the offset of the first byte that was not digested",
    "block": "{at} is the offset of a block in the named file",
    "page": "{number} is the number of a metadata page, not a byte",
}


def explained(document: Document) -> Iterator[Block]:
    """A whole log, message by message in the order in which they first appear; or the one line that was asked."""
    lines = document["lines"]
    groups: dict[str, list[Document]] = {}
    for line in lines:
        groups.setdefault(line["message"], []).append(line)
    if not lines:
        yield para(f"no known message in {plural(document['read'], 'line')}")
    for number, (name, found) in enumerate(groups.items()):
        if number:
            yield Verbatim(())
        yield from _message(found, document["counts"].get(name, len(found)), document["issues"])


def _message(found: list[Document], count: int, issues: dict[str, Document]) -> Iterator[Block]:
    first = found[0]
    times = f", {count:,} times" if count > 1 else ""
    yield para((first["message"], "strong"), f" ({first['program']}){times}", hang=2)
    if count == 1:
        yield from _line(first)
    else:
        for line in found[:SHOWN]:
            yield from _line(line)
        if count > SHOWN:
            yield para((f"… {count - SHOWN:,} more", "dim"), indent=2)
    yield para(("What the program does: ", "strong"), first["effect"], indent=2, hang=2)
    if first["releases"]:
        yield para(("Releases: ", "strong"), first["releases"], indent=2, hang=2)
    for name in first["issues"]:
        if known := issues.get(name):
            fixed = f"; fixed: {known['fixed']}" if known["fixed"] else "; no fix is known"
            told = f"{name}: {known['title']}; affected: {known['affected']}{fixed}"
            yield para(("Known: ", "strong"), told, indent=2, hang=2)
    rest = [name for name in first["issues"] if name not in issues]
    if rest:
        yield para(("Reported in: ", "strong"), ", ".join(rest), indent=2, hang=2)
    if first["next"]:
        yield Heading("Next")
        for command in first["next"]:
            yield Verbatim(((command, "code"),), 2)


def _line(line: Document) -> Iterator[Block]:
    where = f"line {line['line']}: " if line["log"] else ""
    if line["text"]:
        yield para((where + clean(line["text"], TEXT), "dim"), indent=2, hang=2)
    yield para(line["meaning"], indent=2, hang=2)
    told = offset_words(line)
    if told:
        yield para(("Offset: ", "strong"), told, indent=2, hang=2)
    if line["compared"]:
        yield para(line["compared"], indent=2, hang=2)
    if line["verdict"]:
        yield para(("In this store: ", "strong"), line["verdict"], indent=2, hang=2)


def offset_words(line: Document) -> str:
    """What the number in a message is the offset of."""
    at = line["offset"]
    template = CONVENTIONS.get(line["convention"] or "")
    number = line["values"].get("at", "")
    if template is None or (at is None and "{number}" not in template):
        return ""
    return template.format(at=at, number=number, later=(at or 0) + 12, before=max(0, (at or 0) - 12))


def log_blocks(log: Document) -> Iterator[Block]:
    """The log's part of a scan's screen."""
    yield Heading("Log", plural(log["known"], "known message"))
    for line in log["lines"][:20]:
        yield para((f"{line['time'] or 'no time'} ", "dim"), f"{line['program']}: {line['meaning']}", indent=2, hang=2)
        if line["verdict"]:
            yield para(("now: ", "strong"), line["verdict"], indent=4, hang=2)
    if log["known"] > 20:
        yield para((f"… {log['known'] - 20:,} more", "dim"), indent=2)
    for note in log["notes"]:
        yield para(note, indent=2)
