"""What a merge wrote, in words for people: the copies by age, what came from where, what is lost, what to do now."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.counted import plural
from inspector.errors import Exit
from inspector.merge import Merged
from inspector.render.text import NOT_ALL, VERDICTS, Block, Column, Heading, Part, Table, para, place, row, size_words
from inspector.sanitize import clean

SHOWN = 10


def merge_blocks(result: Merged) -> Iterator[Block]:
    """The whole screen of `inspector merge`."""
    copies = plural(len(result.reports), "copy", "copies")
    if result.output is None:
        yield para(("a dry run", "strong"), f" of {copies}, ", ("nothing was written", "strong"), hang=2)
    else:
        yield para((clean(result.output, 300), "strong"), f": made of {copies}", hang=2)
        digest = f", sha256 {result.sha256}" if result.sha256 else ""
        yield para(f"{size_words(result.size)}{digest}", indent=2)
    yield from _verdict(result)
    for note in result.notes:
        yield para(note, indent=2, hang=2)
    yield from _copies(result)
    yield from _counts(result)
    yield from _losses(result)
    yield from _disagreements(result)
    yield from _verified(result)
    if result.after:
        yield Heading("Now")
        for number, step in enumerate(result.after, 1):
            yield para(f"{number}. {step}", indent=2, hang=3)


def _verdict(result: Merged) -> Iterator[Block]:
    lost = result.plan.losses_total
    would = "would be " if result.output is None else "is "
    if lost:
        places = plural(lost, "place")
        yield para((f"{places} cannot be told from any copy", "bad"), f"; all else {would}in the output", indent=2)
    elif result.code is Exit.CLEAN or result.output is None:
        yield para(("nothing is lost", "good"), f": all that is alive in any copy {would}in the output", indent=2)


def _copies(result: Merged) -> Iterator[Block]:
    yield Heading("Copies", "the most complete first" if result.plan.item else "the newest first")
    rows = []
    for number in result.plan.order:
        report, (records, size) = result.reports[number], result.taken[number]
        state: Part = (NOT_ALL if report.verdict == "partial" else report.verdict, VERDICTS[report.verdict])
        rows.append(row(clean(report.source.label, 300), state, records, size, clean(result.plan.because[number], 300)))
    if result.made[1]:
        rows.append(row(("made", "note"), "", result.made[0], result.made[1], "from no copy: derived"))
    columns = (
        Column("copy", wrap=True),
        Column(""),
        Column("records taken", right=True),
        Column("bytes taken", right=True),
        Column("age", wrap=True),
    )
    yield Table(columns, rows)


def _counts(result: Merged) -> Iterator[Block]:
    counts = {name: count for name, count in sorted(result.plan.counts.items()) if count}
    if counts:
        yield Heading("Counts")
        yield Table((Column(""), Column("", right=True)), [row(n.replace("_", " "), c) for n, c in counts.items()])


def _losses(result: Merged) -> Iterator[Block]:
    plan = result.plan
    if not plan.losses_total:
        return
    yield Heading("Lost", f"{plan.losses_total:,}")
    for loss in plan.losses[: 2 * SHOWN]:
        where = clean(result.reports[loss.copy].source.label, 200) if loss.copy >= 0 else "the item"
        if loss.span.length:
            member = f" {clean(loss.span.member, 200)}" if loss.span.member else ""
            where += f"{member} {place(loss.span.start)}, {plural(loss.span.length, 'byte')}"
        yield para(f"{where}: {clean(loss.why, 300)}", indent=2, hang=2)
    hidden = plan.losses_total - len(plan.losses[: 2 * SHOWN])
    if hidden > 0:
        yield para((f"… {hidden:,} more; --json lists more of them", "dim"), indent=2)


def _disagreements(result: Merged) -> Iterator[Block]:
    plan = result.plan
    if not plan.disagreements_total:
        return
    yield Heading("Disagreements", f"{plan.disagreements_total:,}; offsets in the output")
    for one in plan.disagreements[:SHOWN]:
        taken = clean(result.reports[one.chosen].source.label, 200) if one.chosen >= 0 else "none"
        hashes = "; ".join(f"{clean(result.reports[n].source.label, 100)} {digest[:16]}" for n, digest in one.digests)
        yield para(
            f"{place(one.at)}, {plural(one.length, 'byte')}: {hashes}; taken: {taken} ({clean(one.why, 200)})",
            indent=2,
            hang=2,
        )
    hidden = plan.disagreements_total - len(plan.disagreements[:SHOWN])
    if hidden > 0:
        yield para((f"… {hidden:,} more; --json lists more of them", "dim"), indent=2)


def _verified(result: Merged) -> Iterator[Block]:
    if result.output is None:
        return
    yield Heading("Verified")
    for by in result.verified.get("by", []):
        words = "read again and inspected whole: clean" if by == "inspector" else "opened a copy: fine"
        yield para((clean(str(by)), "good"), f": {words}", indent=2)
    engine = result.verified.get("engine", {})
    if not engine.get("ran"):
        yield para(f"original engine: not run ({clean(str(engine.get('why', '')), 300)})", indent=2)
