"""One record as one line: of a table, JSON, CSV, or the original tool's own dump."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inspector.format import Entry
from inspector.render.documents import entry
from inspector.render.encoding import encode, jsonable
from inspector.render.text import NO_LIMIT, cells
from inspector.sanitize import clean, csv_cell

CSV_HEADING = "file,start,end,length,kind,state,fields"
# states that mean wrong bytes; a format's words for them begin like one of these
DAMAGED = ("bad", "gap", "damaged", "truncated", "lost", "torn", "unreadable", "not completed", "zeroed")
VALUE_LIMIT = 80  # characters of one field in a table


def as_json(found: Entry) -> bytes:
    return encode(entry(found), pretty=False)


def as_csv(found: Entry) -> str:
    """Fields as one JSON cell: each kind has its own, and a stream cannot know them all beforehand."""
    span = found.span
    fields = encode(found.fields, pretty=False).decode()
    texts = [_quoted(csv_cell(t)) for t in (span.member, found.kind, found.state, fields)]
    return f"{texts[0]},{span.start},{span.end},{span.length},{texts[1]},{texts[2]},{texts[3]}"


def as_dump(found: Entry) -> str:
    return clean(str(found.fields.get("line", "")), NO_LIMIT)


def heading(folder: bool) -> str:
    return f"{'offset':>12} {'hex':>10} {'length':>8}  {'kind':<24} {'state':<14} {'file' if folder else ''}".rstrip()


def is_damaged(found: Entry) -> bool:
    return found.state.startswith(DAMAGED)


def as_row(width: int | None, folder: bool) -> Callable[[Entry], str]:
    """Fixed columns; on a terminal a row is cut to its width, so that one record is one line."""

    def write(found: Entry) -> str:
        span = found.span
        where = f"{span.member} " if folder else ""
        words = where + field_words(found.fields)
        text = (
            f"{span.start:>12} {span.start:#10x} {span.length:>8}  {clean(found.kind, 40):<24} "
            f"{clean(found.state, 40):<14} {clean(words, NO_LIMIT)}"
        ).rstrip()
        return text if width is None else _cut(text, width)

    return write


def field_words(fields: Mapping[str, Any]) -> str:
    """name=value of all that has a value, each value shortened."""
    return " ".join(f"{clean(k)}={_value(v)}" for k, v in fields.items() if v is not None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple) and all(isinstance(v, str | int) for v in value):
        text = ",".join(str(v) for v in value)
    elif isinstance(value, Mapping | list | tuple):
        text = encode(jsonable(value), pretty=False).decode()
    else:
        text = str(jsonable(value))
    text = clean(text, VALUE_LIMIT)
    return f'"{text}"' if " " in text else text


def _cut(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    kept = text[: width - 1]
    while cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text
