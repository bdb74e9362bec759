"""Every bit of a unit flipped: `python -m benchmarks.bench_correction_units [pages] [masks] [slots] [rocksdb]`.

For each metadata page, slot of known peers or RocksDB block: the share undone with a witness (sealed), undone and only
listed because nothing but the checksum speaks for it (unique), not undone; and whether anything wrong would have been
written.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import cramjam
import lz4.block
import zstandard

from inspector.correct import Correction, apply
from inspector.format import Wishes
from inspector.formats.known_peers.flip import one_flip
from inspector.formats.known_peers.payload import Generation
from inspector.formats.rocksdb import block, codecs
from inspector.formats.rocksdb.checksums import CRC32C, XXH3, block_checksum
from inspector.formats.rocksdb.checksums import NAMES as CHECKSUMS
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.correction import correct_block
from inspector.formats.rocksdb.keys import PUT, internal
from inspector.formats.spdk_blobstore import mend
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.signs import page_signs
from inspector.formats.spdk_blobstore.state import State, open_store
from inspector.source import MemorySource
from tests.builders import known_peers
from tests.builders.spdk import replica
from tests.formats.spdk_blobstore.support import repaired

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


SAMPLES = Path(__file__).parents[1] / "samples" / "spdk_blobstore"
Unit = tuple[str, bytes, Callable[[bytes], Correction]]  # name, sound bytes, what undoes damage of them


def pages() -> Iterator[Unit]:
    """One metadata page of each kind of a replica, and its super block, as the store around them speaks for them."""
    image = bytes(replica().image.build())
    yield "SPDK super block", image[:4096], partial(mend.solve, by=mend.super_witness(_opened(image).disk))
    seen: set[int] = set()
    for one in (image, *(path.read_bytes() for path in sorted(SAMPLES.glob("*.img")))):
        yield from _pages_of(one, seen)


def _pages_of(image: bytes, seen: set[int]) -> Iterator[Unit]:
    state = open_store(MemorySource(image), None, Wishes())
    if state.how != "sealed" or state.ready() is None or state.geometry is None or state.disk.base:
        return
    for page, kind in zip(state.region.index, state.region.kind, strict=True):
        if kind in seen or kind == pg.STRAY:
            continue
        seen.add(kind)
        at = state.geometry.md_at(page)
        broken = _opened(image[:at] + bytes(b ^ 0x5A for b in image[at : at + 64]) + image[at + 64 :])
        witness = mend.witness(page, state.geometry, page_signs(broken.disk, state.geometry, broken.region))
        yield f"SPDK page: {pg.STATE_NAMES[kind]}", image[at : at + 4096], partial(mend.solve, by=witness)


def _opened(image: bytes) -> State:
    state = open_store(MemorySource(image), None, Wishes())
    assert state.ready() is not None
    return state


def masks() -> bool:
    """Every bit of the masks: the repair computes them from the sealed pages."""
    chain = replica()
    image = bytes(chain.image.build())
    g = _opened(image).geometry
    assert g is not None
    bits = [8 * (start * g.page_size) + bit for start, _ in sb.masks(g).values() for bit in range(40 + g.md_len)]
    since, right = time.process_time(), 0
    for bit in bits:
        right += repaired(bytearray(apply(image, ((bit >> 3, 1 << (bit & 7)),)))) == image
    told = f"{len(bits):,} flips in {time.process_time() - since:.1f} s"
    print(f"SPDK masks: {told}: derived anew, byte-identical {right / len(bits):.1%}", flush=True)
    return right == len(bits)


def slots() -> Iterator[Unit]:
    """A slot of known peers of each generation; BLAKE3, so by trial."""
    for generation in (1, 2, 3):
        unit = known_peers.seal(known_peers.payload(known_peers.peers(12), generation=generation))
        yield f"known peers slot, generation {generation}", unit, partial(_by_trial, generation=generation)


def _by_trial(unit: bytes, generation: Generation) -> Correction:
    found = one_flip(unit + bytes(64), generation)
    return Correction("sealed", found.data) if found else Correction("none")


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


def rocksdb() -> bool:
    good = True
    for name, unit, kind in blocks():
        good &= measure(f"RocksDB block, {name}", unit, lambda bad, kind=kind: correct_block(bad, kind, 5))  # type: ignore[misc]
    return good


def every(units: Iterator[Unit]) -> bool:
    """Measures all of them; whether nothing was wrong in any."""
    good = [measure(*unit) for unit in units]
    return all(good)


def main() -> int:
    steps: dict[str, Callable[[], bool]] = {
        "pages": lambda: every(pages()),
        "masks": masks,
        "slots": lambda: every(slots()),
        "rocksdb": rocksdb,
    }
    asked = sys.argv[1:] or list(steps)
    good = [steps[name]() for name in asked]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
