"""Healthy stores of random size and shape, of the formats that have no engine to write them."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

from inspector.formats.known_peers.payload import Address, Generation, Peer
from inspector.formats.known_peers.slots import slot_length
from tests.builders import gossip, kad_trace, known_peers, snarkos, spdk
from tests.builders import gossip_messages as m
from tests.builders.piece_cache import EMPTY, element

SIZES = (0, 600, 5_000, 60_000, 400_000)


def gossip_store(rng: Random, folder: Path) -> Path:
    """Any version that a release wrote; grown, compacted, or new."""
    version = rng.choice((7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16))
    path = folder / "gossip_store"
    if rng.random() < 0.4:
        path.write_bytes(_compacted(rng, version))
    elif rng.random() < 0.1:
        path.write_bytes(gossip.Store(version).bytes())
    else:
        path.write_bytes(gossip.healthy(version, rng.choice(SIZES), rng.randrange(1 << 30)))
    return path


def every_kind(rng: Random, folder: Path) -> Path:
    """Any version from 2 on with each kind of record that its releases wrote, live and dead."""
    version = rng.randrange(2, 17)
    net = gossip.grown(version, rng.choice((3_000, 20_000)), rng.randrange(1 << 30))
    store = net.store
    one, two = net.nodes[:2]
    closed = m.scid(net.block + 1, 0, 0)
    own = m.local_add_channel(closed, one.id, 1_000_000, rng.choice((b"", b"\x02")))
    if version == 3:
        store.append(m.wrapped(4100, own))
    if 4 <= version <= 12 and rng.random() < 0.5:
        at = len(store.data)
        net.keep_private(one, two)
        if version >= 5 and rng.random() < 0.5:  # closed: each of its records is dead
            _flag_all(store, at, gossip.DELETED)
    if version >= 8:
        store.append(m.delete_chan(closed))
    if version >= 11:
        at = store.append(m.chan_dying(closed, net.block + 5))
        store.flag(at, gossip.DELETED)
    if version >= 15 and rng.random() < 0.5:  # an upgrade keeps the bit of own gossip, which means nothing any more
        for channel in rng.sample(net.channels, min(3, len(net.channels))):
            store.flag(channel.announcement, gossip.PUSH)
    if version >= 14 and net.channels:  # spent and disabled on both sides
        channel = rng.choice(net.channels)
        if channel.dying is None:
            net.spend(channel)
    if version <= 3 and net.channels:
        net.close(rng.choice(net.channels))
    path = folder / "gossip_store"
    path.write_bytes(store.bytes())
    return path


def _flag_all(store: gossip.Store, at: int, bits: int) -> None:
    while at < len(store.data):
        length = int.from_bytes(store.data[at + 2 : at + 4], "big")
        store.flag(at, bits)
        at += gossip.HEADER + length


def _compacted(rng: Random, version: int) -> bytes:
    """Live records only: channels with both, one or no updates, nodes that say much or nothing."""
    store = gossip.Store(version)
    net = gossip.Network(store, rng.randrange(1 << 30))
    for _ in range(rng.randrange(2, 40)):
        net.node(_words(rng))
    opened = [net.open(*rng.sample(net.nodes, 2)) for _ in range(rng.randrange(1, 200))]
    for channel in opened:
        for side in (0, 1):
            if rng.random() < 0.8:
                net.update(channel, side)
        if rng.random() < 0.02 and version >= 11:
            net.spend(channel)
    for node in net.nodes:
        if node.channels and rng.random() < 0.7:
            net.announce(node)
    return store.bytes()


def _words(rng: Random) -> m.NodeWords:
    """Aliases of any bytes, addresses of all kinds, a stream of unknown but well-formed TLVs."""
    alias = rng.choice((b"", rng.randbytes(32), "日本ノード⚡".encode(), b"\xff\xfe", b"a" * 32))
    makes = (m.address_ipv4, m.address_ipv6, m.address_tor3, lambda _: m.address_dns(b"a.example.org"))
    addresses = b"".join(make(rng) for make in makes if rng.random() < 0.5)
    tlv = b"".join(bytes([kind, 5]) + rng.randbytes(5) for kind in (1, 3, 55) if rng.random() < 0.3)
    return m.NodeWords(alias, rng.randbytes(3), rng.randbytes(rng.choice((0, 1, 7, 300))), addresses, tlv)


def _volumes(rng: Random, image: spdk.Image, room: int) -> None:
    """Chains of snapshots, clones of one snapshot, thick and thin volumes; up to `room` clusters of data."""
    snapshots: list[int | None] = [None]
    for number in range(rng.randrange(7)):
        size = rng.choice((1, 3, 8, 513, 700))
        free = min(room, size, 6)
        written = sorted(rng.sample(range(size), rng.randrange(free + 1))) if free else []
        thick = size == len(written) and rng.random() < 0.5
        snapshot = rng.random() < 0.4
        blob = image.lvol(
            f"volume-{number}",
            size,
            written,
            parent=None if thick else rng.choice(snapshots),
            snapshot=snapshot,
            thin=not thick,
            rle=rng.random() < 0.3,
            xattrs={b"pad%d" % i: bytes([i]) * rng.choice((1, 900, 3000)) for i in range(rng.randrange(4))},
        )
        room -= len(written)
        if snapshot:
            snapshots.append(blob)


def blobstore(rng: Random, folder: Path) -> Path:
    """Unloaded, never unloaded, or in use since; metadata pages of 4 and 16 KiB, alone or behind a partition table."""
    page = rng.choice((4096, 4096, 4096, 16384))
    cluster = page * rng.choice((1, 2, 4, 16))
    clusters = rng.choice((90, 120, 300))
    pages = 60 if cluster == page else clusters
    image = spdk.Image(clusters, cluster, page, rng.choice((64, 256)), rng.choice((b"lvs", b"disk-\xc3\xa9")), pages)
    _volumes(rng, image, clusters - image.first_data)
    clean = rng.random() < 0.6
    path = folder / "disk.img"
    data = image.build(clean, None if clean else rng.random() < 0.5)
    path.write_bytes(bytes(data) + bytes(rng.choice((0, 0, 512, cluster // 2))))
    return path


def wide_blobstore(rng: Random, folder: Path) -> Path:
    """Parents outside of the store, tables of extents over several pages, xattrs over several pages, overcommitment."""
    clusters, pages = rng.choice(((1500, 700), (2200, 900)))
    image = spdk.Image(clusters, 4096, md_len=pages, name_size=rng.choice((64, 256)))
    room = min(clusters - image.first_data, pages - 150)  # each cluster may need a page of extents for itself
    tops: list[int | None] = [None]
    for number in range(rng.randrange(2, 7)):
        size = rng.choice((0, 1, 40, 512, 513, 20_000, 300_000, 1_000_000))  # a thin volume is larger than its disk
        written = _scattered(rng, size, min(room, rng.choice((0, 1, 9, 120, 260))))
        room -= len(written)
        parent = rng.choice(tops)
        outside = parent is None and rng.random() < 0.4
        below = rng.choice((b"0d1c4d2a-7a4b-4a43-9a1e-5b6f0f0c1a11\0", b"base-image\0"))  # a bdev by uuid or by name
        xattrs = {b"note-%02d" % i: rng.randbytes(rng.choice((3, 700, 3900))) for i in range(rng.choice((0, 1, 4, 12)))}
        blob = image.lvol(
            f"wide-{number}",
            size,
            written,
            parent=parent,
            snapshot=rng.random() < 0.4,
            rle=rng.random() < 0.25,
            xattrs=xattrs,
            internal={b"EXTSNAP": below} if outside else None,
            flags=8 if outside else 0,
        )
        if rng.random() < 0.5:
            tops.append(blob)
    for number in range(rng.randrange(3)):  # decoupled: all that its parent had is its own, and it stays thin
        size = rng.choice((3, 17))
        if size <= room:
            image.lvol(f"decoupled-{number}", size, list(range(size)), thin=rng.random() < 0.5)
            room -= size
    clean = rng.random() < 0.6
    path = folder / "wide.img"
    path.write_bytes(image.build(clean, None if clean else rng.random() < 0.5))
    return path


def _scattered(rng: Random, size: int, count: int) -> list[int]:
    """Clusters all over a volume, mostly one for each page of extents, as random writes leave them."""
    return sorted(rng.sample(range(size), min(count, size)))


def longhorn(rng: Random, folder: Path) -> Path:
    """One to three replicas: a chain of snapshots with the head on top, as Longhorn names them."""
    image = spdk.Image(120, spdk.PAGE * rng.choice((1, 4)), md_len=60, name_size=256, lvs=b"disk-1")
    for replica in range(rng.randrange(1, 4)):
        name = f"pvc-{rng.getrandbits(32):08x}-7a4b-4a43-9a1e-5b6f0f0c1a1{replica}-r-{rng.getrandbits(32):08x}"
        size, parent = rng.choice((1, 6, 20)), None
        for number in range(rng.randrange(5)):
            xattrs = {b"user_created": rng.choice((b"true\0", b"false\0"))}
            if rng.random() < 0.7:
                xattrs[b"snapshot_timestamp"] = b"2026-11-20T22:15:29Z\0"
            written = sorted(rng.sample(range(size), min(size, rng.randrange(3))))
            parent = image.lvol(f"{name}-snap-s{number}", size, written, parent=parent, snapshot=True, xattrs=xattrs)
        image.lvol(name, size, sorted(rng.sample(range(size), min(size, 2))), parent=parent)
    clean = rng.random() < 0.5
    path = folder / "replica.img"
    path.write_bytes(image.build(clean))
    return path


def peers(rng: Random, folder: Path) -> Path:
    """Each generation, few or many peers, one or both slots written, caches of 100 and of 10,000."""
    generation: Generation = rng.choice((1, 2, 3, 3, 3))
    cache = 10_000 if generation > 1 and rng.random() < 0.04 else 100
    room = slot_length(cache)
    now = 1_690_000_000 + rng.randrange(90_000_000)
    states = [b"", b""]
    for number in range(rng.randrange(1, 8)):
        made = tuple(_peer(rng) for _ in range(rng.choice((0, 1, 5, 30, 100))))
        states[number % 2] = known_peers.slot(
            known_peers.seal(known_peers.payload(made, now, generation, cache)), states[number % 2].rstrip(b"\0"), room
        )
        now += rng.choice((5, 6, 300, 90_000))
    path = folder / "known_addresses.bin"
    path.write_bytes(b"".join(state.ljust(room, b"\0") for state in states))
    return path


def _peer(rng: Random) -> Peer:
    made = known_peers.peer(rng.randrange(40_000), rng.randrange(1, 31))
    odd = Address(b"\x35\x0bexample.com\x06\x01\xbb\xde\x03", rng.choice((None, 1_700_000_000)))
    return Peer(made.raw, (*made.addresses[:29], odd)) if rng.random() < 0.3 else made


def pieces(rng: Random, folder: Path) -> Path:
    """Some places of a cache are taken and some are not."""
    path = folder / "piece_cache.bin"
    first = rng.randrange(1 << 16)
    count = rng.randrange(1, 4)
    path.write_bytes(b"".join(element(first + i) if rng.random() < 0.7 or not i else EMPTY for i in range(count)))
    return path


def trace(rng: Random, folder: Path) -> Path:
    """Bootstraps that finished, in any form of line; the program's other lines between; cut off, or gzip."""
    log = kad_trace.Log(rng.choice(kad_trace.FORMS), end_of_line=rng.choice((b"\n", b"\n", b"\r\n")))
    log.app, log.steps = rng.choice(((True, True), (True, True), (True, False)))
    for query in range(rng.randrange(1, 5)):
        if query == 0 or rng.random() < 0.3:
            log.process_start()
            query = 0
        total = rng.randrange(1, 20)
        missed = rng.sample(range(2, total + 1), min(total - 1, rng.randrange(3))) if log.steps and total > 1 else ()
        log.bootstrap(total, None, query, missed)
        for _ in range(rng.choice((0, 3, 200))):
            log.yamux(rng.random() * 9) if rng.random() < 0.1 else log.idle(rng.random() * 9)
    path = folder / "node.log"
    path.write_bytes(log.data if rng.random() < 0.8 else gzip.compress(log.data, mtime=0))
    return path


def cdn_blocks(rng: Random, folder: Path) -> Path:
    """A file of blocks as the CDN serves it; 50 a file, from any multiple."""
    start = 50 * rng.randrange(2)
    count = rng.choice((1, 7, 50))
    blocks = snarkos.ledger(start + count, rng.randrange(1 << 20), heavy=0)
    path = folder / f"{start}.{start + count}.blocks"
    path.write_bytes(snarkos.cdn_file(blocks, start, start + count))
    return path
