"""A table over whose end, or over whose beginning, bytes of another table were laid: which of the two the file is.

A foreign footer verifies, and leads to an index that verifies, though most blocks that this names are not here; a
foreign block may verify before any of the file's own and name the wrong type of checksum. Whatever verifies most bytes
of data blocks is what the file is. What the other table's index names is left out: that it is of another table is
proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from inspector.formats.rocksdb.footer import Handle
from inspector.formats.rocksdb.guess import guess_context
from inspector.formats.rocksdb.patch import carve_rest
from inspector.formats.rocksdb.table import BAD_CHECKSUM, BEYOND, Table

# data blocks, spread evenly, of which the first and half of all must verify for a footer to be believed at once: the
# end of another table comes without its beginning
_SAMPLE: Final = 16
_PART: Final = 4  # of what guessing may cost: the first windows of a region decide, and the table is read as it is, too
_REGION: Final = 4 << 20  # bytes without a block in which another type of checksum is looked for


def settled(table: Table, size: int) -> Table:
    """The table as its own blocks tell it: the same one, or one without the footer, or with another checksum type.

    `size` is that of the file, which may have bytes behind the footer that was taken for the table's.
    """
    if table.declined or not _is_doubtful(table):
        return table
    carved = table.footer is None  # what was found verified
    sound = sorted((h.offset, h.end) for _, h in table.blocks() if carved or _verifies(table, h))
    held = sum(h.size for h in _data(table) if carved or _verifies(table, h))
    edges = [(0, 0), *sound, (size, size)]
    gaps = [(one[1], two[0]) for one, two in pairwise(edges)]
    start, end = max(gaps, key=lambda gap: gap[1] - gap[0])
    if end - start <= held:
        return table
    other = _without(table, size, sound, start, min(end, start + _REGION))
    return other if other is not None and sum(other.sizes) > held else table


def _is_doubtful(table: Table) -> bool:
    """Whether another reading is worth a look: nobody says that what was found is all, or little of it is here."""
    if table.footer is None:
        return True
    if table.whole:
        return False
    count = table.data_blocks
    sample = [_verifies(table, table.data_handle(i)) for i in range(0, count, max(1, count // _SAMPLE))]
    return not sample or not sample[0] or 2 * sum(sample) < len(sample)


def _without(table: Table, size: int, sound: list[tuple[int, int]], start: int, end: int) -> Table | None:
    """The file as blocks tell it of which the first lie in [start, end); None where none do, or they tell the same."""
    context = guess_context(table.read, end, table.leveldb, start, _PART)
    if isinstance(context, str):
        return None
    old, footer = table.context, table.footer
    if footer is None and (context.checksum, context.base) == (old.checksum, old.base):
        return None
    other = Table(table.read, size, table.leveldb, context=context)
    if footer is None:
        other.troubles = [t for t in table.troubles if t.role == "footer"]
        carve_rest(other)
        return other
    other.other = (min(start for start, _ in [*sound, (footer.start, 0)]), table.size)
    carve_rest(other, {*sound, (footer.start, table.size)})
    return other


def _data(table: Table) -> Iterator[Handle]:
    return (table.data_handle(i) for i in range(table.data_blocks))


def _verifies(table: Table, handle: Handle) -> bool:
    """Whether the checksum holds; whether it can be unpacked is another question."""
    return table.load(handle, compressed=False).state not in (BAD_CHECKSUM, BEYOND)
