"""One block-based table, opened as far as its bytes allow: footer, metaindex, properties, index, else by carving."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Literal

from inspector.formats.rocksdb import block, checksums, codecs, properties
from inspector.formats.rocksdb import footer as footers
from inspector.formats.rocksdb.carve import Context, Read, expected
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.footer import TRAILER, Footer, Handle
from inspector.formats.rocksdb.properties import Properties

Role = Literal[
    "data", "index", "top-index", "filter", "properties", "metaindex", "range-deletes", "dictionary", "footer", "other"
]
OK, BAD_CHECKSUM, BAD_STREAM, MALFORMED, BEYOND = range(5)
STATES: Final = ("ok", "bad checksum", "does not decompress", "malformed", "beyond the file")
MAX_TAIL_BLOCKS: Final = 1 << 20

_META_ROLES: Final[tuple[tuple[bytes, Role], ...]] = (
    (b"rocksdb.properties", "properties"),
    (b"rocksdb.stats", "properties"),
    (b"rocksdb.index", "index"),
    (b"rocksdb.compression_dict", "dictionary"),
    (b"rocksdb.range_del", "range-deletes"),
    (b"fullfilter.", "filter"),
    (b"partitionedfilter.", "filter"),
    (b"filter.", "filter"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A block that was read: its state, and its content where the state is OK."""

    handle: Handle
    state: int
    content: bytes = b""
    type: int = 0
    stored: int = 0
    computed: int = 0
    why: str = ""

    @property
    def ok(self) -> bool:
        return self.state == OK


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with a block other than a data block, or with the footer."""

    role: Role
    start: int
    end: int
    why: str
    loaded: Loaded | None = None


@dataclass(slots=True)
class Table:
    """An opened table; `offsets` and `sizes` are its data blocks in file order, `tail` every other block."""

    read: Read
    size: int
    leveldb: bool = False
    context: Context = field(default_factory=Context)
    footer: Footer | None = None
    meta: dict[bytes, Handle] = field(default_factory=dict)
    properties: Properties | None = None
    shape: block.IndexShape = field(default_factory=block.IndexShape)
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    tail: list[tuple[Role, Handle]] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)  # no block found, though one was due
    troubles: list[Trouble] = field(default_factory=list)
    carved: bool = False  # data blocks were found without the index
    declined: str = ""  # a table of a kind that is not read, or no table at all
    whole_index: bool = False

    def load(self, handle: Handle, compressed: bool = True) -> Loaded:
        """Read, verify and decompress one block."""
        if handle.end > self.size or handle.size > codecs.MAX_BLOCK:
            return Loaded(handle, BEYOND, why=f"[{handle.offset}, {handle.end}) of {self.size} bytes")
        return self.judge(handle, self.read(handle.offset, handle.size + TRAILER), compressed)

    def judge(self, handle: Handle, raw: bytes, compressed: bool = True) -> Loaded:
        """Verify and decompress a block whose bytes with their trailer are `raw`."""
        if len(raw) < handle.size + TRAILER:
            return Loaded(handle, BEYOND, why="the file became shorter")
        kind, stored = raw[handle.size], u32(raw, handle.size + 1)
        computed = expected(self.context, memoryview(raw)[: handle.size + 1], handle.offset)
        if self.context.checksum != checksums.NONE and stored != computed:
            return Loaded(handle, BAD_CHECKSUM, b"", kind, stored, computed)
        payload = raw[: handle.size]
        if not compressed or kind == 0:
            return Loaded(handle, OK, payload, kind, stored, computed)
        try:
            content = codecs.decompress(kind, payload, self.context.version, self.context.dictionary)
        except MalformedError as error:
            return Loaded(handle, BAD_STREAM, b"", kind, stored, computed, str(error))
        return Loaded(handle, OK, content, kind, stored, computed)

    @property
    def data_blocks(self) -> int:
        return len(self.offsets)

    def data_handle(self, i: int) -> Handle:
        return Handle(self.offsets[i], self.sizes[i])

    def blocks(self) -> Iterator[tuple[Role, Handle]]:
        """Every known block in file order."""
        tail = sorted(self.tail, key=lambda pair: pair[1].offset)
        at = 0
        for i in range(len(self.offsets)):
            while at < len(tail) and tail[at][1].offset < self.offsets[i]:
                yield tail[at]
                at += 1
            yield "data", Handle(self.offsets[i], self.sizes[i])
        yield from tail[at:]

    def block_at(self, offset: int) -> tuple[Role, Handle] | None:
        """The block whose bytes or trailer hold this offset."""
        i = bisect_right(self.offsets, offset) - 1
        if i >= 0 and offset < self.data_handle(i).end:
            return "data", self.data_handle(i)
        return next((pair for pair in self.tail if pair[1].offset <= offset < pair[1].end), None)


def open_table(read: Read, size: int, leveldb: bool = False) -> Table:
    """Open a table of `size` bytes; damage leaves troubles and gaps, never an exception."""
    table = Table(read, size, leveldb)
    _read_footer(table)
    if table.declined:
        return table
    if table.footer:
        table.context = Context(table.footer.checksum, table.footer.base, _framing(table), types=table.context.types)
        metaindex = table.load(table.footer.metaindex)
        if metaindex.ok or _placed(table.footer):
            table.tail.append(("metaindex", table.footer.metaindex))
            _read_meta(table, metaindex)
            _read_index(table)
        elif not table.troubles:
            table.troubles.append(Trouble("footer", table.footer.start, size, "its handles lead to no metaindex"))
    from inspector.formats.rocksdb.patch import complete  # a table that needs no patching never loads it

    if not table.whole_index:
        complete(table)
    return table


def _placed(footer: Footer) -> bool:
    """Whether a footer's handles can be right though what they name does not verify.

    Versions 6 and 7 protect them; before, one of the two blocks ends where the footer begins.
    """
    if footer.version >= 6:
        return True
    return footer.start in (footer.metaindex.end, footer.index.end if footer.index else -1)


def _framing(table: Table) -> int:
    assert table.footer
    return -1 if table.leveldb else table.footer.version


def _read_footer(table: Table) -> None:
    start = max(0, table.size - footers.SIZE)
    tail = table.read(start, footers.SIZE)
    try:
        table.footer = footers.decode(tail, table.size)
    except MalformedError as error:
        table.troubles.append(Trouble("footer", start, table.size, str(error)))
        if "not read" in str(error):
            table.declined = str(error)
            return
        table.footer = _guess_footer(table, tail)
        return
    for problem in table.footer.problems:
        table.troubles.append(Trouble("footer", table.footer.start, table.size, problem))
    if table.footer.problems and not proves(table, table.footer):
        table.footer = _guess_footer(table, tail)


def proves(table: Table, footer: Footer) -> bool:
    """Whether the metaindex block that this footer names verifies: no better proof is needed."""
    if footer.metaindex.end > table.size or footer.metaindex.size > codecs.MAX_BLOCK:
        return False
    raw = table.read(footer.metaindex.offset, footer.metaindex.size + TRAILER)
    if len(raw) < footer.metaindex.size + TRAILER:
        return False
    context = Context(footer.checksum, footer.base, footer.version)
    right = expected(context, memoryview(raw)[: footer.metaindex.size + 1], footer.metaindex.offset)
    if footer.checksum == checksums.NONE or right != u32(raw, footer.metaindex.size + 1):
        return False
    return _is_metaindex(raw[: footer.metaindex.size], footer.start)


def _is_metaindex(content: bytes, end: int) -> bool:
    """Whether every value is the handle of a block before `end`: bytes of an index may spell a handle by chance."""
    try:
        found = [(footers.read_handle(value, 0, len(value)), len(value)) for _, value in block.entries(content)]
    except MalformedError:
        return False
    return all(at == size and handle.end <= end for (handle, at), size in found)


def _guess_footer(table: Table, tail: bytes) -> Footer | None:
    """The footer with its magic, version or checksum type taken as damaged, where the metaindex then verifies."""
    if len(tail) < footers.SIZE:
        return None
    magic = footers.MAGIC.to_bytes(8, "little")
    for version in (5, 6, 7, 4, 3, 2, 1):
        for kind in (checksums.XXH3, checksums.CRC32C, checksums.XXHASH64, checksums.XXHASH):
            trial = bytes([kind]) + tail[1:41] + version.to_bytes(4, "little") + magic
            try:
                footer = footers.decode(trial, table.size)
            except MalformedError:
                continue
            if proves(table, footer):
                return footer
    legacy = tail[:-8] + footers.LEGACY_MAGIC.to_bytes(8, "little")
    try:
        footer = footers.decode(legacy, table.size)
    except MalformedError:
        return None
    return footer if proves(table, footer) else None


def role_of(name: bytes) -> Role:
    """The role of a block by its name in the metaindex."""
    return next((role for prefix, role in _META_ROLES if name.startswith(prefix)), "other")


def _read_meta(table: Table, loaded: Loaded) -> None:
    """Take in the metaindex: handles by name, properties, dictionary."""
    handle = loaded.handle
    try:
        if not loaded.ok:
            raise MalformedError(loaded.why or STATES[loaded.state])
        pairs = block.entries(loaded.content)
        table.meta = {name: footers.read_handle(value, 0, len(value))[0] for name, value in pairs}
    except MalformedError as error:
        table.troubles.append(Trouble("metaindex", handle.offset, min(handle.end, table.size), str(error), loaded))
        return
    for name, place in table.meta.items():
        role = role_of(name)
        if place.end > table.size:
            table.troubles.append(Trouble(role, handle.offset, handle.end, f"handle beyond the file: {name!r}"))
            continue
        if role != "index":
            table.tail.append((role, place))
        if role == "properties":
            read_properties(table, place)
        elif role == "dictionary":
            read_dictionary(table, place)
    if table.leveldb is False and table.footer and table.footer.legacy and b"rocksdb.properties" not in table.meta:
        table.leveldb = True  # RocksDB has always written properties into its tables
        table.context = Context(checksums.CRC32C, 0, -1, frozenset({0, 1, 2}))


def read_properties(table: Table, handle: Handle) -> None:
    """Take in the properties block; an ingested file's is retried with its global sequence number as written first."""
    loaded = table.load(handle)
    if loaded.state == BAD_CHECKSUM:
        raw = table.read(handle.offset, handle.size + TRAILER)
        at = properties.global_sequence_at(raw)
        if at is not None:
            zeroed = table.judge(handle, raw[:at] + bytes(8) + raw[at + 8 :])
            if zeroed.ok:
                loaded = Loaded(handle, OK, raw[: handle.size], zeroed.type, zeroed.stored, zeroed.computed)
    try:
        if not loaded.ok:
            raise MalformedError(loaded.why or STATES[loaded.state])
        table.properties = properties.parse(loaded.content)
        table.shape = table.properties.index_shape
        if types := properties.compression_types(table.properties):
            table.context = replace(table.context, types=types)
    except MalformedError as error:
        table.troubles.append(Trouble("properties", handle.offset, handle.end, str(error), loaded))


def read_dictionary(table: Table, handle: Handle) -> None:
    loaded = table.load(handle)
    if loaded.ok:
        old = table.context
        table.context = Context(old.checksum, old.base, old.version, old.types, loaded.content)
    else:
        table.troubles.append(
            Trouble("dictionary", handle.offset, handle.end, loaded.why or STATES[loaded.state], loaded)
        )


def _read_index(table: Table) -> None:
    assert table.footer
    handle = table.footer.index or table.meta.get(b"rocksdb.index")
    if handle is None:
        return
    two_level = table.properties is not None and table.properties.index_type == properties.TWO_LEVEL
    top = read_index_block(table, handle, "top-index" if two_level else "index")
    if top is not None and table.properties is None and _looks_two_level(table, top):
        two_level = True
    if top is None and handle is table.footer.index and not _abuts(table, handle):
        return  # an unprotected handle that leads nowhere: the index is looked for like any lost block
    table.tail.append(("top-index" if two_level else "index", handle))
    if top is None:
        return
    whole = True
    if two_level:
        for _, partition in islice(block.index_entries(top, table.shape), MAX_TAIL_BLOCKS):
            table.tail.append(("index", partition))
            part = read_index_block(table, partition, "index")
            whole = whole and part is not None and _add_data(table, part)
    else:
        whole = _add_data(table, top)
    table.whole_index = whole and not any(t.role == "metaindex" for t in table.troubles)
    _read_filter_partitions(table)


def _read_filter_partitions(table: Table) -> None:
    """A partitioned filter is named by an index over its parts, coded as the table's own index is."""
    handle = next((h for name, h in table.meta.items() if name.startswith(b"partitionedfilter.")), None)
    if handle is None:
        return
    top = read_index_block(table, handle, "filter")
    if top is None:
        table.whole_index = False  # the parts have no name now: they are told from data by carving
        return
    for _, part in islice(block.index_entries(top, table.shape), MAX_TAIL_BLOCKS):
        table.tail.append(("filter", part))


def _abuts(table: Table, handle: Handle) -> bool:
    """Whether a block ends where another known block of the tail, or the footer, begins: handles lie back to back."""
    assert table.footer
    return handle.end in {table.footer.start, *(h.offset for _, h in table.tail)}


def _looks_two_level(table: Table, top: bytes) -> bool:
    """Without properties: a top index points at blocks that are index blocks themselves."""
    first = next(block.index_entries(top, table.shape), None)
    if first is None or first[1].offset == 0:
        return False
    loaded = table.load(first[1])
    try:
        return loaded.ok and any(True for _ in block.index_entries(loaded.content, table.shape))
    except MalformedError:
        return False


def read_index_block(table: Table, handle: Handle, role: Role) -> bytes | None:
    """The content of an index block whose every entry decodes; with lost properties its shape is found by trying."""
    loaded = table.load(handle)
    why = loaded.why or STATES[loaded.state]
    if loaded.ok:
        shapes = [table.shape]
        if table.properties is None and not table.leveldb:
            flags = (True, False)
            shapes = [block.IndexShape(delta, user, first) for delta in flags for user in flags for first in flags]
        for shape in shapes:
            try:
                if all(h.end <= table.size for _, h in block.index_entries(loaded.content, shape)):
                    table.shape = shape
                    return loaded.content
                why = "a handle leads beyond the file"
            except MalformedError as error:
                why = str(error)
    table.troubles.append(Trouble(role, handle.offset, min(handle.end, table.size), why, loaded))
    return None


def _add_data(table: Table, content: bytes) -> bool:
    """Take in the data blocks of one index block; False where a handle is out of place, which carving then settles."""
    at = table.offsets[-1] + table.sizes[-1] + TRAILER if table.offsets else 0
    right = True
    for _, handle in block.index_entries(content, table.shape):
        if handle.offset < at:
            why = f"handle [{handle.offset}, {handle.end}) is out of place"
            table.troubles.append(Trouble("index", at, at, why))
            right = False
            continue
        table.offsets.append(handle.offset)
        table.sizes.append(handle.size)
        at = handle.end
    return right


def separators(table: Table) -> Iterator[tuple[bytes, Handle]]:
    """The index entries again, for those who must name the keys that a lost block covered."""
    for role, handle in table.tail:
        if role == "index" and (loaded := table.load(handle)).ok:
            try:
                yield from block.index_entries(loaded.content, table.shape)
            except MalformedError:
                continue  # said as a trouble when the table was opened


__all__ = ["STATES", "Loaded", "Role", "Table", "Trouble", "open_table", "role_of", "separators"]
