"""A blobstore with other names for its volumes and attributes, that is damaged in the same way.

The checksum of a page is CRC-32C, and linear: one that keeps its difference to the computed one holds, or fails by
the same flipped bits, whatever the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from inspector.disguise import noise, words
from inspector.errors import RefusedError
from inspector.format import Hide, Name
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.state import State

_HEAD: Final = lay.DESCRIPTOR.fast()
_XATTR: Final = lay.XATTR_HEAD.fast()
NOUNS: Final = {b"name": "volume", b"uuid": "uuid", b"EXTSNAP": "uuid"}
BLOB_IDS: Final = frozenset({b"SNAP", b"SNAPTMP", b"SNAPRM"})  # their values are ids of blobs, or nothing
# words of which Longhorn makes names (formats/longhorn/names.py)
STRUCTURE: Final = frozenset(b"r bi ep snap clone rebuilding rebuild expired cloning tmp disk temp head shard".split())
_BUILT: Final = re.compile(rb"-r-[a-zA-Z0-9]{8}|\Abi-|\Ashard-")
MOST_CONTENT: Final = 64 << 20
PIECE: Final = 1 << 20


def mask(state: State, name: Name, hide: Hide) -> Iterator[tuple[int, bytes]]:
    """Offsets and the bytes to stand there; `hide` tells which damaged or unclaimed stretches are to be noise."""
    geometry, disk = state.geometry, state.disk
    if geometry is None:
        return
    state.ready()
    for first, last, kind in state.region.runs(pg.ROOT, pg.CONT, pg.EXTENT, pg.STRAY, pg.BAD):
        for index in range(first, last):
            at = geometry.md_at(index)
            raw = disk.raw(at, lay.PAGE)
            if len(raw) < lay.PAGE or not any(raw):
                continue
            start = disk.span(at, at + lay.PAGE).start
            hidden = kind == pg.BAD and hide(start, start + lay.PAGE)
            new = _page(raw, start, hidden, None if hidden else state.mended.get(index), name)
            if new != raw:
                yield from disk.parts(at, new)
    content = geometry.first_data_cluster * geometry.cluster_size
    yield from _content(state, disk.span(content, content).start, hide)


def _content(state: State, start: int, hide: Hide) -> Iterator[tuple[int, bytes]]:
    """What of clusters was read is somebody's, whatever it was read for."""
    total = 0
    for span in state.source.data_ranges(start=start):
        for at in range(span.start, span.end, PIECE):
            raw = state.source.read(at, min(PIECE, span.end - at))
            if not any(raw) or not hide(at, at + len(raw)):
                continue
            total += len(raw)
            if total > MOST_CONTENT:
                raise RefusedError("its findings need content of volumes, too much to disguise", "--no-redact keeps it")
            yield at, noise(raw, at)


def _page(raw: bytes, start: int, hidden: bool, flipped: int | None, name: Name) -> bytes:
    """The page with others' names; `flipped` is a bit that is read the other way, and stays wrong."""
    wrong = int.from_bytes(raw[lay.BODY : lay.PAGE], "little") ^ pg.checksum(raw)
    if flipped is not None and flipped < 8 * lay.BODY:
        raw = _with_flip(raw, flipped)
    body = bytearray(raw[: lay.BODY])
    if hidden:
        low, high = lay.DESCRIPTORS_AT + _HEAD.size, lay.DESCRIPTORS_END
        body[low:high] = noise(bytes(body[low:high]), start)
    else:
        for kind, at, length in _descriptors(raw):
            if kind in (lay.XATTR, lay.XATTR_INTERNAL):
                body[at : at + length] = _attribute(raw[at : at + length], name)
    if flipped is not None and flipped < 8 * lay.BODY:
        body[:] = _with_flip(bytes(body), flipped)
    return bytes(body) + (pg.checksum(bytes(body)) ^ wrong).to_bytes(4, "little") + raw[lay.PAGE :]


def _with_flip(data: bytes, bit: int) -> bytes:
    at = bit // 8
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


def _descriptors(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, offset and length of the body of each descriptor; one that claims too much ends with the page."""
    at = lay.DESCRIPTORS_AT
    while at + _HEAD.size <= lay.DESCRIPTORS_END:
        kind, length = _HEAD.unpack_from(raw, at)
        if kind == lay.PADDING and length == 0:
            return
        at += _HEAD.size
        yield kind, at, min(length, lay.DESCRIPTORS_END - at)
        at += length


def _attribute(raw: bytes, name: Name) -> bytes:
    if len(raw) < _XATTR.size:
        return raw
    length = min(_XATTR.unpack_from(raw)[0], len(raw) - _XATTR.size)
    called, value = raw[_XATTR.size : _XATTR.size + length], raw[_XATTR.size + length :]
    if called in BLOB_IDS:
        return raw
    noun = NOUNS.get(called, "attribute")
    if called not in NOUNS:
        called = words(called, noun, name)
    return raw[: _XATTR.size] + called + words(value, noun, name, STRUCTURE if _BUILT.search(value) else frozenset())
