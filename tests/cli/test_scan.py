from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.conftest import GOOD, HELLO, Run


def test_a_sound_store_is_clean(run: Run, good: str) -> None:
    ran = run("scan", good)
    assert ran.code == 0
    assert ran.out.startswith("good.tiny: clean\n")
    assert ran.err == ""


def test_a_flipped_bit_is_named_with_its_place_cause_and_next_command(run: Run, bad: str) -> None:
    ran = run("scan", bad)
    assert ran.code == 3
    assert "bad.tiny: damaged (1 error)" in ran.out
    assert "error TNY001 checksum-mismatch" in ran.out
    assert "30 (0x1e), 17 bytes: the body iello world is not what was written" in ran.out
    assert "cause: bit-flip (possible), one bit; salvage: lost" in ran.out
    assert re.search(r"evidence: stored \d+ \(0x[0-9a-f]+\), computed \d+ \(0x[0-9a-f]+\)", ran.out)
    assert "inspector repair bad.tiny -o bad.tiny.repaired" in ran.out


def test_plain_words_come_before_every_table(run: Run, bad: str) -> None:
    out = run("scan", bad).out
    assert out.index("1 things are wrong.") < out.index("Records") < out.index("Findings") < out.index("Next")


def test_the_document_has_its_fields_in_the_order_of_the_design(run: Run, bad: str) -> None:
    document = run("scan", bad, "--json").document
    assert " ".join(document) == (
        "schema tool source format verdict diagnosis bytes records findings findings_total counts words loaders "
        "next next_why summary partial exit_code"
    )
    assert document["source"] == {"path": "bad.tiny", "kind": "file", "size": len(GOOD)}
    assert document["records"] == {"total": 5, "damaged": 1, "by_kind": {"name": 3, "text": 2}}
    assert document["bytes"] == {
        "total": len(GOOD), "frame": 5, "records": len(GOOD) - 5, "opaque": 0, "free": 0, "gaps": 0
    }  # fmt: skip
    [finding] = document["findings"]
    assert (finding["start"], finding["end"], finding["file"]) == (*HELLO, None)
    assert finding["evidence"]["stored"] != finding["evidence"]["computed"]
    assert document["exit_code"] == 3


def test_the_same_input_gives_the_same_bytes(run: Run, bad: str) -> None:
    assert run("scan", bad, "--json").out == run("scan", bad, "--json").out


def test_quiet_answers_with_the_exit_code_alone(run: Run, bad: str, good: str) -> None:
    assert (run("scan", "-q", bad).out, run("scan", "-q", bad).code) == ("", 3)
    assert (run("scan", "-q", good).out, run("scan", "-q", good).code) == ("", 0)


@pytest.mark.parametrize(
    ("fail_on", "torn_code", "note_code"), [("error", 0, 0), ("warning", 3, 0), ("note", 3, 3)], ids=str
)
def test_fail_on_says_what_counts(
    run: Run, torn: str, tmp_path: Path, fail_on: str, torn_code: int, note_code: int
) -> None:
    from tests.cli.tiny_format import TEXT, record, store

    (tmp_path / "odd.tiny").write_bytes(store(record(TEXT, b"")))
    assert run("scan", torn, "--fail-on", fail_on).code == torn_code
    assert run("scan", "odd.tiny", "--fail-on", fail_on).code == note_code


def test_several_inputs_get_one_document_with_each_ones_code(run: Run, good: str, bad: str) -> None:
    ran = run("scan", good, bad, "missing", "--json")
    assert ran.document["schema"] == "inspector/scans/1"
    assert [r["exit_code"] for r in ran.document["results"]] == [0, 3, 6]
    assert ran.document["results"][2]["error"]["message"] == "missing: No such file or directory"
    assert ran.code == ran.document["exit_code"] == 6
    assert ran.err == "inspector: missing: No such file or directory\n"


def test_jsonl_gives_a_line_per_input(run: Run, good: str, bad: str) -> None:
    assert [d["verdict"] for d in run("scan", good, bad, "--jsonl").lines] == ["clean", "damaged"]


def test_a_failed_input_still_gives_a_document(run: Run) -> None:
    ran = run("scan", "missing", "--json")
    assert (ran.code, ran.document["exit_code"], ran.document["source"]) == (6, 6, {"path": "missing"})


def test_a_folder_is_searched_for_stores_and_key_files_stay_closed(
    run: Run, tmp_path: Path, good: str, bad: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.tiny").write_bytes(GOOD)
    (tmp_path / "hsm_secret").write_bytes(b"never")
    (tmp_path / "hsm_secret").chmod(0)
    (tmp_path / "notes.txt").write_text("not a store")
    ran = run("scan", ".", "--json")
    assert [r["source"]["path"] for r in ran.document["results"]] == ["./bad.tiny", "./good.tiny", "./sub/more.tiny"]
    assert ran.document["comparisons"] == [
        {"path": ".", "format": "tiny", "words": ["3 stores; ./bad.tiny is the largest."]}
    ]
    assert "3 stores; ./bad.tiny is the largest." in run("scan", ".").out


def test_a_folder_without_stores_names_what_was_tried(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a store")
    ran = run("scan", ".")
    assert ran.code == 5
    assert "tiny  a folder is not a tiny store; files looked for: *.tiny" in ran.err


def test_a_folder_of_stores_given_to_a_command_for_one_store_says_how_to_name_one(run: Run, tmp_path: Path) -> None:
    from tests.cli.tiny_format import TEXT, record, store

    (tmp_path / "node 1").mkdir()
    (tmp_path / "node 1" / "x.tiny").write_bytes(store(record(TEXT, b"")))
    ran = run("records", "node 1")
    assert ran.code == 5
    assert ran.err.splitlines()[-1].strip().startswith("inspector scan 'node 1' tells the stores that lie in it")
    assert "node 1/x.tiny" in run("scan", "node 1").out


def test_an_unknown_file_says_why_each_format_declined(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"{}")
    ran = run("scan", "x")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.splitlines()[:2] == ["inspector: x: no known format: text", "  tiny  does not begin with TINY"]


def test_max_findings_limits_what_is_told_and_never_the_count(run: Run, tmp_path: Path) -> None:
    from tests.cli.tiny_format import TEXT, record, store

    (tmp_path / "many.tiny").write_bytes(store(*[record(TEXT, b"")] * 50))
    document = run("scan", "many.tiny", "--json", "--max-findings", "4").document
    assert (len(document["findings"]), document["findings_total"], document["counts"]) == (4, 50, {"TNY003": 50})
    starts = [f["start"] for f in document["findings"]]
    assert starts == [5, 11, 293, 299]
    text = run("scan", "many.tiny", "--max-findings", "4").out
    assert text.count("nothing in it") == 4
    assert "46 more of this rule" in text


def test_for_reaches_the_format(run: Run, bad: str) -> None:
    assert run("scan", bad, "--for", "v9", "--json").document["loaders"][0]["release"] == "v9"


def test_a_wish_that_no_format_knows_is_refused(run: Run, bad: str) -> None:
    for time in ("0", "1700000000", "2025-01-31T12:00:00Z"):
        ran = run("scan", bad, "--at", time)
        assert (ran.code, ran.out) == (2, "")
        assert "tiny does not understand --at" in ran.err
    assert "not a time: soon" in run("scan", bad, "--at", "soon").err


def test_the_next_command_can_be_pasted_whatever_the_name(run: Run, tmp_path: Path, bad: str) -> None:
    data = (tmp_path / bad).read_bytes()
    (tmp_path / "a b;rm.tiny").write_bytes(data)
    (tmp_path / "-x.tiny").write_bytes(data)
    assert "inspector repair 'a b;rm.tiny' -o 'a b;rm.tiny'.repaired" in run("scan", "a b;rm.tiny").out
    assert "inspector repair ./-x.tiny -o ./-x.tiny.repaired" in run("scan", "--", "-x.tiny").out


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_one_clear_line(run: Run, tmp_path: Path, good: str) -> None:
    (tmp_path / good).chmod(0)
    assert run("scan", good).code == 6
