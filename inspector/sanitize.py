"""Text from a file made safe to show: no control bytes, escapes, bidirectional overrides or markup tricks."""

from __future__ import annotations

import re
import unicodedata

# C0, DEL, C1, and every format character that reorders or hides text (bidi controls, zero width, tags, BOM)
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_PLAIN = re.compile(r"[ -~]*\Z")
_ODD = re.compile(r"[^ -~]")


def clean(text: str, limit: int = 200) -> str:
    """`text` with each unsafe character written as \\xNN or \\u{N}, at most `limit` characters long."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if _PLAIN.match(text):
        return text
    return _ODD.sub(_shown, text)


def clean_bytes(raw: bytes, limit: int = 200) -> str:
    """Bytes shown as UTF-8 where they are UTF-8, with \\xNN for what is not."""
    return clean(raw[: limit * 4].decode("utf-8", "backslashreplace"), limit)


def quoted(path: str) -> str:
    """`path` as one word of a shell command; what begins with a dash is kept from being an option."""
    import shlex  # only here: everything imports this module

    path = f"./{path}" if path.startswith("-") and path != "-" else path
    if clean(path, len(path)) == path:
        return shlex.quote(path)
    # bash, zsh and ksh undo this: no control character is shown, and the command still names the file
    raw = path.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in raw) + "'"


def for_shell(path: str) -> str:
    """`path` quoted, and without the slashes that would put a name beside a folder into it."""
    return quoted(path.rstrip("/") or path)


def csv_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = clean(text, 100_000)
    return "'" + text if text[:1] in _FORMULA and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _shown(odd: re.Match[str]) -> str:
    char = odd[0]
    return _escape(char) if unicodedata.category(char) in _UNSAFE_CATEGORIES else char


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
