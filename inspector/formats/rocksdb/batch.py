"""Write batches: what one WAL record does, operation by operation (db/write_batch.cc)."""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.coding import MalformedError, prefixed, put_prefixed, put_varint, varint

HEADER: Final = 12  # first sequence u64, count u32
_HEAD: Final = struct.Struct("<QI").unpack_from

# tag -> (type of the operation, has a column family, has a value)
_OPS: Final = {
    0x00: (keys.DELETE, False, False),
    0x01: (keys.PUT, False, True),
    0x02: (keys.MERGE, False, True),
    0x04: (keys.DELETE, True, False),
    0x05: (keys.PUT, True, True),
    0x06: (keys.MERGE, True, True),
    0x07: (keys.SINGLE_DELETE, False, False),
    0x08: (keys.SINGLE_DELETE, True, False),
    0x0E: (keys.RANGE_DELETE, True, True),
    0x0F: (keys.RANGE_DELETE, False, True),
    0x10: (keys.BLOB_INDEX, True, True),
    0x11: (keys.BLOB_INDEX, False, True),
    0x16: (keys.WIDE_COLUMNS, False, True),
    0x17: (keys.WIDE_COLUMNS, True, True),
    0x18: (keys.PREFERRED_SEQNO, False, True),
    0x19: (keys.PREFERRED_SEQNO, True, True),
}
LOG_DATA, NOOP, COMMIT_WITH_TS = 0x03, 0x0D, 0x15
BEGIN_PREPARE: Final = frozenset({0x09, 0x12, 0x13})
END_PREPARE, COMMIT, ROLLBACK = 0x0A, 0x0B, 0x0C
_XID: Final = frozenset({END_PREPARE, COMMIT, ROLLBACK})


class Op(Struct, frozen=True):
    """One counted operation; a range delete's value is its exclusive end. [at, end) lies in the batch."""

    family: int
    sequence: int
    type: int
    key: bytes
    value: bytes
    at: int
    end: int


class Mark(Struct, frozen=True):
    """A step of a two-phase commit, or a blob of log data; `id` is the transaction's, or the data."""

    tag: int
    id: bytes
    at: int
    end: int


def too_short(length: int) -> str:
    return f"a write batch has 12 bytes of header, here are {length}"


def header(data: bytes) -> tuple[int, int]:
    """First sequence number and the number of operations that the batch claims."""
    if len(data) < HEADER:
        raise MalformedError(too_short(len(data)))
    sequence, count = _HEAD(data)
    return sequence, count


def operations(data: bytes) -> Iterator[Op | Mark]:
    """What the batch does, in order; MalformedError where it stops making sense, after what came before."""
    sequence, count = header(data)
    at, end, found = HEADER, len(data), 0
    while at < end:
        start, tag = at, data[at]
        at += 1
        if tag in _OPS:
            kind, in_family, has_value = _OPS[tag]
            family = 0
            if in_family:
                family, at = varint(data, at, end, 32)
            key, at = prefixed(data, at, end)
            value = b""
            if has_value:
                value, at = prefixed(data, at, end)
            yield Op(family, sequence + found, kind, key, value, start, at)
            found += 1
        elif tag == COMMIT_WITH_TS:
            _, at = prefixed(data, at, end)
            xid, at = prefixed(data, at, end)
            yield Mark(COMMIT, xid, start, at)
        elif tag in _XID or tag == LOG_DATA:
            body, at = prefixed(data, at, end)
            yield Mark(tag, body, start, at)
        elif tag in BEGIN_PREPARE or tag == NOOP:
            yield Mark(tag, b"", start, at)
        else:
            raise MalformedError(f"write batch tag {tag:#04x} at {start} is unknown")
    if found != count:
        raise miscounted(count, found)


def miscounted(claimed: int, found: int) -> MalformedError:
    return MalformedError(f"write batch claims {claimed} operations, it has {found}")


def alike(steps: Iterator[Op | Mark]) -> Iterator[Op | tuple[Mark, int]]:
    """Operations one by one; marks without a name that follow each other once, with how many there are.

    A batch may have a million of them, of a byte each.
    """
    held: Mark | None = None
    count = 0
    broken: MalformedError | None = None
    try:
        for step in steps:
            if held is not None:
                if isinstance(step, Mark) and not step.id and step.tag == held.tag:
                    count += 1
                    continue
                yield held, count
                held = None
            if isinstance(step, Op):
                yield step
            elif step.id:
                yield step, 1
            else:
                held, count = step, 1
    except MalformedError as error:  # what stands before the place where it stops making sense comes first
        broken = error
    if held is not None:
        yield held, count
    if broken is not None:
        raise broken


def replaced(data: bytes, change: Callable[[Op], tuple[int, bytes] | None]) -> bytes:
    """The batch with other types and values of some operations; all keep their keys and sequence numbers."""
    out, done = bytearray(), 0
    for step in operations(data):
        if isinstance(step, Op) and (made := change(step)) is not None:
            kind, value = made
            tag = _TAGS[kind, step.family != 0]
            out += data[done : step.at] + bytes([tag]) + (put_varint(step.family) if step.family else b"")
            out += put_prefixed(step.key) + (put_prefixed(value) if _OPS[tag][2] else b"")
            done = step.end
    return bytes(out) + data[done:]


_TAGS: Final = {(kind, family): tag for tag, (kind, family, _) in _OPS.items()}


def encode(sequence: int, ops: list[tuple[int, int, bytes, bytes]]) -> bytes:
    """A batch of (family, type, key, value), as the engine writes it; family 0 has the short tags."""
    out = bytearray(sequence.to_bytes(8, "little") + len(ops).to_bytes(4, "little"))
    for family, kind, key, value in ops:
        tag = _TAGS[kind, family != 0]
        out.append(tag)
        if family:
            out += put_varint(family)
        out += put_prefixed(key)
        if _OPS[tag][2]:
            out += put_prefixed(value)
    return bytes(out)
