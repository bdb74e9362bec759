"""Behind a hole the next record of a blob file is found at its first byte."""

from __future__ import annotations

import pytest

from inspector.crc32c import crc32c
from inspector.formats.rocksdb import blob
from inspector.formats.rocksdb.checksums import mask


def _record(key_size: int, value: bytes = b"abc") -> bytes:
    head = key_size.to_bytes(8, "little") + len(value).to_bytes(8, "little") + bytes(8)
    body = b"k" * key_size + value
    sums = (mask(crc32c(head)), mask(crc32c(body)))
    return head + b"".join(one.to_bytes(4, "little") for one in sums) + body


@pytest.mark.parametrize("key_size", [1, 256, 65_536])  # how many zeroes the record itself begins with
@pytest.mark.parametrize("hole", [0, 1, 15, 16, 17, 31, 32, 33, 4096, (1 << 20) - 8, (1 << 20) + 5])
def test_the_first_record_behind_zeroes_is_found_at_its_first_byte(hole: int, key_size: int) -> None:
    data = b"\x01" * 20 + bytes(hole) + _record(key_size)
    found = [r.start for r in blob.records(lambda at, n: data[at : at + n], 0, len(data)) if r.key_size == key_size]
    assert found == [20 + hole]


def test_records_behind_one_that_lost_bytes_are_found_though_it_reaches_over_the_end() -> None:
    """Its lengths are sealed: what it lost, they still count."""
    first, later = _record(4, bytes(range(256)) * 8), [_record(5), _record(6)]
    data = first[:700] + first[1900:] + b"".join(later)
    assert len(data) < len(first)
    found = _read(data)
    assert found == [(0, blob.BAD_BODY), (len(first) - 1200, blob.GOOD), (len(first) - 1200 + len(later[0]), blob.GOOD)]


def test_of_the_last_record_nothing_is_taken_that_its_value_holds() -> None:
    """It ends where the file ends, so none are missing in it: what looks like a record is of its value."""
    last = bytearray(_record(4, b"before" + _record(5) + b"behind"))
    last[-1] ^= 1
    assert _read(_record(3) + last) == [(0, blob.GOOD), (len(_record(3)), blob.BAD_BODY)]


def _read(data: bytes) -> list[tuple[int, int]]:
    return [(r.start, r.state) for r in blob.records(lambda at, n: data[at : at + n], 0, len(data))]
