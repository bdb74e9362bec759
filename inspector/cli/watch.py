"""`inspector watch`: a store followed while its program writes it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

from inspector.cli import declare as typer
from inspector.cli import fleet as fleets
from inspector.cli.app import complain
from inspector.cli.options import FormatName
from inspector.errors import ChangedError, Exit, InspectorError, OutputError, UsageError

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.cli.stdout import Output
    from inspector.render import encoding, live_words
    from inspector.render.metrics import Sample
    from inspector.watch import Event, Watch
else:
    from inspector.postponed import Postponed

    encoding, live_words = Postponed("inspector.render.encoding"), Postponed("inspector.render.live_words")

EXAMPLES = """Examples:

inspector watch ~/.lightning/bitcoin/gossip_store --keep-corrupt ~/kept

inspector watch gossip_store --until-damage || mail -s "store damaged" me

inspector watch /var/log/subspace.log --for 1h --records"""

MAX_BESIDE = 1000  # names of the folder that a missing one is compared with
HEARTBEAT = 600.0  # seconds between two lines that say how far it is
METRICS = 15.0  # seconds between two writings of the metrics and state files

Interval = Annotated[str, typer.Option("--interval", metavar="TIME", help="Time between two looks.")]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after so long (90, 5m, 2h, 1d).")]
Patience = Annotated[
    str, typer.Option("--patience", metavar="TIME", help="How long bytes may stay wrong before it is called damage.")
]
UntilDamage = Annotated[bool, typer.Option("--until-damage", help="End with exit code 3 at the first lasting damage.")]
Records = Annotated[bool, typer.Option("--records", help="Also tell of records that are sound, as they land.")]
KeepCorrupt = Annotated[
    str | None,
    typer.Option("--keep-corrupt", metavar="FOLDER", help="Keep a verified copy of each PATH.corrupt that appears."),
]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per event, each on one line.")]
PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="A store or log; it may be missing yet.")]


def watch(
    path: PathArgument,
    jsonl: JsonLines = False,
    interval: Interval = "1s",
    length: For = None,
    patience: Patience = "3s",
    until_damage: UntilDamage = False,
    records: Records = False,
    keep_corrupt: KeepCorrupt = None,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
    baseline: fleets.BaselineFile = None,
    state: fleets.StateFile = None,
    max_rate: fleets.MaxRate = None,
    label: fleets.Label = None,
    metrics: fleets.Metrics = None,
    polite: fleets.Polite = None,
) -> int:
    """Follow a store while its program writes it: each record verified as it lands, lasting damage told at once.

    Core Lightning's gossip stores, logs, and RocksDB's write-ahead logs are followed record by record; any other store
    is scanned whole whenever it changes.
    """
    from inspector.baseline import Baseline
    from inspector.cli.inputs import known_formats, named_format
    from inspector.cli.stdout import Output
    from inspector.watch import Watch

    if path == "-":
        raise UsageError("standard input has no name to follow", "inspector scan - reads it once")
    if keep_corrupt is not None and not Path(keep_corrupt).is_dir():
        raise UsageError(f"{keep_corrupt}: no such folder", f"mkdir -p {keep_corrupt}")
    formats = known_formats()
    named_format(formats, format)
    gently = True if polite is None else polite
    fleet = fleets.fleet(None, None, max_rate, None, label, metrics, gently, inputs=(path,))
    fleet.begin(folder=False)
    if Path(path).is_dir():
        _one_store(path, formats, format)
    if not os.path.lexists(path):
        _not_there_yet(path)
    known = Baseline.read(baseline).of(path) if baseline is not None else None
    teller = Teller(path, Output(), jsonl, fleet.labels)
    watched = Watch(
        path,
        formats,
        teller.tell,
        format,
        seconds(patience, "--patience"),
        records,
        keep_corrupt,
        frozenset(known.names) if known else frozenset(),
    )
    end = time.monotonic() + seconds(length, "--for") if length is not None else None
    run = Run(watched, teller, fleet, state, seconds(interval, "--interval"), end, until_damage)
    return int(run.go())


def _not_there_yet(path: str) -> None:
    """Waiting for a name is what a watch is for, and what a misspelt one looks like."""
    from difflib import get_close_matches
    from itertools import islice

    wanted = Path(path)
    hint = "Ctrl-C ends this; --for 10m ends it after ten minutes"
    try:
        beside = [entry.name for entry in islice(wanted.parent.iterdir(), MAX_BESIDE)]
    except OSError:
        complain(UsageError(f"neither {path} nor its folder is there: waiting for it", hint))
        return
    close = get_close_matches(wanted.name, beside, 2, 0.6)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    complain(UsageError(f"{path} is not there: waiting for it", meant + hint))


def _one_store(path: str, formats: Formats, forced: str | None) -> None:
    """A folder is followed where it is one store; raises what tells which to name otherwise."""
    from inspector.cli.inputs import open_path, targets

    with open_path(path) as source:
        found = targets(path, source, formats, forced)
    if found[0].member is not None:
        names = ", ".join(target.path for target in found[:5])
        raise UsageError(f"{path} is a folder with {len(found)} stores", f"watch one of them: {names}")


def seconds(text: str, option: str) -> float:
    found = fleets.duration(text, option)
    assert found is not None
    return found


class Teller:
    """Prints events as they come; nothing is held back."""

    def __init__(self, path: str, out: Output, jsonl: bool, labels: dict[str, str]) -> None:
        self.path, self.out, self.labels = path, out, labels
        self._say = self._as_json if jsonl else self._as_words

    def tell(self, event: Event) -> None:
        self._say(event)
        self.out.flush()

    def _as_json(self, event: Event) -> None:
        self.out.data_line(encoding.encode(live_words.event_document(event, self.path, self.labels), pretty=False))

    def _as_words(self, event: Event) -> None:
        self.out.line(live_words.event_line(event))


class Run:
    """The loop: look, say, wait. A signal ends it between two looks."""

    def __init__(
        self,
        watched: Watch,
        teller: Teller,
        fleet: fleets.Fleet,
        state: str | None,
        interval: float,
        end: float | None,
        until_damage: bool,
    ) -> None:
        self.watched, self.teller, self.fleet, self.state = watched, teller, fleet, state
        self.interval, self.end, self.until_damage = interval, end, until_damage
        self.stopped: int | None = None
        self._beat = self._filed = self._looked = time.monotonic()
        self._longest = 0.0  # seconds between two looks: what was shorter may have been missed
        self._said = ""

    def go(self) -> Exit:
        with self._signals():
            self._resume()
            while True:
                now = time.monotonic()
                self._longest, self._looked = max(self._longest, now - self._looked), now
                self.watched.poll()
                if self._over():
                    break
                now = time.monotonic()
                if now - self._beat >= HEARTBEAT:
                    self._beat = now
                    self._say("alive")
                if now - self._filed >= METRICS:
                    self._filed = now
                    self._file()
                self._wait(now)
            unwritten = self._unwritten()
            self._say("end")
            self.watched.close()
        if self.stopped == signal.SIGINT:
            return Exit.INTERRUPTED
        if unwritten is not None:
            raise unwritten
        if count := self.watched.unkept:
            raise OutputError(f"copies that could not be kept: {count}", "the corrupt-file events say why")
        if self.watched.blind and not self.watched.damaged:
            raise ChangedError("not all of the store could be read", "the unreadable events say why")
        if self.watched.unseen:
            raise ChangedError("nothing was checked", "the missing, unknown, unreadable or changing event says why")
        return Exit.DAMAGED if self.watched.damaged else Exit.CLEAN

    def _over(self) -> bool:
        if self.stopped is not None or self.teller.out.closed:
            return True
        if self.until_damage and self.watched.damaged:
            return True
        return self.end is not None and time.monotonic() >= self.end

    def _wait(self, now: float) -> None:
        """Until the next look, the end or a signal, whichever comes first."""
        import select

        room = self.interval if self.end is None else min(self.interval, max(0.0, self.end - now))
        waker = select.poll()
        waker.register(self._woken, select.POLLIN)
        waker.poll(room * 1000)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM, SIGINT and SIGHUP (where nohup did not have it ignored) end the watch with its last line."""
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)  # a signal must not wait for us to read of the one before
        ends = [signal.SIGTERM, signal.SIGINT]
        ends += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
        before = {number: signal.signal(number, self._stop) for number in ends}
        previous = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._woken)
            os.close(wake)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stopped, self.watched.halt = number, True

    def _say(self, event: str) -> None:
        from inspector.watch import Event

        watched = self.watched
        told = {
            "records": sum(watched.units.values()),
            "by_kind": dict(sorted(watched.units.items())),
            "events": dict(sorted(watched.counts.items())),
            "waiting": len(watched.troubles.wrong),
            "longest_gap_seconds": round(self._longest, 3),
            "at": watched.follower.at if watched.follower else None,
        }
        text = f"{told['records']} records verified since the watch began"
        self.teller.tell(Event(event, time.time(), text, evidence=told))

    # -- files of its own ----------------------------------------------------------------------

    def _resume(self) -> None:
        if self.state is None:
            return
        from inspector.state import States

        saved = States.read(self.state).watches.get(self.teller.path)
        if saved is not None:
            self.watched.saved_before = saved

    def _file(self) -> None:
        """State and metrics; where they cannot be written the watch goes on, and says so once."""
        error = self._unwritten()
        if error is not None and self._said != error.message:
            self._said = error.message
            complain(error)

    def _unwritten(self) -> InspectorError | None:
        """Write both; what went wrong."""
        try:
            self._write_state()
            if self.fleet.metrics is not None:
                self.fleet.samples = list(self._samples())
                self.fleet.write_metrics()
        except InspectorError as error:
            return error
        except OSError as error:
            return OutputError(str(error))
        return None

    def _write_state(self) -> None:
        if self.state is None:
            return
        from inspector.state import States

        found = self.watched.saved()
        if found is not None:
            States(watched={self.teller.path: found}).write(self.state)

    def _samples(self) -> Iterator[Sample]:
        from inspector.render.metrics import Sample

        here = {"path": self.teller.path}
        for event, count in sorted(self.watched.counts.items()):
            yield Sample("inspector_watch_events_total", count, here | {"event": event})
        yield Sample("inspector_records", sum(self.watched.units.values()), here)
        if self.watched.follower is not None:
            yield Sample("inspector_watch_offset_bytes", self.watched.follower.at, here)
        yield Sample("inspector_last_scan_timestamp_seconds", int(time.time()), here)
