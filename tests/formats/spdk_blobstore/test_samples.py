"""Each sample shows what its ledger line says, no more, and a repair of it is clean."""

from __future__ import annotations

import pytest

from inspector import formats
from inspector.errors import RefusedError
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders import longhorn_samples, spdk_samples
from tests.builders.samples import Sample

IMAGES = [s for s in (*spdk_samples.SAMPLES, *longhorn_samples.SAMPLES) if s.name.endswith(".img")]
WORDS = {s.name.removesuffix(".against"): s for s in longhorn_samples.SAMPLES if s.name.endswith(".against")}


def given(sample: Sample) -> Wishes:
    beside = WORDS.get(sample.name.removesuffix(".img")) if sample.format == "longhorn" else None
    document = beside.make() if beside else None
    against = ((beside.name, document),) if beside and isinstance(document, bytes) else ()
    return Wishes(checksums=sample.name == "content-changed.img", against=against)


@pytest.mark.parametrize("sample", IMAGES, ids=lambda s: f"{s.format}/{s.name}")
def test_a_sample_shows_what_its_story_says(sample: Sample, tmp_path: object) -> None:
    data = sample.make()
    assert isinstance(data, bytes)
    report = inspect(MemorySource(data), formats.all_formats(), given(sample))
    counts = report.tally.counts
    loud = {code for code, level in counts if level is not Severity.NOTE}
    assert loud <= set(sample.rules) <= {code for code, _ in counts}
    try:
        plan = repair(MemorySource(data), formats.all_formats(), None, Wishes(), dry_run=True)
    except RefusedError:
        assert not sample.repairs
    else:
        assert sample.repairs
        assert sum(plan.bytes[action] for action in ("kept", "corrected", "dropped", "lost")) == len(data)
