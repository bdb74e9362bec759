"""Findings that are known already, by path and fingerprint: only new ones are news."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any

from msgspec import Struct, field

from inspector.descriptors import pwrite_all
from inspector.errors import RefusedError, SourceError, UsageError
from inspector.finding import Severity
from inspector.fingerprint import fingerprint
from inspector.inspect import Report
from inspector.output import place_file

SCHEMA = "inspector/baseline/1"
KEEP = 20_000  # findings per rule that are told apart; more are counted
MAX_FILE = 256 << 20
MODE = 0o644
MARKED = 64  # bytes in which a file of ours says what it is
BEGINS = b'"schema": "inspector/baseline/'
METRICS_BEGIN = b"# HELP inspector_"


class Known(Struct):
    """What was found at one path: names, and exact counts of each rule and severity."""

    names: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Report) -> Known:
        found = [f for f in report.tally.findings() if f.level is not Severity.NOTE]
        counts = {f"{code} {level.value}": n for (code, level), n in report.tally.counts.items() if level != "note"}
        return cls({fingerprint(f, report.source) for f in found}, counts)


class Compared(Struct, frozen=True):
    """`new` counts findings that the baseline does not have, by severity; `names` are the new ones told apart."""

    known: int
    new: Mapping[Severity, int]
    gone: int
    names: frozenset[str]

    def fails(self, fail_on: Severity) -> bool:
        levels = [Severity.ERROR] if fail_on is Severity.ERROR else [Severity.ERROR, Severity.WARNING]
        return any(self.new.get(level) for level in levels)

    def document(self) -> dict[str, Any]:
        return {"known": self.known, "new": sum(self.new.values()), "gone": self.gone}


class Baseline:
    """Known findings by path."""

    def __init__(self, entries: dict[str, Known] | None = None) -> None:
        self.entries = entries or {}

    @classmethod
    def read(cls, path: str) -> Baseline:
        found = read_json(path, SCHEMA, "inspector scan PATH --write-baseline FILE writes one")
        try:
            return cls(
                {
                    str(name): Known(set(map(str, entry["fingerprints"])), {str(k): int(v) for k, v in counts.items()})
                    for name, entry in found["paths"].items()
                    for counts in [entry["counts"]]
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UsageError(f"{path}: not a baseline of inspector ({error})", "write it again") from error

    def compare(self, path: str, report: Report) -> Compared:
        """What is new. Where a rule has more findings than are told apart, one more than before is new."""
        before, now = self.of(path), Known.of(report)
        new: dict[Severity, int] = {}
        told: dict[tuple[str, Severity], int] = {}
        names: set[str] = set()
        for found in report.tally.findings():
            if found.level is Severity.NOTE:
                continue
            key = (found.rule.code, found.level)
            told[key] = told.get(key, 0) + 1
            name = fingerprint(found, report.source)
            unseen = name not in before.names
            if unseen and name in report.source.nameless:  # it is one of the known ones, unless they are more now
                unseen = report.tally.counts[key] > before.counts.get(f"{found.rule.code} {found.level.value}", 0)
            if unseen:
                names.add(name)
                new[found.level] = new.get(found.level, 0) + 1
        for (code, level), count in report.tally.counts.items():
            if level is not Severity.NOTE and count > told.get((code, level), 0):
                more = count - before.counts.get(f"{code} {level.value}", 0)
                new[level] = max(new.get(level, 0), more)
        total = sum(now.counts.values())
        fresh = sum(new.values())
        gone = max(0, len(before.names - now.names) - len(report.source.nameless - names))
        return Compared(max(0, total - fresh), new, gone, frozenset(names))

    def of(self, path: str) -> Known:
        """What is known of a path: under that name, under another spelling of it, or of stores that moved away.

        Damage that nobody has under its old name any more is the same damage under a new one.
        """
        if (found := self.entries.get(path)) is not None:
            return found
        here = os.path.realpath(path)
        moved = Known()
        for name, known in sorted(self.entries.items()):
            if os.path.realpath(name) == here:
                return known
            if not os.path.lexists(name):
                moved.names |= known.names
                for rule, count in known.counts.items():
                    moved.counts[rule] = moved.counts.get(rule, 0) + count
        return moved

    def add(self, path: str, report: Report) -> None:
        self.entries[path] = Known.of(report)

    def write(self, path: str) -> None:
        paths = {
            name: {"fingerprints": sorted(known.names), "counts": dict(sorted(known.counts.items()))}
            for name, known in sorted(self.entries.items())
        }
        write_text(path, json.dumps({"schema": SCHEMA, "paths": paths}, indent=1) + "\n")


def read_json(path: str, schema: str, hint: str) -> dict[str, Any]:
    """A JSON file of ours; UsageError where it is something else."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise SourceError(f"{path}: {error.strerror}", hint if missing else "") from error
    try:
        found = json.loads(raw) if len(raw) <= MAX_FILE else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("schema") != schema:
        raise UsageError(f"{path}: not a file with {schema}", hint)
    return found


def only_ours(path: str, begins: bytes, inputs: Iterable[str]) -> None:
    """Raise where a small file of ours would take the place of anything else, of an input above all."""
    try:
        found = Path(path).stat()
    except OSError:
        return  # nothing is there, or whoever writes it says what is wrong
    for one in inputs:
        with suppress(OSError):
            if os.path.samestat(found, Path(one).stat()):
                raise RefusedError(f"{path} is the input itself", "the input is never written to: name another file")
    if not S_ISREG(found.st_mode) or not found.st_size:
        return
    try:
        with Path(path).open("rb") as file:
            head = file.read(MARKED)
    except OSError as error:
        raise RefusedError(f"{path}: {error.strerror}: it may be something else", "name another file") from error
    if head.strip() and begins not in head:
        raise RefusedError(f"{path} is no such file of inspector and would be lost", "name another, or move it away")


def write_text(path: str, text: str, mode: int = MODE) -> None:
    """Replace a small file of ours: whole or not at all."""
    with place_file(path, None, len(text), force=True, mode=mode) as place:
        put(place.fd, [text.encode()])


def put(fd: int, parts: Iterable[bytes]) -> None:
    at = 0
    for part in parts:
        at = pwrite_all(fd, part, at)
