"""A MANIFEST of which no edit is left, beside an older one or alone: told with its bytes, and never called lossless."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.finding import Finding
from inspector.formats.rocksdb.coding import put_prefixed, put_varint
from inspector.inspect import Report, inspect
from inspector.source import open_source
from tests.builders.rocksdb import World, log_of, pairs, small_world

OPTIONS = b"[Version]\n  rocksdb_version=9.8.4\n[DBOptions]\n"
OLD, NEW = "MANIFEST-000005", "MANIFEST-000077"


def world(folder: Path, older: bool) -> Path:
    """A database whose MANIFEST in use became zeroes; with `older`, one of an earlier start that is whole."""
    folder.mkdir()
    members = small_world().members()
    (used,) = (name for name in members if name.startswith("MANIFEST-"))
    members[NEW] = bytes(len(members[used]) + 90)
    members["CURRENT"] = f"{NEW}\n".encode()
    if not older:
        del members[used]
    for name, data in members.items():
        (folder / name).write_bytes(data)
    return folder


def inspected(folder: Path) -> Report:
    with open_source(str(folder)) as source:
        return inspect(source, formats.all_formats())


def gone(report: Report) -> Finding:
    (found,) = (f for f in report.tally.findings() if f.rule.code == "RDB039")
    return found


@pytest.mark.parametrize("older", [True, False])
def test_a_manifest_of_zeroes_is_told_where_it_lies_and_why(older: bool, tmp_path: Path) -> None:
    folder = world(tmp_path / "db", older)
    report = inspected(folder)
    found = gone(report)
    assert (found.span.member, found.span.start, found.span.end) == (NEW, 0, (folder / NEW).stat().st_size)
    assert (found.cause.name, found.salvage) == ("zeroed-range", "lost")
    assert not report.state.trusted
    assert report.answer.loaders[0].outcome == "refuses to open"
    assert report.answer.summary["entries"] > 0


@pytest.mark.parametrize("older", [True, False])
def test_what_a_lost_manifest_listed_is_not_called_kept(older: bool, tmp_path: Path) -> None:
    folder = world(tmp_path / "db", older)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert main(["scan", "-q", str(tmp_path / "out")]) == 0
    kept = inspected(tmp_path / "out").answer.summary["entries"]
    assert kept == inspected(folder).answer.summary["entries"]


@pytest.mark.parametrize("torn", [True, False])
def test_what_only_a_damaged_edit_may_have_named_is_said(
    torn: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    for name, data in small_world().members().items():
        (folder / name).write_bytes(data)
        if name.startswith("MANIFEST-"):
            (folder / name).write_bytes(data[:-20] if torn else data)
    if not torn:
        (folder / "CURRENT").unlink()  # the repair makes a MANIFEST all the same
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert ("a file that only a damaged edit named" in " ".join(capsys.readouterr().out.split())) is torn


def replaced(folder: Path, shared: bool) -> Path:
    """Tables of the lowest level: 9 was replaced by 12 where they share keys, and its file was not deleted yet."""
    world = World()
    world.add(9, pairs(0, 60, 0, 2))
    world.add(12, pairs(0 if shared else 1, 60, 0, 2))
    folder.mkdir()
    for name, data in world.members().items():
        if not name.startswith(("MANIFEST", "CURRENT")):
            (folder / name).write_bytes(data)
    return folder


def test_of_two_tables_with_the_last_version_of_a_key_the_newer_one_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = replaced(tmp_path / "db", shared=True)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "000009.sst: 'key" in said
    assert "stands in it and in 000012.sst, both as the last version: no database has both" in said
    assert not (tmp_path / "out" / "000009.sst").exists()
    assert inspected(tmp_path / "out").answer.summary["entries"] == 30


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ((1,), "19 keys of it lie ('key-000017' to 'key-000035')"),
        ((0, 2), "37 keys of it lie ('key-000000' to 'key-000053')"),
        ((-1,), "7 keys of it lie ('key-000053' to 'key-000059')"),
        ((), ""),
    ],
)
def test_keys_of_a_table_that_was_replaced_are_told_where_blocks_of_the_newer_one_are_lost(
    blocks: tuple[int, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newer table has every second key, nine in a block: of the others none knows whether they were deleted."""
    folder, world = tmp_path / "db", World()
    older, newer = ([(key[:-7] + bytes(7), value) for key, value in pairs(0, 60, 0, step)] for step in (1, 2))
    members = {"000009.sst": world.add(9, older).data}
    made = world.add(12, newer)
    data = bytearray(made.data)
    for block in [made.blocks[i] for i in blocks]:
        data[block.offset : block.offset + 9] = bytes(b ^ 0x5A for b in data[block.offset : block.offset + 9])
    members["000012.sst"] = bytes(data)
    folder.mkdir()
    for name, content in members.items():
        (folder / name).write_bytes(content)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "000009.sst: 'key-00" in said
    assert ("inspector records DB --member 000009.sst lists what they were" in said) is bool(blocks)
    assert (f"{told} where blocks of 000012.sst are lost" in said) is bool(blocks)


def test_tables_that_share_a_range_and_no_key_are_both_kept(tmp_path: Path) -> None:
    folder = replaced(tmp_path / "db", shared=False)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 4
    assert inspected(tmp_path / "out").answer.summary["entries"] == 60


@pytest.mark.parametrize(("member", "rocksdb"), [("OPTIONS-000007", True), ("", False)])
def test_a_key_of_an_unknown_type_stops_rocksdb_only_and_a_repair_names_the_table_by_itself(
    member: str, rocksdb: bool, tmp_path: Path
) -> None:
    """The tag of the edit is one that both engines write; files of RocksDB beside it tell which of them reads it."""
    folder = tmp_path / "db"
    folder.mkdir()
    members = {name: data for name, data in small_world().members().items() if not name.startswith("OPTIONS")}
    numbers = b"\x02\x0e\x03\x14\x04\xb8\x02\x09\0" + b"\x01\x1aleveldb.BytewiseComparator"
    keys = [b"key-000000\x01" + (100).to_bytes(7, "little"), b"key-000059\x35" + (159).to_bytes(7, "little")]
    table = b"\x07\1\x09" + put_varint(len(members["000009.sst"])) + b"".join(map(put_prefixed, keys))
    other = b"\x07\1\x0b" + put_varint(len(members["000011.sst"]))
    other += put_prefixed(b"key-000060\x01" + (200).to_bytes(7, "little"))
    other += put_prefixed(b"key-000119\x01" + (259).to_bytes(7, "little"))
    (used,) = (name for name in members if name.startswith("MANIFEST-"))
    members |= {used: log_of([numbers + table + other])} | ({member: OPTIONS} if member else {})
    for name, data in members.items():
        (folder / name).write_bytes(data)
    report = inspected(folder)
    codes = [finding.rule.code for finding in report.tally.findings()]
    assert ("RDB028" in codes) is rocksdb
    assert report.state.trusted is not rocksdb
    assert report.answer.loaders[0].message == ("Corruption: VersionEdit" if rocksdb else "")
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == (4 if rocksdb else 0)
    if rocksdb:
        assert inspected(tmp_path / "out").answer.summary["entries"] == report.answer.summary["entries"] == 120
