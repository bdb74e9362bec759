"""What tells two databases apart: live keys by column family, whatever files and sequence numbers they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import Any, Final

import msgspec

from inspector.comparing import Described, Identities, Row, digest_of, key_of, pack
from inspector.errors import UsageError
from inspector.formats.rocksdb import view
from inspector.formats.rocksdb.check import show_key
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.merge import Live
from inspector.span import Span

_BATCH: Final = 4096
_SHOWN: Final = 256  # bytes of a value that a difference shows


def kind_of(family: str) -> int:
    """A number for a column family that is the same in every database: ids are not."""
    return int.from_bytes(blake2b(family.encode(), digest_size=2).digest(), "big")


def identities(db: Database) -> Identities:
    """Live keys and their values; keys and the beginnings of values wait in a temporary file to be shown."""
    if db.single:
        raise UsageError("one file of a database has no live keys", "name the folder of the database")
    families = view.families(db)
    members = sorted(db.files)
    numbers = {name: number for number, name in enumerate(members)}
    spool = TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed by the collector, with the comparison
    counts = {"values_unreadable": 0, "keys_with_merge_operands": 0}

    def rows() -> Iterator[list[bytes]]:
        at = 0
        for family in families:
            batch: list[bytes] = []
            kind = kind_of(family.name)
            for found in view.live_view(db, family):
                digest, told = _value(db, found, counts)
                data = msgspec.msgpack.encode((found.key[:_SHOWN], told))
                spool.write(data)
                place = found.place
                extra = at << 24 | len(data)
                batch.append(
                    pack(key_of(kind, b"\0" + found.key), digest, place.start, place.end, extra, numbers[place.member])
                )
                at += len(data)
                if len(batch) >= _BATCH:
                    yield batch
                    batch = []
            yield batch

    def describe(row: Row) -> Described:
        spool.seek(row.extra >> 24)
        key, told = msgspec.msgpack.decode(spool.read(row.extra & 0xFFFFFF))
        return Described(show_key(key), Span(row.start, row.end, members[row.member]), told)

    return Identities({kind_of(f.name): f"cf:{f.name}" for f in families}, rows(), describe, counts)


def _value(db: Database, found: Live, counts: dict[str, int]) -> tuple[bytes, dict[str, Any]]:
    value, _, why = view.resolve(db, found)
    told: dict[str, Any] = {"sequence": found.sequence}
    if found.operands:
        counts["keys_with_merge_operands"] += 1
        told["operands"] = len(found.operands)
    if why:
        counts["values_unreadable"] += 1
        told["why"] = why
    elif value is not None:
        told |= {"length": len(value), "value": value[:_SHOWN].hex()}
    whole = value if value is not None else why.encode()
    return digest_of(bytes([value is None]), whole, *(b"\0" + operand for operand in found.operands)), told
