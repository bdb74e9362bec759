"""Every bit of metadata pages and RocksDB blocks flipped: `python -m benchmarks.bench_correction_units`.

For each page or block: the share undone with a witness (sealed), undone and only listed because nothing but the
checksum speaks for it (unique), not undone; and whether anything wrong would have been written.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import cramjam
import lz4.block
import zstandard

from inspector.correct import Correction, Word, apply, correct_crc32c, noticed_by
from inspector.formats.rocksdb import block, codecs
from inspector.formats.rocksdb.checksums import CRC32C, XXH3, block_checksum
from inspector.formats.rocksdb.checksums import NAMES as CHECKSUMS
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.correction import correct_block
from inspector.formats.rocksdb.keys import PUT, internal
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.mend import sane

IMAGES = Path(__file__).parents[1] / "samples" / "spdk_blobstore"
PAGE = Word(0, 4092, 4092)
NO_LIMIT = 1 << 32

ENCODERS: dict[int, Callable[[bytes], bytes]] = {
    codecs.NO_COMPRESSION: bytes,
    codecs.SNAPPY: lambda raw: bytes(cramjam.snappy.compress_raw(raw)),
    codecs.ZLIB: lambda raw: put_varint(len(raw)) + _deflate(raw),
    codecs.LZ4: lambda raw: put_varint(len(raw)) + bytes(lz4.block.compress(raw, store_size=False)),
    codecs.ZSTD: lambda raw: put_varint(len(raw)) + zstandard.ZstdCompressor().compress(raw),
}


def _deflate(raw: bytes) -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, -14)
    return stream.compress(raw) + stream.flush()


def pages() -> Iterator[tuple[str, bytes]]:
    """One page of each kind, from the project's samples."""
    seen: set[int] = set()
    for path in sorted(IMAGES.iterdir()):
        data = path.read_bytes() if path.is_file() else b""
        for at in range(4096, len(data) - 4095, 4096):
            unit = data[at : at + 4096]
            if not any(unit) or PAGE.syndrome(unit):
                continue
            kind = sane(unit, int.from_bytes(unit[:4], "little"), NO_LIMIT)
            if kind is not None and kind not in seen:
                seen.add(kind)
                yield pg.STATE_NAMES[kind], unit


def blocks() -> Iterator[tuple[str, bytes, int]]:
    """A data block of 24 entries in every codec, under CRC-32C and under XXH3."""
    rng = Random(1)
    words = [rng.randbytes(3).hex().encode() for _ in range(12)]
    pairs = [
        (internal(b"account-%06d" % (7 * n), 1000 + n, PUT), b" ".join(rng.choices(words, k=4))) for n in range(24)
    ]
    raw = block.build(pairs)
    for codec, encode in ENCODERS.items():
        for kind in (CRC32C, XXH3):
            body = encode(raw) + bytes([codec])
            unit = body + block_checksum(kind, body).to_bytes(4, "little")
            yield f"{codecs.NAMES[codec]}, {CHECKSUMS[kind]}", unit, kind


def measure(name: str, unit: bytes, undo: Callable[[bytes], Correction]) -> bool:
    since, found = time.process_time(), Counter[str]()
    for bit in range(8 * len(unit)):
        got = undo(apply(unit, ((bit >> 3, 1 << (bit & 7)),)))
        right = "" if not got.unit or got.unit == unit else " WRONG"
        found[got.verdict + right] += 1
    shares = ", ".join(f"{what} {count / found.total():.1%}" for what, count in sorted(found.items()))
    print(
        f"{name}, {len(unit)} bytes: {found.total():,} flips in {time.process_time() - since:.1f} s: {shares}",
        flush=True,
    )
    return not any("WRONG" in what for what in found)


def main() -> int:
    good = True
    for name, unit in pages():
        index = int.from_bytes(unit[:4], "little")
        witness = noticed_by(lambda page, index=index: sane(page, index, NO_LIMIT) is not None)  # type: ignore[misc]
        good &= measure(f"SPDK metadata page, {name}", unit, lambda bad, w=witness: correct_crc32c(bad, PAGE, w))  # type: ignore[misc]
    for name, unit, kind in blocks():
        good &= measure(f"RocksDB block, {name}", unit, lambda bad, kind=kind: correct_block(bad, kind, 5))  # type: ignore[misc]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
