"""One bootstrap as its log tells it: its steps, how it ended, and the verdict.

Thresholds and invariants: a step of rust-libp2p's kad ends within one query timeout (40 s in Subspace, 60 s by
default), which is looked at whenever the swarm is polled; twice that covers the delays that were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from inspector.errors import UsageError
from inspector.formats.kad_trace.clock import MICRO

Verdict = Literal["finished", "stalled", "slow", "undetermined", "timed out", "no peers"]
Ending = Literal["open", "last", "said", "gave up", "no peers", "restart", "next"]
MAX_STEPS = 512  # kept of one bootstrap; a routing table has 256 buckets


class Thresholds(Struct, frozen=True):
    """Seconds; `query_timeout` None means 40 for Subspace and 60 for others, `stall` None the rule of `limit`."""

    query_timeout: float | None = None
    stall: float | None = None
    app_stall: float = 300.0  # without step lines: timed-out steps leave no line, several in a row hide minutes
    near_before: float = 10.0
    near_after: float = 60.0

    def timeout(self, subspace: bool) -> float:
        return self.query_timeout if self.query_timeout is not None else 40.0 if subspace else 60.0

    def limit(self, subspace: bool, app_only: bool, median_gap: float | None) -> float:
        """The silence that counts as a stall."""
        if self.stall is not None:
            return self.stall
        if app_only:
            return self.app_stall
        return max(2 * self.timeout(subspace), 5 * (median_gap or 0.0))


def thresholds(asked: Mapping[str, float]) -> Thresholds:
    """From `--threshold NAME=SECONDS`; an unknown name or a negative number is a usage error."""
    names = {name.replace("_", "-"): name for name in Thresholds.__struct_fields__}
    for name, value in asked.items():
        if name not in names:
            raise UsageError(f"no threshold is named {name}", "known: " + ", ".join(sorted(names)))
        if not value >= 0:
            raise UsageError(f"the threshold {name} is {value}, and must be a number of seconds")
    return Thresholds(**{names[name]: value for name, value in asked.items()})


class Step(Struct):
    """A completed step. The event line is [start, end); lines of the application about it extend `good_end`."""

    count: int
    ok: bool
    remaining: int | None
    time: int | None
    start: int
    end: int
    line: int
    took: int | None = None  # nanoseconds, from QueryStats
    gap: float | None = None  # seconds since the step before, by the log
    peer: str = ""
    good_start: int = 0  # start of the last line that belongs to this step
    good_end: int = 0
    app_step: int | None = None
    by_app: bool = False  # only a line of the application tells of it


class Bootstrap(Struct):
    """`query` is None where no line names it. Times are microseconds, offsets those of the text."""

    run: int
    query: int | None
    segment: int
    start: int
    start_end: int
    line: int
    started: int | None = None
    said_start: bool = False  # a line "Bootstrap started." belongs to it
    app_only: bool = False
    subspace: bool = False
    steps: list[Step] = field(default_factory=list)
    step_count: int = 0
    ok_steps: int = 0
    timeouts: int = 0
    app_steps: int = 0  # lines of the application about successful steps
    buckets: int | None = None  # B of invariant I5
    ending: Ending = "open"
    ended: int | None = None  # time of the line that ended it
    until: int | None = None  # latest time of the log that still belongs to it
    later_line: bool = False
    quiet: int | None = None  # since when it is known to be silent, where that is not the last step's time
    hidden: int = 0  # bytes behind its last step that are no text, while it was followed
    last_time: int | None = None
    longest: float = 0.0
    finish_line: tuple[int, int] | None = None
    number: int = 0  # in the order they began
    ticked: int = -1  # where the last line began that had been taken when `until` and `later_line` were set

    @property
    def id(self) -> str:
        return f"run{self.run}/" + (f"query{self.query}" if self.query is not None else f"at{self.start}")

    def is_of(self, run: int, segment: int) -> bool:
        return self.run == run and self.segment == segment

    @property
    def last_step(self) -> Step | None:
        return self.steps[-1] if self.steps else None

    @property
    def open(self) -> bool:
        return self.ending == "open"

    @property
    def expected(self) -> int | None:
        """Steps in all, where a line told how many remain."""
        return None if self.buckets is None else self.buckets + 1

    @property
    def median_gap(self) -> float | None:
        gaps = [s.gap for s in self.steps if s.gap is not None]
        gaps.sort()
        return (gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]) / 2 if gaps else None

    @property
    def resume(self) -> int:
        """The offset just after the last line of the last completed step, or after the start line."""
        return self.last_step.good_end if self.last_step else self.start_end

    @property
    def gap(self) -> float | None:
        """Seconds of log after the last completed step, or after what may hide another one."""
        since = self.last_time if self.last_time is not None else self.started
        since = since if self.quiet is None else self.quiet
        if since is None or self.until is None:
            return None
        return max(0.0, (self.until - since) / MICRO)


def judge(boot: Bootstrap, limits: Thresholds) -> Verdict:
    """The verdict; only what the log shows counts, a capture that ends too early leaves it undetermined."""
    if boot.ending in ("last", "said"):
        return "finished"
    if boot.ending == "no peers":
        return "no peers"
    gap = boot.gap
    limit = limits.limit(boot.subspace, boot.app_only, boot.median_gap)
    if gap is not None and gap >= limit and boot.later_line:
        return "stalled"
    if boot.ending == "gave up":
        return "timed out"
    if gap is not None and gap >= limits.timeout(boot.subspace) and boot.later_line:
        return "slow"
    return "undetermined"
