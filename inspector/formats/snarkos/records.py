"""Rows one by one, each decoded; and the bytes behind one of them."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.format import Entry, Query
from inspector.formats.snarkos import maps
from inspector.formats.snarkos.ledger import Ledger, entries, find_cut, walked
from inspector.formats.snarkos.names import network_name
from inspector.formats.snarkos.reading import MalformedError
from inspector.span import Span

SHOWN: int = 64  # bytes of a value that could not be decoded


def records(ledger: Ledger, query: Query) -> Iterator[Entry]:
    """Every live row in key order; `kinds` are map names or numbers."""
    walked(ledger)
    ledger.cut = find_cut(ledger.db)
    for key, value, place in entries(ledger):
        entry = row(key, value, place, query.value_limit)
        if query.kinds and not {entry.kind, str(entry.fields.get("map"))} & query.kinds:
            continue
        if query.member is not None and place.member != query.member:
            continue
        if query.damaged and entry.state == "ok":
            continue
        if place.end <= query.start or (query.end is not None and place.start >= query.end):
            continue
        yield entry


def row(key: bytes, value: bytes, place: Span, limit: int | None = None) -> Entry:
    """A row in its owner's words; what cannot be decoded is given in hexadecimal with the reason."""
    try:
        network, number, own = maps.split(key)
    except MalformedError as error:
        return Entry(place, "key", "malformed", {"key": key.hex(), "why": error.why})
    fields: dict[str, object] = {"network": network_name(network), "map": number}
    if number not in maps.MAPS:
        fields |= {"key": own.hex(), "value": _hex(value, limit)}
        return Entry(place, maps.name_of(number), "unknown map", fields)
    try:
        fields["key"] = maps.decode_key(number, own)
        fields["value"] = maps.decode_value(number, value)
    except MalformedError as error:
        fields |= {"key": own.hex(), "value": _hex(value, limit), "why": error.why}
        return Entry(place, maps.name_of(number), "malformed", fields)
    return Entry(place, maps.name_of(number), "ok", fields)


def _hex(value: bytes, limit: int | None) -> str:
    cut = SHOWN if limit is None else limit
    return value[:cut].hex() + ("…" if len(value) > cut else "")
