"""One log line in any of its forms, read into message and fields.

Forms: tracing's full, compact and JSON (flattened or not), with colours or with what is left of them when the
ESC bytes were lost, Substrate's formatter, behind prefixes of journald, docker and kubernetes, docker's JSON files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import ascii_letters, digits
from typing import Any

from msgspec import Struct, field

from inspector.formats.kad_trace.clock import line_time, parse_time
from inspector.formats.kad_trace.debug_form import value_end
from inspector.formats.kad_trace.dialects import Clock
from inspector.kernels.plain_stamp import COLOUR

_TARGET = re.compile(r"([A-Za-z0-9_:-]+): (?:\[[^\]]{0,40}\] )?$")
_NAME = ascii_letters + digits + "_:-"
TARGET_ROOM = 256  # characters before the message in which its target ends
_KEY = re.compile(r"\s([A-Za-z_][\w.]*)=")
MAX_UNWRAP = 3  # a line inside a JSON log inside another
MAX_FIELDS = 64
MAX_VALUE = 64 << 10


class Line(Struct, frozen=True):
    """What a line says: its time in microseconds, `text` from its message on, and what JSON says beside it."""

    time: int | None
    text: str
    target: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        """Fields as text; read only where an event needs them, which costs more than all the rest of a line."""
        return fields_of(self.text) | dict(self.beside)


def read_line(raw: bytes, phrase_of: Any, clock: Clock = line_time) -> Line | None:
    """`raw` without its line end. `phrase_of(text)` gives the offset of a known message, or -1; None without one."""
    time: int | None = None
    for _ in range(MAX_UNWRAP):
        start = raw.find(b'{"', 0, 4096)
        if start < 0:
            break
        found = _json(raw[start:])
        if found is None:
            return None
        inner, own = _inner(found)
        time = own if own is not None else time
        if inner is None:
            if time is None and clock is not line_time:
                time = clock(raw[start:])
            return _from_json(found, time, phrase_of)
        raw = inner
    plain = COLOUR.sub(b"", raw) if b"[" in raw else raw
    own = clock(plain)
    text = plain.decode("utf-8", "replace").rstrip()
    at = phrase_of(text)
    if at < 0:
        return None
    return Line(own if own is not None else time, text[at:], _target(text[max(0, at - TARGET_ROOM) : at]))


def _target(before: str) -> str:
    """The target at the end of what stands before a message."""
    if before.endswith(": "):
        return before[len(before[:-2].rstrip(_NAME)) : -2]
    found = _TARGET.search(before)
    return found.group(1) if found else ""


def fields_of(text: str) -> dict[str, str]:
    """The `key=value` pairs behind a message; values are `Debug` or `Display` text, quotes kept."""
    found: dict[str, str] = {}
    at = 0
    for _ in range(MAX_FIELDS):
        match = _KEY.search(text, at)
        if match is None:
            break
        end = value_end(text, match.end())
        found.setdefault(match.group(1), text[match.end() : min(end, match.end() + MAX_VALUE)])
        at = max(end, match.end())
    return found


def _json(raw: bytes) -> dict[str, Any] | None:
    import msgspec  # only logs in JSON need it

    try:
        found = msgspec.json.decode(raw.decode("utf-8", "replace").strip())
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


# what a line is called by those that carry it whole, and the time they add: docker, journald, Loki
_CARRIERS = (("log", "time"), ("MESSAGE", "__REALTIME_TIMESTAMP"), ("line", "timestamp"))
# names of a message, of its time and of what holds its fields: tracing, slog, bunyan, Elastic, Google
_MESSAGES = ("message", "msg", "_msg", "body")
_STAMPS = ("timestamp", "time", "@timestamp", "ts", "_time")
_HOLDERS = ("fields", "jsonPayload", "attributes")


def _inner(found: Mapping[str, Any]) -> tuple[bytes | None, int | None]:
    """The line that a carrier's JSON wraps, and the carrier's time for it."""
    for key, clock in _CARRIERS:
        body = found.get(key)
        if isinstance(body, str) and "fields" not in found and "level" not in found:
            stamp = str(found.get(clock, ""))
            time = int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) < 19 else _time(stamp)
            return body.rstrip("\r\n").encode("utf-8", "replace"), time
    return None, None


def _from_json(found: Mapping[str, Any], time: int | None, phrase_of: Any) -> Line | None:
    inside = next((held for name in _HOLDERS if isinstance(held := found.get(name), dict)), found)
    messages = (where.get(name) for where in (inside, found) for name in _MESSAGES)
    message = next((text for text in messages if isinstance(text, str)), None)
    if message is None or (at := phrase_of(message)) < 0:
        return None
    own = next((t for name in _STAMPS if (t := _time(str(found.get(name, "")))) is not None), None)
    if own is None and at:  # the message is a whole line, with its own time
        own = line_time(message[:at].encode("utf-8", "replace"))
    fields = {k: _text(v) for k, v in list(inside.items())[:MAX_FIELDS] if k not in _MESSAGES}
    target = str(found.get("target", inside.get("target", "")))
    return Line(own if own is not None else time, message[at:], target, fields)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value[:MAX_VALUE] if isinstance(value, str) else str(value)[:MAX_VALUE]


def _time(stamp: str) -> int | None:
    raw = stamp.encode("ascii", "replace")[:40]
    return parse_time(raw) if re.match(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d|Z|[+-]\d\d:?\d\d$|$)", raw) else None
