"""What `inspector dev` says: documents, their schemas, and the table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inspector.counted import plural
from inspector.damage import KINDS
from inspector.inject import Truth
from inspector.render.documents import TOOL, Document
from inspector.render.text import Block, Column, Heading, Part, Table, para, row
from inspector.selftest import Round, Selftest
from inspector.span import Span


def _place(span: Span) -> Document:
    return ({"file": span.member} if span.member else {}) | {"start": span.start, "end": span.end}


def truth(told: Truth) -> Document:
    """What was done to which bytes; `before` in the source's coordinates, `after` in the copy's."""
    return {
        "schema": "inspector/inject/1",
        "tool": TOOL,
        "source": {"path": told.source, "size": told.size_before},
        "output": {"path": told.output, "size": told.size_after, "sha256": told.sha256},
        "damage": [
            {
                "kind": harm.kind,
                "meaning": KINDS[harm.kind].meaning,
                "causes": sorted(KINDS[harm.kind].causes),
                "seed": harm.seed,
                "file": harm.member or None,
                "changes": harm.count,
                "before": [_place(span) for span in harm.before],
                "after": [_place(span) for span in harm.after],
            }
            for harm in told.harms
        ],
    }


def truth_blocks(told: Truth, where: str) -> Iterator[Block]:
    yield para((told.output, "strong"), f": {told.source} with {plural(len(told.harms), 'damage')}", hang=2)
    for harm in told.harms:
        first = harm.after[0]
        place = f"{harm.member} " if harm.member else ""
        more = f" and {harm.count - 1:,} more" if harm.count > 1 else ""
        yield para(f"{harm.kind} at {place}{first.start} to {first.end}{more}: {KINDS[harm.kind].meaning}", indent=2)
    yield para(f"the truth about it is in {where}", indent=2)


def selftest(told: Selftest) -> Document:
    return {
        "schema": "inspector/selftest/1",
        "tool": TOOL,
        "source": {"format": told.format, "size": told.size, "units": told.units, "sealed": told.sealed},
        "rounds": [_round(one) for one in told.rounds],
        "totals": _totals(told.rounds),
        "by_kind": {kind: _totals(rounds) for kind, rounds in _by_kind(told)},
    }


def _round(one: Round) -> Document:
    return {
        "kind": one.kind,
        "seed": one.seed,
        "file": one.member or None,
        "spans": [_place(span) for span in one.spans[:8]],
        "sealed": one.sealed,
        "detected": one.detected,
        "localised": one.localised,
        "codes": list(one.codes),
        "causes": list(one.causes),
        "cause_right": one.cause_right,
        "untouched": one.untouched,
        "sound": one.sound,
        "corrections_right": one.corrections_right,
        "corrections_wrong": one.corrections_wrong,
        "repair": one.repair,
        "seconds": round(one.seconds, 3),
    }


def _totals(rounds: list[Round]) -> Document:
    judged = [r for r in rounds if r.untouched is not None]
    return {
        **_told(rounds),
        "sealed": _told([r for r in rounds if r.sealed]),
        "all_untouched_kept": sum(r.sound >= (r.untouched or 0) for r in judged) if judged else None,
        "corrections_right": sum(r.corrections_right for r in rounds),
        "corrections_wrong": sum(r.corrections_wrong for r in rounds),
        "repaired": sum(r.repair in ("ok", "lost") for r in rounds),
        "unverified": sum(r.repair == "unverified" for r in rounds),
        "seconds": round(sum(r.seconds for r in rounds), 3),
    }


def _told(rounds: list[Round]) -> Document:
    return {
        "rounds": len(rounds),
        "detected": sum(r.detected for r in rounds),
        "localised": sum(r.localised for r in rounds),
        "cause_right": sum(r.cause_right for r in rounds),
    }


def _by_kind(told: Selftest) -> Iterator[tuple[str, list[Round]]]:
    for kind in KINDS:
        rounds = [r for r in told.rounds if r.kind == kind]
        if rounds:
            yield kind, rounds


_COLUMNS = ("detected", "localised", "all_untouched_kept", "cause_right", "repaired")
_WORDS = ("detected", "localised", "untouched kept", "cause right", "repaired")


def selftest_blocks(path: str, told: Selftest) -> Iterator[Block]:
    """A table by kind of damage, in rounds of rounds."""
    size = f"{told.format}, {told.size:,} bytes, {plural(told.units, 'unit')}"
    yield para(
        (path, "strong"), f": {plural(len(told.rounds), 'damaged copy', 'damaged copies')} of it ({size})", hang=2
    )
    yield para(_covered(told), indent=2)
    rows = [_row(kind, _totals(rounds)) for kind, rounds in _by_kind(told)]
    yield Heading("By kind of damage")
    heads = [Column("damage"), *(Column(word, right=True) for word in (*_WORDS, "bits put right", "wrong", "seconds"))]
    yield Table(tuple(heads), [*rows, _row("all", _totals(told.rounds))])


def _covered(told: Selftest) -> str:
    loose = sum(not r.sealed for r in told.rounds)
    if not told.sealed:
        return "No checksum covers these bytes: a change that leaves another possible value cannot be noticed."
    share = f"A checksum or a rule covers {told.sealed:,} bytes of it ({told.sealed * 100 / told.size:.1f} %)"
    if not loose:
        return f"{share}: the damage is made there."
    return f"{share}; {plural(loose, 'damage')} hit none of them and may leave nothing to notice."


def _row(name: str, totals: dict[str, Any]) -> tuple[Part, ...]:
    of = totals["rounds"]
    shares = ["?" if totals[c] is None else f"{totals[c]}/{of}" for c in _COLUMNS]
    fixed, wrong = totals["corrections_right"], totals["corrections_wrong"]
    return row(name, *shares, fixed, wrong, f"{totals['seconds']:.1f}")
