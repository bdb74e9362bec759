"""Formats that stand on formats, and folders with stores of several shapes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

import inspector.formats
from tests.cli import tiny_format as tiny
from tests.cli.conftest import GOOD, Run


@pytest.fixture
def both(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(inspector.formats, "all_formats", lambda: (tiny.FORMAT, tiny.UPPER))
    return run


def test_the_most_specific_format_answers(both: Run, good: str) -> None:
    document = both("scan", good, "--json").document
    assert document["format"]["name"] == "tiny-volumes"
    assert document["format"]["layers"] == ["tiny-volumes", "tiny"]
    assert document["records"]["by_kind"] == {"name": 3, "text": 2}
    assert "Volumes on Tiny store, version 2: begins with TINY" in both("scan", good).out


def test_each_command_is_served_by_the_most_specific_format_that_has_it(both: Run, good: str) -> None:
    assert both("items", good).out == "volumes  set  count=3\n"
    assert len(both("records", good, "--jsonl").lines) == 5
    assert both("show", good, "30").code == 0
    assert both("repair", good, "--dry-run").code == 0


def test_a_named_upper_format_brings_the_one_it_stands_on(both: Run, tmp_path: Path) -> None:
    (tmp_path / "x.tiny").write_bytes(tiny.store(tiny.record(tiny.NAME, b"other")))
    assert both("scan", "x.tiny", "--json").document["format"]["layers"] == ["tiny"]
    forced = both("scan", "x.tiny", "--format", "tiny-volumes", "--json").document
    assert forced["format"]["layers"] == ["tiny-volumes", "tiny"]


def test_a_folder_that_is_one_store_is_not_taken_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "TINYDB").write_bytes(b"x")
    (tmp_path / "db" / "a.tiny").write_bytes(GOOD)
    document = run("scan", "db", "--json").document
    assert (document["schema"], document["source"]["kind"]) == ("inspector/scan/1", "folder")


def test_stores_that_are_folders_are_found_inside_a_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x" / "db" / "inner").mkdir(parents=True)
    (tmp_path / "x" / "db" / "TINYDB").write_bytes(b"x")
    (tmp_path / "x" / "db" / "inner" / "TINYDB").write_bytes(b"x")
    (tmp_path / "x" / "db" / "a.tiny").write_bytes(GOOD)
    (tmp_path / "x" / "b.tiny").write_bytes(GOOD)
    results = run("scan", "x", "--json").document["results"]
    assert [r["source"]["path"] for r in results] == ["x/db", "x/b.tiny"]
    assert results[0]["bytes"]["opaque"] == len(GOOD) + 2


def test_lost_items_are_listed_on_request(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.tiny").write_bytes(tiny.store(tiny.record(tiny.NAME | tiny.DELETED, b"old")))
    assert run("items", "x.tiny").out == "no items\n"
    assert run("items", "x.tiny", "--lost").out == "old  thing  size=9\n"
    assert run("extract", "x.tiny", "old", "-o", "raw").code == 2
    assert run("extract", "x.tiny", "old", "-o", "raw", "--lost").code == 0


def test_a_wrong_command_gets_the_nearest(run: Run) -> None:
    ran = run("scna")
    assert ran.code == 2
    assert "did you mean" in ran.err.lower()
    assert "scan" in ran.err
    assert run("scan", "--bogus").err.splitlines()[1] == "  inspector scan --help lists its options"
