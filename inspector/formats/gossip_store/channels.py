"""Channels and nodes: what the operator calls the things that live records describe.

Sorted by short channel id, then by node id. Memory is bounded: a pass over the store keeps the `HELD` smallest owners
beyond the last one shown; a store with more takes another pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

from inspector.format import Item, Stretch
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.layout import SEALED_HEADER, scid
from inspector.formats.gossip_store.records import decode
from inspector.formats.gossip_store.walk import OK, UNJUDGED, Store, walk
from inspector.span import Span

HELD = 300_000
CHANNEL_KINDS = frozenset({256, 258, 4104, 4102, 3503, 4106})
Spans = dict[str, tuple[int, int]]


def items(store: Store) -> Iterator[Item]:
    """Live channels with capacity and both directions' updates, then live nodes."""
    for number, spans in _owners(store, _channel_parts):
        yield _channel(store, number, spans)
    for number, spans in _owners(store, _node_parts):
        yield _node(store, number.to_bytes(33, "big"), spans)


Parts = Callable[[Store, Stretch], Iterator[tuple[int, str, int, int]]]


def _owners(store: Store, parts: Parts) -> Iterator[tuple[int, Spans]]:
    beyond = -1
    while True:
        held: dict[int, Spans] = {}
        largest: list[int] = []  # negated owners, so that the largest comes out first
        limit = 1 << 300
        for stretch in walk(store):
            for owner, part, start, end in parts(store, stretch):
                if not beyond < owner < limit:
                    continue
                spans = held.get(owner)
                if spans is None:
                    spans = held[owner] = {}
                    heapq.heappush(largest, -owner)
                    if len(held) > HELD:
                        limit = -heapq.heappop(largest)
                        del held[limit]
                        if owner == limit:
                            continue
                if part == "closed":
                    spans.clear()
                else:
                    spans[part] = (start, end)
        for owner in sorted(held):
            if held[owner]:
                yield owner, held[owner]
        if limit == 1 << 300:
            return
        beyond = max(held)


def _live(stretch: Stretch) -> Iterator[tuple[int, int, int, int]]:
    """(index, kind, start, end) of records that verify, or cannot be judged, and are not deleted."""
    batch = stretch.columns.get("batch")
    flags = batch.flags if batch is not None else stretch.columns.get("flags")
    if flags is None:
        return
    for i, (kind, mark, flag) in enumerate(zip(stretch.kinds, stretch.marks, flags, strict=True)):
        if mark in (OK, UNJUDGED) and not flag & versions.DELETED:
            yield i, kind, stretch.starts[i], stretch.starts[i + 1] if i + 1 < len(stretch) else stretch.end


def _channel_parts(store: Store, stretch: Stretch) -> Iterator[tuple[int, str, int, int]]:
    batch = stretch.columns.get("batch")
    if batch is None:
        return  # versions before 7 are listed as records only
    announced = 0
    for i, kind, start, end in _live(stretch):
        owner = batch.owners[i]
        if kind == 4101 and announced:
            yield announced, "amount", start, end
        announced = owner if kind == 256 else 0
        if kind == 4103:
            yield owner, "closed", start, end
        elif kind in CHANNEL_KINDS and owner:
            yield owner, _part(kind, batch.aux[i]), start, end


def _part(kind: int, channel_flags: int) -> str:
    if kind in (258, 4102):
        return f"update_{channel_flags & 1}"
    return {256: "announcement", 4104: "private", 3503: "private"}.get(kind, "dying")


def _node_parts(store: Store, stretch: Stretch) -> Iterator[tuple[int, str, int, int]]:
    for _, kind, start, end in _live(stretch):
        if kind == 257:
            head = store.source.read(start + 12, 72)
            at = 68 + (head[66] << 8 | head[67]) + 4
            yield int.from_bytes(store.source.read(start + 12 + at, 33), "big"), "announcement", start, end


def _body(store: Store, span: tuple[int, int]) -> dict[str, Any]:
    raw = store.source.read(span[0] + SEALED_HEADER.size, span[1] - span[0] - SEALED_HEADER.size)
    return decode(raw[0] << 8 | raw[1], raw) if len(raw) >= 2 else {}


def _channel(store: Store, number: int, spans: Spans) -> Item:
    fields: dict[str, Any] = {"state": _state(spans)}
    if "announcement" in spans:
        told = _body(store, spans["announcement"])
        fields |= {"node_1": told.get("node_id_1"), "node_2": told.get("node_id_2")}
    if "amount" in spans:
        fields["satoshis"] = _body(store, spans["amount"]).get("satoshis")
    for direction in (0, 1):
        if f"update_{direction}" in spans:
            told = _body(store, spans[f"update_{direction}"])
            told = told.get("inner", told)
            names = ("timestamp", "disabled", "fee_base_msat", "fee_proportional_millionths")
            fields[f"direction_{direction}"] = {k: told.get(k) for k in names}
    if "dying" in spans:
        fields["dying_at_height"] = _body(store, spans["dying"]).get("blockheight")
    return Item(scid(number), "channel", None, fields, _ordered(spans))


def _state(spans: Spans) -> str:
    if "private" in spans:
        return "private"
    if "announcement" not in spans:
        return "not announced"
    return "dying" if "dying" in spans else "live" if "amount" in spans else "without amount"


def _node(store: Store, node_id: bytes, spans: Spans) -> Item:
    told = _body(store, spans["announcement"])
    fields = {k: told.get(k) for k in ("alias", "rgb_color", "addresses", "timestamp")}
    return Item(node_id.hex(), "node", None, fields, _ordered(spans))


def _ordered(spans: Spans) -> tuple[Span, ...]:
    return tuple(Span(start, end) for start, end in sorted(spans.values()))
