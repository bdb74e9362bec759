"""What an inspection shows, apart from where: two stores that show the same are alike for a bug report."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from inspector.catalogue import Formats
from inspector.errors import InspectorError
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.inspect import CHANGED, Report, inspect, name_causes
from inspector.source import Source

KEEP: Final = 200  # findings of a rule that are looked at; beyond it a rule need only be shown as often
NOTE: Final = Severity.NOTE
MANY: Final = 16  # notes of one rule: more are only many

Signature = tuple[Any, ...]


def shown_by(report: Report) -> dict[str, int]:
    """Findings by rule; that a source changed is told of one reading, no bytes can show it."""
    return {code: n for (code, _), n in sorted(report.tally.counts.items()) if code != CHANGED.code}


def numbers_of(report: Report) -> Signature:
    """What two inspections must have in common before anybody asks for causes: the start of `signature`."""
    tally = report.tally
    counted = tuple(sorted((code, str(level), n) for (code, level), n in tally.counts.items() if level is not NOTE))
    about = {code: n for (code, level), n in tally.counts.items() if level is NOTE and code != CHANGED.code}
    return report.format.name, counted, tuple(sorted((code, min(n, MANY)) for code, n in about.items()))


def signature(report: Report) -> Signature:
    """What two inspections must have in common: findings counted (notes up to MANY), with causes and salvage."""
    causes = tuple(
        sorted((f.rule.code, f.cause.name, f.salvage or "") for f in report.tally.findings() if f.level is not NOTE)
    )
    return *numbers_of(report), causes


def rules_of(report: Report) -> Signature:
    """What two inspections must have in common where nobody asks for causes: findings counted, with salvage."""
    kept = ((f.rule.code, f.salvage or "") for f in report.tally.findings() if f.level is not NOTE)
    return *numbers_of(report), tuple(sorted(kept))


def alike(view: Source, layers: Formats, wishes: Wishes, forced: str | None, wanted: Signature) -> Report | None:
    """An inspection of `view` if it gives this signature; why things are wrong is asked where all else is alike."""
    found = judged(view, layers, wishes, forced, wanted)
    return found if found is not None and signature(found) == wanted else None


def failing_alike(
    view: Source, layers: Formats, wishes: Wishes, forced: str | None, wanted: Signature
) -> Report | None:
    """An inspection of `view` if its rules are these; why things are wrong is not asked."""
    try:
        found = inspect(view, layers, wishes, forced, KEEP, causes=False, answers=False)
    except InspectorError:
        return None
    return found if rules_of(found) == wanted else None


def judged(view: Source, layers: Formats, wishes: Wishes, forced: str | None, wanted: Signature) -> Report | None:
    """An inspection of `view` with its causes, where all else is as in this signature."""
    try:
        found = inspect(view, layers, wishes, forced, KEEP, causes=False, answers=False)
        if numbers_of(found) != wanted[:-1]:
            return None
        name_causes(found)
    except InspectorError:
        return None  # not a store of this format any more
    return found


def apart(one: Signature, two: Signature) -> int:
    """How many entries of two parts of signatures differ; where they end with a number, it counts."""
    first, second = (Counter[Any]() for _ in range(2))
    for part, counter in ((one, first), (two, second)):
        for entry in part:
            counter[entry[:-1] if isinstance(entry[-1], int) else entry] += (
                entry[-1] if isinstance(entry[-1], int) else 1
            )
    return ((first - second) + (second - first)).total()
