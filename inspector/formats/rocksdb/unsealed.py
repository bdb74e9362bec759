"""Tables without checksums: their blocks are held to what writers make, for nothing else shows that they are damaged.

The engine looks for the word in place of a block's checksum all the same: 0, with what a format version from 6 on adds.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from inspector.correct import NONE, Correction, difference, flips
from inspector.formats.rocksdb import blob, block, keys, properties
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.coding import MalformedError
from inspector.formats.rocksdb.database import good_blocks, pairs_of
from inspector.formats.rocksdb.footer import Handle
from inspector.formats.rocksdb.table import Role, Table, role_of
from inspector.formats.rocksdb.walk_table import in_order

if TYPE_CHECKING:
    from inspector.formats.rocksdb.database import Database
    from inspector.formats.rocksdb.judges import Judge

_FEW: Final = 3  # properties, of which every release writes more


def fits(table: Table, role: Role, content: bytes) -> bool:
    """Whether a block's content is what a writer makes for this role; of filters and dictionaries nothing can be said.

    Asked are types, values, restarts, the one sequence number that no entry gets and, of an index and of properties,
    the order of keys. The engine refuses other types, and begins lookups at restarts.
    """
    try:
        if role in ("data", "range-deletes"):
            return _entries_fit(role, content)
        if role in ("index", "top-index"):
            steps = [(start, key) for start, key, _ in block.index_steps(content, table.shape)]
            return _restarts_fit(content, {start for start, _ in steps}) and _ascend(table, [key for _, key in steps])
        if role in ("properties", "metaindex"):
            places = block.places(content)
            ascends = all(one[0] < two[0] for one, two in pairwise(places))
            return ascends and _restarts_fit(content, {start for _, start, *_ in places})
    except MalformedError:
        return False
    return True


def _entries_fit(role: Role, content: bytes) -> bool:
    places = block.places(content)
    known = keys.STORED if role == "data" else {keys.RANGE_DELETE}
    for key, _, value_at, value_end, _ in places:
        if len(key) < 8:
            return False
        sequence, kind = keys.tag_of(key)
        if kind not in known or sequence == keys.MAX_SEQUENCE or (value_at < value_end and kind in keys.REMOVES):
            return False
        if kind == keys.BLOB_INDEX:
            blob.index(content[value_at:value_end])
    return _restarts_fit(content, {start for _, start, *_ in places})


def _restarts_fit(content: bytes, starts: set[int]) -> bool:
    """Whether all restarts point at entries, rising from the first one: a lookup begins at one of them."""
    restarts = block.restart_points(content, block.frame(content))
    if not restarts:
        return True
    rising = all(one < two for one, two in pairwise(restarts))
    return restarts[0] == 0 and rising and (starts or {0}).issuperset(restarts)


def _ascend(table: Table, found: list[bytes]) -> bool:
    name = table.properties.text("comparator") if table.properties else None
    order = keys.order_of(name or keys.BYTEWISE)
    if order is None:
        return True
    if table.shape.user_keys:
        return all(not order(two) < order(one) for one, two in pairwise(found))
    ranks = [(order(key[:-8]), -int.from_bytes(key[-8:], "little")) for key in found]
    return all(not two < one for one, two in pairwise(ranks))


def trailer(unit: bytes, modifier: int, judge: Judge) -> Correction:
    """The word behind a block as every writer leaves it, where the block before it is sound."""
    made = unit[:-4] + modifier.to_bytes(4, "little")
    if made == unit or not judge(made):
        return NONE
    patch = difference(unit, made)
    how = "one flipped bit" if flips(patch) == 1 else "other bytes in place of a checksum"
    because = "a table without checksums has the same word behind each block"
    return Correction("sealed", made, patch, how, because, 32, 32, count=1)


def properties_by_content(table: Table) -> Handle | None:
    """The properties where damage made their name another one; None where no block of an unknown name is that."""
    for name, handle in table.meta.items():
        loaded = table.load(handle) if role_of(name) == "other" else None
        try:
            if loaded and loaded.ok and len(properties.parse(loaded.content).raw) > _FEW:
                return handle
        except MalformedError:
            continue
    return None


def newest(db: Database, member: str) -> int:
    """The highest sequence number that an entry of a table without checksums can have; the highest of all for others.

    The MANIFEST tells, which has checksums; without one that is trusted the table's own properties, which have none:
    where entries of several blocks are newer than they say, they are what changed.
    """
    table, version = db.table(member), db.version
    if not table.bare:
        return keys.MAX_SEQUENCE
    if db.trusted and version is not None and not db.single:
        if db.newest is None:
            db.newest = max([version.last_sequence, *(file.largest_sequence for _, file in version.live_tables())])
        return db.newest
    stated = table.properties.number("key.largest.seqno") if table.properties else None
    if stated is None or (table.data_blocks > 1 and _is_passed(table, stated)):
        return keys.MAX_SEQUENCE
    return stated


def _is_passed(table: Table, number: int) -> bool:
    """Whether entries of more than one block have higher numbers."""
    above = 0
    for _, _, content in good_blocks(table):
        above += any(keys.tag_of(key)[0] > number for key, _ in pairs_of(content))
        if above > 1:
            return True
    return False


def numbered(pairs: list[Pair], most: int, order: keys.Order | None) -> list[Pair]:
    """The entries with numbers up to `most`: of a higher one the bits are cleared that no number here has.

    An entry whose number is still too high, or out of order then, is left out: the engine shows an entry that is newer
    than its file in one place and hides it in another.
    """
    kept: list[Pair] = []
    bits = (1 << most.bit_length()) - 1
    for key, value in pairs:
        sequence, kind = keys.tag_of(key)
        mended = key if sequence <= most else keys.internal(key[:-8], sequence & bits, kind)
        if keys.tag_of(mended)[0] <= most and (
            mended is key or in_order([mended], kept[-1][0] if kept else None, order)
        ):
            kept.append((mended, value))
    return kept
