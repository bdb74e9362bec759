"""What an excerpt may cost is counted, and said where it ends the search or leaves a question unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats, masked, reducing, smaller
from inspector.composed import Composed
from inspector.diagnosis.bytes_at import budget_for
from inspector.excerpt import ENDED, TOO_MUCH, Excerpt, excerpt
from inspector.format import Wishes
from inspector.inspect import inspect, name_causes
from inspector.redact import Redactor
from inspector.shown import rules_of
from inspector.source import MemorySource, Source, open_source
from inspector.span import Span
from inspector.spliced import Spliced
from tests.builders import gossip, rocksdb_table
from tests.builders.bomb_crowds import hurt
from tests.builders.rocksdb import pairs


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with a damaged block among many."""
    path = tmp_path / "000009.sst"
    path.write_bytes(hurt(rocksdb_table.table(pairs(0, 600)).data, [3000]))
    return path


def _excerpt(source: Source) -> Excerpt:
    return excerpt(source, formats.all_formats(), Wishes())


def test_no_candidate_of_a_table_is_judged_beyond_the_limit_of_work(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_source(str(table)) as source:
        less = _excerpt(source)
    monkeypatch.setattr(reducing, "ROOM", -source.size)
    with open_source(str(table)) as source:
        whole = _excerpt(source)
    assert not less.whole
    assert less.size < source.size
    assert (whole.whole, whole.size, whole.findings) == (TOO_MUCH, source.size, less.findings)


def test_causes_that_are_not_asked_again_are_said(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(reducing, "ROOM", -table.stat().st_size)  # nothing is left out
    for most in (masked.MOST_ASKED, -1):
        monkeypatch.setattr(masked, "MOST_ASKED", most)
        with open_source(str(table)) as source:
            found = _excerpt(source)
            masked.masked(found, found.view(source), formats.all_formats(), Wishes(), Redactor(), None)
        told.append(any("not asked again why" in note for note in found.notes))
    assert told == [False, True]


def test_the_search_ends_where_a_store_cost_too_much_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(hurt(gossip.healthy(16, 1 << 15), [9000]))
    monkeypatch.setattr(reducing, "READ", 1 << 20)
    with open_source(str(path)) as source:
        found = _excerpt(source)
    assert found.whole == ENDED
    assert found.runs == [(0, source.size)]


@pytest.mark.parametrize("spliced", [True, False])
def test_the_parts_of_a_small_view_are_read_once(tmp_path: Path, spliced: bool) -> None:
    path, data = tmp_path / "some", bytes(range(256)) * 8
    path.write_bytes(data)
    with open_source(str(path)) as source:
        runs = [(start, start + 5) for start in range(0, 2000, 20)]
        view = Spliced(source, runs) if spliced else Composed(source, {"": [Span(*run) for run in runs]})
        read = b"".join(view.read(at, 7) for at in range(0, view.size, 7))
        assert source.reads == len(runs)
    assert read == b"".join(data[start:end] for start, end in runs)


def _hurt(path: Path, count: int, size: int = 1 << 16) -> Path:
    """A gossip store with a flipped bit in each of so many places: each is explained without a look around it."""
    data = bytearray(gossip.healthy(16, size))
    for at in range(700, len(data), len(data) // count):
        data[at] ^= 4
    path.write_bytes(data)
    return path


def test_a_crowd_of_places_is_not_asked_why_beyond_the_limit_of_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _hurt(tmp_path / "gossip_store", 30)
    with open_source(str(path)) as source:
        less = _excerpt(source)
    monkeypatch.setattr(reducing, "CROWDED", 0)
    with open_source(str(path)) as source:
        whole = _excerpt(source)
        written = masked.masked(whole, whole.view(source), formats.all_formats(), Wishes(), Redactor(), None)
        again = inspect(written, formats.all_formats(), keep=200, causes=False)
    assert less.why
    assert less.size < path.stat().st_size
    assert (whole.why, whole.whole, whole.findings) == (False, TOO_MUCH, less.findings)
    assert (whole.runs, whole.report.diagnosis) == ([(0, path.stat().st_size)], None)
    assert any("not asked why" in note for note in whole.notes)
    assert rules_of(again) == rules_of(whole.report)


@pytest.mark.parametrize(("count", "size"), [(3, 1 << 16), (20, 3 << 19)])
def test_few_places_are_always_asked_why_and_more_of_longer_files(
    count: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reducing, "CROWDED", 0)  # for up to a MiB
    path = _hurt(tmp_path / "gossip_store", count, size)
    with open_source(str(path)) as source:
        found = _excerpt(source)
    assert found.why
    assert found.size < path.stat().st_size


def test_a_diagnosis_that_is_given_up_leaves_what_was_found_as_it_was(tmp_path: Path) -> None:
    path = _hurt(tmp_path / "gossip_store", 30)
    path.write_bytes(hurt(path.read_bytes(), [5000]))  # no flipped bit: what is around it is looked at
    with open_source(str(path)) as source:
        report = inspect(source, formats.all_formats(), keep=200, causes=False)
        before = report.tally.findings()
        named = inspect(source, formats.all_formats(), keep=200)
        work = named.diagnosis.work if named.diagnosis else 0
        assert 0 < work < budget_for(source.size, 30).trials
        assert not name_causes(report, work)  # it ends with nothing left of what it may take
        assert (report.tally.findings(), report.diagnosis) == (before, None)
        assert name_causes(report, work + 1)
        assert report.diagnosis is not None
        assert report.diagnosis.work == work
        assert report.tally.findings() == named.tally.findings()


def test_what_was_found_in_an_excerpt_is_not_found_again_before_it_is_masked(tmp_path: Path) -> None:
    path = _hurt(tmp_path / "gossip_store", 3)
    with open_source(str(path)) as source:
        found = _excerpt(source)
        again = inspect(found.view(source), formats.all_formats(), keep=200)
    assert found.shown is not None
    assert found.shown.tally.findings() == again.tally.findings()


@pytest.mark.parametrize("redactor", [None, Redactor()], ids=["as it is", "redacted"])
def test_a_crowd_in_a_table_is_compared_without_causes_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redactor: Redactor | None
) -> None:
    path = tmp_path / "000009.sst"
    path.write_bytes(hurt(rocksdb_table.table(pairs(0, 1500)).data, range(300, 18_000, 900)))
    made = []
    for place in (0, 1 << 20):
        monkeypatch.setattr(smaller, "PLACE", place)
        with open_source(str(path)) as source:
            found = _excerpt(source)
            masked.masked(found, found.view(source), formats.all_formats(), Wishes(), redactor, None)
        made.append(found)
    asked, unasked = made
    assert asked.why
    assert asked.report.diagnosis is not None
    assert not any("not asked why" in note for note in asked.notes)
    assert (unasked.why, unasked.report.diagnosis, unasked.findings) == (False, None, asked.findings)
    assert unasked.size < path.stat().st_size
    assert sum("not asked why" in note for note in unasked.notes) == 1


def test_damaged_bytes_are_noise_also_where_a_channel_is_kept_for_its_amount_that_a_proof_gives_back() -> None:
    store = MemorySource(hurt(gossip.healthy(16, 500_000), range(300, 490_000, 800)), "gossip_store")
    found = excerpt(store, formats.all_formats(), Wishes())
    assert any(f.rule.code == "GSP014" and f.salvage == "kept" for f in found.report.tally.findings())
    view = Spliced(store, found.runs)
    made = masked.masked(found, view, formats.all_formats(), Wishes(), Redactor(), None)
    assert [note for note in found.notes if note.startswith("damaged bytes are noise")]
    assert made.read(0, store.size) != store.read(0, store.size)
