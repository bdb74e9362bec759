"""Values as JSON that is exact, and holds no character that a terminal obeys.

Characters that are not safe to show are written as \\uXXXX, which every JSON reader undoes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import msgspec

MAX_DEPTH = 24  # of a value that a format shows; deeper ones are hostile

# what JSON leaves as it is and a terminal does not: DEL, C1, and every character that reorders or hides text
_UNSAFE = (
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def jsonable(value: Any, depth: int = 0) -> Any:
    """The same value out of what JSON knows: bytes as hex, lone surrogates written out."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return int(value) if -(1 << 63) <= value < 1 << 64 else str(int(value))
        case str():
            return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        shown = {k: v for k, v in value.items() if not str(k).startswith("_")}
        return {str(jsonable(str(k))): jsonable(v, depth + 1) for k, v in shown.items()}
    if isinstance(value, list | tuple | set | frozenset):
        values = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [jsonable(v, depth + 1) for v in values]
    return str(value)


@cache
def _encoder() -> msgspec.json.Encoder:
    import msgspec  # a scan whose result is text does without

    return msgspec.json.Encoder(enc_hook=jsonable)


def encode(value: Any, pretty: bool = True) -> bytes:
    """One line (or an indented document) without a line end at its end."""
    encoder = _encoder()
    try:
        data = encoder.encode(value)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        data = encoder.encode(jsonable(value))
    if not data.isascii() or b"\x7f" in data:
        data = re.sub(_UNSAFE, _escape, data.decode()).encode()
    if not pretty:
        return data
    import msgspec

    return msgspec.json.format(data, indent=2)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
