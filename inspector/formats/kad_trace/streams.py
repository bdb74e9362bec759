"""Lines of several programs in one log, as docker compose, kubectl --prefix, stern and a journal write them."""

from __future__ import annotations

import re

MOST = 16  # that are told apart
LOOKED = 2000  # lines with a word that are looked at
_COLOURS = rb"(?:\x1b\[[0-9;]{0,8}m)*(?!TRACE|DEBUG|INFO|WARN|ERROR)"  # a level is no name of a program
_JOURNALS = rb"(?:[A-Z][a-z]{2} [ \d]\d [\d:.]{8,15}|\d{4}-\d\d-\d\dT[\d:.+-]{8,25}Z?)"  # times before a host
_PREFIXES = tuple(
    re.compile(_COLOURS + prefix)
    for prefix in (
        rb"([\w.-]{1,100} +\| )",  # docker compose logs
        rb"(\[pod/[\w./-]{1,200}\] )",  # kubectl logs --prefix
        _JOURNALS + rb"( [\w.-]{1,100} [\w.@-]{1,100}\[)\d+\]: ",
        rb"([\w.-]{1,100} [\w.-]{1,100} )(?=\d{4}-\d\d-\d\dT)",  # stern
    )
)


def streams(head: bytes, words: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What begins the lines of each program of which a line with one of these words is there; () for less than two."""
    found: dict[bytes, None] = {}
    for word in words:
        at, looked = head.find(word), 0
        while at >= 0 and len(found) < MOST and looked < LOOKED:
            looked += 1
            start = head.rfind(b"\n", 0, at) + 1
            found |= dict.fromkeys(name for name in (_begins(head[start:at]),) if name)
            at = head.find(word, head.find(b"\n", at)) if b"\n" in head[at : at + (1 << 16)] else -1
    return tuple(found) if len(found) > 1 else ()


def _begins(line: bytes) -> bytes:
    match = next((m for prefix in _PREFIXES if (m := prefix.match(line))), None)
    return match.group(1) if match else b""
