"""What the owner is told: bootstraps in plain words, events as records, a step timeline, one line laid open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from inspector.counted import counted
from inspector.field import Field
from inspector.finding import Tally
from inspector.format import Answer, Entry, Exhibit, Item, Query
from inspector.formats.kad_trace.bootstrap import Bootstrap, Verdict, judge
from inspector.formats.kad_trace.check import evidence, last_told
from inspector.formats.kad_trace.clock import show_time
from inspector.formats.kad_trace.columns import joined
from inspector.formats.kad_trace.events import NEEDLES, Event
from inspector.formats.kad_trace.lines import MAX_LINE, Block, blocks
from inspector.formats.kad_trace.rules import UPSTREAM
from inspector.formats.kad_trace.state import State, event_at, readable, walk
from inspector.sanitize import quoted
from inspector.span import Span

BARS = "▁▂▃▄▅▆▇█"
MAX_LISTED = 1000  # bootstraps in the summary; the counts are of all
DATA_SHOWN = 4096


def answer(state: State, _: Tally) -> Answer:
    boots = followed(state)
    stalled = [b for b in boots if judge(b, state.limits) == "stalled"]
    following: tuple[str, ...] = ("inspector items {path}", "inspector records {path} --jsonl") if boots else ()
    if state.columns:
        following = (joined("zcat {path}" if state.packed else "cat {path}", state.columns),)
    version = "gzip" if state.packed else "text"
    unjudged = "" if followable(state, boots) else "bootstraps cannot be followed in these lines"
    because = "lines with messages of a Kademlia bootstrap" if boots else "a text log"
    words = tuple(_words(state, boots, stalled))
    return Answer(version, because, words, _summary(state, boots), (), following, (), unjudged)


def followable(state: State, boots: list[Bootstrap]) -> bool:
    """Whether what became of bootstraps can be told at all from the lines as they stand."""
    return not (state.backwards or state.mixed or state.columns or (state.tracker.unread_at and not boots))


def followed(state: State) -> list[Bootstrap]:
    """All bootstraps; reads the log first where that was not done yet."""
    if not state.read:
        for _ in walk(state):
            state.damage.clear()  # told by a scan
            state.tracker.breaches.clear()
    return state.tracker.finish()


def _words(state: State, boots: list[Bootstrap], stalled: list[Bootstrap]) -> Iterator[str]:
    counts = state.tracker.verdicts
    unread = len(state.tracker.unread_at)
    speak = counted(unread, "line speaks", "lines speak")
    if state.backwards:
        yield (
            "The newest lines stand first, as Grafana, Kibana and journalctl -r write them: bootstraps cannot be "
            f"followed so. The other way round: {_turned(state)} | inspector scan -"
        )
    elif state.mixed:
        yield (
            f"Lines of {len(state.mixed)} programs stand among each other: bootstraps cannot be followed so. "
            "One program at a time:"
        )
        yield from (f"{_alone(state, begin.decode())} | inspector scan -" for begin in state.mixed)
    elif state.columns:
        yield (
            f"Lines are broken at {state.columns.width} columns, as a terminal shows them: bootstraps cannot be "
            "followed so. The command below puts them together again."
        )
    elif not boots:
        if unread:
            yield f"No bootstrap could be followed: {speak} of one in a form that is not known."
            yield "Whether it stalled is not known either."
        else:
            yield f"No bootstrap is in this log ({counted(state.lines, 'line')})."
    else:
        told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
        runs = len({b.run for b in boots})
        total = sum(counts.values())
        yield f"{counted(total, 'bootstrap')} in {counted(runs, 'run')} of the process: {told}."
        if (mixing := state.tracker.mixing).seen:
            yield (
                f"Steps of two nodes seem to be mixed ({counted(mixing.crossings, 'step')} go on where "
                "another one broke in): whose a bootstrap is, and whether it ended, is not known. Scan each log alone."
            )
        if unread:
            yield f"{speak} of a step in a form that is not known: silence after them is no sign of a stall."
    for boot in stalled[:3]:
        found = evidence(state, boot)
        yield (
            f"Bootstrap {boot.id} stopped after {last_told(boot)} at {found['last_time']}; the log "
            f"goes on for {found['gap_seconds']} s without another step. Last good line at byte "
            f"{(boot.last_step.good_start if boot.last_step else boot.start)}, reading can go on at byte "
            f"{found['resume_offset']} (of the {state.offsets})."
        )
        if found["io_errors_near"]:
            yield (
                f"I/O errors near in time: {found['io_errors_near']}; in the whole log: {found['io_errors_in_all']}. "
                "That is coincidence, not cause, until their density says otherwise."
            )
    undated = [b for b in boots if b.open] if state.tracker.latest is None else []
    for boot in undated[:3]:
        size = state.text_size if state.packed else state.source.size
        more = counted(size - boot.resume, "byte")
        on = f"the log goes on for {more} without another step" if size > boot.resume else "there the log ends"
        yield f"Bootstrap {boot.id} came to {last_told(boot)}; {on}. Whether that is a stall, no date tells."
    if undated:
        yield "With dates: journalctl -o short-iso-precise, docker logs -t, kubectl logs --timestamps."
    if stalled:
        yield "No data is at risk: the node has to be restarted. " + UPSTREAM
    if hiding := [boot for boot in boots if boot.hidden and judge(boot, state.limits) == "undetermined"]:
        held, many = counted(sum(boot.hidden for boot in hiding), "byte"), counted(len(hiding), "bootstrap")
        yield f"{held} of no text may hide the rest of {many}: whether it ended is not known."
    if state.damaged:
        count = counted(state.damaged_lines, "line")
        yield f"{count} that are no text, or stretches of zeroes, were skipped; a repair leaves them out."
    if state.packed:
        yield "The log is packed with gzip: offsets of lines are those of the unpacked text."


def _turned(state: State) -> str:
    """The command that gives a log's lines the other way round."""
    return f"{_text(state)} | tac"


def _alone(state: State, begin: str) -> str:
    """The command that gives the lines of one program; of several spaces, as docker compose pads names, one is told."""
    if "  " not in begin:
        return f"{_text(state)} | grep -aF -e {quoted(begin)}"
    pattern = re.sub(" {2,}", " +", re.sub(r"[^\w /@-]", r"[\g<0>]", begin))
    return f"{_text(state)} | grep -aE -e {quoted(pattern)}"


def _text(state: State) -> str:
    """The command that gives the text of the log."""
    label = state.source.label
    if label == "-":
        return "... | zcat" if state.packed else "..."
    return f"{'zcat' if state.packed else 'cat'} {quoted(label)}"


def _summary(state: State, boots: list[Bootstrap]) -> dict[str, Any]:
    tracker = state.tracker
    return {
        "lines": state.lines,
        "unreadable_lines": state.damaged_lines,
        "offsets_of": state.offsets,
        "text_size": state.text_size,
        "seconds": round(tracker.seconds, 6),
        "process_starts": tracker.events["process-start"],
        "io_errors": tracker.events["io-error"],
        "connections_closed": state.closed,
        "local_peers": [p for p in dict.fromkeys(tracker.peers) if p],
        "bootstraps_total": sum(tracker.verdicts.values()),
        "verdicts": dict(sorted(tracker.verdicts.items())),
        "bootstraps": [_boot(state, b) for b in boots[:MAX_LISTED]],
    }


def _boot(state: State, boot: Bootstrap) -> dict[str, Any]:
    verdict = judge(boot, state.limits)
    told = evidence(state, boot)
    keys = ("query", "run", "last_step", "expected_steps", "last_good_offset", "resume_offset", "last_event_offset",
            "gap_seconds", "median_gap_seconds", "ended_by")  # fmt: skip
    return {
        "id": boot.id,
        "verdict": verdict,
        "finished": verdict == "finished",
        "start_offset": boot.start,
        "started": show_time(boot.started),
        "steps": boot.step_count,
        "app_steps": boot.app_steps,
        "timeouts": boot.timeouts,
        **{key: told[key] for key in keys},
    }


def items(state: State) -> Iterator[Item]:
    for boot in followed(state):
        verdict = judge(boot, state.limits)
        fields = {"verdict": verdict, "timeline": timeline(boot, verdict)} | _boot(state, boot)
        fields["timed_steps"] = [
            {"step": s.count, "ok": s.ok, "time": show_time(s.time), "offset": s.start, "seconds": s.gap,
             "took_seconds": None if s.took is None else round(s.took / 1e9, 6), "num_remaining": s.remaining}
            for s in boot.steps
        ]  # fmt: skip
        del fields["id"]
        spans = () if state.packed else (Span(boot.start, max(boot.start, boot.resume)),)
        yield Item(boot.id, "bootstrap", None, fields, spans)


def timeline(boot: Bootstrap, verdict: Verdict) -> str:
    """One bar per step, as high as the step took against the longest; x is a timed-out step, and ... a stall."""
    seconds = [s.took / 1e9 if s.took is not None else s.gap or 0.0 for s in boot.steps]
    longest = max(seconds, default=0.0)
    bars = "".join(
        "x" if not step.ok else BARS[round((len(BARS) - 1) * max(0.0, took) / longest)] if longest > 0 else BARS[0]
        for step, took in zip(boot.steps, seconds, strict=True)
    )
    return bars + ("…" if verdict in ("stalled", "slow") else "")


def records(state: State, query: Query) -> Iterator[Entry]:
    """One entry per event and per line that is no text, in the order of the text."""
    for block in blocks(state.text()):
        if query.end is not None and block.at >= query.end:
            return
        if block.end <= query.start:
            continue
        unread = set(_unreadable(block))
        told = set() if query.damaged or block.over else block.lines_with(NEEDLES)
        for index in sorted(unread | told):
            if index in unread:
                start, end = block.bounds(index)
                if _asked(query, "unreadable line", start, end):
                    line = {"line": block.first + index}
                    yield _entry(state, "unreadable line", "unreadable", start, end, line)
                continue
            event = event_at(block, index, state.tracker.clock)
            if event and _asked(query, event.kind, event.start, event.end):
                yield _entry(state, event.kind, "ok", event.start, event.end, _fields(event))


def _unreadable(block: Block) -> Iterator[int]:
    """Numbers of lines in this block that are no text."""
    if block.over:
        yield 0
        return
    yield from (index for index in block.suspects() if not readable(block.line(index)))


def _asked(query: Query, kind: str, start: int, end: int) -> bool:
    if query.kinds and kind not in query.kinds:
        return False
    return end > query.start and (query.end is None or start < query.end)


def _fields(event: Event) -> dict[str, Any]:
    return {"line": event.line, "time": show_time(event.time), **event.fields}


def _entry(state: State, kind: str, word: str, start: int, end: int, told: dict[str, Any]) -> Entry:
    """A line; in a packed log it has no bytes of its own, and its place is that in the unpacked text."""
    if not state.packed:
        return Entry(Span(start, end), kind, word, told)
    return Entry(Span(0, 0), kind, word, {"text_start": start, "text_end": end} | told)


def show(state: State, _: str, at: int) -> Exhibit | None:
    """The line that holds the byte `at`; of a packed log the gzip member that does."""

    if state.packed:
        return _show_member(state, at)
    found = _line_at(state, at)
    if found is None:
        return None
    start, raw = found
    span = Span(start, start + len(raw))
    text = raw.rstrip(b"\r\n")
    block = next(blocks([raw], start), None)
    event = event_at(block, 0, state.tracker.clock) if block and not block.over else None
    shown = text[:DATA_SHOWN]
    fields = [Field("line", start, span.end, shown, shown.decode("utf-8", "replace"), privacy="private")]
    if event:
        told = {"event": event.kind, "time": show_time(event.time), **event.fields}
        fields += [
            Field(k, start, span.end, v, str(v), privacy="private" if k in ("peer", "text") else "public")
            for k, v in told.items()
        ]
    word = "ok" if readable(text) else "unreadable"
    return Exhibit("a line of the log", span, word, "offset", raw[:DATA_SHOWN], tuple(fields))


def _show_member(state: State, at: int) -> Exhibit | None:

    followed(state)
    member = next((m for m in state.unpacked.members if m.start <= at < m.end), None)
    if member is None:
        return None
    span = Span(member.start, member.end)
    data = state.source.read(member.start, min(DATA_SHOWN, span.length))
    told = {"text_start": member.text_start, "text_end": member.text_end, "problem": member.problem or "none"}
    fields = tuple(Field(k, span.start, span.end, v, str(v)) for k, v in told.items())
    notes = ("inspector records lists the events of the unpacked text with their offsets in it",)
    return Exhibit("a gzip member", span, "damaged" if member.problem else "ok", "offset", data, fields, notes)


def _line_at(state: State, at: int) -> tuple[int, bytes] | None:
    """Start and bytes (with its end) of a line; at most 1 MiB to each side is read of a file."""
    base = max(0, at - MAX_LINE)
    data = state.source.read(base, 2 * MAX_LINE)
    if not 0 <= at < base + len(data):
        return None
    start = data.rfind(b"\n", 0, at - base) + 1
    end = data.find(b"\n", at - base) + 1 or len(data)
    return base + start, data[start:end]
