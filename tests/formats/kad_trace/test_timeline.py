"""The bar of a bootstrap: how long each step took against the longest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from inspector.formats.kad_trace.views import BARS, timeline

SECOND = 1_000_000_000


def _boot(*steps: tuple[bool, int | None, float | None]) -> Any:
    return SimpleNamespace(steps=[SimpleNamespace(ok=ok, took=took, gap=gap) for ok, took, gap in steps])


def test_a_bar_is_as_high_as_its_step_took_against_the_longest() -> None:
    boot = _boot(*((True, n * SECOND, None) for n in range(8)))
    assert timeline(boot, "finished") == BARS
    assert timeline(_boot((True, None, 3.5), (True, 7 * SECOND, 99.0)), "finished") == BARS[4] + BARS[7]


def test_what_took_no_time_or_an_unknown_one_is_the_lowest_bar_and_a_timeout_is_marked() -> None:
    assert timeline(_boot((True, 0, None), (True, None, None)), "finished") == BARS[0] * 2
    assert timeline(_boot((True, -5 * SECOND, None), (False, 9 * SECOND, None)), "stalled") == BARS[0] + "x…"
    assert timeline(_boot(), "slow") == "…"
