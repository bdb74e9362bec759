"""One pass over a store: every finding, and the facts that loader, words and repair are built on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from inspector.catalogue import later
from inspector.finding import Severity, Tally
from inspector.format import Stretch
from inspector.formats.gossip_store.check import Checker
from inspector.formats.gossip_store.walk import Store
from inspector.formats.gossip_store.whole import whole_file

if TYPE_CHECKING:
    from inspector.formats.gossip_store.verifying import Verifier

tell_covered = later("inspector.formats.gossip_store.over_start", "finish")
tell_lone = later("inspector.formats.gossip_store.lone", "tell")  # few stores have any


def check(store: Store, stretches: Iterable[Stretch], tally: Tally) -> None:
    """Findings over the whole store; leaves the loader's facts and the counts in `store.facts`."""
    for fact in ("over_start", "covered"):  # of an earlier check
        store.facts.pop(fact, None)
    checker = Checker(store, tally)
    with ExitStack() as stack:
        verifier = None
        if store.wishes.verify_signatures:
            from inspector.formats.gossip_store.verifying import Verifier

            verifier = stack.enter_context(Verifier(store, checker.add))
        _pass(checker, stretches, verifier)
        if verifier is not None:
            store.facts["signatures"] = verifier.finish()
    for found in checker.owners.finish():
        checker.events(found, late=True)
    facts = checker.facts
    bare = facts.no_amount is not None or facts.no_amount_at_end is not None
    if "covered" in store.facts:
        tell_covered(checker)
    store.facts["lone"] = tell_lone(checker) if bare else 0
    whole_file(checker.add, store)
    store.facts |= {"loader": checker.facts, "channels": checker.owners.channels, "nodes": checker.owners.nodes}
    bad = tally.severity_count(Severity.ERROR) or tally.severity_count(Severity.WARNING)
    store.facts |= {"hurt": checker.hurt, "lost": checker.lost, "lost_bytes": checker.lost_bytes}
    store.facts |= {"damaged": bool(bad), "spilled": checker.owners.spilled, "events": checker.log}


def _pass(checker: Checker, stretches: Iterable[Stretch], verifier: Verifier | None) -> None:
    store = checker.store
    for stretch in stretches:
        batch = stretch.columns.get("batch")
        if "first" not in store.facts and stretch.start == store.start and len(stretch):
            end = stretch.starts[1] if len(stretch) > 1 else stretch.end
            store.facts["first"] = (stretch.start, end, stretch.kinds[0], stretch.marks[0])
        checker.stretch(stretch)
        if verifier is not None:
            verifier.stretch(stretch)
        if batch is not None:
            checker.previous_mark = stretch.marks[-1]
