"""Where tables overlap, and where those go whose levels no MANIFEST tells: newer above older wherever their keys do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from msgspec.structs import replace

from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.edit import CUSTOM_EPOCH, NewFile
from inspector.formats.rocksdb.strays import rank_of
from inspector.formats.rocksdb.version import Family


def settle(family: Family) -> bool:
    """Put every table of the family into level 0, oldest epoch first; True where that changed anything.

    Level 0 is the only one in which tables may overlap. The engine asks them in the order of their epoch numbers,
    newest first (db/version_builder.cc), so the numbers are given by largest sequence number, then file number.
    """
    ranked = sorted(family.files.values(), key=lambda f: (f.largest_sequence, f.number))
    if not _must_move(family, ranked):
        return False
    for epoch, file in enumerate(ranked, start=1):
        family.files[file.number] = replace(file, level=0, custom=_with_epoch(file, epoch))
    return True


def _must_move(family: Family, files: list[NewFile]) -> bool:
    """Whether levels are unknown for some table, or the known ones do not hold."""
    return any(file.assumed for file in files) or any(True for _ in overlaps(family))


def overlaps(family: Family) -> Iterator[tuple[NewFile, NewFile]]:
    """Neighbours of a level below the first of which the second begins before the first has ended, or with its end.

    Compared as the engine does (VersionBuilder::CheckConsistencyDetails): by user key, then from new to old. So
    versions of one key may end a table and begin the next, the older ones behind. Nothing where the order is unknown.
    """
    order = keys.order_of(family.comparator)
    if order is None:
        return
    rank = rank_of(order)
    for level, files in family.levels().items():
        ranked = sorted(files, key=lambda f: rank((f.smallest, b""))) if level else []
        for left, right in itertools.pairwise(ranked):
            if not rank((left.largest, b"")) < rank((right.smallest, b"")):
                yield left, right


def _with_epoch(file: NewFile, epoch: int) -> tuple[tuple[int, bytes], ...]:
    kept = [(tag, body) for tag, body in file.custom if tag != CUSTOM_EPOCH]
    return tuple(sorted([*kept, (CUSTOM_EPOCH, put_varint(epoch))]))
