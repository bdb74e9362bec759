"""Stretches of a log that are read at once say what each piece says alone, and what a MANIFEST says is judged once."""

from __future__ import annotations

import random
from array import array
from pathlib import Path

import pytest

from inspector import formats
from inspector.format import Wishes
from inspector.formats.rocksdb import batch, edit, keys, log, logical, version
from inspector.formats.rocksdb.log_writer import frame
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders import rocksdb
from tests.builders.bomb_claims import record


def mixed(seed: int) -> bytes:
    """Blocks of records of all kinds, some of them wrong, some followed by the zeroes of a block's end."""
    chance, out = random.Random(seed), bytearray()
    while len(out) < 6 * log.BLOCK:
        room = log.BLOCK - len(out) % log.BLOCK
        body = bytes(chance.randrange(256) for _ in range(chance.choice((0, 1, 9, 40))))
        one = bytearray(record(chance.choice((1, 1, 1, 1, 2, 3, 4)), body))
        if len(one) > room:
            out += bytes(room)
            continue
        if chance.random() < 0.002:
            one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
        out += one
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_batches_are_the_pieces_that_a_block_holds_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = mixed(seed)

    def pieces() -> list[log.Piece]:
        return list(log.LogReader(lambda at, n: data[at : at + n], len(data)).pieces())

    together = pieces()
    assert len(together) > 5_000
    records = [(r.fate, r.spans) for r in logical.Assembler().records(together)]
    monkeypatch.setattr(log, "log_sound", lambda block, base, number: (array("Q"), b"", array("I"), 0))
    alone = pieces()
    assert together == alone
    assert records == [(r.fate, r.spans) for r in logical.Assembler().records(alone)]


def test_an_edit_that_makes_no_sense_is_still_found_behind_thousands_that_do(tmp_path: Path) -> None:
    sound = [edit.encode(edit.Edit(log_number=3, next_file=9, last_sequence=i)) for i in range(5_000)]
    path = tmp_path / "MANIFEST-000005"
    path.write_bytes(rocksdb.log_of([*sound[:4_000], b"\xff\xff\xff\xff\xff\xff", *sound[4_000:]]))
    with open_source(str(path)) as source:
        report = inspect(source, formats.all_formats(), Wishes())
    assert report.account.damaged == 1
    assert [code for code, _ in report.tally.counts] == ["RDB028"]


def test_records_that_say_nothing_are_counted_as_edits() -> None:
    data = rocksdb.log_of([edit.encode(edit.Edit(next_file=9)), *[b""] * 20_000])
    found = version.replay(lambda at, n: data[at : at + n], len(data))
    assert (found.edits, found.next_file, found.replayed) == (20_001, 9, len(data))


@pytest.mark.parametrize("broken", [0, 8])
def test_a_small_max_unit_says_the_same_of_records_of_one_piece_whoever_reads_them(broken: int, tmp_path: Path) -> None:
    """Behind damage they are read one by one, before it at once; both look at a piece as a whole."""
    data = bytearray()
    for i in range(9):
        data += frame(batch.encode(1 + i, [(0, keys.PUT, b"k%d" % i, bytes(3_000))]), len(data))
    data[3_040 * broken + 100] ^= 0x55
    data[3_040 * broken + 900] ^= 0x55
    (tmp_path / "000004.log").write_bytes(data)
    with open_source(str(tmp_path / "000004.log")) as source:
        small = inspect(source, formats.all_formats(), Wishes(max_unit=1_000))
        usual = inspect(source, formats.all_formats(), Wishes())
    assert small.account.damaged == usual.account.damaged == 1
    assert small.tally.counts == usual.tally.counts
    assert small.state.facts[""].operations == 8
