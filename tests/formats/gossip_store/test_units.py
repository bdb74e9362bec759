"""Whether bytes would make a record, for whoever asks it of bytes that were moved, cut or put in."""

from __future__ import annotations

from random import Random

import pytest

from inspector.format import Unit, Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.units import unit
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders.gossip import Store, healthy

ONE, TWO = b"\x02" + bytes(range(32)), b"\x03" + bytes(range(32))
NOISE = m.Noise(Random(1))
UPDATE, SHORT_UPDATE = (m.channel_update(NOISE, 7, 0, 9, htlc_max=most) for most in (5, None))
ANNOUNCED = m.channel_announcement(NOISE, 7, ONE, TWO)
LEAST = {  # of each type the shortest body that gossipd writes
    "channel_announcement": ANNOUNCED, "node_announcement": m.node_announcement(NOISE, ONE, 9, m.NodeWords(b"a")),
    "channel_update": UPDATE, "local_add_channel": m.local_add_channel(7, ONE, 5), "channel_amount": m.amount(5),
    "private_update": m.private_update(SHORT_UPDATE), "delete_chan": m.delete_chan(7), "ended": m.ended(7),
    "private_channel": m.private_channel(5, ANNOUNCED[:430]), "chan_dying": m.chan_dying(7, 9),
    "uuid": m.uuid(bytes(32)),
}  # fmt: skip
EXACT = {"channel_update", "channel_amount", "delete_chan", "ended", "chan_dying", "uuid"}


def asked(data: bytes, at: int = 1, version: int = 16) -> Unit | None:
    store = FORMAT.open(MemorySource(healthy(version, 4000, 1), "gossip_store"), None, Wishes())
    return unit(store, "", at, lambda start, n: data[start : start + n])


def record(*bodies: bytes) -> bytes:
    store = Store(16, bare=True)
    for body in bodies:
        store.append(body, 5)
    return store.bytes()


@pytest.mark.parametrize("name", LEAST)
def test_the_shortest_record_of_a_type_holds_and_nothing_shorter_can_be_one(name: str) -> None:
    body = LEAST[name]
    assert asked(record(body)) == Unit(13 + len(body), True)
    shorter = body[:-1] if name != "channel_update" else body[:129]
    assert asked(record(shorter)) is None
    longer = asked(record(body + b"\0"))
    assert longer == (None if name in EXACT else Unit(14 + len(body), True))


def test_the_two_lengths_of_updates_and_of_ended_records() -> None:
    assert asked(record(SHORT_UPDATE)) == Unit(1 + 12 + 130, True)
    assert asked(record(m.ended(7, bytes(32)))) == Unit(1 + 12 + 42, True)
    assert asked(record(UPDATE[:-1])) is None


def test_a_body_that_fails_its_checksum_or_is_cut_is_a_record_that_does_not_hold() -> None:
    data = record(UPDATE)
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[:-1]):
        assert asked(wrong) == Unit(len(data), False)
    assert asked(data[:14]) is None
    assert asked(data[:15]) == Unit(len(data), False)


def test_a_type_that_nobody_writes_is_believed_where_a_sound_record_or_the_end_follows() -> None:
    strange = b"\x12\x34" + bytes(20)
    end = 1 + 12 + 22
    whole = record(strange, UPDATE)
    assert asked(whole) == Unit(end, False)
    assert asked(record(strange)) == Unit(end, False)
    assert asked(record(strange)[:-1]) is None
    assert asked(record(strange) + b"\0") is None
    assert asked(record(strange, strange)) is None
    assert asked(whole[:-1]) is None
    assert asked(whole[:-1] + b"\xff") is None


def test_nothing_is_told_of_the_version_byte_and_of_checksums_that_are_no_crc32c() -> None:
    data = record(UPDATE)
    assert asked(data[1:], 0) is None
    assert asked(data, version=6) is None
    assert asked(data, version=7) == Unit(len(data), True)
