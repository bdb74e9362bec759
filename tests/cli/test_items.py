from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from inspector.format import Item
from inspector.render.item_words import item_lines
from inspector.render.plain import write
from tests.cli.conftest import GOOD, Run


class Sheet:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> int:
        self.lines.append(text)
        return len(text)


def drawn(*items: Item, width: int | None = None) -> list[str]:
    sheet = Sheet()
    write(item_lines(iter(items), True, width), sheet, 80)
    return [line.rstrip() for line in sheet.lines]


def test_children_stand_below_their_parents(run: Run, good: str) -> None:
    assert run("items", good).out.splitlines() == [
        "vol1  thing  size=10",
        "└ snap  thing  size=15",
        "  └ leaf  thing  size=15",
    ]


def test_a_child_that_comes_before_its_parent_still_stands_below_it() -> None:
    assert drawn(Item("b", "x", "a"), Item("c", "x", "a"), Item("a", "x")) == ["a  x", "├ b  x", "└ c  x"]


def test_a_circle_of_parents_ends_and_is_named() -> None:
    assert drawn(Item("a", "x", "b"), Item("b", "x", "a")) == ["a  x  of b (a circle)", "b  x  of a (a circle)"]


def test_an_item_that_is_its_own_parent_and_a_lost_parent_are_shown_once() -> None:
    assert drawn(Item("a", "x", "a"), Item("b", "x", "gone")) == ["b  x  of gone", "a  x  of a (a circle)"]


def test_a_chain_of_ten_thousand_parents_is_no_recursion() -> None:
    chain = [Item("0", "x"), *(Item(str(i), "x", str(i - 1)) for i in range(1, 10_000))]
    assert len(drawn(*chain)) == 10_000


def test_what_is_known_of_an_item_goes_on_below_it_and_beside_the_tree() -> None:
    told = {f"field-{n}": "x" * 12 for n in range(4)}
    lines = drawn(Item("top", "x"), Item("a", "x", "top", told), Item("b", "x", "a", told), width=44)
    assert lines == [
        "top x",
        "└ a x field-0=xxxxxxxxxxxx",
        "  │   field-1=xxxxxxxxxxxx",
        "  │   field-2=xxxxxxxxxxxx",
        "  │   field-3=xxxxxxxxxxxx",
        "  └ b x field-0=xxxxxxxxxxxx",
        "        field-1=xxxxxxxxxxxx",
        "        field-2=xxxxxxxxxxxx",
        "        field-3=xxxxxxxxxxxx",
    ]


def test_no_depth_of_parents_makes_a_line_wider_than_the_terminal() -> None:
    told = {"path": "é" * 60}
    chain = [Item("0", "x"), *(Item(str(i), "x", str(i - 1), told) for i in range(1, 300))]
    lines = drawn(*chain, width=60)
    assert max(map(len, lines)) <= 60
    assert "".join(re.sub("[│└ ]", "", line) for line in lines[-12:]).endswith("é" * 60)


def test_items_as_json_and_lines(run: Run, good: str) -> None:
    document = run("items", good, "--json").document
    assert [i["id"] for i in document["items"]] == ["vol1", "snap", "leaf"]
    assert run("items", good, "--jsonl").lines == document["items"]


def test_checksums_are_refused_where_the_format_has_none(run: Run, good: str) -> None:
    assert run("items", good, "--checksums").code == 2


def test_an_item_is_extracted_with_its_hole(run: Run, good: str, tmp_path: Path) -> None:
    ran = run("extract", good, "leaf", "-o", "out.raw", "--json")
    assert ran.code == 0
    assert (tmp_path / "out.raw").read_bytes() == bytes(8) + GOOD[57:72]
    assert stat.S_IMODE((tmp_path / "out.raw").stat().st_mode) == 0o600
    assert ran.document["proof"] == {"sealed": 15, "derived": 8, "placed": 0, "none": 0}
    assert ran.document["map"] is None
    assert not (tmp_path / "out.raw.map").exists()


def test_unknown_ranges_are_listed_mapped_and_exit_4(run: Run, tmp_path: Path) -> None:
    data = bytearray(GOOD)
    data[GOOD.index(b"vol1")] ^= 0x20
    (tmp_path / "x.tiny").write_bytes(data)
    ran = run("extract", "x.tiny", "Vol1", "-o", "out.raw", "--json")
    assert ran.code == 4
    assert ran.document["unknown"] == [{"start": 8, "end": 18, "why": "its checksum is bad"}]
    assert (tmp_path / "out.raw").read_bytes() == bytes(18)
    lines = (tmp_path / "out.raw.map").read_text().splitlines()
    assert lines[-2:] == ["0x00000000  0x00000008  +", "0x00000008  0x0000000A  -"]
    assert lines[2].split() == ["0x00000012", "+", "1"]


def test_extract_never_writes_over_anything_unasked(run: Run, good: str, tmp_path: Path) -> None:
    (tmp_path / "out.raw").write_text("mine")
    assert run("extract", good, "leaf", "-o", "out.raw").code == 7
    assert (tmp_path / "out.raw").read_text() == "mine"
    assert run("extract", good, "leaf", "-o", "good.tiny", "--force").code == 7
    os.link(tmp_path / good, tmp_path / "alias")
    assert run("extract", good, "leaf", "-o", "alias", "--force").code == 7
    assert run("extract", good, "leaf", "-o", "out.raw", "--force").code == 0


def test_an_item_that_does_not_exist_gets_a_suggestion(run: Run, good: str) -> None:
    ran = run("extract", good, "leav", "-o", "out.raw")
    assert ran.code == 2
    assert "did you mean leaf?" in ran.err
