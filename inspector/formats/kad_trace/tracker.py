"""Events in the order of the log, sorted into bootstraps: one per run of the process and query id.

Lines of the application carry no id: they belong to the event line at most 5 ms before them. Times of a log are
not sorted; steps back of up to 2 s are noise, longer ones begin a new segment (the clock was set, or another log
was appended), and silence is never measured across them.
"""

from __future__ import annotations

from array import array
from collections import Counter

from msgspec import Struct, field

from inspector.formats.kad_trace import unpaired
from inspector.formats.kad_trace.bootstrap import MAX_STEPS, Bootstrap, Ending, Step, Thresholds, judge
from inspector.formats.kad_trace.clock import MICRO, dateless, line_time
from inspector.formats.kad_trace.dialects import Clock
from inspector.formats.kad_trace.doubts import doubt
from inspector.formats.kad_trace.events import Event
from inspector.formats.kad_trace.hidden import Hidden
from inspector.formats.kad_trace.invariants import buckets_of, step_breaches
from inspector.formats.kad_trace.mixing import Mixing
from inspector.formats.kad_trace.opened import Opened, first_of, last_of
from inspector.kernels.log import NOISE, Glide

MAX_OPEN = 256  # bootstraps followed at the same time; a program runs a few
MAX_OVER = 8  # bootstraps that are over and wait for their line "Bootstrap finished."
MAX_KEPT = 10_000
MAX_IO = 1_000_000


class Breach(Struct, frozen=True):
    """An invariant of the events that these lines break; `name` is I1 .. I9, repeat or clock."""

    name: str
    start: int
    end: int
    message: str
    boot: str = ""


class Tracker(Struct):
    limits: Thresholds
    clock: Clock = line_time  # how times are read
    run: int = 0
    segment: int = 0
    latest: int | None = None  # latest time of this segment
    first: int | None = None
    span: int = 0  # microseconds of log in the segments before
    opened: Opened = field(default_factory=Opened)
    begun: int = 0
    reached: int = -1  # where the last line with a time began
    here: dict[int, Bootstrap] = field(default_factory=dict)  # those of this segment that are followed, by number
    done: list[Bootstrap] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    io_at: array[int] = field(default_factory=lambda: array("Q"))
    io_time: array[int] = field(default_factory=lambda: array("q"))
    peers: list[str] = field(default_factory=list)  # of the last process starts
    subspace: bool = False
    unread_at: array[int] = field(default_factory=lambda: array("Q"))  # lines about a step in a form that is not known
    unread_time: array[int] = field(default_factory=lambda: array("q"))  # -1 where it has none
    holes: Hidden = field(default_factory=Hidden)
    mixing: Mixing = field(default_factory=Mixing)
    _before: dict[tuple[int, int | None], int] = field(default_factory=dict)  # the last in `done`, by run and query

    @property
    def open(self) -> list[Bootstrap]:
        """Those that are followed, in the order they began, as the last line left them."""
        for boot in self.here.values():
            self._settle(boot)
        return [*self.opened.all.values()]

    def tick(self, time: int, start: int, end: int) -> None:
        """A line with a time: any line, not only events."""
        if self.latest is not None and self.steps_back(time):
            back = (self.latest - time) / MICRO
            why = f"{'midnight passed, ' if dateless(time) else ''}the clock was set, or another log begins"
            self.breach("clock", start, end, f"the time steps back by {back:.3f} s: {why}")
            self._close_segment()
            for boot in self.here.values():
                self._settle(boot)
            self.here.clear()
            self.latest = self.first = None
            self.segment += 1
        if self.first is None:
            self.first = time
        self.latest = time if self.latest is None else max(self.latest, time)
        self.reached = max(self.reached, start)

    def _settle(self, boot: Bootstrap) -> None:
        """What the lines since it was last looked at mean for it: how long the log went on, and that a line followed.

        Each line means that for each bootstrap of its segment; nobody asks before one of them changes.
        """
        if boot.ticked < self.reached and boot.segment == self.segment:
            boot.until = self.latest
            boot.later_line = boot.later_line or self.reached >= boot.resume
        boot.ticked = self.reached

    def glided(self, glide: Glide) -> None:
        """What was passed over: the same as a `tick` for each line, and a `take` for each that said something."""
        if glide.closed:
            self.events["closed"] += glide.closed
        if glide.broken:
            self.events["io-error"] += glide.broken
        self.subspace = self.subspace or glide.subspace
        if glide.ticked is None:
            return
        self.latest = glide.latest
        self.reached = max(self.reached, glide.ticked)

    def steps_back(self, time: int) -> bool:
        return self.latest is not None and time < self.latest - NOISE

    def _close_segment(self) -> None:
        if self.latest is not None and self.first is not None:
            self.span += self.latest - self.first

    @property
    def seconds(self) -> float:
        """Length of the capture, segments added up."""
        here = self.latest - self.first if self.latest is not None and self.first is not None else 0
        return (self.span + here) / MICRO

    def breach(self, name: str, start: int, end: int, message: str, boot: Bootstrap | None = None) -> None:
        self.breaches.append(Breach(name, start, end, message, boot.id if boot else ""))

    def take(self, event: Event) -> None:
        """One event; must come in the order of offsets."""
        self.events[event.kind] += 1
        self.subspace = self.subspace or event.subspace
        before = self.latest
        if event.kind == "process-start":
            self._restart(event.time if event.time is not None else before)
            self.peers = [*self.peers[-15:], event.peer]
        if event.time is not None:
            self.tick(event.time, event.start, event.end)
        match event.kind:
            case "started":
                self._begin(event, None).said_start = True
            case "step":
                self._step(event)
            case "app-step":
                self._app_step(event)
            case "succeeded" | "failed":
                self._about_step(event)
            case "finished":
                self._finished(event)
            case "error":
                self._no_peers(event)
            case "timed-out":
                self._gave_up(event)
            case "io-error":
                if len(self.io_at) < MAX_IO and event.time is not None:
                    self.io_at.append(event.start)
                    self.io_time.append(event.time)
            case _:
                pass

    def finish(self) -> list[Bootstrap]:
        """All kept bootstraps in the order they began."""
        for boot in self.open:
            self._close(boot)
        self.done.sort(key=lambda b: (b.start, b.run))
        return self.done

    def _begin(self, event: Event, query: int | None) -> Bootstrap:
        if len(self.opened.all) >= MAX_OPEN and (first := first_of(self.opened.all)):
            self._close(first)
        over = self.opened.over
        for number in sorted(over)[:-MAX_OVER] if len(over) > MAX_OVER else ():
            self._close(over[number])
        boot = Bootstrap(self.run, query, self.segment, event.start, event.end, event.line, event.time)
        boot.subspace = event.subspace or self.subspace
        boot.until, boot.ticked, boot.number = event.time, self.reached, self.begun
        self.begun += 1
        self.here[boot.number] = boot
        self.opened.note(boot)
        return boot

    def _close(self, boot: Bootstrap, ending: Ending | None = None, event: Event | None = None) -> None:
        if ending and boot.open:
            boot.ending = ending
            boot.ended = event.time if event else None
        if self.opened.drop(boot):
            self._settle(boot)
            doubt(boot, self.unread_at, self.unread_time, self.holes)
            self.here.pop(boot.number, None)
            verdict = judge(boot, self.limits)
            self.verdicts[verdict] += 1
            if len(self.done) < MAX_KEPT or (verdict in ("stalled", "slow") and len(self.done) < 2 * MAX_KEPT):
                self._before[boot.run, boot.query] = len(self.done)
                self.done.append(boot)

    def unreadable(self, start: int, time: int | None) -> None:
        """A line that speaks of a step, and nothing more is understood: it may be the next one of any bootstrap."""
        if len(self.unread_at) < MAX_IO:
            self.unread_at.append(start)
            self.unread_time.append(-1 if time is None else time)

    def _restart(self, time: int | None) -> None:
        """The process began again: what was open in the run before can no longer go on."""
        self.mixing.restart()
        for boot in self.open:
            if time is not None and boot.until is not None and boot.segment == self.segment and time > boot.until:
                boot.until, boot.later_line = time, True  # the silence lasted until somebody started it again
            self._close(boot, "restart")
        if self.events["process-start"] > 1 or self.done:
            self.run += 1

    def _new_run(self, after: Bootstrap) -> None:
        """Steps count from the start again: another process than that of `after`, whose start the log does not show."""
        self.run += 1
        for boot in self.open:
            if not boot.steps and boot.start >= after.resume:
                boot.run = self.run  # its start line was the first sign of the new process
            else:
                self._close(boot, "restart")

    def _step(self, event: Event) -> None:
        self.mixing.note(event.query, event.count, event.time, event.start)
        boot = self._known(event)
        if boot is None:
            return
        count = event.count if event.count is not None else boot.step_count + 1
        early = unpaired.take_back(boot) if unpaired.is_early(boot, event) else None
        for name, message in step_breaches(boot, event, count, self.limits):
            self.breach(name, event.start, event.end, message, boot)
        if boot.buckets is None:
            boot.buckets = buckets_of(event, count)
        step = Step(count, bool(event.ok), event.remaining, event.time, event.start, event.end,
                    event.line, event.stats.took if event.stats else None, None, event.peer,
                    event.start, event.end, early.app_step if early else None)  # fmt: skip
        self._add(boot, step, event)
        over = event.last if event.last is not None else event.ok and event.remaining == 0
        if over:
            boot.ending, boot.ended = "last", event.time
            self.opened.note(boot)

    def _known(self, event: Event) -> Bootstrap | None:
        """The bootstrap this step belongs to, begun if need be; None for a line that is there twice."""
        boot = self.opened.of_query(event.query)
        first = event.count == 1
        if boot and event.query is None and event.remaining is not None and boot.last_step:
            before = boot.last_step.remaining
            if not boot.open or (before is not None and event.remaining > before):
                self._close(boot, None if not boot.open else "next")
                boot = None
        elif boot and boot.segment == self.segment and unpaired.repeats(boot, event):
            self.breach("repeat", event.start, event.end, f"step {event.count} is there twice", boot)
            return None
        elif boot and first and boot.step_count:
            self._new_run(boot)
            boot = None
        elif boot is None and first and (known := self._done_before(event.query)):
            self._new_run(known)
        if (
            boot is None
            and (told := first_of(self.opened.apps))
            and told.is_of(self.run, self.segment)
            and unpaired.tells_of(told, event)
        ):
            self.opened.drop(told)  # it is kept by its query, which only this line names
            boot, told.app_only, told.query = told, False, event.query
            self.opened.note(boot)
        if boot is None:
            boot = first_of(self.opened.waiting) if first or event.count is None else None
            if boot is None:
                boot = self._begin(event, event.query)
            boot.query = event.query
        return boot

    def _done_before(self, query: int | None) -> Bootstrap | None:
        place = None if query is None else self._before.get((self.run, query))
        return None if place is None or place < len(self.done) - MAX_OPEN else self.done[place]

    def _add(self, boot: Bootstrap, step: Step, event: Event) -> None:
        since = boot.last_time if boot.steps else None
        if since is not None and step.time is not None and boot.segment == self.segment:
            step.gap = (step.time - since) / MICRO
            boot.longest = max(boot.longest, step.gap)
        boot.step_count = max(boot.step_count + 1, step.count)
        boot.ok_steps += step.ok
        boot.timeouts += not step.ok
        boot.subspace = boot.subspace or event.subspace or self.subspace
        boot.segment, boot.ticked = self.segment, self.reached
        self.here[boot.number] = boot
        boot.last_time = step.time if step.time is not None else boot.last_time
        boot.until, boot.later_line = self.latest, False
        if len(boot.steps) >= MAX_STEPS:
            del boot.steps[1]  # the first names the local peer, the last ones matter
        boot.steps.append(step)
        self.opened.note(boot)

    def _app_step(self, event: Event) -> None:
        boot = self.opened.silent.find(event.time)
        if boot is None and self._unpaired(event):
            return
        if boot is None:
            self.mixing.note(None, event.app_step, event.time, event.start)
            boot = self._app_stream(event)
            if boot is None:
                return
        last = boot.last_step
        assert last is not None  # both ways above end with a step
        self._settle(boot)
        boot.app_steps += 1
        last.good_start, last.good_end, last.app_step = event.start, event.end, event.app_step
        boot.later_line = False
        self.opened.note(boot)
        if not boot.app_only and event.app_step is not None and event.app_step != boot.ok_steps - 1:
            begun_late = boot.steps[0].count != 1
            if not begun_late:
                message = f"bootstrap_step={event.app_step} after {boot.ok_steps} successful steps"
                self.breach("I8", event.start, event.end, message, boot)
                boot.ok_steps = event.app_step + 1  # told once, and not at each line from here on

    def _unpaired(self, event: Event) -> bool:
        """Whether the line is one of a bootstrap with event lines, of which the one about this step is not there."""
        number = event.app_step
        boots = unpaired.latest(self.opened.stepped.group, self.run, self.segment)
        again = None if number is None else unpaired.told_before(boots, event)
        if again:
            self.breach("repeat", event.start, event.end, f"bootstrap_step={number} is there twice", again)
        boot = None if number is None or again else unpaired.goes_on(boots, number)
        if boot is None or number is None:
            return again is not None
        self.breach("I8", event.start, event.end, f"bootstrap_step={number}: the event line before it is missing", boot)
        self._add(boot, unpaired.step_of(boot, event, number), event)
        if boot.expected is not None and boot.step_count >= boot.expected:
            boot.ending, boot.ended = "last", event.time
            self.opened.note(boot)
        return True

    def _app_stream(self, event: Event) -> Bootstrap | None:
        """The one bootstrap of a log without event lines; a step number that does not grow begins another run."""
        boot = first_of(self.opened.apps)
        next_one = boot.last_step.count if boot and boot.last_step else 0
        number = next_one if event.app_step is None else event.app_step
        if boot and boot.last_step:
            before = boot.last_step.count - 1
            if number == before and boot.last_step.time == event.time:
                self.breach("repeat", event.start, event.end, f"bootstrap_step={number} is there twice", boot)
                return None
            if number <= before or not boot.open:
                self._new_run(boot)
                boot = None
            elif number != before + 1:
                message = f"bootstrap_step={number} follows {before}: lines are missing"
                self.breach("I8", event.start, event.end, message, boot)
        if boot is None:
            boot = first_of(self.opened.waiting) or self._begin(event, None)
            boot.app_only = True
        step = Step(number + 1, True, None, event.time, event.start, event.end, event.line, by_app=True)
        self._add(boot, step, event)
        return boot

    def _about_step(self, event: Event) -> None:
        """Lines about a step that name no query: they extend it; a failed step without event lines is one too."""
        boot = self.opened.stepped.find(event.time)
        if boot and boot.last_step:
            self._settle(boot)
            boot.last_step.good_start, boot.last_step.good_end = event.start, event.end
            boot.later_line = False
            self.opened.note(boot)
            return
        boot = first_of(self.opened.apps)
        if boot and event.kind == "failed":
            boot.timeouts += 1
            boot.last_time = event.time if event.time is not None else boot.last_time
            boot.until, boot.later_line, boot.ticked = self.latest, False, self.reached
            if boot.last_step:
                boot.last_step.good_start, boot.last_step.good_end = event.start, event.end
            self.opened.note(boot)

    def _finished(self, event: Event) -> None:
        boot = last_of(self.opened.said) or last_of(self.opened.unsaid) or first_of(self.opened.waiting)
        if boot is None:
            self.breach("I9", event.start, event.end, "a bootstrap finished that the log does not show")
            return
        if boot.ending != "last" and not boot.app_only:
            self.breach("I9", event.start, event.end, "finished, and no step said last=true", boot)
        boot.finish_line = (event.start, event.end)
        boot.ending, boot.ended = ("last" if boot.ending == "last" else "said"), event.time
        self.opened.note(boot, own=False)

    def _no_peers(self, event: Event) -> None:
        boot = first_of(self.opened.waiting) or self._begin(event, None)
        self._settle(boot)
        boot.start_end = max(boot.start_end, event.end)
        self._close(boot, "no peers", event)

    def _gave_up(self, event: Event) -> None:
        boot = last_of(self.opened.lasting) or self._begin(event, None)
        self._close(boot, "gave up", event)
