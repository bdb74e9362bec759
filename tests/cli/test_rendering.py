"""The layout of words, the map, the dump: one engine for terminals and pipes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.cli.progress import line
from inspector.field import Field
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.merge import merge
from inspector.render.damage_map import Slice, damage_map
from inspector.render.hexdump import hexdump
from inspector.render.merge_words import merge_blocks
from inspector.render.record_lines import cut, field_words
from inspector.render.text import (
    Block,
    Column,
    Heading,
    Table,
    cells,
    fraction_words,
    lay,
    para,
    quoted,
    row,
    size_words,
)
from inspector.source import open_source

SAMPLES = Path(__file__).parents[2] / "samples"


def drawn(*blocks: Block, width: int = 40) -> list[str]:
    return ["".join(text for text, _ in parts).rstrip() for parts in lay(blocks, width)]


def test_a_paragraph_is_filled_and_hangs() -> None:
    assert drawn(para("aaa bbb ccc ddd", indent=1, hang=2), width=9) == [" aaa bbb", "   ccc", "   ddd"]


def test_styles_do_not_break_words() -> None:
    assert drawn(para(("error", "bad"), ": ", ("x", "strong"), "y z"), width=40) == ["error: xy z"]


def test_a_word_wider_than_the_line_is_cut() -> None:
    assert drawn(para("a" * 25), width=10) == ["a" * 10, "a" * 10, "a" * 5]


def test_wide_characters_take_two_columns() -> None:
    assert cells("世界e\u0301") == 5
    assert all(cells(text) <= 11 for text in drawn(para("世界" * 20), width=11))


def test_columns_wrap_until_the_row_fits() -> None:
    table = Table((Column("n", right=True), Column("words", wrap=True)), [row(1000, "one two three four")], indent=0)
    assert drawn(table, width=16) == ["    n  words", "1,000  one two", "       three", "       four"]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers(41, 140))
def test_no_text_makes_a_line_too_wide_or_a_second_one(texts: list[str], width: int) -> None:
    table = Table(tuple(Column("", wrap=True) for _ in texts), [row(*texts)])
    for parts in lay([para(*texts, indent=2, hang=2), Heading(texts[0], texts[-1]), table], width):
        text = "".join(t for t, _ in parts)
        assert "\n" not in text
        assert "\x1b" not in text
        assert cells(text.rstrip()) <= width


def test_what_a_heading_says_besides_is_wrapped_where_it_is_too_long() -> None:
    assert drawn(Heading("Found", "8 of one kind"), width=20) == ["", "Found  8 of one kind"]
    assert drawn(Heading("Found", "8 of one kind"), width=18) == ["", "Found 8 of one", "  kind"]


def test_copies_with_long_names_leave_room_for_what_is_said_of_them(tmp_path: Path) -> None:
    """As two copies of a node's store are named: by folders, dates and the machine they come from."""
    folder = tmp_path / "a-machine-with-a-name" / "2026-01-31-before-the-update"
    folder.mkdir(parents=True)
    for name in ("zeroed-hole", "clean-v16"):
        shutil.copy2(SAMPLES / "gossip_store" / f"{name}.gossip_store", folder)
    copies = [str(path) for path in sorted(folder.iterdir())]
    result = merge([open_source(name) for name in copies], all_formats(), None, Wishes())
    lines = drawn(*merge_blocks(result), width=80)
    table = lines[lines.index("Copies  the newest first") :]
    table = table[: table.index("", 1)]
    assert len(table) > 3
    assert max(map(cells, table)) <= 80


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (576.39, "576.39"),
        (80.0, "80"),
        (12.585225, "12.59"),
        (0.090427, "0.09"),
        (2.7e-07, "2.7e-07"),
        (0.0, "0"),
        (12345.5, "12,345.5"),
    ],
)
def test_fractions_are_told_without_an_exponent_unless_they_are_chances(value: float, told: str) -> None:
    assert fraction_words(value) == told


def test_sizes_are_exact_and_rounded() -> None:
    assert size_words(1) == "1 byte"
    assert size_words(2_000_003) == "2,000,003 bytes (1.9 MiB)"
    assert size_words(33_531_935_762) == "33,531,935,762 bytes (31.2 GiB)"


def test_paths_are_quoted_for_a_shell() -> None:
    assert [quoted(p) for p in ("a", "a b", "-x", "-")] == ["a", "'a b'", "./-x", "-"]


def mapped(*slices: Slice, width: int = 80, utf8: bool = True) -> list[str]:
    return drawn(*damage_map(slices, width, utf8), width=200)


LIVE, DELETED, DAMAGED, LOST, NONE = (9, 0, 0, 0), (0, 9, 0, 0), (9, 0, 1, 0), (999, 0, 0, 1), (0, 0, 0, 0)


def test_the_map_shows_every_state_and_explains_those_it_shows() -> None:
    assert mapped(LIVE, DELETED, DAMAGED, NONE, LOST) == [
        "  │█░x !│",
        "   █ live   ░ deleted   x damaged   ! lost",
    ]
    assert mapped(LIVE, LIVE)[1] == "   █ live"


def test_the_map_has_signs_without_utf8() -> None:
    assert mapped(LIVE, DELETED, DAMAGED, LOST, utf8=False)[0][3:7] == "#.x!"


@pytest.mark.parametrize("at", range(0, 1000, 37))
def test_one_lost_byte_shows_however_narrow_the_map_is(at: int) -> None:
    slices: list[Slice] = [LIVE] * 1000
    slices[at] = LOST
    drawn_map = mapped(*slices, width=10)[0]
    assert drawn_map.count("!") == 1
    assert drawn_map.index("!") - 3 == at * 10 // 1000


def test_a_source_without_units_has_no_map() -> None:
    assert damage_map([], 80, True) == []
    assert damage_map([NONE], 80, True) == []


def dumped(data: bytes, base: int, *fields: Field, marks: bool = True) -> list[str]:
    return drawn(*hexdump(data, base, fields, marks), width=120)


def test_the_dump_starts_where_the_record_starts() -> None:
    first, second = dumped(b"AB\x00\xff", 0x1E)
    assert first == "  00000010" + " " * 45 + "41 42" + " " * 16 + "AB"
    assert second.startswith("  00000020  00 ff")


def test_each_byte_stands_over_its_fields_letter() -> None:
    fields = (Field("x", 16, 18, 0, "0"), Field("y", 18, 21, 0, "0"))
    lines = dumped(bytes(range(6)), 16, *fields)
    assert lines[0].startswith("  00000010  00 01 02 03 04 05")
    assert lines[1] == "            aa aa bb bb bb"


def test_fields_outside_the_dumped_bytes_are_no_error() -> None:
    assert dumped(b"\x00", 5, Field("x", 0, 3, 0, ""), Field("y", 5, 1 << 40, 0, ""))[1].strip() == "bb"


def test_offsets_past_four_gigabytes_keep_their_digits() -> None:
    assert dumped(b"\x00", 1 << 40)[0].startswith("  10000000000  00")


def test_field_words_put_first_what_the_owner_looks_for() -> None:
    fields = {"crc": "ff", "signature": "a" * 128, "scid": "1x1x1", "empty": None, "flags": ["A", "B"], "none": []}
    assert field_words(fields, ["scid"]) == "scid=1x1x1 crc=ff flags=A,B signature=aaaaaaaaaaaa…"


def test_a_row_is_cut_by_columns_not_characters() -> None:
    assert cut("世界世界", 5) == "世界…"
    assert cut("abc", 3) == "abc"


def test_progress_says_share_rate_and_time_left() -> None:
    assert line("x", 50_000_000, 200_000_000, 2.0) == "x  50.0 MB of 200 MB  25 %  25.0 MB/s  0:00:06 left"
    assert line("x", 999, 0, 0.0) == "x  999 B  0 B/s"
