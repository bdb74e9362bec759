"""The damaged tables, logs and databases of samples/rocksdb: one story each, small, always the same bytes."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from inspector.formats.rocksdb import batch, blob, checksums, codecs, keys, log
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.coding import put_prefixed, put_varint
from inspector.formats.rocksdb.edit import BlobFile, Edit
from inspector.formats.rocksdb.footer import Handle
from tests import damage
from tests.builders.rocksdb import OPTIONS, World, blob_file, log_of, pairs, small_world, wal
from tests.builders.rocksdb_table import Built, Shape, Writer, table
from tests.builders.samples import Sample

Members = dict[str, bytes]
_DELETE = keys.internal(b"key-000010", 300, keys.RANGE_DELETE)


def _table(shape: Shape | None = None) -> Built:
    return table(pairs(0, 80), shape)


def _flip(data: bytes, at: int, bit: int = 2) -> bytes:
    return damage.flip_bit(data, at, bit).data


def _in(role: str, shape: Shape | None = None) -> Callable[[], bytes]:
    def make() -> bytes:
        built = table(pairs(0, 80), shape, [(_DELETE, b"key-000020")])
        return _flip(built.data, built.places[role].offset + 9)

    return make


def _data_bit() -> bytes:
    built = _table()
    return _flip(built.data, built.blocks[3].offset + 40)


def _resealed(built: Built, handle: Handle, payload: bytes, shape: Shape) -> bytes:
    """The table with a block of the same size replaced under a right checksum."""
    writer = Writer(shape)
    writer.out += bytes(handle.offset)
    writer.block(payload, shape.codec)
    return built.data[: handle.offset] + bytes(writer.out)[handle.offset :] + built.data[handle.end :]


def _bad_content() -> bytes:
    shape = Shape(codec=codecs.LZ4)
    built = table(pairs(0, 80), shape)
    handle = built.blocks[2]
    payload = built.data[handle.offset : handle.offset + handle.size]
    return _resealed(built, handle, payload[:1] + b"\xff" + payload[2:], shape)


def _footer_magic() -> bytes:
    built = _table()
    return _flip(built.data, len(built.data) - 2)


def _index_and_data() -> bytes:
    shape = Shape(codec=codecs.ZSTD, version=6)
    built = table(pairs(0, 120), shape)
    torn = damage.zero(built.data, built.blocks[2].offset + 8, built.blocks[2].offset + 60).data
    torn = _flip(torn, built.places["index"].offset + 9)
    return _flip(torn, built.places["metaindex"].offset + 9)


def _dictionary() -> bytes:
    words = b"".join(b"value %06d " % i + b"." * 20 for i in range(200))
    shape = Shape(codec=codecs.ZSTD, dictionary=words)
    built = table(pairs(0, 80), shape)
    return _flip(built.data, built.places["dictionary"].offset + 50)


def _misordered() -> bytes:
    first, second = pairs(0, 20), pairs(20, 40)
    return table([*second, *first], Shape(block_size=400)).data


def _miscounted() -> bytes:
    return table(pairs(0, 30), Shape(properties={b"rocksdb.num.entries": b"\x4d"})).data


def _unknown_type() -> bytes:
    rows = pairs(0, 60)
    rows[20] = (keys.internal(b"key-000020", 120, 0x3A), rows[20][1])
    return table(rows).data


def _plain() -> bytes:
    return b"plain table rows " * 30 + (0x8242229663BF9564).to_bytes(8, "little")


def _wal_bit() -> bytes:
    data, starts = wal(60, 500)
    return _flip(data, starts[20] + 25)


def _wal_gap() -> bytes:
    data, starts = wal(60, 500)
    return damage.zero(data, starts[20] + 3, starts[24] + 3).data


def _wal_trailer() -> bytes:
    """A log of more than one block, of which a bit behind the last record of the first one is set."""
    data, starts = wal(27, 500, size=1276)
    assert log.BLOCK - 3 in starts  # where the record before it ended
    return _flip(data, log.BLOCK - 2)


def _wal_stale() -> bytes:
    data, starts = wal(60, 500)
    assert starts[35] - starts[30] == starts[15] - starts[10]
    return data[: starts[30]] + data[starts[10] : starts[15]] + data[starts[35] :]


def _wal_torn() -> bytes:
    data, starts = wal(30, 500)
    return damage.truncate(data, starts[29] + 40).data


def _wal_length() -> bytes:
    data, starts = wal(30, 500)
    return _flip(data, starts[12] + 4, 0)


def _wal_batch() -> bytes:
    good = [batch.encode(500 + i, [(0, keys.PUT, b"k%d" % i, b"v")]) for i in range(10)]
    good[4] = good[4][:12] + b"\x7f" + good[4][13:]
    return log_of(good)


def _manifest() -> bytes:
    return small_world().manifest()


def _manifest_bit() -> bytes:
    return _flip(_manifest(), 150)


def _manifest_cut() -> bytes:
    data = _manifest()
    return damage.truncate(data, len(data) - 9).data


def _manifest_edit() -> bytes:
    good = [edits.encode(Edit(comparator=keys.BYTEWISE)), edits.encode(Edit(next_file=9, last_sequence=5))]
    return log_of([*good, b"\x21\x05", edits.encode(Edit(log_number=3))])


def _manifest_stale() -> bytes:
    first, second = small_world().listed
    steps = [
        Edit(comparator=keys.BYTEWISE, next_file=9, last_sequence=5),
        Edit(added=[first], next_file=12, last_sequence=60),
        Edit(added=[second], deleted=[(first.level, first.number)], next_file=14, last_sequence=260),
        Edit(log_number=14, next_file=16, last_sequence=300),
    ]
    return log_of([edits.encode(step) for step in (*steps, *steps[1:3])])


def _values(count: int = 12) -> list[tuple[bytes, bytes]]:
    return [(b"key-%06d" % i, b"blob value %d " % i * 12) for i in range(count)]


def _blob_bit() -> bytes:
    data, places = blob_file(_values())
    return _flip(data, places[5][0] + 30)


def _blob_footer() -> bytes:
    data, _ = blob_file(_values())
    return _flip(data, len(data) - 20)


def _blob_gap() -> bytes:
    data, places = blob_file(_values())
    return damage.noise(data, places[4][0] - 42, places[5][0] - 36, 7).data


def _world(change: Callable[[World, Members], Members | None], world: World | None = None) -> Callable[[], Members]:
    def make() -> Members:
        base = world or small_world()
        members = base.members()
        return change(base, members) or members

    return make


def _cut_table(world: World, members: Members) -> None:
    built = world.tables[9]
    members["000009.sst"] = damage.truncate(built.data, built.blocks[4].end + 30).data


def _missing(world: World, members: Members) -> None:
    del members["000009.sst"]


def _lost_edit(world: World, members: Members) -> None:
    del world.listed[1]
    members["MANIFEST-000005"] = damage.truncate(world.manifest(), len(world.manifest()) - 7).data


def _longer(world: World, members: Members) -> None:
    world.listed[0] = replace(world.listed[0], size=world.listed[0].size - 9)
    members["MANIFEST-000005"] = world.manifest()


def _file_checksum(world: World, members: Members) -> None:
    custom = ((edits.CUSTOM_CHECKSUM, b"\1\2\3\4"), (edits.CUSTOM_CHECKSUM_NAME, b"FileChecksumCrc32c"))
    world.listed[0] = replace(world.listed[0], custom=custom)
    members["MANIFEST-000005"] = world.manifest()


def _outside(world: World, members: Members) -> None:
    largest = keys.internal(b"key-000030", 100, keys.PUT)
    world.listed[0] = replace(world.listed[0], largest=largest)
    members["MANIFEST-000005"] = world.manifest()


def _overlap() -> Members:
    world = World()
    world.add(9, pairs(0, 60))
    world.add(11, pairs(40, 100, 400))
    return world.members()


def _sequence(world: World, members: Members) -> None:
    world.last_sequence = 150
    members["MANIFEST-000005"] = world.manifest()


def _no_current(world: World, members: Members) -> None:
    del members["CURRENT"]


def _no_manifest(world: World, members: Members) -> None:
    del members["MANIFEST-000005"]


def _options(world: World, members: Members) -> None:
    members["OPTIONS-000007"] = damage.zero(OPTIONS, 0, 60).data


def _with_blobs(change: dict[int, Callable[[bytes], bytes]] | None = None) -> World:
    """Twelve values in a blob file and a table that refers to them; `change` makes other references of some."""
    world = World()
    data, places = blob_file(_values())
    world.blobs[8] = data
    rows = []
    for n, ((key, _), (at, size)) in enumerate(zip(_values(), places, strict=True)):
        where = blob.put_index(blob.BlobIndex(blob.BLOB, 8, at, size, 0))
        where = change[n](where) if change and n in change else where
        rows.append((keys.internal(key, 100 + n, keys.BLOB_INDEX), where))
    world.add(9, rows)
    world.listed[0] = replace(world.listed[0], custom=((edits.CUSTOM_OLDEST_BLOB, b"\x08"),))
    world.blob_edits.append(BlobFile(8, len(places), len(data) - blob.HEADER - blob.FOOTER))
    return world


def _no_blob(world: World, members: Members) -> None:
    del members["000008.blob"]


def _bad_blob(world: World, members: Members) -> None:
    data, places = blob_file(_values())
    members["000008.blob"] = _flip(data, places[5][0] + 30)


def _expiring() -> Members:
    """Values that expire as the stacked BlobDB writes them: one in its entry, one in the blob file, one in the WAL."""
    when = put_varint(1_700_000_000)
    held = b"\0" + when + b"held by the entry"
    world = _with_blobs({2: lambda _: held, 5: lambda where: b"\2" + when + where[1:]})
    world.wals[14] = log_of([batch.encode(10_001, [(0, keys.BLOB_INDEX, b"key-000050", held)])])
    world.log_number = 14
    return world.members()


def _synced(world: World, members: Members) -> None:
    body = b"\x0e" + b"\x02" + b"\xff\x7f" + b"\x01"  # WAL 14, synced size 16383
    world.extra.append(Edit(others=[(edits.WAL_ADD, body)]))
    members["MANIFEST-000005"] = world.manifest()


def _leveldb() -> Members:
    world = World(Shape(version=0, checksum=checksums.CRC32C, codec=codecs.SNAPPY, leveldb=True))
    world.add(5, pairs(0, 80), level=2)
    body = b"".join((b"\x01", bytes([len(keys.BYTEWISE)]), keys.BYTEWISE.encode()))
    new = world.listed[0]
    head = bytes([7, 2, 5]) + put_varint(new.size)
    entry = head + put_prefixed(new.smallest) + put_prefixed(new.largest)
    numbers = b"\x02\x04\x09\x00\x03\x06\x04" + put_varint(10_000)
    members = {"000005.ldb": world.tables[5].data, "MANIFEST-000002": log_of([body + numbers, entry])}
    members |= {"CURRENT": b"MANIFEST-000002\n", "000004.log": wal(20, 10_001)[0]}
    block = world.tables[5].blocks[2]
    members["000005.ldb"] = _flip(members["000005.ldb"], block.offset + 30)
    return members


_ROCKS = "rocksdb"
SAMPLES: tuple[Sample, ...] = tuple(
    Sample(_ROCKS, *row)
    for row in (
        ("clean-db", "a healthy database: two tables and a WAL", (), lambda: small_world().members()),
        ("clean-v7.sst", "a healthy table of format version 7", (), lambda: _table(Shape(version=7, codec=7)).data),
        ("data-bit.sst", "one bit of a data block", ("RDB001",), _data_bit),
        ("bad-content.sst", "a data block that verifies and does not decompress", ("RDB002",), _bad_content),
        ("index-bit.sst", "one bit of the index", ("RDB003",), _in("index")),
        ("index-part-bit.sst", "one bit of an index part", ("RDB003",), _in("index-part", Shape(index="two-level"))),
        ("properties-bit.sst", "one bit of the properties", ("RDB004",), _in("properties")),
        ("footer-magic.sst", "one bit of the magic number", ("RDB005",), _footer_magic),
        ("filter-bit.sst", "one bit of the filter", ("RDB006",), _in("filter", Shape(filter=bytes(range(200))))),
        ("range-deletes-bit.sst", "one bit of the range deletes", ("RDB007",), _in("range-deletes")),
        ("dictionary-bit.sst", "one bit of the compression dictionary", ("RDB002", "RDB008"), _dictionary, False),
        ("index-and-data.sst", "index, metaindex and a data block damaged", ("RDB004", "RDB009"),
         _index_and_data),
        ("misordered.sst", "blocks written out of order", ("RDB015",), _misordered),
        ("miscounted.sst", "properties that count 77 of 30 entries", ("RDB019",), _miscounted),
        ("unknown-type.sst", "an entry of a type that no release writes", ("RDB043",), _unknown_type),
        ("plain.sst", "a plain table, which is not read", ("RDB035",), _plain, False),
        ("no-checksums.sst", "a table written without checksums", ("RDB037",),
         lambda: _table(Shape(checksum=checksums.NONE)).data),
        ("000014-bit.log", "one bit of a WAL record", ("RDB020", "RDB025"), _wal_bit),
        ("000014-gap.log", "zeroes over four WAL records", ("RDB021", "RDB025"), _wal_gap),
        ("000014-trailer.log", "one bit of the zeroes that end a block of a WAL", ("RDB044",), _wal_trailer),
        ("000014-stale.log", "five WAL records over five later ones", ("RDB040",), _wal_stale),
        ("000014-torn.log", "a WAL whose last record is cut off", ("RDB022",), _wal_torn),
        ("000014-length.log", "one bit of a record's length", ("RDB024",), _wal_length),
        ("000014-batch.log", "a record with a write batch of an unknown tag", ("RDB023",), _wal_batch),
        ("manifest-bit", "one bit of a MANIFEST record", ("RDB026",), _manifest_bit),
        ("manifest-cut", "a MANIFEST whose last record is cut off", ("RDB027",), _manifest_cut),
        ("manifest-edit", "a MANIFEST record with an unknown tag", ("RDB028",), _manifest_edit),
        ("manifest-stale", "MANIFEST records behind the last one that stand before it as well", ("RDB041",),
         _manifest_stale),
        ("value-bit.blob", "one bit of a blob value", ("RDB030",), _blob_bit),
        ("footer-bit.blob", "one bit of a blob file's footer", ("RDB032",), _blob_footer),
        ("gap.blob", "noise over a blob record and its header", ("RDB038",), _blob_gap),
        ("table-cut", "a table cut off in the middle", ("RDB009", "RDB010"), _world(_cut_table)),
        ("table-missing", "a table that is not there", ("RDB011",), _world(_missing)),
        ("lost-edit", "the MANIFEST's end is lost, and with it a table", ("RDB012", "RDB027"), _world(_lost_edit)),
        ("table-longer", "a table with bytes after its footer", ("RDB013",), _world(_longer)),
        ("file-checksum", "a table that differs from its whole-file checksum", ("RDB014",), _world(_file_checksum)),
        ("outside-range", "keys outside the range in the MANIFEST", ("RDB016",), _world(_outside)),
        ("overlap", "two tables of level 1 that overlap", ("RDB017",), _overlap),
        ("last-sequence", "a last sequence number that is too old", ("RDB018",), _world(_sequence)),
        ("no-current", "CURRENT is missing", ("RDB029",), _world(_no_current)),
        ("no-manifest", "the MANIFEST is missing", ("RDB029", "RDB039"), _world(_no_manifest)),
        ("options-zeroed", "the head of OPTIONS is zeroed", ("RDB033",), _world(_options)),
        ("blob-missing", "the blob file is missing", ("RDB031",), _world(_no_blob, _with_blobs())),
        ("blob-value", "one bit of a value that a table refers to", ("RDB030",), _world(_bad_blob, _with_blobs())),
        ("value-expires", "values with a time of expiry, which only the stacked BlobDB reads", ("RDB042",), _expiring),
        ("wal-short", "a WAL shorter than it was synced", ("RDB036",), _world(_synced)),
        ("leveldb-bit", "a LevelDB database with one bit of a block flipped", ("RDB001",), _leveldb),
    )
)  # fmt: skip
