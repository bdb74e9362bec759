"""The bytes of an exhibit as it stands in a report document: lines of sixteen, with the field of each byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.counted import plural
from inspector.render.hexdump import PER_LINE, letter

Document = dict[str, Any]
Line = list[tuple[int, int | None] | None]  # of each of sixteen places its byte and field


def data_of(exhibit: Document) -> bytes:
    return bytes.fromhex(exhibit["data"])


def owners(exhibit: Document, count: int) -> list[int | None]:
    """For each of the first `count` bytes the index of the field that holds it."""
    owner: list[int | None] = [None] * count
    base = exhibit["start"]
    for index, field in enumerate(exhibit["fields"]):
        for at in range(max(field["start"] - base, 0), min(field["end"] - base, count)):
            owner[at] = index
    return owner


def rows(exhibit: Document, limit: int) -> Iterator[tuple[int, Line]]:
    """Offset of a line, and for each of its sixteen places (byte, field) or None where the exhibit has no byte."""
    data = data_of(exhibit)[:limit]
    owner = owners(exhibit, len(data))
    base = exhibit["start"]
    for line in range(base - base % PER_LINE, base + len(data), PER_LINE):
        places = range(line - base, line - base + PER_LINE)
        yield line, [(data[p], owner[p]) if 0 <= p < len(data) else None for p in places]


def folded(exhibit: Document, limit: int) -> Iterator[tuple[int, Line | None]]:
    """The same lines; of lines that repeat the one before (zeroes, mostly) None stands for all."""
    before: Line | None = None
    silent = False
    held = list(rows(exhibit, limit))
    for i, (at, places) in enumerate(held):
        if places == before and i + 1 < len(held):
            if not silent:
                yield at, None
            silent = True
        else:
            yield at, places
            silent = False
        before = places


def dump_lines(exhibit: Document, limit: int) -> Iterator[str]:
    """Plain lines: offset, bytes, characters, and below each line the letters of its fields."""
    for at, places in folded(exhibit, limit):
        if places is None:
            yield "*"
            continue
        pairs = " ".join(f"{p[0]:02x}" if p else "  " for p in places)
        signs = "".join(sign(p[0]) if p else " " for p in places)
        yield f"{at:08x}  {pairs}  {signs}".rstrip()
        if any(p and p[1] is not None for p in places):
            marks = (" " if p is None or p[1] is None else letter(p[1]) for p in places)
            yield ("          " + " ".join(2 * m for m in marks)).rstrip()
    hidden = exhibit["end"] - exhibit["start"] - min(len(data_of(exhibit)), limit)
    if hidden > 0:
        yield f"… {plural(hidden, 'more byte')}"


def sign(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else "."
