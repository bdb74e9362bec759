"""A volume's clusters in runs, and those that two volumes claim."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from inspector.copies import Take
from inspector.formats.spdk_blobstore.clustermap import HOLE, UNKNOWN, Run
from inspector.formats.spdk_blobstore.content import _split
from inspector.formats.spdk_blobstore.merging import Candidate, _follows, _taken
from inspector.span import Span


def _each(runs: list[Run]) -> list[tuple[int, int, str, int]]:
    """The same, a line for each cluster."""
    return [(run.at + n, run.cluster + n if run.cluster > 0 else run.cluster, run.why, run.owner)
            for run in runs for n in range(run.count)]  # fmt: skip


def test_contested_clusters_are_taken_out_of_runs_and_nothing_else_changes() -> None:
    rng = Random(5)
    for _ in range(300):
        runs, at = [], 0
        for _ in range(rng.randrange(1, 5)):
            count = rng.randrange(1, 9)
            cluster = rng.choice((HOLE, UNKNOWN, rng.randrange(1, 40)))
            runs.append(Run(at, count, cluster, "lost" if cluster == UNKNOWN else "", rng.randrange(3)))
            at += count
        contested = {rng.randrange(1, 48): f"also {n}" for n in range(rng.choice((0, 1, 3, 30)))}
        expected = [(at, UNKNOWN, contested[cluster], owner) if cluster > 0 and cluster in contested else
                    (at, cluster, why, owner) for at, cluster, why, owner in _each(runs)]  # fmt: skip
        found = list(_split(iter(runs), contested))
        assert _each(found) == expected
        assert all(run.count > 0 for run in found)
        if not contested:
            assert found == runs


def test_takes_become_one_where_source_and_target_go_on_together() -> None:
    first = Take(1, Span(100, 110), None, "placed", "because", 1, 4000)
    behind = Take(1, Span(110, 130), None, "placed", "because", 1, 4010)
    assert _follows(first, behind)
    for other in (
        replace(behind, copy=2), replace(behind, proof="sealed"), replace(behind, why="else"),
        replace(behind, at=4011), replace(behind, at=4009), replace(behind, at=3990), replace(behind, at=None),
        replace(behind, origin=None), replace(behind, origin=Span(111, 130)), replace(behind, origin=Span(90, 100)),
    ):  # fmt: skip
        assert not _follows(first, other)
        assert not _follows(replace(first, at=None), behind)
        assert not _follows(replace(first, origin=None), behind)


def test_what_is_taken_of_a_candidate_is_what_is_not_zero() -> None:
    data = bytes(4) + b"\1" + bytes(5)
    copy: Any = SimpleNamespace(number=3)
    one = Candidate(copy, "placed", "why", Span(500, 510), data)
    assert [(t.copy, t.origin, t.at) for t in _taken(one, 70, 0, 10)] == [(3, Span(500, 510), 70)]
    assert [(t.origin, t.at) for t in _taken(one, 70, 4, 5)] == [(Span(504, 505), 74)]
    assert list(_taken(one, 70, 0, 4)) == list(_taken(one, 70, 5, 10)) == list(_taken(one, 70, 6, 6)) == []
