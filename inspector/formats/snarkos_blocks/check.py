"""Blocks of one file against each other, against the count and against the name; and the file's own words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from inspector.counted import counted
from inspector.finding import UNKNOWN_CAUSE, Cause, Evidence, Finding, Rule, Salvage, Tally
from inspector.format import Answer, Outcome, Stretch
from inspector.formats.snarkos.names import block_name, network_name, range_name
from inspector.formats.snarkos_blocks import rules
from inspector.formats.snarkos_blocks.layout import BLOCK, GONE, HEAD_SIZE, MALFORMED, SOUND, TRUNCATED, Head
from inspector.formats.snarkos_blocks.plan import TOLD, best_run, others
from inspector.formats.snarkos_blocks.walk import Blocks, flipped, why_malformed
from inspector.span import Span

_CUT: Final = Cause("truncated", "likely", "the download ended here")
_MOVED: Final = Cause("swapped", "possible", "the block is whole, it stands in the wrong place")
_BEHIND: Final = Cause("unknown", "certain", "the blocks before it are lost in the bytes before it")

SCHEMA: Final = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "description": "blocks or latest"},
        "network": {"type": ["string", "null"]},
        "count": {"type": ["integer", "null"], "description": "stored at the head"},
        "blocks": {"type": "integer", "description": "found whole"},
        "first_height": {"type": ["integer", "null"]},
        "last_height": {"type": ["integer", "null"]},
        "latest": {"type": ["object", "null"]},
    },
}


def check(blocks: Blocks, stretches: Iterable[Stretch], tally: Tally) -> None:
    """Findings in file order, then those about the whole file."""
    before: Head | None = None
    found, gone = 0, False
    for stretch in stretches:
        heads: list[Head | None] = stretch.columns.get("heads", [])
        for i, mark in enumerate(stretch.marks):
            end = stretch.starts[i + 1] if i + 1 < len(stretch) else stretch.end
            span = Span(stretch.starts[i], end)
            if stretch.kinds[i] != BLOCK:
                if mark == GONE:
                    gone = True
                    _put(
                        tally,
                        rules.GAP,
                        span,
                        f"{counted(span.length, 'byte holds', 'bytes hold')} no block",
                        {"length": span.length},
                        "lost",
                    )
                continue
            found += 1
            head = heads[i]
            _mark(blocks, tally, span, mark, head)
            if head is None:
                gone = True
            elif mark != TRUNCATED:
                _order(tally, span, before, head, gone)
                before, gone = head, False
    if blocks.latest:
        _latest(blocks, tally)
        return
    if blocks.claimed != found:
        evidence = {"stored": blocks.claimed, "found": found}
        span = Span(0, min(8, blocks.source.length("")))
        _put(
            tally, rules.COUNT, span, f"the count says {blocks.claimed}, {found} blocks are here", evidence, "corrected"
        )
    _name(blocks, tally)


def _put(
    tally: Tally,
    rule: Rule,
    span: Span,
    message: str,
    evidence: Evidence,
    salvage: Salvage | None,
    cause: Cause = UNKNOWN_CAUSE,
) -> None:
    tally.add(rule, lambda: Finding(rule, span, message, evidence, cause, salvage))


def _mark(blocks: Blocks, tally: Tally, span: Span, mark: int, head: Head | None) -> None:
    height = head.height if head else None
    if mark == TRUNCATED:
        message = f"block {height} ends after {span.length} bytes"
        _put(tally, rules.TRUNCATED, span, message, {"height": height, "left": span.length}, "lost", _CUT)
    elif mark == MALFORMED:
        why = why_malformed(blocks, span.start, span.end, head) or "nothing confirms where it ends"
        name = "a block" if height is None else f"block {height}"
        message = f"{name} of {span.length} bytes cannot be taken apart: {why}"
        evidence: Evidence = {"height": height, "length": span.length, "why": why}
        cause, more = _flip(blocks, span) if head is None else (UNKNOWN_CAUSE, {})
        _put(tally, rules.MALFORMED, span, message, {**evidence, **more}, "lost", cause)


def _flip(blocks: Blocks, span: Span) -> tuple[Cause, Evidence]:
    """One flipped bit in a field whose value is known, where that is all that is wrong."""
    found = flipped(blocks.source.read(span.start + 8, HEAD_SIZE), blocks.network)
    if found is None:
        return UNKNOWN_CAUSE, {}
    place, bit = span.start + 8 + found[0], found[1]
    cause = Cause("bit-flip", "possible", f"bit {bit} of byte {place} is all that is wrong with its fixed fields")
    return cause, {"flip_at": place, "flip_bit": bit}


def _order(tally: Tally, span: Span, before: Head | None, head: Head, gone: bool) -> None:
    """`gone`: what lies between the two holds no block that can be read, and may have been the missing ones."""
    if before is None:
        return
    if head.height != before.height + 1:
        evidence: Evidence = {"height": head.height, "expected": before.height + 1}
        message = f"block {head.height} follows block {before.height}"
        _put(
            tally,
            rules.HEIGHT,
            span,
            message,
            evidence,
            None,
            _BEHIND if gone and head.height > before.height else _MOVED,
        )
        return
    if head.previous != before.hash:
        message = f"block {head.height} names {block_name(head.previous)} as its predecessor, not the block before it"
        _put(tally, rules.LINK, span, message, {"height": head.height}, "kept")
    faults = []
    if head.round <= before.round:
        faults.append(f"round {head.round} after {before.round}")
    if head.timestamp < before.timestamp:
        faults.append(f"timestamp {head.timestamp} after {before.timestamp}")
    if head.network != before.network:
        faults.append(f"network {head.network} after {before.network}")
    if faults:
        message = f"block {head.height}: {', '.join(faults)}"
        _put(tally, rules.FIELD, span, message, {"height": head.height}, "kept")


def _name(blocks: Blocks, tally: Tally) -> None:
    good = [h for h, mark in zip(blocks.heights, blocks.marks, strict=True) if mark == SOUND]
    if blocks.named is None or not good:
        return
    start, end = blocks.named
    if min(good) != start or max(good) != end - 1:
        evidence: Evidence = {"named": [start, end], "first": min(good), "last": max(good)}
        message = f"the name says heights {start} to {end - 1}, whole blocks are from {min(good)} to {max(good)}"
        _put(tally, rules.NAME, Span(0, 0), message, evidence, "kept")


def _latest(blocks: Blocks, tally: Tally) -> None:
    why = blocks.latest_why
    if why or blocks.latest_text is None:
        span = Span(0, blocks.source.length(""))
        _put(tally, rules.LATEST, span, f"latest.json: {why or 'it is empty'}", {"why": why}, "lost")


def answer(blocks: Blocks, tally: Tally) -> Answer:
    good = [h for h, mark in zip(blocks.heights, blocks.marks, strict=True) if mark == SOUND]
    summary: dict[str, Any] = {
        "kind": "latest" if blocks.latest else "blocks",
        "network": None if blocks.network is None else network_name(blocks.network),
        "count": blocks.claimed,
        "blocks": len(good),
        "first_height": min(good, default=None),
        "last_height": max(good, default=None),
        "latest": blocks.latest_text,
    }
    if blocks.latest:
        words = (f"The CDN's newest state: {blocks.latest_text}." if not tally.total else "latest.json is damaged.",)
    elif not tally.total:
        words = (f"All {len(good)} blocks are here and linked. Their hashes can only be verified by a node.",)
    else:
        words = (f"{len(good)} of {blocks.claimed} blocks are whole. Their hashes can only be verified by a node.",)
    # a node checks every hash, and what lies inside a block only it can tell
    outcome = (
        "syncs these blocks if their hashes hold"
        if not tally.total
        else "stops the CDN sync at this file, goes on with peers"
    )
    following = _following(blocks) if tally.total and good else ()
    version = "CDN latest.json" if blocks.latest else "CDN block file"
    loaders = (Outcome("snarkOS --cdn", "2.2.7 to 4.x", outcome),)
    return Answer(version, "framing and block headers", words, summary, loaders, following)


def _following(blocks: Blocks) -> tuple[str, ...]:
    """A repair, and what gives out the whole blocks that it leaves out."""
    run = best_run(blocks)
    left = [
        f"inspector extract {{path}} {range_name(first, last)} -o {first}.{last + 1}.blocks"
        for first, last in others(blocks, run)[:TOLD]
    ]
    return ("inspector repair {path} -o {path}.repaired", *left)


def compare(found: list[tuple[str, int, int, Blocks]]) -> tuple[str, ...]:
    """Whether several files follow each other without a gap; each is held against the one that reaches furthest."""
    spans = []
    for label, _, _, blocks in found:
        good = [h for h, mark in zip(blocks.heights, blocks.marks, strict=True) if mark == SOUND]
        if good:
            spans.append((min(good), max(good), label))
    lines: list[str] = []
    reach, left = -1, ""
    for first, last, right in sorted(spans):
        if left and first > reach + 1:
            lines.append(f"blocks {reach + 1} to {first - 1} are missing between {left} and {right}")
        elif left and first <= reach:
            lines.append(f"{left} and {right} both hold blocks {first} to {min(reach, last)}")
        if last > reach:
            reach, left = last, right
    return tuple(lines)
