"""A log line without what carried it (journald, docker, Kubernetes, compose), and the known message in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from inspector.messages.message import Message, Said

if TYPE_CHECKING:
    from inspector.formats.kad_trace import clock
else:
    from inspector.postponed import Postponed

    clock = Postponed("inspector.formats.kad_trace.clock")

MAX_LINE = 8192  # characters of a line that are looked at; a crash line of CLN goes on with a whole body in hexadecimal
MAX_LAYERS = 10  # prefixes around one another

_COLOUR = re.compile(r"\x1b?\[[0-9;]{0,8}m")
_STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_ROCKS = re.compile(r"(\d{4})/(\d\d)/(\d\d)-(\d\d:\d\d:\d\d(?:\.\d{1,6})?)")
# what stands before a program's own text, outermost first in any order; each is anchored and bounded
_CLN = "gossipd|connectd|lightningd|channeld|openingd|dualopend|closingd|onchaind|hsmd|(?:gossip_)?compactd|topology|askrene"
_PREFIXES = tuple(
    re.compile(p)
    for p in (
        rf"[\w./-]{{1,100}}:(?:\d{{1,10}}:)?(?={_STAMP})",  # grep
        rf"{_STAMP} (?:stdout|stderr) [FP] ",  # Kubernetes (CRI)
        # syslog, journalctl: -o short, short-full, short-iso
        r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,100} [^\s:\[]{1,100}(?:\[\d{1,10}\])?: ",
        rf"[A-Z][a-z]{{2}} {_STAMP}(?: [A-Z]{{1,5}})? \S{{1,100}} [^\s:\[]{{1,100}}(?:\[\d{{1,10}}\])?: ",
        rf"{_STAMP} \S{{1,100}} [^\s:\[]{{1,100}}\[\d{{1,10}}\]: ",
        r"\[pod/\S{1,200}\] ",  # kubectl logs --prefix
        r"[\w.-]{1,60} {1,40}\| ",  # docker compose
        r"0?\[?" + _STAMP + r"\]?[ \t]{1,8}",
        r"(?:\*\*BROKEN\*\*|UNUSUAL|INFO|DEBUG|IO_IN|IO_OUT|TRACE|WARN|ERROR|WARNING|error|warn|info)(?: -|:)?[ \t]{1,8}",
        rf"(?:[0-9a-f]{{66}}-)?(?:(?:lightning_)?(?:{_CLN})|plugin-[\w.-]{{1,60}})"
        r"(?:\(\d{1,10}\)|\[\d{1,10}\])?(?:-chan#\d{1,10})?: ",
        r"STATUS_FAIL_\w{1,40}: ",
        r"[a-z]\w{1,30}\.c: ?\d{1,6}:\w{1,80}: \*[A-Z]{1,12}\*: ",  # SPDK
        r"\w{1,60}(?:\{[^{}]{0,200}\})?: ?(?=\w{1,60}::)",  # a span of tracing
        r"\w{0,60}\{[^{}]{0,200}\}: ?(?=[\w{])",  # a span with fields, also one without a name
        r"(?:\w{1,60}::){1,8}\w{1,60}: ",  # the target of tracing
        r"(?:subspace|autonomys|snarkos|snarkvm|libp2p)\w{0,60}: ",  # a target that is a whole crate
        r"(?:main|tokio-runtime-worker|[\w-]{1,40}-worker\S{0,8}) (?=\w{1,60}::)",  # a thread
        r"\[[A-Za-z ]{1,20}\] ",  # Substrate's [Consensus]
    )
)
# a time of the carrier in a zone that only its abbreviation names: nobody can tell when that was
_LOCAL = re.compile(rf"[A-Z][a-z]{{2}} {_STAMP} (?!UTC |GMT )[A-Z]{{1,5}} ")
_SAME = re.compile(r"[\"'`]{1,3}|- |> ")


def read(raw: str) -> Said | None:
    """The known message of a line, with its values and time; None for a line that says nothing known."""
    line = raw[: 4 * MAX_LINE].rstrip("\r\n")
    text, time = _unwrapped(line)
    said = _said(text, time)
    # an object at the end of a line need not be what carried it: an answer of a call is quoted so
    return _said(line, None) if said is None and text is not line else said


def _said(text: str, time: str | None) -> Said | None:
    text = _COLOUR.sub("", text[:MAX_LINE]).strip()
    own = _time_of(text)
    rest = _stripped(text)
    for message in _table():
        at = text.find(message.needle)
        if at < 0:
            continue
        found = message.pattern.match(rest) if message.whole else message.pattern.search(text, max(0, at - 700))
        if found is not None:
            values = {name: value for name, value in found.groupdict().items() if value is not None}
            return Said(message, values, own or time)
    return None


@cache
def _table() -> tuple[Message, ...]:
    from inspector.messages import cln, cln_readers, engine_opens, rocksdb, snarkos, spdk, subspace

    return (
        *cln.MESSAGES,
        *cln_readers.MESSAGES,
        *spdk.MESSAGES,
        *rocksdb.MESSAGES,
        *engine_opens.MESSAGES,
        *snarkos.MESSAGES,
        *subspace.MESSAGES,
    )


def messages() -> Iterator[Message]:
    yield from _table()


def needles() -> tuple[bytes, ...]:
    """A line without any of these holds no known message."""
    return tuple(dict.fromkeys(m.needle.encode() for m in _table()))


def _unwrapped(text: str) -> tuple[str, str | None]:
    """The line inside docker's or journald's JSON, or tracing's own; and the time that the carrier gave it."""
    start = text.find('{"', 0, 4096)
    if start < 0 or "EVENT_LOG_v1" in text[:start]:
        return text, None
    try:
        found = msgspec.json.decode(text[start:])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text, None
    if not isinstance(found, dict):
        return text, None
    inner = found.get("fields")
    body = next((v for k in ("log", "MESSAGE", "message", "msg") if isinstance(v := found.get(k), str)), None)
    if body is None and isinstance(inner, dict) and isinstance(inner.get("message"), str):
        tail = " ".join(f"{k}={v}" for k, v in list(inner.items())[:32] if k != "message")
        body = f"{inner['message']} {tail}"
    if body is None:
        return text, None
    stamp = str(found.get("time", found.get("timestamp", found.get("__REALTIME_TIMESTAMP", ""))))
    if stamp.isascii() and stamp.isdigit() and len(stamp) < 19:
        return body, clock.show_time(int(stamp))
    return body, _time_of(stamp)


def _time_of(text: str) -> str | None:
    rocks = _ROCKS.search(text, 0, 200)
    if rocks:
        text = "{}-{}-{}T{}Z".format(*rocks.groups())
    local = _LOCAL.match(text)
    head = text[local.end() if local else 0 :][:512].encode("ascii", "replace")
    time = clock.parse_time(head) if rocks else clock.line_time(head)
    return clock.show_time(time)


def _stripped(text: str) -> str:
    """What the program itself wrote."""
    for _ in range(MAX_LAYERS):
        before = text
        for prefix in _PREFIXES:
            if found := prefix.match(text):
                text = text[found.end() :]
        if found := _SAME.match(text):
            text = text[found.end() :]
        if text == before:
            break
    return text
