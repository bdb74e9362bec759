"""What is missing, too short or too long by what the MANIFEST says, and what the engine makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from inspector.finding import Finding
from inspector.formats.rocksdb import FORMAT, checksums, codecs, keys, loader
from inspector.formats.rocksdb.coding import put_varint
from inspector.formats.rocksdb.edit import CUSTOM_EPOCH, NewFile
from inspector.formats.rocksdb.levels import settle
from inspector.formats.rocksdb.loader import Facts, outcomes
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.version import Family
from inspector.inspect import inspect
from tests.builders.rocksdb import pairs, small_world, wal
from tests.builders.rocksdb_table import Shape, table
from tests.contract.corpus import memory


def found(members: dict[str, bytes]) -> list[Finding]:
    with memory(members) as source:
        return inspect(source, (FORMAT,)).tally.findings()


def world(**more: Any) -> dict[str, bytes]:
    return {**small_world().members(), **more}


def test_a_database_that_is_as_the_manifest_says() -> None:
    assert found(world()) == []


def test_a_table_that_is_not_there() -> None:
    members = world()
    size = len(members.pop("000011.sst"))
    (one,) = found(members)
    assert (one.rule.code, one.span.member, one.salvage, one.evidence) == ("RDB011", "000011.sst", "lost",
                                                                         {"size": size})  # fmt: skip
    assert one.message == f"000011.sst is missing: {size} bytes of column family default, level 1"


@pytest.mark.parametrize("less", [1, 60])
def test_a_table_shorter_than_listed_was_cut(less: int) -> None:
    members = world()
    size = len(members["000011.sst"])
    members["000011.sst"] = members["000011.sst"][:-less]
    one = next(f for f in found(members) if f.rule.code == "RDB010")
    assert (one.span.start, one.span.end) == (size - less, size - less)
    assert one.evidence == {"size": size - less, "listed": size}
    assert one.message == f"{size - less} of {size} bytes are here"


@pytest.mark.parametrize("tail", [bytes(300), b"\1" * 300])
def test_a_table_longer_than_listed_has_bytes_behind_it_and_loses_nothing(tail: bytes) -> None:
    members = world()
    size = len(members["000011.sst"])
    members["000011.sst"] += tail
    one = next(f for f in found(members) if f.rule.code == "RDB013")
    assert (one.span.start, one.span.end, one.message) == (size, size + 300, "300 bytes more than the MANIFEST lists")
    assert (one.evidence, one.salvage) == ({"size": size + 300, "listed": size}, "kept")


# -- WALs ------------------------------------------------------------------------------------------


def with_wals(numbers: tuple[int, ...], needed: int, lock: bool = True) -> dict[str, bytes]:
    made = small_world()
    made.wals = {number: wal(10, 10_001 + 10 * k)[0] for k, number in enumerate(numbers)}
    made.log_number = needed
    return {**made.members(), **({"LOCK": b""} if lock else {})}


def test_the_oldest_wal_that_is_needed_is_missed_where_the_engine_itself_wrote() -> None:
    assert [f.rule.code for f in found(with_wals((14,), 14))] == []
    (one,) = found(with_wals((16,), 14))
    assert (one.rule.code, one.span.member, one.salvage) == ("RDB036", "000014.log", "lost")
    assert found(with_wals((16,), 14, lock=False)) == []  # a checkpoint has no WAL that was empty
    assert found(with_wals((14,), 4)) == []  # older than the MANIFEST: the last one that recovery read


# -- levels ----------------------------------------------------------------------------------------


def file(number: int, first: bytes, last: bytes, level: int = 1, sequence: int = 0, **more: Any) -> NewFile:
    return NewFile(level, number, 99, keys.internal(first, 9, keys.PUT), keys.internal(last, 5, keys.PUT), sequence,
                   sequence, **more)  # fmt: skip


def family(*files: NewFile, comparator: str = keys.BYTEWISE) -> Family:
    return Family(0, "default", comparator, files={one.number: one for one in files})


def test_levels_that_hold_are_left_alone() -> None:
    for made in (
        family(file(1, b"a", b"c"), file(2, b"d", b"f"), file(3, b"a", b"f", level=2)),
        # they meet in one key, of which the older version comes second
        family(replace(file(2, b"c", b"f"), smallest=keys.internal(b"c", 4, keys.PUT)), file(1, b"a", b"c")),
        family(file(1, b"a", b"f", level=0), file(2, b"b", b"c", level=0)),
        family(file(1, b"a", b"f"), file(2, b"b", b"c"), comparator="somebody's own"),
        family(file(1, b"f", b"d"), file(2, b"c", b"a"), comparator=keys.REVERSE),
    ):
        before = dict(made.files)
        assert not settle(made)
        assert made.files == before


def test_tables_of_levels_that_do_not_hold_go_to_level_0_the_newest_last() -> None:
    for made in (
        family(file(7, b"a", b"d", sequence=5), file(3, b"c", b"f", sequence=9), file(5, b"x", b"z", sequence=5)),
        family(file(7, b"f", b"d", sequence=5), file(3, b"d", b"a", sequence=9), file(5, b"z", b"x", sequence=5),
               comparator=keys.REVERSE),
        family(file(7, b"a", b"b", sequence=5, assumed=True), file(3, b"c", b"f", sequence=9),
               file(5, b"x", b"z", level=4, sequence=5)),
    ):  # fmt: skip
        made.files[3] = replace(made.files[3], custom=((CUSTOM_EPOCH, b"\x63"), (15, b"\1")))
        assert settle(made)
        epochs = {number: one.field(CUSTOM_EPOCH) for number, one in made.files.items()}
        assert epochs == {5: put_varint(1), 7: put_varint(2), 3: put_varint(3)}
        assert {one.level for one in made.files.values()} == {0}
        assert made.files[3].custom == ((CUSTOM_EPOCH, put_varint(3)), (15, b"\1"))


def test_files_of_a_level_are_in_the_order_in_which_the_engine_asks_them() -> None:
    made = family(file(1, b"x", b"z", 0, 4), file(2, b"a", b"c", 0, 9), file(3, b"a", b"c", 0, 4),
                  file(4, b"m", b"n", 2), file(5, b"a", b"b", 2))  # fmt: skip
    assert {level: [f.number for f in files] for level, files in made.levels().items()} == {0: [2, 3, 1], 2: [5, 4]}


# -- which engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [codecs.NO_COMPRESSION, codecs.SNAPPY])
def test_a_table_of_the_oldest_form_without_properties_is_leveldbs(codec: int) -> None:
    for version, leveldb in ((0, True), (1, False), (5, False)):
        data = table(pairs(0, 30), Shape(version, checksums.CRC32C, codec, leveldb=leveldb)).data
        opened = open_table(lambda at, n: data[at : at + n], len(data))  # noqa: B023
        assert (opened.leveldb, opened.context.version) == (leveldb, -1 if leveldb else version)
        assert not opened.troubles


REFUSED: list[tuple[dict[str, Any], str, str]] = [  # the first of them that is wrong decides
    ({"current_bad": "is missing"}, loader.EMPTY,
     "Invalid argument: ... does not exist (create_if_missing is false)"),
    ({"current_bad": "holds other bytes"}, loader.REFUSES, "Corruption: CURRENT file corrupted"),
    ({"manifest_blank": True}, loader.REFUSES,
     "Corruption: no log_file_number, next_file_number, last_sequence entry in MANIFEST"),
    ({"manifest_none": True}, loader.REFUSES, "IO error: No such file or directory: MANIFEST"),
    ({"manifest_malformed": True}, loader.REFUSES, "Corruption: VersionEdit"),
    ({"manifest_bad": True}, loader.REFUSES, "Corruption: checksum mismatch"),
    ({"manifest_refused": "a family that is not there"}, loader.REFUSES, "an edit of a family that is not there"),
    ({"missing": "000011.sst"}, loader.REFUSES, "IO error: No such file or directory: 000011.sst"),
    ({"wrong_size": "000011.sst"}, loader.REFUSES, "Corruption: Sst file size mismatch: 000011.sst"),
    ({"overlap": True}, loader.REFUSES, "Corruption: L1 has overlapping ranges"),
    ({"unopenable": "000011.sst"}, loader.REFUSES,
     "Corruption: block checksum mismatch or bad table magic number in 000011.sst"),
    ({"unlisted": ("a.sst", "b.sst"), "manifest_torn": True}, "opens; deletes tables: a.sst, b.sst", ""),
    ({"bad_data": "000011.sst@77"}, loader.STOPS, "Corruption: block checksum mismatch at 000011.sst@77"),
    ({"wal_bad": "000014.log@9", "wal_dropped": 1}, loader.DROPS, "1 operation from 000014.log@9 on"),
    ({}, loader.OPENS, ""),
]  # fmt: skip


@pytest.mark.parametrize("first", range(len(REFUSED)))
def test_of_all_that_is_wrong_the_first_on_the_way_of_an_open_decides(first: int) -> None:
    facts: dict[str, Any] = {}
    for known, _, _ in reversed(REFUSED[first:]):  # of two that say the same of one thing the first counts
        facts |= known
    write = outcomes(Facts(**facts))[0]
    assert (write.program, write.release, write.outcome, write.message) == ("RocksDB", "9.8.4", *REFUSED[first][1:])


def said(**facts: Any) -> dict[str, tuple[str, str]]:
    return {one.program: (one.outcome, one.message) for one in outcomes(Facts(**facts))}


def test_leveldb_opens_a_table_only_when_it_is_read() -> None:
    assert said(leveldb=True, unopenable="000011.ldb")["LevelDB"] == (loader.OPENS, "")
    assert [one.release for one in outcomes(Facts(leveldb=True))] == ["1.23", "1.23"]
    assert [one.release for one in outcomes(Facts(release="7.1.2"))] == ["7.1.2", "7.1.2"]


def test_unlisted_tables_are_deleted_only_by_an_open_for_writing_behind_a_torn_manifest() -> None:
    many = tuple(f"{n}.sst" for n in range(9))
    torn = said(unlisted=many, manifest_torn=True)
    assert torn["RocksDB"][0] == f"opens; deletes tables: {', '.join(many[:8])}"
    assert torn["RocksDB (read-only)"] == (loader.OPENS, "without the entries of the unlisted tables")
    assert "RocksDB (read-only)" not in said(unlisted=many)
    assert said(unlisted=many)["RocksDB"][0] == loader.OPENS


def test_what_the_repair_of_the_engine_costs() -> None:
    rebuilt = "rebuilds the MANIFEST; puts every table into level 0", ""
    assert said()["RocksDB RepairDB, ldb repair"] == rebuilt
    assert said(damaged_tables=2, entries_in_damaged=1, wal_bad="x@1")["RocksDB RepairDB, ldb repair"] == (
        "moves 2 damaged tables to lost/", "1 entry that can be read is lost with them",
    )  # fmt: skip
    assert said(wal_bad="x@1")["RocksDB RepairDB, ldb repair"] == ("skips to the next 32 KiB block of the WAL", "")
    assert said(leveldb=True, damaged_tables=2)["LevelDB RepairDB, ldb repair"] == rebuilt


@pytest.mark.parametrize(("version", "old", "new"), [(0, False, True), (1, False, True), (2, False, False),
                                                    (5, False, False), (6, True, False), (7, True, False)])  # fmt: skip
def test_which_releases_do_not_read_a_format_version(version: int, old: bool, new: bool) -> None:
    rows = [(one.program, one.release) for one in outcomes(Facts(format_versions={version}))][2:]
    assert rows == [("ldb, sst_dump", "7.8.3")] * old + [("RocksDB", "11.0 and later")] * new
    assert len(outcomes(Facts(leveldb=True, format_versions={version}))) == 2
