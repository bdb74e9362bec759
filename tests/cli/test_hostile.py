"""Text from a file that wants to be more than text, through every command and renderer."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest

from inspector.sanitize import clean, clean_bytes, csv_cell
from tests.cli.conftest import Run
from tests.cli.tiny_format import NAME, TEXT, record, store

HOSTILE = {
    "clear screen": b"\x1b[2J\x1b[H",
    "window title": b"\x1b]0;owned\x07",
    "link": b"\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": b"\x1b]52;c;cm0gLXJmIC8=\x07",
    "device control": b"\x1bP0;1|17/ab\x1b\\",
    "eight-bit controls": "\u009b2J\u009d0;owned\u009c\u0090".encode(),
    "bidirectional": "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c".encode(),
    "zero width and tags": "a\u200b\u200d\u2060\ufeff\U000e0041".encode(),
    "closing markup": b"[/foo]",
    "markup link": b"[link=file:///etc/passwd]x[/link] [bold red]x[/]",
    "lines": b"first\nsecond\r\nthird\x0b\x0c\x85\xe2\x80\xa8\xe2\x80\xa9fourth",
    "nul and bell": b"\x00\x07\x08\x7f",
    "formula": b'=HYPERLINK("http://x","y")',
    "formulas": b"+1+1 @SUM(1)",
    "wide formula": "＝1+1".encode(),
    "very long": b"\x1b[31m" * 40,
    "not utf-8": b"\xff\xfe\xc0\x80\xed\xa0\x80",
    "wide and combining": "\u4e16\u754ce\u0301\U0001f600".encode(),
    "quotes": b"\"',;`$(id)\\",
    "format string": b"%s %n {0} {path} {}",
}

# what an ordinary line may hold besides letters: the end of line, and nothing that a terminal obeys
ACTIVE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def active(text: str) -> set[str]:
    return {repr(c) for c in text if c != "\n" and unicodedata.category(c) in ACTIVE}


@pytest.fixture(params=HOSTILE, ids=lambda name: name.replace(" ", "-"))
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    """A sound store and a damaged one whose every text is hostile."""
    text: bytes = HOSTILE[request.param]
    data = store(record(NAME, text), record(TEXT, text), record(NAME, b"child/" + text))
    (tmp_path / "h.tiny").write_bytes(data)
    (tmp_path / "d.tiny").write_bytes(data + bytes([TEXT, len(text), 0, 0, 0, 0]) + text)
    return text


COMMANDS = [
    ("scan", "d.tiny"),
    ("scan", "d.tiny", "--json"),
    ("scan", "d.tiny", "--jsonl"),
    ("records", "d.tiny"),
    ("records", "d.tiny", "--jsonl"),
    ("records", "d.tiny", "--csv"),
    ("records", "d.tiny", "--dump"),
    ("show", "d.tiny", "5"),
    ("show", "d.tiny", "5", "--json"),
    ("items", "h.tiny"),
    ("items", "h.tiny", "--json"),
    ("items", "h.tiny", "--jsonl"),
    ("show", "h.tiny", "child"),
    ("repair", "d.tiny", "--dry-run"),
    ("repair", "d.tiny", "--dry-run", "--json"),
    ("extract", "h.tiny", "no such item", "-o", "x"),
]


def test_nothing_active_comes_out_of_any_command(run: Run, hostile: bytes) -> None:
    for arguments in COMMANDS:
        ran = run(*arguments)
        assert ran.code in (0, 2, 3), arguments
        assert active(ran.out) == set(), arguments
        assert active(ran.err) == set(), arguments


def test_in_colour_only_our_own_colours_come_out(run: Run, hostile: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    for arguments in COMMANDS:
        out = run(*arguments).out
        assert active(re.sub(r"\x1b\[[0-9;]*m", "", out)) == set(), arguments
        if arguments == ("scan", "d.tiny"):
            assert "\x1b[1m" in out


def test_each_record_stays_one_line(run: Run, hostile: bytes) -> None:
    assert len(run("records", "h.tiny").out.splitlines()) == 4
    assert len(run("records", "h.tiny", "--jsonl").out.split("\n")) == 4
    assert len(run("records", "h.tiny", "--csv").out.splitlines()) == 4


def test_json_gives_the_text_back_exactly(run: Run, hostile: bytes) -> None:
    line = run("records", "h.tiny", "--jsonl").out.splitlines()[1]
    text = json.loads(line)["fields"]["text"]
    assert text == hostile.decode("utf-8", "surrogateescape").encode("utf-8", "surrogateescape").decode(
        "utf-8", "backslashreplace"
    )


def test_no_cell_is_a_formula(run: Run, hostile: bytes) -> None:
    for row in csv.reader(io.StringIO(run("records", "h.tiny", "--csv").out)):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in row)


@pytest.mark.parametrize("text", [b"=1+1", b"+1", b"@x", "\uff1d1".encode(), b"-x"])
def test_a_cell_that_begins_like_a_formula_is_quoted(text: bytes) -> None:
    assert csv_cell(text.decode()).startswith("'")
    assert csv_cell("-12.5") == "-12.5"


def test_a_megabyte_of_hostile_text_is_cut_where_it_is_shown() -> None:
    assert active(clean("\x1b]52;c;" * 100_000)) == set()
    assert len(clean("x" * 1_000_000)) == 200
    assert len(clean_bytes(b"\xff" * 1_000_000)) == 200


@pytest.mark.parametrize("name", ["\x1b[2Jx.tiny", "\u202ex.tiny", "[bold]x[bold].tiny", "a\nb.tiny", "\udcff.tiny"])
def test_names_of_files_are_made_safe_too(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(store(record(TEXT, b"x"))[:-1])
    for arguments in (("scan", name), ("scan", name, "--json"), ("scan", "."), ("scan", name + "missing")):
        ran = run(*arguments)
        assert ran.code in (3, 6), arguments
        assert active(ran.out) == active(ran.err) == set()
