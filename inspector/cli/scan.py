"""`inspector scan`: what is wrong, where, why, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from inspector.cli.options import (
    Accept,
    Against,
    At,
    Checksums,
    ClusterSize,
    FormatName,
    MaxUnit,
    NoCorrect,
    Release,
    Thresholds,
    VerifySignatures,
    documents_of,
    limits,
    max_unit,
    moment,
    refuse_unknown,
    wished,
)
from inspector.errors import Exit, InspectorError, UsageError, worst
from inspector.finding import Severity

if TYPE_CHECKING:
    from inspector.catalogue import Formats
    from inspector.cli.inputs import Target
    from inspector.cli.stdout import Output
    from inspector.format import Wishes
    from inspector.inspect import Report
    from inspector.source import Source

EXAMPLES = """Examples:

inspector scan gossip_store.corrupt

inspector scan ~/.lightning/bitcoin --for v24.11.1

inspector scan disk.img --against bdev_get_bdevs.json

inspector scan *.img --json | jq '.results[].verdict'"""

ON_SCREEN = 10  # findings per rule on a screen where --max-findings does not say
IN_DOCUMENT = 100

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, block devices, or - for stdin.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON document per input, each on one line.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing; the exit code is the answer.")]
FailOn = Annotated[
    Severity, typer.Option("--fail-on", help="The least severity that makes the exit code 3.", metavar="SEVERITY")
]
MaxFindings = Annotated[
    int | None,
    typer.Option(
        "--max-findings",
        min=1,
        metavar="N",
        help=f"Print at most N findings per rule, first and last ({ON_SCREEN} on screen, {IN_DOCUMENT} in JSON).",
    ),
]


@dataclass(slots=True)
class Job:
    """One run of the command: what to judge by, how to print, and what became of the inputs so far."""

    formats: Formats
    wishes: Wishes
    forced: str | None
    fail_on: Severity
    keep: int
    style: str  # text, json, jsonl, quiet
    out: Output
    codes: list[Exit] = field(default_factory=list)
    documents: list[dict[str, object]] = field(default_factory=list)
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
) -> int:
    """Walk every record past the damage; say what is wrong, where, why, and what to do next."""
    from inspector.cli.inputs import known_formats, named_format
    from inspector.cli.stdout import Output
    from inspector.format import Wishes

    if json + jsonl + quiet > 1:
        raise UsageError("--json, --jsonl and --quiet exclude each other")
    formats = known_formats()
    named_format(formats, format)
    style = "json" if json else "jsonl" if jsonl else "quiet" if quiet else "text"
    keep = max_findings or (IN_DOCUMENT if json or jsonl else ON_SCREEN)
    wishes = Wishes(
        release=release,
        at=moment(at),
        thresholds=limits(threshold),
        max_unit=max_unit(unit),
        verify_signatures=verify_signatures,
        no_correct=no_correct,
        accept=frozenset(accept or ()),
        checksums=checksums,
        cluster_size=cluster_size,
        against=documents_of(against),
    )
    job = Job(formats, wishes, format, fail_on, keep, style, Output())
    folder = False
    for path in paths:
        folder |= _path(job, path)
    code = worst(job.codes)
    if style == "json":
        from inspector.render import documents
        from inspector.render.encoding import encode

        several = folder or len(paths) > 1
        document = documents.scans(job.documents, job.comparisons, code) if several else job.documents[0]
        job.out.data(encode(document) + b"\n")
    job.out.flush()
    return int(code)


def _path(job: Job, path: str) -> bool:
    """Inspect what is at one path; True when it is a folder with stores in it rather than a store."""
    from inspector.cli.inputs import MAX_COMPARED, open_path, targets

    with ExitStack() as held:
        try:
            source = held.enter_context(open_path(path))
            found = targets(path, source, job.formats, job.forced)
        except InspectorError as error:
            _failed(job, path, error)
            return False
        if len(found) == 1 and found[0].member is None:
            _one(job, path, source)
            return False
        if job.style == "text":
            _announce(job, path, found)
        reports: list[tuple[Target, Report]] = []
        for target in found:
            with ExitStack() as brief:
                stack = held if len(reports) < MAX_COMPARED else brief
                try:
                    member = stack.enter_context(open_path(target.path))
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
    from inspector.inspect import inspect

    try:
        _check_wishes(job, source)
        with Progress(path) as progress:
            report = inspect(source, job.formats, job.wishes, job.forced, job.keep, progress)
    except InspectorError as error:
        _failed(job, path, error)
        return None
    code = report.exit_code(job.fail_on)
    if job.style == "text":
        from inspector.render.scan_words import scan_blocks

        if job.codes:
            job.out.line("")
        job.out.blocks(scan_blocks(report, job.out.width, job.out.utf8, job.keep))
    elif job.style != "quiet":
        from inspector.render import documents

        _document(job, documents.scan(report, code))
    job.codes.append(code)
    return report


def _check_wishes(job: Job, source: Source) -> None:
    asked = wished(job.wishes)
    if asked:
        from inspector.inspect import detect

        chain, _ = detect(source, job.formats, job.forced)
        layers = [*chain, *(f for f in job.formats if f.on == chain[-1].name)]
        refuse_unknown(asked, frozenset(w for f in layers for w in f.wishes), job.formats, chain[0].name, "wishes")


def _failed(job: Job, path: str, error: InspectorError) -> None:
    from inspector.cli.app import complain

    job.out.flush()
    complain(error, path)
    if job.style in ("json", "jsonl"):
        from inspector.render import documents

        _document(job, documents.failure(path, error))
    job.codes.append(error.code)


def _document(job: Job, document: dict[str, object]) -> None:
    if job.style == "jsonl":
        from inspector.render.encoding import encode

        job.out.data_line(encode(document, pretty=False))
    else:
        job.documents.append(document)


def _announce(job: Job, path: str, found: list[Target]) -> None:
    from inspector.render.text import para, plural

    if job.codes:
        job.out.line("")
    job.out.blocks([para((path, "strong"), f": a folder with {plural(len(found), 'store')}", hang=2)])
    job.out.line("")


def _compare(job: Job, path: str, reports: list[tuple[Target, Report]]) -> None:
    """What the stores of one format say about each other: ages, sizes, which one to take."""
    for fmt in job.formats:
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


def _compared(reports: list[tuple[Target, Report]]) -> Iterator[tuple[str, int, int, object]]:
    for target, report in reports:
        if target.member is not None:
            yield target.path, target.member.size, target.member.mtime_ns, report.state
