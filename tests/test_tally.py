"""Many findings of one rule: counted exactly, the first and the last of them kept."""

from __future__ import annotations

import pytest

from inspector.finding import Finding, Rule, Severity, Tally
from inspector.span import Span

RULE = Rule("TST001", "test", Severity.ERROR, "", "", "", "")


def finding(number: int) -> Finding:
    return Finding(RULE, Span(number, number + 1), str(number))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 9, 10, 11, 12, 50])
def test_findings_added_at_once_are_those_added_in_turn(count: int) -> None:
    one, other = Tally(10), Tally(10)
    for round_ in range(2):
        numbers = range(round_ * count, (round_ + 1) * count)
        for number in numbers:
            one.add(RULE, lambda number=number: finding(number))  # type: ignore[misc]
        other.add_each(RULE, numbers, finding)
        assert one.counts == other.counts
        assert one.findings() == other.findings()
