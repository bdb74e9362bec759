"""PeerId: the multihash that names a libp2p peer, and its base58 text."""

from __future__ import annotations

from functools import lru_cache

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # Bitcoin's base58
_DIGITS = {char: value for value, char in enumerate(ALPHABET)}
IDENTITY, SHA2_256 = 0x00, 0x12
MAX_INLINE = 42  # longest identity digest a PeerId may have (rust-libp2p identity/src/peer_id.rs)
MAX_TEXT = 128


def base58(raw: bytes) -> str:
    zeroes = len(raw) - len(raw.lstrip(b"\0"))
    number = int.from_bytes(raw, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * zeroes + text


def from_base58(text: str) -> bytes | None:
    """The bytes, or None where `text` is no base58 (or longer than any peer id)."""
    if not text or len(text) > MAX_TEXT:
        return None
    number = 0
    for char in text:
        digit = _DIGITS.get(char)
        if digit is None:
            return None
        number = number * 58 + digit
    zeroes = len(text) - len(text.lstrip("1"))
    return bytes(zeroes) + number.to_bytes((number.bit_length() + 7) // 8, "big")


@lru_cache(maxsize=4096)
def peer_problem(raw: bytes) -> str:
    """Why a node refuses these bytes as a PeerId; empty when it takes them."""
    if len(raw) < 2:
        return f"a peer id of {len(raw)} bytes"
    kind, length = raw[0], raw[1]
    if length != len(raw) - 2:
        return f"the multihash says {length} bytes and holds {len(raw) - 2}"
    if kind == SHA2_256:
        return "" if length == 32 else f"a SHA-256 of {length} bytes"
    if kind == IDENTITY:
        return "" if length <= MAX_INLINE else f"an inline key of {length} bytes, {MAX_INLINE} are allowed"
    return f"hash function 0x{kind:02x} is not used for peer ids"


def peer_text(raw: bytes) -> str:
    """`12D3Koo..`, `Qm..` or `1A..`; hexadecimal where the bytes are no PeerId."""
    return f"0x{raw[:64].hex()}" if peer_problem(raw) else base58(raw)


def parse_peer(text: str) -> bytes | None:
    """The bytes of a peer id in text form, or None."""
    raw = from_base58(text)
    return None if raw is None or peer_problem(raw) else raw
