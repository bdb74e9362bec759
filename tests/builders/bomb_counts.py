"""Counts of a ledger's rows that nothing stands behind, addresses of thousands of parts, dictionaries that cost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import zstandard

from inspector.formats.known_peers.payload import Address, Peer
from inspector.formats.rocksdb import block, footer, keys
from inspector.formats.rocksdb.coding import put_varint
from tests.builders import snarkos
from tests.builders.bomb_claims import known
from tests.builders.bombs import folder_of, packed
from tests.builders.kad_trace import Log
from tests.builders.known_peers import payload
from tests.builders.rocksdb_table import Shape, Writer
from tests.builders.snarkos_wal import write_wal

MIB = 1 << 20
CIRCUIT = b"\xa2\x02"  # /p2p-circuit has no value: two bytes a part
INLINE = bytes.fromhex("002408011220")


# --- ledgers ---


def rows(value: Callable[[int], bytes], each: int = 1) -> Callable[[Path], None]:
    """A ledger in which `each` rows of every map hold what `value` makes of the map's number."""

    def make(path: Path) -> None:
        blocks = snarkos.ledger(4)
        taken: dict[bytes, list[bytes]] = {}
        for found in snarkos.state(blocks):
            taken.setdefault(found[2:4], []).append(found)
        wrong = {k: value(k[2]) for found in taken.values() for k in found[:each]}
        folder_of(write_wal([*(b.rows() for b in blocks), wrong]))(path)

    return make


def nested(depth: int) -> bytes:
    """A value that is an array of one array, and so on; none of them ends."""
    return b"\1\0" + b"\2\1\0\0\0\xff\xff" * depth


# --- known peers ---


def addressed(address: bytes, count: int, addresses: int = 1) -> bytes:
    """A sealed list of peers, all with the same addresses."""
    listed = [
        Peer(INLINE + hashlib.sha256(b"%d" % i).digest(), (Address(address, None),) * addresses) for i in range(count)
    ]
    return known(payload(listed)[:480_000])


def relayed(parts: int) -> bytes:
    """A relay behind a relay behind a relay ..."""
    return b"\xa5\x03\x26" + INLINE + bytes(32) + (CIRCUIT + b"\xa5\x03\x26" + INLINE + bytes(32)) * parts


# --- dictionaries ---


def with_dictionary(dictionary: bytes, codec: int, count: int, stored: bytes | None = None) -> bytes:
    """A table of `count` small zstd blocks, each of which is unpacked with the whole dictionary."""
    writer = Writer(Shape())
    content = block.build([(keys.internal(b"key-000000", 5, keys.PUT), bytes(16))], 1)
    trained = zstandard.ZstdCompressionDict(dictionary)
    payload = put_varint(len(content)) + zstandard.ZstdCompressor(dict_data=trained).compress(content)
    found = [writer.block(payload, 7) for _ in range(count)]
    kept = writer.block(dictionary if stored is None else stored, codec)
    entries = [(keys.internal(b"key-%06d" % i, 5, keys.PUT), footer.put_handle(h)) for i, h in enumerate(found)]
    top = writer.block(block.build(entries, 1))
    named = block.build([(b"rocksdb.compression_dict", footer.put_handle(kept))], 1)
    meta = writer.block(named)
    return bytes(writer.out) + footer.encode(5, writer.shape.checksum, 0, meta, top, len(writer.out), False)


# --- traces ---


def endless(lines: Callable[[Log, int], None], before: int = 0) -> bytes:
    """A log of bootstraps that never end: `before` of one step each, then what `lines` says of each number."""
    out, log = bytearray(), Log()
    for number in range(MIB):
        log.lines.clear()
        log.ok_steps = 0
        if number < before:
            log.step(1, 13, 0.5, number)
        else:
            lines(log, number)
        log.wait(0.01)
        out += log.data
        if len(out) >= MIB:
            break
    return bytes(out[:MIB])


def begun(log: Log, number: int) -> None:
    log.begin()
    log.step(1, 13, 0.5, number)


def noise(size: int) -> bytes:
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32))


def files() -> dict[str, Callable[[], bytes]]:
    zeroes = bytes(60 << 20)
    return {
        "dictionary-large.sst": lambda: with_dictionary(noise(MIB // 2), 0, 5_000),
        "dictionary-packed.sst": lambda: with_dictionary(bytes(MIB), 7, 5_000, packed(7, zeroes)),
        "endless-begun.log": lambda: endless(begun),
        "endless-started.log": lambda: endless(lambda log, number: log.begin()),
        "endless-failed.log": lambda: endless(lambda log, number: log.say("Bootstrap query failed.", error="x"), 256),
        "endless-finished.log": lambda: endless(lambda log, number: log.finish(), 256),
        "known_addresses-parts.bin": lambda: addressed(CIRCUIT * 30_000, 7),
        "known_addresses-relays.bin": lambda: addressed(relayed(1_000), 10),
        "known_addresses-tiny.bin": lambda: addressed(CIRCUIT, 30, 4_000),
    }


def folders() -> dict[str, Callable[[Path], None]]:
    return {
        "ledger-counts-64": rows(lambda number: b"\xff" * 8 + bytes(4096), 3),
        "ledger-counts-32": rows(lambda number: b"\xff" * 4 + bytes(4096), 3),
        "ledger-counts-16": rows(lambda number: b"\1\xff\xff" + bytes(8192), 3),
        "ledger-zeroes": rows(lambda number: (8192).to_bytes(8, "little") + bytes(8192), 3),
        "ledger-version-zeroes": rows(lambda number: b"\1" + (2048).to_bytes(4, "little") + bytes(12_000), 3),
        "ledger-nested": rows(lambda number: nested(2_000)),
    }
