"""A damaged version byte that is some version's own: the records say which one it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.gossip import healthy


@pytest.mark.parametrize(("version", "byte"), [(14, 6), (14, 15), (12, 4), (10, 2), (9, 1), (16, 5), (15, 5)])
def test_a_version_byte_that_its_records_contradict_is_told_and_set_right(
    version: int, byte: int, tmp_path: Path
) -> None:
    whole = healthy(version)
    data = bytes([byte]) + whole[1:]
    report = inspect(MemorySource(data), formats.all_formats())
    (finding,) = report.tally.findings()
    assert (finding.rule.code, finding.span.end) == ("GSP030", 1)
    assert finding.cause.name == ("bit-flip" if (version ^ byte).bit_count() == 1 else "multi-bit")
    repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out"), Wishes())
    assert (tmp_path / "out").read_bytes() == whole


def test_a_store_whose_checksums_cannot_be_judged_stays_so() -> None:
    report = inspect(MemorySource(healthy(5)), formats.all_formats())
    assert {f.rule.code for f in report.tally.findings()} == {"GSP029"}
