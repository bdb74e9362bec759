"""Gossip records and hex digits among any bytes in plain Python: the twin of `_carve`, the same to the last value.

A find has a known type, a length that its type asks for, and a checksum that holds. Reading goes on behind it, so
that nothing inside a whole record is ever taken for one: strangers choose bytes of the messages. What looks right
and fails costs a constant (prefix checksums), so that the time is linear also on bytes made of fake headers.
"""

import re
from array import array
from collections.abc import Iterator
from struct import Struct
from typing import Final

from inspector.kernels.carve_columns import Finds
from inspector.kernels.gossip_tiles import ANCHORED, HEADER, OK
from inspector.kernels.plain_checksum import PartChecksums
from inspector.kernels.plain_structure import ANNOUNCEMENT, FIXED, NODE, UPDATE, owner_of, plausible

# Known types by their first byte, which is consumed alone, so that 01 01 02 is two chances. One pattern each: those
# that begin with a literal run ten times as fast as those that begin with a choice.
_TYPES: Final = tuple(map(re.compile, (rb"\x01(?=[\x00-\x02])", rb"\x10(?=[\x05-\x0b])", rb"\x0d(?=\xaf)")))
_CHUNK: Final = 1 << 18  # bytes in which types are looked for at a time
_HEX_SHORTEST: Final = 44  # digits of the shortest record, header included
_HEX_STEP: Final = 22  # a run that long has digits at two places in turn of this distance
_IS_DIGIT: Final = bytes(1 if chr(c) in "0123456789abcdefABCDEF" else 0 for c in range(256))
_DIGITS: Final = re.compile(rb"[0-9a-fA-F]+")
_head = Struct(">HHIIH").unpack_from  # flags, length, checksum, timestamp, and the body's type
_u16 = Struct(">H").unpack_from
_u32 = Struct(">I").unpack_from


def gossip_records(window: bytes | bytearray | memoryview, at: int, stop: int, base: int) -> Finds:
    """The records that begin in [at, stop) and end inside the window, which begins at `base`."""
    data = bytes(window)
    stop = min(stop, len(data) - HEADER - 1)
    sums = PartChecksums(data)
    rows: list[tuple[int, ...]] = []
    suspect, suspect_end = -1, 0
    for body in _bodies(data, at + HEADER, stop + HEADER):
        if body < at + HEADER:
            continue  # inside a record that was found
        flags, length, checksum, time, kind = _head(data, body - HEADER)
        start, after = base + body - HEADER, body + length
        sizes = FIXED.get(kind)
        fits = after <= len(data) and (length >= 53 if sizes is None else length in sizes)
        if not fits or not plausible(data, body, length, after):
            continue
        if sums.matches(body, after, time, checksum):
            mark = ANCHORED if base + after <= suspect_end else OK
            rows.append((start, HEADER + length, kind, flags, time, *owner_of(data, body, length, kind), mark))
            at = after
        elif _is_suspect(data, body, kind, time):
            suspect = start if suspect < 0 else suspect
            suspect_end = max(suspect_end, base + after)
    starts, lengths, kinds, flags_of, times, owners, nodes_a, nodes_b, aux, marks = (
        array(code, (row[i] for row in rows)) for i, code in enumerate("QIHHIQQQBB")
    )
    return Finds(starts, lengths, kinds, flags_of, times, owners, nodes_a, nodes_b, aux, marks, suspect, suspect_end)


def hex_places(window: bytes, stop: int) -> list[tuple[int, int]]:
    """Runs of at least 44 hex digits that begin in [0, stop); linear in the window, and quick where there are none."""
    found: list[tuple[int, int]] = []
    sampled = window[::_HEX_STEP].translate(_IS_DIGIT)
    at = sampled.find(b"\1\1")
    while at >= 0:
        begin = at * _HEX_STEP
        match = _DIGITS.match(window, begin)
        assert match is not None
        end, at = match.end(), at + 1
        if end > at * _HEX_STEP:  # not only two digits with something else between them
            while begin and _IS_DIGIT[window[begin - 1]]:
                begin -= 1
            if begin >= stop:
                break
            at = -(-end // _HEX_STEP)
            if end - begin >= _HEX_SHORTEST:
                found.append((begin, end))
        at = sampled.find(b"\1\1", at)
    return found


def _bodies(data: bytes, at: int, stop: int) -> Iterator[int]:
    """Where a body of a known type could begin in [at, stop), in order."""
    while at < stop:
        upto = min(at + _CHUNK, stop)
        yield from sorted(match.start() for pattern in _TYPES for match in pattern.finditer(data, at, upto + 1))
        at = upto


def _is_suspect(data: bytes, body: int, kind: int, time: int) -> bool:
    """Whether a record that does not verify has a second witness for its shape: the time that its message repeats."""
    if kind == NODE:
        return bool(_u32(data, body + 68 + _u16(data, body + 66)[0])[0] == time)
    if kind == UPDATE:
        return bool(_u32(data, body + 106)[0] == time)
    return kind == ANNOUNCEMENT  # two lengths of 16 bits agree
