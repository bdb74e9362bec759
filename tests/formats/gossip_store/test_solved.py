"""What a corrector asks of messages and of the store around them: times, places, words of witnesses, and numbers."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from crc32c import crc32c

from inspector.correct import Patch
from inspector.format import Edit, Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.amounts import notices, possible, spoken_for
from inspector.formats.gossip_store.correction import Corrector, _where
from inspector.formats.gossip_store.header_time import right_time
from inspector.formats.gossip_store.plan import _joins
from inspector.formats.gossip_store.signed import Judgement
from inspector.formats.gossip_store.vouching import vouch
from inspector.source import MemorySource
from inspector.span import Span
from tests.builders import gossip_messages as m
from tests.builders import gossip_signed as signed
from tests.builders.gossip import Store

SCID = m.scid(700_000, 5, 1)
NOISE = m.Noise(Random(6))
IDS = sorted(m.node_id(Random(k)) for k in (1, 2))
ANNOUNCED = m.channel_announcement(NOISE, SCID, IDS[0], IDS[1], b"\1\2\3")
UPDATE = m.channel_update(NOISE, SCID, 1, 1000)
NODE = m.node_announcement(NOISE, IDS[0], 1000, m.NodeWords(b"n", features=b"\7" * 300))


def known(*, updates: tuple[bytes, ...] = (), announced: bool = True, chain: bytes | None = m.MAINNET,
          times: tuple[int, int] = (900, 1100)) -> Any:  # fmt: skip
    """A store that has these updates of its one channel."""
    return SimpleNamespace(
        index=SimpleNamespace(updates=lambda scid: range(len(updates) if scid == SCID else 0)),
        body=lambda at: updates[at], times=lambda: times, chain=lambda: chain,
        announced=lambda scid: announced and scid == SCID,
    )  # fmt: skip


def unit(time: int, sealed: int | None = None, body: bytes = ANNOUNCED) -> bytes:
    """A record whose header says `time`, with the checksum that it has with the time `sealed`."""
    stored = crc32c(body, time if sealed is None else sealed)
    return b"\x20\x00" + len(body).to_bytes(2, "big") + stored.to_bytes(4, "big") + time.to_bytes(4, "big") + body


OF_UPDATE = "its time is that of an update of its channel"
BOTH = "checksum and time are those of an update of its channel"
AMONG = "its time is among those of the other announcements"
FITTING = "the one time for which the checksum holds is among those of the other announcements"


@pytest.mark.parametrize(("time", "sealed", "updates", "told"), [
    (1000, 77, (1000,), (1000, OF_UPDATE)),
    (55, 1000, (1000,), (1000, BOTH)),
    (55, 1000, (999, 1000), (1000, BOTH)),
    (950, 77, (), (950, AMONG)),
    (900, 77, (), (900, AMONG)), (1100, 77, (), (1100, AMONG)), (899, 77, (), (899, "")), (1101, 77, (), (1101, "")),
    (55, 950, (), (950, FITTING)), (55, 1100, (), (1100, FITTING)), (55, 1101, (), (55, "")),
    (950, 960, (), (950, "")),  # either of them may be damaged
    (950, 77, (940,), (950, "")), (940, 77, (950,), (940, AMONG)), (55, 949, (950,), (949, FITTING)),
    (55, 951, (950,), (55, "")),  # an announcement is not later than its channel's updates
])  # fmt: skip
def test_the_time_of_an_announcement_is_that_of_an_update_or_among_those_of_others(
    time: int, sealed: int, updates: tuple[int, ...], told: tuple[int, str]
) -> None:
    have = tuple(m.channel_update(NOISE, SCID, 0, one) for one in updates)
    assert right_time(unit(time, sealed), SCID, known(updates=have)) == told


@pytest.mark.parametrize(("body", "states", "place"), [
    (ANNOUNCED, ("failed",) * 4, (254, len(ANNOUNCED))),
    (ANNOUNCED, ("held", "failed", "held", "held"), (66, 130)),
    (ANNOUNCED, ("failed", "held", "held", "failed"), (2, 258)),
    (ANNOUNCED, ("held", "held", "failed", "failed"), (130, 258)),
    (UPDATE, ("failed",), (2, len(UPDATE))), (NODE, ("failed",), (2, len(NODE))),
])  # fmt: skip
def test_a_signature_that_holds_vouches_for_all_but_those_that_fail(
    body: bytes, states: tuple[str, ...], place: tuple[int, int]
) -> None:
    assert _where(body, Judgement(states)) == place


CHANNEL = "the channel is one that the store announces"
CHAIN = "the chain is that of all other messages"
ZERO = "the signature is all zero, as where a store has none"
WHOLE = f"{CHANNEL}, and the checksum is that of the message"
TOMB, DYING, AMOUNT = m.delete_chan(SCID), m.chan_dying(SCID, 9), m.amount(2_000_000)
UNSIGNED = UPDATE[:2] + bytes(64) + UPDATE[66:]
BARE = ANNOUNCED[:66] + bytes(64) + ANNOUNCED[130:]
LENGTH = "the length is the one that the message's structure gives"
VOUCHED = [  # body, offsets in the record that changed, what confirms them
    (UPDATE, (2,), LENGTH), (UPDATE, (3,), LENGTH), (UPDATE, (1,), ""), (UPDATE, (0,), ""),
    (UPDATE, (4,), ""), (TOMB, (4,), WHOLE), (TOMB, (7,), WHOLE), (TOMB, (4, 13), f"{WHOLE}; the type is delete_chan "
                                                                                 "and fits the length"),
    (DYING, (4,), ""), (AMOUNT, (4,), "2,000,000 sat is a round amount, and the checksum is that of the message"),
    (UPDATE, (8,), "the time is the message's own"), (UPDATE, (11,), "the time is the message's own"),
    (ANNOUNCED, (8,), ""), (TOMB, (11,), "the time is 0, as of all of CLN's own records"),
    (UPDATE, (12,), "the type is channel_update and fits the length"),
    (UPDATE, (13,), "the type is channel_update and fits the length"), (UPDATE, (14,), ""),
    (TOMB, (14,), CHANNEL), (TOMB, (21,), CHANNEL), (DYING, (21,), CHANNEL), (DYING, (22,), ""), (DYING, (25,), ""),
    (UPDATE, (12 + 97,), CHAIN), (UPDATE, (12 + 98,), CHANNEL), (UPDATE, (12 + 105,), CHANNEL),
    (UPDATE, (12 + 106,), "the time is the one in the header"),
    (UPDATE, (12 + 109,), "the time is the one in the header"),
    (UPDATE, (12 + 110,), ""), (UPDATE, (12 + 66,), CHAIN), (UPDATE, (12 + 65,), ""),
    (NODE, (12 + 68 + 300,), "the time is the one in the header"), (NODE, (12 + 67 + 300,), ""),
    (NODE, (12 + 71 + 300,), "the time is the one in the header"), (NODE, (12 + 72 + 300,), ""),
    (ANNOUNCED, (12 + 258,), "the length of the features fits the length of the message"),
    (ANNOUNCED, (12 + 259,), "the length of the features fits the length of the message"),
    (ANNOUNCED, (12 + 260,), ""), (ANNOUNCED, (12 + 263,), CHAIN), (ANNOUNCED, (12 + 294,), CHAIN),
    (ANNOUNCED, (12 + 295,), ""), (UNSIGNED, (14,), ZERO), (UNSIGNED, (12 + 65,), ZERO),
    (BARE, (12 + 65,), ""), (BARE, (12 + 66,), ZERO), (BARE, (12 + 129,), ZERO), (BARE, (12 + 130,), ""),
    (UPDATE, (12 + 98, 12 + 106), f"{CHANNEL}; the time is the one in the header"), (UPDATE, (12 + 98, 12 + 110), ""),
    (UPDATE, (12 + 98, 12 + 99), CHANNEL), (NODE, (12 + 3,), ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "places", "told"), VOUCHED)
def test_what_confirms_each_changed_byte(body: bytes, places: tuple[int, ...], told: str) -> None:
    patch: Patch = tuple((at, 4) for at in places)
    assert vouch(body, patch, known()) == told
    lonely = vouch(body, patch, known(announced=False, chain=None))
    assert lonely == ("" if CHANNEL in told or CHAIN in told else told)


def most(msat: int) -> bytes:
    return m.channel_update(NOISE, SCID, 0, 9, htlc_max=msat)


@pytest.mark.parametrize(("satoshis", "updates", "told"), [
    (10_000, (), "10,000 sat is a round amount"), (9_999, (), ""), (0, (), ""), (20_001, (), ""),
    (2_100_000_000_000_000, (), "2,100,000,000,000,000 sat is a round amount"), (2_100_000_000_010_000, (), ""),
    (12_345, (most(12_345_000),), "an update of its channel allows payments up to the 12,345 sat"),
    (12_345, (most(12_345_001),), ""), (12_345, (most(12_221_550),), "an update of its channel allows payments up to "
                                                                   "the 12,345 sat"),
    (12_345, (most(1), most(12_222_000)), "an update of its channel allows payments up to the 12,345 sat"),
    (12_345, (m.channel_update(NOISE, SCID, 0, 9, htlc_max=None),), ""),
])  # fmt: skip
def test_an_amount_is_confirmed_by_being_round_or_by_an_update(
    satoshis: int, updates: tuple[bytes, ...], told: str
) -> None:
    body = m.amount(satoshis)
    assert spoken_for(body, SCID, known(updates=updates)) == told
    assert spoken_for(body, 0, known(updates=updates)) == (told if "round" in told else "")
    assert possible(body) == (satoshis <= 2_100_000_000_000_000)


def test_a_flip_of_an_amount_is_noticed_where_the_other_number_is_not_confirmed() -> None:
    body = m.amount(2_000_000)
    assert notices(body, 9, 4, SCID, known()) == "2,000,000 sat is a round amount"
    assert notices(m.amount(2_000_001), 9, 4, SCID, known()) == ""
    assert notices(m.amount(7), 2, 0x40, SCID, known()) == "it was more than all bitcoin there will ever be"
    other = 2_000_000 ^ 4
    assert notices(body, 9, 4, SCID, known(updates=(most(1000 * other),))) == ""


def corrector(*bodies: tuple[bytes, int]) -> Corrector:
    store = Store(16)
    for body, time in bodies:
        store.append(body, time)
    return Corrector(FORMAT.open(MemorySource(store.bytes(), "gossip_store"), None, Wishes()))


def hurt(body: bytes, time: int, *changes: tuple[int, int]) -> bytes:
    made = bytearray(unit(time, body=body))
    for at, mask in changes:
        made[at] ^= mask
    return bytes(made)


def test_the_numbers_of_what_was_tried() -> None:
    undo = corrector((m.channel_announcement(NOISE, SCID, IDS[0], IDS[1]), 0), (AMOUNT, 0))
    body = m.amount(2_000_001)
    one = undo.solve(hurt(body, 0, (15, 1)))
    assert (one.verdict, one.tried) == ("unique", 8 * 10 + 64)
    two = undo.solve(hurt(body, 0, (15, 1), (19, 2)))
    assert (two.verdict, two.tried) == ("unique", (8 * 10 + 64) * (8 * 10 + 65) // 2)
    three = undo.solve(hurt(body, 0, (15, 7)))
    assert (three.verdict, three.tried, three.listed) == ("ambiguous", 8 * 10 << 7, (((15, 7),),))
    time = undo.solve(hurt(body, 0, (8, 0x55)))
    assert (time.verdict, time.tried, time.how) == ("sealed", 1, "a wrong time in the header")
    length = undo.solve(hurt(TOMB, 0, (2, 0x55), (3, 0x55)))
    assert (length.verdict, length.tried, length.how, length.patch) == (
        "sealed", 1, "a wrong length", ((2, 0x55), (3, 0x55)),
    )  # fmt: skip
    assert undo.solve(hurt(body, 0, (13, 1), (15, 0xFF), (17, 0xFF), (20, 0xFF))).verdict == "none"


def test_bursts_of_signed_messages_cost_signatures_until_none_are_left() -> None:
    """Four signatures for each byte that may be damaged: a node announcement of so many bytes, but for its type."""
    body = signed.node(1, 1000, m.NodeWords(b"n"))
    broken = hurt(body, 1000, (100, 0xFF), (101, 0xAA), (102, 0x55))
    undo = corrector((signed.node(2, 900, m.NodeWords(b"m")), 900))
    cost = 4 * (len(body) - 2)
    undo.checks = cost
    found = undo.solve(broken)
    assert (found.verdict, found.tried, undo.checks, undo.skipped) == ("sealed", 8 * (len(body) - 2), 0, 0)
    assert found.unit == unit(1000, body=body)
    undo.checks = cost - 1
    assert (undo.solve(broken).verdict, undo.checks, undo.skipped) == ("none", cost - 1, 1)


def test_only_kept_neighbours_of_one_proof_and_without_words_join() -> None:
    one = Edit("kept", Span(5, 9))
    assert _joins(one, Edit("kept", Span(9, 12)))
    for other in (Edit("kept", Span(10, 12)), Edit("kept", Span(9, 12), proof="none"), Edit("lost", Span(9, 12)),
                  Edit("kept", Span(9, 12), why="w"), Edit("kept"), Edit("added", data=b"x")):  # fmt: skip
        assert not _joins(one, other)
    for other in (Edit("lost", Span(5, 9)), Edit("kept", Span(5, 9), proof="none"), Edit("kept")):
        assert not _joins(other, Edit("kept", Span(9, 12)))
    assert not _joins(Edit("kept", Span(5, 9), why="w"), Edit("kept", Span(9, 12)))
