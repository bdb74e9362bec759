"""A MANIFEST of which no edit is left, beside an older one or alone: told with its bytes, and never called lossless."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.__main__ import main
from inspector.finding import Finding
from inspector.inspect import Report, inspect
from inspector.source import open_source
from tests.builders.rocksdb import small_world

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
