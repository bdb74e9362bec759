"""Bytes with their checksums made right again, so that what stands behind a checksum is reached, too.

Where units lie is taken from the bytes themselves as far as they can be read; nothing here raises on any bytes.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress

from blake3 import blake3
from crc32c import crc32c

from inspector.formats.known_peers.payload import parse_payload
from inspector.formats.piece_cache import layout as pieces
from inspector.formats.rocksdb import blob, checksums, footer, log
from inspector.formats.rocksdb.coding import MalformedError

PAGE = 4096


def sealed(form: str, member: str, data: bytes, like: bytes) -> bytes:
    """`like` is the sound member: blocks that nothing in `data` leads to are taken to lie where they do there."""
    make = _SEALS.get(form)
    return make(member, bytearray(data), like) if make else data


def _gossip(_: str, data: bytearray, like: bytes) -> bytes:
    at = len(data) if like and like[0] < 7 else 1  # before version 7 no checksum is one that can be made
    while at + 12 <= len(data):
        _, length, _, timestamp = struct.unpack_from(">HHII", data, at)
        body = bytes(data[at + 12 : at + 12 + length])
        struct.pack_into(">I", data, at + 4, crc32c(body, timestamp))
        at += 12 + length
    return bytes(data)


def _pages(_: str, data: bytearray, __: bytes) -> bytes:
    for at in range(0, len(data) - PAGE + 1, PAGE):
        page = data[at : at + PAGE]
        sealed_page = page[:8] == b"SPDKBLOB" or page[4:8] == b"\1\0\0\0"  # a super block, or a page of a blob
        if sealed_page:
            struct.pack_into("<I", data, at + PAGE - 4, crc32c(bytes(page[:-4])))
    return bytes(data)


def _peers(_: str, data: bytearray, __: bytes) -> bytes:
    for start in (0, len(data) // 2):
        for generation in (3, 2, 1):
            found = parse_payload(bytes(data), start, len(data), generation)
            if found.error is None and found.end + 32 <= len(data):
                data[found.end : found.end + 32] = blake3(bytes(data[start : found.end])).digest()
                break
    return bytes(data)


def _pieces(_: str, data: bytearray, __: bytes) -> bytes:
    size = pieces.ELEMENT
    for at in range(0, len(data) - size + 1, size):
        data[at + size - 32 : at + size] = blake3(bytes(data[at : at + size - 32])).digest()
    return bytes(data)


def _packed(_: str, data: bytearray, __: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return bytes(data)
    with suppress(zlib.error):
        text = zlib.decompressobj(wbits=-15).decompress(bytes(data[10:]), 1 << 20)
        packed = bytearray(gzip.compress(text, mtime=0))
        packed[9] = 3  # the system: releases of Python differ in what they write there
        return bytes(packed)
    return bytes(data)


def _database(member: str, data: bytearray, like: bytes) -> bytes:
    if like[-8:] in (footer.MAGIC.to_bytes(8, "little"), footer.LEGACY_MAGIC.to_bytes(8, "little")):
        return _table(data, like)
    if like[:4] == blob.MAGIC_BYTES:
        return _blobs(data)
    if member.endswith(".log") or "MANIFEST" in member or not member:
        return _log(data)
    return bytes(data)


def _log(data: bytearray) -> bytes:
    at = 0
    while at + log.HEADER <= len(data):
        if log.BLOCK - at % log.BLOCK < log.HEADER:
            at += log.BLOCK - at % log.BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        end = at + log.header_size(kind) + length
        if kind and end <= len(data):
            struct.pack_into("<I", data, at, checksums.masked_crc(bytes(data[at + 6 : end])))
        at = end if kind else at + log.HEADER
    return bytes(data)


def _blobs(data: bytearray) -> bytes:
    at, last = blob.HEADER, len(data) - blob.FOOTER
    while at + blob.RECORD_HEADER <= last:
        key, value = struct.unpack_from("<QQ", data, at)
        end = at + blob.RECORD_HEADER + key + value
        if end > last:
            break
        struct.pack_into("<I", data, at + 24, checksums.masked_crc(bytes(data[at : at + 24])))
        struct.pack_into("<I", data, at + 28, checksums.masked_crc(bytes(data[at + 32 : end])))
        at = end
    if last > 0:
        struct.pack_into("<I", data, len(data) - 4, checksums.masked_crc(bytes(data[last:-4])))
    return bytes(data)


def _table(data: bytearray, like: bytes) -> bytes:
    """Each block that stands where one stood, by its trailer; then the footer."""
    with suppress(MalformedError):
        found = footer.decode(bytes(data[-footer.SIZE :]), len(data))
        at = 0
        for end in _ends(like):
            if end <= found.start and at < end - footer.TRAILER:
                seal = checksums.block_checksum(found.checksum, bytes(data[at : end - 4]))
                seal = (seal + checksums.modifier(found.base, at)) & 0xFFFFFFFF
                struct.pack_into("<I", data, end - 4, seal)
            at = end
        if found.index is None:
            body = bytes(data[found.start :])
            seal = footer.footer_checksum(body, found.checksum, found.base, found.start)
            struct.pack_into("<I", data, found.start + 5, seal)
    return bytes(data)


def _ends(like: bytes) -> list[int]:
    """Where blocks end: after each place whose trailer holds over what is behind the last one."""
    if like not in _KNOWN:
        tail = footer.decode(like[-footer.SIZE :], len(like))
        ends, at = [], 0
        for end in range(footer.TRAILER, tail.start + 1):
            if end - at < footer.TRAILER:
                continue
            seal = checksums.block_checksum(tail.checksum, like[at : end - 4])
            seal = (seal + checksums.modifier(tail.base, at)) & 0xFFFFFFFF
            if struct.unpack_from("<I", like, end - 4)[0] == seal:
                ends.append(end)
                at = end
        _KNOWN[like] = ends
    return _KNOWN[like]


_KNOWN: dict[bytes, list[int]] = {}
_SEALS: dict[str, Callable[[str, bytearray, bytes], bytes]] = {
    "gossip-store": _gossip,
    "spdk-blobstore": _pages,
    "longhorn": _pages,
    "rocksdb": _database,
    "snarkos": _database,
    "known-peers": _peers,
    "piece-cache": _pieces,
    "kad-trace": _packed,
}

# what libFuzzer puts in: magic numbers, types, lengths that lie at the border of something
WORDS: dict[str, tuple[bytes, ...]] = {
    "gossip-store": (
        *(kind.to_bytes(2, "big") for kind in (256, 257, 258, 4101, 4102, 4103, 4104, 4105, 4106, 4107)),
        *(flag.to_bytes(2, "big") for flag in (0x8000, 0x4000, 0x2000, 0x1000, 0x0800)),
        bytes([16]), bytes([14]), bytes([9]), bytes([7]), b"\xff\xff", b"\0\x0c",
    ),
    "spdk-blobstore": (
        b"SPDKBLOB", b"LVOLSTORE", b"BLOBFS", b"SNAP", b"uuid\0", b"name\0", b"\xff\xff\xff\xff", b"\1\0\0\0",
        *(bytes([kind]) + b"\x08\0\0\0" for kind in range(8)), (1 << 32).to_bytes(8, "little"), b"\xff" * 8,
    ),
    "longhorn": (b"-snap-", b"-r-", b"-rebuilding", b"user_created", b"checksum", b"SNAP", b"volume-head", b"SPDKBLOB"),
    "rocksdb": (
        footer.MAGIC.to_bytes(8, "little"), footer.LEGACY_MAGIC.to_bytes(8, "little"), blob.MAGIC_BYTES,
        b"rocksdb.properties", b"rocksdb.range_del", b"rocksdb.compression_dict", b"fullfilter.", b"rocksdb.index",
        b"leveldb.BytewiseComparator", b"\xff\xff\xff\xff\x0f", b"\x80" * 9 + b"\1", b"MANIFEST-000005\n",
        *(bytes([kind]) for kind in (0, 1, 2, 4, 5, 7, 8, 15, 100, 103, 200, 201, 255)),
    ),
    "snarkos": (
        *(b"\0\0" + bytes([number]) + b"\0" for number in (0, 1, 2, 4, 5, 6, 7, 19, 20, 21, 51, 58, 59)),
        b"\x18\1\0\0\0\0\0\0", b"\xff" * 8, b"\1\0\0\0", b"credits.aleo",
    ),
    "snarkos-blocks": (b"\1", b"\0", b"\2", b"\xff" * 8, b"\x10\0\0\0\0\0\0\0", b'{"exclusive_height":', b'"hash":"ab'),
    "known-peers": (
        bytes.fromhex("002408011220"), b"\x04", b"\x29", b"\x36", b"\x06\x75\x31", bytes.fromhex("9102"), b"\xcd\x03",
        b"\x01", b"\xfc", b"\xfd\xff\xff", b"\xff" * 8, b"\x64\0\0\0\0\0\0\0",
    ),
    "piece-cache": (b"\xff" * 8, b"\0" * 8),
    "kad-trace": (
        b"\x1f\x8b\x08", b"bootstrap", b"kademlia", b"num_remaining", b"peer", b"12D3KooW", b"\x1b[32m", b"\n", b"\r\n",
        b'{"timestamp":"', b'"level":"DEBUG"', b"2024-05-30T12:34:56.789Z", b"WARN", b"Some(0)", b"None",
    ),
}  # fmt: skip
