"""Behind a hole the next record of a blob file is found at its first byte."""

from __future__ import annotations

import pytest

from inspector.crc32c import crc32c
from inspector.formats.rocksdb import blob
from inspector.formats.rocksdb.checksums import mask


def _record(key_size: int) -> bytes:
    head = key_size.to_bytes(8, "little") + (3).to_bytes(8, "little") + bytes(8)
    body = b"k" * key_size + b"abc"
    sums = (mask(crc32c(head)), mask(crc32c(body)))
    return head + b"".join(one.to_bytes(4, "little") for one in sums) + body


@pytest.mark.parametrize("key_size", [1, 256, 65_536])  # how many zeroes the record itself begins with
@pytest.mark.parametrize("hole", [0, 1, 15, 16, 17, 31, 32, 33, 4096, (1 << 20) - 8, (1 << 20) + 5])
def test_the_first_record_behind_zeroes_is_found_at_its_first_byte(hole: int, key_size: int) -> None:
    data = b"\x01" * 20 + bytes(hole) + _record(key_size)
    found = [r.start for r in blob.records(lambda at, n: data[at : at + n], 0, len(data)) if r.key_size == key_size]
    assert found == [20 + hole]
