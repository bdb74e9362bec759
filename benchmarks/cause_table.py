"""The results of `bench_causes` as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.bench_causes import Told

SAID = """\
*Right* is the cause that was made (or one that leaves the same bytes); *unknown* is said where nothing else is;
*missed* is damage about which nothing was said. The rate is right / (right + wrong + unknown + missed).
*Without evidence* are cases in which no byte that the format verifies differs from the healthy store (a comparison of
bytes made without inspector); they are in no rate. *Sure and wrong* are wrong causes that were called certain."""


def markdown(found: Sequence[Told]) -> str:
    return "\n".join(_lines(found))


def _lines(found: Sequence[Told]) -> Iterator[str]:
    names = list(dict.fromkeys(t.format for t in found))
    kinds = list(dict.fromkeys(t.kind for t in found))
    yield "## Causes named against causes made\n"
    yield SAID + "\n"
    head = "| {} | cases | right | wrong | unknown | missed | rate | sure and wrong | without evidence |"
    rule = "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    yield head.format("format") + "\n" + rule
    for name in names:
        yield _row(name, [t for t in found if t.format == name])
    yield _row("**all**", found)
    yield "\n" + head.format("kind of damage") + "\n" + rule
    for kind in kinds:
        yield _row(kind, [t for t in found if t.kind == kind])
    yield "\n### Rate by kind and format (right / cases with evidence)\n"
    yield "| kind | " + " | ".join(names) + " |\n|---|" + "--:|" * len(names)
    for kind in kinds:
        cells = (_cell([t for t in found if t.kind == kind and t.format == name]) for name in names)
        yield f"| {kind} | " + " | ".join(cells) + " |"
    yield "\n### Named as something else\n\n| format | made | named | times |\n|---|---|---|--:|"
    wrong = Counter((t.format, t.kind, t.named) for t in found if t.evident and not t.right)
    yield from (f"| {f} | {k} | {n} | {c} |" for (f, k, n), c in sorted(wrong.items(), key=lambda p: (-p[1], p[0])))
    yield from _verdicts(found, names)


def _verdicts(found: Sequence[Told], names: list[str]) -> Iterator[str]:
    yield "\n## The first sentence: the program or the disk?\n"
    yield "A store that its program loads without a word (a log whose last append is missing) gets no sentence.\n"
    yield "| format | cases | right | wrong | unknown | rate | sure and wrong |\n|---|--:|--:|--:|--:|--:|--:|"
    for name in (*names, ""):
        some = [t for t in found if t.evident and (t.format == name or not name)]
        right = sum(t.verdict_right for t in some)
        unknown = sum(not t.verdict_right and t.verdict in ("unknown", "clean") for t in some)
        sure = _count(some, lambda t: not t.verdict_right and t.verdict != "unknown" and t.sureness == "certain")
        rate = _rate(right, len(some))
        cells = (name or "**all**", len(some), right, len(some) - right - unknown, unknown, rate, sure)
        yield f"| {' | '.join(map(str, cells))} |"
    yield "\n| made | verdict that is wrong | times |\n|---|---|--:|"
    told = (t for t in found if t.evident and not t.verdict_right and t.verdict not in ("unknown", "clean"))
    wrong = Counter((t.kind, t.verdict) for t in told)
    yield from (f"| {k} | {v} | {c} |" for (k, v), c in sorted(wrong.items(), key=lambda p: (-p[1], p[0])))


def _row(title: str, every: Sequence[Told]) -> str:
    some = [t for t in every if t.evident]
    right = sum(t.right for t in some)
    unknown = _count(some, lambda t: t.named == "unknown")
    missed = _count(some, lambda t: t.named == "missed")
    wrong = len(some) - right - unknown - missed
    sure = _count(some, lambda t: not t.right and t.named not in ("unknown", "missed") and t.confidence == "certain")
    rate = _rate(right, len(some))
    cells = (title, len(some), right, wrong, unknown, missed, rate, sure, len(every) - len(some))
    return f"| {' | '.join(map(str, cells))} |"


def _cell(every: Sequence[Told]) -> str:
    some = [t for t in every if t.evident]
    return f"{sum(t.right for t in some)}/{len(some)}" if some else "-"


def _rate(right: int, total: int) -> str:
    return f"{100 * right / total:.1f} %" if total else "-"


def _count(found: Iterable[Told], test: Callable[[Told], bool]) -> int:
    return sum(map(test, found))
