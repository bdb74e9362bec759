"""Blocks as items: a line per range of whole heights and per damaged height; one block in full by its height."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from inspector.finding import Finding, Tally
from inspector.format import Item
from inspector.formats.snarkos import maps
from inspector.formats.snarkos.ledger import Ledger, entries
from inspector.formats.snarkos.reading import MalformedError
from inspector.formats.snarkos.verdict import Verdict, judge_ledger
from inspector.span import Span

_OF_BLOCK: Final = (6, 7, 9, 10, 12, 14, 15)  # maps keyed by block hash
_OF_HEIGHT: Final = (2, 4, 21)
MAX_DAMAGED: Final = 10_000


def items(ledger: Ledger) -> Iterator[Item]:
    """Ranges of whole blocks and single damaged ones, in order of height."""
    tally = Tally(MAX_DAMAGED)
    verdict = judge_ledger(ledger, tally)
    why = _reasons(tally)
    at = 0
    for start, end in verdict.judge.bad.ranges():
        if at < start:
            yield _whole(at, min(start, verdict.blocks))
        if end - start > 1 and not any(h in why for h in range(start, min(end, start + 1000))):
            yield Item(
                f"blocks:{start}-{end - 1}", "missing blocks", None, {"from": start, "to": end - 1, "state": "damaged"}
            )
        else:
            for height in range(start, min(end, start + MAX_DAMAGED)):
                yield _damaged(height, verdict, why.get(height, []))
        at = end
    if at < verdict.blocks:
        yield _whole(at, verdict.blocks)


def _whole(start: int, end: int) -> Item:
    fields = {"from": start, "to": end - 1, "blocks": end - start, "state": "whole"}
    return Item(f"blocks:{start}-{end - 1}", "blocks", None, fields)


def _damaged(height: int, verdict: Verdict, found: list[Finding]) -> Item:
    tip = verdict.judge.tip
    state = "not finalised" if tip is not None and height > tip else "damaged"
    fields = {"height": height, "state": state, "findings": [f"{f.rule.code}: {f.message}" for f in found[:20]]}
    spans = {f.span for f in found if f.bytes_known}
    return Item(f"block:{height}", "block", None, fields, tuple(sorted(spans))[:20])


def _reasons(tally: Tally) -> dict[int, list[Finding]]:
    found: dict[int, list[Finding]] = {}
    for finding in tally.findings():
        height = finding.evidence.get("height")
        if isinstance(height, int):
            found.setdefault(height, []).append(finding)
    return found


def item(ledger: Ledger, wanted: str) -> Item | None:
    """`block:N`: everything that the maps hold under its height and its hash, decoded."""
    kind, _, text = wanted.partition(":")
    if kind != "block" or not text.isdecimal() or int(text) >= 1 << 32:
        return None
    height = int(text)
    tally = Tally(MAX_DAMAGED)
    verdict = judge_ledger(ledger, tally)
    hashes, rows, spans = _rows_of(ledger, verdict, height)
    if not rows:
        return None
    fields: dict[str, Any] = {"height": height, "hashes": sorted(h.hex() for h in hashes), **rows}
    fields["findings"] = [f"{f.rule.code}: {f.message}" for f in _reasons(tally).get(height, [])]
    return Item(wanted, "block", None, fields, tuple(spans))


def _rows_of(ledger: Ledger, verdict: Verdict, height: int) -> tuple[set[bytes], dict[str, Any], list[Span]]:
    """Rows under the height; maps 4 and 5 come before the ones keyed by hash, so one pass is enough."""
    own = height.to_bytes(4, "little")
    hashes: set[bytes] = set()
    rows: dict[str, Any] = {}
    spans: list[Span] = []
    network = verdict.network.id
    for key, value, place in entries(ledger):
        try:
            owner, number, inner = maps.split(key)
        except MalformedError:
            continue  # it has its own finding
        if owner != network:
            continue
        if number == 4 and inner == own:
            hashes.add(value)
        elif number == 5 and value == own:
            hashes.add(inner)
        if (number in _OF_HEIGHT and inner == own) or (number in _OF_BLOCK and inner in hashes):
            rows[maps.name_of(number)] = _decoded(number, value)
            spans.append(place)
    return hashes, rows, spans


def _decoded(number: int, value: bytes) -> Any:
    try:
        return maps.decode_value(number, value)
    except MalformedError as error:
        return {"malformed": error.why, "hex": value[:64].hex()}
