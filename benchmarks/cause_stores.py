"""Healthy stores of every format in many variants, with the places where damage leaves evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

from blake3 import blake3

from inspector.formats.piece_cache.layout import ELEMENT
from tests.builders import gossip, kad_trace, known_peers, rocksdb, rocksdb_table, snarkos, spdk
from tests.builders.snarkos_wal import write_wal

Spans = tuple[tuple[int, int], ...]
PAGE, SECTOR, LOG_BLOCK = 4096, 512, 32768


@dataclass(frozen=True, slots=True)
class Base:
    """A healthy store; `regions` of `member` are bytes whose damage leaves evidence."""

    members: dict[str, bytes]
    label: str
    member: str
    regions: Spans
    units: Spans = ()  # what a flip hits: bytes that the format verifies; the regions where empty
    tail: bytes = b""  # what an append would write next
    completed: bool = False  # the format marks finished appends
    verified: Spans = ()  # what its checksums and structure cover; the regions where empty
    bounds: frozenset[int] = frozenset()  # ends of units behind which such a store may end
    blank: Spans = ()  # those of the verified stretches that may be all zero
    last: int = 1 << 62  # where the last unit begins, in formats that may end anywhere
    grows: Literal["", "zeroes", "anything"] = ""  # what may lie behind the end

    @property
    def data(self) -> bytes:
        return self.members[self.member]


@cache
def _gossip(variant: int) -> Base:
    version = (16, 15, 14, 16, 12, 16, 9, 15)[variant % 8]
    size = (40_000, 90_000, 200_000, 60_000)[variant // 8 % 4]
    data = gossip.healthy(version, size, variant)
    longer = gossip.healthy(version, size + 3000, variant)
    assert longer.startswith(data[:1])
    tail = gossip.healthy(version, 3000, variant + 1)
    record = tail[-(12 + 138) :] if len(tail) > 400 else tail[47:]
    for at in _gossip_records(tail):
        length = 12 + int.from_bytes(tail[at + 2 : at + 4], "big")
        if length == 150:
            record = tail[at : at + length]
    records = _gossip_records(data)
    region, bounds = ((47, len(data)),), frozenset([*records, len(data)])
    return Base({"": data}, "gossip_store", "", region, (), record, version >= 15, bounds=bounds, last=records[-1])


def _gossip_records(data: bytes) -> list[int]:
    found, at = [], 1
    while at + 12 <= len(data):
        found.append(at)
        at += 12 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found


@cache
def _spdk(variant: int) -> Base:
    image = spdk.Image(clusters=32 + 16 * (variant % 3), cluster_size=(16384, 32768, 65536)[variant % 3])
    rng = Random(variant)
    parent = None
    for number in range(4 + variant % 5):
        count = rng.randrange(2, 9)
        written = sorted(rng.sample(range(count), min(count, rng.randrange(1, 3))))
        snapshot = number % 2 == 0
        made = image.lvol(f"vol-{variant}-{number}", count, written, parent=parent, snapshot=snapshot)
        parent = made if snapshot else None
    used = sorted(image.pages)
    regions = tuple((image.page_at(page), image.page_at(page) + PAGE) for page in used)
    clean = variant % 4 != 3  # the masks of an unclean store are not in use
    data = bytes(image.build(clean=clean))
    return Base({"": data}, "disk.img", "", regions, blank=() if clean else regions, grows="anything")


@cache
def _longhorn(variant: int) -> Base:
    """A disk of the v2 engine: two replicas with chains of snapshots, names of 256 bytes."""
    image = spdk.Image(clusters=48, cluster_size=(16384, 32768)[variant % 2], md_len=24, name_size=256)
    rng = Random(variant)
    for replica in ("0d1c4d2a-r-21baaab4", "5f3b7c90-r-7c0ffee1"):
        parent = None
        for number in range(1 + (variant + len(replica)) % 3):
            written = sorted(rng.sample(range(6), 2))
            xattrs = {b"user_created": b"true\0"}
            parent = image.lvol(f"pvc-{replica}-snap-{number}", 6, written, parent=parent, snapshot=True, xattrs=xattrs)
        image.lvol(f"pvc-{replica}", 6, sorted(rng.sample(range(6), 2)), parent=parent)
    regions = tuple((image.page_at(page), image.page_at(page) + PAGE) for page in sorted(image.pages))
    return Base({"": bytes(image.build())}, "disk.img", "", regions, grows="anything")


@cache
def _ledger(variant: int) -> Base:
    made = snarkos.ledger((30, 20)[variant % 2], variant + 3)
    members = write_wal(snarkos.batches(made))
    member = max(members, key=lambda name: len(members[name]))
    verified, bounds = _wal_records(members[member])
    region = ((0, len(members[member])),)
    last = verified[-1][0]
    return Base(members, "ledger-0", member, region, verified=verified, bounds=bounds, last=last, grows="zeroes")


def _shape(variant: int) -> rocksdb_table.Shape:
    return rocksdb_table.Shape(
        version=(5, 6, 4, 5)[variant % 4],
        checksum=(4, 4, 1, 1, 3, 2)[variant % 6],
        codec=(0, 4, 7, 1, 0)[variant % 5],
        block_size=(4096, 1024, 512)[variant % 3],
    )


@cache
def _sst(variant: int) -> Base:
    built = rocksdb_table.table(rocksdb.pairs(0, 800 + 300 * (variant % 4)), _shape(variant))
    last = built.blocks[-1].end
    return Base({"": built.data}, "000009.sst", "", ((0, last),))


@cache
def _wal(variant: int) -> Base:
    count, size = 600 + 200 * (variant % 5), (40, 120, 300)[variant % 3]
    data, starts = rocksdb.wal(count, 100, size=size)
    longer, more = rocksdb.wal(count + 1, 100, size=size)
    assert longer[: len(data)] == data
    del starts
    verified, bounds = _wal_records(data)
    region = ((0, len(data)),)
    tail = longer[more[-1] :]
    # RocksDB makes room for its logs before it writes them
    return Base(
        {"": data}, "000014.log", "", region, (), tail, False, verified, bounds, last=verified[-1][0], grows="zeroes"
    )


def _wal_records(data: bytes) -> tuple[Spans, frozenset[int]]:
    """Where records lie, and where whole ones end: the rest of a block that has no room for a header is verified
    by nothing."""
    found, ends, at = [], set(), 0
    while at + 7 <= len(data):
        if LOG_BLOCK - at % LOG_BLOCK < 7:
            at += LOG_BLOCK - at % LOG_BLOCK
            continue
        end = at + 7 + int.from_bytes(data[at + 4 : at + 6], "little")
        found.append((at, end))
        if data[at + 6] in (1, 4):  # full, last
            ends.add(end)
        at = end
    return tuple(found), frozenset(ends)


@cache
def _folder(variant: int) -> Base:
    world = rocksdb.World(_shape(variant))
    first = world.add(9, rocksdb.pairs(0, 600 + 100 * (variant % 3)))
    world.add(11, rocksdb.pairs(2000, 2400, 2000))
    world.wals[14] = rocksdb.wal(300, 10_001)[0]
    world.log_number = 14
    member = ("000009.sst", "000014.log")[variant % 2]
    members = world.members()
    if member.endswith("sst"):
        return Base(members, "db", member, ((0, first.blocks[-1].end),))
    verified, bounds = _wal_records(members[member])
    region = ((0, len(members[member])),)
    last = verified[-1][0]
    return Base(members, "db", member, region, verified=verified, bounds=bounds, last=last, grows="zeroes")


@cache
def _blocks(variant: int) -> Base:
    count = (50, 30, 12)[variant % 3]
    made = snarkos.ledger(count, variant + 1)
    data = snarkos.cdn_file(made, 0, count)
    at = last = 8
    while at < len(data):
        last, at = at, at + 8 + int.from_bytes(data[at : at + 8], "little")
    return Base({"": data}, f"0.{count}.blocks", "", ((8, len(data)),), last=last)


@cache
def _peers(variant: int) -> Base:
    counts = (12, 15, 40, 90)[variant % 4]
    newer = known_peers.seal(known_peers.payload(known_peers.peers(counts, variant), known_peers.WROTE))
    older = known_peers.seal(known_peers.payload(known_peers.peers(counts + 3, variant + 7), known_peers.WROTE - 5))
    data = known_peers.store(newer, older)
    regions = ((0, len(newer)), (known_peers.S, known_peers.S + len(older)))
    return Base({"": data}, "known_addresses.bin", "", regions, blank=regions)


def _element(index: int) -> bytes:
    """A piece as farmers hold them: coded data that looks random from end to end."""
    body = index.to_bytes(8, "little") + Random(index).randbytes(ELEMENT - 40)
    return body + blake3(body).digest()


@cache
def _pieces(variant: int) -> Base:
    data = b"".join(_element(variant * 8 + i) for i in range(2 + variant % 2))
    return Base({"": data}, "piece_cache.bin", "", ((0, len(data)),), last=len(data) - ELEMENT)


@cache
def _trace(variant: int) -> Base:
    log = kad_trace.Log(form=(kad_trace.full, kad_trace.substrate, kad_trace.journald)[variant % 3])
    log.process_start()
    for query in range(4 + variant % 4):
        log.bootstrap(query=query)
        log.idle(5)
    return Base({"": log.data}, "node.log", "", ((0, len(log.data)),))


STORES: dict[str, tuple[Callable[[int], Base], int]] = {
    "gossip": (_gossip, 32),
    "spdk": (_spdk, 24),
    "longhorn": (_longhorn, 12),
    "sst": (_sst, 60),
    "wal": (_wal, 15),
    "folder": (_folder, 30),
    "ledger": (_ledger, 6),
    "blocks": (_blocks, 12),
    "peers": (_peers, 16),
    "pieces": (_pieces, 6),
    "trace": (_trace, 12),
}


def store(name: str, variant: int) -> Base:
    make, variants = STORES[name]
    return make(variant % variants)
