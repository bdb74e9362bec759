"""ddrescue mapfiles: what was never read is unknown, not zero."""

from __future__ import annotations

from array import array
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from inspector import mapfile
from inspector.errors import Exit, UsageError
from inspector.search import Area
from inspector.source import MemorySource
from inspector.span import Span
from tests.builders.gossip import healthy
from tests.carve.devices import run

HEAD = (
    b"# Mapfile. Created by GNU ddrescue version 1.27\n# current_pos  current_status  current_pass\n0x2000     +    1\n"
)


def of(data: bytes, *blocks: tuple[int, int, str]) -> mapfile.Rescued:
    text = HEAD + b"#      pos        size  status\n"
    text += b"".join(f"0x{a:08X}  0x{n:08X}  {s}\n".encode() for a, n, s in blocks)
    return mapfile.Rescued(MemorySource(data), *mapfile.parse(text, "disk.map"))


def test_only_what_was_read_is_known() -> None:
    source = of(b"\xff" * 40, (0, 8, "+"), (8, 8, "-"), (16, 4, "+"), (20, 4, "+"), (24, 8, "?"))
    assert source.unknown == 8 + 8 + 8  # and what the map does not speak of
    assert source.read(0, 40) == b"\xff" * 8 + bytes(8) + b"\xff" * 8 + bytes(16)
    assert source.unreadable == [Span(8, 16), Span(24, 40)]
    source.read(10, 20)
    assert source.unreadable == [Span(8, 16), Span(24, 40)]  # once, however often they are asked for
    assert source.failed == 0
    assert Area.of(source).islands == [Span(0, 8), Span(16, 24)]
    assert source.read(17, 3) == b"\xff" * 3


def test_any_read_has_zeroes_where_no_range_is_known_and_tells_what_it_met() -> None:
    """Of maps with few and with thousands of ranges, within one block and over several, also behind the end."""
    rng, data = Random(5), bytes(range(1, 251)) * 800
    for most in (9, 900, 60_000):
        at, known = 0, []
        while at < len(data) + 1000:
            size = rng.randrange(1, most)
            known.append((at, at + size))
            at += size + rng.randrange(1, most)
        starts, ends = (array("Q", column) for column in zip(*known, strict=True))
        view, met = mapfile.Rescued(MemorySource(data), starts, ends), bytearray(len(data))
        expected = bytearray(len(data))
        for start, end in known:
            expected[start:end] = data[start:end]
        for _ in range(60):
            low = rng.randrange(len(data))
            high = min(len(data), low + rng.choice((1, 40, 3000, len(data))))
            assert view.read(low, high - low) == expected[low:high]
            for (_, end), (start, _) in pairwise([(0, 0), *known, (1 << 40, 0)]):
                if end < high and start > low:
                    met[end:start] = b"\1" * (min(start, len(data)) - end)
        told = bytearray(len(data))
        for span in view.unreadable:
            told[span.start : span.end] = b"\1" * span.length
        assert told == met[: len(data)]
        assert (view.unknown, view.failed) == (expected.count(0), 0)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# nothing\n",
        b"0x0 0x10 +\n",
        HEAD + b"0x0 0x10 x\n",
        HEAD + b"0x0 -1 +\n",
        HEAD + b"0x0 ten +\n",
        HEAD + b"0x0 0x10 + +\n",
        HEAD + b"0x10 0x10 +\n0x0 0x10 +\n",
        HEAD + b"0xFFFFFFFFFFFFFFFF 0x10 +\n",
        b"\x00\xff" * 100,
    ],
)
def test_what_is_no_mapfile_is_refused(text: bytes) -> None:
    with pytest.raises(UsageError):
        mapfile.parse(text, "disk.map")


def test_a_written_map_reads_as_what_was_written() -> None:
    text = "".join(mapfile.lines(iter([(0, 5, "?"), (5, 9, "+"), (9, 12, "+"), (12, 20, "-"), (20, 21, "+")])))
    starts, ends = mapfile.parse(text.encode(), "made.map")
    assert list(zip(starts, ends, strict=True)) == [(5, 12), (20, 21)]


def test_nothing_is_found_in_or_across_what_was_never_read(tmp_path: Path) -> None:
    store = healthy(16, 30_000, seed=2)
    whole = run(store, tmp_path)
    border = whole.spans[40].start + 5
    done = run(of(store, (0, border, "+"), (border, 3, "-"), (border + 3, len(store), "+")), tmp_path)
    assert done.code is Exit.LOST
    assert {s.start for s in whole.spans} - {s.start for s in done.spans} == {whole.spans[40].start}
    assert done.carved.unknown == 3
    assert not done.carved.unreadable
