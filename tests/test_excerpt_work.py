"""What an excerpt may cost is counted, and said where it ends the search or leaves a question unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats, masked, reducing
from inspector.composed import Composed
from inspector.excerpt import ENDED, TOO_MUCH, Excerpt, excerpt
from inspector.format import Wishes
from inspector.redact import Redactor
from inspector.source import Source, open_source
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
        smaller = _excerpt(source)
    monkeypatch.setattr(reducing, "ROOM", -source.size)
    with open_source(str(table)) as source:
        whole = _excerpt(source)
    assert not smaller.whole
    assert smaller.size < source.size
    assert (whole.whole, whole.size, whole.findings) == (TOO_MUCH, source.size, smaller.findings)


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
