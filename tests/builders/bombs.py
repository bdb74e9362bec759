"""Small files that unpack to much, nest deep, or claim more than they hold; made when they are asked for."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cramjam
import lz4.block
import zstandard

from inspector.formats.rocksdb import block, footer, keys, properties
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.properties import PREFIX
from tests.builders.rocksdb_table import Shape, Writer

SAMPLES = Path(__file__).parents[2] / "samples"
BIG = 60 << 20  # bytes of a block uncompressed, below the limit of a block


def table(blocks: list[tuple[int, bytes]]) -> bytes:
    """A sealed table of these payloads (codec, bytes)."""
    writer = Writer(Shape(index="full"))
    handles = [writer.block(payload, codec) for codec, payload in blocks]
    named = [(keys.internal(b"key-%06d" % i, 5, keys.PUT), footer.put_handle(h)) for i, h in enumerate(handles)]
    stated = [(PREFIX + b"num.data.blocks", properties.number(len(blocks)))]
    named_block = (b"rocksdb.properties", footer.put_handle(writer.block(block.build(stated, 1))))
    top, meta = writer.block(block.build(named, 1)), writer.block(block.build([named_block], 1))
    return bytes(writer.out) + footer.encode(5, writer.shape.checksum, 0, meta, top, len(writer.out), False)


def one_value() -> bytes:
    return block.build([(keys.internal(b"key-000000", 5, keys.PUT), bytes(BIG))], 1)


def packed(codec: int, content: bytes) -> bytes:
    size = put_varint(len(content))
    if codec == 7:
        return size + zstandard.ZstdCompressor(level=3).compress(content)
    if codec == 4:
        return size + bytes(lz4.block.compress(content, store_size=False))
    if codec == 1:
        return bytes(cramjam.snappy.compress_raw(content))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -14)
    return size + deflate.compress(content) + deflate.flush()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


def log_line(text: bytes) -> bytes:
    return b"2024-05-30T12:36:01.644910Z DEBUG libp2p_kad::behaviour: Bootstrap " + text + b"\n"


def fake_headers(count: int) -> bytes:
    """A gossip store that claims a record of 65,535 bytes in every 14 bytes."""
    return b"\x10" + b"\0\0\xff\xff\1\2\3\4\0\0\0\1\1\0" * count


def many_findings(count: int) -> bytes:
    """Records of two bytes whose checksum is wrong."""
    return b"\x10" + b"".join(struct.pack(">HHIIH", 0, 2, 5, k & 0xFFFF, 0x1008) for k in range(count))


def capsule(manifest: bytes, data: bytes, vouched: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("capsule.json", manifest)
        archive.writestr("data", data)
        archive.writestr("vouched", vouched)
    return out.getvalue()


def told(size: int, digest: str) -> bytes:
    member = {"name": "", "size": size, "ranges": [[0, size]], "zeros": [], "extents": [[0, size]], "vouched": []}
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return json.dumps(
        {
            "schema": "inspector/capsule/2",
            "members": [member],
            "sha256": digest,
            "vouched_sha256": empty,
            "source": {"kind": "file", "name": "gossip_store"},
            "detected": ["gossip-store", 50, "x"],
        }
    ).encode()


def known_peers(count: int, rest: bytes) -> bytes:
    from inspector.formats.known_peers.scale import write_compact

    return (100).to_bytes(4, "little") + (1_717_072_491).to_bytes(8, "little") + write_compact(count) + rest


def folder_of(files: dict[str, bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        for name, data in files.items():
            (path / name).write_bytes(data)

    return make


def packed_database(path: Path) -> None:
    folder_of(database(**{"000011_sst": table([(7, packed(7, one_value()))])}))(path)


def database(**files: bytes) -> dict[str, bytes]:
    held = {p.name: p.read_bytes() for p in sorted((SAMPLES / "rocksdb" / "clean-db").iterdir())}
    return held | {name.replace("__", "-").replace("_", "."): data for name, data in files.items()}


def blobs() -> dict[str, Callable[[], bytes]]:
    """The files by the name they need to be known."""
    huge = 1 << 20
    return {
        "zstd-value.sst": lambda: table([(7, packed(7, one_value()))]),
        "zstd-zeroes.sst": lambda: table([(7, packed(7, bytes(BIG)))]),
        "zstd-fifty.sst": lambda: table([(7, packed(7, one_value()))] * 50),
        "zlib-value.sst": lambda: table([(2, packed(2, one_value()))]),
        "lz4-value.sst": lambda: table([(4, packed(4, one_value()))]),
        "snappy-value.sst": lambda: table([(1, packed(1, one_value()))]),
        "zeroes.log.gz": lambda: gzipped(bytes(BIG)),
        "lines.log.gz": lambda: gzipped(log_line(b"starting") + b"\n" * BIG),
        "long-line.log.gz": lambda: gzipped(log_line(b"starting") + b"x" * BIG),
        "repeated.log.gz": lambda: gzipped(log_line(b"starting") * 200_000),
        "members.log.gz": lambda: gzipped(log_line(b"starting")) + gzipped(b"") * 40_000,
        "deep.log": lambda: b'{"timestamp":"2024-05-30T12:36:01.644910Z","fields":' + b'{"a":' * (huge // 5) + b"\n",
        "deep-lists.log": lambda: b'{"timestamp":"2024-05-30T12:36:01.644910Z","fields":' + b"[" * huge + b"\n",
        "fake-headers.gossip_store": lambda: fake_headers(huge // 14),
        "many-findings.gossip_store": lambda: many_findings(huge // 14),
        "million-findings.gossip_store": lambda: many_findings(1_000_000),
        "two-gib-length.gossip_store": lambda: b"\x10\0\0\x7f\xff" + bytes(95),
        "capsule-data.capsule": lambda: capsule(told(BIG, "0" * 64), bytes(BIG)),
        "capsule-deep.capsule": lambda: capsule(b"[" * BIG, b""),
        "capsule-lists.capsule": lambda: capsule(b'{"members":[' + b"[]," * (BIG // 3) + b"[]]}", b""),
        "capsule-runs.capsule": lambda: capsule(
            told(BIG, "0" * 64).replace(b'"vouched": []', b'"vouched": [' + b'["",0,0,0,0],' * 4_000_000 + b"]"), b""
        ),
        "known_addresses.bin": lambda: known_peers((1 << 30) - 1, bytes(huge)),
        "piece_cache.bin": lambda: bytes(2 * 1_048_712),
        "latest.json": lambda: b"[" * huge,
        "0.50.blocks": lambda: (1 << 60).to_bytes(8, "little") + b"\xff" * huge,
        "MANIFEST-000001": lambda: b"".join(struct.pack("<IHB", 0, 0, 1) for _ in range(huge // 7)),
        "000009.log": lambda: bytes(huge),
    }


def folders() -> dict[str, Callable[[Path], None]]:
    crowd = {f"{k:06}.sst": b"" for k in range(100, 20_100)}
    return {
        "db-long-current": folder_of(database(CURRENT=b"MANIFEST-" + b"0" * 65_536 + b"\n")),
        "db-many-members": folder_of(database() | crowd),
        "db-zstd": packed_database,
        "db-options": folder_of(database(OPTIONS__000007=b"[a]\n" * 200_000)),
        "names": folder_of({"n" * 250 + f"{k:05}": b"" for k in range(5_000)}),
    }
