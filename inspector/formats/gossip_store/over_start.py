"""An announcement that was written over another record as long as itself: no byte tells, its company does.

What releases before v25.02 appended at offset 1 covers what was there (lightning#8053). Where both are announcements of
one length, all records verify and the channel is announced twice; but behind the first stand the amount and the
updates of another channel.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from inspector.crc32c import crc32c
from inspector.finding import Cause, Severity
from inspector.formats.gossip_store.causes import unfinished
from inspector.formats.gossip_store.events import DUPLICATE_ANNOUNCEMENT, EVENTS
from inspector.formats.gossip_store.kinds import SEALED_HEADER
from inspector.formats.gossip_store.known import scid_of
from inspector.formats.gossip_store.walk import AMOUNT_RECORD, UPDATE, Store, walk
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.gossip_store.check import Checker

AMOUNT = b"\x10\x05"
COVERED = "covered"  # the fact: announcements made again, and the first one where one of the two stands over a third
NONE = -1  # where neither does
MOST = 512  # that are asked for that: a store that was begun again has thousands, and none stands over another
ASKED = "over_start"  # the fact: where the genuine announcement stands, None where the first record is no copy
_HEADER = SEALED_HEADER.size
_OVER = Cause("overwritten", "likely", "of the two amounts one belongs to an announcement that is gone")


def tell(store: Store, at: int, other: int, add: Callable[..., None]) -> bool:
    """Whether of a channel announced at `other` and at `at` one of the two may be written over a third.

    The amounts behind them are not the same then: one of these belongs to what is gone. It is told by `add` where the
    first record is that; else `finish` tells it.
    """
    if other == store.start and _at_start(store, at, add):
        return True
    asked: dict[int, int] = store.facts.setdefault(COVERED, {})
    if len(asked) == MOST:
        return False
    one, two = _announced(store, other), _announced(store, at)
    plain = one[0] != two[0] or b"" in (one[1], two[1]) or one[1] == two[1]
    asked[at] = NONE if plain else other
    return not plain


def finish(checker: Checker) -> None:
    """Tell of all announcements made twice with two amounts, which only the end of a store settles.

    Where no channel has lost its announcement, as its updates would say, nothing is written over.
    """
    asked: dict[int, int] = checker.store.facts.get(COVERED, {})
    slug, text, _ = EVENTS[DUPLICATE_ANNOUNCEMENT]
    for at, other in asked.items():
        if other != NONE and checker.strays:
            told = f"{text.format(other=other)}, with another amount: one of the two stands over another channel's"
            checker.add(
                slug, checker.record_at(at), told, lambda: (_OVER, {}), Severity.ERROR, "lost", {"other": other}
            )
        elif other != NONE:
            asked[at] = NONE
            checker.add(
                slug, checker.record_at(at), text.format(other=other), unfinished, None, "kept", {"other": other}
            )


def lost(store: Store) -> int:
    """How many channels are gone under announcements of others, as a check told."""
    return (store.facts.get(ASKED) is not None) + len(covered(store.facts))


def turned(store: Store, facts: Mapping[str, Any]) -> dict[int, int]:
    """Of announcements made twice, by the first the second where that is the genuine one, as a check told.

    The updates of its channel stand behind that, and none before it. `store` is walked for them if there is any.
    """
    genuine: int | None = facts.get(ASKED)
    found = {} if genuine is None else {store.start: genuine}
    firsts = {scid_of(_announced(store, at)[0]): (first, at) for at, first in covered(facts).items()}
    before, behind = set[int](), set[int]()
    for stretch in walk(replace(store, facts={}, ribbon=array("Q")), judged=False) if firsts else ():
        batch = stretch.columns.get("batch")
        if batch is not None:
            for at, kind, owner in zip(batch.starts, batch.kinds, batch.owners, strict=True):
                if kind == UPDATE and owner in firsts:
                    (before if at < firsts[owner][1] else behind).add(owner)
    return found | dict(firsts[owner] for owner in behind - before)


def covered(facts: Mapping[str, Any]) -> dict[int, int]:
    """Of announcements made twice, the first by the second, where one of the two stands over a third."""
    return {at: first for at, first in facts.get(COVERED, {}).items() if first != NONE}


def _at_start(store: Store, at: int, add: Callable[..., None]) -> bool:
    """Tell of the first record, where it is a copy of the announcement at `at` whose channel begins there.

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


def covering(store: Store, facts: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Where each copy over another announcement stands, and the amount behind it, if a check told of it.

    A second one is none to a reader who takes the first.
    """
    lengths = ((at, SEALED_HEADER.unpack(store.source.read(at, _HEADER))[1]) for at in turned(store, facts))
    return [(at, at + _HEADER + length) for at, length in lengths]


def _announced(store: Store, at: int) -> tuple[bytes, bytes]:
    """An announcement's body and that of the amount behind it, empty where none that verifies stands there."""
    length = SEALED_HEADER.unpack(store.source.read(at, _HEADER))[1]
    raw = store.source.read(at + _HEADER, length + AMOUNT_RECORD)
    head, amount = raw[length : length + _HEADER], raw[length + _HEADER :]
    if len(head) < _HEADER or amount[:2] != AMOUNT:
        return raw[:length], b""
    _, claimed, stored, time = SEALED_HEADER.unpack(head)
    return raw[:length], amount if claimed == len(amount) and crc32c(amount, time) == stored else b""


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
