"""The smallest table that shows the same: blocks that verify and are not needed go, and the index is made anew.

Damaged blocks keep their bytes. Where checksums know their offset (versions 6 and 7) those of moved blocks change by
what the place adds, so that a right one stays right and a wrong one stays wrong by as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct, field

from inspector.composed import Part
from inspector.formats.rocksdb import block, checksums, footer, properties
from inspector.formats.rocksdb.coding import put_varint, u32
from inspector.formats.rocksdb.database import Database, pairs_of
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.index import separators
from inspector.formats.rocksdb.properties import PREFIX
from inspector.formats.rocksdb.table import Role, Table
from inspector.span import Span

_M32: Final = 0xFFFFFFFF
_LAST_TAG: Final = b"\x01" + b"\xff" * 7  # behind a user key: before every entry of it
_ALWAYS: Final[tuple[Role, ...]] = ("dictionary", "range-deletes")
Needed = Callable[[int, int], bool]  # whether damage or a finding lies in [start, end)


def shrunk(db: Database, member: str, needed: Needed, context: int) -> list[Part] | None:
    """The parts of a smaller table; None where its directory is damaged so that none can be made."""
    table, facts = db.table(member), db.facts.get(member)
    if not isinstance(facts, TableFacts) or table.leveldb or table.foreign:
        return None
    if any(trouble.role == "top-index" for trouble in table.troubles):
        return None  # its parts hang on it
    return list(Shrinker(table, member, facts, needed, context).parts())


class Shrinker(Struct):
    """Puts a table together part by part; `at` is where the next one comes."""

    table: Table
    member: str
    facts: TableFacts
    needed: Needed
    context: int
    at: int = 0
    kept: int = 0  # entries of sound blocks that are kept
    data_bytes: int = 0
    blocks: list[tuple[bytes, Handle]] = field(default_factory=list)  # last keys, and where the blocks are now
    meta: dict[bytes, Handle] = field(default_factory=dict)
    directory: Handle | None = None  # a metaindex that is damaged

    def parts(self) -> Iterator[Part]:
        table = self.table
        names = {place.offset: name for name, place in table.meta.items()}
        index = [handle for role, handle in table.tail if role == "index" and self._bad(handle)]
        ends = {handle.offset: self._full(key) for key, handle in separators(table)}
        done = 0
        chosen = self._chosen()
        for role, handle in table.blocks():
            if handle.offset < done or handle.end > table.size:
                continue
            yield from self._between(done, handle.offset)
            done = handle.end
            if role == "data":
                if handle.offset in chosen:
                    yield from self._data(handle, ends.get(handle.offset))
            elif role == "metaindex":
                self.directory = handle if self._bad(handle) else None
            elif role in _ALWAYS or (self._bad(handle) and role != "top-index"):
                placed = Handle(self.at, handle.size)
                yield from self._moved(handle)
                self.meta[names.get(handle.offset, b"rocksdb.index")] = placed
        yield from self._between(done, table.footer.start if table.footer else table.size)
        if table.footer is not None:
            yield from self.tail(table.footer, bool(index))

    def _full(self, key: bytes) -> bytes:
        return key + _LAST_TAG if self.table.shape.user_keys else key

    def _bad(self, handle: Handle) -> bool:
        return self.needed(handle.offset, handle.end)

    def _chosen(self) -> set[int]:
        """Data blocks that are kept: those with damage, and as many on both sides; one where there are none."""
        table, context = self.table, self.context
        count = table.data_blocks
        bad = [i for i in range(count) if self._bad(table.data_handle(i))]
        if table.footer is None and count:
            bad.append(count - 1)  # what was cut off begins behind it
        near = {i for at in bad for i in range(max(0, at - context), min(count, at + context + 1))}
        return {table.offsets[i] for i in near or set(range(min(1, count)))}

    def _between(self, start: int, end: int) -> Iterator[Part]:
        """Bytes that no block claims stay where findings point at them."""
        if end > start and self.needed(start, end):
            self.at += end - start
            yield Span(start, end, self.member)

    def _data(self, handle: Handle, separator: bytes | None) -> Iterator[Part]:
        loaded = self.table.load(handle)
        pairs = pairs_of(loaded.content) if loaded.ok else []
        self.kept += len(pairs)
        last = separator or (pairs[-1][0] if pairs else (self.blocks[-1][0] if self.blocks else _LAST_TAG))
        self.blocks.append((last, Handle(self.at, handle.size)))
        self.data_bytes += handle.size + TRAILER
        yield from self._moved(handle)

    def _moved(self, handle: Handle) -> Iterator[Part]:
        """A block at its new place."""
        base = self.table.context.base or 0
        old, new = self.table.context.modifier(handle.offset), checksums.modifier(base, self.at)
        self.at += handle.size + TRAILER
        if old == new:
            yield Span(handle.offset, handle.end, self.member)
            return
        word = self.table.read(handle.offset + handle.size + 1, 4)
        yield Span(handle.offset, handle.end - 4, self.member)
        yield ((u32(word, 0) - old + new) & _M32).to_bytes(4, "little")

    def tail(self, old: footer.Footer, index_kept: bool) -> Iterator[Part]:
        """Index, properties, metaindex and footer, as far as they are not there already."""
        table = self.table
        index_at = self.meta.get(b"rocksdb.index") if index_kept else None
        if index_at is None:
            body = self._index()
            index_at = Handle(self.at, len(body))
            yield self._sealed(body)
        if table.properties is not None and b"rocksdb.properties" not in self.meta:
            body = block.build(sorted(self._properties(table.properties, index_at, index_kept).items()), 1 << 30)
            self.meta[b"rocksdb.properties"] = Handle(self.at, len(body))
            yield self._sealed(body)
        self.meta.pop(b"rocksdb.index", None)
        if table.context.version >= 6:
            self.meta[b"rocksdb.index"] = index_at
        body = block.build([(name, footer.put_handle(h)) for name, h in sorted(self.meta.items())], 1)
        meta_at = Handle(self.at, self.directory.size if self.directory else len(body))
        if self.directory:
            yield from self._moved(self.directory)
        else:
            yield self._sealed(body)
        yield self._footer(old, meta_at, index_at)

    def _footer(self, old: footer.Footer, meta_at: Handle, index_at: Handle) -> bytes:
        """A footer for what is here, with the same bits wrong as in the old one."""
        fixed = old.version, old.checksum, old.base
        right = footer.encode(*fixed, old.metaindex, old.index or Handle(0, 0), old.start, old.legacy)
        new = footer.encode(*fixed, meta_at, index_at, self.at, old.legacy)
        there = self.table.read(old.start, self.table.size - old.start)
        if not self._bad_at(old.start) or len(there) != len(right) or len(new) != len(right):
            return new
        return bytes(a ^ b ^ c for a, b, c in zip(new, right, there, strict=True))

    def _bad_at(self, start: int) -> bool:
        return self.needed(start, self.table.size)

    @property
    def _as_before(self) -> bool:
        """Whether no properties will tell how the index is written."""
        return self.table.properties is None or self.directory is not None

    def _index(self) -> bytes:
        """In the shape that the reader expects: whole entries where properties tell, else as the old one was."""
        shape = self.table.shape
        if not self._as_before or not shape.delta:
            return block.build([(key, footer.put_handle(place)) for key, place in self.blocks], 1)
        out, restarts = bytearray(), bytearray()
        for key, place in self.blocks:
            key = key[:-8] if shape.user_keys else key
            restarts += len(out).to_bytes(4, "little")
            out += b"\0" + put_varint(len(key)) + key + footer.put_handle(place)
        return bytes(out + (restarts or bytes(4)) + max(1, len(self.blocks)).to_bytes(4, "little"))

    def take(self, made: bytes) -> bytes:
        """Bytes that come next."""
        self.at += len(made)
        return made

    def _sealed(self, body: bytes) -> bytes:
        context = self.table.context
        word = checksums.block_checksum(context.checksum, body + b"\0")
        word = (word + checksums.modifier(context.base or 0, self.at)) & _M32 if context.checksum else 0
        return self.take(body + b"\0" + word.to_bytes(4, "little"))

    def _properties(self, known: properties.Properties, index: Handle, index_kept: bool) -> dict[bytes, bytes]:
        """The table's own, less what is not here: a count that was wrong stays wrong by as much."""
        raw = dict(known.raw)
        counts: dict[str, int] = {"num.data.blocks": len(self.blocks), "data.size": self.data_bytes}
        stated = known.number("num.entries")
        if stated is not None:
            counts["num.entries"] = max(0, stated - (self.facts.entries - self.kept))
        counts |= {"filter.size": 0, "num.filter_entries": 0, "index.size": index.size + TRAILER}
        if not (index_kept or self._as_before):
            counts |= {"index.key.is.user.key": 0, "index.value.is.delta.encoded": 0}
            raw[properties.INDEX_TYPE] = bytes(4)
        for name, value in counts.items():
            if PREFIX + name.encode() in raw:
                raw[PREFIX + name.encode()] = put_varint(value)
        for gone in (b"filter.policy", b"index.partitions", b"top-level.index.size"):
            raw.pop(PREFIX + gone, None)
        return raw
