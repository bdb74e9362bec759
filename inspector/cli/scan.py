"""`inspector scan`: what is wrong, where, why, and what to do next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct, field

from inspector.cli import declare
from inspector.cli import fleet as fleets
from inspector.cli.options import (
    Accept,
    Against,
    At,
    Checksums,
    ClusterSize,
    FormatName,
    Jobs,
    Logs,
    MapFile,
    MaxUnit,
    NoCorrect,
    Release,
    Thresholds,
    VerifySignatures,
    limits,
    max_unit,
    moment,
    refuse_unknown,
    wished,
)
from inspector.errors import Exit, InspectorError, OutOfTime, TimedOutError, UsageError, worst
from inspector.finding import Severity

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.cli.inputs import Target
    from inspector.cli.stdout import Output
    from inspector.format import Wishes
    from inspector.inspect import Report
    from inspector.source import Source
    from inspector.state import Recalled

EXAMPLES = """Examples:

inspector scan gossip_store.corrupt

inspector scan ~/.lightning/bitcoin --for v24.11.1

inspector scan disk.img --against bdev_get_bdevs.json

inspector scan *.img --json | jq '.results[].verdict'

inspector scan /srv/node --baseline known.json --timeout 10m"""

ON_SCREEN = 10  # findings per rule on a screen where --max-findings does not say
IN_DOCUMENT = 100

Paths = Annotated[list[str], declare.Argument(metavar="PATH...", help="Files, folders, block devices, or - for stdin.")]
JsonLines = Annotated[bool, declare.Option("--jsonl", help="Print one JSON document per input, each on one line.")]
AsJson = Annotated[bool, declare.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, declare.Option("--quiet", "-q", help="Print nothing; the exit code is the answer.")]
FailOn = Annotated[
    Severity, declare.Option("--fail-on", help="The least severity that makes the exit code 3.", metavar="SEVERITY")
]
MaxFindings = Annotated[
    int | None,
    declare.Option(
        "--max-findings",
        min=1,
        metavar="N",
        help=f"Print at most N findings per rule, first and last ({ON_SCREEN} on screen, {IN_DOCUMENT} in JSON).",
    ),
]


class Job(Struct):
    """One run of the command: what to judge by, how to print, and what became of the inputs so far."""

    formats: Formats
    wishes: Wishes
    forced: str | None
    fail_on: Severity
    keep: int
    style: str  # text, json, jsonl, quiet
    out: Output
    fleet: fleets.Fleet
    logs: tuple[str, ...] = ()
    mapfile: str | None = None  # of the only input
    codes: list[Exit] = field(default_factory=list)
    documents: list[dict[str, object]] = field(default_factory=list)
    several: list[tuple[str, Report]] = field(default_factory=list)  # whole inputs of formats that compare them
    comparisons: list[dict[str, object]] = field(default_factory=list)


def scan(
    paths: Paths,
    json: AsJson = False,
    jsonl: JsonLines = False,
    quiet: Quiet = False,
    format: FormatName = None,  # noqa: A002  typer shows the parameter's name nowhere; the option is --format
    release: Release = None,
    at: At = None,
    against: Against = None,
    checksums: Checksums = False,
    cluster_size: ClusterSize = None,
    accept: Accept = None,
    fail_on: FailOn = Severity.WARNING,
    max_findings: MaxFindings = None,
    threshold: Thresholds = None,
    unit: MaxUnit = None,
    verify_signatures: VerifySignatures = False,
    no_correct: NoCorrect = False,
    log: Logs = None,
    baseline: fleets.BaselineFile = None,
    write_baseline: fleets.WriteBaseline = None,
    state: fleets.StateFile = None,
    max_rate: fleets.MaxRate = None,
    timeout: fleets.Timeout = None,
    label: fleets.Label = None,
    metrics: fleets.Metrics = None,
    polite: fleets.Polite = None,
    jobs: Jobs = None,
    mapfile: MapFile = None,
) -> int:
    """Walk every record past the damage; say what is wrong, where, why, and what to do next."""
    from inspector.cli.given import documents_of
    from inspector.cli.inputs import known_formats, named_format
    from inspector.cli.stdout import Output
    from inspector.format import Wishes

    if json + jsonl + quiet > 1:
        raise UsageError("--json, --jsonl and --quiet exclude each other")
    if mapfile is not None and len(paths) > 1:
        raise UsageError("--mapfile belongs to one image", "scan the others by themselves")
    formats = known_formats()
    named_format(formats, format)
    if log:
        from inspector.reporting.logs import readable

        readable(log)
    style = "json" if json else "jsonl" if jsonl else "quiet" if quiet else "text"
    keep = max_findings or (IN_DOCUMENT if json or jsonl else ON_SCREEN)
    wishes = Wishes(
        release=release,
        at=moment(at),
        thresholds=limits(threshold),
        max_unit=max_unit(unit),
        verify_signatures=verify_signatures,
        no_correct=no_correct,
        jobs=jobs,
        accept=frozenset(accept or ()),
        checksums=checksums,
        cluster_size=cluster_size,
        against=documents_of(against),
    )
    fleet = fleets.fleet(baseline, write_baseline, max_rate, timeout, label, metrics, polite, fail_on, state, paths)
    job = Job(formats, wishes, format, fail_on, keep, style, Output(), fleet, tuple(log or ()), mapfile)
    folder = False
    for path in paths:
        folder |= _path(job, path)
    _together(job)
    code = worst(job.codes)
    if style == "json":
        from inspector.render import documents
        from inspector.render.encoding import encode

        several = folder or len(paths) > 1
        document = documents.scans(job.documents, job.comparisons, code) if several else job.documents[0]
        job.out.data(encode(document) + b"\n")
    job.out.flush()
    fleet.finish(job.codes)
    return int(code)


def _path(job: Job, path: str) -> bool:
    """Inspect what is at one path; True when it is a folder with stores in it rather than a store."""
    from inspector.cli.inputs import MAX_COMPARED, open_inner, open_path, targets

    with ExitStack() as held:
        try:
            with job.fleet.limit.guarded():
                job.fleet.begin(Path(path).is_dir())  # first: opening it reads its head
                source = held.enter_context(open_path(path))
                if job.mapfile is not None:
                    from inspector.mapfile import rescued

                    source = rescued(source, job.mapfile)
                found = targets(path, source, job.formats, job.forced)
        except OutOfTime:
            _failed(job, path, TimedOutError("the time limit was reached before anything was checked"))
            return False
        except InspectorError as error:
            _failed(job, path, error)
            return False
        if len(found) == 1 and found[0].member is None:
            report = _one(job, path, source)
            if report is not None and report.format.together is not None and len(job.several) < MAX_COMPARED:
                job.several.append((path, report))
            return False
        if job.style == "text":
            _announce(job, path, found)
        reports: list[tuple[Target, Report]] = []
        for target in found:
            with ExitStack() as brief:
                stack = held if len(reports) < MAX_COMPARED else brief
                try:
                    assert target.member is not None
                    member = stack.enter_context(open_inner(path, target.member.name))
                except InspectorError as error:
                    _failed(job, target.path, error)
                    continue
                report = _one(job, target.path, member)
                if report and stack is held:
                    reports.append((target, report))
        _compare(job, path, reports)
    return True


def _one(job: Job, path: str, source: Source) -> Report | None:
    from inspector.cli.progress import Progress
    from inspector.live import inspect

    began, at = time.monotonic(), time.time()
    key = fleets.key_of(job.wishes, job.forced, job.fail_on) if job.fleet.states else ""
    if job.mapfile is not None:
        key = ""  # what the map calls unread is not in the file's times: neither taken from a state nor put there
    try:
        with job.fleet.limit.guarded():
            _check_wishes(job, source)
            if key and not job.logs and (recalled := job.fleet.recall(path, source, job.formats, key)):
                _recalled(job, path, recalled, time.monotonic() - began)
                return None
            with Progress(path) as progress:
                keep = max(job.keep, job.fleet.keep)
                report = inspect(source, job.formats, job.wishes, job.forced, keep, progress)
    except OutOfTime:
        late = TimedOutError("the time limit was reached before anything was checked", "give it more: --timeout")
        _failed(job, path, late)
        return None
    except InspectorError as error:
        _failed(job, path, error)
        return None
    job.fleet.hurry()
    if job.style in ("json", "jsonl") or job.fleet.keep:
        from inspector.fingerprint import name_all

        name_all(report)
    heard = _log_part(job, report)
    code, compared = job.fleet.judge(path, report, job.fail_on)
    if key:
        from inspector.render import documents

        job.fleet.remember(path, report, documents.scan(report, code), code, key, at)
    job.fleet.note(path, report, code, time.monotonic() - began, sum(compared.new.values()) if compared else None)
    if job.style == "text":
        from inspector.render.scan_words import scan_blocks

        if job.codes:
            job.out.line("")
        job.out.blocks(scan_blocks(report, job.out.width, job.out.utf8, job.keep))
        if heard:
            from inspector.render.log_words import log_blocks

            job.out.blocks(log_blocks(heard["log"]))
        if compared is not None:
            from inspector.render.live_words import compared_blocks

            job.out.blocks(compared_blocks(compared))
    elif job.style != "quiet":
        from inspector.render import documents

        document = fleets.extend(documents.scan(report, code), job.fleet, compared)
        if key:
            document["state"] = {"read": "whole", "from": 0, "to": report.source.size, "whole_read_at": int(at)}
        _document(job, document | heard)
    job.codes.append(code)
    return report


def _log_part(job: Job, report: Report) -> dict[str, Any]:
    """What the logs given with --log say, tied to this store's bytes, and one timeline of both."""
    if not job.logs or job.style == "quiet":
        return {}
    from inspector.cli.privacy import active, place_of
    from inspector.inspect import LATE
    from inspector.reporting.hide import hiding
    from inspector.reporting.logs import Heard, hear
    from inspector.reporting.timeline import of_scan

    try:
        with job.fleet.limit.guarded():
            heard = hear([(place_of(path), path) for path in job.logs], report)
    except OutOfTime:
        report.partial = report.partial or LATE
        heard = Heard()
    log = heard.document(hiding(active(), report.layers))
    return {"log": log, "timeline": of_scan(report.tally.findings(), report.source, log)}


def _recalled(job: Job, path: str, recalled: Recalled, seconds: float) -> None:
    """A result without a whole read: it is clean, or it would not be one."""
    if job.style == "text":
        from inspector.render.live_words import recalled_blocks

        if job.codes:
            job.out.line("")
        job.out.blocks(recalled_blocks(path, recalled))
    elif job.style != "quiet":
        document = fleets.extend(recalled.document, job.fleet, None)
        _document(job, document | {"state": recalled.told})
    job.fleet.note_recalled(path, recalled.document, seconds)
    job.codes.append(Exit.CLEAN)


def _check_wishes(job: Job, source: Source) -> None:
    asked = wished(job.wishes)
    if asked:
        from inspector.catalogue import standing_on
        from inspector.inspect import detect

        chain, claim = detect(source, job.formats, job.forced)
        if not job.forced:
            source.settled = (chain[-1].name, claim.strength, claim.because)  # and is not asked again
        layers = [*chain, *standing_on(job.formats, chain[-1].name)]
        refuse_unknown(asked, frozenset(w for f in layers for w in f.wishes), job.formats, chain[0].name, "wishes")


def _failed(job: Job, path: str, error: InspectorError) -> None:
    from inspector.cli.app import complain

    job.out.flush()
    complain(error, path)
    if job.style in ("json", "jsonl"):
        from inspector.render import documents

        told = (documents.unchecked if isinstance(error, TimedOutError) else documents.failure)(path, error)
        _document(job, fleets.extend(told, job.fleet, None))
    job.fleet.note(path, None, error.code, 0.0)
    job.codes.append(error.code)


def _document(job: Job, document: dict[str, object]) -> None:
    if job.style == "jsonl":
        from inspector.render.encoding import encode

        job.out.data_line(encode(document, pretty=False))
    else:
        job.documents.append(document)


def _announce(job: Job, path: str, found: list[Target]) -> None:
    from inspector.counted import plural
    from inspector.render.text import para

    if job.codes:
        job.out.line("")
    job.out.blocks([para((path, "strong"), f": a folder with {plural(len(found), 'store')}", hang=2)])
    job.out.line("")


def _compare(job: Job, path: str, reports: list[tuple[Target, Report]]) -> None:
    """What the stores of one format say about each other: ages, sizes, which one to take."""
    for fmt in {report.format.name: report.format for _, report in reports}.values():
        same = [(t, r) for t, r in reports if r.format.name == fmt.name and t.member is not None]
        if fmt.compare is None or not same:
            continue
        words = fmt.compare(list(_compared(same)))
        if not words:
            continue
        if job.style == "text":
            from inspector.render.text import Heading, para

            job.out.blocks([Heading("Together"), *(para(w, indent=2) for w in words)])
        job.comparisons.append({"path": path, "format": fmt.name, "words": list(words)})


def _together(job: Job) -> None:
    """What whole inputs of one format say about each other: which of them to take."""
    for fmt in {report.format.name: report.format for _, report in job.several}.values():
        same = [(path, report.state) for path, report in job.several if report.format.name == fmt.name]
        words = fmt.together(same) if fmt.together is not None and len(same) > 1 else ()
        if not words:
            continue
        if job.style == "text":
            from inspector.render.text import Heading, para

            job.out.blocks([Heading("Together"), *(para(w, indent=2) for w in words)])
        job.comparisons.append({"path": same[0][0], "format": fmt.name, "words": list(words)})


def _compared(reports: list[tuple[Target, Report]]) -> Iterator[tuple[str, int, int, object]]:
    for target, report in reports:
        if target.member is not None:
            yield target.path, target.member.size, target.member.mtime_ns, report.state
