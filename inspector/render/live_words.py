"""In words: what a second look found out, what a baseline knows, and the events of a watch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import modf
from typing import TYPE_CHECKING, Any

from inspector.counted import plural
from inspector.render.text import Block, Heading, Part, para
from inspector.sanitize import clean

if TYPE_CHECKING:
    from inspector.baseline import Compared
    from inspector.inspect import Report
    from inspector.state import Recalled
    from inspector.watch import Event


def live_blocks(report: Report) -> Iterator[Block]:
    """Lines under the head of a scan, only where the store was in use or could not be read past the page cache."""
    told = report.live
    if told.get("users"):
        yield para(("in use", "warn"), f" by {clean(', '.join(told['users']), 300)}", indent=2, hang=2)
    if "stable_end" in told:
        text = f"checked up to byte {told['stable_end']:,}, where its last whole record ended"
        if told["size"] != told["stable_end"]:
            text += f"; it has {told['size']:,} bytes now"
        yield para(text, indent=2, hang=2)
    if told.get("held"):
        yield para(f"{plural(told['held'], 'file')} held open, judged as they were at one moment", indent=2, hang=2)
    if told.get("transient"):
        yield para(f"{plural(told['transient'], 'place')} did not verify at first and did later", indent=2, hang=2)
    if told.get("reread", "").startswith("not possible"):
        yield para(f"damage was not read again past the page cache: {told['reread']}", indent=2, hang=2)


def compared_blocks(compared: Compared) -> Iterator[Block]:
    new = sum(compared.new.values())
    words: Part = (f"{new:,} new", "bad") if new else ("nothing new", "good")
    yield Heading("Against the baseline")
    gone = f", {compared.gone:,} gone" if compared.gone else ""
    yield para(words, f", {compared.known:,} known{gone}", indent=2)


def recalled_blocks(path: str, recalled: Recalled) -> Iterator[Block]:
    yield para((clean(path, 300), "strong"), ": ", ("clean", "good"), hang=2)
    yield para(recalled.words, indent=2, hang=2)


def event_document(event: Event, path: str, labels: dict[str, str]) -> dict[str, Any]:
    """One line of `inspector watch --jsonl`."""
    document: dict[str, Any] = {
        "schema": "inspector/watch/1",
        "event": event.event,
        "time": moment(event.time),
        "path": path,
        "start": event.start,
        "end": event.end,
        "message": event.message,
        "evidence": dict(event.evidence),
    }
    return document | ({"labels": labels} if labels else {})


def event_line(event: Event) -> str:
    """The same for people: time, what, where, words."""
    where = f" {event.start:,}-{event.end:,}" if event.start is not None and event.end is not None else ""
    told = event.evidence
    more = [f"healed after {told['healed_after_seconds']} s"] if "healed_after_seconds" in told else []
    more += [f"{name} {told[name]}" for name in ("cause", "kept", "not_kept", "moved_to") if told.get(name)]
    if told.get("codes"):
        more.append("rule " + ", ".join(told["codes"]))
    tail = f" ({'; '.join(more)})" if more else ""
    return clean(f"{moment(event.time)} {event.event}{where}: {event.message}{tail}", 1000)


def moment(seconds: float) -> str:
    """UTC with milliseconds."""
    part, whole = modf(seconds)
    micros = round(part * 1_000_000)  # as datetime does
    if micros < 0 or micros > 999_999:
        whole, micros = whole + micros // 1_000_000, micros % 1_000_000
    return f"{_second(int(whole))}.{micros // 1000:03d}Z"


@lru_cache(8)  # of thousands of events most fall into the same second
def _second(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
