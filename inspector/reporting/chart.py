"""Where damage lies, at true scale: bytes of each state per equal slice of a member, and the damaged runs exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from msgspec import Struct, field

from inspector.finding import Finding
from inspector.format import GAP, ROLE_NAMES, UNIT, State, Stretch
from inspector.source import Source

SLICES = 400  # of one member
MAX_RUNS = 2000  # damaged runs kept of the whole source
MAX_BARS = 40  # members that are drawn
MAX_HELD = 256  # members whose slices are held: a database may have thousands of files
_MARKED = len(ROLE_NAMES)  # columns of a slice from here on are units with mark (column - _MARKED)

Document = dict[str, Any]


class _Bar(Struct):
    size: int
    slices: dict[int, dict[int, int]] = field(default_factory=dict)


class Chart(Struct):
    """Filled while stretches pass (`tap` of an inspection); bounded whatever the source holds."""

    source: Source
    bars: dict[str, _Bar] = field(default_factory=dict)
    runs: list[tuple[str, int, int, int]] = field(default_factory=list)  # member, start, end, mark or -1 for a gap

    def tap(self, _: State, stretches: Iterator[Stretch]) -> Iterator[Stretch]:
        for stretch in stretches:
            self._add(stretch)
            yield stretch

    def _add(self, stretch: Stretch) -> None:
        bar = self.bars.get(stretch.member)
        if bar is None:
            bar = _Bar(self.source.length(stretch.member))
            if len(self.bars) < MAX_HELD:
                self.bars[stretch.member] = bar
        roles, marks = stretch.roles.tobytes(), stretch.marks.tobytes()
        if roles.count(roles[:1]) == len(roles) and not any(marks) and roles[0] != GAP:
            _spread(bar, stretch.start, stretch.end, roles[0])
            return
        columns = [_MARKED + mark if mark and role == UNIT else role for role, mark in zip(roles, marks, strict=True)]
        first = 0
        for column, alike in groupby(columns):
            stop = first + sum(1 for _ in alike)
            start, end = stretch.starts[first], stretch.starts[stop] if stop < len(columns) else stretch.end
            _spread(bar, start, end, column)
            if column >= _MARKED or column == GAP:
                self._run(stretch.member, start, end, column - _MARKED if column >= _MARKED else -1)
            first = stop

    def _run(self, member: str, start: int, end: int, mark: int) -> None:
        if self.runs and self.runs[-1][0] == member and self.runs[-1][2:] == (start, mark):
            self.runs[-1] = (member, self.runs[-1][1], end, mark)
        elif len(self.runs) < MAX_RUNS:
            self.runs.append((member, start, end, mark))

    def document(self, damaged: frozenset[int], findings: Iterable[Finding]) -> list[Document]:
        """One bar per member, damaged ones first: slices as [start, bytes sound, opaque, free, damaged, gap]."""
        hurt: dict[str, list[list[int]]] = {}
        for member, start, end, mark in self.runs:
            if mark < 0 or mark in damaged:
                hurt.setdefault(member, []).append([start, end])
        with_findings = {f.span.member for f in findings if f.bytes_known}
        bars = {m: self.bars.get(m) or _Bar(self.source.length(m)) for m in (*self.bars, *hurt)}
        order = sorted(bars, key=lambda m: (m not in hurt, m not in with_findings, -bars[m].size, m))
        return [
            {
                "file": member or None,
                "size": bars[member].size,
                "slices": list(_slices(bars[member], damaged)),
                "damaged": hurt.get(member, []),
            }
            for member in order[:MAX_BARS]
        ]


def _spread(bar: _Bar, start: int, end: int, column: int) -> None:
    """Bytes [start, end) into the slices that they lie in."""
    size = bar.size
    while start < end and start < size:
        i = start * SLICES // size
        stop = min(end, -(-(i + 1) * size // SLICES))  # where slice i + 1 begins
        columns = bar.slices.setdefault(i, {})
        columns[column] = columns.get(column, 0) + stop - start
        start = stop


def _slices(bar: _Bar, damaged: frozenset[int]) -> Iterator[list[int]]:
    for i, columns in sorted(bar.slices.items()):
        yield [-(-i * bar.size // SLICES), *_states(columns, damaged)]


def _states(columns: Mapping[int, int], damaged: frozenset[int]) -> tuple[int, int, int, int, int]:
    """Bytes sound (frame and units), opaque, free, damaged, gap."""
    told = [0, 0, 0, 0, 0]
    where = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4}
    for column, count in columns.items():
        told[where[column] if column < _MARKED else 3 if column - _MARKED in damaged else 0] += count
    return told[0], told[1], told[2], told[3], told[4]
