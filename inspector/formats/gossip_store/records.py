"""Records one by one: decoded for `records`, laid out byte by byte for `show`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector import crc32c
from inspector.errors import UsageError
from inspector.field import Field
from inspector.finding import Finding, Tally
from inspector.format import GAP, UNIT, Entry, Exhibit, Query, Stretch
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.addresses import addresses, alias, feature_bits
from inspector.formats.gossip_store.check import Checker
from inspector.formats.gossip_store.kinds import kind_name, parse_scid, scid
from inspector.formats.gossip_store.layout import HEADER, OLD_HEADER, SEALED_HEADER, layout_for
from inspector.formats.gossip_store.loader import V24_02
from inspector.formats.gossip_store.structure import NODE_ID
from inspector.formats.gossip_store.walk import BAD_CHECKSUM, DISPLACED, OK, SECOND_STORE, STATES, UNJUDGED, Store, walk
from inspector.span import Span

SHOWN = 4096  # bytes of one exhibit
READ_AHEAD = 4 << 20
KEY = 33  # bytes of a public key
WITHHELD = "verified when captured; its body is not in the capsule"


def records(store: Store, query: Query) -> Iterator[Entry]:
    """Every record and gap that passes the filters, in the order of the file."""
    wanted = None if query.scid is None else parse_scid(query.scid)
    if query.scid is not None and wanted is None:
        raise UsageError(f"--scid: not a short channel id: {query.scid}", "block, transaction and output: 800000x1x0")
    node = None if query.node is None else _node(query.node)
    return _records(store, query, wanted, node)


def _node(text: str) -> bytes:
    """The bytes of a public key or of its beginning."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if not 0 < len(found) <= KEY:
        raise UsageError(f"--node: not the hexadecimal beginning of a public key: {text}", "an even number of digits")
    return found


def _records(store: Store, query: Query, wanted: int | None, node: bytes | None) -> Iterator[Entry]:
    for stretch in walk(store):
        if stretch.end <= query.start:
            continue
        if query.end is not None and stretch.start >= query.end:
            return
        yield from _of_stretch(store, stretch, query, wanted, node)


def _of_stretch(
    store: Store, stretch: Stretch, query: Query, wanted: int | None, node: bytes | None
) -> Iterator[Entry]:
    batch = stretch.columns.get("batch")
    here = stretch.columns.get("held") is None
    data = store.source.glance(stretch.start, min(stretch.end - stretch.start, 2 * READ_AHEAD)) if here else b""
    flags_of = batch.flags if batch is not None else stretch.columns.get("flags")
    for i, start in enumerate(stretch.starts):
        end = stretch.starts[i + 1] if i + 1 < len(stretch) else stretch.end
        role, mark, kind = stretch.roles[i], stretch.marks[i], stretch.kinds[i]
        flags = flags_of[i] if flags_of is not None else 0
        if role not in (UNIT, GAP) and mark == OK:
            continue
        if end <= query.start or (query.end is not None and start >= query.end):
            continue
        if query.damaged and mark in (OK, UNJUDGED):
            continue
        if query.kinds and (role != UNIT or kind_name(kind) not in query.kinds):
            continue
        if query.deleted is not None and (role != UNIT or bool(flags & versions.DELETED) != query.deleted):
            continue
        if query.flags and not query.flags <= set(versions.flag_names(flags, store.version)):
            continue
        if wanted is not None and (batch is None or batch.owners[i] != wanted):
            continue
        if not (here or store.source.holds(start, end)):
            if node is None or _fingerprint(node) in (batch.nodes_a[i], batch.nodes_b[i]):  # type: ignore[union-attr]
                yield withheld(store, stretch, i)
            continue
        raw = data[start - stretch.start : end - stretch.start]
        if len(raw) < end - start and role == UNIT:
            raw = store.source.read(start, end - start)
        if node is not None and (role != UNIT or node not in raw):
            continue
        yield (
            _dumped(store, raw, start, end, mark, kind, flags)
            if query.dump
            else entry(store, raw, start, end, role, mark, kind, harmless(store, mark, flags))
        )


def harmless(store: Store, mark: int, flags: int) -> bool:
    """A deleted record that does not verify: nobody reads it, except releases that check all of them at start-up."""
    dead = mark == BAD_CHECKSUM and bool(flags & versions.DELETED)
    return dead and versions.judged_for(store.version, store.wishes) >= V24_02


def _fingerprint(node: bytes) -> int:
    """How the kernels' columns hold a node id."""
    return int.from_bytes(node[1:9], "big") ^ node[0] if len(node) == NODE_ID else 0


def withheld(store: Store, stretch: Stretch, i: int) -> Entry:
    """A record that verified when its capsule was made, by its header; its body is not there."""
    batch, held = stretch.columns["batch"], stretch.columns["held"]
    span, kind, flags = stretch.span(i), batch.kinds[i], batch.flags[i]
    fields: dict[str, Any] = {"length": span.length - SEALED_HEADER.size}
    fields["flags"] = versions.flag_names(flags, store.version)
    fields |= {"timestamp": batch.times[i], "crc": f"{held.sums[i]:08x}"}
    if batch.owners[i]:
        fields["scid"] = scid(batch.owners[i])
    fields["withheld"] = WITHHELD
    return Entry(span, kind_name(kind), STATES[OK], fields)


def entry(store: Store, raw: bytes, start: int, end: int, role: int, mark: int, kind: int, note: bool = False) -> Entry:
    """One record in its owner's words."""
    span = Span(start, end)
    if role != UNIT:
        return Entry(span, "gap" if role == GAP else "version", STATES[mark], {"length": end - start})
    size = versions.header_size(store.version)
    fields: dict[str, Any] = {"length": end - start - size}
    body = raw[size:]
    if size == 12:
        flags = raw[0] << 8 | raw[1]
        stored = int.from_bytes(raw[4:8], "big")
        timestamp = int.from_bytes(raw[8:12], "big")
        fields |= {"flags": versions.flag_names(flags, store.version), "timestamp": timestamp, "crc": f"{stored:08x}"}
        if mark not in (OK, UNJUDGED):
            fields["computed"] = f"{crc32c.crc32c(body, timestamp):08x}"
    fields |= decode(kind, body)
    return Entry(span, kind_name(kind), STATES[mark], fields, note)


def decode(kind: int, body: bytes) -> dict[str, Any]:
    """A body's fields, JSON-ready; what cannot be decoded stays as hex under `body`."""
    layout = layout_for(kind, len(body))
    values = layout.parse(body) if layout else None
    if values is None:
        return {"type": kind, "body": body[:SHOWN].hex()}
    told: dict[str, Any] = {}
    for name, value in values.items():
        if name in ("type", "flen", "len", "addrlen"):
            continue
        told[name] = _json(name, value)
    if kind == 258:
        told["direction"] = values["channel_flags"] & 1
        told["disabled"] = bool(values["channel_flags"] & 2)
    elif kind in (4102, 4104, 4096, 4097, 4098, 4100):
        inner = values.get("update") or values.get("announcement") or values.get("message") or b""
        told = {k: v for k, v in told.items() if k not in ("update", "announcement", "message")}
        if len(inner) >= 2:
            told["inner"] = {"kind": kind_name(inner[0] << 8 | inner[1]), **decode(inner[0] << 8 | inner[1], inner)}
    return told


def _json(name: str, value: Any) -> Any:
    if name == "scid":
        return scid(value)
    if name == "alias":
        return alias(value)
    if name == "addresses":
        return list(addresses(value))
    if name == "features":
        return feature_bits(value)
    return value.hex() if isinstance(value, bytes) else value


def _dumped(store: Store, raw: bytes, start: int, end: int, mark: int, kind: int, flags: int) -> Entry:
    """The line that CLN's dump-gossipstore prints for this record, as far as it is one."""
    span = Span(start, end)
    size = versions.header_size(store.version)
    if len(raw) < size + 2 or mark in (SECOND_STORE, DISPLACED):
        return Entry(span, "gap", STATES[mark], {"line": f"{start}: {STATES[mark]} ({end - start} bytes)"})
    notes = "".join(
        f"{word} "
        for word, on in (
            ("DELETED", flags & versions.DELETED),
            ("DYING", flags & versions.DYING and store.version >= 12),
            ("INCOMPLETE", versions.has_completed(store.version) and not flags & versions.COMPLETED),
            ("**BAD CHECKSUM**", mark not in (OK, UNJUDGED)),
        )
        if on
    )
    told = decode(kind, raw[size:])
    owner = told.get("scid") or told.get("node_id") or ""
    line = f"{start}: {notes}{kind_name(kind)}: {owner + ': ' if owner else ''}{raw[size:].hex()}"
    return Entry(span, kind_name(kind), STATES[mark], {"line": line}, harmless(store, mark, flags))


def show(store: Store, member: str, at: int) -> Exhibit | None:
    """The record that holds byte `at`, or whose header or body starts there; CLN's messages use both conventions."""
    if not 0 <= at < store.size:
        return None
    before: Entry | None = None
    held: tuple[Stretch, int] | None = None
    for stretch in walk(store):
        if held:
            return _exhibit(store, held, at, before, _entry_at(store, stretch, 0))
        if stretch.end <= at:
            before = _entry_at(store, stretch, len(stretch) - 1)
            continue
        i = _index(stretch, at)
        if i > 0:
            before = _entry_at(store, stretch, i - 1)
        if i + 1 < len(stretch):
            return _exhibit(store, (stretch, i), at, before, _entry_at(store, stretch, i + 1))
        held = (stretch, i)
    return _exhibit(store, held, at, before, None) if held else None


def _index(stretch: Stretch, at: int) -> int:
    low, high = 0, len(stretch)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if stretch.starts[middle] <= at else (low, middle)
    return low


def _entry_at(store: Store, stretch: Stretch, i: int) -> Entry:
    start, end = stretch.span(i).start, stretch.span(i).end
    if not store.source.holds(start, end):
        return withheld(store, stretch, i)
    raw = store.source.read(start, min(end - start, 1 << 17))
    return entry(store, raw, start, end, stretch.roles[i], stretch.marks[i], stretch.kinds[i])


def _exhibit(store: Store, held: tuple[Stretch, int], at: int, before: Entry | None, after: Entry | None) -> Exhibit:
    stretch, i = held
    this = _entry_at(store, stretch, i)
    span, role = this.span, stretch.roles[i]
    here = store.source.holds(span.start, span.end)
    data = store.source.read(span.start, min(span.length, SHOWN)) if here else b""
    fields: list[Field] = []
    if here and (role == UNIT or (role == GAP and len(data) >= 14)):
        fields = _fields(store, data, span.start, stretch.kinds[i] if role == UNIT else None)
    return Exhibit(
        title=f"{this.kind} at {span.start}, {span.length} bytes",
        span=span,
        state=this.state,
        matched=_matched(store, at, span, role),
        data=data,
        fields=tuple(fields),
        notes=tuple(_notes(store, stretch, i, this)),
        neighbours=tuple(e for e in (before, after) if e is not None),
        findings=tuple(_findings(store, stretch, i)),
    )


def _matched(store: Store, at: int, span: Span, role: int) -> str:
    size = versions.header_size(store.version)
    if at == span.start:
        return f"{at} is the offset of the record's header" if role == UNIT else f"{at} is where the stretch begins"
    if role == UNIT and at == span.start + size:
        return f"{at} is the offset of the record's body (header at {span.start}), as gossmap's messages print it"
    return f"byte {at} lies inside it, {at - span.start} bytes from its start"


def _fields(store: Store, data: bytes, base: int, kind: int | None) -> list[Field]:
    header = HEADER if versions.header_size(store.version) == 12 else OLD_HEADER
    size = versions.header_size(store.version)
    fields = header.fields(data[:size], base)
    body = data[size:]
    if kind is None:  # a gap: show what a header would say, but trust none of it
        return [Field(f.name + "?", f.start, f.end, f.value, f.text, f.meaning, f.privacy) for f in fields]
    layout = layout_for(kind, len(body)) if len(body) >= 2 else None
    if layout is not None:
        return fields + layout.fields(body, base + size)
    return (
        [*fields, Field("body", base + size, base + len(data), body, body[:64].hex(), "not decoded")]
        if body
        else fields
    )


def _notes(store: Store, stretch: Stretch, i: int, this: Entry) -> Iterator[str]:
    flags = this.fields.get("flags")
    if flags:
        yield f"flags: {' '.join(flags)}"
    if this.fields.get("withheld"):
        yield WITHHELD
    if this.fields.get("computed"):
        yield f"stored checksum {this.fields['crc']}, computed {this.fields['computed']}"
    if stretch.marks[i] == UNJUDGED:
        yield "checksums of this store version cannot be judged"
    if stretch.kinds[i] in (256, 257, 258) and stretch.marks[i] == OK:
        yield "the checksum holds; signatures are not checked here"


def _findings(store: Store, stretch: Stretch, i: int) -> list[Finding]:
    """What the check says of this one tile by itself."""
    tally = Tally(8)
    checker = Checker(store, tally)
    start = stretch.starts[i]
    end = stretch.starts[i + 1] if i + 1 < len(stretch) else stretch.end
    if stretch.marks[i] != OK:
        checker.damaged(stretch, i, Span(start, end))
    odd = stretch.columns.get("odd")
    if odd is not None and odd[i]:
        checker.strange(stretch.columns["batch"], i, Span(start, end), odd[i])
    return tally.findings()
