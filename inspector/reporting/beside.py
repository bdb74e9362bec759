"""The records before and after places whose format shows them without, out of its whole listing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from inspector.format import Entry, Exhibit, Query
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.inspect import Report
    from inspector.reporting.hide import Hide

MAX_LISTED: Final = 100_000  # records read for that in all, of a small source fewer
FEW_LISTED: Final = 4_000
PER_LISTED: Final = 200  # bytes of the source that allow for one more

Neighbours = dict[tuple[str, int], tuple[Entry, ...]]


def beside(report: Report, exhibits: list[Exhibit], hide: Hide) -> Neighbours:
    """By file and start of each place; the listing is read once.

    None where it is longer than there is room for before the place comes.
    """
    room = min(MAX_LISTED, FEW_LISTED + report.source.size // PER_LISTED)
    listing = ((form, state) for form, state in zip(report.layers, report.states, strict=False) if form.records)
    layer, state = next(listing, (report.format, None))
    found: Neighbours = {}
    for member in dict.fromkeys(one.span.member for one in exhibits) if layer.records else ():
        near = _Near(hide.resolve(member), [one.span for one in exhibits if one.span.member == member], room)
        assert layer.records is not None
        asked = near.member if "member" in layer.filters and member else None
        veiled = layer.veil is not None
        entries = layer.records(state, Query(member=asked, pick=near.pick if veiled else None))
        for entry in entries if veiled else near.pick(entries):
            near.found[near.of.popleft()] += (entry,)
        found |= {(member, start): entries for start, entries in near.found.items()}
        room = near.room
    return found


class _Near:
    """Those of a listing that stand next to the places `due` of one file; the others are passed over as they are.

    What is hidden of a record takes much longer than to list it, and all names in it are looked for afterwards.
    """

    def __init__(self, member: str, due: list[Span], room: int) -> None:
        self.member, self.due, self.room = member, due, room
        self.found: dict[int, tuple[Entry, ...]] = {}
        self.of: deque[int] = deque()  # to which place each of the entries belongs that `pick` gave

    def pick(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        due, before = list(self.due), dict[int, Entry]()
        for entry in islice(entries, self.room):
            self.room -= 1
            span = entry.span
            if span.member != self.member:
                continue
            for one in due[:]:
                if span.end <= one.start:
                    before[one.start] = entry
                elif span.start >= one.end:
                    yield from self._told(one, before.get(one.start), entry)
                    due.remove(one)
            if not due:
                return
        for one in due if self.room > 0 else ():
            yield from self._told(one, before.get(one.start))

    def _told(self, place: Span, *entries: Entry | None) -> Iterator[Entry]:
        self.found[place.start] = ()
        for entry in entries:
            if entry is not None:
                self.of.append(place.start)
                yield entry
