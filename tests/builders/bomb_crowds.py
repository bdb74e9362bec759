"""Small files in which two crowds meet: many damaged places, and many other things that may explain each of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from crc32c import crc32c
from msgspec.structs import replace

from inspector.formats.rocksdb import blob, block, edit, footer, keys
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.edit import BlobFile
from tests.builders import bomb_claims, gossip, gossip_messages, rocksdb, rocksdb_table, snarkos
from tests.builders.bombs import folder_of
from tests.builders.kad_trace import Log, full
from tests.builders.rocksdb import World, blob_file
from tests.builders.rocksdb_table import Shape, Writer
from tests.builders.snarkos_wal import write_wal
from tests.builders.spdk import Image, desc, xattr

MIB = 1 << 20
Make = Callable[[], bytes]


def hurt(data: bytes, places: Iterable[int]) -> bytes:
    """The same with a byte changed in each of these places."""
    out = bytearray(data)
    for at in places:
        out[at] ^= 0x55
    return bytes(out)


def later(make: Callable[[], dict[str, bytes]]) -> Callable[[Path], None]:
    """A folder whose files are made when it is."""

    def fill(path: Path) -> None:
        folder_of(make())(path)

    return fill


def shuffled(data: bytes, size: int, count: int) -> bytes:
    """The same with `count` of its pages, spread over it, in other places among each other."""
    pages = [data[at : at + size] for at in range(0, len(data), size)]
    rng = Random(count)
    places = sorted(rng.sample(range(len(pages) - 1), min(count, len(pages) - 1)))
    others = [pages[i] for i in places]
    rng.shuffle(others)
    for i, page in zip(places, others, strict=True):
        pages[i] = page
    return b"".join(pages)


# --- RocksDB ---


def values_lost(count: int) -> dict[str, bytes]:
    """A table that names `count` values of a blob file, none of which verifies."""
    values = [(b"key-%06d" % i, b"v") for i in range(count)]
    data, places = blob_file(values)
    hurt, world, rows = bytearray(data), World(), []
    for number, ((key, _), (at, size)) in enumerate(zip(values, places, strict=True)):
        hurt[at] ^= 0x55
        where = blob.put_index(blob.BlobIndex(blob.BLOB, 8, at, size, 0))
        rows.append((keys.internal(key, 100 + number, keys.BLOB_INDEX), where))
    world.blobs[8] = bytes(hurt)
    world.last_sequence = 100 + count
    world.add(9, rows)
    world.listed[0] = replace(world.listed[0], custom=((edit.CUSTOM_OLDEST_BLOB, b"\x08"),))
    world.blob_edits.append(BlobFile(8, count, len(data) - blob.HEADER - blob.FOOTER))
    return world.members()


def grown_log(every: int) -> bytes:
    """A WAL with a byte put in every so many: each moves all records behind it on over the ends of blocks."""
    data = rocksdb.wal(20_000, 1)[0][:MIB]
    return b"\xaa".join(data[at : at + every] for at in range(0, len(data), every))[:MIB]


def headers_over(each: int) -> bytes:
    """A log whose bytes are headers that go over the end of their block and fail, behind a record that failed."""
    return (b"\1\2\3\4" + struct.pack("<HB", 30_000, 1) + bytes(each - 7)) * (MIB // each)


def damaged_edits(count: int, every: int) -> bytes:
    """A MANIFEST that adds `count` tables, of whose edits every so many have a changed byte."""
    first, _ = bomb_claims._edits()
    data = rocksdb.log_of([first, *(edit.encode(edit.Edit(added=[bomb_claims._file(10 + i)])) for i in range(count))])
    return hurt(data, range(len(first) + 40, len(data), every))


def misordered(count: int, counted: bool) -> bytes:
    """A table whose blocks stand in the opposite order; its properties count all entries, or others."""
    writer = Writer(Shape(index="full"))
    content = rocksdb.pairs(0, count)
    blocks = [content[at : at + 4] for at in range(0, count, 4)][::-1]
    found = [writer.block(block.build(pairs, 4)) for pairs in blocks]
    top = block.build([(pairs[-1][0], footer.put_handle(h)) for pairs, h in zip(blocks, found, strict=True)], 1)
    index = writer.block(top)
    sums = {
        b"num.entries": count, b"num.data.blocks": len(blocks), b"raw.key.size": sum(len(k) for k, _ in content),
        b"raw.value.size": sum(len(v) for _, v in content) + (not counted),
    }  # fmt: skip
    named = [(b"rocksdb." + name, put_varint(number)) for name, number in sorted(sums.items())]
    named = sorted([*named, (b"rocksdb.comparator", keys.BYTEWISE.encode())])
    properties = writer.block(block.build(named, 1 << 30))
    meta = writer.block(block.build([(b"rocksdb.properties", footer.put_handle(properties))], 1))
    return bytes(writer.out) + footer.encode(5, writer.shape.checksum, 0, meta, index, len(writer.out), False)


def big_table(shape: Shape | None = None) -> bytes:
    return rocksdb_table.table(rocksdb.pairs(0, 18_000), shape).data


def index_parts_hurt() -> bytes:
    """A table of which a bit of every part of the index is flipped: each may lie in any page."""
    built = rocksdb_table.table(rocksdb.pairs(0, 18_000), Shape(index="two-level"))
    end = built.places["index"].offset
    return hurt(built.data, range(built.blocks[-1].end + 40, end, 150))


def tables_hurt(count: int) -> dict[str, bytes]:
    """A database of many small tables, each with a damaged block, and a WAL with as many damaged records."""
    world = World()
    for number in range(count):
        world.add(100 + number, rocksdb.pairs(number * 8, number * 8 + 8, 100 + number * 8))
    world.wals[14] = hurt(rocksdb.wal(count * 4, 10_001)[0], range(30, count * 200, 200))
    world.log_number, world.last_sequence = 14, 10_000
    found = world.members()
    return {name: hurt(data, [20]) if name.endswith(".sst") else data for name, data in found.items()}


def names_lost(count: int) -> dict[str, bytes]:
    """A database whose MANIFEST lists `count` tables, each under the number of another one's place, all of one size."""
    world = World()
    for number in range(count):
        world.add(100 + number, rocksdb.pairs(number * 2, number * 2 + 2, 100 + number * 2))
    found = world.members()
    tables = sorted(name for name in found if name.endswith(".sst"))
    moved = {name: found[tables[(i + 1) % count]] for i, name in enumerate(tables)}
    return found | moved


# --- gossip stores ---


def zeroed(count: int) -> bytes:
    """A store in which so many stretches of 100 bytes, at any offset, are zeroes."""
    out, rng = bytearray(gossip.healthy(16, MIB, 4)), Random(count)
    for _ in range(count):
        at = rng.randrange(200, len(out) - 200)
        out[at : at + 100] = bytes(100)
    return bytes(out)


def alike(kinds: int) -> bytes:
    """Records as long as a page from the middle of one to the middle of the next, the second halves all the same.

    Every page goes on where any other one breaks off; `kinds` of them in turn have a damaged half.
    """
    out = bytearray(b"\x10")
    first = b"\x10\x07" + bytes(2034)
    out += struct.pack(">HHII", 0x2000, len(first), crc32c(first, 0), 0) + first
    for number in range(MIB // 4096 - 1):
        body = b"\x10\x07" + struct.pack(">Q", number) + b"\x11" * 2026 + b"\x22" * 2048
        seal = crc32c(body, 0)
        body = body[:2040] + (b"\x33" if number % kinds == 0 else b"\x22") + body[2041:]
        out += struct.pack(">HHII", 0x2000, len(body), seal, 0) + body
    return bytes(out)


def repeated_start(count: int) -> bytes:
    """A store that begins with an announcement that comes again ever so often, with updates of another channel."""
    store = gossip.Store()
    noise, rng = gossip_messages.Noise(Random(1)), Random(2)
    one, two = gossip_messages.node_id(rng), gossip_messages.node_id(rng)
    own = gossip_messages.channel_announcement(noise, 5, one, two)
    for number in range(count):
        store.append(own, 7)
        store.append(gossip_messages.amount(number))
        store.append(gossip_messages.channel_update(noise, 6, number % 2, 1_700_000_000 + number), 1_700_000_000)
    return store.bytes()


# --- blobstores ---


def superless(put: Callable[[Image], None]) -> Make:
    """An image of clusters as small as pages without its super block and masks."""

    def make() -> bytes:
        image = Image(clusters=512, cluster_size=4096, md_len=480)
        put(image)
        return unmasked(bytes(image.build(clean=False)))

    return make


def extents_of_all(image: Image) -> None:
    """Volumes each of which names all pages of the metadata, in turn, as its extents, with a page of its own."""

    def body(page: int) -> bytes:
        runs = b"".join(struct.pack("<II", 1 + (page + i) % 479, 1) for i in range(470))
        return desc(3, struct.pack("<QQQ", 4, 0, 2)) + desc(5, struct.pack("<Q", 470 * 512) + runs)

    bomb_claims.rooted(image, body, 470)


def clones(image: Image) -> None:
    """Many volumes of one snapshot that name the same clusters."""
    own = image.lvol("parent", 30, list(range(8)), snapshot=True)
    for number in range(220):
        image.lvol(f"v{number}", 30, [], parent=own, at={i: 500 - i for i in range(8)})


def unmasked(data: bytes) -> bytes:
    pages = struct.unpack_from("<I", data, 48)[0]
    return bytes(pages * 4096) + data[pages * 4096 :]


# --- ledgers ---


def crossed(numbers: frozenset[int] | None, count: int = 24) -> dict[str, bytes]:
    """A ledger in which each row of these maps, or of all, holds what the next one of its map should."""
    blocks = snarkos.ledger(count)
    state = snarkos.state(blocks)
    taken: dict[bytes, list[bytes]] = {}
    for found in state:
        if numbers is None or found[2] in numbers:
            taken.setdefault(found[2:4], []).append(found)
    wrong = {
        key: state[after] for found in taken.values() for key, after in zip(found, [*found[1:], found[0]], strict=True)
    }
    return write_wal([*(b.rows() for b in blocks), wrong])


# --- traces ---


def many_nodes(count: int) -> bytes:
    """Lines of `count` programs in turn, each a step of a bootstrap that goes back and forth."""
    number, out = 0, bytearray()

    def prefixed(*told: Any) -> bytes:
        return b"node-%03d  | " % (number % count) + full(*told)

    log = Log(form=prefixed)
    while len(out) < MIB:
        log.lines.clear()
        if number < count * 2:
            log.begin()
        log.step(1 + number * 7 % 13, 13, 0.01, number % 97)
        out += log.data
        number += 1
    return bytes(out[:MIB])


def going_back() -> bytes:
    """A trace whose clock leaps back in every other line, with a step in each."""
    log, out = Log(), bytearray()
    while len(out) < MIB:
        log.lines.clear()
        log.step(1 + len(out) % 13, 13, 5.0, len(out) % 11)
        log.wait(-7.0 if len(out) % 2 else 1.0)
        out += log.data
    return bytes(out[:MIB])


def files() -> dict[str, Make]:
    return {
        "grown/000021.log": partial(grown_log, 500),
        "grown/000022.log": partial(grown_log, 3000),
        "over/000023.log": partial(headers_over, 64),
        "over/000024.log": partial(headers_over, 340),
        "pages/000025.log": lambda: shuffled(rocksdb.wal(20_000, 1)[0][:MIB], 4096, 190),
        "MANIFEST-hurt-edits": partial(damaged_edits, 20_000, 400),
        "MANIFEST-hurt-few": partial(damaged_edits, 20_000, 9000),
        "MANIFEST-pages": lambda: shuffled(damaged_edits(20_000, MIB), 4096, 100),
        "misordered-own.sst": partial(misordered, 12_000, True),
        "misordered-lost.sst": partial(misordered, 12_000, False),
        "pages-4096.sst": lambda: shuffled(big_table(), 4096, 190),
        "pages-512.sst": lambda: shuffled(big_table(), 512, 190),
        "pages-large-blocks.sst": lambda: shuffled(big_table(Shape(block_size=8192)), 4096, 190),
        "index-parts.sst": index_parts_hurt,
        "pages-4096.gossip_store": lambda: shuffled(gossip.healthy(16, MIB), 4096, 190),
        "pages-512.gossip_store": lambda: shuffled(gossip.healthy(16, MIB), 512, 190),
        "pages-all.gossip_store": lambda: shuffled(gossip.healthy(16, MIB), 512, 2000),
        "zeroed-stretches.gossip_store": partial(zeroed, 60),
        "areas.gossip_store": lambda: hurt(gossip.healthy(16, MIB), range(300, MIB - 4096, 800)),
        "areas-pages.gossip_store": lambda: hurt(
            shuffled(gossip.healthy(16, MIB), 4096, 100), range(300, MIB - 4096, 5000)
        ),
        "alike.gossip_store": partial(alike, 2),
        "alike-all.gossip_store": partial(alike, 1),
        "repeated-start.gossip_store": partial(repeated_start, 1700),
        "superless-xattrs.img": superless(bomb_claims.descriptors(xattr(b"", b""), 470)),
        "superless-extents.img": superless(extents_of_all),
        "superless-parents.img": superless(bomb_claims.parents(lambda n, first: first + max(0, n - 1), 470)),
        "superless-clones.img": superless(clones),
        "superless-large.img": lambda: unmasked(bomb_claims.blobstores()["parent-deep.img"]()),
        "superless-rle.img": lambda: unmasked(bomb_claims.blobstores()["rle-huge.img"]()),
        "many-nodes.log": partial(many_nodes, 2000),
        "few-nodes.log": partial(many_nodes, 12),
        "going-back.log": going_back,
    }


def folders() -> dict[str, Callable[[Path], None]]:
    return {
        "db-values-lost": later(lambda: values_lost(10_000)),
        "db-tables-hurt": later(lambda: tables_hurt(300)),
        "db-names-lost": later(lambda: names_lost(300)),
        "ledger-crossed": later(lambda: crossed(None)),
        "ledger-crossed-lists": later(lambda: crossed(frozenset({34, 35, 42, 43}))),
        "ledger-crossed-ids": later(lambda: crossed(frozenset({2, 3, 4, 14, 17, 29, 32}))),
    }
