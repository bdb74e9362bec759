"""An announcement that was written over the first record, and is as long as that was: no byte tells, its company does.

What releases before v25.02 appended at offset 1 covers what was there (lightning#8053). Where both are announcements of
one length, all records verify and the channel is announced twice; but behind the first stand the amount and the
updates of another channel.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from inspector.finding import Cause
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.known import scid_of
from inspector.formats.gossip_store.walk import UPDATE, Store, walk
from inspector.span import Span

AMOUNT = b"\x10\x05"
ASKED = "over_start"  # the fact: where the genuine announcement stands, None where the first record is no copy
_HEADER = SEALED_HEADER.size


def tell(store: Store, at: int, add: Callable[..., None]) -> bool:
    """Tell of the first record by `add`, where it is a copy of the announcement at `at` whose channel begins there.

    Only the first that repeats it is asked: each question may read all that stands before.
    """
    if ASKED in store.facts:
        return False
    store.facts[ASKED] = None
    first, other = _announced(store, store.start), _announced(store, at)
    if first[0] != other[0] or not first[1] or not other[1] or first[1] == other[1]:
        return False  # other features, or one channel's amount behind both: written twice
    if _updated(store, at, scid_of(first[0])):
        return False
    span = Span(store.start, store.start + _HEADER + len(first[0]))
    because = f"the announcement at {at}, with its own amount and updates, stands here with another channel's"
    why = Cause("overwritten", "likely", because), {"record_end": span.end, "other": at}
    add("overwritten-start", span, f"the announcement of {at} stands here, over another", lambda: why, None, "lost")
    store.facts[ASKED] = at  # for the repair
    return True


def covering(store: Store, facts: Mapping[str, Any]) -> frozenset[int]:
    """Where the copy and the amount behind it stand, if a check told of them."""
    if facts.get(ASKED) is None:
        return frozenset()
    length = SEALED_HEADER.unpack(store.source.read(store.start, _HEADER))[1]
    return frozenset((store.start, store.start + _HEADER + length))


def _announced(store: Store, at: int) -> tuple[bytes, bytes]:
    """An announcement's body and that of the amount behind it, empty where none stands there."""
    length = SEALED_HEADER.unpack(store.source.read(at, _HEADER))[1]
    raw = store.source.read(at + _HEADER, length + _HEADER + 10)
    amount = raw[length + _HEADER :]
    return raw[:length], amount if amount[:2] == AMOUNT else b""


def _updated(store: Store, before: int, channel: int) -> bool:
    """Whether an update of the channel, also a deleted one, stands before a place: then it was announced by then."""
    for stretch in walk(replace(store, facts={}, ribbon=array("Q")), judged=False):
        if stretch.start >= before:
            return False
        batch = stretch.columns.get("batch")
        if batch is not None and batch.owners.count(channel):
            named = zip(batch.starts, batch.kinds, batch.owners, strict=True)
            if any(owner == channel and kind == UPDATE and at < before for at, kind, owner in named):
                return True
    return False
