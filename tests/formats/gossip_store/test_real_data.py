"""Files that Core Lightning itself wrote: the verdicts that are known of them."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.formats.gossip_store.witness import walk

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "gossip_store"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real files is not here")


def load(name: str) -> bytes:
    raw = (DATA / name).read_bytes()
    return lzma.decompress(raw) if name.endswith(".xz") else raw


def scan(data: bytes) -> Report:
    return inspect(MemorySource(data), formats.all_formats())


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
def test_a_real_healthy_store_is_clean(name: str, version: str, records: int) -> None:
    report = scan(load(name))
    assert report.exit_code() is Exit.CLEAN
    assert (report.answer.version, report.account.units) == (version, records)
    assert report.answer.words


def test_the_hand_made_delete_chan_and_the_announcement_before_it_are_found() -> None:
    data = load("gossip_store-part1+2")
    report = scan(data)
    told = {(f.rule.code, f.span.start) for f in report.tally.findings() if f.level.value != "note"}
    assert told == {("GSP003", 42653), ("GSP014", 42209)}
    assert report.account.units == 186
    bad = next(f for f in report.tally.findings() if f.rule.code == "GSP003")
    assert (bad.evidence["stored"], bad.evidence["computed"]) == (0x911183F6, 0x6F153B3E)


def test_the_torn_tail_is_the_only_error_of_the_mainnet_store_of_2021(tmp_path: Path) -> None:
    data = load("mainnet-2021-v9.gossip_store.xz")
    report = scan(data)
    wrong = [f for f in report.tally.findings() if f.level.value != "note"]
    assert [(f.rule.code, f.span.start, f.span.end) for f in wrong] == [("GSP007", 2047927, 2048000)]
    assert report.account.units == 8790
    kinds = {report.format.kinds[kind]: n for kind, n in report.account.kinds.items()}
    assert kinds == {"channel_announcement": 4394, "channel_amount": 4394, "node_announcement": 2}
    result = repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert (tmp_path / "out").read_bytes() == data[:2047927]
    assert result.bytes["lost"] == 73


def test_the_whole_topology_of_2026_is_clean_and_read_as_the_second_reader_reads_it() -> None:
    data = load("mainnet-topology-2026-v16.gossip_store.xz")
    report = scan(data)
    assert report.tally.total == 0
    assert report.account.units == 203_233
    assert Counter(r.kind for r in walk(data)) == report.account.kinds
