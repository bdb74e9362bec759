"""Column families, levels and files as items, and the content of keys for `extract`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from inspector.errors import UsageError
from inspector.format import Extent, Item
from inspector.formats.rocksdb import names, view
from inspector.formats.rocksdb.check import show_key
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.merge import Live
from inspector.formats.rocksdb.version import Family
from inspector.span import Span

_RANGE: Final = ".."


def items(db: Database) -> Iterator[Item]:
    """Column families, their levels, and the files of each; then WALs and what no family lists."""
    if db.single:
        yield _file(db, "", None, {})
        return
    for family in view.families(db):
        name = f"cf:{family.name}"
        fields = {
            "id": family.id,
            "comparator": family.comparator,
            "tables": len(family.files),
            "assumed": family.assumed,
        }
        yield Item(name, "column-family", None, {**fields, "log_number": family.log_number})
        for level, files in family.levels().items():
            place = f"{name}/L{level}"
            yield Item(place, "level", name, {"tables": len(files), "bytes": sum(f.size for f in files)})
            for file in files:
                member = db.tables.get(file.number)
                told = {
                    "smallest": show_key(file.smallest[:-8]),
                    "largest": show_key(file.largest[:-8]),
                    "listed_size": file.size,
                }
                if member is None:
                    yield Item(names.table_name(file.number), "table", place, {**told, "missing": True})
                else:
                    yield _file(db, member, place, told)
        for number in sorted(family.blobs):
            blob_member = db.blobs.get(number)
            if blob_member is not None:
                yield _file(db, blob_member, name, {"values": family.blobs[number].count})
    for _, member in db.live_wals():
        yield _file(db, member, None, {})
    known = {number for family in view.families(db) for number in family.files}
    for number, member in sorted(db.unlisted().items()):
        if number not in known:
            yield _file(db, member, None, {"unlisted": True})


def _file(db: Database, member: str, parent: str | None, fields: dict[str, object]) -> Item:
    kind = db.files[member].kind
    told = dict(fields)
    if kind == "table":
        properties = db.table(member).properties
        told["format_version"] = max(0, db.table(member).context.version)
        told["data_blocks"] = db.table(member).data_blocks
        if properties:
            told["entries"] = properties.number("num.entries")
            told["compression"] = properties.text("compression")
    return Item(member or "file", kind, parent, told, (Span(0, db.size(member), member),))


def extents(db: Database, asked: str) -> Iterator[Extent]:
    """A file's bytes, a column family's live keys as JSON lines, one live key, or a range of them as JSON lines.

    A key is "FAMILY:KEY", a range "FAMILY:FROM..TO" with its end exclusive. KEY is text, or hexadecimal after 0x.
    The value of a key that has merge operands is not known here. A level has no content of its own.
    """
    member = "" if db.single and asked == "file" else asked
    if member in db.files:
        if size := db.size(member):
            yield Extent(0, size, Span(0, size, member), "placed", "the file as it is")
        return
    if names.classify(asked).kind in ("table", "blob"):
        return  # listed, but missing
    families = {f"cf:{f.name}": f for f in view.families(db)} if not db.single else {}
    if asked in families:
        yield from _range(db, families[asked], b"", None)
        return
    if any(asked.startswith(f"{name}/L") for name in families):
        return
    family, key = _parse(db, asked)
    if _RANGE in key:
        low, _, high = key.partition(_RANGE)
        yield from _range(db, family, _key(low), _key(high) if high else None)
        return
    wanted = _key(key)
    for found in view.live_view(db, family):
        if found.key == wanted:
            yield from _value(db, found)
            return
    raise UsageError(f"column family {family.name} has no live key {key}", "inspector records PATH lists all versions")


def _parse(db: Database, asked: str) -> tuple[Family, str]:
    name, colon, key = asked.removeprefix("cf:").partition(":")
    known = {f.name: f for f in view.families(db)} if not db.single else {}
    if db.single:
        raise UsageError("one file has no live keys", "name the folder of the database")
    if not colon or name not in known:
        raise UsageError(f"not FAMILY:KEY: {asked}", f"column families: {', '.join(sorted(known))}")
    return known[name], key


def _key(text: str) -> bytes:
    if text.startswith("0x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError as error:
            raise UsageError(f"not hexadecimal: {text}") from error
    return text.encode()


def _value(db: Database, found: Live) -> Iterator[Extent]:
    if found.operands:
        raise UsageError(f"key {show_key(found.key)} has merge operands; only its program can apply them",
                         "inspector records PATH --jsonl lists the operands")  # fmt: skip
    value, origin, why = view.resolve(db, found)
    if value is None:
        raise UsageError(f"the value of {show_key(found.key)} cannot be read: {why}", "inspector scan PATH says more")
    place = origin or found.place
    if value:
        yield Extent(0, len(value), place, "sealed", f"under a checksum of {place.member} at {place.start}", value)


def _range(db: Database, family: Family, low: bytes, high: bytes | None) -> Iterator[Extent]:
    at = 0
    for found in view.live_view(db, family):
        if found.key < low or (high is not None and found.key >= high):
            continue
        value, _, why = view.resolve(db, found)
        line = {"key": found.key.hex(), "sequence": found.sequence, "value": value.hex() if value is not None else None}
        if found.operands:
            line["operands"] = [o.hex() for o in found.operands]
        if why:
            line["why"] = why
        data = json.dumps(line).encode() + b"\n"
        yield Extent(at, len(data), found.place, "sealed", "one live key as a JSON line", data)
        at += len(data)
