from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import HELLO, Run


def test_every_record_is_one_row(run: Run, good: str) -> None:
    ran = run("records", good)
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 6
    assert ran.out.splitlines()[3].split()[:5] == ["30", "0x1e", "17", "text", "ok"]


def test_a_damaged_record_makes_the_exit_code_3(run: Run, bad: str) -> None:
    ran = run("records", bad, "--damaged", "--jsonl")
    assert ran.code == 3
    assert [(e["start"], e["end"], e["state"]) for e in ran.lines] == [(*HELLO, "bad checksum")]
    assert run("records", bad, "--kind", "name").code == 0


def test_csv_reads_back(run: Run, good: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run("records", good, "--csv").out)))
    assert [(r["start"], r["kind"]) for r in rows] == [
        ("5", "name"), ("15", "name"), ("30", "text"), ("47", "text"), ("57", "name")
    ]  # fmt: skip
    assert '"text":"hello world"' in rows[2]["fields"]


def test_dump_prints_the_original_tools_lines(run: Run, good: str) -> None:
    assert run("records", good, "--dump", "--limit", "2").out == "5: name\n15: name\n"


def test_deleted_and_live_are_opposites(run: Run, good: str) -> None:
    starts = [e["start"] for e in run("records", good, "--deleted", "--jsonl").lines]
    assert starts == [47]
    assert len(run("records", good, "--live", "--jsonl").lines) == 4


@pytest.mark.parametrize("at", ["30", "0x1e", "3_0"])
def test_from_takes_decimal_and_hexadecimal(run: Run, good: str, at: str) -> None:
    assert run("records", good, "--from", at, "--jsonl").lines[0]["start"] == 30


def test_a_filter_that_the_format_does_not_know_is_refused(run: Run, good: str) -> None:
    for option in (("--scid", "1x1x1"), ("--node", "02"), ("--flag", "x"), ("--text",), ("--to", "9")):
        ran = run("records", good, *option)
        assert (ran.code, ran.out) == (2, ""), option
        assert f"tiny does not understand {option[0]}" in ran.err


def test_a_kind_that_does_not_exist_gets_a_suggestion(run: Run, good: str) -> None:
    ran = run("records", good, "--kind", "nme")
    assert ran.code == 2
    assert ran.err == "inspector: tiny has no kind nme\n  did you mean name?\n"


def test_styles_exclude_each_other(run: Run, good: str) -> None:
    assert run("records", good, "--csv", "--jsonl").code == 2


def test_a_member_of_a_single_file_does_not_exist(run: Run, good: str, tmp_path: Path) -> None:
    assert run("records", good, "--member", "x").code == 2
