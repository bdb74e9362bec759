"""The table of known bugs: what it names exists, and damage of the disk does not look like a bug."""

from __future__ import annotations

import re

import pytest

from inspector import formats, known_issues
from inspector.finding import Severity
from inspector.inspect import inspect
from inspector.known_issues_table import ISSUES
from inspector.source import MemorySource
from tests import damage
from tests.builders import gossip

ALL = {form.name: form for form in formats.all_formats()}
CODES = {rule.code for form in ALL.values() for rule in form.rules}


@pytest.mark.parametrize("issue", ISSUES, ids=lambda issue: issue.id)
def test_an_entry_names_formats_rules_and_a_report_that_exist(issue: known_issues.KnownIssue) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", issue.id)
    assert issue.formats <= set(ALL)
    assert all(sign.codes <= CODES and sign.without <= CODES and sign.codes for sign in issue.signs)
    assert issue.signs or issue.messages, "nothing would ever find it"
    assert issue.advice
    assert issue.affected


def test_ids_are_unique() -> None:
    assert len({issue.id for issue in ISSUES}) == len(ISSUES)


def _matching(data: bytes, name: str = "gossip_store") -> list[known_issues.KnownIssue]:
    report = inspect(MemorySource(data, name), formats.all_formats())
    return list(known_issues.matching(report))


def test_a_version_byte_at_offset_1_is_the_bug_of_its_time_and_of_no_later_one() -> None:
    old, new = gossip.healthy(9), gossip.healthy(16)
    assert [m.id for m in _matching(b"\0" + old)] == ["ElementsProject/lightning#4376"]
    assert _matching(b"\0" + new) == []


def test_a_flipped_bit_and_a_healthy_store_match_no_bug() -> None:
    data = gossip.healthy(14)
    assert _matching(data) == []
    assert _matching(damage.flip_bit(data, len(data) // 2, 3).data) == []


def test_a_match_says_how_sure_it_is_and_which_finding_shows_it() -> None:
    (found,) = _matching(b"\0" + gossip.healthy(9))
    assert (found.confidence, found.because) == ("likely", "GSP025")
    assert found.url == "https://github.com/ElementsProject/lightning/issues/4376"


def test_severities_are_those_of_the_finding() -> None:
    sign = known_issues.Sign(frozenset({"GSP025"}), severities=frozenset({Severity.NOTE}))
    report = inspect(MemorySource(b"\0" + gossip.healthy(9), "gossip_store"), formats.all_formats())
    assert not any(known_issues._shows(sign, found) for found in report.tally.findings())


def test_messages_lead_to_their_bug() -> None:
    told = known_issues.messages_of({"snarkos"})
    assert told["Next height must be sequential"].id == "ProvableHQ/snarkVM#2218"
    assert "map_copy: Assertion" not in told
