"""One metadata page: its checksum, what it is, and its descriptors. Wrong bytes become problems, never exceptions."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import Final

from msgspec import Struct, field

from inspector.crc32c import crc32c
from inspector.formats.spdk_blobstore import layout as lay

# states of a page of the metadata region, small integers so that a region holds them in one array
ZERO, ROOT, CONT, EXTENT, STRAY, BAD, UNREADABLE = range(7)
STATE_NAMES = ("zero", "root", "continuation", "extent page", "stray", "bad checksum", "unreadable")

_PAGE = lay.MD_PAGE.fast()
_HEAD = lay.DESCRIPTOR.fast()
_FLAGS = lay.FLAGS_BODY.fast()
_XATTR = lay.XATTR_HEAD.fast()
_TABLE = lay.TABLE_HEAD.fast()


MOST_PROBLEMS: Final = 8  # that are told of a page, and of a blob


class Body(Struct):
    """What the descriptors of one page say, in file order."""

    flags: tuple[int, int, int] | None = None
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    internal: dict[bytes, bytes] = field(default_factory=dict)
    rle: array[int] | None = None  # cluster, count, cluster, count ...
    table_clusters: int | None = None
    table: array[int] = field(default_factory=lambda: array("I"))  # page, count, page, count ...
    extent_start: int | None = None
    extent: array[int] = field(default_factory=lambda: array("I"))
    checksums: list[tuple[int, int]] = field(default_factory=list)  # crc64, count
    unknown: list[int] = field(default_factory=list)  # types that no known release writes
    problems: list[str] = field(default_factory=list)
    end: int = lay.DESCRIPTORS_AT  # first byte after the last descriptor

    def say(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


class Page(Struct, frozen=True):
    """Head and tail of a metadata page; `bytes` are its first 4096."""

    id: int
    sequence: int
    reserved: int
    next: int
    stored: int
    data: bytes

    @property
    def computed(self) -> int:
        return checksum(self.data)


def checksum(data: bytes | memoryview) -> int:
    """CRC-32C over the first 4092 bytes of a super block or metadata page."""
    return int(crc32c(data[: lay.BODY]))


def parse(data: bytes) -> Page:
    """The fields of a page of 4096 bytes."""
    blob, sequence, reserved, _, following, stored = _PAGE.unpack(data)
    return Page(blob, sequence, reserved, following, stored, data)


def build(blob: int, sequence: int, following: int, descriptors: bytes) -> bytes:
    """A sealed page."""
    body = _PAGE.pack(blob, sequence, 0, descriptors, following, 0)[: lay.BODY]
    return bytes(body) + checksum(body).to_bytes(4, "little")


def descriptor(kind: int, body: bytes) -> bytes:
    return bytes(_HEAD.pack(kind, len(body))) + body


def xattr(name: bytes, value: bytes, internal: bool = False) -> bytes:
    body = _XATTR.pack(len(name), len(value)) + name + value
    return descriptor(lay.XATTR_INTERNAL if internal else lay.XATTR, body)


def classify(page: Page, index: int) -> int:
    """The state of a page whose checksum holds. The id of an extent page is no proof of its owner."""
    if page.sequence:
        return CONT
    if page.data[lay.DESCRIPTORS_AT] == lay.EXTENT_PAGE:
        return EXTENT
    return ROOT if page.id == root_id(index) else STRAY


def root_id(index: int) -> int:
    """The id of the blob whose root is page `index`."""
    return 1 << 32 | index


@lru_cache(maxsize=1024)
def read_body(data: bytes) -> Body:
    """All descriptors of a page; stops where one does not fit, and says so. Nobody changes what comes out."""
    body = Body()
    at = lay.DESCRIPTORS_AT
    while at + _HEAD.size <= lay.DESCRIPTORS_END:
        kind, length = _HEAD.unpack_from(data, at)
        if kind == lay.PADDING and length == 0:
            break
        if at + _HEAD.size + length > lay.DESCRIPTORS_END:
            body.say(f"descriptor of type {kind} at {at} claims {length} bytes, past the page's end")
            break
        _take(body, kind, data[at + _HEAD.size : at + _HEAD.size + length], at)
        at += _HEAD.size + length
    body.end = at
    return body


def _take(body: Body, kind: int, data: bytes, at: int) -> None:
    if kind in (lay.XATTR, lay.XATTR_INTERNAL):
        _take_xattr(body, kind, data, at)
    elif kind == lay.FLAGS:
        if len(data) == _FLAGS.size:
            body.flags = _FLAGS.unpack(data)
        else:
            body.say(f"flags at {at} are {len(data)} bytes long, not {_FLAGS.size}")
    elif kind == lay.RLE:
        body.rle = _extend(body.rle, data, 8, body, at)
    elif kind == lay.EXTENT_TABLE:
        if len(data) < _TABLE.size:
            body.say(f"extent table at {at} has no room for its size")
            return
        body.table_clusters = _TABLE.unpack_from(data)[0]
        body.table = _extend(body.table, data[_TABLE.size :], 8, body, at)
    elif kind == lay.EXTENT_PAGE:
        if len(data) < 4 or body.extent_start is not None:
            body.say(f"extent page descriptor at {at} is short or a second one")
            return
        body.extent_start = int.from_bytes(data[:4], "little")
        body.extent = _extend(None, data[4:], 4, body, at)
    elif kind == lay.CHECKSUM:
        whole = len(data) // 12
        body.checksums += list(lay.CHECKSUM_ENTRY.fast().iter_unpack(data[: 12 * whole]))
        if len(data) % 12:
            body.say(f"checksums at {at} end inside an entry")
    elif kind != lay.PADDING:
        body.unknown.append(kind)


def _take_xattr(body: Body, kind: int, data: bytes, at: int) -> None:
    names, values = _XATTR.unpack_from(data) if len(data) >= _XATTR.size else (0, 0)
    if len(data) < _XATTR.size or names == 0 or _XATTR.size + names + values > len(data):
        if len(body.problems) < MOST_PROBLEMS:  # a page may hold hundreds
            body.say(f"xattr at {at}: name of {names} and value of {values} bytes in {len(data)} bytes")
        return
    name = data[_XATTR.size : _XATTR.size + names]
    value = data[_XATTR.size + names : _XATTR.size + names + values]
    (body.xattrs if kind == lay.XATTR else body.internal).setdefault(name, value)


def _extend(known: array[int] | None, data: bytes, unit: int, body: Body, at: int) -> array[int]:
    known = array("I") if known is None else known
    if len(data) % unit:
        body.say(f"map at {at} ends inside an entry")
    words = array("I", data[: len(data) - len(data) % unit])
    if _BIG_ENDIAN:
        words.byteswap()
    known.extend(words)
    return known


_BIG_ENDIAN = array("H", [1]).tobytes()[0] == 0
