"""The tables of `make quality`, from what its parts found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import against
from benchmarks.covered import Covered, Share
from benchmarks.mutants import ROOT, Score, by_package
from benchmarks.quality_parts import Damaged, Failed, Fuzzed, Mutated, fault_outcomes

_FORMATS = "inspector/formats/"
# the suite's coverage is told of these, besides the whole: wrong lines there can lose somebody's data
_UNDER = {
    "all of inspector": "inspector/",
    "formats": "inspector/formats/",
    "correct.py": "inspector/correct.py",
    "repair.py": "inspector/repair.py",
    "command line": "inspector/cli/",
    "diagnosis": "inspector/diagnosis/",
    "kernels, plain twins": "inspector/kernels/",
}


def rows(titles: Iterable[str], lines: Iterable[Iterable[object]]) -> Iterator[str]:
    titles = list(titles)
    yield f"| {' | '.join(titles)} |"
    yield "|---" + "|--:" * (len(titles) - 1) + "|"
    for line in lines:
        yield f"| {' | '.join(map(_cell, line))} |"
    yield ""


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def wrong(found: dict[str, Any]) -> int:
    """What must never be: a crash, a wrong correction, a fault that left something wrong, a failing test."""
    return int(
        sum(len(one.failures) for one in found.get("bytes", ()))
        + sum(one.crashes for one in found.get("fuzz", ()))
        + sum(len(one.wrong) for one in found.get("faults", ()))
        + sum(one.wrong for one in found.get("damage", ()))
        + sum(one.invented for one in found.get("against", ()) if one.tool.startswith("inspector"))
        + (len(found["coverage"].failed) if "coverage" in found else 0)
    )


def details(part: str, found: dict[str, Any]) -> Iterator[str]:
    """The tables of one part; those of hostile bytes are told with what was fuzzed before or after them."""
    what = found[part]
    yield f"**{part}**"
    yield ""
    if part == "fuzz":
        yield from _hostile(found.get("bytes", []), what)
    elif part == "bytes":
        yield from _hostile(what, [])
    elif part == "against":
        yield from against.markdown(what)
        yield ""
    else:
        yield from _TABLES[part](what)


def summary(found: dict[str, Any]) -> Iterator[str]:
    """One line for each figure of all that was measured."""
    yield from rows(("figure", "measured"), figures(found))


def figures(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """One line for each figure; what was not measured is not told."""
    changed: list[Mutated] = found.get("bytes", [])
    if changed:
        yield "bytes mutated", f"{sum(m.bytes for m in changed):,}"
        yield "truncations", f"{sum(m.truncations for m in changed):,}"
        failures, slowest = sum(len(m.failures) for m in changed), max(m.slowest for m in changed)
        yield "exceptions, hangs, untiled bytes in these", f"{failures} (slowest file {slowest:.2f} s)"
    fuzz: list[Fuzzed] = found.get("fuzz", [])
    if fuzz:
        yield "fuzz runs", f"{sum(f.runs for f in fuzz):,} in {sum(f.minutes for f in fuzz):.1f} minutes"
        yield "crashes in these", f"{sum(f.crashes for f in fuzz)}"
    faults: list[Failed] = found.get("faults", [])
    if faults:
        total, bad = fault_outcomes(faults).total(), sum(len(f.wrong) for f in faults)
        yield "faults injected", f"{total:,} in {len(faults)} command lines, {bad} with something wrong after"
    yield from _rates(found.get("damage", []))
    yield from _tools(found.get("against", []))
    if "coverage" in found:
        covered: Covered = found["coverage"]
        share = covered.total("inspector/")
        yield "branch coverage", f"{percent(share.branches_run, share.branches)} of {share.branches:,} branches"
        yield "tests", f"{covered.passed:,} passed, {len(covered.failed)} failed"
    if "mutants" in found:
        score: Score = found["mutants"]
        low, high = score.interval()
        told = f"{percent(score.dead, len(score.judged))} ({score.dead} of {len(score.judged)}, seed {score.seed}; "
        yield "mutation score of formats and correct.py", told + f"95 %: {100 * low:.0f} to {100 * high:.0f})"


def _rates(found: list[Damaged]) -> Iterator[tuple[str, str]]:
    if not found:
        return
    copies = sum(d.copies for d in found)
    sealed = sum(d.sealed for d in found)
    yield "damaged copies of healthy stores", f"{copies:,}, of these {sealed:,} in bytes that a checksum covers"
    yield "detected, of these", percent(sum(d.detected for d in found), sealed)
    yield "at the place, of these", percent(sum(d.placed for d in found), sealed)
    yield "salvage: units that the damage left alone and that verify", _salvage(found)
    yield "corrections right", f"{sum(d.right for d in found):,}"
    yield "wrong corrections", f"{sum(d.wrong for d in found)}"


def _salvage(found: list[Damaged]) -> str:
    return percent(sum(d.sound for d in found), sum(d.untouched for d in found))


def _tools(found: list[against.Told]) -> Iterator[tuple[str, str]]:
    for ours in (True, False):
        chosen = [row for row in found if row.tool.startswith("inspector") is ours]
        if chosen:
            cases = sum(row.cases for row in chosen)
            told = percent(sum(row.detected for row in chosen), cases)
            kept = percent(sum(row.kept for row in chosen), sum(row.there for row in chosen))
            who = "inspector" if ours else "the original tools"
            yield f"damaged files of the engines: {who}", f"tells {told}, keeps {kept} of the records"


def _hostile(changed: list[Mutated], fuzz: list[Fuzzed]) -> Iterator[str]:
    titles = ("hostile bytes", "bytes mutated", "truncations", "failures", "slowest", "fuzz runs", "minutes", "crashes",
              "slowest", "peak memory")  # fmt: skip
    by_bytes, by_fuzz = {m.format: m for m in changed}, {f.format: f for f in fuzz}
    lines: list[list[object]] = []
    for name in by_bytes | by_fuzz:
        m, f = by_bytes.get(name), by_fuzz.get(name)
        line: list[object] = [name]
        line += [m.bytes, m.truncations, len(m.failures), f"{m.slowest:.2f} s"] if m else ["-"] * 4
        line += [f.runs, f"{f.minutes:.1f}", f.crashes, f.slowest, f.peak] if f else ["-"] * 5
        lines.append(line)
    yield from rows(titles, lines)
    yield from (f"- {words}" for m in changed for words in m.failures[:5])


def _damage(found: list[Damaged]) -> Iterator[str]:
    titles = ("self-test", "copies", "in sealed bytes", "detected", "at the place", "cause", "untouched kept",
              "salvage", "corrections right", "wrong")  # fmt: skip
    lines = [
        [d.format, d.copies, d.sealed, percent(d.detected, d.sealed), percent(d.placed, d.sealed),
         percent(d.cause, d.sealed), percent(d.kept, d.judged), _salvage([d]), d.right, d.wrong]
        for d in found
    ]  # fmt: skip
    yield from rows(titles, lines)


def _faults(found: list[Failed]) -> Iterator[str]:
    ways: Counter[str] = Counter()
    for one in found:
        for words, count in one.outcomes.items():
            ways[words.split(":")[0]] += count
    yield from rows(("how a system call failed", "times"), sorted(ways.items()))
    yield from rows(("how the command ended", "times"), sorted(fault_outcomes(found).items()))
    yield from (f"- {words}" for one in found for words in one.wrong[:5])


def coverage_figures(covered: Covered) -> dict[str, Any]:
    parts = {}
    for name, under in _UNDER.items():
        s = covered.total(under)
        parts[name] = {key: getattr(s, key) for key in Share.__struct_fields__}
    return {"passed": covered.passed, "failed": len(covered.failed), "parts": parts}


def _coverage(covered: Covered) -> Iterator[str]:
    packages = {Path(name).parent.name: f"{Path(name).parent}/" for name in covered.files if name.startswith(_FORMATS)}
    packages.pop("formats", None)
    lines = []
    for name, under in (_UNDER | packages).items():
        s = covered.total(under)
        lines.append((name, s.lines, percent(s.lines_run, s.lines), s.branches, percent(s.branches_run, s.branches)))
    yield from rows(("run by the suite", "lines", "run", "branches", "run"), lines)
    yield from (f"- failed: {name}" for name in covered.failed)


def mutant_figures(score: Score) -> dict[str, Any]:
    told = [
        {"place": f"{one.mutant.path.relative_to(ROOT)}:{one.mutant.line}", "what": one.mutant.what,
         "outcome": one.outcome, "by": one.by}
        for one in score.judged
    ]  # fmt: skip
    return {"seed": score.seed, "killed": score.dead, "tried": len(score.judged), "each": told}


def _mutants(score: Score) -> Iterator[str]:
    kinds = ("killed", "timeout", "survived", "unrun")
    lines = [(name, sum(n.values()), *(n[kind] for kind in kinds)) for name, n in by_package(score).items()]
    yield from rows(("mutants of", "tried", *kinds), lines)
    for one in score.judged:
        if one.outcome in ("survived", "unrun"):
            yield f"- {one.outcome}: {one.mutant.path.relative_to(ROOT)}:{one.mutant.line}: {one.mutant.what}"


_TABLES: dict[str, Callable[[Any], Iterator[str]]] = {
    "damage": _damage,
    "faults": _faults,
    "coverage": _coverage,
    "mutants": _mutants,
}
