"""What earlier runs read of which store, so that a later one need not read it again.

The state may only ever save work on what is sound. A result that is taken from it, or made by reading only what is
new, can only be "clean": damage, doubt, another release of inspector, other options, a file that is not the same one
or was not read whole for a day all mean that everything is read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from inspector import __version__
from inspector.baseline import read_json, write_text
from inspector.catalogue import Formats
from inspector.errors import Exit, InspectorError, OutputError
from inspector.follow import Follower, UnfollowableError
from inspector.format import Wishes
from inspector.inspect import Report
from inspector.source import Source
from inspector.spots import mark

SCHEMA = "inspector/state/1"
MODE = 0o600  # it holds what stores hold: channels, names
WHOLE_EVERY = 86_400.0  # seconds after which a store is read whole again: a medium may rot without any write
PATIENCE = 30.0  # seconds that another run may take to write the file
SAME_TICK = 2.0  # seconds in which a write may leave the times as they were
Entry = dict[str, Any]


class States(Struct):
    """By path as it was given: what scans know, and where watches ended; `taken` is what a scan found and relied on."""

    scans: dict[str, Entry] = field(default_factory=dict)
    watches: dict[str, Entry] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    changed: dict[str, Entry | None] = field(default_factory=dict)  # by this run; None: forgotten
    watched: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str) -> States:
        """An empty state where there is no such file yet."""
        if not Path(path).exists():
            return cls()
        found = read_json(path, SCHEMA, "it stays as it is: name another, or remove it if an older run wrote it")
        scans, watches = found.get("scans"), found.get("watches")
        return cls(scans if isinstance(scans, dict) else {}, watches if isinstance(watches, dict) else {})

    def scanned(self, path: str, entry: Entry | None) -> None:
        """What a whole read says of a path from now on; None forgets what was known."""
        self.taken.pop(path, None)
        self.changed[path] = entry

    def relied(self, path: str, before: str, entry: Entry) -> None:
        """A result was taken from an entry, `before` as it was; a run that knew better is not overruled."""
        self.taken[path] = before
        self.changed[path] = entry

    def write(self, path: str) -> None:
        """Add what this run learned to what the file holds now: another run may have written it meanwhile."""
        with _alone(path):
            now = States.read(path)
            for name, entry in self.changed.items():
                if name in self.taken and self.taken[name] != text_of(now.scans.get(name)):
                    continue  # another run found out more about it than this one, which did not read it whole
                if entry is None:
                    now.scans.pop(name, None)
                else:
                    now.scans[name] = entry
            now.watches |= self.watched
            text = json.dumps({"schema": SCHEMA, "scans": now.scans, "watches": now.watches})
            write_text(path, text + "\n", MODE)


def text_of(entry: Entry | None) -> str:
    """An entry as it is compared with another one."""
    return json.dumps(entry, sort_keys=True)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """One run at a time writes state files of this folder; where the file system has no locks, the last one wins."""
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    hint = "another run holds the lock of its folder: give each its own --state"
                    raise OutputError(f"{path}: not written within {PATIENCE:.0f} s", hint) from None
                time.sleep(0.01)
            except OSError:
                break
        yield
    finally:
        os.close(folder)


class Recalled(Struct, frozen=True):
    """A clean result without a whole read; `told` is what its document says about it."""

    document: dict[str, Any]
    told: dict[str, Any]
    words: str


def options_key(wishes: Wishes, forced: str | None, fail_on: str, hidden: bool = False) -> str:
    """A name for everything that a result depends on beside the bytes; `hidden`: it is told in pseudonyms."""
    named = repr((wishes, sorted(wishes.accept), forced, fail_on, hidden, __version__))
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def recall(entry: Entry | None, source: Source, formats: Formats, key: str, now: float) -> Recalled | None:
    """The clean result of a store that did not change, or only grew soundly; None where it has to be read whole."""
    if entry is None:
        return None
    try:
        if entry["key"] != key or not 0 <= now - entry["whole_at"] < WHOLE_EVERY:
            return None
        stamp = stamp_of(source)
        if stamp is not None and stamp == entry["stamp"]:
            if _newest(source) > entry["read_at"] - SAME_TICK:
                return None  # a write in the same tick of the clock would not show
            return _recalled(entry, source, {"read": "nothing", "from": source.size, "to": source.size})
        return _grown(entry, source, formats, now)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        return None
    except (OSError, InspectorError, UnfollowableError):
        return None  # a state that says nothing sensible saves no work


def _grown(entry: Entry, source: Source, formats: Formats, now: float) -> Recalled | None:
    """Only what is new, where that is all sound and says what a whole read would say."""
    if source.kind != "file" or not entry.get("follower"):
        return None
    inode, before = entry["inode"], int(entry["size"])
    info = os.fstat(source._fd(""))
    if [info.st_dev, info.st_ino] != inode or source.size <= before:
        return None  # another file, or the same size and other bytes
    form = next((f for f in formats if f.name == entry["format"]), None)
    if form is None or form.follow is None:
        return None
    follower = form.follow(entry["follower"])
    start = follower.at
    if not 0 < start <= source.size or entry["mark"] != mark(source, start):
        return None
    units = _all_sound(follower, source)
    if units is None or not source.still_same():
        return None
    document = entry["document"]
    document["source"]["size"] = document["bytes"]["total"] = source.size
    document["bytes"]["records"] += source.size - start
    document["records"]["total"] += sum(units.values())
    kinds = Counter(document["records"]["by_kind"]) + units
    document["records"]["by_kind"] = dict(sorted(kinds.items()))
    told = {"read": "new bytes", "from": start, "to": source.size}
    entry |= _follows(follower, source) | {"stamp": stamp_of(source), "read_at": now}
    return _recalled(entry, source, told)


def _all_sound(follower: Follower, source: Source) -> Counter[str] | None:
    units: Counter[str] = Counter()
    for landed in follower.advance(source):
        if landed.what != "sound":
            return None
        units.update(landed.counts)
    for landed in follower.revisit(source):
        if landed.what != "changed":
            return None
    return units if follower.at == source.size and follower.settled() else None


def _recalled(entry: Entry, source: Source, told: dict[str, Any]) -> Recalled:
    document = json.loads(json.dumps(entry["document"]))
    document["source"]["path"] = source.label
    new = told["to"] - told["from"]
    words = "Nothing was read: no time, size or inode changed since it was read whole and found clean."
    if new:
        words = (
            f"Only the last {new:,} bytes were read: all of them are sound. What is before them was found clean "
            "when it was read whole; the summary is of that time."
        )
    document["words"] = [words]
    return Recalled(document, told | {"whole_read_at": int(entry["whole_at"])}, words)


def remember(report: Report, document: Mapping[str, Any], code: int, key: str, began: float) -> Entry | None:
    """What to keep of a whole read that was clean and met nothing in doubt; None otherwise."""
    source = report.source
    if code != Exit.CLEAN or report.partial or report.damaged or report.live or source.unreadable or source.changed:
        return None
    stamp = stamp_of(source)
    if stamp is None:
        return None
    entry: Entry = {"key": key, "stamp": stamp, "whole_at": began, "read_at": began, "format": report.format.name}
    entry["document"] = dict(document)
    if report.format.follow is not None and source.kind == "file":
        follower = report.format.follow(None)
        if follower.judges_all:
            try:
                if _all_sound(follower, source) is not None:
                    entry |= _follows(follower, source)
            except UnfollowableError:
                pass  # an old version of it: read whole each time it changed
    return entry


def _follows(follower: Follower, source: Source) -> Entry:
    info = os.fstat(source._fd(""))
    return {
        "follower": follower.save(),
        "mark": mark(source, follower.at),
        "inode": [info.st_dev, info.st_ino],
        "size": source.size,
    }


def stamp_of(source: Source) -> str | None:
    """A name for the state of all files: inode, size and both times; None for what has none."""
    if source.kind not in ("file", "folder") or source.path is None:
        return None
    digest = hashlib.sha256()
    for name, info in _stats(source):
        told = (name, info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        digest.update(repr(told).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _newest(source: Source) -> float:
    return max((max(i.st_mtime_ns, i.st_ctime_ns) for _, i in _stats(source)), default=0) / 1e9


def _stats(source: Source) -> list[tuple[str, os.stat_result]]:
    assert source.path is not None
    return [(m.name, (source.path / m.name if m.name else source.path).stat()) for m in source.members]
