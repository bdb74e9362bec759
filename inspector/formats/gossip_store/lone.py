"""Announcements that lost their amount: lightningd cannot use them, so the channel is lost unless it stands elsewhere.

gossmap takes such a record in and aborts when it is asked for the capacity (gossmap.c:1497); nobody signs an amount,
and no other record has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from inspector.catalogue import later
from inspector.finding import Cause, Tally
from inspector.formats.gossip_store.causes import unfinished
from inspector.formats.gossip_store.events import ANNOUNCEMENT_WITHOUT_AMOUNT, DUPLICATE_ANNOUNCEMENT, EVENTS

if TYPE_CHECKING:
    from inspector.formats.gossip_store.check import Checker
    from inspector.formats.gossip_store.mending import Mending

BARE = 100_000  # of which it is remembered whether their channel stands elsewhere
Event = tuple[int, int, int]  # as `EventLog` gives them
CODE = "GSP014"

comes_back = later("inspector.formats.gossip_store.mending", "comes_back")  # only damage asks for it


def elsewhere(events: Iterable[Event]) -> tuple[dict[int, int], set[int]]:
    """Of announcements without amount: whole second ones of their channels by the first, and those that are seconds.

    `events` is gone through twice. An announcement in neither is a channel that is lost.
    """
    bare: set[int] = set()
    for at, code, _ in events:
        if code == ANNOUNCEMENT_WITHOUT_AMOUNT and len(bare) < BARE:
            bare.add(at)
    whole: dict[int, int] = {}
    seconds: set[int] = set()
    for at, code, other in events if bare else ():
        if code == DUPLICATE_ANNOUNCEMENT and at in bare:
            seconds.add(at)
        elif code == DUPLICATE_ANNOUNCEMENT and other in bare:
            whole.setdefault(other, at)
    return whole, seconds


def tell(checker: Checker) -> int:
    """Add the finding of each announcement without its amount; returns how many channels stand nowhere else.

    Only the end of a store tells whether the channel is announced again, and what is damaged.
    """
    whole, seconds = elsewhere(checker.log)
    slug, text, _ = EVENTS[ANNOUNCEMENT_WITHOUT_AMOUNT]
    lost = 0
    for at, code, _ in checker.log:
        if code == ANNOUNCEMENT_WITHOUT_AMOUNT:
            kept = at in whole or at in seconds
            lost += not kept
            span = partial(checker.record_at, at)
            checker.add(slug, span, text, unfinished, mended=partial(_saved, checker, at, kept))
    return lost


def _saved(checker: Checker, at: int, kept: bool, why: Cause) -> Mending:
    """What a repair does with the channel of the announcement at `at`."""
    if kept or comes_back(checker.store, checker.hurt, checker.record_at(at)):
        return why, {}, "kept"
    return why, {}, "lost"


def words(lone: int, tally: Tally) -> str:
    """What is lost with amounts, of `lone` channels that are announced without one; "" for nothing."""
    told = [found for found in tally.findings() if found.rule.code == CODE]
    count = sum(n for (code, _), n in tally.counts.items() if code == CODE)
    all_told = len(told) == count
    lost = sum(found.salvage == "lost" for found in told) if all_told else lone  # a correction may bring some back
    if not lost:
        return ""
    most = "" if all_told else "at most "
    what = "1 channel whose amount is missing" if lost == 1 else f"{lost:,} channels whose amounts are missing"
    return f"{most}{what}"
