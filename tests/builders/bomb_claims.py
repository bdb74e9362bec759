"""Small files whose counts, lengths and references lie: nothing behind a count, things that name themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from crc32c import crc32c

from inspector.formats.rocksdb import blob, block, edit, footer, keys, log
from inspector.formats.rocksdb.checksums import mask
from inspector.formats.rocksdb.coding import put_prefixed, put_varint
from inspector.formats.rocksdb.footer import Handle
from inspector.formats.rocksdb.log_writer import frame
from tests.builders import gossip_messages, rocksdb, spdk
from tests.builders.bombs import folder_of, packed
from tests.builders.known_peers import WROTE, S, seal, slot
from tests.builders.rocksdb_table import BASE, Shape, Writer, table
from tests.builders.spdk import NONE, Image, desc, md_page, xattr

MIB = 1 << 20
MOST32, MOST64 = 0xFFFFFFFF, (1 << 64) - 1
Folder = Callable[[Path], None]


# --- RocksDB: tables ---


def indexed(tops: Callable[[int], list[tuple[bytes, Handle]]], two_level: bool = False, metas: int = 0) -> bytes:
    """A sealed table whose index has these entries; `tops` is given where the index block begins."""
    shape = Shape(index="two-level" if two_level else "full")
    writer = Writer(shape)
    writer.block(block.build(rocksdb.pairs(0, 20), 16))
    at = len(writer.out)
    names = {b"rocksdb.block.based.table.index.type": (2 if two_level else 0).to_bytes(4, "little")}
    top = writer.block(block.build([(key, footer.put_handle(handle)) for key, handle in tops(at)], 1))
    named = {b"rocksdb.properties": writer.block(block.build(sorted(names.items()), 1 << 30))}
    named |= {b"x%06d" % i: top for i in range(metas)}
    meta = writer.block(block.build([(n, footer.put_handle(h)) for n, h in sorted(named.items())], 1))
    ending = footer.encode(5, shape.checksum, 0, meta, top, len(writer.out), False)
    return bytes(writer.out) + ending


def itself(at: int) -> list[tuple[bytes, Handle]]:
    """Entries that lead to the block in which they stand: its size is found by trying."""
    size = 0
    while True:
        found = [(keys.internal(b"key-%06d" % i, 5, keys.PUT), Handle(at, size)) for i in range(8)]
        built = len(block.build([(key, footer.put_handle(handle)) for key, handle in found], 1))
        if built == size:
            return found
        size = built


def same(count: int, handle: Handle) -> Callable[[int], list[tuple[bytes, Handle]]]:
    return lambda at: [(keys.internal(b"key-%08d" % i, 5, keys.PUT), handle) for i in range(count)]


def metaindex_itself() -> bytes:
    """Footer, metaindex, index and properties are one block that names itself."""
    writer = Writer(Shape())
    at, size = 0, 0
    while True:
        names = [b"rocksdb.compression_dict", b"rocksdb.index", b"rocksdb.properties", b"rocksdb.range_del"]
        built = block.build([(n, footer.put_handle(Handle(at, size))) for n in names], 1)
        if len(built) == size:
            break
        size = len(built)
    handle = writer.block(built)
    return bytes(writer.out) + footer.encode(5, 1, 0, handle, handle, len(writer.out), False)


def crowded(count: int) -> bytes:
    """A block's content of three-byte entries, each the first key once more."""
    first = block.build([(keys.internal(b"key-000000", 5, keys.PUT), b"")], 1)[:-8]
    return first + b"\x12\0\0" * count + bytes(4) + (1).to_bytes(4, "little")


def with_blocks(codec: int, content: bytes, count: int, sealed: bool = True) -> bytes:
    """A table of the same block many times; where it is not `sealed` its footer names another checksum."""
    writer = Writer(Shape())
    payload = content if codec == 0 else packed(codec, content)
    found = [writer.block(payload, codec) for _ in range(count)]
    named = [(keys.internal(b"key-%06d" % i, 5, keys.PUT), footer.put_handle(h)) for i, h in enumerate(found)]
    top, meta = writer.block(block.build(named, 1)), writer.block(block.build([], 1))
    return bytes(writer.out) + footer.encode(
        5, writer.shape.checksum if sealed else 1, 0, meta, top, len(writer.out), False
    )


def lengths_everywhere(data: bytes, step: int = 1) -> bytes:
    """A healthy file with the greatest varint in place of every byte of its first blocks."""
    return b"\xff\xff\xff\xff\x07" * (len(data) // 5) + data[-53:]


# --- RocksDB: logs ---


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<IHB", mask(crc32c(bytes([kind]) + body)), len(body), kind) + body


def pieces(kind: int, body: bytes, total: int) -> bytes:
    """Sound records of one kind over whole blocks of a log, their ends filled up."""
    one = record(kind, body)
    filled = one * (32768 // len(one))
    return (filled + bytes(32768 - len(filled))) * (total // 32768)


def batch(count: int, body: bytes) -> bytes:
    return (1).to_bytes(8, "little") + count.to_bytes(4, "little") + body


def packed_log(content: bytes, count: int) -> bytes:
    """A log that says zstd, and records that unpack to `content`."""
    import zstandard

    told = record(log.SET_COMPRESSION, (7).to_bytes(4, "little"))
    body = zstandard.ZstdCompressor(level=3).compress(content)
    out = bytearray(told)
    for _ in range(count):
        out += frame(body, len(out))
    return bytes(out)


def blob_records(head: bytes, total: int) -> bytes:
    start = blob.MAGIC_BYTES + (1).to_bytes(4, "little") + bytes(4) + bytes(18)
    sealed = head + mask(crc32c(head)).to_bytes(4, "little") + mask(crc32c(b"")).to_bytes(4, "little")
    return start + sealed * (total // len(sealed))


def _edits() -> tuple[bytes, bytes]:
    """A first edit, and one that adds a table numbered as the MANIFEST itself."""
    key = keys.internal(b"k", 5, keys.PUT)
    one = edit.encode(edit.Edit(comparator=keys.BYTEWISE, log_number=3, next_file=9, last_sequence=9))
    return one, edit.encode(edit.Edit(added=[edit.NewFile(1, 5, 1000, key, key, 1, 9)]))


def _tags(tag: bytes) -> Callable[[], bytes]:
    return lambda: rocksdb.log_of([_edits()[0] + tag * (MIB // 2 // len(tag))])


def _edits_of(make: Callable[[int], edit.Edit], count: int) -> Callable[[], bytes]:
    return lambda: rocksdb.log_of([_edits()[0], *(edit.encode(make(i)) for i in range(1, count))])


def _file(number: int) -> edit.NewFile:
    key = keys.internal(b"k", 5, keys.PUT)
    return edit.NewFile(1, number, 1000, key, key, 1, 9)


def manifests() -> dict[str, Callable[[], bytes]]:
    return {
        "tags-prev-logs": _tags(put_varint(edit.PREV_LOG) + b"\0"),
        "tags-families": _tags(put_varint(edit.DROP_FAMILY)),
        "tags-deleted": _tags(put_varint(edit.DELETED_FILE) + b"\1\5"),
        "tags-ignorable": _tags(put_varint(edit.IGNORABLE + 100) + b"\0"),
        "tags-itself": _tags(_edits()[1]),
        "edits-itself": _edits_of(lambda i: edit.Edit(added=[_file(5)]), 20_000),
        "edits-many-files": _edits_of(lambda i: edit.Edit(added=[_file(10 + i)]), 20_000),
        "edits-families": _edits_of(lambda i: edit.Edit(family=i, add_family=f"f{i}"), 30_000),
        "edits-long": lambda: rocksdb.log_of([put_varint(edit.COMPARATOR) + put_varint(MOST32) + b"x"]),
        "empty-records": lambda: pieces(1, b"", MIB),
        "first-pieces": lambda: pieces(2, b"", MIB),
        "middle-pieces": lambda: pieces(3, b"\x01", MIB),
    }


# --- SPDK ---


def image_with(put: Callable[[Image], None], clusters: int = 64, md_len: int | None = None) -> Callable[[], bytes]:
    def make() -> bytes:
        image = Image(clusters=clusters, md_len=md_len)
        put(image)
        return bytes(image.build(clean=False))

    return make


def cycle(length: int) -> Callable[[Image], None]:
    """Pages of one blob, each sealed, the last of which leads to the first."""

    def put(image: Image) -> None:
        found = [image.take_page() for _ in range(length)]
        blob = 1 << 32 | found[0]
        for number, page in enumerate(found):
            body = desc(3, struct.pack("<QQQ", 4, 0, 2)) if number == 0 else b""
            image.put_page(page, md_page(blob, number, found[(number + 1) % length], body))
        image.extra_roots.add(found[0])

    return put


def crossed(image: Image) -> None:
    """Two chains, each of which goes on in the other."""
    a, b, c, d = (image.take_page() for _ in range(4))
    flags = desc(3, struct.pack("<QQQ", 4, 0, 2))
    for first, second, other in ((a, b, c), (c, d, a)):
        image.put_page(first, md_page(1 << 32 | first, 0, second, flags))
        image.put_page(second, md_page(1 << 32 | first, 1, other, b""))
        image.extra_roots.add(first)


def rooted(image: Image, body: Callable[[int], bytes], count: int = 1) -> None:
    for _ in range(count):
        page = image.take_page()
        image.put_page(page, md_page(1 << 32 | page, 0, NONE, body(page)))
        image.extra_roots.add(page)


def extents_in_extents(image: Image) -> None:
    """Extent tables that name each other's pages, the super blob's and their own."""
    flags = desc(3, struct.pack("<QQQ", 4, 0, 2))

    def body(page: int) -> bytes:
        runs = b"".join(struct.pack("<II", page ^ 1, 1 << 16) for _ in range(480))
        return flags + desc(5, struct.pack("<Q", 1 << 62) + runs)

    rooted(image, body, 50)


def parents(of: Callable[[int, int], int], count: int) -> Callable[[Image], None]:
    """Volumes whose parents are what `of` makes of their number and the first page."""

    def put(image: Image) -> None:
        first = next(p for p in range(image.md_len) if p not in image.pages)
        for number in range(count):
            image.lvol(f"v{number}", 4, [], parent=1 << 32 | of(number, first), snapshot=True, rle=True)

    return put


def descriptors(body: bytes, count: int = 60) -> Callable[[Image], None]:
    flags = desc(3, struct.pack("<QQQ", 0, 0, 2))
    filled = flags + body * ((4072 - len(flags)) // len(body))
    return lambda image: rooted(image, lambda page: filled, count)


def superblock(**words: int) -> Callable[[], bytes]:
    """A healthy image whose super block, sealed again, says other numbers."""
    places = {
        "clean": (16, 4), "cluster_size": (28, 4), "page_mask_len": (36, 4), "cluster_mask_len": (44, 4),
        "md_start": (48, 4), "md_len": (52, 4), "blobid_start": (72, 4), "blobid_len": (76, 4), "size": (80, 8),
        "io_unit": (88, 4), "page": (92, 4),
    }  # fmt: skip

    def make() -> bytes:
        data = spdk.replica().image.build()
        for name, value in words.items():
            at, size = places[name]
            data[at : at + size] = value.to_bytes(size, "little")
        data[:4096] = spdk.seal(bytes(data[:4092]))
        return bytes(data)

    return make


def blobstores() -> dict[str, Callable[[], bytes]]:
    rle = desc(1, struct.pack("<II", 0, MOST32) * 500)
    names = xattr(b"name", b"same".ljust(64, b"\0"))
    flags = desc(3, struct.pack("<QQQ", 4, 0, 2))
    return {
        "next-itself.img": image_with(cycle(1)),
        "next-two.img": image_with(cycle(2)),
        "next-long.img": image_with(cycle(600), 700, 700),
        "next-crossed.img": image_with(crossed),
        "extents-crossed.img": image_with(extents_in_extents, 128),
        "parent-itself.img": image_with(parents(lambda n, first: first + n, 30)),
        "parent-cycle.img": image_with(parents(lambda n, first: first + (n + 1) % 30, 30)),
        "parent-deep.img": image_with(parents(lambda n, first: first + max(0, n - 1), 1500), 1700, 1700),
        "parent-deep-end.img": image_with(parents(lambda n, first: first + min(n + 1, 1499), 1500), 1700, 1700),
        "same-names.img": image_with(lambda i: rooted(i, lambda p: flags + names, 900), 1000, 1000),
        "many-xattrs.img": image_with(descriptors(xattr(b"", b""), 900), 1000, 1000),
        "empty-descriptors.img": image_with(descriptors(b"\x09\0\0\0\0", 900), 1000, 1000),
        "rle-huge.img": image_with(lambda i: rooted(i, lambda p: flags + rle, 50), 128),
        "rle-huge-one.img": image_with(
            lambda i: rooted(i, lambda p: flags + desc(1, b"\1\0\0\0" + b"\xff" * 4), 50), 128
        ),
        "table-huge.img": image_with(
            lambda i: rooted(i, lambda p: flags + desc(5, struct.pack("<QII", 1 << 62, 0, MOST32)), 50), 128
        ),
        "xattr-lengths.img": image_with(descriptors(desc(2, b"\xff\xff\xff\xff"), 50), 128),
        "descriptor-length.img": image_with(descriptors(struct.pack("<BI", 2, 1 << 31), 50), 128),
        "md-len.img": superblock(md_len=MOST32, clean=0),
        "mask-len.img": superblock(page_mask_len=MOST32, cluster_mask_len=MOST32),
        "blobids.img": superblock(blobid_len=MOST32, blobid_start=1),
        "cluster-tiny.img": superblock(cluster_size=4096, clean=0),
        "cluster-one.img": superblock(cluster_size=1),
        "cluster-none.img": superblock(cluster_size=0),
        "size-huge.img": superblock(size=1 << 62, clean=0),
        "page-huge.img": superblock(page=1 << 31, io_unit=1 << 31),
        "md-start.img": superblock(md_start=MOST32, clean=0),
    }


# --- the others ---


def known(body: bytes) -> bytes:
    """A slot that is sealed, whatever it says, twice."""
    return slot(seal(body)) + slot(seal(body))


def gossip(bodies: list[bytes]) -> bytes:
    out = bytearray(b"\x10")
    for body in bodies:
        out += struct.pack(">HHII", 0x2000, len(body), crc32c(body, 0), 0) + body
    return bytes(out)


def files() -> dict[str, Callable[[], bytes]]:
    head = (100).to_bytes(4, "little") + WROTE.to_bytes(8, "little")
    return {
        "index-itself.sst": lambda: indexed(itself, two_level=True),
        "index-itself-flat.sst": lambda: indexed(itself),
        "index-same.sst": lambda: indexed(same(20_000, Handle(0, 900))),
        "index-same-parts.sst": lambda: indexed(same(20_000, Handle(0, 900)), two_level=True),
        "index-empty.sst": lambda: indexed(same(30_000, Handle(0, 0))),
        "index-far.sst": lambda: indexed(same(20_000, Handle(1 << 62, 1 << 31))),
        "meta-many.sst": lambda: indexed(same(2, Handle(0, 900)), metas=30_000),
        "meta-itself.sst": metaindex_itself,
        "lengths.sst": lambda: lengths_everywhere(table(rocksdb.pairs(0, 2000)).data),
        "crowded.sst": lambda: with_blocks(0, crowded(300_000), 1),
        "zstd-crowded.sst": lambda: with_blocks(7, crowded(10_000_000), 20),
        "zlib-fifty.sst": lambda: with_blocks(2, bytes(8 << 20), 50),
        "lz4-fifty.sst": lambda: with_blocks(4, bytes(4 << 20), 50),
        "snappy-many.sst": lambda: with_blocks(1, bytes(1 << 20), 20),
        "snappy-searched.sst": lambda: with_blocks(1, bytes(1 << 20), 20, sealed=False),
        "crowded-searched.sst": lambda: with_blocks(0, crowded(300_000), 1, sealed=False),
        "restarts.sst": lambda: with_blocks(0, crowded(100)[:-4] + ((1 << 28) - 1).to_bytes(4, "little"), 100),
        "count/000002.log": lambda: rocksdb.log_of([batch(MOST32, b"")] * 1000),
        "noops/000003.log": lambda: rocksdb.log_of([batch(MOST32, b"\x0d" * MIB)]),
        "logdata/000004.log": lambda: rocksdb.log_of([batch(MOST32, b"\x03\0" * (MIB // 2))]),
        "puts/000005.log": lambda: rocksdb.log_of([batch(MOST32, b"\x01\0\0" * (MIB // 3))]),
        "length/000006.log": lambda: rocksdb.log_of([batch(1, b"\1" + put_varint(1 << 31))] * 1000),
        "empty/000007.log": lambda: pieces(1, b"", MIB),
        "first/000008.log": lambda: pieces(2, b"", MIB),
        "last/000010.log": lambda: pieces(4, b"", MIB),
        "numberless/000016.log": lambda: pieces(5, (1).to_bytes(4, "little"), MIB),
        "fake/000011.log": lambda: b"\1\2\3\4\xff\xff\1" * (MIB // 7),
        "fake/000015.log": lambda: b"\1\2\3\4\0\0\1" * (MIB // 7),
        "zstd/000012.log": lambda: packed_log(batch(1, put_prefixed(bytes(60 << 20))), 20),
        "zstd/000013.log": lambda: packed_log(batch(MOST32, b"\1\0\0" * (20 << 20)), 5),
        "empty-000001.blob": lambda: blob_records(bytes(24), MIB),
        "length-000002.blob": lambda: blob_records(b"\xff" * 7 + b"\x7f" + bytes(16), MIB),
        "lengths-000003.blob": lambda: blob_records((1 << 31).to_bytes(8, "little") * 2 + bytes(8), 3000),
        "known_addresses-none.bin": lambda: known(head + b"\xff" * 200),
        "known_addresses-count.bin": lambda: known(head + b"\x02\x00\x04\x00" * 6000),
        "known_addresses-zero.bin": lambda: known(head + b"\xfe\xff\xff\xff" + bytes(20_000)),
        "known_addresses-noise.bin": lambda: known(head + bytes(range(256)) * 90)[: 2 * S],
        "empty-bodies.gossip_store": lambda: gossip([b""] * (MIB // 12)),
        "tiny-bodies.gossip_store": lambda: gossip([b"\x10\x0a"] * (MIB // 14)),
        "same-channel.gossip_store": lambda: gossip([gossip_messages.amount(1000)] * (MIB // 22)),
        "fake-types.gossip_store": lambda: b"\x10" + b"\x20\0\0\x8a\1\2\3\4\0\0\0\1\1\2" * (MIB // 14),
        "every-byte.gossip_store": lambda: b"\x10" + b"\1" * MIB,
        "0.5.blocks": lambda: MOST64.to_bytes(8, "little") + bytes(MIB),
        "0.6.blocks": lambda: (5).to_bytes(8, "little") + (1 << 31).to_bytes(8, "little") + b"\1" * 84,
        "0.7.blocks": lambda: (1).to_bytes(8, "little") + b"\1" * MIB,
        **{f"MANIFEST-{name}": make for name, make in manifests().items()},
        **blobstores(),
    }


def folders() -> dict[str, Folder]:
    world = rocksdb.small_world().members()
    own = rocksdb.small_world()
    own.extra = [edit.Edit(added=[_file(n)]) for n in (5, 7)]
    return {
        "current-itself": folder_of(world | {"CURRENT": b"CURRENT\n"}),
        "current-table": folder_of(world | {"CURRENT": b"000009.sst\n"}),
        "current-long": folder_of(world | {"CURRENT": b"MANIFEST-000005\n" * 60_000}),
        "manifest-itself": folder_of(own.members()),
        "manifest-is-table": folder_of(world | {"MANIFEST-000005": world["000009.sst"]}),
        "log-is-manifest": folder_of(world | {"000014.log": world["MANIFEST-000005"]}),
        "manifests-many": folder_of(world | {f"MANIFEST-{k:06d}": world["MANIFEST-000005"] for k in range(6, 800)}),
        "logs-many": folder_of(world | {f"{k:06d}.log": world["000014.log"][:200] for k in range(100, 3000)}),
        "deep": lambda path: (path / "/".join(["d"] * 900)).mkdir(parents=True),
        "folders-many": lambda path: [(path / f"d{k}").mkdir(parents=True) for k in range(900)] and None,
    }


__all__ = ["BASE", "files", "folders"]
