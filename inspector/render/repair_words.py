"""What a repair or an extraction wrote, in words for people: the ledger, the changes, the proof, what to do now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspector.counted import plural
from inspector.errors import Exit
from inspector.format import Edit
from inspector.render.text import (
    Block,
    Column,
    Heading,
    Part,
    Style,
    Table,
    Verbatim,
    para,
    place,
    row,
    size_words,
)
from inspector.repair import Result
from inspector.sanitize import clean, for_shell

if TYPE_CHECKING:
    from inspector.extract import Extraction
    from inspector.patch import Applied

LEDGER = ("kept", "corrected", "dropped", "lost", "added")
MEANINGS = {
    "kept": "as they were",
    "corrected": "changed, and proved right",
    "dropped": "readable, left out on purpose",
    "lost": "could not be read or proved",
    "added": "not from the source",
}
ACTIONS: dict[str, Style] = {"corrected": "good", "dropped": "dim", "lost": "bad", "added": "note"}
_COMMAND = re.compile(r"(?P<why>.*:)? ?(?P<command>(inspector|cp|mv|dd|losetup|mount|qemu-img) .*)")
SHOWN = 10  # changes at the beginning and at the end


def repair_blocks(result: Result) -> Iterator[Block]:
    """The whole screen of `inspector repair`."""
    source = clean(result.report.source.label, 300)
    if result.output is None:
        yield para((source, "strong"), ": a dry run, ", ("nothing was written", "strong"), hang=2)
    else:
        yield para((clean(result.output, 300), "strong"), f": repaired from {source}", hang=2)
        digest = f", sha256 {result.sha256}" if result.sha256 else ""
        yield para(f"{size_words(result.size)}{digest}", indent=2)
    if result.source_sha256:
        yield para(f"source sha256 {result.source_sha256}", indent=2)
    yield from _verdict(result)
    for note in result.notes:
        yield para(note, indent=2)
    yield from _ledger(result)
    yield from _changes(result)
    yield from _verified(result)
    yield from _after(result.after)


def _verdict(result: Result) -> Iterator[Block]:
    lost, dropped = result.bytes["lost"], result.bytes["dropped"]
    verb = "would be" if result.output is None else "was" if lost == 1 else "were"
    rest = f"{plural(dropped, 'byte')} left out on purpose, all else" if dropped else "all else"
    if lost:
        yield para((f"{plural(lost, 'byte')} {verb} lost", "bad"), f"; {rest} is kept", indent=2)
    elif result.records["lost"] != 0:  # a file that is not there has no bytes here, and what was in it is lost
        here = f"{rest} that is here" if dropped else "all that is here"
        yield para(("something is lost", "bad"), f" that has no bytes here (see Changes); {here} is kept", indent=2)
    elif dropped:
        yield para(("nothing is lost", "good"), f"; {plural(dropped, 'byte')} left out on purpose", indent=2)
    else:
        yield para(("nothing is lost", "good"), indent=2)


def _ledger(result: Result) -> Iterator[Block]:
    rows = []
    for action in LEDGER:
        count = result.records.get(action)
        units = "" if action == "added" else "unknown" if count is None else f"{count:,}"
        rows.append(row((action, ACTIONS.get(action, "")), units, result.bytes[action], MEANINGS[action]))
    yield Heading("Ledger", f"of {result.report.source.size:,} bytes")
    columns = (Column(""), Column("records", right=True), Column("bytes", right=True), Column("", wrap=True))
    yield Table(columns, rows)
    proofs = [f"{count:,} {name}" for name, count in result.proof.items() if count]
    if proofs:
        yield para(f"proof of what is written, in bytes: {', '.join(proofs)}", indent=2, hang=2)


def _changes(result: Result) -> Iterator[Block]:
    if not result.changes_total:
        return
    yield Heading("Changes", f"{result.changes_total:,}")
    changes = result.changes
    first, last = changes[:SHOWN], changes[max(SHOWN, len(changes) - SHOWN) :]
    for edit in first:
        yield _change(edit)
    hidden = result.changes_total - len(first) - len(last)
    if hidden > 0:
        yield para((f"… {hidden:,} more; --json lists the first and last of them", "dim"), indent=2)
    for edit in last:
        yield _change(edit)


def _change(edit: Edit) -> Block:
    action: Part = (edit.action, ACTIONS.get(edit.action, ""))
    if edit.origin is None:
        where = f" {plural(len(edit.data or b''), 'byte')}"
    else:
        member = f"{clean(edit.origin.member, 200)} " if edit.origin.member else ""
        where = f" {member}{place(edit.origin.start)}, {plural(edit.origin.length, 'byte')}"
        if not edit.origin.length:  # it is not here at all
            where = f" {member}".rstrip()
    why = f": {clean(edit.why, 300)}" if edit.why else ""
    return para(
        action, where, why, f" ({edit.proof})" if edit.action in ("corrected", "added") else "", indent=2, hang=2
    )


def _verified(result: Result) -> Iterator[Block]:
    if result.output is None:
        return
    told = result.verified
    yield Heading("Verified")
    standing = told.get("standing", ())
    left = f" but for {', '.join(standing)}, which no repair takes away (inspector explain)" if standing else ""
    for by in told.get("by", []):
        words = f"read again and inspected whole: clean{left}" if by == "inspector" else "opened a copy: fine"
        yield para((clean(str(by)), "good"), f": {words}", indent=2)
    for rule in (rule for form in result.report.layers for rule in form.rules if rule.code in standing):
        yield para(f"{rule.code} stays: {rule.summary}", indent=2)
    if standing:
        yield para(f"a scan of what was written says so again, and exits with {Exit.DAMAGED:d}", indent=2)
    if unjudged := str(told.get("unjudged", "")):
        yield para(f"not checked: {clean(unjudged, 300)}", indent=2)
        if not standing:
            yield para(f"a scan of what was written says so, too, and exits with {Exit.PARTIAL:d}", indent=2)
    engine = told.get("engine", {})
    if not engine.get("ran"):
        yield para(f"original engine: not run ({clean(str(engine.get('why', '')), 300)})", indent=2)


def _after(words: tuple[str, ...]) -> Iterator[Block]:
    if words:
        yield Heading("Now")
        for number, step in enumerate(words, 1):
            found = _COMMAND.fullmatch(step)
            if found is None:
                yield para(f"{number}. {step}", indent=2, hang=3)
            elif found["why"]:  # a command is never wrapped, so that it can be pasted
                yield para(f"{number}. {found['why']}", indent=2, hang=3)
                yield Verbatim(((found["command"], "code"),), 7)
            else:
                yield Verbatim(((f"{number}. ", ""), (found["command"], "code")), 2)


def extract_blocks(result: Extraction) -> Iterator[Block]:
    """The whole screen of `inspector extract`."""
    yield from _extracted(result)
    yield from _after(result.after)


def applied_blocks(done: Applied) -> Iterator[Block]:
    """The whole screen of `inspector apply`."""
    target = clean(done.target, 300)
    yield para((target, "strong"), f": {plural(done.changes, 'change')} written, {size_words(done.bytes)}", hang=2)
    if done.already:
        there = f"{done.already:,} of them were there already; only the undo file of that run takes those back"
        yield para((there, "note"), indent=2, hang=2)
    yield para(("every change was read back", "good"), indent=2)
    there, undo = for_shell(done.target), for_shell(done.undo)
    yield from _after((f"inspector scan {there}", f"to take it back: inspector apply {undo} {there} --undo FILE"))


def _extracted(result: Extraction) -> Iterator[Block]:
    yield para((clean(result.output, 300), "strong"), f": content of {clean(result.item)}", hang=2)
    proofs = [f"{count:,} {name}" for name, count in result.proof.items() if count]
    yield para(f"{size_words(result.size)}; by proof: {', '.join(proofs) or 'empty'}", indent=2, hang=2)
    for note in result.notes:
        yield para(note, indent=2)
    if result.code is not Exit.LOST:
        yield para(("complete", "good"), ": no byte of it is unknown", indent=2)
        if result.proof.get("placed"):
            yield para("placed: it stands where the store says it belongs; no checksum covers it", indent=2, hang=2)
        return
    lost = plural(result.proof["none"], "byte")
    yield para(
        (f"{lost} unknown", "bad"), f" in {plural(result.unknown_total, 'range')}; they read as zeroes", indent=2
    )
    yield Heading("Unknown ranges", "offsets in the output")
    for start, end, why in result.unknown[: 2 * SHOWN]:
        yield para(f"{place(start)}, {plural(end - start, 'byte')}: {clean(why, 300)}", indent=2, hang=2)
    hidden = result.unknown_total - len(result.unknown[: 2 * SHOWN])
    if hidden > 0:
        yield para((f"… {hidden:,} more, all in the map", "dim"), indent=2)
    yield Verbatim(())
    yield para(f"map of good and bad ranges (GNU ddrescue): {clean(result.map, 300)}", indent=2, hang=2)
