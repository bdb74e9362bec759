"""A benchmark that got slower is told, and noise is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.bench_all import worse
from benchmarks.measure import run

KEPT = Path(__file__).parent.parent / "benchmarks" / "ratios.json"


def test_a_ratio_that_grew_by_more_than_15_percent_is_told() -> None:
    before = {"scan": 2.0, "repair": 4.0, "gone": 1.0}
    assert worse({"scan": 2.2, "repair": 4.7, "new": 9.0}, before) == ["repair: 4.70, was 4.00 (+18%)"]


def test_the_ratios_of_the_last_release_are_kept() -> None:
    assert all(ratio > 0 for ratio in json.loads(KEPT.read_text()).values())


def test_the_peak_of_a_process_is_its_own_and_not_that_of_who_measures_it() -> None:
    ballast = b"x" * (200 << 20)
    found = run([sys.executable, "-S", "-c", "print('four')"])
    assert len(ballast) > 4 * found.peak > 0
    assert found.output == 5
