"""Multiaddr: self-describing network addresses, binary to text and back.

Source: rust-multiaddr src/protocol.rs (codes) and `Protocol::from_bytes` (how each value is read).
"""

from __future__ import annotations

import base64
import ipaddress
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from inspector.formats.known_peers.identity import base58, from_base58, peer_problem

Form = Literal["none", "ip4", "ip6", "u8", "u16", "u64", "onion", "onion3", "text", "peer", "hash", "base64"]
FIXED: dict[Form, int] = {"none": 0, "ip4": 4, "ip6": 16, "u8": 1, "u16": 2, "u64": 8, "onion": 12, "onion3": 37}

PROTOCOLS: dict[int, tuple[str, Form]] = {
    4: ("ip4", "ip4"),
    6: ("tcp", "u16"),
    33: ("dccp", "u16"),
    41: ("ip6", "ip6"),
    42: ("ip6zone", "text"),
    43: ("ipcidr", "u8"),
    53: ("dns", "text"),
    54: ("dns4", "text"),
    55: ("dns6", "text"),
    56: ("dnsaddr", "text"),
    132: ("sctp", "u16"),
    273: ("udp", "u16"),
    275: ("p2p-webrtc-star", "none"),
    276: ("p2p-webrtc-direct", "none"),
    277: ("p2p-stardust", "none"),
    280: ("webrtc-direct", "none"),
    281: ("webrtc", "none"),
    290: ("p2p-circuit", "none"),
    301: ("udt", "none"),
    302: ("utp", "none"),
    400: ("unix", "text"),
    421: ("p2p", "peer"),
    443: ("https", "none"),
    444: ("onion", "onion"),
    445: ("onion3", "onion3"),
    446: ("garlic64", "base64"),
    447: ("garlic32", "hash"),
    448: ("tls", "none"),
    449: ("sni", "text"),
    454: ("noise", "none"),
    460: ("quic", "none"),
    461: ("quic-v1", "none"),
    465: ("webtransport", "none"),
    466: ("certhash", "hash"),
    477: ("ws", "none"),
    478: ("wss", "none"),
    479: ("p2p-websocket-star", "none"),
    480: ("http", "none"),
    481: ("http-path", "text"),
    777: ("memory", "u64"),
    4770: ("x-parity-ws", "text"),
    4780: ("x-parity-wss", "text"),
}
CODES = {name: (code, form) for code, (name, form) in PROTOCOLS.items()}


MAX_PARTS = 128  # of an address; through a relay it has ten


class Component(Struct, frozen=True):
    name: str
    form: Form
    value: bytes


class Refused(Struct, frozen=True):
    """Why these bytes are no Multiaddr to a node, and at which of them."""

    at: int
    why: str


def uvarint(buf: bytes, at: int) -> tuple[int, int] | None:
    """An unsigned LEB128 of at most 5 bytes (32 bits), minimal as the reader demands."""
    value = 0
    for step in range(5):
        if at + step >= len(buf):
            return None
        byte = buf[at + step]
        value |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return None if step and not byte else (value, at + step + 1)
    return None


def write_uvarint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@lru_cache(maxsize=1024)
def components(raw: bytes) -> tuple[Component, ...] | Refused:
    """The parts of a binary address in order; the first byte that cannot be read stops it."""
    found: list[Component] = []
    at = 0
    while at < len(raw):
        start = at
        if len(found) == MAX_PARTS:
            return Refused(start, f"more than {MAX_PARTS} parts, which are not read")
        head = uvarint(raw, at)
        known = PROTOCOLS.get(head[0]) if head else None
        if head is None or known is None:
            return Refused(start, f"no protocol has code {head[0]}" if head else "a protocol code that does not end")
        at = head[1]
        name, form = known
        length = FIXED.get(form)
        if length is None:
            sized = uvarint(raw, at)
            if sized is None:
                return Refused(at, f"the length of /{name} does not end")
            length, at = sized
        if length > len(raw) - at:
            return Refused(start, f"/{name} needs {length} bytes, {len(raw) - at} are left")
        part = Component(name, form, raw[at : at + length])
        problem = _value_problem(part)
        if problem:
            return Refused(start, problem)
        found.append(part)
        at += length
    return tuple(found)


@lru_cache(maxsize=1024)
def address_text(raw: bytes) -> str | None:
    """`/ip4/1.2.3.4/tcp/30533`, or None where a node would refuse the bytes."""
    parts = components(raw)
    if isinstance(parts, Refused):
        return None
    return "".join(f"/{p.name}" if p.form == "none" else f"/{p.name}/{_show(p)}" for p in parts)


def parse_address(text: str) -> bytes | None:
    """The binary form of a textual address, or None; the inverse of `address_text`."""
    words = text.split("/")
    if words[0] or len(words) > 2 * MAX_PARTS:
        return None
    out = bytearray()
    rest = iter(words[1:])
    for name in rest:
        known = CODES.get(name)
        if known is None:
            return None
        code, form = known
        out += write_uvarint(code)
        if form == "none":
            continue
        value = _read(form, next(rest, ""))
        if value is None or (form in FIXED and len(value) != FIXED[form]):
            return None
        out += value if form in FIXED else write_uvarint(len(value)) + value
    return bytes(out)


def _value_problem(part: Component) -> str:
    if part.form == "text":
        try:
            part.value.decode("utf-8")
        except UnicodeDecodeError as error:
            return f"/{part.name} is not UTF-8 at its byte {error.start}"
    if part.form == "peer":
        problem = peer_problem(part.value)
        return f"/{part.name}: {problem}" if problem else ""
    return ""


def _show(part: Component) -> str:
    value = part.value
    match part.form:
        case "ip4" | "ip6":
            return str(ipaddress.ip_address(value))
        case "u8" | "u16" | "u64":
            return str(int.from_bytes(value, "big"))
        case "onion" | "onion3":
            return f"{base64.b32encode(value[:-2]).decode().lower()}:{int.from_bytes(value[-2:], 'big')}"
        case "text":
            # a slash inside a value would read as another component, and the text must read back to the same bytes
            return value.decode("utf-8").replace("%", "%25").replace("/", "%2F")
        case "peer":
            return base58(value)
        case "base64":
            return base64.b64encode(value, b"-~").decode()
        case _:
            return "u" + base64.urlsafe_b64encode(value).decode().rstrip("=")


def _read(form: Form, text: str) -> bytes | None:
    try:
        match form:
            case "ip4":
                return ipaddress.IPv4Address(text).packed
            case "ip6":
                return ipaddress.IPv6Address(text).packed
            case "u8" | "u16" | "u64":
                return int(text).to_bytes(FIXED[form], "big")
            case "onion" | "onion3":
                name, _, port = text.partition(":")
                return base64.b32decode(name.upper()) + int(port).to_bytes(2, "big")
            case "text":
                return text.replace("%2F", "/").replace("%25", "%").encode()
            case "peer":
                return from_base58(text)
            case "base64":
                return base64.b64decode(text, b"-~", validate=True)
            case _:
                return base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
    except (ValueError, OverflowError):
        return None
