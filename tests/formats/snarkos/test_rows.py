"""The joins keep their order and their rows when they no longer fit into memory."""

from __future__ import annotations

from random import Random

import pytest

from inspector.formats.snarkos import fixes as fixes_module
from inspector.formats.snarkos import rows as rows_module
from inspector.formats.snarkos.fixes import HELD, Fixes
from inspector.formats.snarkos.rows import NOWHERE, Places, Row, Sorter
from inspector.span import Span


@pytest.mark.parametrize("run_bytes", [1 << 30, 20_000, 700])
def test_groups_are_the_same_however_often_rows_were_spilled(run_bytes: int) -> None:
    rng = Random(5)
    sorter, truth = Sorter(4, run_bytes), dict[bytes, list[Row]]()
    for _ in range(6000):
        group, tag, payload = rng.randrange(300).to_bytes(4, "big"), rng.randrange(256), rng.randbytes(rng.randrange(9))
        sorter.add(group, tag, NOWHERE, payload)
        truth.setdefault(group, []).append(Row(tag, NOWHERE, payload))
    found = [(group, rows) for group, rows, more in sorter.groups() if not more]
    assert [group for group, _ in found] == sorted(truth)
    for group, rows in found:
        assert rows == sorted(truth[group], key=lambda r: (r.tag, r.payload))
    assert list(sorter.groups()) == []


def test_a_group_too_large_to_keep_is_counted_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "GROUP_LIMIT", 10)
    sorter = Sorter(1)
    for i in range(25):
        sorter.add(b"a", i, NOWHERE)
    sorter.add(b"b", 0, NOWHERE)
    assert [(g, len(rows), more) for g, rows, more in sorter.groups()] == [(b"a", 10, 15), (b"b", 1, 0)]


def test_a_place_comes_back_as_it_was() -> None:
    places = Places()
    spans = [Span(0, 5, "000001.sst"), Span(1 << 40, (1 << 40) + 9, "000002.sst"), Span(7, 7, "000001.sst")]
    packed = [places.pack(span) for span in spans]
    assert [places.unpack(p) for p in packed] == spans
    assert places.unpack(NOWHERE) is None


def test_fixes_come_back_in_order_from_memory_and_from_disk() -> None:
    fixes = Fixes()
    expected = []
    for i in range(HELD * 2 + 5):
        key, value = i.to_bytes(4, "big"), None if i % 3 else bytes([i % 251]) * (i % 4)
        fixes.add(key, value)
        fixes.add(key, value)  # right behind itself: taken once
        expected.append((key, value))
    assert [(f.key, f.value) for f in fixes] == expected
    assert [(f.key, f.value) for f in fixes] == expected
    fixes.close()


def test_rows_are_spilled_when_they_take_more_than_the_room_and_the_count_begins_anew() -> None:
    """A row of 21 bytes counts as 71."""
    sorter = Sorter(4, 3 * 71)
    held = []
    for number in range(8):
        sorter.add(number.to_bytes(4, "big"), 0, NOWHERE)
        held.append((len(sorter._runs), len(sorter._held)))
    assert held == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]
    assert (sorter.count, len(list(sorter.groups()))) == (8, 8)
    sorter.add(bytes(4), 0, NOWHERE)
    assert (len(sorter._runs), len(sorter._held)) == (0, 1)


def test_many_runs_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_RUNS", 3)
    sorter = Sorter(4, 1)
    runs = []
    for number in range(5):
        sorter.add(number.to_bytes(4, "big"), 0, NOWHERE)
        runs.append(len(sorter._runs))
    assert runs == [1, 2, 1, 2, 1]
    assert [group for group, *_ in sorter.groups()] == [number.to_bytes(4, "big") for number in range(5)]


def test_a_place_remembers_some_spans_by_what_they_are() -> None:
    places = Places()
    spans = [Span(n, n + 1, "000001.sst") for n in range(rows_module.RECENT + 1)]
    packed = [places.pack(span) for span in spans]
    assert len(places._recent) == 1
    assert [places.unpack(p) for p in packed] == spans
    long = places.pack(Span(0, 1 << 40, "000002.sst"))
    assert places.unpack(long) == Span(0, 0xFFFFFFFF, "000002.sst")


def test_fixes_go_to_disk_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixes_module, "HELD", 2)
    fixes = Fixes()
    for key, value in ((b"a", b"1"), (b"b", None), (b"c", b"")):
        fixes.add(key, value)
    assert (fixes.count, len(fixes._held)) == (3, 1)
    for _ in range(2):
        assert [(f.key, f.value) for f in fixes] == [(b"a", b"1"), (b"b", None), (b"c", b"")]
    fixes.add(b"d", b"4")
    assert [f.key for f in fixes] == [b"a", b"b", b"c", b"d"]
    fixes.close()
