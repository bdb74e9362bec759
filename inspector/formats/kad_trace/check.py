"""Findings: what became of each bootstrap, invariants that lines break, and bytes that are no text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import partial

from inspector.counted import counted
from inspector.finding import UNKNOWN_CAUSE, Cause, Evidence, Finding, Rule, Tally
from inspector.format import Stretch
from inspector.formats.kad_trace import rules
from inspector.formats.kad_trace.bootstrap import Bootstrap, judge
from inspector.formats.kad_trace.clock import MICRO, show_time
from inspector.formats.kad_trace.packed import Member
from inspector.formats.kad_trace.state import KIND_LONG, KIND_UNREADABLE, KIND_ZEROES, Damage, State
from inspector.formats.kad_trace.tracker import Breach
from inspector.span import Span

_RUNS = re.compile(rb"\x00{64,}|\xff{64,}")
PADDED = 512  # fewer zeroes at the end of a file may be padding
MAX_SEARCHED = 4 << 20  # bytes of a packed member that are searched for them
MAX_NAMED = 10  # offsets of I/O errors in the evidence of one stall
RULE_OF = {
    "stalled": rules.STALLED,
    "slow": rules.SLOW,
    "timed out": rules.GAVE_UP,
    "no peers": rules.NO_PEERS,
}
DAMAGE_RULE = {KIND_UNREADABLE: rules.UNREADABLE, KIND_ZEROES: rules.ZEROES, KIND_LONG: rules.LONG}


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    """Wrong bytes and broken invariants are told as they pass; what became of a bootstrap is known at the end."""
    for _ in stretches:
        _drain(state, tally, 1)  # the last damage may go on in the next stretch
    _drain(state, tally, 0)
    if state.backwards:
        message = "the newest lines stand first: bootstraps cannot be followed"
        tally.put(finding_at(state, rules.CLOCK, 0, state.text_size, message, {"lines": state.lines}))
    elif state.mixed:
        message = f"lines of {len(state.mixed)} programs stand among each other: bootstraps cannot be followed"
        tally.put(finding_at(state, rules.CLOCK, 0, state.text_size, message, {"programs": len(state.mixed)}))
    elif state.columns:
        message = f"lines are broken at {state.columns.width} columns: bootstraps cannot be followed"
        tally.put(finding_at(state, rules.CLOCK, 0, state.text_size, message, {"columns": state.columns.width}))
    if (mixing := state.tracker.mixing).seen:
        message = "steps go on where those of another node broke in: logs of two nodes seem to be put together"
        found = {"crossings": mixing.crossings}
        tally.put(finding_at(state, rules.CLOCK, mixing.first, mixing.first, message, found))
    for boot in state.tracker.finish():
        for finding in _boot(state, boot):
            tally.put(finding)
    for finding in _packed(state):
        tally.put(finding)


def _drain(state: State, tally: Tally, keep: int) -> None:
    tracker = state.tracker
    for breach in tracker.breaches:
        tally.add(rules.OF_INVARIANT[breach.name], partial(_breach, state, breach))
    tracker.breaches.clear()
    for damage in state.damage[: len(state.damage) - keep]:
        tally.add(DAMAGE_RULE[damage.kind], partial(_damage, state, damage))
    del state.damage[: len(state.damage) - keep]


def _breach(state: State, breach: Breach) -> Finding:
    evidence = {"invariant": breach.name, "bootstrap": breach.boot or None}
    return finding_at(state, rules.OF_INVARIANT[breach.name], breach.start, breach.end, breach.message, evidence)


def finding_at(
    state: State, rule: Rule, start: int, end: int, message: str, evidence: Evidence, cause: Cause = UNKNOWN_CAUSE
) -> Finding:
    """A finding about text: in a packed log the offsets are those of the unpacked text, and no bytes of the file."""
    if state.packed:
        told = {**evidence, "text_start": start, "text_end": end, "offsets_of": state.offsets}
        return Finding(rule, Span(0, 0), f"{message} (at {start} of the unpacked text)", told, cause, bytes_known=False)
    return Finding(rule, Span(start, end), message, evidence, cause)


def _boot(state: State, boot: Bootstrap) -> Iterator[Finding]:
    verdict = judge(boot, state.limits)
    last = boot.last_step
    start, end = (last.good_start, last.good_end) if last else (boot.start, boot.start_end)
    if verdict in RULE_OF:
        cause = _cause(boot) if verdict in ("stalled", "slow") else UNKNOWN_CAUSE
        yield finding_at(state, RULE_OF[verdict], start, end, _message(boot, verdict), evidence(state, boot), cause)
    if verdict == "finished" and boot.step_count == 1 and last and not last.ok:
        message = f"{boot.id}: the only step timed out"
        yield finding_at(state, rules.FIRST_STEP, start, end, message, evidence(state, boot))


def _message(boot: Bootstrap, verdict: str) -> str:
    last = last_told(boot)
    if verdict == "no peers":
        return f"{boot.id}: no known peers, the bootstrap did not start"
    if verdict == "timed out":
        return f"{boot.id}: the application gave up after {last}"
    silence = f"{boot.gap:.1f} s" if boot.gap is not None else "an unknown time"
    if verdict == "slow":
        return f"{boot.id}: no progress for {silence} after {last}, when the log ends"
    until = "until the process was started again" if boot.ending == "restart" else "and it never ended"
    return f"{boot.id}: no progress for {silence} after {last}, {until}"


def last_told(boot: Bootstrap) -> str:
    """The last step, counted from 1; with the log's own number, which counts good steps from 0, where it has one."""
    if not boot.last_step:
        return "its start"
    of = f" of {boot.expected}" if boot.expected else ""
    own = boot.last_step.app_step if boot.last_step.app_step is not None else _app_number(boot)
    told = f"step {boot.last_step.count}{of}" + (f" (bootstrap_step={own})" if own is not None else "")
    return told + (f", or one that {counted(boot.hidden, 'byte')} of no text hide" if boot.hidden else "")


def _cause(boot: Bootstrap) -> Cause:
    """The bytes of a log tell that it stopped, not why."""
    if boot.ending == "restart":
        return Cause("unknown", "possible", "the process may also have been down for a part of the silence")
    return Cause("unknown", "likely", "a log shows that progress stopped, not why (inspector explain KDT001)")


def evidence(state: State, boot: Bootstrap) -> dict[str, int | str | float | bool | list[int] | list[str] | None]:
    last = boot.last_step
    near = _near(state, boot)
    errors = len(state.tracker.io_at)
    seconds = state.tracker.seconds
    median = boot.median_gap
    return {
        "query": boot.query,
        "run": boot.run,
        "last_step": last.count if last else None,
        "last_app_step": last.app_step if last and last.app_step is not None else _app_number(boot),
        "expected_steps": boot.expected,
        "last_good_offset": last.good_start if last else None,
        "resume_offset": boot.resume,
        "last_event_offset": last.start if last else boot.start,
        "line": last.line if last else boot.line,
        "gap_seconds": _round(boot.gap),
        "median_gap_seconds": _round(median),
        "longest_gap_seconds": _round(boot.longest) if len(boot.steps) > 1 else None,
        "limit_seconds": _round(state.limits.limit(boot.subspace, boot.app_only, median)),
        "last_time": show_time(boot.last_time if boot.last_time is not None else boot.started),
        "ended_by": boot.ending,
        "offsets_of": state.offsets,
        "io_errors_near": len(near),
        "io_error_offsets": near[:MAX_NAMED],
        "io_errors_in_all": errors,
        "io_errors_per_minute_in_all": _round(errors * 60 / seconds) if seconds else None,
        "io_errors_are": "near in time; coincidence, not cause",
    }


def _app_number(boot: Bootstrap) -> int | None:
    return boot.last_step.count - 1 if boot.app_only and boot.last_step else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _near(state: State, boot: Bootstrap) -> list[int]:
    """Offsets of I/O errors from 10 s before to 60 s after the last step, by their times, in order of offset."""
    time = boot.last_time if boot.last_time is not None else boot.started
    if time is None:
        return []
    low = time - int(state.limits.near_before * MICRO)
    high = time + int(state.limits.near_after * MICRO)
    at, times = state.tracker.io_at, state.tracker.io_time
    # times are sorted but for noise: only the neighbourhood in the file is looked at
    middle = bisect_right(at, boot.resume)
    begin, end = max(0, middle - 5000), min(len(at), middle + 5000)
    found = [at[i] for i in range(begin, end) if low <= times[i] <= high]
    return found


def _damage(state: State, damage: Damage) -> Finding:
    length = damage.end - damage.start
    message = f"{counted(length, 'byte')} ({counted(damage.lines, 'line')}) are no text"
    cause = Cause("overwritten", "possible", "other bytes lie where text was")
    if damage.kind == KIND_ZEROES:
        aligned = next((a for a in (4096, 512) if damage.end % a == 0 or damage.start % a == 0), None)
        message = f"{length} zeroes"
        because = f"it begins or ends on a boundary of {aligned} bytes" if aligned else "only zeroes"
        cause = Cause("zeroed-range", "likely" if aligned else "possible", because)
    elif damage.kind == KIND_LONG:
        message = f"{length} bytes without a line end"
        cause = UNKNOWN_CAUSE
    found = {"length": length, "lines": damage.lines}
    rule = DAMAGE_RULE[damage.kind]
    if state.packed:
        return finding_at(state, rule, damage.start, damage.end, message, found, cause)
    return Finding(rule, Span(damage.start, damage.end), message, found, cause, "lost")


def _run(state: State, member: Member) -> Cause:
    """A run of zeroes or ones in a damaged member: packed text holds none."""
    data = state.source.read(member.start, min(member.end - member.start, MAX_SEARCHED))
    inside = (run for run in _RUNS.finditer(data) if run.end() < len(data) or run.end() - run.start() >= PADDED)
    found = max(inside, key=lambda run: run.end() - run.start(), default=None)
    if found is None:
        return UNKNOWN_CAUSE
    start, end, value = member.start + found.start(), member.start + found.end(), data[found.start()]
    because = f"bytes [{start}, {end}) are all {value:02x}, which packed text does not hold"
    return Cause("ones-range" if value else "zeroed-range", "likely", because)


def _packed(state: State) -> Iterator[Finding]:
    if not state.packed:
        return
    for member in state.unpacked.members:
        if member.problem:
            message = f"the gzip member at {member.start}: {member.problem}; {member.text_end} bytes of text were read"
            found = {"text_read": member.text_end - member.text_start, "text_end": member.text_end}
            cut = member.problem.startswith("it ends")
            cause = Cause("truncated", "likely", "the end of the member is missing") if cut else _run(state, member)
            yield Finding(rules.PACKED, Span(member.start, member.end), message, found, cause, "lost")
    size = state.source.size
    if state.unpacked.rest < size and state.unpacked.members:
        message = f"{size - state.unpacked.rest} bytes follow the last gzip member"
        yield Finding(rules.TRAILING, Span(state.unpacked.rest, size), message, {"length": size - state.unpacked.rest})
