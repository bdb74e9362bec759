"""Promises of every repair: a copy of what is well, clean once, the same twice, and the input untouched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit, RefusedError
from inspector.finding import Severity
from inspector.format import Format, Wishes
from inspector.inspect import inspect
from inspector.repair import ACTIONS, Result, repair
from inspector.source import open_source
from tests.contract.corpus import Case, case_id, cases

FORMATS = formats.all_formats()
CASES = [case for case in cases() if any(f.plan for f in FORMATS)]
each_case = pytest.mark.parametrize("case", CASES, ids=case_id)


def tree(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def mend(path: Path, output: Path) -> Result | None:
    """None where the format refuses to repair this store; then nothing was written."""
    with open_source(str(path)) as source:
        try:
            return repair(source, FORMATS, str(output), Wishes())
        except RefusedError:
            assert not output.exists()
            return None


@each_case
def test_a_repaired_store_is_clean_and_repairing_it_again_changes_nothing(case: Case, tmp_path: Path) -> None:
    before = tree(case.path)
    first = mend(case.path, tmp_path / "one")
    assert tree(case.path) == before
    assert [p.name for p in tmp_path.iterdir()] == ([] if first is None else ["one"])
    if first is None:
        return
    assert first.code in (Exit.CLEAN, Exit.LOST)
    assert (first.code is Exit.LOST) == (first.bytes["lost"] > 0 or first.records["lost"] != 0)
    assert sum(first.bytes[action] for action in ACTIONS) == sum(p.stat().st_size for p in _files(case.path))
    with open_source(str(tmp_path / "one")) as source:
        again = inspect(source, FORMATS)
        standing = {code for layer in again.layers for code in layer.standing}
        assert {code for code, level in again.tally.counts if level is not Severity.NOTE} <= standing
        assert standing or again.exit_code() is Exit.CLEAN
        assert again.format is first.report.format
    assert mend(tmp_path / "one", tmp_path / "two") is not None
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


@each_case
def test_repair_of_a_store_without_error_or_warning_or_damaged_unit_is_a_copy(case: Case, tmp_path: Path) -> None:
    with case.open() as source:
        report = inspect(source, FORMATS)
    if report.damaged:
        return
    done = mend(case.path, tmp_path / "copy")
    if done is None:
        return
    if report.account.damaged:  # a note says that nothing proves these units and nobody reads them
        assert done.code is Exit.CLEAN
        assert {(edit.action, edit.proof) for edit in done.changes} == {("dropped", "none")}
        assert done.records["dropped"] == report.account.damaged
        return
    assert tree(tmp_path / "copy") == tree(case.path)
    assert done.changes_total == 0


@each_case
def test_a_dry_run_tells_the_same_ledger_and_writes_nothing(case: Case, tmp_path: Path) -> None:
    done = mend(case.path, tmp_path / "one")
    if done is None:
        return
    with case.open() as source:
        dry = repair(source, FORMATS, str(tmp_path / "other"), Wishes(), dry_run=True)
    assert not (tmp_path / "other").exists()
    assert (dry.bytes, dry.records, dry.proof, dry.changes_total) == (
        done.bytes,
        done.records,
        done.proof,
        done.changes_total,
    )


@pytest.mark.parametrize("form", [f for f in FORMATS if f.plan is not None], ids=lambda f: f.name)
def test_a_format_that_offers_repair_repairs_a_damaged_sample_of_its_own(form: Format, tmp_path: Path) -> None:
    mended = 0
    for i, case in enumerate(c for c in CASES if c.format is form):
        with case.open() as source:
            damaged = inspect(source, FORMATS).damaged
        if damaged and mend(case.path, tmp_path / str(i)) is not None:
            mended += 1
    assert mended


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
