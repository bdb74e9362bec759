"""Logs that are followed: past many damaged places at the price of one look, and not into what an older log left."""

from __future__ import annotations

import pytest

from inspector.crc32c import crc32c
from inspector.follow import Landed
from inspector.formats.rocksdb import batch, keys, log
from inspector.formats.rocksdb.follow import WalFollower
from inspector.formats.rocksdb.log import BLOCK, HEADER, RECYCLABLE_HEADER
from inspector.formats.rocksdb.log_writer import frame
from inspector.source import MemorySource

EACH = 64  # bytes of a record: a block holds a whole number of them


def log_of(count: int, number: int | None = None) -> bytes:
    head = HEADER if number is None else RECYCLABLE_HEADER
    empty = len(batch.encode(1, [(0, keys.PUT, b"key", b"")]))
    out = bytearray()
    for sequence in range(1, count + 1):
        out += frame(batch.encode(sequence, [(0, keys.PUT, b"key", b"v" * (EACH - head - empty))]), len(out), number)
    assert len(out) == EACH * count
    return bytes(out)


def followed(source: MemorySource) -> list[Landed]:
    """All that lands, past what is broken as `watch` goes."""
    follower, found = WalFollower(None), list[Landed]()
    going = True
    while going:
        going = False
        for landed in follower.advance(source):
            found.append(landed)
            if landed.what == "broken":
                assert not follower.sound(source, landed.start, landed.end)
                follower.skip(landed.end)
                going = True
    return found


def test_every_damaged_record_is_one_place_and_all_between_them_is_sound() -> None:
    data = bytearray(log_of(4 * BLOCK // EACH))
    hurt = range(3 * EACH, len(data) - EACH, 5 * EACH)
    for at in hurt:
        data[at + 30] ^= 1
    found = followed(MemorySource(bytes(data), "000004.log"))
    assert [(one.start, one.end) for one in found if one.what == "broken"] == [(at, at + EACH) for at in hurt]
    sound = sum(one.end - one.start for one in found if one.what == "sound")
    assert sound == len(data) - EACH * len(hurt)


def test_what_is_before_a_damaged_record_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(log_of(BLOCK // EACH))
    for at in range(EACH, BLOCK, 2 * EACH):
        data[at + 30] ^= 1
    asked = 0

    def counted(body: bytes, begun: int = 0) -> int:
        nonlocal asked
        asked += 1
        return crc32c(body, begun)

    monkeypatch.setattr(log, "crc32c", counted)
    places = sum(one.what == "broken" for one in followed(MemorySource(bytes(data), "000004.log")))
    assert places == BLOCK // EACH // 2
    assert asked < 10 * places  # with all before them in their block a hundred times as many


def test_records_of_an_older_log_behind_the_end_of_a_block_are_none_of_this_one() -> None:
    own, older = log_of(BLOCK // EACH, 8), log_of(2 * BLOCK // EACH, 3)
    source = MemorySource(own + older[BLOCK:], "000008.log")
    follower = WalFollower(None)
    assert [(one.what, one.end) for one in follower.advance(source)] == [("sound", BLOCK)]
    assert list(follower.advance(source)) == []  # asked again from the end of the block on
    assert follower.at == BLOCK
