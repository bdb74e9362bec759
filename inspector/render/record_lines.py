"""One record as one line: of a table, JSON, CSV, or the original tool's own dump."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspector.format import Entry
from inspector.render.documents import entry
from inspector.render.encoding import encode, jsonable
from inspector.render.text import NO_LIMIT, cells
from inspector.sanitize import clean, csv_cell

CSV_HEADING = "file,start,end,length,kind,state,fields"
VALUE_LIMIT = 200  # characters of one field in a table
HEX_WIDTH = 110  # columns from which on offsets are shown in hexadecimal too
LONG = 66  # the hexadecimal digits of a public key, the longest thing worth reading as a whole
LONG_SHOWN = 12


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


def heading(width: int | None, folder: bool) -> str:
    at_hex = f"{'hex':>10} " if _has_room(width) else ""
    return f"{'offset':>11} {at_hex}{'length':>7}  {'kind':<22} {'state':<12} {'file' if folder else ''}".rstrip()


def as_row(width: int | None, folder: bool, brief: Sequence[str] = ()) -> Callable[[Entry], str]:
    """Fixed columns; on a terminal a row is cut to its width, so that one record is one line."""
    room = _has_room(width)

    def write(found: Entry) -> str:
        span = found.span
        where = f"{span.member} " if folder else ""
        at_hex = f"{span.start:#10x} " if room else ""
        words = where + field_words(found.fields, brief)
        text = (
            f"{span.start:>11} {at_hex}{span.length:>7}  {clean(found.kind, 40):<22} "
            f"{clean(found.state, 40):<12} {clean(words, NO_LIMIT)}"
        ).rstrip()
        return text if width is None else cut(text, width)

    return write


def _has_room(width: int | None) -> bool:
    return width is None or width >= HEX_WIDTH


def field_words(fields: Mapping[str, Any], brief: Sequence[str] = ()) -> str:
    """name=value of all that has a value: what the owner looks for first, then the rest, long ones (signatures) last.

    Values longer than a public key are shortened to their beginning.
    """
    order = [name for name in brief if name in fields] + [name for name in fields if name not in brief]
    words, long = [], []
    for name in order:
        value = fields[name]
        text = "" if value is None or value == [] else _value(value)
        if len(text) > LONG:
            long.append(f"{clean(name)}={text[:LONG_SHOWN]}…")
        elif text:
            words.append(f"{clean(name)}={text}")
    return " ".join(words + long)


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


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns."""
    if cells(text) <= width:
        return text
    kept = text[: width - 1]
    while cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text
