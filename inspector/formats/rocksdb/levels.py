"""Where tables go whose levels no MANIFEST tells: newer above older wherever their keys overlap."""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from inspector.formats.rocksdb import keys
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.edit import CUSTOM_EPOCH, NewFile
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
    if any(file.assumed for file in files):
        return True
    order = keys.order_of(family.comparator)
    if order is None:
        return False
    for level, found in family.levels().items():
        found = sorted(found, key=lambda f: order(f.smallest[:-8])) if level else []
        for left, right in itertools.pairwise(found):
            if order(right.smallest[:-8]) < order(left.largest[:-8]):
                return True
    return False


def _with_epoch(file: NewFile, epoch: int) -> tuple[tuple[int, bytes], ...]:
    kept = [(tag, body) for tag, body in file.custom if tag != CUSTOM_EPOCH]
    return tuple(sorted([*kept, (CUSTOM_EPOCH, put_varint(epoch))]))
