"""A store that holds the same bytes twice: the damage is what differs, and a copy that was always there is no cause."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from blake3 import blake3

from inspector.formats import all_formats
from inspector.formats.piece_cache.layout import ELEMENT
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.log_writer import frame
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.piece_cache import element


def cause(data: bytes, name: str = "piece_cache.bin") -> tuple[str, str]:
    report = inspect(MemorySource(data, name), all_formats())
    assert report.diagnosis is not None
    event = report.diagnosis.events[0]
    return event.cause.name, event.cause.confidence


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


SAMPLES = Path(__file__).parents[1] / "samples"
TWICE = element(7) + element(7)
MIDDLE = ELEMENT + 500_000


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (changed(TWICE, MIDDLE, bytes([TWICE[MIDDLE] ^ 4])), ("bit-flip", "certain")),
        (changed(changed(TWICE, 99, bytes([TWICE[99] ^ 1])), 5000, bytes([TWICE[5000] ^ 64])), ("multi-bit", "likely")),
        (changed(TWICE, MIDDLE, bytes(5000)), ("zeroed-range", "likely")),
        (changed(TWICE, MIDDLE, Random(1).randbytes(700)), ("overwritten", "likely")),
        (TWICE[:-70_000], ("truncated", "certain")),
        (TWICE[:MIDDLE] + TWICE[MIDDLE + 21 :], ("shifted", "certain")),
    ],
    ids=["a bit", "two bits", "zeroes", "noise", "cut", "bytes lost"],
)
def test_a_unit_that_stands_twice_tells_what_happened_to_one(data: bytes, right: tuple[str, str]) -> None:
    assert cause(data) == right


def test_a_neighbour_that_holds_other_bytes_tells_nothing() -> None:
    pieces = [i.to_bytes(8, "little") + Random(i).randbytes(ELEMENT - 40) for i in (1, 2)]
    data = b"".join(piece + blake3(piece).digest() for piece in pieces)
    assert cause(changed(data, MIDDLE, bytes([data[MIDDLE] ^ 4])))[0] == "unknown"


def test_a_neighbour_that_differs_in_key_and_checksum_is_no_twin() -> None:
    out, value = bytearray(), Random(3).randbytes(1500)
    for i in range(40):
        out += frame(batch.encode(1 + i, [(0, keys.PUT, b"key%05d" % i, value)]), len(out))
    data = bytes(out)
    at = len(data) // 2
    assert cause(changed(data, at, bytes([data[at] ^ 4])), "000004.log") == ("bit-flip", "certain")
    assert cause(changed(data, at, Random(4).randbytes(300)), "000004.log")[0] != "bit-flip"


@pytest.mark.parametrize("sample", ["gossip_store/clean-v9.gossip_store", "rocksdb/clean-v7.sst"])
@pytest.mark.parametrize("length", [70, 140, 300])
def test_a_store_s_own_bytes_at_offset_1_were_written_there(sample: str, length: int) -> None:
    data = (SAMPLES / sample).read_bytes()
    for origin in (700, 1313, 2100):
        assert cause(changed(data, 1, data[origin : origin + length]), sample)[0] == "overwritten"


def test_a_bit_in_the_first_unit_is_no_write_at_offset_1() -> None:
    for sample in ("gossip_store/clean-v9.gossip_store", "rocksdb/clean-v7.sst"):
        data = (SAMPLES / sample).read_bytes()
        assert cause(changed(data, 60, bytes([data[60] ^ 2])), sample)[0] == "bit-flip"
