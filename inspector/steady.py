"""A folder as it was at one moment, while its program goes on writing it: the same files, all held open.

A database adds files, switches its MANIFEST and deletes what it has compacted. A name that went away between the list
and the reading would look like loss. So the list is made twice around opening everything: where both agree, what the
descriptors hold belongs together, whatever becomes of the names.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from functools import partial

from inspector.account import Progress
from inspector.catalogue import Formats
from inspector.errors import OutOfTime, SourceError
from inspector.finding import Finding, Severity
from inspector.format import Wishes
from inspector.inspect import CHANGED, LATE, TRANSIENT, Report, detect
from inspector.inspect import inspect as look
from inspector.source import Drift, Member, Source, open_source
from inspector.span import Span

TRIES = 50
WAIT = 0.02  # seconds before the next try: a flush or compaction changes several names within milliseconds
SPARE = 128  # descriptors for everything else
LOOKS = (0.05, 0.25, 1.0)  # seconds before each further look at a folder in which something is wrong
# to files that are held: an append shows in the time before it shows in the size, tables are never written twice
HARMLESS: frozenset[Drift] = frozenset({"grew", "written", "removed"})
SAID = 16  # places that healed which get a note each


def inspect(
    source: Source,
    formats: Formats,
    wishes: Wishes | None,
    forced: str | None,
    keep: int,
    progress: Progress | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """One inspection of a folder; where its program is at work, of one moment of it, and twice before it is damage."""
    chain, claim = detect(source, formats, forced)
    if not forced:
        source.settled = (chain[-1].name, claim.strength, claim.because)

    def look_at(stand: Source) -> Report:
        return look(stand, formats, wishes, forced, keep, progress)

    owner = chain[-1].busy(source) if chain[-1].busy else None
    held = _stand(source, sleep) if owner else None
    try:
        report = look_at(held or source)
    except SourceError:
        if held is None and not source.still_same():  # files went away between the list and the reading
            held = _stand(source, sleep)
        if held is None:
            raise
        report = look_at(held)
    if held is None and source.drift and report.partial == source.changed:
        held = _stand(source, sleep)  # its program was not visible, its work was
        report = look_at(held) if held else report
    if held is None or _late(report):
        return report
    try:
        return _told(_settled(report, source, look_at, sleep), report, owner, source)
    except OutOfTime:  # the first look stands
        report.partial = LATE
        return report


def _settled(
    report: Report, source: Source, look_at: Callable[[Source], Report], sleep: Callable[[float], None]
) -> Report:
    """Looked at again until two looks agree, or nothing is wrong."""
    for wait in LOOKS:
        if not report.damaged and report.source.drift <= HARMLESS:
            break
        sleep(wait)
        stand = _stand(source, sleep)
        if stand is None:
            break
        before, report = _wrong(report), look_at(stand)
        if _late(report) or (_wrong(report) == before and report.source.drift <= HARMLESS):
            break
    return report


def _told(report: Report, first: Report, owner: str | None, asked: Source) -> Report:
    """What a scan says of a folder in use: which moment of it was judged, and what healed meanwhile."""
    source = report.source
    if source.drift <= HARMLESS and not _late(report):
        report.partial = ""
    # no database cuts a file that it needs: what stood behind the cut was there, and is in no later look
    if (cut := next((one for one in (asked, first.source) if "shrank" in one.drift), None)) and not report.partial:
        report.partial = cut.changed
        report.tally.put(Finding(CHANGED, Span(0, 0), cut.changed, bytes_known=False))
    still = _wrong(report)
    healed = [found for key, found in _wrong(first).items() if key not in still]
    for found in healed[:SAID]:
        text = f"at first {found.rule.code}: {found.message}; read again it verifies"
        report.tally.put(Finding(TRANSIENT, found.span, text, {"first_rule": found.rule.code}))
    report.live = {
        "changed": source.changed or asked.changed,
        "users": [owner] if owner else [],
        "held": len(source.members),
        "transient": len(healed),
    }
    return report


def _late(report: Report) -> bool:
    return bool(report.partial) and report.partial != report.source.changed


def _wrong(report: Report) -> dict[tuple[str, str, int, int], Finding]:
    found = (f for f in report.tally.findings() if f.level is not Severity.NOTE)
    return {(f.rule.code, f.span.member, f.span.start, f.span.end): f for f in found}


def _stand(source: Source, sleep: Callable[[float], None]) -> Source | None:
    """The folder as it is now, held open, in the place of `source`; closed with it."""
    assert source.path is not None
    stand = steady(str(source.path), sleep, source.again)
    if stand is not None:
        stand.label, stand.settled = source.label, source.settled
        source.later.append(stand)
    return stand


def steady(
    path: str, sleep: Callable[[float], None] = time.sleep, again: Callable[[], Source] | None = None
) -> Source | None:
    """The folder with every file held open; None where its names never stood still, or there are too many."""
    again = again or partial(open_source, path)
    for _ in range(TRIES):
        source = again()
        if not _held(source):
            source.close()
            return None
        if _same_names(source, path, again):
            return source
        source.close()
        sleep(WAIT)
    return None


def _held(source: Source) -> bool:
    """Open all that may be opened; a name that is gone is left to `_same_names`. False where there are too many."""
    wanted = [m for m in source.members if not m.secret]
    if len(wanted) + SPARE > _room(len(wanted) + SPARE):
        return False
    source.hold = max(source.hold, len(wanted))
    for member in wanted:
        try:
            source._fd(member.name)
        except SourceError:
            continue
    return True


def _room(wanted: int) -> int:
    """How many descriptors this process may have, after asking for as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft


def _same_names(source: Source, path: str, again: Callable[[], Source]) -> bool:
    """Whether each name still stands for the file that is held, and no other came."""
    with again() as now:
        if [m.name for m in now.members] != [m.name for m in source.members]:
            return False
    return all(_is(source, member, path) for member in source.members if not member.secret)


def _is(source: Source, member: Member, path: str) -> bool:
    fd = source._files.get(member.name)
    try:
        return fd is not None and os.path.samestat(os.stat(os.path.join(path, member.name)), os.fstat(fd))  # noqa: PTH116, PTH118  the fault tests replace os.stat
    except OSError:
        return False
