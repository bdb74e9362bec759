from __future__ import annotations

import pytest

from tests.cli.conftest import HELLO, Run


@pytest.mark.parametrize("offset", ["30", "0x1e", "40"])
def test_the_record_at_a_byte_is_shown_field_by_field(run: Run, good: str, offset: str) -> None:
    ran = run("show", good, offset)
    assert ran.code == 0
    assert "text hello world: ok" in ran.out
    assert "30 (0x1e) to 47 (0x2f), 17 bytes" in ran.out
    assert "  d    0x24    11  body" in ran.out
    assert "00000020" in ran.out
    assert "hello world" in ran.out


def test_which_convention_matched_is_said(run: Run, good: str) -> None:
    assert "matched: a record starts here" in run("show", good, "30").out
    assert "matched: a record holds this byte" in run("show", good, "31").out


def test_damaged_bytes_show_their_finding_and_exit_3(run: Run, bad: str) -> None:
    ran = run("show", bad, "40")
    assert ran.code == 3
    assert "error TNY001 checksum-mismatch" in ran.out


def test_letters_under_the_bytes_belong_to_the_fields(run: Run, good: str) -> None:
    out = run("show", good, "30").out.splitlines()
    at = next(i for i, line in enumerate(out) if "00000010" in line)
    assert out[at].index("02 0b") == out[at + 1].index("aa bb")


def test_the_document_holds_the_bytes_and_values(run: Run, good: str) -> None:
    document = run("show", good, "30", "--json").document
    assert (document["start"], document["end"]) == HELLO
    assert bytes.fromhex(document["data"]).endswith(b"hello world")
    assert document["fields"][1] == {
        "name": "length",
        "start": 31,
        "end": 32,
        "value": 11,
        "text": "11",
        "meaning": "bytes of the body",
        "privacy": "public",
    }


def test_a_byte_past_the_end_is_refused(run: Run, good: str) -> None:
    ran = run("show", good, "9999")
    assert ran.code == 2
    assert "good.tiny has 72 bytes" in ran.err


def test_an_item_is_found_by_its_id(run: Run, good: str) -> None:
    assert "snap: thing" in run("show", good, "snap").out
    assert run("show", good, "snap", "--json").document["item"]["parent"] == "vol1"
    assert run("show", good, "nothing").code == 2


def test_bytes_limits_the_dump_and_says_so(run: Run, good: str) -> None:
    out = run("show", good, "30", "--bytes", "4").out
    assert "13 bytes more; --bytes shows more" in out


def test_an_offset_as_gossipd_prints_it_is_one(run: Run, good: str) -> None:
    assert run("show", good, "5/300").out == run("show", good, "5").out


def test_a_line_of_a_log_is_sent_to_explain(run: Run, good: str) -> None:
    ran = run("show", good, "get delete entry offset 5/300")
    assert ran.code == 2
    assert f"inspector explain LINE --store {good}" in ran.err
