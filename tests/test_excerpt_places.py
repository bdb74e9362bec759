"""An excerpt keeps what a cause rests on: the other place of a copied page, and where in its block damage stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import aligned, kindred, reducing
from inspector.diagnosis.model import Event
from inspector.excerpt import excerpt
from inspector.finding import Cause
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.source import MemorySource
from inspector.span import Span
from inspector.units import Units
from tests import damage
from tests.builders import gossip
from tests.test_excerpt import Told, counts, told

PAGE = 4096


@pytest.fixture(scope="module")
def healthy() -> bytes:
    return gossip.healthy(16, 1_500_000, 4)


def causes(path: Path) -> list[tuple[str, str]]:
    source = MemorySource(path.read_bytes())
    found = inspect(source, all_formats(), Wishes(), "gossip-store").tally.findings()
    return sorted((f.rule.code, f.cause.name) for f in found if f.level.name != "NOTE")


def test_the_page_of_another_place_is_still_one_in_the_excerpt(healthy: bytes, tmp_path: Path, capfd: Told) -> None:
    store, small = tmp_path / "large.gossip_store", tmp_path / "small.gossip_store"
    data = damage.stale(healthy, 200 * PAGE, 50 * PAGE, PAGE).data
    data = damage.zero(data, 300 * PAGE, 300 * PAGE + 512).data
    store.write_bytes(damage.flip_bit(data, 100 * PAGE + 77, 3).data)
    assert told(capfd, "excerpt", str(store), "-o", str(small), "--no-redact")[0] == 0
    assert small.stat().st_size < 60_000
    assert counts(capfd, small) == counts(capfd, store)
    assert causes(small) == causes(store)
    assert "stale-page" in dict(causes(small)).values()


def test_what_lies_around_the_other_place_and_the_place_in_its_sector_are_kept_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sector of another place: its cause needs neighbours of both, and their bytes move it within its sector."""
    data = damage.stale(gossip.healthy(16, 300_000, 4), 370 * 512, 174 * 512, 512).data

    def kept() -> int:
        found = excerpt(MemorySource(data), all_formats(), Wishes(), forced="gossip-store")
        return sum(end - start for start, end in found.runs)

    assert kept() < 20_000
    monkeypatch.setattr(reducing.Search, "_in_place", lambda self, chosen: iter([set()]))
    assert kept() > 100_000  # so far the search goes without it: the test asks for what it is about


def units(lengths: list[int], fixed: set[int]) -> Units:
    found, at = Units(sum(lengths)), 0
    for length in lengths:
        found.starts.extend([at])
        at += length
    found.fixed = fixed
    return found


def test_units_before_a_place_bring_it_to_where_it_was_in_its_block() -> None:
    lengths = [1, *(100 + 2 * (i % 7) for i in range(400)), 60, 100]
    every = units(lengths, {401})
    place = 401
    for block in aligned.BLOCKS:
        kept = aligned.filled(every, {0, place}, [place], block, lambda group: True)
        assert kept is not None
        before = sum(lengths[i] for i in kept if i < place)
        assert before % block == every.span(place)[0] % block
        assert before < every.span(place)[0]
        assert 402 not in kept
    # units that cannot stand alone are not taken, and none is where no sum comes to that remainder
    kept = aligned.filled(every, {0, place}, [place], 512, lambda group: min(group) > 200)
    assert kept is not None
    assert min(kept - {0}) > 200
    assert aligned.filled(every, {0, place}, [place], 512, lambda group: False) is None
    even = units([2] * 300 + [1, 60], {301})
    assert aligned.filled(even, {301}, [301], 512, lambda group: 300 not in group) is None


def test_the_other_place_of_an_event_is_kept_whole_and_its_length_is_not_believed() -> None:
    every = units([100] * 2000, {500})
    cause = Cause("stale-page")
    event = Event(Span(50_050, 50_090), cause, (), 1, {"copy_of": 20_010, "length": 250, "alignment": 512})
    assert aligned.named(every, [event]) == {*range(163, 205), *range(491, 533)}
    assert aligned.anchors(every, [event]) == [200, 500]
    wild = Event(Span(50_050, 50_090), cause, (), 1, {"copy_of": 20_010, "length": 1 << 60})
    assert max(aligned.named(every, [wild])) < 1200
    assert aligned.anchors(every, [wild]) == [200, 500]  # how far it is from its copy tells something
    beyond = Event(Span(50_050, 50_090), cause, (), 1, {"copy_of": 1 << 60, "alignment": 512})
    assert aligned.named(every, [beyond]) == set()
    nothing = Event(Span(50_050, 50_090), cause, (), 1, {"copy_of": True, "length": -4})
    assert aligned.named(every, [nothing]) == set()
    assert aligned.anchors(every, [beyond]) == [500]


def test_a_unit_that_is_full_of_an_id_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    at = Units.at

    def counted(self: Units, offset: int) -> int:
        asked.append(offset)
        return at(self, offset)

    monkeypatch.setattr(Units, "at", counted)
    every = units([1, *[1000] * 50], set())
    source = MemorySource(b"\x10" + b"\1\2" * 25_000)
    found = kindred.related(source, every, [], {5}, lambda raw: [b"\1\2\1\2"])
    assert found == set(range(1, 51))
    assert len(asked) <= 3 * 51
    del asked[:]
    assert kindred.related(source, every, [], {5}, lambda raw: [bytes(8), b"", b"\1" * 8]) == set()
    assert not asked
