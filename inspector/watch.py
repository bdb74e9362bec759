"""A store followed for days: each record verified as it lands, transient and lasting damage told apart.

Polling, not inotify: a `stat` per interval costs microseconds, works on network and overlay file systems, and sees
what happened while the watch itself was stopped. Memory is bounded: places, counts, and what the follower remembers.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from inspector.catalogue import Formats
from inspector.errors import InspectorError, UnknownFormatError
from inspector.follow import Follower, Landed, UnfollowableError
from inspector.format import Format
from inspector.inspect import detect
from inspector.keep import Beside
from inspector.rescan import Rescan
from inspector.source import Member, Source, open_source
from inspector.spots import Spots, mark
from inspector.trouble import Troubles

PATIENCE = 3.0  # seconds that bytes may stay wrong before it is called damage
SWEEP = 4 << 20  # bytes of old records that are read again each round while the file is written to
FAREWELL = (0.05, 0.2, 0.5)  # seconds that an unfinished end of a file that was moved is waited for
COMPLAINTS = 1024
DAMAGE = frozenset({"damage", "torn", "odd"})


class Event(Struct, frozen=True):
    """Something that happened; `time` is unix seconds, `evidence` JSON-ready."""

    event: str
    time: float
    message: str
    start: int | None = None
    end: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Watch:
    """Call `poll` now and then; `emit` gets the events in order."""

    def __init__(
        self,
        path: str,
        formats: Formats,
        emit: Callable[[Event], None],
        forced: str | None = None,
        patience: float = PATIENCE,
        each: bool = False,
        keep_in: str | None = None,
        known: frozenset[str] = frozenset(),
        now: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`each` tells also of every record that is sound; `known` are fingerprints that are no news."""
        self.path, self.formats, self.forced = Path(path), formats, forced
        self.each = each
        self.blind = False  # bytes could not be read; of a store that is scanned whole, at the last look
        self.counts: Counter[str] = Counter()  # events by name
        self.units: Counter[str] = Counter()
        self.follower: Follower | None = None
        self.halt = False
        self.form: Format | None = None
        self.ino: tuple[int, int] | None = None
        self.troubles = Troubles(self._tell, formats, patience, known, now, tick, self.units.update)
        self.saved_before: Mapping[str, Any] | None = (
            None  # what `saved` gave in an earlier run; used at the first open
        )
        self._emit, self._now, self._tick, self._sleep = emit, now, tick, sleep
        self._said: set[tuple[str, int | None]] = set()  # complaints that are made once
        self._fd = -1
        self._size = self._mtime = 0
        self._rescan: Rescan | None = None
        self._swept_mtime = -1
        self._absent = False
        self._refused: tuple[int, int] | None = None  # size and time of a file that no format knew
        self._spots = Spots()
        self._beside = Beside(self.path.with_name(self.path.name + ".corrupt"), keep_in, tick)

    @property
    def damaged(self) -> bool:
        """Whether lasting damage stands now or stood at any time and was rotated away."""
        return any(self.counts[name] for name in DAMAGE)

    @property
    def unseen(self) -> bool:
        """Whether nothing was checked: the name was not there, what has it cannot be read, is none, or never rested."""
        return self.form is None and not self.counts["scanned"]

    @property
    def unkept(self) -> int:
        """Copies that were asked for and could not be made."""
        return len(self._beside.missed)

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # only read from
                os.close(self._fd)
            self._fd = -1

    # -- one round -----------------------------------------------------------------------------

    def poll(self) -> None:
        """One look. A system call that fails is told, once; the next look may go better."""
        try:
            self._poll()
        except OSError as error:
            self._tell("unreadable", f"{self.path}: {error.strerror}")

    def _poll(self) -> None:
        self._look_beside()
        try:
            there = os.stat(self.path)  # noqa: PTH116  the fault tests replace os.stat
        except FileNotFoundError:
            self._gone()
            return
        except OSError as error:
            self._tell("unreadable", f"{self.path}: {error.strerror}")
            return
        if self.ino is not None and self.ino != (there.st_dev, there.st_ino) and self._fd >= 0:
            self._rotated()
        self._absent = False
        if stat.S_ISDIR(there.st_mode) or self._rescan is not None:
            self._scan_whole()
        elif self._fd >= 0 or self._open():
            self._follow()

    def _follow(self) -> None:
        self.troubles.begin()
        source = self._source()
        try:
            changed = (source.size, source.members[0].mtime_ns) != (self._size, self._mtime)
            if source.size < self._size or (self.follower is not None and source.size < self.follower.at):
                self._begin_again(source, "the file became shorter")
            elif changed and self._spots.another(source):
                self._begin_again(source, "the file was written anew")
            self._size, self._mtime = source.size, source.members[0].mtime_ns
            self._advance(source)
            assert self.follower is not None
            assert self.form is not None
            self._spots.take(source, self.follower.at)
            self.troubles.check(source, self.follower, self.form.name)
            if changed or self._swept_mtime != self._mtime:
                self._old(source)
        except UnfollowableError as reason:
            self._tell("rescans", f"{reason}: it is scanned whole whenever it changes")
            self.close()
            self._scan_whole()
        except InspectorError as error:
            self._tell("unreadable", error.message)
        if source.unreadable:
            first = source.unreadable[0]
            self.blind = True  # they may not be asked for again
            self._tell("unreadable", "the medium could not deliver these bytes", first.start, first.end)

    def _advance(self, source: Source) -> None:
        assert self.follower is not None
        unfinished: Landed | None = None
        going = True
        while going:
            going = False
            for landed in self.follower.advance(source):
                if self.halt:  # asked to end in the middle of a large file
                    return
                if landed.what == "sound":
                    self._sound(landed)
                elif landed.what == "odd":
                    self._odd(landed)
                elif landed.what == "unfinished":
                    unfinished = landed
                else:
                    self.troubles.note(source, self.follower, landed, passed=True)
                    self.follower.skip(landed.end)
                    going = True
        assert self.form is not None
        self.troubles.wait_for(source, self.follower, unfinished, self.form.name)

    def _old(self, source: Source) -> None:
        """What newer records changed, then a part of everything that was verified before."""
        assert self.follower is not None
        for landed in self.follower.revisit(source):
            if landed.what == "changed":
                self.counts["changed"] += 1
                if self.each:
                    self._tell("changed", landed.text, landed.start, landed.end, counted=True)
            elif landed.what == "odd":
                self._odd(landed)
            else:
                self.troubles.note(source, self.follower, landed)
        for landed in self.follower.sweep(source, SWEEP):
            self.troubles.note(source, self.follower, landed)
        if self.follower.sweep_done():
            self._swept_mtime = self._mtime

    # -- what was met --------------------------------------------------------------------------

    def _sound(self, landed: Landed) -> None:
        self.units.update(landed.counts)
        if self.each:
            count = sum(landed.counts.values())
            told = {"records": count, "by_kind": dict(sorted(landed.counts.items()))}
            self._tell("appended", f"{count} records verified", landed.start, landed.end, told)

    def _odd(self, landed: Landed) -> None:
        if "ended" in landed.text and self._replaced():  # written to the old file once the new one has its name
            return
        self._tell("odd", landed.text, landed.start, landed.end)

    # -- files come and go ---------------------------------------------------------------------

    def _open(self) -> bool:
        try:
            source = open_source(str(self.path))
        except InspectorError as error:
            self._tell("unreadable", error.message)
            return False
        with source:
            if not self._known(source):
                return False
            assert self.form is not None
            if self.form.follow is None:
                self._tell("rescans", f"{self.form.name}: it is scanned whole whenever it changes")
                self._scan_whole()
                return False
            info = os.fstat(source._fd(""))
            self.follower, self.ino = self.form.follow(None), (info.st_dev, info.st_ino)
            self._forget_file()
            self._fd = os.dup(source._fd(""))
        told: dict[str, Any] = {"format": self.form.name, "size": info.st_size}
        saved, self.saved_before = self.saved_before, None
        if saved is not None and self.resume(saved):
            told["resumed_at"] = self.follower.at
        self._tell("opened", f"{self.form.name}, {info.st_size} bytes", evidence=told)
        return True

    def _known(self, source: Source) -> bool:
        """Whether the format is clear; once known it stays, so that a new file needs no records to be followed."""
        if self.form is not None:
            return True
        state = (source.size, source.members[0].mtime_ns if source.members else 0)
        if self._refused == state:
            return False
        try:
            self.form = detect(source, self.formats, self.forced)[0][-1]
        except UnknownFormatError as error:
            if self._refused is None:
                self._tell("unknown", f"{error.message}; waiting until it is one")
            self._refused = state
            return False
        return True

    def resume(self, saved: Mapping[str, Any]) -> bool:
        """Go on where a watch of the same file ended; False where it is another one."""
        if self._fd < 0 or self.form is None or self.form.follow is None or saved.get("format") != self.form.name:
            return False
        source = self._source()
        try:
            follower = self.form.follow(saved["follower"])
            if follower.at > source.size or saved["mark"] != mark(source, follower.at):
                return False
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError, UnfollowableError):
            return False
        self.follower = follower
        return True

    def saved(self) -> dict[str, Any] | None:
        """What `resume` needs."""
        if self.follower is None or self.form is None or self._fd < 0:
            return None
        source = self._source()
        return {"format": self.form.name, "follower": self.follower.save(), "mark": mark(source, self.follower.at)}

    def _source(self) -> Source:
        info = os.fstat(self._fd)
        source = Source(str(self.path), "file", self.path, [Member("", info.st_size, info.st_mtime_ns)])
        source._files[""] = self._fd  # ours: it is never closed with this source
        return source

    def _forget_file(self) -> None:
        self.troubles.clear()
        self._spots.clear()
        self._size, self._mtime, self._swept_mtime = 0, 0, -1

    def _replaced(self) -> bool:
        try:
            info = os.stat(self.path)  # noqa: PTH116  as above
        except OSError:
            return True
        return (info.st_dev, info.st_ino) != self.ino

    def _drain(self) -> None:
        """The old file to its end: what was written before it was moved counts."""
        source = self._source()
        assert self.follower is not None
        assert self.form is not None
        with contextlib.suppress(UnfollowableError, InspectorError):
            for wait in FAREWELL:  # the program says goodbye in the old file, and may be at it
                self._advance(source)
                if self.troubles.unfinished is None or not self.follower.torn_matters:
                    break
                self._sleep(wait)
                source = self._source()
            self._old(source)
            self.troubles.check(source, self.follower, self.form.name)
        self.troubles.give_up(source, self.follower, self.form.name)
        self._forget_file()

    def _rotated(self) -> None:
        self._drain()
        told = {"at": self.follower.at if self.follower else 0, "moved_to": self._where()}
        self._tell(
            "rotated", f"another file has the name now; the old one is {told['moved_to'] or 'gone'}", None, None, told
        )
        self.close()
        self.follower = None

    def _where(self) -> str | None:
        """The name that the followed file has now, in its own folder."""
        with contextlib.suppress(OSError), os.scandir(self.path.parent) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    info = entry.stat(follow_symlinks=False)
                    if (info.st_dev, info.st_ino) == self.ino:
                        return entry.name
        return None

    def _gone(self) -> None:
        if self._fd >= 0:
            self._drain()
            moved = self._where()
            self._tell(
                "removed", f"no file has the name; the old one is {moved or 'gone'}", evidence={"moved_to": moved}
            )
            self.close()
            self.follower = None
        elif not self._absent:
            self._tell("missing", "no such file; waiting for it")
        self._absent = True

    def _begin_again(self, source: Source, why: str) -> None:
        assert self.form is not None
        assert self.form.follow is not None
        told = {"before": self._size, "now": source.size}
        self._forget_file()
        self.follower = self.form.follow(None)
        self._tell("truncated", f"{why}: it is read again from its start", None, None, told)

    def _look_beside(self) -> None:
        told = self._beside.look(self.ino)
        if told is not None:
            self._tell("corrupt-file", f"{self._beside.path.name} is there", None, None, told)

    def _scan_whole(self) -> None:
        if self._rescan is None:
            known, path = self.troubles, str(self.path)
            self._rescan = Rescan(path, self.formats, self.forced, known.patience, known.known, self._now, self._tick)
        for what, message, span, told in self._rescan.look():
            start, end = (span.start, span.end) if span else (None, None)
            if what in ("unreadable", "scanned"):
                self.blind = what == "unreadable"
            self._tell(what, message, start, end, told)

    def _tell(
        self,
        event: str,
        message: str,
        start: int | None = None,
        end: int | None = None,
        evidence: Mapping[str, Any] | None = None,
        counted: bool = False,
    ) -> None:
        if event in ("unreadable", "unknown", "missing"):
            if (message, start) in self._said or len(self._said) >= COMPLAINTS:
                return
            self._said.add((message, start))
        if not counted:
            self.counts[event] += 1
        self._emit(Event(event, self._now(), message, start, end, evidence or {}))
