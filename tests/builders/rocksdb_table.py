"""Healthy tables of every shape, with the place of each block, written by the rules of the format page.

Only the framing is shared with the product (varints, block building, footers); the shapes that the product never
writes (delta-coded and two-level indexes, hash indexes, values kept apart, compression) are made here.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import cramjam
import lz4.block
import zstandard

from inspector.formats.rocksdb import block, checksums, codecs, footer, keys, properties
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.footer import Handle
from inspector.formats.rocksdb.properties import PREFIX

BASE = 0x5EED1234  # of versions 6 and 7; any number but 0
NAMES = {0: b"NoCompression", 1: b"Snappy", 2: b"Zlib", 3: b"BZip2", 4: b"LZ4", 5: b"LZ4HC", 7: b"ZSTD"}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table is written; the defaults are those of RocksDB 8 without compression."""

    version: int = 5
    checksum: int = checksums.XXH3
    codec: int = 0
    block_size: int = 512
    interval: int = 4
    index: str = "delta"  # full, delta, two-level, first-key
    separated: bool = False
    hash_index: bool = False
    dictionary: bytes = b""
    filter: bytes = b""
    leveldb: bool = False
    properties: dict[bytes, bytes] = field(default_factory=dict)  # instead of those that are counted


@dataclass(slots=True)
class Built:
    """A table's bytes and where its blocks lie: data blocks in order, the others by role."""

    data: bytes = b""
    blocks: list[Handle] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    places: dict[str, Handle] = field(default_factory=dict)
    footer: int = 0
    smallest: bytes = b""
    largest: bytes = b""


def compress(codec: int, data: bytes, version: int, dictionary: bytes = b"") -> bytes:
    """A block's payload as this codec and format version store it."""
    if codec == codecs.NO_COMPRESSION:
        return data
    if codec == codecs.SNAPPY:
        return bytes(cramjam.snappy.compress_raw(data))
    if version < 0:
        return zstandard.ZstdCompressor().compress(data)
    prefix = put_varint(len(data)) if version >= 2 else b""
    if codec in (codecs.LZ4, codecs.LZ4HC):
        prefix = prefix or len(data).to_bytes(8, "little")
        return prefix + bytes(lz4.block.compress(data, store_size=False, dict=dictionary))
    if codec == codecs.ZSTD:
        trained = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        return prefix + zstandard.ZstdCompressor(dict_data=trained).compress(data)
    if codec == codecs.BZIP2:
        return prefix + bz2.compress(data)
    deflate = zlib.compressobj(6, zlib.DEFLATED, -14)
    return prefix + deflate.compress(data) + deflate.flush()


class Writer:
    """Appends blocks with their trailers."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.out = shape, bytearray()
        self.base = BASE if shape.version >= 6 else 0

    def block(self, payload: bytes, codec: int = 0) -> Handle:
        at = len(self.out)
        sealed = checksums.block_checksum(self.shape.checksum, payload + bytes([codec]))
        sealed = (sealed + checksums.modifier(self.base, at)) & 0xFFFFFFFF
        self.out += payload + bytes([codec]) + sealed.to_bytes(4, "little")
        return Handle(at, len(payload))


def data_block(pairs: list[Pair], shape: Shape) -> bytes:
    """A data block in the shape's form."""
    if shape.separated:
        return _separated(pairs, shape.interval)
    plain = block.build(pairs, shape.interval)
    if not shape.hash_index:
        return plain
    count = int.from_bytes(plain[-4:], "little")
    buckets = bytes([0] * 7)
    return plain[:-4] + buckets + len(buckets).to_bytes(2, "little") + (count | 1 << 31).to_bytes(4, "little")


def _separated(pairs: list[Pair], interval: int) -> bytes:
    entries, values, restarts = bytearray(), bytearray(), []
    last = b""
    for i, (key, value) in enumerate(pairs):
        shared = 0
        if i % interval:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        else:
            restarts.append(len(entries))
        entries += put_varint(shared) + put_varint(len(key) - shared) + put_varint(len(value))
        if i % interval == 0:
            entries += put_varint(len(values))
        entries += key[shared:]
        values += value
        last = key
    tail = b"".join(r.to_bytes(4, "little") for r in restarts)
    packed = (len(restarts) | 1 << 28).to_bytes(4, "little")
    return bytes(entries + values + tail) + len(entries).to_bytes(4, "little") + packed


def _delta_index(entries: list[tuple[bytes, Handle]], first_keys: list[bytes] | None = None) -> bytes:
    """Index of user keys, restart interval 2, so that both forms of a value appear."""
    out, restarts = bytearray(), []
    last, before = b"", Handle(0, 0)
    for i, (key, handle) in enumerate(entries):
        shared = 0
        if i % 2 == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += put_varint(shared) + put_varint(len(key) - shared) + key[shared:]
        change = handle.size - before.size
        out += put_varint((change << 1) ^ (change >> 63)) if shared else footer.put_handle(handle)
        if first_keys is not None:
            out += put_varint(len(first_keys[i])) + first_keys[i]
        last, before = key, handle
    out += b"".join(r.to_bytes(4, "little") for r in restarts or [0])
    return bytes(out) + (len(restarts) or 1).to_bytes(4, "little")


def _index(writer: Writer, built: Built, lasts: list[bytes], firsts: list[bytes], shape: Shape) -> Handle:
    entries = list(zip(lasts, built.blocks, strict=True))
    users = [(key[:-8], handle) for key, handle in entries]
    if shape.index == "full" or shape.leveldb:
        return writer.block(block.build([(key, footer.put_handle(h)) for key, h in entries], 1))
    if shape.index == "first-key":
        return writer.block(_delta_index(users, firsts))
    if shape.index == "delta":
        return writer.block(_delta_index(users))
    half = max(1, len(users) // 2)
    top = []
    for part in (users[:half], users[half:]):
        if part:
            top.append((part[-1][0], writer.block(_delta_index(part))))
    built.places["index-part"] = top[0][1]
    return writer.block(_delta_index(top))


def _properties(built: Built, shape: Shape, entries: int, ranges: int) -> bytes:
    kinds = {"two-level": 2, "first-key": 3}
    delta = 0 if shape.index == "full" else 1
    raw = {
        "num.entries": properties.number(entries + ranges),
        "num.range-deletions": properties.number(ranges),
        "num.data.blocks": properties.number(len(built.blocks)),
        "data.size": properties.number(built.blocks[-1].end if built.blocks else 0),
        "raw.key.size": properties.number(16 * entries),
        "raw.value.size": properties.number(40 * entries),
        "index.key.is.user.key": properties.number(delta),
        "index.value.is.delta.encoded": properties.number(delta),
        "column.family.id": properties.number(0),
        "column.family.name": b"default",
        "comparator": keys.BYTEWISE.encode(),
        "compression": NAMES[shape.codec] if shape.version < 7 else b"BuiltinV2;%02X;" % shape.codec,
        "format.version": properties.number(0),
    }
    found = {PREFIX + name.encode(): body for name, body in raw.items()}
    found[properties.INDEX_TYPE] = kinds.get(shape.index, 0).to_bytes(4, "little")
    return block.build(sorted({**found, **shape.properties}.items()), 1 << 30)


def table(pairs: Iterable[Pair], shape: Shape | None = None, ranges: Iterable[Pair] = ()) -> Built:
    """A table of internal keys and values in order; `ranges` are range deletes (begin as internal key, end)."""
    shape = shape or Shape()
    framing = -1 if shape.leveldb else shape.version
    writer, built = Writer(shape), Built()
    lasts: list[bytes] = []
    firsts: list[bytes] = []
    held: list[Pair] = []
    entries = 0

    def flush() -> None:
        payload = compress(shape.codec, data_block(held, shape), framing, shape.dictionary)
        built.blocks.append(writer.block(payload, shape.codec))
        built.counts.append(len(held))
        firsts.append(held[0][0])
        lasts.append(held[-1][0])
        held.clear()

    size = 0
    for pair in pairs:
        held.append(pair)
        entries += 1
        size += len(pair[0]) + len(pair[1])
        if size >= shape.block_size:
            flush()
            size = 0
    if held:
        flush()
    built.smallest, built.largest = (firsts[0], lasts[-1]) if lasts else (b"\0" * 8, b"\0" * 8)
    meta: dict[bytes, Handle] = {}
    cuts = list(ranges)
    if shape.filter:
        built.places["filter"] = meta[b"fullfilter.rocksdb.BuiltinBloomFilter"] = writer.block(shape.filter)
    index = built.places["index"] = _index(writer, built, lasts, firsts, shape)
    if shape.dictionary:
        built.places["dictionary"] = meta[b"rocksdb.compression_dict"] = writer.block(shape.dictionary)
    if cuts:
        built.places["range-deletes"] = meta[b"rocksdb.range_del"] = writer.block(block.build(cuts, 1))
    if not shape.leveldb:
        body = _properties(built, shape, entries, len(cuts))
        built.places["properties"] = meta[b"rocksdb.properties"] = writer.block(body)
    if shape.version >= 6:
        meta[b"rocksdb.index"] = index
    named = [(name, footer.put_handle(h)) for name, h in sorted(meta.items())]
    built.places["metaindex"] = writer.block(block.build(named, 1))
    built.footer = len(writer.out)
    version = max(shape.version, 0)
    writer.out += footer.encode(
        version, shape.checksum, writer.base, built.places["metaindex"], index, built.footer, shape.leveldb
    )
    built.data = bytes(writer.out)
    return built
