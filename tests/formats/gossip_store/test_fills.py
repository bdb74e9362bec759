"""Zeroed fields of a message are filled with what the store has elsewhere, and what a store has not is not made up."""

from __future__ import annotations

import struct
from functools import reduce
from itertools import islice, product
from operator import xor
from random import Random
from types import SimpleNamespace
from typing import Any

import crc32c
import pytest

from inspector.correct import Word, apply
from inspector.formats.gossip_store import fills as module
from inspector.formats.gossip_store.fills import fills
from inspector.formats.gossip_store.vouching import vouch
from tests.builders import gossip_messages as m

RNG = Random(8)
NOISE = m.Noise(RNG)
SCID, TIME = m.scid(700_001, 2, 1), 0x65432109
ONE, TWO = sorted(m.node_id(RNG) for _ in range(2))
FEATURES = bytes.fromhex("88a0802a59a1")
UPDATE = m.channel_update(NOISE, SCID, 1, TIME, disabled=True, htlc_max=0x1122334455667788, base=0x01020304, ppm=77777)
ANNOUNCED = m.channel_announcement(NOISE, SCID, ONE, TWO, FEATURES)
NODE = m.node_announcement(NOISE, ONE, TIME, m.NodeWords(b"an alias of 32 bytes, no byte 0!", features=FEATURES,
                                                         addresses=m.address_ipv6(RNG)))  # fmt: skip


def known(**more: Any) -> Any:
    """A store that has the channel, its nodes, another channel, and an older version of each message."""
    bodies = {1: ANNOUNCED, 2: UPDATE, 3: NODE}
    told = {
        "announced": lambda scid: scid == SCID, "channels": lambda: [5, SCID], "chain": lambda: m.MAINNET,
        "unannounced": lambda: [bytes(7) + b"\5", SCID.to_bytes(8, "big")], "node_ids": lambda: [TWO, ONE],
        "body": bodies.__getitem__, "last_of": lambda node: NODE if node == ONE else b"",
        "index": SimpleNamespace(first=[2, 1], updates=lambda scid: [2] if scid == SCID else []),
    }  # fmt: skip
    return SimpleNamespace(**{**told, **more})


def record(body: bytes, start: int, end: int) -> bytes:
    """The record with [start, end) of its body zeroed."""
    head = struct.pack(">HHII", 0x2000, len(body), crc32c.crc32c(body, TIME), TIME)
    return head + body[:start] + bytes(end - start) + body[end:]


def guessed(body: bytes, start: int, end: int, store: Any = None) -> tuple[int, list[bytes]]:
    """How many bodies were tried in place of the zeroed one, and those with which the checksum holds."""
    unit = record(body, start, end)
    tried, patches = fills(unit, Word(12, len(unit), 4, "big", seed=8), store or known())
    return tried, [apply(unit, patch)[12:] for patch in patches]


def filled(body: bytes, start: int, end: int, store: Any = None) -> list[bytes]:
    return guessed(body, start, end, store)[1]


def tried(body: bytes, start: int, end: int, store: Any = None) -> int:
    return guessed(body, start, end, store)[0]


FIELDS = {
    "update": (UPDATE, [(66, 98), (98, 106), (106, 110), (110, 114), (114, 122), (122, 126), (126, 130), (130, 138),
                        (66, 106), (70, 74), (106, 138)]),
    "announcement": (ANNOUNCED, [(258, 262), (260, 266), (266, 298), (298, 306), (306, 339), (339, 372), (266, 372),
                                 (258, 306), (300, 304), (341, 346)]),
    "node": (NODE, [(68, 74), (74, 78), (78, 111), (111, 114 + 1), (111, len(NODE)), (74, 111), (130, 140)]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "start", "end"),
    [(body, *span) for body, spans in FIELDS.values() for span in spans],
    ids=[f"{name} {start}-{end}" for name, (_, spans) in FIELDS.items() for start, end in spans],
)
def test_what_stood_in_zeroed_fields_is_found_by_the_checksum(body: bytes, start: int, end: int) -> None:
    assert filled(body, start, end) == [body]


@pytest.mark.parametrize(("start", "end"), [(114, 118), (130, 138), (66, 98)])
def test_three_zeroes_in_a_row_are_no_zeroed_field_and_four_are(start: int, end: int) -> None:
    plain = bytes(b or 1 for b in UPDATE[2:])
    body = UPDATE[:2] + plain[:96] + UPDATE[98:106] + plain[104:]
    store = known(body=lambda at: body, chain=lambda: body[66:98])
    assert not tried(body, start, start + 3, store)
    assert body in filled(body, start, min(end, start + 4), store)


def test_bytes_that_are_not_zero_are_never_contradicted() -> None:
    other = m.MAINNET[:8] + b"\x99" + m.MAINNET[9:]
    assert not tried(UPDATE, 70, 74, known(chain=lambda: other))
    assert not tried(UPDATE, 70, 74, known(chain=lambda: None))


def test_the_channel_of_an_update_stays_where_the_store_announces_it() -> None:
    """Its low bytes may well be zero: only a number that no announcement has is another one."""
    assert not tried(UPDATE, 98, 102, known(announced=lambda scid: True))
    assert UPDATE in filled(UPDATE, 98, 102, known(announced=lambda scid: False))


def test_a_message_that_is_cut_or_of_no_signed_type_has_no_fields_to_fill() -> None:
    plain = m.channel_announcement(NOISE, SCID, ONE, TWO)
    for body, least, at in ((UPDATE, 130, 70), (plain, 432, 312), (NODE, 142, 79)):
        assert not tried(body[: least - 1], at, at + 10)
        assert filled(body[:least], at, at + 10) == [body[:least]]
    assert not tried(m.amount(0), 2, 10)


def test_a_node_whose_time_is_cut_has_none_to_fill() -> None:
    """Its features may say that the time stands over its end."""
    body = NODE[:66] + (72).to_bytes(2, "big") + NODE[68:138] + bytes(4)
    assert not tried(body, 138, 142)


def test_an_update_of_before_2022_has_no_last_field() -> None:
    short = UPDATE[:130]
    assert filled(short, 114, 130) == [short]


def test_no_more_is_guessed_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [bytes([2]) + RNG.randbytes(32) for _ in range(20)]
    store = known(node_ids=lambda: ids)
    assert guessed(ANNOUNCED, 306, 372, store) == (21 * 21 - 1, [])
    ids[3:5] = ANNOUNCED[306:339], ANNOUNCED[339:372]
    place = 4 * 21 + 5  # the choice of nothing is the first
    for most, found in ((place, [ANNOUNCED]), (place - 1, [])):
        monkeypatch.setattr(module, "GUESSES", most)
        assert guessed(ANNOUNCED, 306, 372, store) == (most, found)


@pytest.mark.parametrize("seed", range(60))
def test_what_makes_up_a_checksum_is_what_a_look_at_each_choice_finds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(seed)
    changes = [[0, *(rng.randrange(8) for _ in range(rng.randrange(1, 9)))] for _ in range(rng.randrange(5))]
    most, wrong = rng.choice([1, 7, 40, 1 << 16]), rng.randrange(8)
    monkeypatch.setattr(module, "GUESSES", most)
    choices = islice(product(*(range(len(one)) for one in changes)), 1, most + 1)
    right = [c for c in choices if reduce(xor, (one[i] for one, i in zip(changes, c, strict=True)), 0) == wrong]
    assert list(module._making_up(wrong, changes)) == right


def vouched(body: bytes, *places: int, scid: int = 0, **more: Any) -> str:
    """What confirms bytes of a record, told by their offset in it."""
    store = known(chain=lambda: m.MAINNET, **more)
    return vouch(body, tuple((at, 1) for at in places), store, scid)


CHANNEL = "the channel is one that the store announces"
CHAIN, HEADERS = "the chain is that of all other messages", "the time is the one in the header"
LENGTH, TYPE = "the length is the one that the message's structure gives", "the type is {} and fits the length"
VOUCHED = [
    (UPDATE, {2: LENGTH, 3: LENGTH, 1: "", 12: TYPE.format("channel_update"), 13: TYPE.format("channel_update"),
              14: "", 77: "", 78: CHAIN, 109: CHAIN, 110: CHANNEL, 117: CHANNEL, 118: HEADERS, 121: HEADERS, 122: "",
              149: "", 8: "the time is the message's own", 11: "the time is the message's own", 4: "", 7: ""}),
    (ANNOUNCED, {8: "", 11: "", 269: "", 270: "the length of the features fits the length of the message",
                 271: "the length of the features fits the length of the message", 272: "", 277: "", 278: CHAIN,
                 309: CHAIN, 310: "", 14: ""}),
    (NODE, {85: "", 86: HEADERS, 89: HEADERS, 90: "", 12: TYPE.format("node_announcement"), 78: "", 14: ""}),
    (m.delete_chan(SCID), {13: TYPE.format("delete_chan"), 14: CHANNEL, 21: CHANNEL,
                           8: "the time is 0, as of all of CLN's own records",
                           4: f"{CHANNEL}, and the checksum is that of the message"}),
    (m.delete_chan(9), {14: "", 21: "", 4: ""}),
    (m.chan_dying(SCID, 800_000), {14: CHANNEL, 21: CHANNEL, 22: "", 25: "", 7: ""}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "at", "because"), [(body, at, because) for body, told in VOUCHED for at, because in told.items()]
)
def test_what_confirms_a_byte(body: bytes, at: int, because: str) -> None:
    assert vouched(body, at) == because


def test_one_byte_that_nothing_confirms_leaves_the_whole_without_a_witness() -> None:
    assert vouched(UPDATE, 78, 110, 111) == f"{CHAIN}; {CHANNEL}"
    assert vouched(UPDATE, 78, 122) == ""


@pytest.mark.parametrize(("body", "count"), [(UPDATE, 1), (NODE, 1), (ANNOUNCED, 4)])
def test_a_signature_of_zeroes_is_confirmed_as_a_whole(body: bytes, count: int) -> None:
    because = "the signature is all zero, as where a store has none"
    for k in range(count):
        start = 2 + 64 * k
        unsigned = body[:start] + bytes(64) + body[start + 64 :]
        for at in range(2, 2 + 64 * count):
            assert vouched(unsigned, 12 + at) == (because if start <= at < start + 64 else "")
        assert vouched(unsigned[: start + 63] + b"\1" + unsigned[start + 64 :], 12 + start) == ""


def test_another_chain_than_that_of_the_store_confirms_nothing() -> None:
    body = UPDATE[:97] + b"\1" + UPDATE[98:]
    assert vouched(body, 78) == ""
