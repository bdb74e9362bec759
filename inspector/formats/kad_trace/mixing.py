"""Whether steps of two nodes stand among each other in one log, with nothing in a line that tells them apart."""

from __future__ import annotations

from msgspec import Struct, field

FEWEST = 3  # times; once or twice lines may have been lost at just that number
MOST = 256  # queries that are remembered

Key = int | None  # a query, or None for the numbers of the application


class Mixing(Struct):
    """Steps of one node count 1, 2, 3 ...; of two, one goes on where the other broke in."""

    crossings: int = 0
    first: int = 0  # offset of the first step that went on so
    _last: dict[Key, tuple[int, int | None]] = field(default_factory=dict)  # the latest step and its time
    _left: dict[Key, int] = field(default_factory=dict)  # the step at which another one broke in

    def note(self, query: Key, count: int | None, time: int | None, start: int) -> None:
        """Step `count`, by its line at `start`; must come in the order of the log."""
        before = self._last.get(query)
        if count is None or before == (count, time) or (before is None and len(self._last) >= MOST):
            return  # the same line again is no other node's
        self._last[query] = count, time
        if before is None or count == before[0] + 1:
            return
        if time is not None and before[1] is not None and time < before[1]:
            self._left.pop(query, None)  # lines that changed places
            return
        if self._left.get(query) == count - 1:
            self.first = self.first if self.crossings else start
            self.crossings += 1
        self._left[query] = before[0]

    def restart(self) -> None:
        """The process began again: its numbers begin again, too."""
        self._last.clear()
        self._left.clear()

    @property
    def seen(self) -> bool:
        return self.crossings >= FEWEST
