"""What stands behind the last record: too short for a header or for a type, zeroes, or what no record can be."""

from __future__ import annotations

from random import Random

import pytest

from inspector.finding import Finding
from inspector.formats.gossip_store import FORMAT
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.gossip import healthy

WHOLE = healthy(16, 4000, 1)
NOISE = Random(3).randbytes(200)


def behind(tail: bytes) -> Finding:
    """What is said of these bytes, and nothing else is said."""
    (found,) = inspect(MemorySource(WHOLE + tail, "gossip_store"), (FORMAT,)).tally.findings()
    assert (found.span.start, found.span.length) == (len(WHOLE), len(tail))
    return found


@pytest.mark.parametrize("size", [1, 2, 11])
@pytest.mark.parametrize("fill", [NOISE, bytes(200), b"\xff" * 200])
def test_less_than_a_header_is_one_that_was_cut(size: int, fill: bytes) -> None:
    found = behind(fill[:size])
    assert (found.rule.code, found.evidence, found.salvage) == ("GSP008", {"left": size}, "lost")
    assert found.message == f"{size} bytes are left where a 12-byte record header is due"


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("fill", [NOISE, b"\xff" * 200])
def test_a_header_without_a_type_is_a_record_that_was_cut(size: int, fill: bytes) -> None:
    found = behind(fill[:size])
    needed = int.from_bytes(fill[2:4], "big")
    assert (found.rule.code, found.cause.name) == ("GSP007", "truncated")
    assert found.evidence == {"needed": needed, "left": size - 12, "type": 0}


@pytest.mark.parametrize("size", [14, 15, 64])
@pytest.mark.parametrize("fill", [NOISE, b"\xff" * 200])
def test_what_has_a_type_and_is_no_record_cannot_be_read(size: int, fill: bytes) -> None:
    found = behind(fill[:size])
    assert (found.rule.code, found.salvage) == ("GSP005", "lost")
    assert found.evidence["length"] == size


@pytest.mark.parametrize("size", [12, 13, 14, 24, 32, 40, 47, 48, 200])
def test_zeroes_behind_the_last_record_are_zeroes_however_few(size: int) -> None:
    found = behind(bytes(size))
    assert (found.rule.code, found.cause.name, found.cause.confidence) == ("GSP010", "zeroed-range", "certain")
    assert (found.evidence, found.salvage) == ({"length": size}, "kept")
