"""Sequence numbers along the WALs: what is missing between two records, and records that stand where they cannot be."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from inspector.counted import counted
from inspector.finding import Cause, Evidence, Finding, Severity, Tally
from inspector.formats.rocksdb.database import Database
from inspector.formats.rocksdb.facts import LogFacts
from inspector.formats.rocksdb.rules import BY_CODE
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.rocksdb import exchanged, order
    from inspector.formats.rocksdb.order import Run
else:
    from inspector.postponed import Postponed

    exchanged = Postponed("inspector.formats.rocksdb.exchanged")
    order = Postponed("inspector.formats.rocksdb.order")

MAX_TOLD: Final = 1000  # runs, and gaps, of one WAL
_STALE: Final = Cause("stale-page", "likely", "sound records of an earlier place, or of an earlier time, stand here")
_TWICE: Final = Cause("shifted", "likely", "behind them the log goes on with the number that was due: they were put in")
_MOVED: Final = Cause("swapped", "certain", "their numbers are missing elsewhere in the log, and stand nowhere else")


def along(db: Database, member: str, facts: LogFacts, severity: Severity | None, tally: Tally) -> None:
    """Jumps of one WAL; `severity` is given where the database does not need this file."""
    gaps = facts.jumps
    if any(found < due for _, due, found in facts.jumps):
        for run in order.runs(db, member)[:MAX_TOLD]:
            if run.fate == "lost" and exchanged.found(db, member):
                run = replace(run, fate="moved")
            tally.put(_out_of_order(member, run, severity))
        gaps = list(order.order_of(db, member).gaps)
    for at, due, found in gaps[:MAX_TOLD]:
        gone = counted(found - due, "operation is", "operations are")
        message = f"sequence numbers go from {due} to {found}: {gone} not here"
        tally.put(Finding(BY_CODE["RDB025"], Span(at, at, member), message, {"expected": due, "found": found}))


def _out_of_order(member: str, run: Run, severity: Severity | None) -> Finding:
    begin = counted(run.records, "record begins", "records begin")
    again = "again " if run.first < run.due else ""
    message = f"{begin} {again}at sequence number {run.first}, {run.due} was due"
    evidence: Evidence = {"expected": run.due, "found": run.first, "records": run.records, "resumed": run.resumed}
    why, salvage = _STALE, "lost"
    if run.fate == "moved":
        what = counted(run.records, "record", "records")
        message = f"{what} from number {run.first} on, not where these numbers are missing: a repair puts them back"
        why, salvage = _MOVED, "corrected"
        severity = severity or Severity.WARNING
    elif run.resumed == run.due:
        message += "; none is missing behind them"
        why, salvage = _TWICE, "kept"
        severity = severity or Severity.WARNING
    elif run.resumed is not None:
        message += f"; {counted(run.resumed - run.due, 'operation', 'operations')} that stood here are lost"
    span = Span(run.start, run.end, member)
    return Finding(BY_CODE["RDB040"], span, message, evidence, why, salvage, severity)  # type: ignore[arg-type]


def across(db: Database, tally: Tally) -> None:
    """The same from one live WAL to the next."""
    for (_, before), (_, after) in itertools.pairwise(db.live_wals()):
        left, right = db.facts.get(before), db.facts.get(after)
        if not isinstance(left, LogFacts) or not isinstance(right, LogFacts):
            continue
        due, found = left.next_sequence, right.first_sequence
        if due is None or found is None:
            continue
        evidence: Evidence = {"expected": due, "found": found}
        if found > due:
            message = f"from {before} to {after} sequence numbers go from {due} to {found}"
            tally.put(Finding(BY_CODE["RDB025"], Span(0, 0, after), message, evidence))
        elif right.highest and found <= left.highest:
            message = f"{after} begins at sequence number {found}, {due} was due: another WAL stands here"
            span = Span(0, db.size(after), after)
            tally.put(Finding(BY_CODE["RDB040"], span, message, evidence, _STALE, "lost"))
