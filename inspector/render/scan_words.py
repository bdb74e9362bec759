"""A report in words for people: what happened first, then where, why, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspector.counted import plural
from inspector.finding import UNKNOWN_CAUSE, Finding, Severity
from inspector.format import FREE, GAP, OPAQUE
from inspector.inspect import Report
from inspector.render.damage_map import damage_map
from inspector.render.documents import by_kind, severity_words
from inspector.render.text import (
    NOT_ALL,
    VERDICTS,
    Block,
    Column,
    Heading,
    Part,
    Style,
    Table,
    Verbatim,
    fraction_words,
    para,
    place,
    row,
    size_words,
)
from inspector.sanitize import clean

if TYPE_CHECKING:
    from inspector.render.next_steps import Step

LEVELS: dict[Severity, Style] = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.NOTE: "note"}
RIBBON_WIDTH = 100
REMARK_WIDTH = 76  # a remark is pasted together with its command: each of its lines is a comment
EVIDENCE_LIMIT = 80  # characters of one value; a document has it whole


def scan_blocks(report: Report, width: int, utf8: bool, per_rule: int) -> Iterator[Block]:
    """The whole screen of `inspector scan`; at most `per_rule` findings of each rule are spelled out."""
    yield from _head(report)
    told = report.diagnosis
    if told and told.sentence and report.damaged:
        from inspector.render.diagnosis_documents import diagnosis_blocks

        yield para((clean(told.sentence, 600), "strong"), hang=2)
        yield from diagnosis_blocks(told)
    for words in report.answer.words:
        yield para(words, hang=2)
    ribbon = getattr(report, "ribbon", None)
    if ribbon:
        drawn = damage_map(ribbon, min(width - 6, RIBBON_WIDTH), utf8)
        if drawn:
            yield Heading("Map", f"byte 0 to {report.source.size:,}")
            yield from drawn
    yield from _kinds(report)
    yield from _findings(report, per_rule)
    yield from _loaders(report)
    yield from _next(report)


def _head(report: Report) -> Iterator[Block]:
    account = report.account
    verdict: Part = (NOT_ALL if report.verdict == "partial" else report.verdict, VERDICTS[report.verdict])
    found = severity_words(report)
    tail = f" ({', '.join(found)})" if found else ""
    yield para((clean(report.source.label, 300), "strong"), ": ", verdict, tail, hang=2)
    layers = " on ".join(f.title for f in report.layers)
    told = f"version {report.answer.version}" if report.answer.version else ""
    because = report.answer.because or report.claim.because
    version = f", {clean(told)}" if told and not because.startswith(told) else ""
    yield para(f"{layers}{version}: {because}" if because else f"{layers}{version}", indent=2, hang=2)
    size = [size_words(report.source.size), plural(account.units, "record")]
    if account.damaged:
        size.append(f"{account.damaged:,} damaged")
    size += [f"{account.roles[r]:,} {name} bytes" for r, name in ROLES if account.roles[r]]
    yield para(", ".join(size), indent=2)
    if report.unchecked:
        yield para(("not fully checked: ", "warn"), report.unchecked, "; what is said here is a lower bound", indent=2)
    if report.live:
        from inspector.render.live_words import live_blocks

        yield from live_blocks(report)
    if report.answer.words or report.diagnosis:
        yield Verbatim(())


ROLES = ((OPAQUE, "opaque"), (FREE, "free"), (GAP, "gap"))


def _kinds(report: Report) -> Iterator[Block]:
    found = sorted(by_kind(report).items(), key=lambda pair: (-pair[1], pair[0]))
    if found:
        yield Heading("Records")
        yield Table((Column("kind"), Column("count", right=True)), [row(clean(k), n) for k, n in found])


def _findings(report: Report, per_rule: int) -> Iterator[Block]:
    kept = report.tally.findings()
    if not kept:
        return
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for found in kept:
        groups.setdefault((found.rule.code, found.level), []).append(found)
    order = list(Severity)
    yield Heading("Findings", ", ".join(severity_words(report)))
    for key in sorted(groups, key=lambda k: (order.index(k[1]), k[0])):
        yield from _group(groups[key], report.tally.counts[key], per_rule)


def _group(found: list[Finding], total: int, per_rule: int) -> Iterator[Block]:
    rule, level = found[0].rule, found[0].level
    count = f" ({total:,} times)" if total > 1 else ""
    head: tuple[str | Part, ...] = ((level.value, LEVELS[level]), f" {rule.code} ", (rule.slug, "strong"), count)
    yield para(*head, f": {rule.summary}", indent=2, hang=2)
    first = found if len(found) <= per_rule else found[: (per_rule + 1) // 2]
    last = [] if len(found) <= per_rule else found[len(found) - per_rule // 2 :]
    for one in first:
        yield from finding_blocks(one)
    hidden = total - len(first) - len(last)
    if hidden:
        yield para((f"… {hidden:,} more of this rule; --max-findings shows more", "dim"), indent=4)
    for one in last:
        yield from finding_blocks(one)


def finding_blocks(found: Finding) -> Iterator[Block]:
    """Where, what, why and what can be saved, in two or three lines."""
    where = f"{found.span.member} " if found.span.member else ""
    if found.bytes_known:
        where += f"{place(found.span.start)}, {plural(found.span.length, 'byte')}: "
    elif where:
        where += ": "
    yield para((clean(where, 300), "note"), clean(found.message, 400), indent=4)
    cause = found.cause
    why: list[str] = []
    if cause is not UNKNOWN_CAUSE:
        why.append(
            f"cause: {cause.name} ({cause.confidence})" + (f", {clean(cause.because, 300)}" if cause.because else "")
        )
    if found.salvage:
        waiting = found.salvage == "lost" and found.evidence.get("correction") == "unique"
        why.append(f"salvage: {found.salvage}{', unless --accept unique is given' if waiting else ''}")
    if why:
        yield para("; ".join(why), indent=6, hang=2)
    if found.evidence:
        yield para(("evidence: " + ", ".join(_evidence(found)), "dim"), indent=6, hang=2)


def _evidence(found: Finding) -> Iterator[str]:
    """Each number with its name; large ones (checksums, offsets) in hexadecimal too."""
    for name, value in found.evidence.items():
        if value is None or name == "undone":  # not known; said by the cause or the message
            continue
        text = fraction_words(value) if isinstance(value, float) else str(value)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0xFFFF:
            text = f"{value} (0x{value:x})"
        yield f"{clean(name, 60)} {clean(text, EVIDENCE_LIMIT)}"


def _loaders(report: Report) -> Iterator[Block]:
    found = report.answer.loaders
    if found:
        yield Heading("What the programs do with it")
        columns = (Column("program"), Column("release"), Column("outcome", wrap=True), Column("message", wrap=True))
        yield Table(columns, [row(clean(o.program), clean(o.release), o.outcome, o.message) for o in found])


def _next(report: Report) -> Iterator[Block]:
    from inspector.render.next_steps import steps

    found = steps(report)
    if found:
        yield Heading("Next")
        yield from step_blocks(found)


def step_blocks(found: list[Step]) -> Iterator[Block]:
    """Each command on a line of its own, as it can be pasted; why it is offered stands before it."""
    for step in found:
        for line in textwrap.wrap(step.remark, REMARK_WIDTH):
            yield Verbatim(((f"# {line}", "dim"),), 2)
        yield Verbatim(((step.command, "code"),), 2)
