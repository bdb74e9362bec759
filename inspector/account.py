"""The account of every byte of an inspection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import compress

from msgspec import Struct, field

from inspector.format import ROLE_NAMES, UNIT, Stretch
from inspector.source import Source

Progress = Callable[[int, int], None]  # bytes done, bytes in all


class Account(Struct):
    """Bytes and units by role and kind, filled while stretches pass through."""

    roles: list[int] = field(default_factory=lambda: [0] * len(ROLE_NAMES))
    kinds: Counter[int] = field(default_factory=Counter)
    units: int = 0
    damaged: int = 0
    done: int = 0
    holes: list[str] = field(default_factory=list)  # where the tiling itself is broken: a bug of ours

    def through(
        self, stretches: Iterable[Stretch], source: Source, bad: frozenset[int], progress: Progress | None
    ) -> Iterator[Stretch]:
        """The same stretches, counted; notes every place where they do not tile the members in order."""
        member, at = None, 0
        total = source.size
        for stretch in stretches:
            if stretch.member != member:
                self._close(source, member, at)
                member, at = stretch.member, 0
            if stretch.start != at or not stretch.starts or stretch.starts[0] != stretch.start:
                self.holes.append(f"{member or source.label}: tiles jump from {at} to {stretch.start}")
            self._count(stretch, bad)
            at = stretch.end
            self.done += stretch.end - stretch.start
            if progress:
                progress(self.done, total)
            yield stretch
        self._close(source, member, at)

    def _count(self, stretch: Stretch, bad: frozenset[int]) -> None:
        roles, count = stretch.roles.tobytes(), len(stretch)
        units = roles.count(UNIT)
        self.units += units
        if units == count:
            self.roles[UNIT] += stretch.end - stretch.start
            counts = stretch.counts
            self.kinds.update(stretch.kinds if counts is None else {kind: n for kind, n in counts.items() if n})
        else:
            ends = [*stretch.starts[1:], stretch.end]
            for start, end, role, kind in zip(stretch.starts, ends, roles, stretch.kinds, strict=True):
                self.roles[role] += end - start
                if role == UNIT:
                    self.kinds[kind] += 1
        marks = stretch.marks.tobytes()
        if marks.count(0) != count:
            if units != count:
                marks = bytes(compress(marks, map(UNIT.__eq__, roles)))
            self.damaged += sum(map(marks.count, bad))

    def _close(self, source: Source, member: str | None, at: int) -> None:
        if member is not None and at != source.length(member) and not source.changed:
            self.holes.append(f"{member or source.label}: tiles end at {at} of {source.length(member)}")
