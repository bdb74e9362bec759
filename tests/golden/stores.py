"""More stores whose damage `tests.golden.damages` tells of: the structures that those of `tests.proof_stores` lack."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from blake3 import blake3
from msgspec.structs import replace

from inspector.formats.known_peers.payload import Generation
from inspector.formats.known_peers.slots import slot_length
from inspector.formats.rocksdb import batch, blob, checksums, codecs, keys
from inspector.formats.rocksdb import edit as edits
from tests.builders import gossip, kad_trace, spdk
from tests.builders import gossip_messages as m
from tests.builders import known_peers as known
from tests.builders.longhorn_samples import R1, R2, bdev, dump
from tests.builders.rocksdb import World, blob_file, log_of, pairs
from tests.builders.rocksdb_table import Shape, table
from tests.builders.spdk import PAGE, Image
from tests.proof_stores import ELEMENT, Store, form_named, tiny_elements
from tests.proof_stores import stores as proof_stores

Made = Callable[[], dict[str, bytes]]


def every_kind(version: int) -> dict[str, bytes]:
    """A gossip store with each kind of record that the releases of this version wrote, live and dead."""
    net = gossip.Network(gossip.Store(version), version)
    store = net.store
    one, two, three = net.node(), net.node(), net.node()
    if 4 <= version <= 12:
        net.keep_private(one, two)
    first, second, last = (net.open(*pair) for pair in ((one, two), (two, three), (one, three)))
    for channel in (first, second, last):
        net.update(channel, 0, short=version < 11)
        net.update(channel, 1, flags=gossip.RATELIMIT if 10 <= version <= 13 else 0)
    net.update(first, 0)
    for node in (one, two, two):
        net.announce(node, flags=gossip.PUSH if 7 <= version <= 14 else 0)
    if version >= 11:
        net.spend(second)
    net.close(last)
    if version == 3:
        store.append(m.wrapped(4100, m.local_add_channel(m.scid(9, 9, 9), one.id, 1_000_000, b"\x02")))
    return {"": store.bytes()}


def _table(shape: Shape) -> Made:
    ranges = [(keys.internal(b"key-000007", 900, keys.RANGE_DELETE), b"key-000011")] * (shape.version >= 5)
    return lambda: {"": table(pairs(0, 60), shape, ranges).data}


TABLES = {
    "two-level": Shape(version=6, index="two-level", codec=codecs.ZSTD, dictionary=b"value 0000" * 8, filter=bytes(64)),
    "first keys": Shape(version=7, index="first-key", codec=codecs.LZ4, separated=True, interval=3),
    "snappy": Shape(version=2, index="full", codec=codecs.SNAPPY, checksum=checksums.CRC32C, interval=16),
    "hash index": Shape(version=4, codec=codecs.ZLIB, checksum=checksums.XXHASH64, hash_index=True),
}


def families() -> dict[str, bytes]:
    """A database of two column families, values in a blob file, deletions, merges, and a recycled WAL."""
    world = World(Shape(codec=codecs.LZ4))
    values = [(b"blob-%03d" % n, b"v" * (30 + n)) for n in range(6)]
    data, places = blob_file(values)
    world.blobs[8] = data
    rows = []
    for n, ((key, _), (at, size)) in enumerate(zip(values, places, strict=True)):
        where = blob.put_index(blob.BlobIndex(blob.BLOB, 8, at, size, 0))
        rows.append((keys.internal(key, 100 + n, keys.BLOB_INDEX), where))
    world.add(9, [*rows, *((keys.internal(b"gone-%d" % n, 300 + n, keys.DELETE), b"") for n in range(3))])
    world.listed[0] = replace(world.listed[0], custom=((edits.CUSTOM_OLDEST_BLOB, b"\x08"),))
    world.blob_edits.append(edits.BlobFile(8, len(places), len(data) - blob.HEADER - blob.FOOTER))
    world.add(11, pairs(0, 20, 400), level=0)
    world.extra.append(edits.Edit(family=1, add_family="second", comparator=keys.BYTEWISE, log_number=14))
    operations = [
        [(0, keys.PUT, b"wal-1", b"one"), (1, keys.PUT, b"wal-2", b"two")],
        [(1, keys.DELETE, b"wal-2", b""), (0, keys.MERGE, b"wal-1", b"+1")],
        [(0, keys.RANGE_DELETE, b"key-000003", b"key-000005")],
        [(0, keys.PUT, b"wal-%02d" % n, b"w" * 20) for n in range(10, 14)],
    ]
    sequence, records = 1000, []
    for some in operations:
        records.append(batch.encode(sequence, some))
        sequence += len(some)
    world.wals[14] = log_of(records, 14)
    world.log_number = 14
    return world.members()


def wide_pages() -> dict[str, bytes]:
    """Metadata pages of 16 KiB, in use since it was loaded: masks are old, a volume stands on an outside parent."""
    image = Image(clusters=40, cluster_size=1 << 14, page=1 << 14, md_len=14, name_size=256)
    outside = {b"EXTSNAP": b"0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11\0"}
    image.lvol("on-a-base", 4, [1, 3], internal=outside, flags=8)
    snap = image.lvol("snap", 600, [0, 599], snapshot=True)
    image.lvol("clone", 600, [0, 520], parent=snap, xattrs={b"note": b"n" * 3900, b"more": b"m" * 1000})
    image.lvol("runs", 5, [0, 1, 4], rle=True)
    image.lvol("decoupled", 2, [0, 1])
    return {"": bytes(image.build(clean=False, masks=True))}


def chain() -> dict[str, bytes]:
    """The chain of a replica, a thick volume and one with two extent pages, in clusters of four pages."""
    return {"": bytes(spdk.replica().image.build())}


def _rebuilt() -> tuple[Image, list[int]]:
    image = Image(clusters=30, cluster_size=PAGE, md_len=16, name_size=256)
    one = image.lvol(f"{R1}-snap-one", 5, [0, 2], snapshot=True, xattrs={b"user_created": b"true\0"})
    checksum = {b"checksum": struct.pack("<Q", 7), b"snapshot_timestamp": b"2026-11-20T22:15:29Z\0"}
    two = image.lvol(f"{R1}-snap-two", 5, [2], parent=one, snapshot=True, xattrs=checksum)
    head = image.lvol(R1, 5, [4], parent=two)
    other = image.lvol(f"{R2}-rebuilding", 5, [0])
    return image, [one, two, head, other]


def rebuilt() -> dict[str, bytes]:
    """A replica of two snapshots beside one that is being rebuilt."""
    return {"": bytes(_rebuilt()[0].build())}


def of_rebuilt() -> bytes:
    """An envelope around what a running system says of it, and Longhorn's own object of the same replica."""
    image, (one, two, head, other) = _rebuilt()
    names = f"{R1}-snap-one", f"{R1}-snap-two", R1
    told = [bdev(image, one, names[0], None, [names[1]]), bdev(image, two, names[1], names[0], [R1]),
            bdev(image, head, R1, names[1], []), bdev(image, other, f"{R2}-rebuilding", None, [])]  # fmt: skip
    snapshots = {
        "one": {"name": "one", "parent": "", "children": {"two": True}, "user_created": True},
        "two": {"name": "two", "parent": "one", "children": {"volume-head": True}, "snapshot_checksum": "7"},
    }
    entry = {"name": R1, "lvs_name": "disk-t", "spec_size": str(5 * PAGE), "snapshots": snapshots,
             "head": {"name": "volume-head", "parent": "two", "children": {}}}  # fmt: skip
    return dump({"rpc": {"jsonrpc": "2.0", "id": 1, "result": told}, "replica": entry})


def said_by_the_application() -> dict[str, bytes]:
    """Logs without event lines: three starts, a time-out, a step that is told twice, one that is missing, no end."""
    log = kad_trace.Log(kad_trace.docker, steps=False)
    log.process_start()
    log.bootstrap(5, timeouts=[3])
    log.bootstrap(4, steps=2, query=1)
    log.lines.append(log.lines[-1])
    log.ok_steps += 1
    log.step(4, 5, query=1)
    log.idle(400)
    log.process_start()
    log.bootstrap(6, steps=3, query=2)
    log.yamux(30)
    log.idle(200)
    return {"": log.data}


def odd_steps() -> dict[str, bytes]:
    """Steps that contradict each other, in colour: counts, what remains, more successes than requests, early ends."""
    log = kad_trace.Log(kad_trace.coloured)
    log.process_start()
    log.begin()
    log.step(1, 6, 9.0)
    log.step(2, 6, 9.0, remaining=3)
    log.step(2, 6, 9.0)
    log.step(4, 6, 9.0, requests=3, success=5)
    log.step(5, 6, 9.0, took=2.0)
    log.step(1, 4, 9.0, query=1, ok=False)
    log.step(3, 6, 150.0, query=0, last=True)
    log.finish()
    log.finish()
    log.idle(100)
    return {"": log.data}


def many_stalls() -> dict[str, bytes]:
    """More runs that stopped in the middle than are told one by one, with errors near them."""
    log = kad_trace.Log(kad_trace.full)
    for number in range(5):
        log.process_start()
        log.bootstrap(9, 3 + number)
        log.yamux(20 + number)
        log.idle(400 + 30 * number)
    return {"": log.data}


def many_undated() -> dict[str, bytes]:
    """Bootstraps of one run that no date belongs to, all of them open, and nothing behind the last one."""
    log = kad_trace.Log(kad_trace.full)
    for number in range(5):
        log.bootstrap(9, 3 + number, number)
    return {"": b"".join(line.split(b" ", 1)[1] for line in log.lines)}


def peers_of(generation: Generation, ages: tuple[int, int], old: int) -> dict[str, bytes]:
    """Slots for two peers, of which the first says its own cache: lists of so many seconds, over an older one."""
    room = slot_length(2)
    lists = [known.peers(3, 0), known.peers(4, 2)]
    bodies = [known.payload(some, known.WROTE - age, generation, 2) for some, age in zip(lists, ages, strict=True)]
    over = known.seal(known.payload(known.peers(old, 50), known.WROTE - 99, generation, 2))
    first, second = map(known.seal, bodies)
    return {"": known.slot(first, over, room) + known.slot(second, over, room)}


def elements() -> dict[str, bytes]:
    """Pieces of 152 bytes, one of them twice and one whose index begins with a zero, with empty places between."""

    def piece(index: int) -> bytes:
        body = index.to_bytes(8, "little") + blake3(b"%d" % index).digest(length=ELEMENT - 40)
        return body + blake3(body).digest()

    order = (7, 0, 256, 9, 0, 0, 7, 11, 12)
    return {"": b"".join(piece(index) if index else bytes(ELEMENT) for index in order)}


_FOUND = (b"LUKS\xba\xbe", b"XFSB", bytes(1080) + b"\x53\xef", b"QFI\xfb")  # what volumes begin with


def contents() -> dict[str, bytes]:
    """Volumes with an encrypted one, file systems and an image in them, and a snapshot with one."""
    image = Image(clusters=24, cluster_size=PAGE, md_len=14)
    below = None
    for number, begins in enumerate(_FOUND):
        volume = image.lvol(f"volume-{number}", 2, [0], parent=below, snapshot=number == 1)
        below = volume if number == 1 else None
        at = image.vols[volume].map[0] * PAGE
        image.data[at : at + len(begins)] = begins
    return {"": bytes(image.build())}


def half_done() -> dict[str, bytes]:
    """Snapshots that a crash left half made and half deleted, after the write that shares clusters, and a short map."""
    image = Image(clusters=40, cluster_size=PAGE, md_len=24)
    base = image.lvol("base", 4, [0, 1], snapshot=True)
    head = image.lvol("head", 4, [2, 3], parent=base)
    made = {b"SNAPTMP": struct.pack("<Q", head)}
    image.lvol("tmp", 4, [], parent=base, internal=made, at=dict(image.vols[head].map))
    child = max(image.pages) + 3
    gone = {b"SNAPRM": struct.pack("<Q", 1 << 32 | child)}
    snap = image.lvol("snap", 4, [1, 2], parent=base, snapshot=True, internal=gone)
    image.lvol("child", 4, [3], parent=snap, at=dict(image.vols[snap].map))
    image.lvol("wide", 1100, [0, 600, 1099])
    return {"": bytes(image.build(clean=False))}


def from_cluster_one() -> dict[str, bytes]:
    """All metadata in cluster 0, so that content begins in cluster 1: volumes on each other, in runs and in maps."""
    image = Image(clusters=9, cluster_size=1 << 16, md_len=9)
    snap = image.lvol("snap", 3, [0, 2], snapshot=True)
    image.lvol("head", 3, [1], parent=snap)
    image.lvol("runs", 2, [0, 1], thin=False, rle=True)
    return {"": bytes(image.build())}


def small_stores() -> list[Store]:
    """These and those of `tests.proof_stores`, but for those whose format works on other sizes there."""
    able = [*(store for store in proof_stores() if "1 MiB" not in store.name), *stores()]
    return [store for store in able if store.within is nullcontext]


def stores() -> list[Store]:
    rocksdb, peers = form_named("rocksdb"), form_named("known-peers")
    return [
        *(
            Store(
                f"gossip_store/every kind of version {version}",
                form_named("gossip-store"),
                partial(every_kind, version),
            )
            for version in (3, 6, 12, 14)
        ),
        *(Store(f"rocksdb/table: {name}", rocksdb, _table(shape)) for name, shape in TABLES.items()),
        Store("rocksdb/database of two families", rocksdb, families),
        Store("kad_trace/said by the application", form_named("kad-trace"), said_by_the_application),
        Store("kad_trace/odd steps", form_named("kad-trace"), odd_steps),
        Store("kad_trace/many stalls", form_named("kad-trace"), many_stalls),
        Store("kad_trace/many without a date", form_named("kad-trace"), many_undated),
        Store("known_peers/two lists of v1", peers, partial(peers_of, 1, (5, 0), 3)),
        Store("known_peers/two lists of v2", peers, partial(peers_of, 2, (0, 0), 6)),
        Store("known_peers/an older list in slot B", peers, partial(peers_of, 3, (0, 70), 9)),
        Store("piece_cache/nine elements of 152 bytes", form_named("piece-cache"), elements, within=tiny_elements),
        Store("spdk_blobstore/of known contents", form_named("spdk-blobstore"), contents),
        Store("spdk_blobstore/from cluster 1", form_named("spdk-blobstore"), from_cluster_one),
        Store("spdk_blobstore/half done", form_named("spdk-blobstore"), half_done),
        Store("spdk_blobstore/of wide pages", form_named("spdk-blobstore"), wide_pages),
        Store("spdk_blobstore/of a chain", form_named("spdk-blobstore"), chain),
        Store("longhorn/replica beside a rebuild", form_named("longhorn"), rebuilt, of_rebuilt),
    ]


MADE = frozenset(store.name for store in stores())
