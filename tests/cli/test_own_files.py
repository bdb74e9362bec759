"""Small files of ours (metrics, baselines) never take the place of a store or of anything else that was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inspector import pace, source
from tests.cli.conftest import Run

OPTIONS = ("--metrics", "--write-baseline")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "pace", None)
    monkeypatch.setattr(pace, "lower_io_priority", lambda: True)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("by", ["name", "hard link", "symbolic link"])
def test_no_option_of_a_scan_writes_over_its_input(option: str, by: str, run: Run, bad: str, tmp_path: Path) -> None:
    before, target = (tmp_path / bad).read_bytes(), bad
    if by != "name":
        target = "other"
        (os.link if by == "hard link" else os.symlink)(tmp_path / bad, tmp_path / target)
    assert run("scan", bad, option, target).code == 7
    assert (tmp_path / bad).read_bytes() == (tmp_path / target).read_bytes() == before


def test_a_store_given_as_the_state_is_refused_and_never_to_be_deleted(run: Run, bad: str, tmp_path: Path) -> None:
    before = (tmp_path / bad).read_bytes()
    done = run("scan", bad, "--state", bad)
    assert done.code == 2
    assert "delete" not in done.err
    assert "name another" in done.err
    assert (tmp_path / bad).read_bytes() == before


def test_nor_does_a_watch(run: Run, bad: str, tmp_path: Path) -> None:
    before = (tmp_path / bad).read_bytes()
    assert run("watch", bad, "--metrics", bad, "--for", "0.1").code == 7
    assert (tmp_path / bad).read_bytes() == before


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_no_file_of_ours_is_not_replaced(option: str, run: Run, bad: str, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("what the operator wrote down\n")
    assert run("scan", bad, option, "notes").code == 7
    assert (tmp_path / "notes").read_text() == "what the operator wrote down\n"


@pytest.mark.parametrize("option", OPTIONS)
def test_our_own_is_replaced_and_so_is_an_empty_file(option: str, run: Run, bad: str, tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"")
    for _ in range(2):
        assert run("scan", bad, option, "own").code == 3
        assert (tmp_path / "own").stat().st_size


def test_an_empty_file_that_is_the_input_stays_empty(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gossip_store").write_bytes(b"")
    assert run("scan", "gossip_store", "--metrics", "gossip_store").code == 7
    assert (tmp_path / "gossip_store").stat().st_size == 0


@pytest.mark.parametrize("words", [("repair", "-o"), ("repair", "--patch"), ("excerpt", "-o")], ids=" ".join)
def test_an_output_without_a_name_is_a_mistake_and_no_dry_run(words: tuple[str, str], run: Run, bad: str) -> None:
    command, option = words
    assert run(command, bad, option, "").code == 2
