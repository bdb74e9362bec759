"""Wide columns: a value that is a list of named columns."""

from __future__ import annotations

from inspector.formats.rocksdb.coding import MalformedError, prefixed, varint


def default_column(value: bytes) -> bytes:
    """The value of the column named "" in a wide-column entity (db/wide/wide_column_serialization.h)."""
    try:
        _, at = varint(value, 0, len(value), 32)
        count, at = varint(value, at, len(value), 32)
        columns: list[tuple[bytes, int]] = []
        for _ in range(min(count, len(value))):
            name, at = prefixed(value, at, len(value))
            size, at = varint(value, at, len(value), 32)
            columns.append((name, size))
    except MalformedError:
        return b""
    # the columns are sorted by name, so a nameless one is the first
    return value[at : at + columns[0][1]] if columns and not columns[0][0] else b""
