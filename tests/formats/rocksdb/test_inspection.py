"""What an inspection of a database says: spans, keys that were lost, severities, the programs' outcomes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from inspector import formats
from inspector.errors import Exit, RefusedError, UsageError
from inspector.finding import Severity
from inspector.format import Query, Wishes
from inspector.formats.rocksdb import FORMAT, keys
from inspector.formats.rocksdb.merge import Cover, Tombstone, Versioned, live, ranked, sorted_runs
from inspector.inspect import Report, inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from inspector.span import Span
from samples import build
from tests import damage
from tests.builders.rocksdb import World, pairs, small_world, wal
from tests.builders.rocksdb_samples import SAMPLES
from tests.builders.rocksdb_table import Shape, table
from tests.builders.samples import Sample

FORMATS = formats.all_formats()


def scan(members: dict[str, bytes]) -> Report:
    return inspect(MemorySource(members), FORMATS)


def codes(report: Report) -> dict[str, str]:
    return {f.rule.code: f.level.value for f in report.tally.findings()}


def written(folder: Path, members: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in members.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_a_sample_shows_exactly_the_rules_of_its_story(sample: Sample) -> None:
    assert sample in build.ALL
    path = Path(build.__file__).parent / "rocksdb" / sample.name
    with open_source(str(path)) as source:
        found = inspect(source, FORMATS).tally.findings()
    loud = {f.rule.code for f in found if f.level is not Severity.NOTE}
    assert loud <= set(sample.rules) <= {f.rule.code for f in found}


def test_a_lost_block_is_named_by_its_bytes_and_by_the_keys_it_covered() -> None:
    world = small_world()
    members = world.members()
    block = world.tables[9].blocks[2]
    members["000009.sst"] = damage.flip_bit(members["000009.sst"], block.offset + 30, 4).data
    report = scan(members)
    (finding,) = report.tally.findings()
    assert (finding.rule.code, finding.span) == ("RDB001", Span(block.offset, block.end, "000009.sst"))
    first = sum(world.tables[9].counts[:2])
    last = first + world.tables[9].counts[2]
    assert finding.evidence["after_key"] == f"'key-{first - 1:06d}'"
    assert finding.evidence["up_to_key"] == f"'key-{last - 1:06d}'"
    assert report.answer.summary["entries_lost"] == world.tables[9].counts[2]


def test_damage_in_a_table_that_is_not_live_is_a_note() -> None:
    world = small_world()
    members = world.members()
    built = world.tables[9]
    members["000003.sst"] = damage.flip_bit(built.data, built.blocks[2].offset + 30, 4).data
    assert codes(scan(members)) == {"RDB001": "note", "RDB012": "note"}


def test_a_table_newer_than_the_manifest_and_the_wals_means_that_the_manifest_has_lost_edits() -> None:
    world = small_world()
    world.add(17, pairs(0, 60, 50_000), level=0)
    members = world.members()
    del world.listed[-1]
    world.last_sequence = 10_000
    members["MANIFEST-000005"] = world.manifest()
    report = scan(members)
    assert codes(report)["RDB012"] == "warning"
    assert any("deletes them" in words for words in report.answer.words)


def test_a_process_that_holds_the_lock_is_named_and_a_repair_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "db", {**small_world().members(), "LOCK": b""})
    hold = "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(folder / "LOCK")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "1\n"
        with open_source(str(folder)) as source:
            found = [f for f in inspect(source, FORMATS).tally.findings() if f.rule.code == "RDB034"]
            assert [f.evidence["pid"] for f in found] == [holder.pid]
        with open_source(str(folder)) as source, pytest.raises(RefusedError):
            repair(source, FORMATS, str(tmp_path / "new"), Wishes())
        holder.communicate("\n")


def test_a_key_is_found_by_family_and_name_and_a_range_comes_as_json_lines(tmp_path: Path) -> None:
    folder = written(tmp_path / "db", small_world().members())
    with open_source(str(folder)) as source:
        db = FORMAT.open(source, None, Wishes())
        assert FORMAT.extents
        (one,) = FORMAT.extents(db, "default:key-000007")
        assert one.data == pairs(7, 8)[0][1]
        assert one.origin is not None
        assert one.origin.member == "000009.sst"
        lines = list(FORMAT.extents(db, "default:key-000010..key-000015"))
        assert len(lines) == 5
        assert all(line.data for line in lines)
        with pytest.raises(UsageError):
            list(FORMAT.extents(db, "default:nothing"))
        with pytest.raises(UsageError):
            list(FORMAT.extents(db, "nowhere:key-000007"))


def test_records_filter_by_member_kind_and_damage() -> None:
    world = small_world()
    members = world.members()
    members["000014.log"] = damage.flip_bit(members["000014.log"], 30, 1).data
    db = FORMAT.open(MemorySource(members), None, Wishes())
    assert FORMAT.records
    assert len(list(FORMAT.records(db, Query(member="000009.sst")))) == 60
    assert len(list(FORMAT.records(db, Query(kinds=frozenset({"put"}))))) == 60 + 60 + 39
    (bad,) = FORMAT.records(db, Query(damaged=True))
    assert (bad.span.member, bad.span.start) == ("000014.log", 0)


def test_names_in_a_manifest_never_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = written(tmp_path / "db", {**small_world().members(), "CURRENT": b"../MANIFEST-000005\n"})
    (tmp_path / "MANIFEST-000005").write_bytes(small_world().manifest())
    with open_source(str(folder)) as source:
        report = inspect(source, FORMATS)
    assert "RDB029" in codes(report)
    assert report.state.manifest == "MANIFEST-000005"


@pytest.mark.parametrize("size", [0, 1, 10, 52, 53])
def test_tiny_members_are_findings_and_not_exceptions(size: int) -> None:
    members = small_world().members()
    for name in ("000009.sst", "000014.log", "MANIFEST-000005", "CURRENT"):
        cut = {**members, name: members[name][:size]}
        report = scan(cut)
        assert "INS001" not in codes(report)
        if name != "000014.log" and len(members[name]) > size:
            assert report.damaged, name


def entry(key: bytes, sequence: int, kind: int, value: bytes = b"") -> Versioned:
    return Versioned(key, sequence, kind, value, Span(0, 1))


def test_the_live_view_honours_deletes_ranges_and_keeps_operands() -> None:
    cut = Tombstone(b"c", b"e", 50, Span(0, 1))
    rows = [
        entry(b"a", 9, keys.DELETE), entry(b"a", 3, keys.PUT, b"old"),
        entry(b"b", 9, keys.MERGE, b"two"), entry(b"b", 8, keys.MERGE, b"one"), entry(b"b", 7, keys.PUT, b"base"),
        entry(b"c", 60, keys.PUT, b"new"), entry(b"c", 40, keys.PUT, b"covered"),
        entry(b"d", 40, keys.PUT, b"covered"), entry(b"e", 40, keys.PUT, b"outside"),
        entry(b"f", 9, keys.MERGE, b"alone"), entry(b"f", 8, keys.DELETE),
    ]  # fmt: skip
    found = [(e.key, e.value, e.operands) for e in live(ranked(rows, bytes), Cover([cut], bytes))]
    assert found == [
        (b"b", b"base", (b"two", b"one")),
        (b"c", b"new", ()),
        (b"e", b"outside", ()),
        (b"f", None, (b"alone",)),
    ]


def test_sorting_more_than_memory_allows_gives_the_same_order() -> None:
    rows = [entry(b"k%05d" % (i * 7919 % 5000), i, keys.PUT, b"v" * 40) for i in range(5000)]
    assert list(sorted_runs(rows, bytes, chunk=20_000)) == sorted(rows, key=lambda e: (e.key, -e.sequence))


def test_a_wal_of_a_family_that_was_flushed_is_not_replayed_again() -> None:
    world = World()
    world.add(9, pairs(0, 60))
    world.wals[12] = wal(5, 20_000)[0]
    world.log_number = 14
    db = FORMAT.open(MemorySource(world.members()), None, Wishes())
    assert FORMAT.extents
    assert len(list(FORMAT.extents(db, "cf:default"))) == 60


def mended(path: Path, output: Path, **wishes: object) -> Result:
    with open_source(str(path)) as source:
        return repair(source, FORMATS, str(output), Wishes(**wishes))  # type: ignore[arg-type]


def test_a_manifest_alone_becomes_a_snapshot_and_the_lost_edit_is_told(tmp_path: Path) -> None:
    sample = Path(build.__file__).parent / "rocksdb" / "manifest-edit"
    done = mended(sample, tmp_path / "new")
    assert done.code is Exit.LOST
    assert done.records["lost"] == 1
    assert any("not in the new MANIFEST" in note for note in done.notes)


def test_a_blob_file_alone_keeps_every_offset_and_loses_one_value(tmp_path: Path) -> None:
    sample = Path(build.__file__).parent / "rocksdb" / "value-bit.blob"
    done = mended(sample, tmp_path / "new", no_correct=True)
    assert (done.code, done.records["lost"], done.size) == (Exit.LOST, 1, sample.stat().st_size)
    done = mended(sample, tmp_path / "whole", accept=frozenset({"unique"}))
    assert (done.code, done.bytes["lost"], done.changes_total) == (Exit.CLEAN, 0, 1)


def test_a_plain_table_is_carried_over_as_it_is_and_the_repair_says_so(tmp_path: Path) -> None:
    world = small_world()
    world.add(17, pairs(100, 120, 900))
    members = world.members()
    plain = b"plain table rows " * 30 + (0x8242229663BF9564).to_bytes(8, "little")
    members["000017.sst"] = plain.rjust(world.listed[-1].size, b"p")[-world.listed[-1].size :]
    block = world.tables[9].blocks[2]
    members["000009.sst"] = damage.flip_bit(members["000009.sst"], block.offset + 30, 4).data
    folder = written(tmp_path / "db", members)
    done = mended(folder, tmp_path / "new", no_correct=True)
    assert (tmp_path / "new" / "000017.sst").read_bytes() == members["000017.sst"]
    assert any("000017.sst is a plain table" in note for note in done.notes)
    assert not done.verified["engine"]["ran"]


def test_lost_range_deletes_are_counted_in_the_notes(tmp_path: Path) -> None:
    sample = Path(build.__file__).parent / "rocksdb" / "range-deletes-bit.sst"
    done = mended(sample, tmp_path / "new", no_correct=True)
    assert [note for note in done.notes if "1 range deletes are lost" in note]


def test_a_comparator_that_only_its_program_knows_is_told() -> None:
    world = small_world()
    world.comparator = "my.Comparator"
    members = world.members()
    report = scan({**members, "MANIFEST-000005": world.manifest()})
    assert any("my.Comparator" in words for words in report.answer.words)


@pytest.mark.parametrize("name", ["data-bit.sst", "index-bit.sst", "000014-bit.log", "manifest-bit", "value-bit.blob"])
def test_a_finding_names_the_flipped_bit_and_its_proof(name: str) -> None:
    with open_source(str(Path(build.__file__).parent / "rocksdb" / name)) as source:
        (finding,) = [f for f in inspect(source, FORMATS).tally.findings() if f.level is not Severity.NOTE]
    evidence = finding.evidence
    assert "went" in str(evidence["undone"])
    assert evidence["correction"] in ("sealed", "unique")
    assert (evidence["correction"] == "sealed") == (finding.salvage == "corrected")
    assert finding.cause.name == "bit-flip"


def test_threads_change_nothing_that_is_said() -> None:
    world = small_world()
    members = world.members()
    for number, at in ((9, 2), (9, 4), (11, 1)):
        block = world.tables[number].blocks[at]
        name = f"{number:06d}.sst"
        members[name] = damage.flip_bit(members[name], block.offset + 30, 4).data
    told = []
    for jobs in (1, 2, 3, 7):
        report = inspect(MemorySource(members), FORMATS, Wishes(jobs=jobs))
        findings = [(f.rule.code, f.span, f.message, f.evidence) for f in report.tally.findings()]
        told.append((findings, report.answer, report.account.kinds, report.account.roles))
    assert told[0] == told[1] == told[2] == told[3]
    assert len(told[0][0]) == 3


@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_blocks_passed_over_at_once_are_judged_as_those_looked_at_alone(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspector.formats.rocksdb import walk_table
    from inspector.render.documents import scan as document

    rng = Random(7)
    built = table(pairs(0, 3000), Shape())
    data = bytearray(built.data)
    for block in built.blocks:
        if rng.random() < share:
            data[block.offset + rng.randrange(block.size)] ^= 1 << rng.randrange(8)
    monkeypatch.setattr(walk_table, "MAX_LOST", 5)
    told = []
    for through in (None, False):
        if through is not None:
            monkeypatch.setattr(walk_table.TableWalk, "_through", through)
        report = scan({"000009.sst": bytes(data)})
        told.append((document(report, Exit.DAMAGED), report.state.facts["000009.sst"], report.state.damage))
    assert len(told[0][2]) > 10
    assert told[0] == told[1]


def test_a_scan_without_a_manifest_reads_no_table_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from inspector.formats.rocksdb import view

    def read_again(*_: object) -> None:
        raise AssertionError("every entry was read once more")

    monkeypatch.setattr(view, "file_of", read_again)
    members = {n: d for n, d in small_world().members().items() if not n.startswith(("MANIFEST", "CURRENT"))}
    found = codes(scan(members))
    assert "RDB039" in found
    assert "INS001" not in found
