"""SCALE, PeerId and Multiaddr: every form read, every wrong byte refused with its place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.formats.known_peers.identity import base58, from_base58, parse_peer, peer_problem, peer_text
from inspector.formats.known_peers.multiaddr import Refused, address_text, components, parse_address
from inspector.formats.known_peers.scale import Malformed, compact, sized, write_compact, write_sized


@given(st.integers(0, 1 << 64))
def test_a_compact_number_reads_back(value: int) -> None:
    raw = write_compact(value)
    assert compact(b"x" + raw + b"y", 1, 1 + len(raw)) == (value, 1 + len(raw))


@pytest.mark.parametrize(
    "raw", ["0100", "fd00", "02000000", "feff0000", "0300000000", "0301000000", "0700000000" + "00"]
)
def test_a_number_longer_than_needed_is_refused_as_the_codec_does(raw: str) -> None:
    data = bytes.fromhex(raw)
    assert isinstance(compact(data, 0, len(data)), Malformed)


@given(st.binary(max_size=12))
def test_compact_never_raises_and_accepts_only_its_own_form(raw: bytes) -> None:
    found = compact(raw, 0, len(raw))
    if not isinstance(found, Malformed):
        assert write_compact(found[0]) == raw[: found[1]]


def test_a_length_beyond_the_bytes_is_refused_before_anything_is_copied() -> None:
    assert sized(write_compact(1 << 29) + b"abc", 0, 7) == Malformed(0, "a length of 536870912 bytes, 3 are left")
    assert sized(write_sized(b"abc"), 0, 4) == (b"abc", 4)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("002408011220" + "11" * 32, "12D3Koo"),
        ("1220" + "22" * 32, "Qm"),
        ("0020" + "33" * 32, "1A"),
    ],
)
def test_the_three_kinds_of_peer_id_have_their_text(raw: str, text: str) -> None:
    data = bytes.fromhex(raw)
    assert peer_problem(data) == ""
    assert peer_text(data).startswith(text)
    assert parse_peer(peer_text(data)) == data


def test_a_known_peer_id_of_the_network_decodes() -> None:
    raw = parse_peer("QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN")  # a public bootstrap node of IPFS
    assert raw is not None
    assert raw[:2] == b"\x12\x20"


@pytest.mark.parametrize(
    "raw", ["", "00", "1221" + "00" * 33, "1220" + "00" * 31, "002b" + "00" * 43, "1320" + "00" * 32]
)
def test_what_is_no_peer_id_is_refused(raw: str) -> None:
    assert peer_problem(bytes.fromhex(raw))


@given(st.binary(max_size=60))
def test_base58_is_lossless(raw: bytes) -> None:
    if raw:
        assert from_base58(base58(raw)) == raw


ADDRESSES = [
    "/ip4/184.209.252.200/tcp/30533",
    "/ip4/1.2.3.4/udp/30433/quic-v1",
    "/ip6/2a01:4f8:a320::772a/tcp/1",
    "/dns4/node-40.example.net/tcp/443/wss",
    "/dnsaddr/x/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN/p2p-circuit",
    "/memory/77",
    "/ip4/9.9.9.9/tcp/1/tls/sni/a.b/http/http-path/a%2Fb%25",
    "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
    "/unix/tmp%2Fsock",
    "/ip6zone/eth0/ip6/fe80::1/ipcidr/64",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_reads_back_from_its_text(text: str) -> None:
    raw = parse_address(text)
    assert raw is not None
    assert address_text(raw) == text


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("04010203", 0),
        ("040102030406ff", 5),
        ("0506", 0),
        ("04010203048080808080", 5),
        ("3605616263", 0),
        ("3601ff", 0),
    ],
)
def test_a_wrong_address_says_at_which_byte(raw: str, at: int) -> None:
    found = components(bytes.fromhex(raw))
    assert isinstance(found, Refused)
    assert found.at == at


@given(st.binary(max_size=80))
def test_any_bytes_are_an_address_or_refused(raw: bytes) -> None:
    text = address_text(raw)
    if text and "/garlic32/" not in text and "/certhash/" not in text:
        assert parse_address(text) == raw


def test_random_addresses_of_random_components_read_back() -> None:
    rng = random.Random(5)
    for _ in range(300):
        parts = [
            f"/ip4/{rng.randrange(256)}.0.0.1",
            f"/tcp/{rng.randrange(65536)}",
            "/ws",
            f"/memory/{rng.randrange(1 << 60)}",
        ]
        text = "".join(rng.choices(parts, k=rng.randrange(1, 6)))
        raw = parse_address(text)
        assert raw is not None
        assert address_text(raw) == text


@pytest.mark.parametrize("text", ["ip4/1.2.3.4", "/ip4/300.1.1.1", "/tcp/70000", "/nothing", "/ip4", "/tcp/-1"])
def test_text_that_is_no_address_gives_nothing(text: str) -> None:
    assert parse_address(text) is None


def test_text_of_up_to_128_digits_is_read_as_base58() -> None:
    assert from_base58("1" * 128) == bytes(128)
    assert from_base58("1" * 129) is None
    assert from_base58("") is None
