"""Lines of the application whose event line is lost, or stands behind them: whose step they tell of.

They carry no query id, but count the good steps of one bootstrap. Where event lines name that bootstrap, a number that
goes on with its steps is one more of them and no bootstrap of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from inspector.formats.kad_trace.bootstrap import Bootstrap, Step
from inspector.formats.kad_trace.events import Event
from inspector.formats.kad_trace.opened import ATTACH, Group

LOOKED = 8  # last bootstraps, and last steps of one, that are looked at


def latest(group: Group, run: int, segment: int) -> list[Bootstrap]:
    """Those whose lines came last, the last one first; only few, since each line of a log may ask."""
    return [boot for boot in islice(reversed(group.values()), LOOKED) if boot.is_of(run, segment)]


def good_steps(boot: Bootstrap) -> int:
    """Steps that went well so far, by the application's own count from where it told one."""
    after = 0
    for step in reversed(boot.steps[-LOOKED:]):
        if step.app_step is not None:
            return step.app_step + 1 + after
        after += step.ok
    return boot.step_count - boot.timeouts


def repeats(boot: Bootstrap, event: Event) -> bool:
    """The same line again; in another segment it is the same log again, and another run: not to be asked there."""
    if event.count is None:
        return False
    return any((s.count, s.time, s.peer) == (event.count, event.time, event.peer) for s in boot.steps[-LOOKED:])


def told_before(boots: Iterable[Bootstrap], event: Event) -> Bootstrap | None:
    """The bootstrap of which this very line was there already."""
    return next((b for b in boots if any(s.app_step == event.app_step and _near(s, event) for s in b.steps[-LOOKED:])),
                None)  # fmt: skip


def goes_on(boots: Iterable[Bootstrap], number: int) -> Bootstrap | None:
    """The one whose next good step has this number, else the first of those that had fewer."""
    open_ones = [boot for boot in boots if boot.open]
    following = (boot for boot in open_ones if good_steps(boot) == number)
    return next(following, None) or next((boot for boot in open_ones if good_steps(boot) < number), None)


def step_of(boot: Bootstrap, event: Event, number: int) -> Step:
    """The step that only the application told of, not added yet; its count is too low where timeouts are lost, too."""
    missing = max(0, number - good_steps(boot))
    boot.ok_steps += missing
    boot.app_steps += 1
    return Step(boot.step_count + 1 + missing, True, None, event.time, event.start, event.end, event.line, None, None,
                "", event.start, event.end, number, by_app=True)  # fmt: skip


def take_back(boot: Bootstrap) -> Step:
    """Take the step away of which the event line comes only now."""
    early = boot.steps.pop()
    boot.step_count, boot.ok_steps, boot.ending = early.count - 1, boot.ok_steps - 1, "open"
    return early


def tells_of(boot: Bootstrap, event: Event) -> bool:
    """Whether this event line is one of a bootstrap that only lines of the application made known."""
    if not boot.open or event.count is None:
        return False
    return event.count > max(1, boot.step_count) or is_early(boot, event)


def is_early(boot: Bootstrap, event: Event) -> bool:
    """Whether the application's line about this step stands before it and was taken for the step itself."""
    last = boot.last_step
    return last is not None and last.by_app and last.count == event.count and _near(last, event)


def _near(step: Step, event: Event) -> bool:
    return step.time is None or event.time is None or abs(event.time - step.time) <= ATTACH
