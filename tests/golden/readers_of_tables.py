"""Version edits, write batches, blob files, blocks, indexes, footers, properties and logs, as they are decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import zstandard
from msgspec.structs import asdict

from inspector.formats.rocksdb import (
    batch,
    blob,
    block,
    codecs,
    coding,
    edit,
    ends,
    footer,
    judges,
    keys,
    log,
    log_runs,
    logical,
    names,
    properties,
)
from inspector.formats.rocksdb.block import IndexShape
from inspector.formats.rocksdb.coding import MalformedError, put_prefixed, put_varint
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.opening import open_table
from tests.builders.rocksdb import blob_file, pairs
from tests.builders.rocksdb_table import Built, Shape, compress, data_block, table
from tests.golden.readers import Reader

HANDLE = footer.Handle(300, 40)
SHAPES = (IndexShape(), IndexShape(delta=True), IndexShape(user_keys=True), IndexShape(delta=True, first_key=True),
          IndexShape(first_key=True))  # fmt: skip


def readers() -> list[Reader]:
    blobs = blob_file([(b"one", b"v" * 9), (b"two", b""), (b"", b"w" * 20)])[0]
    plain, hashed, apart = (data_block(pairs(0, 9), shape) for shape in
                            (Shape(), Shape(hash_index=True), Shape(separated=True)))  # fmt: skip
    return [
        Reader("numbers", numbers, [put_varint(n) for n in (0, 127, 128, 1 << 31, 1 << 32, 1 << 63, 1 << 64)]),
        Reader("version edit", edit.decode, edits()),
        Reader("version edit, written anew", lambda raw: edit.encode(edit.decode(raw)), edits()[:1]),
        Reader("write batch", steps, batches()),
        Reader("blob header", blob.header, [blobs[:30]]),
        Reader("blob footer", blob.footer, [blobs[-32:]]),
        Reader("blob index", blob.index, [b"\1\x08\xac\x02\x28\0", b"\2\x05\x08\xac\x02\x28\7", b"\0\x85\x01inline"]),
        Reader("blob records", lambda raw: list(blob.records(within(raw), 30, len(raw))), [blobs]),
        Reader("block", in_block, [plain, hashed, apart]),
        Reader("index", in_index, indexes()),
        Reader("footer", lambda raw: footer.decode(raw[-footer.SIZE :], 4000 + len(raw)), footers()),
        Reader("properties", counted, [described(Shape()), described(Shape(version=7, codec=codecs.ZSTD))]),
        Reader("names", named, NAMES),
        Reader("log", in_log, logs()),
        Reader("log among other bytes", lambda raw: list(log_runs.pieces(within(raw), 0)), logs()),
        Reader("fragments of records", in_fragments, FRAGMENTS),
        Reader("unpacked records of a log", in_packed_log, [PACKED], cut=True),
        *(Reader(f"end of a {name}", partial(ended, walk), given) for name, walk, given in walked()),
        Reader("key orders", ordered, [b"key-1\0\0\0\0\0\0\0\0"]),
        Reader("judged", judged, [sealed(plain), sealed(block.build([(b"rocksdb.num.entries", b"\x09")]))]),
        Reader("judged record", judged_record, [logs()[0][:70], frame(edits()[0], 0)]),
        Reader("unpacked", unpacked, compressed(), cut=True),
        Reader("table by its footer", opened, tables(), cut=True),
        *(
            Reader(f"table of version {v}, footer damaged", partial(by_tail, t), [t.data[t.footer :]])
            for v, t in VERSIONS
        ),
    ]


def within(raw: bytes) -> log.Read:
    return lambda at, n: raw[at : at + n]


def numbers(raw: bytes) -> list[object]:
    found: list[object] = []
    for bits in (32, 64):
        try:
            found.append(coding.varint(raw, 0, len(raw), bits))
        except MalformedError as error:
            found.append(str(error))
    return [found, coding.put_varint(int.from_bytes(raw, "little")), coding.zigzag(int.from_bytes(raw[:4], "little"))]


def new_file(tag: int) -> bytes:
    """A table as each of the four tags lists it."""
    small, large = keys.internal(b"a", 7, keys.PUT), keys.internal(b"b", 9, keys.PUT)
    head = put_varint(tag) + put_varint(2) + put_varint(9) + (put_varint(1) if tag == edit.NEW_FILE3 else b"")
    body = head + put_varint(4000) + put_prefixed(small) + put_prefixed(large)
    if tag != edit.NEW_FILE:
        body += put_varint(7) + put_varint(9)
    if tag == edit.NEW_FILE4:
        for custom, value in ((3, bytes([5]) + bytes(7)), (4, b"\x08"), (65, b"\1"), (17, b"x")):
            body += put_varint(custom) + put_prefixed(value)
        body += put_varint(edit.CUSTOM_END)
    return body


def edits() -> list[bytes]:
    """All that an edit may say, in the forms of all releases."""
    everything = edit.Edit(
        comparator="leveldb.BytewiseComparator", log_number=4, next_file=300, last_sequence=1 << 40, prev_log=0,
        min_log_to_keep=3, max_family=2, family=1, add_family="more", drop_family=True, remaining=2, db_id="an-id",
        deleted=[(1, 7), (6, 8)], blobs=[edit.BlobFile(8, 6, 500, b"crc", b"sum")], garbage=[edit.BlobFile(8, 1, 70)],
        others=[(edit.IGNORABLE + 3, b"later")],
    )  # fmt: skip
    tags = (edit.NEW_FILE, edit.NEW_FILE2, edit.NEW_FILE3, edit.NEW_FILE4)
    wal = put_varint(14) + put_varint(2) + put_varint(900) + put_varint(1)
    old = put_varint(edit.COMPACT_CURSOR) + put_varint(1) + put_prefixed(b"cursor")
    old += put_varint(edit.IGNORABLE + 4) + wal + put_varint(edit.IGNORABLE + 5) + put_varint(14)
    tracked = put_varint(edit.WAL_ADD) + put_prefixed(wal) + put_varint(edit.WAL_DELETE) + put_prefixed(put_varint(14))
    skipped = put_varint(edit.BLOB_GARBAGE) + b"\x08\1\x46" + b"\x05" + put_prefixed(b"custom") + b"\0"
    empty = put_varint(edit.IGNORABLE + 9) + b"\0" + put_varint(edit.LAST_SEQUENCE) + b"\x05"
    return [edit.encode(everything), *map(new_file, tags), old, tracked, skipped, empty]


def steps(raw: bytes) -> list[object]:
    """Each step up to the one that makes no sense, and why it does not."""
    found: list[object] = [batch.header(raw)]
    try:
        found += batch.operations(raw)
    except MalformedError as error:
        found.append(str(error))
    return found


def batches() -> list[bytes]:
    kinds = (
        keys.PUT,
        keys.DELETE,
        keys.MERGE,
        keys.SINGLE_DELETE,
        keys.RANGE_DELETE,
        keys.BLOB_INDEX,
        keys.WIDE_COLUMNS,
    )
    plain = batch.encode(1 << 33, [(0, kind, b"k%d" % n, b"value") for n, kind in enumerate(kinds)])
    others = batch.encode(7, [(200, kind, b"", b"v") for kind in kinds])
    marks = (
        b"\x09" + plain[12:20] + b"\x0a\3xid" + b"\x0b\3xid" + b"\x0c\2id" + b"\x03\4data" + b"\x0d" + b"\x15\2ts\3xid"
    )
    return [plain, others, plain[:8] + b"\1\0\0\0" + marks]


def in_block(raw: bytes) -> list[object]:
    parts = block.frame(raw)
    found: list[object] = [parts, block.restart_points(raw, parts)]
    ways: tuple[Callable[[bytes], object], ...] = (block.entries, block.places)
    for way in ways:
        try:
            found.append(way(raw))
        except MalformedError as error:
            found.append(str(error))
    return found


def in_index(raw: bytes) -> list[object]:
    """What each shape makes of it: a table whose properties are lost is tried with all."""
    found: list[object] = []
    for shape in SHAPES:
        try:
            found.append(list(block.index_steps(raw, shape)))
        except MalformedError as error:
            found.append(str(error))
    return found


def indexes() -> list[bytes]:
    made = (table(pairs(0, 30), Shape(index=index)) for index in ("full", "delta", "first-key"))
    return [one.data[one.places["index"].offset : one.places["index"].end - footer.TRAILER] for one in made]


def footers() -> list[bytes]:
    return [footer.encode(v, 4, 0x5EED, HANDLE, footer.Handle(200, 95), 4000, v == 0) for v in range(8)]


def described(shape: Shape) -> bytes:
    made = table(pairs(0, 9), replace(shape, properties={
        properties.GLOBAL_SEQUENCE: (77).to_bytes(8, "little"), properties.EXTERNAL_VERSION: b"\2\0\0\0",
    }))  # fmt: skip
    place = made.places["properties"]
    return made.data[place.offset : place.end - footer.TRAILER]


def counted(raw: bytes) -> list[object]:
    found = properties.parse(raw)
    counts = [found.number(name) for name in ("num.entries", "data.size", "column.family.id", "no.such")]
    types, at = sorted(properties.compression_types(found)), properties.global_sequence_at(raw)
    shape = found.index_type, found.index_shape
    return [counts, found.text("comparator"), shape, found.global_sequence, found.external, types, at]


NAMES = [b"000012.sst", b"18446744073709551615.ldb", b"archive/000004.log", b"000008.blob", b"MANIFEST-000005\n",
         b"OPTIONS-000007", b"000009.dbtmp", b"OPTIONS-000009.dbtmp", b"CURRENT", b"LOG.old.17", b"lost/000012.sst",
         b"manifest (copy)", b"a.SST", b"18446744073709551616.log"]  # fmt: skip


def named(raw: bytes) -> list[object]:
    text = raw.decode("latin-1")
    return [names.classify(text), names.classify_alone(text), names.current_target(raw)]


def logs() -> list[bytes]:
    """Three records of a log, of one whose file was used again, and what an earlier log left behind them."""
    records = [batch.encode(n, [(0, keys.PUT, b"k%d" % n, b"v" * 9)]) for n in (1, 2, 3)]
    made = []
    for number in (None, 14):
        out = b""
        for record in records:
            out += frame(record, len(out), number)
        made.append(out)
    return [*made, made[1] + frame(records[0], len(made[1]), 12) + bytes(20)]


def in_log(raw: bytes) -> list[object]:
    found: list[object] = []
    for number in (None, 14):
        reader = log.LogReader(within(raw), len(raw), number)
        pieces = list(reader.pieces())
        found += [pieces, list(logical.Assembler().records(pieces)), reader.gave_up]
    return found


FRAGMENTS = [
    b"\1\1\2\4\1\2\3\3\4\1\3\4\2\2\4\1\2\x09\4\1\2",
    b"\5\6\x08\7\x08\6\6\7\x08\5\x81\6\x08",
    b"\x09\1\2\4\2\3\1",
]


def in_fragments(raw: bytes) -> list[object]:
    """A log of pieces of these types, one byte of content more in each; above 127 the piece does not verify."""
    out = b""
    for length, kind in enumerate(raw):
        number = 14 if kind & 127 in range(5, 9) else None
        piece = frame(bytes([length]) * length, len(out), number, (kind & 127) or None)
        out += piece[:-1] + bytes([piece[-1] ^ (kind >> 7)])
    found: list[object] = []
    for most in (logical.MAX_RECORD, 9):
        pieces = list(log.LogReader(within(out), len(out), 14).pieces())
        assembler = logical.Assembler(max_record=most)
        found.append([(r.fate, r.spans, len(r.data)) for r in assembler.records(pieces)])
    for stretch in log.LogReader(within(out), len(out), 14).batches():
        if isinstance(stretch, log.Sound):
            rows = list(logical.Assembler().rows(stretch))
            lost = [
                (list(logical.Assembler.lost(stretch, row)), logical.Assembler.lost_count(stretch, row)) for row in rows
            ]
            found += [len(stretch), stretch.whole, stretch.end, stretch.empty, rows, lost]
    return found


PACKED = compress(codecs.ZSTD, b"a batch of a log " * 9, 1)


def in_packed_log(raw: bytes) -> list[object]:
    """What becomes of a record that is compressed, under limits around its size."""
    head = frame((7).to_bytes(4, "little"), 0, alone=log.SET_COMPRESSION)
    out = head + frame(raw, len(head))
    pieces = list(log.LogReader(within(out), len(out)).pieces())
    return [
        [(r.fate, len(r.data)) for r in logical.Assembler(max_record=most).records(pieces)] for most in (152, 153, 154)
    ]


def ordered(raw: bytes) -> list[object]:
    """How these keys stand to two others in each order."""
    found: list[object] = []
    for name in (keys.BYTEWISE, "rocksdb.ReverseBytewiseComparator", "leveldb.BytewiseComparator.u64ts",
                 "rocksdb.ReverseBytewiseComparator.u64ts", "mine"):  # fmt: skip
        order = keys.order_of(name)
        others = (b"key-1\0\0\0\0\0\0\0\1", b"key-2\0\0\0\0\0\0\0\0", b"key", b"")
        found.append(order and [(order(raw) < order(other), order(other) < order(raw)) for other in others])
    return [found, keys.tag_of(raw.rjust(8, b"\0"))]


def sealed(content: bytes) -> bytes:
    return content + bytes(footer.TRAILER)


def judged(raw: bytes) -> list[bool]:
    unit = raw.rjust(footer.TRAILER, b"\0")
    bounds = judges.Bounds(bytes, b"key-000000", b"key-000008", 108)
    tighter = judges.Bounds(bytes, b"key-000001", b"key-000007", 107)
    asked = [judges.reads(5), judges.reads(5, b"", bounds), judges.reads(5, b"", tighter),
             judges.reads(5, b"", judges.Bounds(None)), judges.reads(5, b"", bounds, frozenset({keys.PUT})),
             judges.raw_block, judges.properties_judge(9), judges.properties_judge(None)]  # fmt: skip
    return [judge(unit) for judge in asked]


def judged_record(raw: bytes) -> list[bool]:
    unit = raw.ljust(log.HEADER, b"\0")
    kinds = frozenset({log.FULL, log.FIRST, 5})
    asked = [
        judges.record_judge(True, kinds),
        judges.record_judge(False, kinds),
        judges.record_judge(False, kinds, (1, 2)),
    ]
    return [judge(unit) for judge in asked]


KINDS = (codecs.SNAPPY, codecs.ZLIB, codecs.BZIP2, codecs.LZ4, codecs.LZ4HC, codecs.ZSTD)


def walked() -> list[tuple[str, Callable[[bytes, ends.Meter], int | None], list[bytes]]]:
    """What tells where a block ends whose length is not known, and blocks, other bytes behind them."""
    behind = b"\x07\x99\x03" * 4
    plain = [data_block(pairs(0, 9), shape) + behind for shape in (Shape(), Shape(hash_index=True))]
    text = b"a block, " * 40 + bytes(range(200)) + b"z" * 700  # long matches and literals
    streams = [compress(kind, text, 1) + behind for kind in (codecs.ZSTD, codecs.LZ4, codecs.SNAPPY)]
    checked = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(text[:90]) + behind
    snappy_at = len(put_varint(len(text)))
    return [
        ("block", lambda raw, meter: ends.plain(raw, 0, len(raw), meter), plain),
        ("index", lambda raw, meter: ends.delta_index(raw, 0, len(raw), meter), [indexes()[1] + behind]),
        ("zstd frame", lambda raw, _: ends.zstd_frame(raw, 0, len(raw)), [streams[0], checked]),
        ("lz4 stream", lambda raw, meter: ends.lz4_stream(raw, 8, len(raw), len(text), meter), [streams[1]]),
        (
            "snappy stream",
            lambda raw, meter: ends.snappy_stream(raw, snappy_at, len(raw), len(text), meter),
            [streams[2]],
        ),
    ]


def ended(walk: Callable[[bytes, ends.Meter], int | None], raw: bytes) -> list[int | None]:
    meter = ends.Meter(10_000_000)
    return [walk(raw, meter), meter.left]


def compressed() -> list[bytes]:
    """A block under each codec and framing, told by two bytes before it."""
    content = b"a block's content, " * 20
    made = [(kind, version, compress(kind, content, version)) for kind in KINDS for version in (1, 2)]
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(content)
    made += [(codecs.ZLIB, 255, data) for data in (compress(codecs.ZLIB, content, -1), unsized)]  # LevelDB's zstd
    return [bytes([kind, version]) + data for kind, version, data in made]


def unpacked(raw: bytes) -> list[object]:
    """Under limits around its size: nothing of what it is by chance, only whether, why not, and how much."""
    kind, version = (*raw[:2], 0, 0)[:2]
    found: list[object] = [codecs.beyond(kind, raw[2:], version if version < 255 else -1)]
    for limit in (379, 380, 381):
        try:
            found.append(len(codecs.decompress(kind, raw[2:], version if version < 255 else -1, b"", limit)))
        except MalformedError:
            found.append(None)
    return found


def opened(raw: bytes) -> list[object]:
    """What is known of a table once it is opened, its bytes cut anywhere."""
    found = open_table(within(raw), len(raw))
    return [asdict(found.context), found.footer, found.meta, [handle for _, handle in found.blocks()],
            [(t.role, t.start, t.end, t.why) for t in found.troubles], found.gaps]  # fmt: skip


def by_tail(made: Built, tail: bytes) -> list[object]:
    return opened(made.data[: made.footer] + tail)


def tables() -> list[bytes]:
    return [made.data for _, made in VERSIONS[:1]]


def _versions() -> Iterator[tuple[int, Built]]:
    for version in range(8):
        shape = Shape(
            version=max(version, 1), leveldb=version == 0, checksum=1 if version == 0 else 4 if version > 4 else 1
        )
        yield version, table(pairs(0, 12), shape)


VERSIONS = list(_versions())
