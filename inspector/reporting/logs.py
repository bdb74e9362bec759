"""Logs of the programs, read line by line: known messages, tied to the bytes of the store they are about.

Linear and bounded: blocks of a few MiB are searched for the constant parts of all messages, only lines that hold one
are looked at, and of each message the first and last few are kept; the counts are exact.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.errors import UsageError
from inspector.messages import line as lines
from inspector.messages.message import Said, filled
from inspector.render.text import quoted
from inspector.reporting.tie import Tie, believed_words, tie
from inspector.source import Source, open_source

if TYPE_CHECKING:
    from inspector.inspect import Report
    from inspector.reporting.hide import Hide

KEPT = 50  # of each message, half of them the last ones
MAX_TIES = 60  # places that are looked at: some formats walk up to a record to show it
MAX_TEXT = 300
PACKED = 16 << 20  # what a gzip file on standard input is taken to be long, to bound what it unpacks to
OWN_LOGS = ("LOG", "LOG.old.")  # RocksDB's info logs, beside the tables that they tell about

Document = dict[str, Any]


class Line(Struct, frozen=True):
    """A line with a known message: its log, number from 1, offset in the unpacked text."""

    log: str
    number: int
    at: int
    text: str
    said: Said


class Heard(Struct):
    """What the logs say, in the order of the logs; `ties` by index of a line."""

    lines: list[Line] = field(default_factory=list)
    ties: dict[int, Tie] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def tie(self, report: Report) -> None:
        """Hold what the lines say against the bytes of a store; each message and value once."""
        known: dict[tuple[str, tuple[tuple[str, str], ...]], Tie | None] = {}
        for i, line in enumerate(self.lines):
            key = (line.said.message.id, tuple(sorted(line.said.values.items())))
            if key not in known:
                if len(known) >= MAX_TIES:
                    continue
                known[key] = tie(line.said, report)
            found = known[key]
            if found is not None:
                self.ties[i] = found

    def document(self, hide: Hide, store: str | None = None) -> Document:
        return {
            "known": sum(self.counts.values()),
            "counts": dict(sorted(self.counts.items())),
            "lines": [line_document(line, self.ties.get(i), hide, store) for i, line in enumerate(self.lines)],
            "notes": self.notes,
        }


def line_document(line: Line, tied: Tie | None, hide: Hide, store: str | None = None) -> Document:
    said, message = line.said, line.said.message
    said = replace(said, values={name: hide.value(name, value) for name, value in said.values.items()})
    return {
        "log": line.log,
        "line": line.number,
        "at": line.at,
        "time": said.time,
        "program": message.program,
        "message": message.id,
        "text": hide.line(line.text),
        "values": dict(said.values),
        "convention": message.convention or None,
        "offset": said.at,
        "meaning": said.meaning(),
        "effect": filled(message.effect, said.values),
        "releases": message.releases,
        "issues": list(message.issues),
        "verdict": hide.words(tied.verdict) if tied else "",
        "compared": believed_words(said),
        "store": hide.all(tied.document()) if tied and tied.start is not None else None,
        "next": commands(said, store),
    }


def commands(said: Said, store: str | None) -> list[str]:
    """What to run next; STORE stands for the path where none was given."""
    values = dict(said.values) | {"store": quoted(store) if store else "STORE"}
    if said.message.file and "file" in values:
        values["file"] = quoted(PurePath(values["file"]).name)
    return [filled(command, values) for command in said.message.next]


def readable(paths: Iterable[str]) -> None:
    """Raise for a log that cannot be read, before anything long is begun."""
    for path in paths:
        with open_source(path) as log:
            if log.kind == "folder":
                raise UsageError(f"{path} is a folder: --log takes a file", "repeat --log for several")


def hear(paths: Iterable[tuple[str, str]], report: Report) -> Heard:
    """Read the logs that were named (shown as, path), and those that the store keeps; tie them to its bytes."""
    heard = Heard()
    for label, path in paths:
        with open_source(path) as log:
            _read(heard, PurePath(label).name, log, "")
    if report.source.kind == "folder":
        for member in report.source.members:
            if PurePath(member.name).name.startswith(OWN_LOGS) and not member.secret:
                _read(heard, member.name, report.source, member.name)
    heard.tie(report)
    return heard


class Listener(Struct):
    """A log by itself, or a single line, with a store beside it or without."""

    heard: Heard = field(default_factory=Heard)
    read: int = 0  # lines in all

    def listen(self, chunks: Iterable[bytes], label: str) -> None:
        _keep(self.heard, known_lines(self._counted(_unpacked(self.heard, label, chunks, PACKED)), label))

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        last = b"\n"
        for chunk in chunks:
            self.read += chunk.count(b"\n")
            last = chunk[-1:] or last
            yield chunk
        self.read += last != b"\n"

    def document(self, hide: Hide, store: str | None) -> Document:
        """What `inspector explain` prints: the lines, and the known issues that their messages name."""
        from inspector.known_issues_table import ISSUES
        from inspector.render.documents import TOOL

        told = self.heard.document(hide, store)
        named = {name for line in told["lines"] for name in line["issues"]}
        return {
            "schema": "inspector/explain-log/1",
            "tool": TOOL,
            "store": store,
            "read": self.read,
            **told,
            "issues": {
                i.id: {"title": i.title, "affected": i.affected, "fixed": i.fixed, "advice": i.advice}
                for i in ISSUES
                if i.id in named
            },
        }


def _read(heard: Heard, label: str, log: Source, member: str) -> None:
    windows = (data for _, data in log.windows(member))
    _keep(heard, known_lines(_unpacked(heard, label, windows, log.length(member)), label))


def _keep(heard: Heard, found: Iterable[Line]) -> None:
    """Count them all; keep the first and the last few of each message."""
    first: dict[str, list[Line]] = {}
    last: dict[str, deque[Line]] = {}
    for line in found:
        name = line.said.message.id
        heard.counts[name] += 1
        if len(first.setdefault(name, [])) < KEPT // 2:
            first[name].append(line)
        else:
            last.setdefault(name, deque(maxlen=KEPT // 2)).append(line)
    kept = [line for group in (*first.values(), *last.values()) for line in group]
    heard.lines += sorted(kept, key=lambda line: line.at)


def known_lines(chunks: Iterable[bytes], label: str) -> Iterator[Line]:
    """The lines of a text that hold a known message."""
    from inspector.formats.kad_trace.lines import blocks

    wanted = lines.needles()
    for block in blocks(chunks):
        for index in sorted(block.lines_with(wanted)):
            start, _ = block.bounds(index)
            raw = (
                block.data[start - block.at : start - block.at + 4 * lines.MAX_LINE]
                if block.over
                else block.line(index)
            )
            text = raw[: 4 * lines.MAX_LINE].decode("utf-8", "replace")
            said = lines.read(text)
            if said is not None:
                yield Line(label, block.first + index, start, text[:MAX_TEXT].strip(), said)


def _unpacked(heard: Heard, label: str, windows: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The text of a log that may be a gzip file."""
    from inspector.formats.kad_trace.packed import MAGIC, Unpacked

    held = iter(windows)
    first = next(held, b"")
    whole = chain((first,), held)
    if not first.startswith(MAGIC):
        yield from whole
        return
    unpacked = Unpacked(size)
    yield from unpacked.text(whole)
    for part in unpacked.members:
        if part.problem:
            heard.notes.append(f"{label}: the gzip file is damaged ({part.problem}); what could be unpacked was read")
