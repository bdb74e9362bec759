"""Holds inspector's answer about one kind of damage against what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from inspector import formats
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import open_source
from tests.formats.gossip_store.matrix import Base, Kind
from tests.formats.gossip_store.witness import Record, objection, walk

PROGRAMS = ("gossipd", "gossmap (plugins)", "compactd")
Ranges = list[tuple[int, int]]


@dataclass(slots=True)
class Verdict:
    """One row of the table; `complaints` is empty where everything is as it must be."""

    name: str
    codes: tuple[str, ...]
    untouched: int = 0
    kept: int = 0
    loaders: tuple[str, ...] = ()
    agrees: bool | None = None  # None: the notes did not measure this row
    complaints: list[str] = field(default_factory=list)


def untouched(base: Base, data: bytes, shifts: tuple[int, ...]) -> tuple[list[Record], Ranges]:
    """Records of the base whose bytes are all still there, and where they lie now."""
    found, places = [], []
    for record in base.records:
        raw = base.data[record.at : record.end]
        for shift in shifts:
            at = record.at + shift
            if at >= 1 and data[at : at + len(raw)] == raw:
                found.append(record)
                places.append((at, at + len(raw)))
                break
    return found, places


def _outside(start: int, end: int, places: Ranges) -> bool:
    """Whether [start, end) has a byte, or touches a seam, that no untouched record covers."""
    return not any(a <= start and end <= b for a, b in places) or start == end


def judge(kind: Kind, base: Base, folder: Path) -> Verdict:
    hurt = kind.hurt(base)
    damaged = folder / "gossip_store.corrupt"
    damaged.write_bytes(hurt.data)
    records, places = untouched(base, hurt.data, kind.shifts(base))
    with open_source(str(damaged)) as source:
        report = inspect(source, formats.all_formats(), Wishes(release="v26.06"))
        found = report.tally.findings()
    wrong = [f for f in found if f.level is not Severity.NOTE]
    verdict = Verdict(kind.name, tuple(sorted({f.rule.code for f in found if f in wrong or f.rule.code in kind.must})))
    complain = verdict.complaints.append
    at_damage = [f for f in found if f.rule.code in kind.must]
    touches = [f for f in at_damage if any(f.span.start <= end and start <= f.span.end for start, end in hurt.spans)]
    if not at_damage:
        complain(f"found {sorted({f.rule.code for f in found})}, expected one of {sorted(kind.must)}")
    elif not touches and not kind.must & kind.also:
        complain(f"found at {at_damage[0].span.start}, made at {hurt.spans[0]}")
    for f in wrong:
        if f.rule.code not in kind.must | kind.also:
            complain(f"{f.rule.code} at {f.span.start}-{f.span.end} is not part of this damage: {f.message}")
        elif f.rule.code not in kind.also and not _outside(f.span.start, f.span.end, places):
            complain(f"{f.rule.code} at {f.span.start}-{f.span.end} accuses a record that was not touched")
    _loaders(kind, {o.program: o.outcome for o in report.answer.loaders}, verdict)
    _repair(damaged, folder / "repaired", records, verdict)
    return verdict


def _loaders(kind: Kind, told: dict[str, str], verdict: Verdict) -> None:
    verdict.loaders = tuple(told.get(program, "") for program in PROGRAMS)
    if kind.page is None:
        return
    verdict.agrees = verdict.loaders == kind.page
    for program, says, measured in zip(PROGRAMS, verdict.loaders, kind.page, strict=True):
        if says != measured:
            verdict.complaints.append(f"{program}: the model says {says!r}, the notes {measured!r}")


def _repair(damaged: Path, output: Path, records: list[Record], verdict: Verdict) -> None:
    output.unlink(missing_ok=True)
    with open_source(str(damaged)) as source:
        repair(source, formats.all_formats(), str(output), Wishes())
    data = output.read_bytes()
    out = {(r.time, r.body) for r in walk(data)}
    verdict.untouched = len(records)
    missing = [r for r in records if (r.time, r.body) not in out]
    verdict.kept = len(records) - len(missing)
    if missing:
        at = ", ".join(str(r.at) for r in missing[:5])
        verdict.complaints.append(f"{len(missing)} untouched records are not in the repaired store: {at}")
    if why := objection(data):
        verdict.complaints.append(f"gossipd would not load the repaired store: {why}")
