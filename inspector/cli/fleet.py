"""Options for cron, CI and Ansible that scan and watch share: limits, labels, baseline, metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct, field

from inspector.cli import declare
from inspector.errors import Exit, UsageError

if TYPE_CHECKING:
    from inspector.baseline import Baseline, Compared
    from inspector.catalogue import Formats
    from inspector.finding import Severity
    from inspector.format import Wishes
    from inspector.inspect import Report
    from inspector.pace import TimeLimit
    from inspector.render.metrics import Sample
    from inspector.source import Source
    from inspector.state import Recalled, States

PANEL = "Fleets"
UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
SPANS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

BaselineFile = Annotated[
    str | None,
    declare.Option(
        "--baseline", metavar="FILE", help="Only findings that FILE does not have fail.", rich_help_panel=PANEL
    ),
]
WriteBaseline = Annotated[
    str | None,
    declare.Option(
        "--write-baseline", metavar="FILE", help="Write what is found now to FILE, as known.", rich_help_panel=PANEL
    ),
]
StateFile = Annotated[
    str | None,
    declare.Option(
        "--state",
        metavar="FILE",
        help="Remember what was read: only new bytes and changed files are read again.",
        rich_help_panel=PANEL,
    ),
]
MaxRate = Annotated[
    str | None,
    declare.Option(
        "--max-rate", metavar="BYTES", help="Read at most so many bytes a second (20M).", rich_help_panel=PANEL
    ),
]
Timeout = Annotated[
    str | None,
    declare.Option(
        "--timeout", metavar="TIME", help="Stop after so long (90, 5m); exit 9, result so far.", rich_help_panel=PANEL
    ),
]
Label = Annotated[
    list[str] | None,
    declare.Option(
        "--label", metavar="KEY=VALUE", help="Goes into JSON and metrics (repeatable).", rich_help_panel=PANEL
    ),
]
Metrics = Annotated[
    str | None,
    declare.Option(
        "--metrics", metavar="FILE", help="Write the result as a Prometheus text file.", rich_help_panel=PANEL
    ),
]
Polite = Annotated[
    bool | None,
    declare.Option(
        "--polite/--no-polite",
        help="Low I/O priority, page cache left as it was found; default for folders, --max-rate and watch.",
        rich_help_panel=PANEL,
    ),
]


class Fleet(Struct):
    """What these options ask for, and the results that go into files at the end."""

    labels: dict[str, str]
    limit: TimeLimit
    rate: int | None = None
    asked_polite: bool | None = None
    baseline: Baseline | None = None
    fresh: Baseline | None = None  # what --write-baseline will hold
    fresh_path: str | None = None
    metrics: str | None = None
    states: States | None = None
    states_path: str | None = None
    samples: list[Sample] = field(default_factory=list)
    polite: bool = False

    @property
    def keep(self) -> int:
        """Findings per rule that must be told apart."""
        if self.baseline is None and self.fresh is None:
            return 0
        from inspector.baseline import KEEP

        return KEEP

    def begin(self, folder: bool) -> None:
        """Set the pace of this process's reading; a whole folder is read politely."""
        from inspector import pace, source

        wanted = self.asked_polite
        polite = wanted if wanted is not None else folder or self.rate is not None
        if polite and not self.polite:
            pace.lower_io_priority()
        if (polite or self.rate) and not self.polite:
            source.pace = pace.Pace(self.rate, polite)
        self.polite = polite

    def hurry(self) -> None:
        """When time is up, what is left to read for the answer itself is read at once."""
        from inspector import source

        if self.limit.expired:
            source.pace = None

    def judge(self, path: str, report: Report, fail_on: Severity) -> tuple[Exit, Compared | None]:
        """The exit code of an inspection, and what is new in it where there is a baseline."""
        code = report.exit_code(fail_on)
        if self.fresh is not None and not report.partial:
            self.fresh.add(path, report)
        if self.baseline is None:
            return code, None
        compared = self.baseline.compare(path, report)
        if code is Exit.DAMAGED and not compared.fails(fail_on):
            code = Exit.PARTIAL if report.unchecked else Exit.CLEAN
        return code, compared

    def recall(self, path: str, source: Source, formats: Formats, key: str) -> Recalled | None:
        """The clean result of an earlier run, where it is still true or only has to be added to."""
        if self.states is None or self.fresh is not None:
            return None
        from inspector.state import recall, text_of

        entry = self.states.scans.get(path)
        before = text_of(entry)
        found = recall(entry, source, formats, key, time.time())
        if found is not None and entry is not None:
            self.states.relied(path, before, entry)
        return found

    def remember(self, path: str, report: Report, document: dict[str, Any], code: int, key: str, began: float) -> None:
        """Keep a clean whole read for the next run; anything else is forgotten."""
        if self.states is None:
            return
        from inspector.state import remember

        self.states.scanned(path, remember(report, document, code, key, began))

    def note(self, path: str, report: Report | None, code: int, seconds: float, new: int | None = None) -> None:
        """Keep what the metrics file says about one input."""
        if self.metrics is None:
            return
        from inspector.render.metrics import Sample

        here = {"path": path}
        self.samples.append(Sample("inspector_exit_code", int(code), here))
        self.samples.append(Sample("inspector_scan_duration_seconds", seconds, here))
        self.samples.append(Sample("inspector_last_scan_timestamp_seconds", int(time.time()), here))
        unfinished = report.unchecked != "" if report is not None else code == Exit.PARTIAL
        self.samples.append(Sample("inspector_partial", int(unfinished), here))
        if new is not None:
            self.samples.append(Sample("inspector_new_findings", new, here))
        if report is None:
            return
        form = here | {"format": report.format.name}
        self.samples.append(Sample("inspector_bytes", report.source.size, form))
        self.samples.append(Sample("inspector_records", report.account.units, form))
        self.samples.append(Sample("inspector_damaged_records", report.account.damaged, form))
        for (rule, level), count in sorted(report.tally.counts.items()):
            self.samples.append(Sample("inspector_findings", count, form | {"code": rule, "severity": level.value}))

    def note_recalled(self, path: str, document: Mapping[str, Any], seconds: float) -> None:
        """The same for a result that was taken from the state: a series that pauses looks like a store that is gone."""
        self.note(path, None, Exit.CLEAN, seconds, 0 if self.baseline is not None else None)
        if self.metrics is None:
            return
        from inspector.render.metrics import Sample

        here = {"path": path, "format": str(document["format"]["name"])}
        sums = (document["source"]["size"], document["records"]["total"], document["records"]["damaged"])
        names = ("inspector_bytes", "inspector_records", "inspector_damaged_records")
        self.samples += [Sample(name, int(value), here) for name, value in zip(names, sums, strict=True)]

    def write_metrics(self) -> None:
        if self.metrics is not None:
            from inspector.baseline import write_text
            from inspector.render.metrics import exposition

            write_text(self.metrics, exposition(self.samples, self.labels))

    def finish(self, codes: Collection[Exit]) -> None:
        """Write the files that were asked for; each appears whole or not at all."""
        self.limit.stop()
        if self.fresh is not None and self.fresh_path is not None and set(codes) <= {Exit.CLEAN, Exit.DAMAGED}:
            self.fresh.write(self.fresh_path)  # of everything or of nothing: what was not checked is not known
        self.write_metrics()
        if self.states is not None and self.states_path is not None:
            self.states.write(self.states_path)


def fleet(
    baseline: str | None,
    write_baseline: str | None,
    max_rate: str | None,
    timeout: str | None,
    label: list[str] | None,
    metrics: str | None,
    polite: bool | None,
    fail_on: str = "warning",
    state: str | None = None,
    inputs: Sequence[str] = (),
) -> Fleet:
    """The options as values; raises UsageError."""
    from inspector.pace import TimeLimit

    rate = amount(max_rate, "--max-rate")
    seconds = duration(timeout, "--timeout")
    made = Fleet(labels(label), TimeLimit(seconds), rate, polite, metrics=metrics, fresh_path=write_baseline)
    if baseline is not None or write_baseline is not None:
        from inspector.baseline import Baseline

        if fail_on == "note":
            raise UsageError("a baseline knows errors and warnings", "leave --fail-on note out")
        made.baseline = Baseline.read(baseline) if baseline is not None else None
        made.fresh = Baseline() if write_baseline is not None else None
    if state is not None:
        from inspector.state import States

        made.states, made.states_path = States.read(state), state
    if metrics is not None or write_baseline is not None:
        from inspector import baseline as files

        for path, begins in ((metrics, files.METRICS_BEGIN), (write_baseline, files.BEGINS)):
            if path is not None:
                files.only_ours(path, begins, inputs)
    return made


def key_of(wishes: Wishes, forced: str | None, fail_on: str) -> str:
    from inspector.cli.privacy import active
    from inspector.state import options_key

    return options_key(wishes, forced, fail_on, active() is not None)


def labels(texts: list[str] | None) -> dict[str, str]:
    """KEY=VALUE by key; keys are names that Prometheus takes as labels."""
    if not texts:
        return {}
    from inspector.render.metrics import is_label

    found = {}
    for text in texts:
        key, given, value = text.partition("=")
        if not given or not is_label(key):
            raise UsageError(
                f"--label: not KEY=VALUE: {text}", "a key is letters, digits and _, and not path or format"
            )
        found[key] = value
    return found


def amount(text: str | None, option: str) -> int | None:
    """Bytes: 500k, 20M (decimal), 64Mi (binary)."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,15})([kmg]i?|)b?(?:/s)?", text.strip().lower())
    value = int(found[1]) * UNITS[found[2]] if found else 0
    if value <= 0:
        raise UsageError(f"{option}: not an amount of bytes: {text}", "for example 500k, 20M or 64Mi")
    return value


def duration(text: str | None, option: str) -> float | None:
    """Seconds of 90, 0.5, 30s, 5m, 2h, 1d."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", text.strip().lower())
    value = float(found[1]) * SPANS[found[2]] if found else 0.0
    if value <= 0:
        raise UsageError(f"{option}: not a time: {text}", "for example 90, 30s, 5m, 2h or 1d")
    return value


def extend(document: dict[str, Any], fleet: Fleet, compared: Compared | None) -> dict[str, Any]:
    """The document of one input with what these options add to it."""
    if compared is not None:
        document["baseline"] = compared.document()
        for found in document.get("findings", ()):
            if found["severity"] != "note":
                found["new"] = found["fingerprint"] in compared.names
    if fleet.labels:
        document["labels"] = dict(sorted(fleet.labels.items()))
    return document
