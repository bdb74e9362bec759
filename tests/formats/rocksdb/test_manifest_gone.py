"""A MANIFEST of which no edit is left, beside an older one or alone: told with its bytes, and never called lossless."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.finding import Finding
from inspector.inspect import Report, inspect
from inspector.source import open_source
from tests.builders.rocksdb import World, pairs, small_world

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
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "000009.sst: 'key" in said
    assert "stands in it and in 000012.sst, both as the last version: no database has both" in said
    assert not (tmp_path / "out" / "000009.sst").exists()
    assert inspected(tmp_path / "out").answer.summary["entries"] == 30


def test_tables_that_share_a_range_and_no_key_are_both_kept(tmp_path: Path) -> None:
    folder = replaced(tmp_path / "db", shared=False)
    assert main(["repair", str(folder), "-o", str(tmp_path / "out")]) == 0
    assert inspected(tmp_path / "out").answer.summary["entries"] == 60
