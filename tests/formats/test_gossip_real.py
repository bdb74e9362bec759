"""Core Lightning's own files: what is said of each must be what its provenance says."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from inspector.finding import Severity
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.source import MemorySource

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "gossip_store"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real stores are only where the project is developed")


def scanned(name: str) -> Report:
    raw = (DATA / name).read_bytes()
    data = lzma.decompress(raw) if name.endswith(".xz") else raw
    return inspect(MemorySource(data, name), all_formats(), Wishes())


@pytest.mark.parametrize(
    ("name", "version", "records"),
    [
        ("gossip_store.simple", "15", 6),
        ("gossip_store.mesh-3x3", "15", 57),
        ("gossip_store-part1", "15", 94),
        ("simple-v10.gossip_store", "10", 3),
        ("mesh-3x3-v12.gossip_store", "12", 59),
    ],
)
def test_a_healthy_store_has_no_finding(name: str, version: str, records: int) -> None:
    report = scanned(name)
    assert report.tally.total == 0
    assert (report.answer.version, report.account.units) == (version, records)


def test_the_joined_parts_have_one_bad_checksum_and_an_announcement_without_amount() -> None:
    report = scanned("gossip_store-part1+2")
    found = [(f.rule.code, f.span.start, f.span.end) for f in report.tally.findings()]
    assert found == [("GSP014", 42209, 42653), ("GSP003", 42653, 42675)]
    evidence = report.tally.findings()[1].evidence
    assert (evidence["stored"], evidence["computed"]) == (0x911183F6, 0x6F153B3E)
    assert report.account.units == 186


def test_the_torn_tail_is_the_only_error_of_a_real_mainnet_store() -> None:
    report = scanned("mainnet-2021-v9.gossip_store.xz")
    errors = [f for f in report.tally.findings() if f.level is Severity.ERROR]
    assert [(f.rule.code, f.span.start) for f in errors] == [("GSP007", 2047927)]
    assert (errors[0].evidence["needed"], errors[0].evidence["left"]) == (432, 61)
    assert report.account.units == 8790
    assert report.answer.summary["live_channels"] == 4394 - 260
