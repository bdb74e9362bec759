"""Channels and nodes: what the operator calls the things that live records describe.

Sorted by short channel id, then by node id: where the parts of each stand is sorted in runs, beyond a few MiB in a
temporary file, so that one pass over the store is enough whatever its size.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from inspector.format import Item, Stretch
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import SEALED_HEADER, scid
from inspector.formats.gossip_store.records import decode
from inspector.formats.gossip_store.structure import NODE_ID, node_at
from inspector.formats.gossip_store.walk import OK, UNJUDGED, Store, walk
from inspector.runs import Runs
from inspector.span import Span

CHANNEL = 8  # bytes of a short channel id
CHANNEL_KINDS = frozenset({256, 258, 4104, 4102, 3503, 4106})
Spans = dict[str, tuple[int, int]]
_PARTS = ("announcement", "amount", "update_0", "update_1", "private", "dying", "closed")
_CODES = {part: code for code, part in enumerate(_PARTS)}
# a row: the owner, where the part begins (later ones replace it), which part, its length
_PLACE = struct.Struct(">QBI")
HELD, ROW = 4 << 20, 48  # bytes of rows in memory, and what each takes there beside its own


def items(store: Store) -> Iterator[Item]:
    """Live channels with capacity and both directions' updates, then live nodes."""
    for owner, spans in _owners(store, _channel_parts, CHANNEL):
        yield _channel(store, int.from_bytes(owner, "big"), spans)
    for owner, spans in _owners(store, _node_parts, NODE_ID):
        yield _node(store, owner, spans)


Parts = Callable[[Store, Stretch], Iterator[tuple[int, str, int, int]]]


def _owners(store: Store, parts: Parts, width: int) -> Iterator[tuple[bytes, Spans]]:
    """Owners that have any part, sorted, and where the last of each kind of part stands."""
    size, pack = width + _PLACE.size, _PLACE.pack
    rows = Runs(size, max(1, HELD // (size + ROW)))
    try:
        for stretch in walk(store, judged=False):
            rows.extend([
                owner.to_bytes(width, "big") + pack(start, _CODES[part], end - start)
                for owner, part, start, end in parts(store, stretch)
            ])  # fmt: skip
        for owner, told in groupby(rows, key=lambda row: row[:width]):
            spans: Spans = {}
            for row in told:
                start, code, length = _PLACE.unpack_from(row, width)
                if _PARTS[code] == "closed":
                    spans.clear()
                else:
                    spans[_PARTS[code]] = start, start + length
            if spans:
                yield owner, {part: spans[part] for part in _PARTS if part in spans}
    finally:
        rows.close()


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
    if held := stretch.columns.get("held"):
        ids = {i: n for n, i in enumerate(i for i, kind in enumerate(stretch.kinds) if kind == 257)}
        for i, kind, start, end in _live(stretch):
            if kind == 257:
                node_id = held.node_ids[NODE_ID * ids[i] : NODE_ID * (ids[i] + 1)]
                yield int.from_bytes(node_id, "big"), "announcement", start, end
        return
    for _, kind, start, end in _live(stretch):
        if kind == 257:
            node_id = node_at(store.source.glance(start, end - start), 0)
            yield int.from_bytes(node_id, "big"), "announcement", start, end


def _body(store: Store, span: tuple[int, int]) -> dict[str, Any]:
    """The fields of a record; none of one that was not captured."""
    if not store.source.holds(*span):
        return {}
    raw = store.source.glance(span[0] + SEALED_HEADER.size, span[1] - span[0] - SEALED_HEADER.size)
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
