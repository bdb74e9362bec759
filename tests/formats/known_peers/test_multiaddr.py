"""Addresses as bytes and as text: each protocol of the multicodec table by its code, and the borders of each form."""

from __future__ import annotations

import pytest

from inspector.formats.known_peers.masking import _address
from inspector.formats.known_peers.multiaddr import (
    PROTOCOLS,
    Refused,
    address_text,
    components,
    parse_address,
    uvarint,
    write_uvarint,
)

# code of each protocol in hexadecimal, as https://github.com/multiformats/multicodec/blob/master/table.csv has it
CODES = {
    "ip4": "4", "tcp": "6", "dccp": "21", "ip6": "29", "ip6zone": "2a", "ipcidr": "2b", "dns": "35", "dns4": "36",
    "dns6": "37", "dnsaddr": "38", "sctp": "84", "udp": "111", "p2p-webrtc-star": "113", "p2p-webrtc-direct": "114",
    "p2p-stardust": "115", "webrtc-direct": "118", "webrtc": "119", "p2p-circuit": "122", "udt": "12d", "utp": "12e",
    "unix": "190", "p2p": "1a5", "https": "1bb", "onion": "1bc", "onion3": "1bd", "garlic64": "1be",
    "garlic32": "1bf", "tls": "1c0", "sni": "1c1", "noise": "1c6", "quic": "1cc", "quic-v1": "1cd",
    "webtransport": "1d1", "certhash": "1d2", "ws": "1dd", "wss": "1de", "p2p-websocket-star": "1df", "http": "1e0",
    "http-path": "1e1", "memory": "309", "x-parity-ws": "12a2", "x-parity-wss": "12ac",
}  # fmt: skip
# bytes behind the code, and the text
VALUES = [
    ("ip4", "7f000001", "/ip4/127.0.0.1"), ("ip4", "ffffffff", "/ip4/255.255.255.255"),
    ("ip6", "00" * 15 + "01", "/ip6/::1"), ("tcp", "0000", "/tcp/0"), ("tcp", "ffff", "/tcp/65535"),
    ("udp", "0102", "/udp/258"), ("sctp", "7745", "/sctp/30533"), ("dccp", "0001", "/dccp/1"),
    ("ipcidr", "18", "/ipcidr/24"), ("memory", "00" * 7 + "05", "/memory/5"),
    ("dns4", "03" + b"a.b".hex(), "/dns4/a.b"), ("dnsaddr", "00", "/dnsaddr/"),
    ("ip6zone", "03" + b"eth".hex(), "/ip6zone/eth"),
    ("unix", "03" + b"a/b".hex(), "/unix/a%2Fb"), ("sni", "01" + b"%".hex(), "/sni/%25"),
    ("onion", "00" * 10 + "0050", "/onion/aaaaaaaaaaaaaaaa:80"),
    ("onion3", "00" * 35 + "0050", "/onion3/" + "a" * 56 + ":80"),
    ("certhash", "02fbff", "/certhash/u-_8"), ("garlic64", "02fbff", "/garlic64/-~8="),
    ("quic-v1", "", "/quic-v1"), ("ws", "", "/ws"), ("p2p-circuit", "", "/p2p-circuit"),
]  # fmt: skip


def test_the_codes_are_those_of_the_table() -> None:
    assert {name: f"{code:x}" for code, (name, _) in PROTOCOLS.items()} == CODES


@pytest.mark.parametrize(("name", "value", "text"), VALUES)
def test_bytes_and_text_are_each_other_s(name: str, value: str, text: str) -> None:
    raw = write_uvarint(int(CODES[name], 16)) + bytes.fromhex(value)
    assert address_text(raw) == text
    assert parse_address(text) == raw
    for cut in range(1, len(raw)):
        assert isinstance(components(raw[:cut]), Refused)


@pytest.mark.parametrize("name", ["certhash", "garlic32", "garlic64", "dns4", "unix"])
def test_values_of_every_length_have_a_text_that_reads_back(name: str) -> None:
    """Of which base64 pads some, and one length takes a byte while a longer one takes two."""
    for length in range(200):
        value = bytes((7 * length + 31 * k) % 127 for k in range(length))
        raw = write_uvarint(int(CODES[name], 16)) + write_uvarint(length) + value
        text = address_text(raw)
        assert text is not None
        assert parse_address(text) == raw
        assert text.count("/") == 2  # no value is taken for another part


def test_a_refusal_names_the_byte() -> None:
    tcp = b"\6\0\1"
    told = [components(tcp + bad) for bad in (b"\7", b"\x80", b"\6\0", b"\x36\x80", b"\x36\2a", b"\x36\1\xff")]
    assert [(one.at, one.why) for one in told if isinstance(one, Refused)] == [
        (3, "no protocol has code 7"), (3, "a protocol code that does not end"), (3, "/tcp needs 2 bytes, 1 are left"),
        (4, "the length of /dns4 does not end"), (3, "/dns4 needs 2 bytes, 1 are left"),
        (3, "/dns4 is not UTF-8 at its byte 0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["ip4/1.2.3.4", "/ip4/1.2.3", "/tcp/65536", "/ipcidr/256", "/nothing/1", "/ip4", "/tcp/-1", "x/tcp/1", "/ws" * 256],
)
def test_text_that_is_no_address_is_none(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("raw", "read"),
    [("00", (0, 1)), ("7f", (127, 1)), ("8001", (128, 2)), ("ffff7f", (0x1FFFFF, 3)), ("ffffffff0f", (0xFFFFFFFF, 5)),
     ("8000", None), ("80", None), ("", None), ("ffffffffff01", None)],
)  # fmt: skip
def test_numbers_are_minimal_and_of_five_bytes_at_most(raw: str, read: tuple[int, int] | None) -> None:
    assert uvarint(bytes.fromhex(raw), 0) == read
    if read:
        assert write_uvarint(read[0]).hex() == raw


def test_an_address_has_128_parts_at_most() -> None:
    assert len(components(b"\xdd\x03" * 128)) == 128  # type: ignore[arg-type]  # no refusal
    assert components(b"\xdd\x03" * 129) == Refused(256, "more than 128 parts, which are not read")
    assert parse_address("/ws" * 255) == b"\xdd\x03" * 255


def test_a_disguised_address_has_the_same_parts_with_other_values_behind_those_without_any_too() -> None:
    """Peers, names, numbers of hosts and hashes are others of the same length; ports and what has no value stay."""
    told = [(name, bytes.fromhex(value)) for name, value, _ in VALUES]
    told.append(("p2p", b"\x26\x00\x24\x08\x01\x12\x20" + bytes(range(60, 92))))
    shown = {"tcp", "udp", "sctp", "dccp", "ipcidr", "memory", "quic-v1", "ws", "p2p-circuit"}
    for around in told:
        for name, value in told:
            parts = [around, (name, value), ("quic-v1", b""), ("p2p", told[-1][1])]
            raw = b"".join(write_uvarint(int(CODES[one], 16)) + inside for one, inside in parts)
            new = _address(raw, lambda noun, text: f"{noun} {text}")
            before, after = components(raw), components(new)
            assert not isinstance(before, Refused)
            assert not isinstance(after, Refused)
            assert [(one.name, len(one.value)) for one in after] == [(one.name, len(one.value)) for one in before]
            for old, one in zip(before, after, strict=True):
                same = old.name in shown or not old.value.strip(b"%")
                assert (old.value == one.value) is same, (old, one)
