"""`inspector explain` of log lines: one line, a whole log, with a store at hand."""

from __future__ import annotations

import io

import jsonschema
import pytest

from tests.cli.conftest import Run

LINE = "gossip_store: get delete entry offset 41434415/5949 (version v24.02.2)"


def test_a_line_is_explained_with_its_offset_its_size_and_what_to_run(run: Run) -> None:
    ran = run("explain", LINE)
    told = " ".join(ran.out.split())
    assert ran.code == 0
    assert "41434415 is the offset of a record's header" in told
    assert "its map was of an older, longer file than the one it wrote" in told
    assert "ElementsProject/lightning#7249" in told
    assert "inspector show STORE 41434415" in told


def test_a_line_is_printed_as_a_document_that_holds_to_its_schema(run: Run) -> None:
    document = run("explain", LINE, "--json").document
    jsonschema.validate(document, run("schema", "explain-log").document)
    assert document["lines"][0]["values"] == {"at": "41434415", "size": "5949"}


def test_an_unknown_line_is_said_to_be_unknown(run: Run) -> None:
    ran = run("explain", "the quick brown fox")
    assert (ran.code, ran.out) == (2, "")
    assert "no known message" in ran.err


def test_a_rule_is_explained_as_before(run: Run) -> None:
    assert run("explain", "TNY001").out.startswith("TNY001 checksum-mismatch")
    assert run("explain", "checksum-mismatch").code == 0
    assert run("explain", "TNY009").code == 2
    assert run("explain", "TNY001", "--store", "x").code == 2


def test_a_whole_log_is_grouped_by_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ("noise\n" * 10 + f"2024-05-31T16:18:07.001Z **BROKEN** gossipd: {LINE}\n") * 7
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(log.encode())))
    told = run("explain", "-").out
    assert "cln-delete-entry (gossipd), 7 times" in told
    assert told.count("In this store") == 0
    assert "line 11:" in told


def test_a_log_without_a_known_message_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\nc")))
    ran = run("explain", "-")
    assert (ran.code, ran.out) == (0, "no known message in 3 lines\n")


def test_a_redacted_line_shows_no_name(run: Run) -> None:
    line = (
        "[2024-12-01 10:00:00.0] lvol.c:1154:lvs_verify_lvol_name: *ERROR*: lvol with name sesame-street already exists"
    )
    assert "sesame" in run("explain", line).out
    ran = run("explain", line, "--redact")
    assert ran.code == 0
    assert "sesame" not in ran.out
    assert "volume-1" in ran.out
