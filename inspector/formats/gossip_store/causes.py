"""Causes that a record's own bytes, or the rule it breaks, allow to be named."""

from __future__ import annotations

from typing import Any

from inspector.finding import Cause
from inspector.formats.gossip_store import versions
from inspector.formats.gossip_store.evidence import Run, longest_run
from inspector.formats.gossip_store.hurt import Hurt
from inspector.formats.gossip_store.walk import Store
from inspector.span import Span

Told = tuple[Cause, dict[str, Any]]


def torn(store: Store, span: Span) -> Cause:
    """An append that stopped, or a file that was cut: from version 15 on a finished record says that it is one."""
    first = store.source.read(span.start, 1)
    if first and versions.has_completed(store.version) and first[0] & versions.COMPLETED >> 8:
        return Cause("truncated", "likely", "COMPLETED is set: the record was whole once, and the file was cut later")
    return Cause("torn-write", "likely", "an append that did not finish: disk full, power cut or a killed process")


def run_cause(store: Store, span: Span) -> Told:
    run = longest_run(store.source, span.start, span.end)
    if run is None or run.end - run.start < 64:
        return Cause("unknown", "possible", "nothing in these bytes tells"), {"length": span.length}
    return run.cause(), {"run_start": run.start, "run_end": run.end, "run_value": run.value, "length": span.length}


def zero_cause(span: Span) -> Told:
    """For a stretch that is known to be zero from end to end."""
    if span.length < 64:
        return Cause("zeroed-range", "likely", f"all {span.length} bytes are zero"), {"length": span.length}
    run = Run(span.start, span.end, 0)
    return run.cause(alone=True), {"run_start": run.start, "run_end": run.end, "run_value": 0, "length": span.length}


def anchored() -> Told:
    return Cause("unknown", "possible", "genuine if the damaged record's length is wrong, planted otherwise"), {}


def writer() -> Told:
    return Cause("software-rule-violation", "likely", "the checksum is right: it was written this way"), {}


def unfinished() -> Told:
    return Cause(
        "software-rule-violation", "possible", "each record is whole; the writer stopped, or wrote it twice"
    ), {}


def lacking(hurt: Hurt, at: int) -> Told:
    """Why the record at `at` lacks one before it: it is the writer's doing only where all before it verifies."""
    first = hurt.first
    if first is None or first >= at:
        return unfinished()
    return Cause("unknown", "possible", "what it lacks may have stood in the damaged bytes before it"), {}


def unfinished_flag(flags: int, store: Store, span: Span) -> Told:
    """Why COMPLETED is missing: an append that stopped, which is sure of the last record alone."""
    told: dict[str, Any] = {"flags": flags}
    if flags & versions.unknown_bits(store.version):
        return Cause("multi-bit", "possible", "the flags miss COMPLETED and hold bits that no release sets"), told
    if span.end < store.size:
        because = "the flag that completes it was not written, though what follows was; or one bit flipped"
        return Cause("torn-write", "possible", because), told
    return Cause("torn-write", "likely", "the body was written, the flag that completes it was not"), told


def flag_bits() -> Told:
    return Cause("bit-flip", "possible", "flags are covered by no checksum"), {}


def legal() -> Told:
    return Cause("unknown", "certain", "legal"), {}


def missing() -> Told:
    return Cause("unknown", "possible", "it was overwritten, damaged or never written"), {}
