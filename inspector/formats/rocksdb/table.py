"""One block-based table: its blocks by role, what is wrong with it, and reading one block. `opening` makes it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct, field

from inspector.formats.rocksdb import block, checksums, codecs, posing
from inspector.formats.rocksdb.carve import Context, Read, expected
from inspector.formats.rocksdb.coding import MalformedError, u32
from inspector.formats.rocksdb.footer import TRAILER, Footer, Handle
from inspector.formats.rocksdb.properties import Properties

if TYPE_CHECKING:
    from inspector.formats.rocksdb import unsealed
else:  # of tables without checksums only
    from inspector.postponed import Postponed

    unsealed = Postponed("inspector.formats.rocksdb.unsealed")

Role = Literal[
    "data", "index", "top-index", "filter", "properties", "metaindex", "range-deletes", "dictionary", "footer", "other"
]
OK, BAD_CHECKSUM, BAD_STREAM, MALFORMED, BEYOND, FOLDED = range(6)
STATES: Final = ("ok", "bad checksum", "does not decompress", "malformed", "beyond the file", "not unpacked")

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


SMALL: Final = 1 << 16  # bytes of a block that is kept


class Loaded(Struct, frozen=True):
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


class Trouble(Struct, frozen=True):
    """Something wrong with a block other than a data block, or with the footer."""

    role: Role
    start: int
    end: int
    why: str
    loaded: Loaded | None = None


class Table(Struct):
    """An opened table; `offsets` and `sizes` are its data blocks in file order, `tail` every other block."""

    read: Read
    size: int
    leveldb: bool = False
    sparing: bool = False  # as its source says
    context: Context = field(default_factory=Context)
    footer: Footer | None = None
    meta: dict[bytes, Handle] = field(default_factory=dict)
    properties: Properties | None = None
    shape: block.IndexShape = field(default_factory=block.IndexShape)
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    tail: list[tuple[Role, Handle]] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)  # no block found, though one was due
    unsearched: list[tuple[int, int]] = field(default_factory=list)  # of them, where the search was given up
    sought: str = ""  # how its checksum type was looked for, where no block told it
    troubles: list[Trouble] = field(default_factory=list)
    carved: bool = False  # data blocks were found without the index
    declined: str = ""  # why none of it is read: it is of another kind, or no table at all
    foreign: bool = False  # it is of a kind that is not read: plain or cuckoo
    whole_index: bool = False
    room: codecs.Room = field(default_factory=codecs.Room)  # of the whole database
    member: str = ""
    _last: tuple[Handle, bool, Context, Loaded] | None = None  # the block that was read last, if it is small
    edges: dict[tuple[int, int, Context], posing.Edges | None] = field(default_factory=dict)  # as `posing` keeps them
    by: int = 0  # bytes by which its end stands behind the place that it was written for
    edge: int = 0  # with `by`: the place for which the first data block was written that stands beside it
    vanished: int = 0  # data blocks that the index names and of which no byte is left
    spare: int = 0  # zeroes or other bytes behind the footer: they are no part of `size`
    spare_is: Literal["zeroes", "bytes"] = "zeroes"
    other: tuple[int, int] = (0, 0)  # first and last byte of another table's blocks, which its own index names
    forced: int | None = None  # an ingested table's sequence number, which its entries with 0 have

    def load(self, handle: Handle, compressed: bool = True) -> Loaded:
        """Read, verify and decompress one block."""
        if handle.end > self.size or handle.size > codecs.MAX_BLOCK:
            return Loaded(handle, BEYOND, why=f"[{handle.offset}, {handle.end}) of {self.size} bytes")
        if self._last and self._last[0] == handle and self._last[1:3] == (compressed, self.context):
            return self._last[3]  # an index may name one block thousands of times
        found = self.judge(handle, self.read(handle.offset, handle.size + TRAILER), compressed)
        keep = found.state != FOLDED and handle.size <= SMALL
        self._last = (handle, compressed, self.context, found) if keep else None
        return found

    def judge(self, handle: Handle, raw: bytes, compressed: bool = True) -> Loaded:
        """Verify and decompress a block whose bytes with their trailer are `raw`."""
        if len(raw) < handle.size + TRAILER:
            return Loaded(handle, BEYOND, why="the file became shorter")
        kind, stored = raw[handle.size], u32(raw, handle.size + 1)
        computed = expected(self.context, memoryview(raw)[: handle.size + 1], handle.offset)
        if stored != computed:  # of a table without checksums, too: the engine refuses it
            return Loaded(handle, BAD_CHECKSUM, b"", kind, stored, computed)
        payload = raw[: handle.size]
        if not compressed or kind == 0:
            return Loaded(handle, OK, payload, kind, stored, computed)
        if not self.room.fits(codecs.beyond(kind, payload, self.context.version), handle.offset, self.member):
            return Loaded(handle, FOLDED, b"", kind, stored, computed, codecs.FOLDED_WHY)
        try:
            content = codecs.decompress(kind, payload, self.context.version, self.context.dictionary)
        except MalformedError as error:
            return Loaded(handle, BAD_STREAM, b"", kind, stored, computed, str(error))
        return Loaded(handle, OK, content, kind, stored, computed)

    @property
    def bare(self) -> bool:
        """Whether it was written without checksums: damage that still parses shows only in what no engine writes."""
        return self.footer is not None and self.context.checksum == checksums.NONE

    def holds(self, role: Role, content: bytes) -> bool:
        """Whether a block that verifies holds what a writer puts in one of this role.

        Of a sealed one only whether a data block's place has another block in it: what a newer engine writes, and
        nobody knows here, has a checksum.
        """
        if role == "data" and posing.role_within(self, content, self.places):
            return False
        return not self.bare or unsealed.fits(self, role, content)

    @property
    def places(self) -> posing.Places:
        """Where its data blocks stand."""
        return posing.Places(self.offsets, self.sizes)

    @property
    def whole(self) -> bool:
        """Whether it is read from end to end as its footer and index say; of the data blocks nothing is asked."""
        put = self.spare or self.by or self.vanished
        return self.footer is not None and self.whole_index and not (self.troubles or self.gaps or put)

    @property
    def data_blocks(self) -> int:
        return len(self.offsets)

    def data_handle(self, i: int) -> Handle:
        return Handle(self.offsets[i], self.sizes[i])

    @property
    def written(self) -> int:
        """Bytes that it had when handles were written into it."""
        return self.size - self.by

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


def role_of(name: bytes) -> Role:
    """The role of a block by its name in the metaindex."""
    return next((role for prefix, role in _META_ROLES if name.startswith(prefix)), "other")
