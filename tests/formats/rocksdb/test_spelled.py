"""How numbers, names, batches and footers are spelled, at the borders; and which of several faults an open meets."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.finding import UNKNOWN_CAUSE
from inspector.formats.rocksdb import batch, keys, names
from inspector.formats.rocksdb.batch import Mark, Op, operations
from inspector.formats.rocksdb.cause import of_bytes
from inspector.formats.rocksdb.checksums import CRC32C, XXH3, XXHASH, XXHASH64, block_checksum, mask, modifier, unmask
from inspector.formats.rocksdb.checksums import NONE as NO_SUM
from inspector.formats.rocksdb.claim import claim
from inspector.formats.rocksdb.codecs import (
    LZ4,
    LZ4HC,
    MAX_BLOCK,
    NO_COMPRESSION,
    RATIO,
    SNAPPY,
    ZLIB,
    _sized,
    beyond,
)
from inspector.formats.rocksdb.coding import MalformedError, prefixed, put_prefixed, put_varint, varint, zigzag
from inspector.formats.rocksdb.footer import Handle, decode, encode
from inspector.formats.rocksdb.loader import DROPS, EMPTY, OPENS, REFUSES, STOPS, Facts, outcomes
from tests.contract.corpus import memory

P = put_prefixed


@pytest.mark.parametrize(
    ("raw", "bits", "value"),
    [
        ("00", 32, 0), ("7f", 32, 127), ("8001", 32, 128), ("ff7f", 32, 16383), ("808001", 32, 16384),
        ("ffffffff0f", 32, (1 << 32) - 1), ("ffffffff1f", 32, None), ("8080808010", 32, None),
        ("808080808001", 32, None), ("80", 32, None), ("", 32, None), ("8000", 32, 0),
        ("ffffffffffffffffff01", 64, (1 << 64) - 1), ("ffffffffffffffffff02", 64, None), ("80" * 10 + "01", 64, None),
    ],
)  # fmt: skip
def test_a_varint_has_as_many_bits_as_it_may(raw: str, bits: int, value: int | None) -> None:
    data = b"\xff" + bytes.fromhex(raw)
    if value is None:
        with pytest.raises(MalformedError):
            varint(data, 1, len(data), bits)
        return
    assert varint(data + b"\x01", 1, len(data), bits) == (value, len(data))
    with pytest.raises(MalformedError):
        varint(data, 1, len(data) - 1, bits)
    if raw != "8000":
        assert put_varint(value) == data[1:]


def test_signed_numbers_alternate() -> None:
    assert [zigzag(n) for n in range(6)] == [0, -1, 1, -2, 2, -3]
    assert zigzag((1 << 64) - 1) == -(1 << 63)


def test_a_string_is_as_long_as_it_says_and_no_longer_than_what_is_left() -> None:
    assert prefixed(b"x\3abcd", 1, 5) == (b"abc", 5)
    with pytest.raises(MalformedError, match="claims 3 bytes, 2 are left"):
        prefixed(b"x\3abcd", 1, 4)
    assert prefixed(b"\0", 0, 1) == (b"", 1)


@pytest.mark.parametrize("crc", [0, 1, 0x7FFF, 0x8000, 0xFFFFFFFF, 0x12345678])
def test_a_stored_crc_is_rotated_by_15_and_shifted(crc: int) -> None:
    """util/crc32c.h: Mask and Unmask."""
    assert mask(crc) == ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % (1 << 32)
    assert unmask(mask(crc)) == crc


def test_the_context_of_a_checksum_is_both_halves_of_its_offset() -> None:
    assert modifier(0, 123) == 0
    assert modifier(1, 0) == 1
    assert modifier(0xF0F0, 0x1_0000_0002) == 0xF0F0 ^ 3
    assert modifier(5, (1 << 64) - 1) == 5 ^ 0xFFFFFFFE


def test_each_kind_of_checksum_covers_the_type_byte() -> None:
    for kind in (CRC32C, XXHASH, XXHASH64, XXH3):
        found = {block_checksum(kind, b"block" + bytes([codec])) for codec in range(3)}
        assert len(found) == 3
        assert all(0 <= one < 1 << 32 for one in found)
    assert block_checksum(NO_SUM, b"block\0") == 0


# tag, bytes behind it, and what it is: db/write_batch.cc, WriteBatchInternal
BATCH: list[tuple[int, bytes, tuple[int, int, bytes, bytes]]] = [
    (0x00, P(b"k"), (0, keys.DELETE, b"k", b"")),
    (0x01, P(b"k") + P(b"v"), (0, keys.PUT, b"k", b"v")),
    (0x02, P(b"k") + P(b"v"), (0, keys.MERGE, b"k", b"v")),
    (0x04, b"\x07" + P(b"k"), (7, keys.DELETE, b"k", b"")),
    (0x05, b"\x07" + P(b"k") + P(b"v"), (7, keys.PUT, b"k", b"v")),
    (0x06, b"\x07" + P(b"k") + P(b"v"), (7, keys.MERGE, b"k", b"v")),
    (0x07, P(b"k"), (0, keys.SINGLE_DELETE, b"k", b"")),
    (0x08, b"\x07" + P(b"k"), (7, keys.SINGLE_DELETE, b"k", b"")),
    (0x0E, b"\x07" + P(b"k") + P(b"v"), (7, keys.RANGE_DELETE, b"k", b"v")),
    (0x0F, P(b"k") + P(b"v"), (0, keys.RANGE_DELETE, b"k", b"v")),
    (0x10, b"\x07" + P(b"k") + P(b"v"), (7, keys.BLOB_INDEX, b"k", b"v")),
    (0x11, P(b"k") + P(b"v"), (0, keys.BLOB_INDEX, b"k", b"v")),
    (0x16, P(b"k") + P(b"v"), (0, keys.WIDE_COLUMNS, b"k", b"v")),
    (0x17, b"\x07" + P(b"k") + P(b"v"), (7, keys.WIDE_COLUMNS, b"k", b"v")),
    (0x18, P(b"k") + P(b"v"), (0, keys.PREFERRED_SEQNO, b"k", b"v")),
    (0x19, b"\x07" + P(b"k") + P(b"v"), (7, keys.PREFERRED_SEQNO, b"k", b"v")),
]
MARKS = [
    (0x03, P(b"log data"), 0x03, b"log data"),
    (0x09, b"", 0x09, b""),
    (0x0A, P(b"xid"), 0x0A, b"xid"),
    (0x0B, P(b"xid"), 0x0B, b"xid"),
    (0x0C, P(b"xid"), 0x0C, b"xid"),
    (0x0D, b"", 0x0D, b""),
    (0x12, b"", 0x12, b""),
    (0x13, b"", 0x13, b""),
    (0x15, P(b"timestamp") + P(b"xid"), 0x0B, b"xid"),
]


def headed(count: int, body: bytes, sequence: int = 100) -> bytes:
    return sequence.to_bytes(8, "little") + count.to_bytes(4, "little") + body


def test_each_tag_is_the_operation_that_the_engine_writes_with_it() -> None:
    body, begins = b"", []
    for tag, rest, _ in BATCH:
        begins.append(12 + len(body))
        body += bytes([tag]) + rest
    ends = [*begins[1:], 12 + len(body)]
    assert list(operations(headed(len(BATCH), body))) == [
        Op(family, 100 + n, kind, key, value, begins[n], ends[n])
        for n, (_, _, (family, kind, key, value)) in enumerate(BATCH)
    ]
    plain = [(family, kind, key, value) for _, _, (family, kind, key, value) in BATCH]
    assert batch.encode(100, plain) == headed(len(BATCH), body)


@pytest.mark.parametrize(("tag", "rest", "told", "body"), MARKS)
def test_a_mark_takes_no_number(tag: int, rest: bytes, told: int, body: bytes) -> None:
    data = bytes([tag]) + rest
    found = list(operations(headed(2, b"\0" + P(b"a") + data + b"\0" + P(b"b"))))
    assert found == [
        Op(0, 100, keys.DELETE, b"a", b"", 12, 15),
        Mark(told, body, 15, 15 + len(data)),
        Op(0, 101, keys.DELETE, b"b", b"", 15 + len(data), 18 + len(data)),
    ]


def test_a_batch_has_as_many_operations_as_it_claims() -> None:
    assert list(operations(headed(0, b""))) == []
    for count in (0, 2):
        with pytest.raises(MalformedError, match=f"claims {count} operations, it has 1"):
            list(operations(headed(count, b"\0" + P(b"a"))))
    for tag in (0x14, 0x1A, 0xFF):
        with pytest.raises(MalformedError, match=f"tag {tag:#04x} at 12 is unknown"):
            list(operations(headed(1, bytes([tag]))))
    with pytest.raises(MalformedError):
        list(operations(headed(0, b"")[:-1]))


@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [
        ("000007.sst", "table", 7), ("7.ldb", "table", 7), ("000007.log", "wal", 7), ("archive/000007.log", "wal", 7),
        ("lost/000007.log", "lost", 0), ("000007.blob", "blob", 7), ("MANIFEST-000007", "manifest", 7),
        ("OPTIONS-000007", "options", 7), ("000007.dbtmp", "temp", 7), ("OPTIONS-000007.dbtmp", "temp", 7),
        ("CURRENT", "current", 0), ("IDENTITY", "identity", 0), ("LOCK", "lock", 0), ("LOG", "info-log", 0),
        ("LOG.old.17", "info-log", 0), ("x.sst", "foreign", 0), ("MANIFEST", "foreign", 0), ("sub/7.sst", "foreign", 0),
        (f"{(1 << 64) - 1}.sst", "table", (1 << 64) - 1), (f"{1 << 64}.sst", "foreign", 0), ("7.sst\n", "foreign", 0),
    ],
)  # fmt: skip
def test_a_name_says_what_a_file_is(name: str, kind: str, number: int) -> None:
    found = names.classify(name)
    assert (found.kind, found.number) == (kind, number)


def test_a_file_that_stands_alone_may_have_another_name() -> None:
    for name, kind in (("old.sst", "table"), ("x.ldb", "table"), ("y.blob", "blob"), ("manifest.bak", "manifest"),
                       ("000007.log", "wal"), ("x.log", "foreign")):  # fmt: skip
        assert names.classify_alone(name).kind == kind
    assert names.current_target(b"MANIFEST-000007\n") == "MANIFEST-000007"
    for wrong in (b"MANIFEST-000007", b"../MANIFEST-000007\n", b"\xff\n", b"CURRENT\n"):
        assert names.current_target(wrong) is None
    assert (names.table_name(7), names.table_name(7, "ldb"), names.wal_name(1234567), names.blob_name(7)) == (
        "000007.sst", "000007.ldb", "1234567.log", "000007.blob",
    )  # fmt: skip


def test_an_internal_key_ends_with_number_and_type() -> None:
    assert keys.internal(b"k", 5, keys.MERGE) == b"k\2\5" + bytes(6)
    assert keys.tag_of(b"k\2\5" + bytes(6)) == (5, keys.MERGE)
    assert keys.tag_of(b"\xff" * 8) == (keys.MAX_SEQUENCE, 0xFF)


def test_keys_sort_as_their_comparator_does() -> None:
    plain = [b"", b"a", b"a\0", b"b"]
    stamped = [b"a" + n.to_bytes(8, "little") for n in (300, 256, 1, 0)]  # new to old
    for name, order in (
        (keys.BYTEWISE, plain),
        (keys.REVERSE, plain[::-1]),
        (keys.BYTEWISE_TS, [*stamped, b"b" + bytes(8)]),
        (keys.REVERSE_TS, [b"b" + bytes(8), *stamped]),
    ):
        rank = keys.order_of(name)
        assert rank is not None
        assert sorted([*order[1:], order[0]], key=rank) == order
        assert rank(order[0]) == rank(order[0])
        assert rank(order[0]) != rank(order[1])
        assert not rank(order[0]) < rank(order[0])
    assert keys.order_of("mine") is None


META, INDEX = Handle(100, 20), Handle(130, 30)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_footer_says_where_its_blocks_are(legacy: bool) -> None:
    size = 1000
    start = size - (48 if legacy else 53)
    for version in (0,) if legacy else (1, 2, 5, 6, 7):
        base = 77 if version >= 6 else 0
        meta = Handle(start - 5 - 20, 20) if version >= 6 else META
        tail = encode(version, CRC32C, base, meta, INDEX, start, legacy)
        found = decode(tail, size)
        assert (found.version, found.checksum, found.start, found.legacy) == (version, CRC32C, start, legacy)
        assert (found.metaindex, found.index) == (meta, None if version >= 6 else INDEX)
        assert (found.base, found.problems) == (base, ())
        for cut in (1, len(tail) - 47):
            with pytest.raises(MalformedError):
                decode(tail[cut:], size)


def test_a_footer_of_an_unknown_version_or_checksum_is_none() -> None:
    for version, kind, right in ((1, 0, True), (7, 4, True), (8, 1, False), (5, 5, False)):
        tail = bytearray(encode(min(version, 7), min(kind, 4), 0, META, INDEX, 947, False))
        tail[41], tail[0] = version, kind
        if right:
            assert decode(bytes(tail), 1000).version == version
        else:
            with pytest.raises(MalformedError):
                decode(bytes(tail), 1000)


@pytest.mark.parametrize(("room", "problems"), [(0, 0), (-1, 1)])
def test_a_block_ends_with_its_trailer_before_the_footer(room: int, problems: int) -> None:
    start = 947
    handle = Handle(start - 25 - room, 20)
    assert handle.end == start - room
    found = decode(encode(2, CRC32C, 0, handle, INDEX, start, False), 1000)
    assert len(found.problems) == problems
    if problems == 0:  # from version 6 on the metaindex ends there
        small = encode(6, CRC32C, 5, Handle(0, 20), INDEX, 25, False)
        assert decode(small, 78).metaindex == Handle(0, 20)
        with pytest.raises(MalformedError):
            decode(encode(6, CRC32C, 5, Handle(0, 20), INDEX, 24, False), 77)


def test_what_is_wrong_with_a_footer_of_version_6_is_named() -> None:
    sound = encode(6, XXH3, 5, Handle(922, 20), INDEX, 947, False)
    for at, problem in (
        (1, "extended magic"),
        (33, "reserved bytes"),
        (40, "reserved bytes"),
        (5, "checksum"),
        (9, "checksum"),
    ):
        hurt = bytearray(sound)
        hurt[at] ^= 1
        assert problem in decode(bytes(hurt), 1000).problems
    assert decode(sound, 1001).problems == ("checksum",)  # it stands elsewhere


FAULTS: list[tuple[dict[str, Any], str, str]] = [  # the first on the way of an open decides
    ({"current_bad": "missing"}, EMPTY, "does not exist"),
    ({"manifest_blank": True}, REFUSES, "no log_file_number"),
    ({"manifest_none": True}, REFUSES, "No such file or directory: MANIFEST"),
    ({"manifest_malformed": True}, REFUSES, "Corruption: VersionEdit"),
    ({"manifest_bad": True}, REFUSES, "Corruption: checksum mismatch"),
    ({"manifest_refused": "an earlier time"}, REFUSES, "an edit of an earlier time"),
    ({"missing": "7.sst"}, REFUSES, "No such file or directory: 7.sst"),
    ({"wrong_size": "7.sst"}, REFUSES, "size mismatch: 7.sst"),
    ({"overlap": True}, REFUSES, "overlapping ranges"),
    ({"unopenable": "7.sst"}, REFUSES, "bad table magic number in 7.sst"),
    ({"unlisted": ("8.sst", "9.sst"), "manifest_torn": True}, "opens; deletes tables: 8.sst, 9.sst", ""),
    ({"bad_data": "7.sst@0"}, STOPS, "mismatch at 7.sst@0"),
    ({"wal_bad": "8.log", "wal_dropped": 3}, DROPS, "3 operations from 8.log on"),
    ({}, OPENS, ""),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_the_first_fault_on_the_way_of_an_open_decides(first: int) -> None:
    told: dict[str, Any] = {}
    for one, _, _ in FAULTS[first:]:
        told |= one
    found = outcomes(Facts(**told))[0]
    assert (found.program, found.release) == ("RocksDB", "9.8.4")
    assert found.outcome == FAULTS[first][1]
    assert found.message.endswith(FAULTS[first][2]) or FAULTS[first][2] in found.message
    assert outcomes(Facts(current_bad="no newline"))[0].outcome == REFUSES


def test_what_else_is_said_of_the_tools() -> None:
    def rows(**told: Any) -> list[tuple[str, str]]:
        return [(one.program, one.outcome) for one in outcomes(Facts(**told))]

    repair = "RocksDB RepairDB, ldb repair"
    rebuilds = "rebuilds the MANIFEST; puts every table into level 0"
    assert rows() == [("RocksDB", OPENS), (repair, rebuilds)]
    assert rows(unlisted=("8.sst",), manifest_torn=True)[1] == ("RocksDB (read-only)", OPENS)
    assert rows(unlisted=("8.sst",)) == rows()
    assert rows(damaged_tables=2)[1] == (repair, "moves 2 damaged tables to lost/")
    assert rows(damaged_tables=2, leveldb=True)[1] == ("LevelDB RepairDB, ldb repair", rebuilds)
    assert rows(wal_bad="8.log")[1] == (repair, "skips to the next 32 KiB block of the WAL")
    assert [p for p, _ in rows(format_versions={6})][2:] == ["ldb, sst_dump"]
    assert [p for p, _ in rows(format_versions={5, 2})][2:] == []
    assert [p for p, _ in rows(format_versions={1})][2:] == ["RocksDB"]
    assert [p for p, _ in rows(format_versions={0, 7}, leveldb=True)][2:] == []
    assert rows(unopenable="7.ldb", leveldb=True)[0] == ("LevelDB", OPENS)
    assert [one.release for one in outcomes(Facts(leveldb=True))] == ["1.23"] * 2
    assert outcomes(Facts(release="8.1"))[0].release == "8.1"


@pytest.mark.parametrize(
    ("first", "last", "byte", "name", "confidence"),
    [
        (4096, 8192, 0, "zeroed-range", "certain"),
        (4096, 8192, 0xFF, "ones-range", "certain"),
        (512, 1024, 0, "zeroed-range", "certain"),
        (4096, 4196, 0, "zeroed-range", "likely"),
        (4000, 4096, 0, "zeroed-range", "likely"),
        (512 * 3, 512 * 3 + 80, 0, "zeroed-range", "likely"),
        (4100, 4164, 0, "zeroed-range", "possible"),
        (4100, 4163, 0, "unknown", "possible"),
    ],
)
def test_a_run_of_one_byte_is_as_sure_as_its_ends(first: int, last: int, byte: int, name: str, confidence: str) -> None:
    data = bytearray(b"\x5a\xa5" * 5000)
    data[first:last] = bytes([byte]) * (last - first)
    for begin in (0, 300):
        cause = of_bytes(lambda at, n: bytes(data[at : at + n]), begin, 10_000)
        assert (cause.name, cause.confidence) == (name, confidence)
        assert name == "unknown" or f"[{first}, {last})" in cause.because
    assert of_bytes(lambda at, n: bytes(data[at : at + n]), 0, first) == UNKNOWN_CAUSE


def test_a_folder_is_known_by_what_verifies_in_it_else_by_its_names() -> None:
    def strength(**files: bytes) -> int:
        with memory({name.replace("_", "."): data for name, data in files.items()}) as source:
            return claim(source, None).strength

    assert strength(CURRENT=b"x", IDENTITY=b"y") == 40
    assert strength(CURRENT=b"x", **{"000007_sst": b""}) == 40
    assert strength(CURRENT=b"x", **{"000007_log": b""}) == 40
    assert strength(CURRENT=b"x", **{"MANIFEST-000007": b""}) == 40
    assert strength(CURRENT=b"x", LOCK=b"") == 0
    assert strength(IDENTITY=b"y", LOCK=b"") == 0
    assert strength(**{"000007_sst": b""}, LOCK=b"") == 20
    assert strength(**{"MANIFEST-000007": b""}, LOCK=b"") == 20


@pytest.mark.parametrize("kind", [LZ4, LZ4HC])
def test_before_version_2_only_lz4_says_its_size_in_eight_bytes(kind: int) -> None:
    assert _sized(kind, (5).to_bytes(8, "little") + b"abc", 1, 100) == (5, b"abc")
    assert _sized(kind, (100).to_bytes(8, "little"), 1, 100) == (100, b"")
    for data in (b"\5" + bytes(6), (101).to_bytes(8, "little")):
        with pytest.raises(MalformedError):
            _sized(kind, data, 1, 100)
    assert _sized(ZLIB, b"abc", 1, 100) == (None, b"abc")
    assert _sized(ZLIB, b"\x85\x01abc", 2, 200) == (133, b"abc")
    assert _sized(kind, b"\x85\x01abc", 2, 133) == (133, b"abc")
    with pytest.raises(MalformedError):
        _sized(kind, b"\x85\x01abc", 2, 132)


def test_a_block_that_says_more_than_usual_says_by_how_much() -> None:
    data = bytes(8)
    usual = RATIO * 8
    assert beyond(LZ4, (usual + 7).to_bytes(8, "little"), 1) == 7
    assert beyond(LZ4, usual.to_bytes(8, "little"), 1) == 0
    assert beyond(LZ4, (1 << 60).to_bytes(8, "little"), 1) == MAX_BLOCK - usual
    assert beyond(LZ4, bytes(7), 1) == 0
    assert beyond(NO_COMPRESSION, data, 1) == beyond(SNAPPY, data, 2) == 0
    assert beyond(ZLIB, b"\xff" * 5, 2) == 0  # no size
    claimed = put_varint(RATIO * 9 + 3).ljust(9, b"\0")
    assert beyond(ZLIB, claimed, 2) == 3
