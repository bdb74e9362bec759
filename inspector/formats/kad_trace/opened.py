"""The bootstraps that are followed, so kept that no line of the log makes anybody look at all of them.

A log of bootstraps that never end keeps hundreds open, and each of its lines asks whose it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Final

from msgspec import Struct, field

from inspector.formats.kad_trace.bootstrap import Bootstrap

ATTACH: Final = 5_000  # microseconds between an event line and the application's line about it
Group = dict[int, Bootstrap]  # by number, the one whose last line came last at the end


class Near(Struct):
    """Bootstraps by the time of their last step."""

    group: Group = field(default_factory=dict)
    _times: list[tuple[int, int]] = field(default_factory=list)  # last step and number, sorted
    _at: dict[int, int] = field(default_factory=dict)

    def put(self, boot: Bootstrap, belongs: bool) -> None:
        number, time = boot.number, boot.last_time if belongs else None
        self.group.pop(number, None)
        if belongs:
            self.group[number] = boot
        before = self._at.pop(number, None)
        if before is not None and before != time:
            del self._times[bisect_left(self._times, (before, number))]
        if time is not None:
            self._at[number] = time
            if before != time:
                insort(self._times, (time, number))

    def find(self, time: int | None) -> Bootstrap | None:
        """That of the latest step at most 5 ms before, of several the last that began; else that of the last line."""
        if time is not None:
            place = bisect_right(self._times, (time + 1,)) - 1
            if place >= 0 and time - self._times[place][0] <= ATTACH:
                return self.group[self._times[place][1]]
        return last_of(self.group)


class Opened(Struct):
    """Groups of the bootstraps that are followed; whoever changes one of them says so with `note`."""

    all: Group = field(default_factory=dict)  # in the order they began
    waiting: Group = field(default_factory=dict)  # only their start is known; in the order they began
    apps: Group = field(default_factory=dict)  # known by lines of the application alone
    over: Group = field(default_factory=dict)  # ended
    lasting: Group = field(default_factory=dict)  # not ended
    unsaid: Group = field(default_factory=dict)  # with steps, and without a line that says that they finished
    said: Group = field(default_factory=dict)  # the same, whose last step said that it is the last
    stepped: Near = field(default_factory=Near)  # with event lines
    silent: Near = field(default_factory=Near)  # the same, whose last step went well and has no line of the application
    _queries: dict[int | None, Group] = field(default_factory=dict)  # with steps, by query

    def note(self, boot: Bootstrap, own: bool = True) -> None:
        """Take in what became of it; unless `own` is False, by a line that is now the last of its own."""
        last, number = boot.last_step, boot.number
        self.all[number] = boot
        if boot.query is None and last is None:
            self.waiting[number] = boot
        else:
            self.waiting.pop(number, None)
        unsaid = last is not None and boot.finish_line is None
        for group, belongs in (
            (self.apps, boot.app_only),
            (self.over, not boot.open),
            (self.lasting, boot.open),
            (self.unsaid, unsaid),
            (self.said, unsaid and boot.ending == "last"),
        ):
            if own or not belongs:
                group.pop(number, None)
            if belongs:
                group[number] = boot
        if not own or last is None:
            return
        self.stepped.put(boot, not boot.app_only)
        self.silent.put(boot, not boot.app_only and last.ok and last.app_step is None)
        self._queries.setdefault(boot.query, {})[number] = boot

    def drop(self, boot: Bootstrap) -> bool:
        """Follow it no longer; False where nobody did."""
        number = boot.number
        if self.all.pop(number, None) is None:
            return False
        for group in (self.waiting, self.apps, self.over, self.lasting, self.unsaid, self.said):
            group.pop(number, None)
        self.stepped.put(boot, False)
        self.silent.put(boot, False)
        if (same := self._queries.get(boot.query)) and same.pop(number, None) and not same:
            del self._queries[boot.query]
        return True

    def of_query(self, query: int | None) -> Bootstrap | None:
        """The last that began of those with steps."""
        same = self._queries.get(query)
        return same[max(same)] if same else None


def first_of(group: Group) -> Bootstrap | None:
    return next(iter(group.values()), None)


def last_of(group: Group) -> Bootstrap | None:
    return next(reversed(group.values()), None)
