"""Other bytes of the same length and kind for what is private, so that a store can be read as before.

A word gets letters for its letters, digits for its digits and hexadecimal for hexadecimal; the same word always gets
the same ones. They follow from its pseudonym's number alone, so that nothing of the word is in them.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from inspector.format import Name

_WORD: Final = re.compile(rb"[A-Za-z0-9]+")
_SHORT: Final = 3  # letters; such words are counted through, because few could not be told apart by chance
_HEX: Final = re.compile(rb"(?=.*[0-9])[0-9a-f]{4,}", re.DOTALL)
_LOWER, _UPPER, _DIGITS, _HEX_DIGITS = (
    b"abcdefghijklmnopqrstuvwxyz",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"0123456789",
    b"0123456789abcdef",
)
PLAIN: Final = frozenset((0, 255))  # bytes that say how damage came about, and nothing else
_KEPT: Final = bytes(255 * (n in PLAIN) for n in range(256))
_NEVER_PLAIN: Final = bytes(n % 254 + 1 for n in range(256))


def words(raw: bytes, noun: str, name: Name, keep: frozenset[bytes] = frozenset()) -> bytes:
    """Every word under another name, but those that a program always writes (`keep`)."""
    return _WORD.sub(lambda m: m.group() if m.group() in keep else word(m.group(), noun, name), raw)


def word(raw: bytes, noun: str, name: Name) -> bytes:
    pseudonym = name(noun, raw.decode("latin-1"))
    number = pseudonym.rpartition("-")[2]
    made = made_from(pseudonym, len(raw))
    if len(raw) <= _SHORT and number.isdigit():
        made = bytes(int(number) // 10**place % 10 for place in reversed(range(len(raw))))
    hexadecimal = _HEX.fullmatch(raw) is not None
    return bytes(_like(old, new, hexadecimal) for old, new in zip(raw, made, strict=True))


def _like(old: int, new: int, hexadecimal: bool) -> int:
    if hexadecimal:
        return _HEX_DIGITS[new % 16]
    letters = _DIGITS if old in _DIGITS else _UPPER if old in _UPPER else _LOWER
    return letters[new % len(letters)]


def made_from(pseudonym: str, length: int) -> bytes:
    """Bytes that follow from a pseudonym."""
    return hashlib.shake_128(b"inspector: " + pseudonym.encode()).digest(length)


def noise(raw: bytes, at: int) -> bytes:
    """Bytes of the same shape: zeroes and ones stay, because they tell how the damage came about."""
    made = hashlib.shake_128(b"noise at %d" % at).digest(len(raw)).translate(_NEVER_PLAIN)
    # as one number: a byte at a time a MiB takes a third of a second
    old, new, kept = (int.from_bytes(part, "little") for part in (raw, made, raw.translate(_KEPT)))
    return (new ^ (new ^ old) & kept).to_bytes(len(raw), "little")
