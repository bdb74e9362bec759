"""What was carved, in words for people."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.carve import DUPLICATE, WRITTEN, Carved
from inspector.counted import plural
from inspector.render.documents import Document
from inspector.render.text import Block, Column, Heading, Style, Table, para, place, row, size_words
from inspector.sanitize import clean

SHOWN = 5  # finds at the beginning and at the end


def carve_blocks(carved: Carved, listed: list[Document]) -> Iterator[Block]:
    """The whole screen of `inspector carve`."""
    source, haul = clean(carved.source.label, 300), carved.haul
    if carved.output is not None:
        yield para((clean(carved.output, 300), "strong"), f": carved from {source}", hang=2)
        digest = f", sha256 {carved.sha256}" if carved.sha256 else ""
        yield para(f"{size_words(carved.size)}{digest}", indent=2)
    elif haul.empty:
        yield para((source, "strong"), ": ", (haul.empty, "bad"), hang=2)
    else:
        yield para((source, "strong"), ": a dry run, ", ("nothing was written", "strong"), hang=2)
    yield from _searched(carved)
    for note in carved.notes:
        yield para(clean(note, 1000), indent=2, hang=2)
    if haul.sums.units:
        yield from _ledger(carved)
        yield from _finds(carved, listed)
    if carved.output is not None:
        yield from _verified(carved)
    if carved.after:
        yield Heading("Now")
        for i, step in enumerate(carved.after, 1):
            yield para(f"{i}. {step}", indent=2, hang=3)


def _searched(carved: Carved) -> Iterator[Block]:
    searched = carved.area.bytes
    yield para(f"{size_words(searched)} searched for {carved.carver.name}", indent=2)
    if carved.empty:
        yield para(f"{size_words(carved.empty)} are holes of a sparse file and were not", indent=2)
    if carved.unknown:
        yield para((f"{size_words(carved.unknown)} were never read, says the mapfile: unknown", "warn"), indent=2)
    if carved.unreadable:
        yield para((f"{size_words(carved.unreadable)} could not be read now", "bad"), indent=2)
    if carved.haul.partial:
        yield para((carved.haul.partial, "bad"), indent=2, hang=2)


def _ledger(carved: Carved) -> Iterator[Block]:
    haul, sums = carved.haul, carved.haul.sums
    yield Heading("Found", ", ".join(_many(count, clean(kind)) for kind, count in sums.found.items()))
    verb = "written" if carved.output is not None else "would be written"
    rows = [row((verb, "good"), sums.units[WRITTEN], sums.bytes[WRITTEN], "")]
    if sums.units[DUPLICATE]:
        rows.append(row(("duplicates", "dim"), sums.units[DUPLICATE], sums.bytes[DUPLICATE], "the same once more"))
    for why in sorted(fate for fate in sums.units if fate not in (WRITTEN, DUPLICATE)):
        style: Style = "bad" if why in haul.lost else "dim"
        what, told = (verb, why.removeprefix(f"{WRITTEN}, ")) if why.startswith(WRITTEN) else ("left out", why)
        rows.append(row((what, style), sums.units[why], sums.bytes[why], told))
    columns = (Column(""), Column("units", right=True), Column("bytes", right=True), Column("", wrap=True))
    yield Table(columns, rows)
    proofs = [f"{count:,} {name}" for name, count in sorted(sums.proof.items()) if count]
    if proofs:
        yield para(f"proof of what is written, in bytes: {', '.join(proofs)}", indent=2, hang=2)
    yield para(f"expected false finds: {haul.chance:.2g} ({haul.because})", indent=2, hang=2)


def _many(count: int, kind: str) -> str:
    return plural(count, kind, f"{kind}es" if kind.endswith("ch") else "")


def _finds(carved: Carved, listed: list[Document]) -> Iterator[Block]:
    yield Heading("Finds", f"{sum(carved.haul.sums.units.values()) + carved.haul.sums.pieces:,}")
    first, last = listed[:SHOWN], listed[max(SHOWN, len(listed) - SHOWN) :]
    for one in (*first, *last):
        if last and one is last[0] and len(listed) > 2 * SHOWN:
            yield para(("… --map FILE writes all of them", "dim"), indent=2)
        where = f"{place(int(one['start']))}, {plural(int(one['end']) - int(one['start']), 'byte')}"
        out = f" ({clean(one['file'], 200)})" if one["file"] else ""
        rest = "" if one["rest"] is None else f", another piece of it is at {place(int(one['rest']))}"
        yield para(f"{where}: {clean(one['kind'])}, {one['fate']}{out}{rest}", indent=2, hang=2)


def _verified(carved: Carved) -> Iterator[Block]:
    yield Heading("Verified")
    for by in carved.verified.get("by", ()):
        yield para(
            (clean(str(by)), "good"),
            f": {carved.verified.get('words', 'read again and inspected whole: clean')}",
            indent=2,
        )
    engine = carved.verified.get("engine", {})
    if not engine.get("ran"):
        yield para(f"original engine: not run ({clean(str(engine.get('why', '')), 300)})", indent=2)
