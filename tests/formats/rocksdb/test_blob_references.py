"""Entries of tables and WALs whose values the engine does not read in blob files: told, and readable after a repair."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb import edit as edits
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.database import open_database
from inspector.formats.rocksdb.view import Doubts, families, plain_pairs
from inspector.source import open_source
from tests.builders.rocksdb import World, blob_file, log_of, wal

VALUES = [(b"key-%06d" % i, b"blob value %d " % i + b"v" * 60) for i in range(12)]
BLOB, PLACES = blob_file(VALUES)
ODD = 3  # the entry that is not as the others are
WHEN = put_varint(1_700_000_000)


def reference(n: int, file: int = 8, beyond: int = 0) -> bytes:
    at, size = PLACES[n]
    return put_varint(file) + put_varint(at + beyond) + put_varint(size) + b"\0"


UNEXPECTED = "Corruption: Unexpected TTL/inlined blob index"
UNDECODED = "Corruption: Error while decoding blob index"
# what the entry says; the code that tells of it; the value that a repair keeps; what RocksDB 9.8.4 says to iteration
KINDS = {
    "held": (b"\0" + WHEN + b"held", "RDB042", b"held", UNEXPECTED),
    "expires": (b"\2" + WHEN + reference(ODD), "RDB042", VALUES[ODD][1], UNEXPECTED),
    "no-time": (b"\0" * 7, "RDB031", None, UNEXPECTED),
    "other-type": (b"\3" + reference(ODD), "RDB031", None, UNDECODED),
    "cut": ((b"\1" + reference(ODD))[:3], "RDB031", None, UNDECODED),
    "empty": (b"", "RDB031", None, UNDECODED),
    "beyond": (b"\1" + reference(ODD, beyond=1 << 20), "RDB031", None, "Corruption: Invalid blob offset"),
    "no-file": (b"\1" + reference(ODD, file=77), "RDB031", None, "Corruption: Invalid blob file number"),
    "another": (b"\1" + reference(ODD + 1), "RDB031", None, ""),
}


def database(folder: Path, said: bytes, in_wal: bool) -> Path:
    world = World()
    world.blobs[8] = BLOB
    rows = [
        (keys.internal(key, 100 + n, keys.BLOB_INDEX), b"\1" + reference(n) if n != ODD else said)
        for n, (key, _) in enumerate(VALUES)
    ]
    world.add(9, rows[:ODD] + rows[ODD + 1 :] if in_wal else rows)
    world.listed[0] = replace(world.listed[0], custom=((edits.CUSTOM_OLDEST_BLOB, b"\x08"),))
    world.blob_edits.append(edits.BlobFile(8, len(PLACES), len(BLOB) - 62))
    # an older value of the key, which must not come back with the loss of the newer one
    world.add(7, [(keys.internal(VALUES[ODD][0], 50, keys.PUT), b"older")], level=2)
    world.log_number = 14
    ops = [(0, keys.PUT, b"a", b"1"), (0, keys.BLOB_INDEX, VALUES[ODD][0], said), (0, keys.PUT, b"z", b"2")]
    if in_wal:
        world.wals[14] = log_of([batch.encode(10_001, ops), batch.encode(10_004, [(0, keys.DELETE, b"y", b"")])])
    folder.mkdir()
    for name, data in world.members().items():
        (folder / name).write_bytes(data)
    return folder


def view_of(folder: Path) -> dict[bytes, bytes]:
    with open_source(str(folder)) as source:
        db, doubts = open_database(source), Doubts()
        pairs = dict(plain_pairs(db, families(db)[0], doubts))
        assert not doubts.said
        return pairs


@pytest.mark.parametrize("in_wal", [False, True], ids=["table", "wal"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_engine_does_not_read_is_told_and_a_repair_loses_it_openly(
    kind: str, in_wal: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code, value, message = KINDS[kind]
    store = database(tmp_path / "db", said, in_wal)
    assert run(["scan", str(store), "--json"]) == Exit.DAMAGED
    document = json.loads(capsys.readouterr().out)
    assert [found["code"] for found in document["findings"]] == [code]
    loader = document["loaders"][0]
    assert loader["message"] == message
    assert loader["outcome"] == ("opens; iteration stops there" if message else "opens")

    assert run(["repair", str(store), "-o", str(tmp_path / "out"), "--json"]) == Exit.LOST
    engine = json.loads(capsys.readouterr().out)["verified"]["engine"]
    assert engine.get("ok", True), engine
    expected = dict(VALUES) | ({b"a": b"1", b"z": b"2"} if in_wal else {})
    expected.pop(VALUES[ODD][0])
    assert view_of(tmp_path / "out") == expected | ({VALUES[ODD][0]: value} if value is not None else {})
    assert run(["scan", str(tmp_path / "out")]) == Exit.CLEAN


def test_a_reference_in_a_wal_is_as_good_as_one_in_a_table(tmp_path: Path) -> None:
    store = database(tmp_path / "db", b"\1" + reference(ODD), in_wal=True)
    assert run(["scan", str(store)]) == Exit.CLEAN
    assert run(["repair", str(store), "-o", str(tmp_path / "out")]) == Exit.CLEAN
    assert (tmp_path / "out" / "000014.log").read_bytes() == (store / "000014.log").read_bytes()


def test_a_value_that_only_a_wal_refers_to_is_lost_with_its_blob(tmp_path: Path) -> None:
    store = database(tmp_path / "db", b"\1" + reference(ODD), in_wal=True)
    hurt = bytearray(BLOB)
    hurt[PLACES[ODD][0] + 5] ^= 3
    hurt[PLACES[ODD][0] + 9] ^= 5
    (store / "000008.blob").write_bytes(hurt)
    assert run(["repair", str(store), "-o", str(tmp_path / "out")]) == Exit.LOST
    expected = dict(VALUES) | {b"a": b"1", b"z": b"2"}
    expected.pop(VALUES[ODD][0])
    assert view_of(tmp_path / "out") == expected


def test_operations_are_replaced_in_their_places() -> None:
    ops = [(0, keys.PUT, b"a", b"1"), (7, keys.BLOB_INDEX, b"b", b"odd"), (0, keys.BLOB_INDEX, b"c", b"odd")]
    data = batch.encode(9, ops)
    made = batch.replaced(data, lambda op: (keys.DELETE, b"") if op.key == b"b" else None)
    assert made == batch.encode(9, [ops[0], (7, keys.DELETE, b"b", b""), ops[2]])
    assert batch.replaced(data, lambda op: None) == data
    whole = wal(3, 5)[0][7:]
    assert batch.replaced(data, lambda op: (keys.PUT, whole) if op.key == b"c" else None) == batch.encode(
        9, [*ops[:2], (0, keys.PUT, b"c", whole)]
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "another"])
def test_the_engine_says_what_is_told_of_it(kind: str, tmp_path: Path) -> None:
    rocksdict = pytest.importorskip("rocksdict")
    said, _, _, message = KINDS[kind]
    store = database(tmp_path / "db", said, in_wal=False)
    db = rocksdict.Rdict(
        str(store), rocksdict.Options(raw_mode=True), access_type=rocksdict.AccessType.read_only(False)
    )
    rows = db.iter()
    rows.seek_to_first()
    while rows.valid():
        rows.next()
    with pytest.raises(Exception, match=message):  # what the binding raises has no class of its own
        rows.status()
    db.close()


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_a_blob_file_that_no_edit_lists_is_told_where_tables_need_it(
    named: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine reads no value of it, and deletes it when it opens the folder for writing."""
    world = World()
    world.blobs |= {8: BLOB, 6: blob_file([(b"of no table", b"left over")])[0]}
    world.add(
        9, [(keys.internal(k, 100 + n, keys.BLOB_INDEX), b"\1" + reference(n)) for n, (k, _) in enumerate(VALUES)]
    )
    if named:
        world.listed[0] = replace(world.listed[0], custom=((edits.CUSTOM_OLDEST_BLOB, b"\x08"),))
    store = tmp_path / "db"
    store.mkdir()
    for name, data in world.members().items():
        (store / name).write_bytes(data)
    assert run(["scan", str(store), "--json"]) == Exit.DAMAGED
    document = json.loads(capsys.readouterr().out)
    (found,) = document["findings"]
    assert (found["code"], found["salvage"], found["evidence"]) == (
        "RDB031",
        "corrected",
        {"blob_file": 8, "count": 12},
    )
    assert document["loaders"][0]["message"] == "Corruption: Invalid blob file number"
    assert document["next"][0].startswith("cp -a ")

    assert run(["repair", str(store), "-o", str(tmp_path / "out"), "--json"]) == Exit.CLEAN
    engine = json.loads(capsys.readouterr().out)["verified"]["engine"]
    assert engine.get("ok", True), engine
    assert view_of(tmp_path / "out") == dict(VALUES)
    with open_source(str(tmp_path / "out")) as source:
        version = open_database(source).version
        assert version is not None
        (family,) = version.families.values()
    assert list(family.blobs) == [8]
    assert [file.field(edits.CUSTOM_OLDEST_BLOB) for file in family.files.values()] == [b"\x08"]
    assert run(["scan", str(tmp_path / "out")]) == Exit.CLEAN
