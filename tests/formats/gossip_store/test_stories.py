"""Each sample is told as its story says: these codes and no others, at these bytes, for this cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from tests.builders.gossip import healthy
from tests.builders.gossip_samples import SAMPLES
from tests.builders.samples import Sample
from tests.formats.gossip_store.witness import objection, walk

FOLDER = Path(__file__).parents[3] / "samples" / "gossip_store"

# sample -> the finding that tells its story: code, start, end, cause, confidence
TOLD = {
    "checksum-at-3044": ("GSP003", 3044, 3194, "bit-flip", "certain"),
    "deleted-bit": ("GSP003", 2038, 2188, "bit-flip", "certain"),
    "zeroed-hole": ("GSP006", 8180, 12301, "zeroed-range", "certain"),
    "zeroes-then-record": ("GSP006", 8072, 8192, "zeroed-range", "certain"),
    "overwritten-at-1": ("GSP033", 1, 491, "overwritten", "likely"),
    "version-at-1": ("GSP025", 0, 1, "software-rule-violation", "likely"),
    "torn-body": ("GSP007", 9122, 9212, "torn-write", "likely"),
    "torn-header": ("GSP008", 9122, 9129, "torn-write", "likely"),
    "second-store": ("GSP026", 12123, 12124, "appended-store", "certain"),
    "length-bit-low": ("GSP004", 5969, 6119, "bit-flip", "certain"),
    "length-bit-high": ("GSP004", 5969, 6119, "bit-flip", "certain"),
    "delete-entry": ("GSP016", 47, 491, "software-rule-violation", "possible"),
    "duplicate-announcement": ("GSP017", 9122, 9566, "software-rule-violation", "possible"),
    "announcement-without-amount": ("GSP014", 9122, 9566, "software-rule-violation", "possible"),
    "short-dying": ("GSP011", 9122, 9144, "software-rule-violation", "likely"),
    "ended-in-place": ("GSP022", 9122, 9176, "software-rule-violation", "likely"),
    "not-completed": ("GSP009", 9122, 9272, "torn-write", "likely"),
    "trailing-zeroes": ("GSP010", 9122, 13218, "zeroed-range", "certain"),
    "unknown-type": ("GSP013", 9122, 9144, "software-rule-violation", "likely"),
    "length-past-end": ("GSP012", 2338, 2782, "multi-bit", "certain"),
    "noise": ("GSP005", 5969, 6719, "overwritten", "likely"),
    "planted-record": ("GSP031", 5252, 5274, "unknown", "possible"),
    "major-1": ("GSP002", 0, 1, "bit-flip", "likely"),
}
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)


@each_sample
def test_a_sample_shows_its_rules_and_no_other_error_or_warning(sample: Sample) -> None:
    with open_source(str(FOLDER / sample.name)) as source:
        report = inspect(source, formats.all_formats())
    counts = report.tally.counts
    said = {code for code, level in counts if level is not Severity.NOTE}
    assert said <= set(sample.rules)
    assert set(sample.rules) <= {code for code, _ in counts}
    assert report.exit_code() is (Exit.DAMAGED if said else Exit.CLEAN)


@pytest.mark.parametrize("name", TOLD)
def test_the_story_is_told_at_its_bytes_with_its_cause(name: str) -> None:
    with open_source(str(FOLDER / f"{name}.gossip_store")) as source:
        findings = inspect(source, formats.all_formats()).tally.findings()
    told = [(f.rule.code, f.span.start, f.span.end, f.cause.name, f.cause.confidence) for f in findings]
    assert TOLD[name] in told


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.repairs], ids=lambda s: s.name)
def test_a_repaired_sample_loads_by_the_second_reader_too(sample: Sample, tmp_path: Path) -> None:
    with open_source(str(FOLDER / sample.name)) as source:
        repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
    data = (tmp_path / "out").read_bytes()
    with open_source(str(tmp_path / "out")) as source:
        assert inspect(source, formats.all_formats()).exit_code() is Exit.CLEAN
    if data[0] >= 15:
        assert objection(data) == ""


@pytest.mark.parametrize(("version", "known"), [(9, True), (10, False)])
def test_a_known_bug_is_told_only_of_versions_that_a_release_with_it_can_have_written(
    version: int, known: bool
) -> None:
    """The version byte at offset 1 was mended in v0.10.0, whose stores still were of version 9."""
    data = b"\0" + healthy(version, 2000, 1)
    report = inspect(MemorySource(data, "gossip_store"), formats.all_formats(), forced="gossip-store")
    assert "GSP025" in {code for code, _ in report.tally.counts}
    assert any("lightning#4453" in words for words in report.answer.words) is known


@pytest.mark.parametrize("count", [0, 1, 2])
def test_damaged_deleted_records_do_not_make_a_store_plainly_healthy(count: int) -> None:
    data = bytearray(healthy(16, 9000, 4))
    dead = [r for r in walk(bytes(data)) if not r.live and len(r.body) > 100][:count]
    for record in dead:
        data[record.at + 60] ^= 1
    report = inspect(MemorySource(bytes(data), "gossip_store"), [FORMAT], Wishes())
    first = report.answer.words[0]
    assert first.startswith("This gossip store is healthy") == (not count)
    assert [r for r in dead if f"inspector show {{path}} {r.at}" in report.answer.next] == dead[:1]
    if count:
        assert f"{count} deleted record{'s' * (count > 1)}, which they skip" in first
