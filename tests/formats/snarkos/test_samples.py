"""Each sample of a ledger or a CDN file is told as its story says: these codes and no other error or warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit
from inspector.finding import Severity
from inspector.inspect import inspect
from inspector.source import open_source
from tests.builders.samples import Sample
from tests.builders.snarkos_samples import SAMPLES

ROOT = Path(__file__).parents[3] / "samples"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_a_sample_shows_its_rules_and_no_other_error_or_warning(sample: Sample) -> None:
    with open_source(str(ROOT / sample.format / sample.name)) as source:
        report = inspect(source, formats.all_formats())
    counts = report.tally.counts
    said = {code for code, level in counts if level is not Severity.NOTE}
    assert said <= set(sample.rules)
    assert set(sample.rules) <= {code for code, _ in counts}
    assert report.exit_code() is (Exit.DAMAGED if said else Exit.CLEAN)
    assert report.format.name.replace("-", "_") == sample.format
