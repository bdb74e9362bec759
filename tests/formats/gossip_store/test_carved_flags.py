"""Small words of a record: the flags that a carved record keeps, and a version byte that stands too far on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inspector import formats
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.kinds import KINDS
from inspector.formats.gossip_store.legacy import _LOST, _TORN_BODY, LegacyWalker
from inspector.formats.gossip_store.writing import _convert
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders.gossip import healthy

EVERY = (versions.DELETED, versions.PUSH, versions.COMPLETED, versions.ZOMBIE, versions.DYING)


@pytest.mark.parametrize("version", [13, 14, 15, 16])
@pytest.mark.parametrize("dying", [0, 1])
def test_a_carved_record_is_alive_and_whole_and_keeps_its_push_and_dying_flags(version: int, dying: int) -> None:
    for chosen in range(1 << len(EVERY)):
        flags = sum(bit for n, bit in enumerate(EVERY) if chosen >> n & 1) | 0x00FF
        record = bytearray(b"\xaa" * 5 + flags.to_bytes(2, "big") + b"\xbb" * 5)
        _convert(record, 5, version, dying)
        found = int.from_bytes(record[5:7], "big")
        assert bool(found & versions.PUSH) == bool(flags & versions.PUSH)
        assert bool(found & versions.DYING) == bool(flags & versions.DYING or dying)
        assert bool(found & versions.COMPLETED) == versions.has_completed(version)
        assert not found & ~(versions.PUSH | versions.DYING | versions.COMPLETED)
        assert record[:5] + record[7:] == b"\xaa" * 5 + b"\xbb" * 5


@pytest.mark.parametrize(
    ("version", "before", "cause"),
    [
        (9, b"\0", "software-rule-violation"),
        (9, b"\0\0", "shifted"),
        (16, b"\0", "shifted"),
    ],
)
def test_only_the_old_bug_puts_a_zero_before_the_version(version: int, before: bytes, cause: str) -> None:
    report = inspect(MemorySource(before + healthy(version, 8_000, seed=1), "gossip_store"), formats.all_formats())
    (found,) = [f for f in report.tally.findings() if f.rule.slug == "version-byte-displaced"]
    assert found.cause.name == cause


@pytest.mark.parametrize("length", [0, 1, 255, 256, 0x1234, 0xFFFF])
def test_old_headers_say_their_length_in_two_or_in_four_bytes(length: int) -> None:
    two: Any = SimpleNamespace(header=12)
    four: Any = SimpleNamespace(header=8)
    assert LegacyWalker._length(two, b"\xff\xff" + length.to_bytes(2, "big") + bytes(10)) == length
    assert LegacyWalker._length(four, (length << 8).to_bytes(4, "big") + bytes(6)) == length << 8


@pytest.mark.parametrize("kind", [*sorted(KINDS)[:4], 1, 2, 0x0100 >> 8])
def test_only_a_body_of_a_known_type_is_called_torn(kind: int) -> None:
    head = b"\0\0" + (500).to_bytes(2, "big") + bytes(8) + kind.to_bytes(2, "big")
    walker: Any = SimpleNamespace(header=12, size=100, _bytes=lambda at, n: head[:n], _length=lambda _: 500)
    assert LegacyWalker._why(walker, 0) == (_TORN_BODY if kind in KINDS else _LOST)
