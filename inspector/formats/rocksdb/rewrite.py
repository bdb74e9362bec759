"""A damaged table written again in its own format version: good blocks verbatim, everything that names them new.

Only blocks that verify go in. Where a block moves and the checksums know their offset (version 6 and 7), the new
trailer follows from the old one by arithmetic: stored - modifier(old offset) + modifier(new offset).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.counted import counted
from inspector.format import Edit
from inspector.formats.rocksdb import block, checksums, codecs, footer, keys, properties, unsealed
from inspector.formats.rocksdb.coding import MalformedError, put_varint, u32
from inspector.formats.rocksdb.footer import TRAILER, Handle
from inspector.formats.rocksdb.properties import PREFIX
from inspector.formats.rocksdb.reblob import BlobMender
from inspector.formats.rocksdb.strays import NONE, Strays, apart, merged, rank_of
from inspector.formats.rocksdb.table import Role, Table
from inspector.formats.rocksdb.walk_table import in_order
from inspector.span import Span
from inspector.windowed import Windowed

_BLOCK: Final = 4096  # bytes of a block that is made anew
_TAKEN_APART: Final = "its keys are out of order: its entries go where they belong"
_ASTRAY: Final = "the keys of this data block are out of order, and nothing proves that it is this table's"
_MENDED: Final = "without what the engine does not read in blob files: a lost value is a delete now"
_OR_ANOTHERS: Final = ", or only those of another table"
_STRANGE: Final = "of a type that no known release writes, at which the engine stops"
BEHIND: Final = "{} behind the footer"
_M32: Final = 0xFFFFFFFF
_COPIED: Final[tuple[Role, ...]] = ("dictionary", "range-deletes")
_NAMES: Final[dict[Role, bytes]] = {"dictionary": b"rocksdb.compression_dict", "range-deletes": b"rocksdb.range_del"}
# properties of the file as a whole that are not true any more, or name blocks that are not written again
_DROPPED: Final = frozenset(
    PREFIX + name
    for name in (b"filter.policy", b"index.partitions", b"top-level.index.size", b"sample_for_compression.slow")
)


class Rewriter(Struct):
    """Makes the edits of one table; afterwards `size`, `tail` and the counts say what was written."""

    table: Table
    member: str
    out: str
    family: tuple[int, str, str] = (0, "default", keys.BYTEWISE)  # id, name, comparator
    mender: BlobMender | None = None  # changes entries whose values the engine does not read in blob files
    strays: Strays = NONE  # blocks out of order, whose entries go where their keys belong
    newest: int = keys.MAX_SEQUENCE  # number that an entry can have; of a table without checksums it may be known
    at: int = 0
    tail_start: int = 0
    entries: int = 0
    blocks: int = 0
    types: Counter[int] = field(default_factory=Counter)
    key_bytes: int = 0
    value_bytes: int = 0
    data_bytes: int = 0
    ranges: int = 0
    codec: int = 0
    first: bytes | None = None
    last: bytes | None = None
    max_tag: int = 0
    min_tag: int = (1 << 64) - 1
    _index: bytearray = field(default_factory=bytearray)
    _restarts: int = 0
    _places: bytearray = field(default_factory=bytearray)
    _meta: dict[bytes, Handle] = field(default_factory=dict)
    _ranges_left: bool = False  # a block of range deletes did not verify
    _again: bool = False  # the last block that was looked at is a copy of one that is kept
    _own: dict[Role, Handle | None] = field(default_factory=dict)  # of the copied roles
    _held: list[block.Pair] | None = None  # entries of the data block that was placed last
    _placed: int = 0  # entries out of order that are in their places
    _done: int = 0  # source bytes told about so far

    def edits(self) -> Iterator[Edit]:
        """Every byte of the source table once, and the blocks that are made anew."""
        return joined(self._steps())

    def _steps(self) -> Iterator[Edit]:
        order = keys.order_of(self.family[2])
        read = Windowed(self.table.read, self.table.sparing)
        self._own = {role: self._one(role) for role in _COPIED}
        gone = "no block verifies here" + (_OR_ANOTHERS if self.table.other[1] else "")
        yield from self._strange_strays()
        for role, handle in self.table.blocks():
            if handle.offset < self._done or handle.end > self.table.size:
                continue
            yield from self._skip(handle.offset, "lost", gone)
            if role != "data":
                yield from self._rest()
            elif self.strays.pairs is not None and handle.offset in self.strays.blocks:
                self._done = handle.end
                span = Span(handle.offset, handle.end, self.member)
                yield Edit("dropped", span, why=_TAKEN_APART, out=self.out, units=1)
                continue
            content = self._good(role, handle, read, order)
            if content is None:
                yield from self._leave(role, handle)
            else:
                yield from self._place(role, handle, content)
        yield from self._rest()
        if self.table.footer is not None:
            yield from self._skip(self.table.footer.start, "lost", gone)
            yield from self._skip(self.table.size, "dropped", "the footer is made anew")
        yield from self._skip(self.table.size, "lost", gone)
        yield from self._skip(self.table.size + self.table.spare, "dropped", BEHIND.format(self.table.spare_is))
        if self.blocks or self.ranges:
            yield from self._new_tail()

    def _strange_strays(self) -> Iterator[Edit]:
        """Leaves entries of no known type out of those that stood out of order."""
        pairs = self.strays.pairs or []
        known = [pair for pair in pairs if pair[0][-8] in keys.STORED]
        if gone := len(pairs) - len(known):
            self.strays = replace(self.strays, pairs=known)
            why = f"{counted(gone, 'entry', 'entries')} {_STRANGE}"
            yield Edit("lost", Span(0, 0, self.member), why=why, out=self.out, units=gone)

    def _one(self, role: Role) -> Handle | None:
        """A table has one block of this role: the one that its metaindex names, else the last that verifies."""
        table, named = self.table, self.table.meta.get(_NAMES[role])
        sound = [handle for one, handle in table.blocks() if one == role and table.load(handle).ok]
        return named if named in sound else sound[-1] if sound else None

    def _skip(self, to: int, action: str, why: str) -> Iterator[Edit]:
        if to > self._done:
            span = Span(self._done, to, self.member)
            self._done = to
            yield Edit("lost" if action == "lost" else "dropped", span, why=why, out=self.out)

    def _leave(self, role: Role, handle: Handle) -> Iterator[Edit]:
        """A block that does not go into the new table: damaged, or replaced by a new one."""
        span = Span(handle.offset, handle.end, self.member)
        self._done = handle.end
        self._ranges_left = self._ranges_left or role == "range-deletes"
        if self._again:
            yield Edit("dropped", span, why="a copy of another block of this table", out=self.out, units=1)
        elif role in ("data", *_COPIED):
            why = (
                _ASTRAY if handle.offset in self.strays.blocks else f"{role} block does not verify, or is not unpacked"
            )
            yield Edit("lost", span, why=why, out=self.out, units=1)
        else:
            yield Edit("dropped", span, why=f"{role} block is made anew", out=self.out, units=1)

    def _good(self, role: Role, handle: Handle, read: Windowed, order: keys.Order | None) -> list[block.Pair] | None:
        """The entries of a block that goes in; an empty list for a dictionary."""
        self._again = False
        if role not in ("data", *_COPIED) or handle.size > codecs.MAX_BLOCK:
            return None
        loaded = self.table.judge(handle, read(handle.offset, handle.end - handle.offset))
        if not loaded.ok:
            return None
        if role in _COPIED and handle != self._own[role]:
            kept = self._own[role]
            self._again = kept is not None and self.table.load(kept).content == loaded.content
            return None
        if role == "dictionary":
            return []
        try:
            pairs = block.entries(loaded.content)
        except MalformedError:
            return None
        if not pairs or any(len(key) < 8 for key, _ in pairs) or not self.table.holds(role, loaded.content):
            return None
        if role == "data":
            astray = handle.offset in self.strays.blocks
            if astray or not in_order([key for key, _ in pairs], self.last, order):
                self._again = handle.offset in self.strays.copies or pairs == self._held
                return None
            self._held = pairs
            self.codec = self.codec or loaded.type
        return pairs

    def _place(self, role: Role, handle: Handle, pairs: list[block.Pair]) -> Iterator[Edit]:
        start, middle = handle.offset, handle.offset + handle.size
        self._done = handle.end
        if role == "data":
            right, here = self._right(pairs), self._due(pairs[-1])
            if here or right != pairs:
                yield from self._remade(handle, pairs, right, here)
                return
        placed = Handle(self.at, handle.size)
        if role == "data":
            self._count(pairs, placed)
        else:
            if not self.tail_start:
                self.tail_start = self.at
            self._meta[_NAMES[role]] = placed
            self.ranges += len(pairs)
        self.at = placed.end
        base = self.table.context.base or 0
        old, new = self.table.context.modifier(start), checksums.modifier(base, placed.offset)
        bare = self.table.context.checksum == checksums.NONE
        trailer = self.table.read(middle, TRAILER) if bare or old != new else b""
        # a table without checksums has what the offset adds in their place, and the engine looks for it
        sealed = new if bare else (u32(trailer, 1) - old + new) & _M32 if trailer else 0
        if not trailer or sealed == u32(trailer, 1):
            yield Edit("kept", Span(start, handle.end, self.member), units=1, out=self.out)
            return
        yield Edit("kept", Span(start, middle, self.member), units=1, out=self.out)
        yield Edit(
            "corrected",
            Span(middle, handle.end, self.member),
            trailer[:1] + sealed.to_bytes(4, "little"),
            "derived",
            f"checksum for the block's new offset {placed.offset}",
            out=self.out,
        )

    def _due(self, last: block.Pair | None) -> list[block.Pair]:
        """Entries out of order that belong before the end of a block, or behind all blocks; each is given once."""
        order, pairs = keys.order_of(self.family[2]), self.strays.pairs or []
        if order is None or self._placed == len(pairs):
            return []
        rank, start = rank_of(order), self._placed
        end = len(pairs) if last is None else bisect_right(pairs, rank(last), start, key=rank)
        self._placed = end
        return pairs[start:end]

    def _right(self, pairs: list[block.Pair]) -> list[block.Pair]:
        """The entries as they go in: deletes for those whose values are lost, and no number or type that none has."""
        pairs = [pair for pair in self._mended(pairs) if pair[0][-8] in keys.STORED]
        if self.newest < keys.MAX_SEQUENCE:
            pairs = unsealed.numbered(pairs, self.newest, keys.order_of(self.family[2]))
        return pairs

    def _mended(self, pairs: list[block.Pair]) -> list[block.Pair]:
        return [self.mender.entry(pair) for pair in pairs] if self.mender else pairs

    def _remade(
        self, handle: Handle, found: list[block.Pair], pairs: list[block.Pair], more: list[block.Pair]
    ) -> Iterator[Edit]:
        """A data block with other entries than were found in it, and with `more` put in; not compressed."""
        span = Span(handle.offset, handle.end, self.member)
        strange = sum(key[-8] not in keys.STORED for key, _ in found)
        high = len(found) - len(pairs) - strange
        for gone, which in ((high, "with a higher sequence number than any that was given"), (strange, _STRANGE)):
            if gone:
                why = f"{counted(gone, 'entry', 'entries')} {which}"
                yield Edit("lost", Span(span.start, span.start, self.member) if pairs else span, why=why, units=gone)
                span = span if pairs else Span(span.end, span.end, self.member)
        why = _MENDED if self.mender else "without numbers and types that no entry has"
        order = keys.order_of(self.family[2])
        if more and order is not None:
            pairs, why = merged(pairs, more, order), "with entries that stood out of order in another block"
        for part in apart(pairs, max(_BLOCK, handle.size)) if more else [pairs] if pairs else []:
            made = self._written(part, why)
            if span.start < span.end:
                made = Edit("corrected", span, made.data, "derived", why, 1, self.out)
                span = Span(span.end, span.end, self.member)
            yield made

    def _rest(self) -> Iterator[Edit]:
        """Blocks of the entries that belong behind all others."""
        for part in apart(self._due(None), _BLOCK):
            yield self._written(part, "entries that stood out of order in another block")

    def _written(self, pairs: list[block.Pair], why: str) -> Edit:
        pairs = self._mended(pairs)
        body = block.build(pairs)
        self._count(pairs, Handle(self.at, len(body)))
        return self._added(body, why)

    def _count(self, pairs: list[block.Pair], placed: Handle) -> None:
        self.blocks += 1
        self.entries += len(pairs)
        self.types.update(key[-8] for key, _ in pairs)
        self.key_bytes += sum(len(key) for key, _ in pairs)
        self.value_bytes += sum(len(value) for _, value in pairs)
        self.data_bytes += placed.size + TRAILER
        tags = [key[:-9:-1] for key, _ in pairs]
        self.max_tag = max(self.max_tag, int.from_bytes(max(tags), "big"))
        self.min_tag = min(self.min_tag, int.from_bytes(min(tags), "big"))
        self.first, self.last = self.first or pairs[0][0], pairs[-1][0]
        # every index entry is a restart: full key, full handle, the one shape that all releases read
        self._places += len(self._index).to_bytes(4, "little")
        self._restarts += 1
        self._index += _entry(self.last, footer.put_handle(placed))

    def lost_ranges(self) -> int | str:
        """Range deletes that the table had and this one has not; words where only that is known."""
        stated = self.table.properties.number("num.range-deletions") if self.table.properties else None
        if stated is None:
            return "some" if self._ranges_left else 0
        return max(0, stated - self.ranges)

    def _new_tail(self) -> Iterator[Edit]:
        table = self.table
        self.tail_start = self.tail_start or self.at
        legacy = table.leveldb or (table.footer is not None and table.footer.legacy)
        places = self._places or bytearray(4)
        index = bytes(self._index + places + max(1, self._restarts).to_bytes(4, "little"))
        index_at = Handle(self.at, len(index))
        yield self._added(index, "index over the blocks that are here")
        if not table.leveldb:
            self._meta[b"rocksdb.properties"] = Handle(self.at, 0)
            pairs = sorted(self._properties(index_at).items())
            body = block.build(pairs, interval=len(pairs) + 1)
            self._meta[b"rocksdb.properties"] = Handle(self.at, len(body))
            yield self._added(body, "properties counted anew")
        if table.context.version >= 6:
            self._meta[b"rocksdb.index"] = index_at
        meta = block.build([(n, footer.put_handle(h)) for n, h in sorted(self._meta.items())], interval=1)
        meta_at = Handle(self.at, len(meta))
        yield self._added(meta, "metaindex")
        version, base = max(table.context.version, 0), table.context.base or 0
        version = version or (0 if legacy else 2)
        end = footer.encode(version, table.context.checksum, base, meta_at, index_at, self.at, legacy)
        self.at += len(end)
        yield Edit("added", None, end, "derived", "footer", out=self.out)

    def _added(self, body: bytes, why: str) -> Edit:
        context = self.table.context
        sealed = checksums.block_checksum(context.checksum, body + b"\0")
        sealed = (sealed + checksums.modifier(context.base or 0, self.at)) & _M32
        self.at += len(body) + TRAILER
        return Edit("added", None, body + b"\0" + sealed.to_bytes(4, "little"), "derived", why, out=self.out)

    def _properties(self, index: Handle) -> dict[bytes, bytes]:
        """The table's own properties with the counts of what is here; without them, what is needed to read it."""
        known = self.table.properties
        raw = {k: v for k, v in known.raw.items() if k not in _DROPPED} if known else self._assumed()
        deleted = sum(self.types[t] for t in (*keys.REMOVES, keys.RANGE_DELETE)) + self.ranges
        counts = {
            "num.entries": self.entries + self.ranges,
            "deleted.keys": deleted,
            "merge.operands": self.types[keys.MERGE],
            "num.range-deletions": self.ranges,
            "num.data.blocks": self.blocks,
            "num.filter_entries": 0,
            "data.size": self.data_bytes,
            "index.size": index.size + TRAILER,
            "filter.size": 0,
            "raw.key.size": self.key_bytes,
            "raw.value.size": self.value_bytes,
            "index.key.is.user.key": 0,
            "index.value.is.delta.encoded": 0,
            "tail.start.offset": self.tail_start,
        }
        for name, value in counts.items():
            raw[PREFIX + name.encode()] = properties.number(value)
        raw[properties.INDEX_TYPE] = bytes(4)
        return raw

    def _assumed(self) -> dict[bytes, bytes]:
        number, name, comparator = self.family
        version = max(self.table.context.version, 0)
        codec = codecs.NAMES.get(self.codec, "none")
        named = {"none": "NoCompression", "snappy": "Snappy", "zlib": "Zlib", "bzip2": "BZip2"}
        text = named.get(codec, codec.upper())
        if version >= 7:  # compression manager and the types in use (table/table_properties.h)
            text = f"BuiltinV2;{self.codec:02X};"
        ingested = self.table.forced and self.max_tag < 1 << 8  # every sequence number is 0
        marks = {properties.EXTERNAL_VERSION: bytes((2, 0, 0, 0)), properties.GLOBAL_SEQUENCE: bytes(8)}
        return (marks if ingested else {}) | {
            PREFIX + b"column.family.id": properties.number(number),
            PREFIX + b"column.family.name": name.encode(),
            PREFIX + b"comparator": comparator.encode(),
            PREFIX + b"compression": text.encode(),
            PREFIX + b"format.version": properties.number(0),
            PREFIX + b"merge.operator": b"nullptr",
            PREFIX + b"prefix.extractor.name": b"nullptr",
        }


def _entry(key: bytes, value: bytes) -> bytes:
    return bytes([0]) + put_varint(len(key)) + put_varint(len(value)) + key + value


def joined(edits: Iterable[Edit]) -> Iterator[Edit]:
    """The same edits, with neighbouring runs of kept bytes as one."""
    held: Edit | None = None
    for edit in edits:
        if (
            held is not None
            and held.origin is not None
            and edit.origin is not None
            and held.action == edit.action == "kept"
            and (held.out, held.origin.member, held.origin.end) == (edit.out, edit.origin.member, edit.origin.start)
        ):
            span = Span(held.origin.start, edit.origin.end, edit.origin.member)
            held = Edit("kept", span, units=held.units + edit.units, out=edit.out)
            continue
        if held is not None:
            yield held
        held = edit
    if held is not None:
        yield held
