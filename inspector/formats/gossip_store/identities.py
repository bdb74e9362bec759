"""What tells the records of two gossip stores apart: their type, and the channel, direction or node they are about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.comparing import Described, Identities, Row, digest_of, key_of, pack
from inspector.format import UNIT, Stretch
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import KINDS, scid
from inspector.formats.gossip_store.records import entry
from inspector.formats.gossip_store.walk import OK, UNJUDGED, Store, walk
from inspector.span import Span
from inspector.windowed import Windowed

_UPDATES = frozenset({258, 4102})
_OWNED = frozenset({256, 3503, 4103, 4104, 4106})
_OTHER = 0xFFFF  # kind of records that name nobody


def identities(store: Store) -> Identities:
    """Live records that verify; what is deleted is history, and what is damaged has no name that can be trusted."""
    counts = {"deleted": 0, "damaged": 0, "unreadable_bytes": 0, "amounts_without_announcement": 0}

    def rows() -> Iterator[list[bytes]]:
        read = Windowed(store.source.read, store.source.sparing)  # a gap may be as long as a disk
        for stretch in walk(store):
            if stretch.columns.get("batch") is not None:
                yield list(_rows(store, stretch, read, counts))

    def describe(row: Row) -> Described:
        raw = store.source.read(row.start, row.end - row.start)
        size = versions.header_size(store.version)
        kind = int.from_bytes(raw[size : size + 2], "big")
        told = dict(entry(store, raw, row.start, row.end, UNIT, OK, kind).fields)
        told.pop("crc", None)
        if kind == 256:
            told.pop("timestamp", None)  # of its first update, not of the message
        return Described(_name(row, told), Span(row.start, row.end), told)

    return Identities({**KINDS, _OTHER: "other"}, rows(), describe, counts)


def _rows(store: Store, stretch: Stretch, read: Windowed, counts: dict[str, int]) -> Iterator[bytes]:
    batch, marks = stretch.columns["batch"], stretch.marks.tobytes()
    before = 0
    for i, (start, kind, flags, owner) in enumerate(
        zip(batch.starts, batch.kinds, batch.flags, batch.owners, strict=True)
    ):
        announced, before = before, owner if kind == 256 and marks[i] in (OK, UNJUDGED) else 0
        end = batch.starts[i + 1] if i + 1 < len(marks) else batch.end
        if marks[i] not in (OK, UNJUDGED):
            counts["damaged" if stretch.roles[i] == UNIT else "unreadable_bytes"] += (
                1 if stretch.roles[i] == UNIT else end - start
            )
            continue
        if flags & versions.DELETED:
            counts["deleted"] += 1
            continue
        if kind == 4101 and not announced:
            counts["amounts_without_announcement"] += 1
            continue
        body = memoryview(read(start, end - start))[12:]
        if kind in _UPDATES:
            key = key_of(kind, owner.to_bytes(8, "big") + bytes([batch.aux[i] & 1]))
        elif kind in _OWNED:
            key = key_of(kind, owner.to_bytes(8, "big"))
        elif kind == 4101:
            key = key_of(kind, announced.to_bytes(8, "big"))
        elif kind == 257:
            at = 72 + (body[66] << 8 | body[67]) if len(body) > 68 else 0
            key = key_of(kind, bytes(body[at : at + 33]))
        else:
            key = key_of(kind if kind in KINDS else _OTHER, b"")
        dying = b"\1" if flags & versions.DYING and store.version >= 12 else b""
        yield pack(key, digest_of(dying, body), start, end, announced)


def _name(row: Row, told: dict[str, Any]) -> str:
    if row.kind == 257:
        return str(told.get("node_id", ""))
    number = row.extra if row.kind == 4101 else int.from_bytes(row.name[:8], "big")
    if row.kind in _UPDATES:
        return f"{scid(number)}/{row.name[8]}"
    return scid(number) if row.kind in _OWNED or row.kind == 4101 else ""
