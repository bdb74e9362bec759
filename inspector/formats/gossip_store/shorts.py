"""Records that verify and are shorter than their type needs: counted at once, there may be one in every few bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from inspector.finding import Finding, Later, Tally
from inspector.formats.gossip_store import oddities as odd
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.causes import writer
from inspector.formats.gossip_store.kinds import kind_name
from inspector.formats.gossip_store.rules import BY_SLUG
from inspector.formats.gossip_store.structure import needs
from inspector.formats.gossip_store.walk import Store
from inspector.span import Span

DYING, UPDATES = 4106, (257, 258)
NEAR_END: Final = 1 << 18  # bytes that no message needs, whatever its own lengths say
LOOK: Final = 2048

Short = tuple[Span, int]  # a record and its type


def short_records(store: Store, batch: Any, bits: bytes, tally: Tally, fact: Callable[[str, int], None]) -> None:
    """Findings and facts for those that are not deleted; `bits` say what is odd about each record of the batch."""
    flags, kinds, starts = batch.flags, batch.kinds, batch.starts
    places = [i for i, found in enumerate(bits) if found & odd.SHORT and not flags[i] & versions.DELETED]
    if not places:
        return
    told: set[str] = set()
    for i in places:
        name = "short_dying" if kinds[i] == DYING else "short"
        if kinds[i] in UPDATES and starts[i] + NEAR_END > store.size:
            end = starts[i + 1] if i + 1 < len(bits) else batch.end
            past = starts[i] + 12 + _needed(store, Span(starts[i], end), kinds[i]) > store.size
            name = "short_at_end" if past else "short"
        if name not in told:
            told.add(name)
            fact(name, starts[i])

    def short(i: int) -> Short:
        return Span(starts[i], starts[i + 1] if i + 1 < len(bits) else batch.end), kinds[i]

    tally.add_each(BY_SLUG["record-too-short"], Later(places, short), partial(_finding, store))


def _needed(store: Store, span: Span, kind: int) -> int:
    return needs(kind, store.source.read(span.start + 12, min(span.length - 12, LOOK)), store.version)


def _finding(store: Store, record: Short) -> Finding:
    span, kind = record
    need, length = _needed(store, span, kind), span.length - 12
    text = f"{kind_name(kind)} has {length} bytes and needs {need}"
    why, _ = writer()
    return Finding(BY_SLUG["record-too-short"], span, text, {"length": length, "needed": need}, why, "lost")
