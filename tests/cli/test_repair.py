from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from inspector.__main__ import main
from tests.cli.conftest import GOOD, HELLO, Run

SAMPLES = Path(__file__).parents[2] / "samples"


def test_what_can_be_proved_is_written_and_the_loss_is_said(run: Run, bad: str, tmp_path: Path) -> None:
    ran = run("repair", bad, "-o", "out.tiny")
    assert ran.code == 4
    assert (tmp_path / "out.tiny").read_bytes() == GOOD[: HELLO[0]] + GOOD[HELLO[1] :]
    assert "17 bytes were lost; all else is kept" in ran.out
    assert "lost 30 (0x1e), 17 bytes: its checksum is bad" in ran.out
    assert "inspector: read again and inspected whole: clean" in ran.out
    assert "mv out.tiny bad.tiny" in ran.out
    assert run("scan", "out.tiny").code == 0


def test_the_ledger_accounts_for_every_byte(run: Run, bad: str) -> None:
    document = run("repair", bad, "-o", "out.tiny", "--json", "--hash").document
    assert document["bytes"] == {"kept": 55, "corrected": 0, "dropped": 0, "lost": 17, "added": 0}
    assert document["records"] == {"kept": 4, "corrected": 0, "dropped": 0, "lost": 1}
    assert document["changes"] == [
        {"file": None, "start": 30, "end": 47, "action": "lost", "proof": "none", "why": "its checksum is bad"}
    ]
    assert len(document["source"]["sha256"]) == len(document["output"]["sha256"]) == 64
    assert document["verified"]["ok"] is True


def test_a_dry_run_writes_nothing_and_exits_as_the_scan(run: Run, bad: str, good: str, tmp_path: Path) -> None:
    ran = run("repair", bad, "--dry-run")
    assert ran.code == 3
    assert "17 bytes would be lost" in ran.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.tiny", "good.tiny"]
    assert run("repair", good, "--dry-run").code == 0
    assert run("repair", bad, "--dry-run", "--json").document["output"] is None


def test_compact_leaves_out_what_is_dead(run: Run, good: str) -> None:
    ran = run("repair", good, "-o", "out.tiny", "--compact", "--json")
    assert ran.code == 0
    assert ran.document["bytes"]["dropped"] == 10


def test_a_wish_that_the_format_does_not_know_is_refused_before_anything_is_written(
    run: Run, good: str, tmp_path: Path
) -> None:
    wishes = (("--to-version", "3"), ("--touch",), ("--archive",), ("--cluster-size", "4096"), ("--accept", "unique"))
    for option in wishes:
        ran = run("repair", good, "-o", "out.tiny", *option)
        assert ran.code == 2, option
        assert f"tiny does not understand {option[0]}" in ran.err
    assert not (tmp_path / "out.tiny").exists()


def test_an_output_is_needed(run: Run, good: str) -> None:
    ran = run("repair", good)
    assert ran.code == 2
    assert "-o OUT names the new file" in ran.err


def test_the_input_and_existing_files_are_safe(run: Run, bad: str, tmp_path: Path) -> None:
    before = (tmp_path / bad).read_bytes()
    (tmp_path / "link").symlink_to(bad)
    (tmp_path / "other").write_text("mine")
    for output in (bad, "link", "other"):
        assert run("repair", bad, "-o", output).code == 7
    assert run("repair", bad, "-o", bad, "--force").code == 7
    assert (tmp_path / bad).read_bytes() == before
    assert (tmp_path / "other").read_text() == "mine"


def test_what_no_repair_takes_away_is_not_called_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, out = str(SAMPLES / "kad_trace" / "stalled.log"), str(tmp_path / "out.log")
    main(["repair", log, "-o", out])
    told = " ".join(capfd.readouterr().out.split())
    assert "inspected whole: clean but for KDT001, which no repair takes away" in told
    assert re.search(r"KDT001 stays: \S.* a scan of what was written says so again, and exits with 3", told)
    assert main(["scan", out]) == 3
    capfd.readouterr()
    main(["repair", log, "-o", out, "--force", "--json"])
    document = json.loads(capfd.readouterr().out)
    assert document["verified"]["standing"] == ["KDT001"]
    main(["schema", "repair"])
    jsonschema.validate(document, json.loads(capfd.readouterr().out))
