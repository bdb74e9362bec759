"""What a log line reports about a bootstrap, its connections or its process.

Messages and fields: subspace-networking/src/node_runner.rs; the raw event: rust-libp2p kad/src/behaviour.rs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from inspector.formats.kad_trace.clock import line_time
from inspector.formats.kad_trace.debug_form import Node, parse_debug
from inspector.formats.kad_trace.dialects import Clock
from inspector.formats.kad_trace.forms import Line, read_line
from inspector.kernels.log import LineWords
from inspector.kernels.plain_log import LineWords as PlainWords

Kind = Literal[
    "started", "step", "succeeded", "failed", "app-step", "finished", "error", "timed-out", "closed", "io-error",
    "process-start",
]  # fmt: skip

# what the bytes of a line must contain before it is looked at more closely
NEEDLES = (b"ootstrap", b"DSN instance configured", b"Connection closed", b"i/o error", b"socket error")

# the order decides where a message holds two of them
_PHRASES: tuple[tuple[str, Kind], ...] = (
    ("Bootstrap OutboundQueryProgressed step.", "step"),
    ("Kademlia bootstrapping...", "app-step"),
    ("Bootstrap started.", "started"),
    ("Bootstrap finished.", "finished"),
    ("Bootstrap query step succeeded", "succeeded"),
    ("Bootstrap query failed.", "failed"),
    ("Bootstrap error.", "error"),
    ("Bootstrapping timed out, moving on regardless", "timed-out"),
    ("DSN instance configured.", "process-start"),
    ("OutboundQueryProgressed {", "step"),
    ("Bootstrap(Ok(BootstrapOk", "step"),
    ("Bootstrap(Err(Timeout", "step"),
    ("Connection closed", "closed"),
    ("socket error", "io-error"),
    ("i/o error", "io-error"),
)
PHRASES = tuple(phrase.encode() for phrase, _ in _PHRASES)
# of what a line that cannot be read says that it is about a step all the same
STEPS = (b"OutboundQueryProgressed step.", b"Kademlia bootstrapping...", b"BootstrapOk", b"Bootstrap(Err(Timeout")
_AFTER = ("Connection closed", "socket error", "i/o error")  # phrases that count only where no other is
_BROKEN = ("IO(", "Io(", "with error")  # after "Connection closed"
PLAIN_LINES = PlainWords(
    needles=NEEDLES,
    told=tuple(phrase.encode() for phrase, _ in _PHRASES if phrase not in _AFTER),
    closed=(b"Connection closed",),
    causes=tuple(word.encode() for word in _BROKEN),
    broken=(b"socket error", b"i/o error"),
)
LINES = LineWords(**{name: getattr(PLAIN_LINES, name) for name in PlainWords.__struct_fields__})


class Stats(Struct, frozen=True):
    """`QueryStats` of one step; `start` and `end` are nanoseconds of a clock that has no date."""

    requests: int
    success: int
    failure: int
    start: int | None = None
    end: int | None = None

    @property
    def took(self) -> int | None:
        """Nanoseconds."""
        return self.end - self.start if self.start is not None and self.end is not None else None


class Event(Struct, frozen=True):
    """`start` and `end` are offsets of the line with its line end, `line` counts from 1, `time` is microseconds."""

    kind: Kind
    start: int
    end: int
    line: int
    time: int | None
    query: int | None = None
    count: int | None = None
    last: bool | None = None
    ok: bool | None = None
    remaining: int | None = None
    peer: str = ""
    stats: Stats | None = None
    app_step: int | None = None
    text: str = ""
    subspace: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """The words of this event without what it does not say."""
        told: dict[str, Any] = {
            "query": self.query, "count": self.count, "last": self.last, "ok": self.ok,
            "num_remaining": self.remaining, "peer": self.peer or None, "bootstrap_step": self.app_step,
            "text": self.text or None,
        }  # fmt: skip
        if self.stats:
            told["stats"] = {
                "requests": self.stats.requests,
                "success": self.stats.success,
                "failure": self.stats.failure,
                "took_seconds": None if self.stats.took is None else round(self.stats.took / 1e9, 6),
            }
        return {k: v for k, v in told.items() if v is not None}


def phrase_at(text: str) -> int:
    """Where the first known message begins in `text`, or -1."""
    for phrase, _ in _PHRASES:
        at = text.find(phrase)
        if at >= 0:
            return at
    return -1


def _kind_of(text: str) -> Kind:
    for phrase, kind in _PHRASES:
        if text.startswith(phrase):
            return kind
    raise AssertionError("a message that phrase_at did not find")


def recognise(raw: bytes, start: int, end: int, number: int, clock: Clock = line_time) -> Event | None:
    """The event that the line `raw` (without its line end) reports, or None."""
    line = read_line(raw, phrase_at, clock)
    if line is None:
        return None
    kind = _kind_of(line.text)
    told: Mapping[str, Any] | None = {}
    match kind:
        case "step":
            told = _step(line)
        case "app-step" | "succeeded" | "failed" | "error" | "process-start":
            told = _said(kind, line.fields())
        case "closed":
            cause = line.text + line.beside.get("cause", "")  # in a plain line the text holds the cause
            kind = "io-error" if any(word in cause for word in _BROKEN) else "closed"
            told = {"text": line.text[:200]}
        case "io-error":
            told = {"text": line.text[:200]}
        case _:
            pass
    if told is None:
        return None
    subspace = "subspace" in line.target or kind in ("app-step", "process-start")
    return Event(kind, start, end, number, line.time, subspace=subspace, **told)


def _said(kind: Kind, fields: Mapping[str, str]) -> dict[str, Any]:
    """What the fields of the application's own messages tell of an event."""
    match kind:
        case "app-step":
            return {"app_step": _number(fields.get("bootstrap_step"))}
        case "succeeded":
            return {"ok": True, "remaining": _number(fields.get("num_remaining")), "last": _flag(fields.get("last"))}
        case "failed":
            return {"ok": False, "text": fields.get("error", "")[:200]}
        case "error":
            return {"text": fields.get("err", fields.get("error", ""))[:200]}
        case _:
            return {"peer": fields.get("peer_id", "")[:128]}


_WHEN = r"(?:None|Some\(Instant \{ tv_sec: (\d{1,12}), tv_nsec: (\d{1,9}) \}\))"
_USUAL = re.compile(
    r"Bootstrap OutboundQueryProgressed step\.(?: (?:count=(\d{1,19})|last=(true|false)|id=QueryId\((\d{1,19})\)"
    r'|result=(?:(Ok)\(BootstrapOk|Err\(Timeout) \{ peer: PeerId\("(\w{1,128})"\), '
    r"num_remaining: (?:(\d{1,19})|Some\((\d{1,19})\)|None) \}\)"
    r"|stats=QueryStats \{ requests: (\d{1,19}), success: (\d{1,19}), failure: (\d{1,19}), "
    rf"start: {_WHEN}, end: {_WHEN} \}}))+",
    re.ASCII,
)


def _usual_step(text: str) -> dict[str, Any] | None:
    """What `_step` reads, of a line in exactly the form of the application: a tenth of the time."""
    found = _USUAL.fullmatch(text)
    if found is None or text.count("=") != 5:
        return None
    count, last, query, ok, peer, left, some, *answers = found.groups()
    if count is None or last is None or query is None or peer is None or answers[0] is None:
        return None  # one of them is there twice
    if (left is None) == (ok is not None):
        return None  # not as the program prints it
    remaining = left if ok else some
    requests, success, failure = map(int, answers[:3])
    clock = [None if n is None else int(n) for n in answers[3:]]
    stats = Stats(requests, success, failure, _nanos(clock[0], clock[1]), _nanos(clock[2], clock[3]))
    return {
        "query": int(query), "count": int(count), "last": last == "true", "ok": ok is not None,
        "remaining": None if remaining is None else int(remaining), "peer": peer, "stats": stats,
    }  # fmt: skip


def _in_one(line: Line) -> str:
    """A line in JSON as the text formats print it; nothing where it is not the five fields of a step."""
    told = line.beside
    if line.text != _PHRASES[0][0] or len(told) != 5:
        return ""
    return line.text + "".join(f" {key}={value}" for key, value in told.items())


def _step(line: Line) -> dict[str, Any] | None:
    """A progressed query: from the application's fields, or from the `Debug` text of the event itself."""
    usual = _usual_step(_in_one(line) if line.beside else line.text)
    if usual is not None:
        return usual
    fields = line.fields()
    if "result" in fields and "count" in fields:
        told: Mapping[str, Node | None] = {k: parse_debug(fields.get(k, "")) for k in ("result", "stats", "id")}
        count, last = _number(fields.get("count")), _flag(fields.get("last"))
    else:
        tree = parse_debug(line.text)
        if tree is None:
            return None
        event = next((n for n in tree.walk() if n.name.endswith("OutboundQueryProgressed")), tree)
        told = {k: event.get(k) for k in ("result", "stats", "id")}
        told["result"] = told["result"] or event
        step = event.get("step")
        count = _of(step, "count")
        flag = step.get("last") if step else None
        last = _flag(flag.name) if flag else None
    return _result(told, count, last)


def _result(told: Mapping[str, Node | None], count: int | None, last: bool | None) -> dict[str, Any] | None:
    result = told["result"]
    if result is None:
        return None
    body = next((n for n in result.walk() if n.name in ("BootstrapOk", "Timeout")), None)
    if body is None:
        return None  # another kind of query
    ok = body.name == "BootstrapOk"
    peer = body.get("peer")
    name = peer.first.text if peer and peer.first and peer.first.text else ""
    query = told["id"]
    number = (query.first.number if query.first else query.number) if query else None
    return {
        "query": number, "count": count, "last": last, "ok": ok, "remaining": _of(body, "num_remaining"),
        "peer": name[:128], "stats": _stats(told["stats"]),
    }  # fmt: skip


def _stats(node: Node | None) -> Stats | None:
    if node is None or node.name != "QueryStats":
        return None
    counts = [_of(node, key) for key in ("requests", "success", "failure")]
    if any(c is None for c in counts):
        return None
    return Stats(counts[0] or 0, counts[1] or 0, counts[2] or 0, _instant(node.get("start")), _instant(node.get("end")))


def _instant(node: Node | None) -> int | None:
    """Nanoseconds of `Some(Instant { tv_sec, tv_nsec })` as Linux prints it; None in any other form."""
    found = next((n for n in node.walk() if n.name == "Instant"), None) if node else None
    return _nanos(_of(found, "tv_sec"), _of(found, "tv_nsec"))


def _nanos(seconds: int | None, nanos: int | None) -> int | None:
    return None if seconds is None or nanos is None else seconds * 1_000_000_000 + nanos


def _of(node: Node | None, key: str) -> int | None:
    part = node.get(key) if node else None
    return part.number if part else None


def _number(text: str | None) -> int | None:
    text = (text or "").strip().strip('"')
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _flag(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").strip().strip('"'))
