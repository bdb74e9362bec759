"""Blocks of a CDN file one by one, and the bytes of one of them field by field."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from inspector.finding import Tally
from inspector.format import Entry, Exhibit, Item, Query
from inspector.formats.snarkos.names import block_name
from inspector.formats.snarkos_blocks.check import check
from inspector.formats.snarkos_blocks.layout import COUNT_SIZE, FILE, HEAD, HEAD_SIZE, LATEST, LENGTH_SIZE, MARK_NAMES
from inspector.formats.snarkos_blocks.walk import Blocks, head_at, walk
from inspector.span import Span


def _walked(blocks: Blocks) -> None:
    if not blocks.starts and not blocks.latest_text and not blocks.latest_why:
        for _ in walk(blocks):
            pass


def records(blocks: Blocks, query: Query) -> Iterator[Entry]:
    """One line per block."""
    _walked(blocks)
    if blocks.latest:
        state = "malformed" if blocks.latest_why else "ok"
        yield Entry(Span(0, blocks.source.length("")), "latest", state, dict(blocks.latest_text or {}))
        return
    for i, (start, end) in enumerate(zip(blocks.starts, blocks.ends, strict=True)):
        if end <= query.start or (query.end is not None and start >= query.end):
            continue
        state = MARK_NAMES[blocks.marks[i]]
        if not (query.damaged and state == "ok"):
            yield Entry(Span(start, end), "block", state, _fields(blocks, start, end))


def _fields(blocks: Blocks, start: int, end: int) -> dict[str, object]:
    head = head_at(blocks.source, start)
    if head is None:
        return {"bytes": end - start - LENGTH_SIZE}
    return {
        "height": head.height,
        "hash": block_name(head.hash),
        "previous_hash": block_name(head.previous),
        "round": head.round,
        "timestamp": head.timestamp,
        "bytes": end - start - LENGTH_SIZE,
    }


def items(blocks: Blocks) -> Iterator[Item]:
    """Blocks by height."""
    for entry in records(blocks, Query()):
        if entry.kind == "block" and "height" in entry.fields:
            yield Item(
                f"block:{entry.fields['height']}", "block", None, {**entry.fields, "state": entry.state}, (entry.span,)
            )


def show(blocks: Blocks, member: str, offset: int) -> Exhibit | None:
    """The block around a byte, or the count, or latest.json."""
    _walked(blocks)
    size = blocks.source.length("")
    if blocks.latest:
        data = blocks.source.read(0, min(size, 4096))
        return Exhibit("latest.json", Span(0, size), "ok", "the whole file", data, tuple(LATEST.fields(data)))
    if offset < COUNT_SIZE:
        data = blocks.source.read(0, COUNT_SIZE)
        return Exhibit("count", Span(0, len(data)), "ok", "the head of the file", data, tuple(FILE.fields(data)))
    i = bisect_right(blocks.starts, offset) - 1
    if i < 0 or offset >= blocks.ends[i]:
        end = blocks.starts[i + 1] if i + 1 < len(blocks.starts) else size
        start = blocks.ends[i] if i >= 0 else COUNT_SIZE
        data = blocks.source.read(start, min(end - start, 4096))
        return Exhibit("unread bytes", Span(start, end), "gap", "between two blocks", data)
    span = Span(blocks.starts[i], blocks.ends[i])
    data = blocks.source.read(span.start, min(span.length, LENGTH_SIZE + HEAD_SIZE))
    tally = Tally()
    again = Blocks(blocks.source, blocks.wishes, False, named=blocks.named)
    check(again, walk(again), tally)
    found = tuple(f for f in tally.findings() if f.span.start == span.start)
    fields = tuple(HEAD.fields(data, span.start))
    return Exhibit(
        "block", span, MARK_NAMES[blocks.marks[i]], "the block that holds the byte", data, fields, findings=found
    )
