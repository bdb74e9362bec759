"""Messages whose features are longer than a byte counts, and every place in them that is read by its offset."""

from __future__ import annotations

from random import Random

import pytest

from inspector.format import Query, Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.addresses import addresses, feature_bits
from inspector.formats.gossip_store.known import chain_of, node_of, scid_of
from inspector.formats.gossip_store.records import records, show
from inspector.formats.gossip_store.signed import judge, own_time, signers
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders.gossip import DELETED, Store
from tests.contract.corpus import memory

ONE, TWO = b"\x02" + bytes(range(32)), b"\x03" + bytes(range(40, 72))
SCID = m.scid(700_123, 44, 1)
LENGTHS = [0, 1, 5, 255, 256, 300, 514, 700]


def noise() -> m.Noise:
    return m.Noise(Random(8))


def announced(length: int) -> bytes:
    return m.channel_announcement(noise(), SCID, ONE, TWO, bytes([7]) * length)


def node(length: int, addressed: bytes = b"", time: int = 1_700_000_123) -> bytes:
    return m.node_announcement(noise(), TWO, time, m.NodeWords(b"far", b"\1\2\3", b"\x80" * length, addressed))


@pytest.mark.parametrize("length", LENGTHS)
def test_an_announcement_is_read_at_its_offsets(length: int) -> None:
    body = announced(length)
    at = 260 + length
    assert body[at : at + 32] == m.MAINNET
    keys = body[at + 40 + 66 : at + 40 + 99], body[at + 40 + 99 : at + 40 + 132]
    assert signers(body, lambda scid, side: None) == (ONE, TWO, *keys)
    assert (chain_of(body), scid_of(body), own_time(body)) == (m.MAINNET, SCID, None)
    assert (node_of(body, SCID, 0), node_of(body, SCID, 1), node_of(body, SCID + 1, 0)) == (ONE, TWO, None)
    cut = body[:-1]
    assert signers(cut, lambda scid, side: None) == ()
    if length == 0:  # the shortest there is
        assert (len(body), chain_of(cut), scid_of(cut), node_of(cut, SCID, 0)) == (432, None, 0, None)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_node_announcement_is_read_at_its_offsets(length: int) -> None:
    body = node(length)
    assert own_time(body) == 1_700_000_123
    assert own_time(body[: 68 + length + 4]) == 1_700_000_123
    assert own_time(body[: 68 + length + 3]) is None
    assert signers(body, lambda scid, side: None) == (TWO,)
    assert signers(body[: 72 + length + 33], lambda scid, side: None) == (TWO,)
    assert signers(body[: 72 + length + 32], lambda scid, side: None) == ()


def test_an_update_is_read_at_its_offsets() -> None:
    body = m.channel_update(noise(), SCID, 1, 1_700_000_077)
    assert [own_time(body[:end]) for end in (138, 110, 109)] == [1_700_000_077, 1_700_000_077, None]
    asked: list[tuple[int, int]] = []

    def signer(scid: int, side: int) -> bytes | None:
        asked.append((scid, side))
        return ONE

    assert signers(body, signer) == (ONE,)
    assert signers(body[:130], signer) == (ONE,)
    assert signers(body[:129], signer) == ()
    assert asked == [(SCID, 1), (SCID, 1)]
    disabled = m.channel_update(noise(), SCID, 0, 5, disabled=True)
    assert signers(disabled, signer) == (ONE,)
    assert asked[-1] == (SCID, 0)


def test_each_signature_is_judged_by_itself() -> None:
    body = announced(3)
    assert judge(body, lambda scid, side: None).which == ("failed",) * 4
    for k in range(4):
        blank = body[: 2 + 64 * k] + bytes(64) + body[66 + 64 * k :]
        assert judge(blank, lambda scid, side: None).which == tuple("absent" if n == k else "failed" for n in range(4))
    update = m.channel_update(noise(), SCID, 1, 9)
    assert judge(update, lambda scid, side: None).which == ("unknown",)
    assert judge(update, lambda scid, side: ONE).which == ("failed",)
    assert not judge(m.delete_chan(7), lambda scid, side: None).which


ADDRESSES = [
    (b"", []),
    (b"\x01\x7f\x00\x00\x01\x26\x07", ["127.0.0.1:9735"]),
    (b"\x02" + bytes(15) + b"\x01\x01\x02", ["[::1]:258"]),
    (b"\x03" + bytes(10) + b"\x00\x50", ["aaaaaaaaaaaaaaaa.onion:80"]),
    (b"\x04" + bytes(35) + b"\x00\x50", ["a" * 56 + ".onion:80"]),
    (b"\x05\x03a.b\x26\x07", ["a.b:9735"]),
    (b"\x05\x00\x26\x07", [":9735"]),
    (b"\x01\x01\x02\x03\x04\x00\x05\x05\x01c\x00\x06", ["1.2.3.4:5", "c:6"]),
    (b"\x01\x01\x02\x03\x04\x00", ["?010102030400"]),
    (b"\x05\x09a.b\x26\x07", ["?0509612e622607"]),
    (b"\x05", ["?05"]),
    (b"\x06\x01\x02", ["?060102"]),
    (b"\x01\x01\x02\x03\x04\x00\x05\x06" + bytes(80), ["1.2.3.4:5", "?06" + "00" * 63]),
    (b"\x05\xc0" + b"n" * 192 + b"\x00\x07", ["n" * 192 + ":7"]),
]


@pytest.mark.parametrize(("raw", "said"), ADDRESSES)
def test_addresses_one_after_the_other_and_from_what_cannot_be_read_on_the_bytes(raw: bytes, said: list[str]) -> None:
    assert list(addresses(raw)) == said


def test_the_bits_of_features_count_from_the_last_byte() -> None:
    assert (feature_bits(b""), feature_bits(b"\x01"), feature_bits(b"\x82\x00")) == ([], [0], [9, 15])
    assert feature_bits(b"\x80" + bytes(127)) == [1023]
    assert feature_bits(b"\x01" + b"\x80" + bytes(127)) == [1023]


def store(length: int) -> Store:
    made = Store(16)
    many = b"\x01\x7f\x00\x00\x01\x26\x07" * 40  # 280 bytes
    made.append(announced(length))
    made.append(m.amount(90_001))
    for side in (0, 1):
        made.append(m.channel_update(noise(), SCID, side, 1_700_000_077), 1_700_000_077)
    made.append(node(length, many), 1_700_000_123)
    made.append(node(length), 1_700_000_123, DELETED)
    return made


@pytest.mark.parametrize("length", [0, 300, 700])
def test_a_store_of_long_messages_is_sound_and_read_whole(length: int) -> None:
    data = store(length).bytes()
    report = inspect(MemorySource(data, "gossip_store"), (FORMAT,), Wishes())
    assert [f for f in report.tally.findings() if f.level.value != "note"] == []
    assert report.answer is not None
    assert (report.answer.summary["live_channels"], report.answer.summary["live_nodes"]) == (1, 1)
    told = {entry.kind: entry.fields for entry in records(report.state, Query())}
    channel, far = told["channel_announcement"], told["node_announcement"]
    assert channel["scid"] == "700123x44x1"
    assert (channel["node_id_1"], channel["node_id_2"]) == (ONE.hex(), TWO.hex())
    assert channel["features"] == feature_bits(bytes([7]) * length)
    assert (far["node_id"], far["alias"], far["addresses"]) == (TWO.hex(), "far", [])
    live = [e.fields for e in records(report.state, Query(kinds=frozenset({"node_announcement"}), deleted=False))]
    assert [fields["addresses"] for fields in live] == [["127.0.0.1:9735"] * 40]
    asked = list(records(report.state, Query(node=TWO.hex())))
    assert [entry.kind for entry in asked] == ["channel_announcement", "node_announcement", "node_announcement"]
    items = {item.kind: item for item in FORMAT.items(report.state)}  # type: ignore[misc]
    assert (items["channel"].fields["satoshis"], items["node"].id) == (90_001, TWO.hex())
    exhibit = show(report.state, "", 47)
    assert exhibit is not None
    fields = {field.name: (field.start, field.end) for field in exhibit.fields}
    at = 47 + 12 + 260 + length
    assert fields["chain_hash"] == (at, at + 32)
    assert fields["scid"] == (at + 32, at + 40)
    assert fields["node_id_1"] == (at + 40, at + 73)


@pytest.mark.parametrize("length", [0, 300, 700])
def test_a_flipped_bit_anywhere_in_a_long_message_is_undone_or_waits(length: int) -> None:
    """A unique correction is told; what it gives is the store as it was, whichever bit it is."""
    data = store(length).bytes()
    end = 47 + 12 + len(announced(length))
    for at in (47 + 12 + 258, 47 + 12 + 259, 47 + 12 + 260 + length, 47 + 12 + 300 + length + 5, end - 1):
        hurt = bytearray(data)
        hurt[at] ^= 4
        with memory({"": bytes(hurt)}) as source:
            done = repair(source, (FORMAT,), None, Wishes(accept=frozenset({"unique"})), forced=FORMAT.name,
                          dry_run=True)  # fmt: skip
        (fix,) = [edit for edit in done.changes if edit.action == "corrected"]
        assert fix.origin is not None
        assert fix.data == data[fix.origin.start : fix.origin.end]
        assert fix.origin.start <= at < fix.origin.end
