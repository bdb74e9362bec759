"""A search that ends before everything was tried says so where it would else say that nothing is there."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from inspector.formats import all_formats
from inspector.formats.rocksdb import guess, patch
from inspector.formats.rocksdb.carve import Context, Found
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.table import Table
from inspector.inspect import inspect
from inspector.source import MemorySource

SAMPLES = Path(__file__).parents[3] / "samples" / "rocksdb"
TABLE = (SAMPLES / "clean-v7.sst").read_bytes()
NOISE = Random(1).randbytes(100_000)


def told(data: bytes) -> list[str]:
    """What is said of parts of a table in which no block verifies."""
    report = inspect(MemorySource(data, "000007.sst"), all_formats(), forced="rocksdb")
    return [f.message for f in report.tally.findings() if f.rule.code == "RDB009"]


def guessed(data: bytes) -> Context | str:
    return guess.guess_context(lambda at, n: data[at : at + n], len(data), leveldb=False)


def test_a_search_for_the_checksum_type_that_cost_too_much_says_how_far_it_came() -> None:
    words = guessed(NOISE)
    assert isinstance(words, str)
    found = re.fullmatch(r"(\d+) of (\d+) trials for its checksum type were made before they cost too much", words)
    assert found
    made, trials = map(int, found.groups())
    assert 0 < made < trials
    assert told(NOISE) == [f"unread of 100000 bytes: keys after ? up to ?; {words}"]


@pytest.mark.parametrize(
    ("size", "where"),
    [(3000, "all of it"), (20_000_000, r"256 KiB at 6 places, the last of them 16,777,216")],
)
def test_a_search_that_was_made_to_its_end_says_where_it_looked(size: int, where: str) -> None:
    words = guessed(bytes(size))
    assert isinstance(words, str)
    assert re.fullmatch(
        rf"\d+ trials for its checksum type found no block(, some of them given up)?; they look into {where}", words
    )
    assert told(bytes(size - 1) + b"\x01")[0].split("; ", 1)[1].startswith(words.split(" ")[0])


def test_a_trial_that_ended_early_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess, "_GUESS", 1)
    words = guessed(bytes(20_000))
    assert isinstance(words, str)
    assert ", some of them given up;" in words


def test_a_table_whose_blocks_are_found_says_nothing_of_the_search() -> None:
    cut = TABLE[:-60]  # its footer and a little more
    assert isinstance(guessed(cut), Context)
    assert not any("trials" in message for message in told(cut))
    hole = TABLE[:200] + bytes(300) + TABLE[500:]
    assert not any("trials" in message or "given up" in message for message in told(hole))


def test_a_gap_whose_search_was_given_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = patch._carve

    def given_up(table: Table, start: int, end: int) -> list[Found]:
        return [f if f.size is not None else Found(f.offset, f.end, None, 0, False) for f in real(table, start, end)]

    cut = TABLE[:100] + Random(2).randbytes(600) + TABLE[700:-60]
    before = told(cut)
    assert before
    assert "given up" not in " ".join(before)
    monkeypatch.setattr(patch, "_carve", given_up)
    assert told(cut) == [f"{m}; the search for blocks in it was given up, because it cost too much" for m in before]


def test_what_is_carried_over_unread_is_named_in_words() -> None:
    table = open_table(lambda at, n: NOISE[at : at + n], len(NOISE))
    assert table.declined == "no table as far as it was looked into (no block verifies)"
    assert not table.foreign  # which says that its kind is not read
