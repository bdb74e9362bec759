"""What strangers put into announcements, as text that is safe to show: addresses, aliases, colours, features."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator

from inspector.sanitize import clean, clean_bytes

_SIZES = {1: 6, 2: 18, 3: 12, 4: 37}  # BOLT 7 address descriptor -> bytes after the type


def addresses(raw: bytes) -> Iterator[str]:
    """Each address as host:port; from the first one that cannot be read, the rest in hex."""
    at = 0
    while at < len(raw):
        kind = raw[at]
        host_length = raw[at + 1] if at + 1 < len(raw) else 0  # only a DNS name says its own length
        size = 1 + host_length + 2 if kind == 5 else _SIZES.get(kind, -1)
        body = raw[at + 1 : at + 1 + size] if size >= 0 else b""
        if size < 0 or len(body) < size:
            yield "?" + raw[at : at + 64].hex()
            return
        yield _address(kind, body)
        at += 1 + size


def _address(kind: int, body: bytes) -> str:
    host, port = body[:-2], int.from_bytes(body[-2:], "big")
    if kind == 1:
        return f"{ipaddress.IPv4Address(host)}:{port}"
    if kind == 2:
        return f"[{ipaddress.IPv6Address(host)}]:{port}"
    if kind in (3, 4):
        return f"{base64.b32encode(host).decode().lower().rstrip('=')}.onion:{port}"
    return f"{clean_bytes(host[1:])}:{port}"


def show_addresses(raw: bytes) -> str:
    return clean(", ".join(addresses(raw)), 400)


def alias(raw: bytes) -> str:
    """The alias without its padding, safe to show."""
    return clean_bytes(raw.rstrip(b"\0"))


def show_color(raw: bytes) -> str:
    return "#" + raw.hex()


def feature_bits(raw: bytes) -> list[int]:
    """Set bits, lowest first; bit 0 is the lowest bit of the last byte."""
    value = int.from_bytes(raw[-128:], "big")  # no known feature is beyond bit 1023
    return [bit for bit in range(value.bit_length()) if value >> bit & 1]


def show_features(raw: bytes) -> str:
    return f"{raw[:64].hex() or '(none)'} bits {feature_bits(raw)}" if raw else "(none)"
