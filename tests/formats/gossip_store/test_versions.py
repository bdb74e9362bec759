"""A damaged version byte that is some version's own: the records say which one it was."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from inspector import formats
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.gossip import Network, Store, healthy


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


@pytest.mark.parametrize("version", [9, 14, 16])
def test_a_byte_that_is_no_version_is_told_with_how_far_it_is_from_what_the_records_say(version: int) -> None:
    whole = healthy(version, 4000, 1)
    near = {version ^ 1 << bit for bit in range(8)}
    for byte in sorted({0, 17, 19, 31, 32, 143, 145, 255} | {one for one in near if not 1 <= one <= 16}):
        report = inspect(MemorySource(bytes([byte]) + whole[1:]), formats.all_formats(), forced="gossip-store")
        (found,) = report.tally.findings()
        fits = version if byte in near or version > 9 else 10  # what a store of version 9 has, one of 10 may have
        cause, because = ("multi-bit", "possible"), f"the records are of version {fits}: more than one bit away"
        if 16 < byte <= 31:
            cause, because = ("newer-version", "possible"), f"byte 0 is 0x{byte:02x}"
        if byte in near:
            cause, because = (
                ("bit-flip", "likely"),
                f"the records are of version {fits}: one bit away from 0x{byte:02x}",
            )
        assert (found.rule.code, found.span.end, found.evidence) == ("GSP002", 1, {"byte": byte, "fits": fits})
        assert (found.cause.name, found.cause.confidence) == cause
        assert found.cause.because.startswith(because)


def test_deleted_records_that_do_not_verify_are_left_out_of_a_copy_one_by_one(tmp_path: Path) -> None:
    """At the beginning, in the middle side by side, and at the end: what is between them is kept whole."""
    store = Store(14)
    net = Network(store)
    one, two = net.node(), net.node()
    channel = net.open(one, two)
    ends = [len(store.data)]
    dead = []
    for number in range(9):
        dead.append(net.update(channel, number % 2))
        ends.append(len(store.data))
    data = bytearray(store.bytes())
    marked = [n for n in range(9) if data[dead[n]] & 0x80]
    assert len(marked) == 7
    for hurt in ([0], [0, 1], [2, 3, 5], [6], [0, 1, 2, 3, 4, 5, 6]):
        damaged, wanted = bytearray(data), bytearray()
        for n in hurt:
            damaged[dead[n] + 60] ^= 0xFF
        places = [(0, ends[0]), *pairwise(ends)]
        for n, (start, end) in enumerate(places, -1):
            wanted += b"" if n in hurt else data[start:end]
        done = repair(MemorySource(bytes(damaged)), formats.all_formats(), str(tmp_path / "out"), Wishes(), force=True)
        assert (tmp_path / "out").read_bytes() == wanted
        assert sum(edit.action == "dropped" for edit in done.changes) == len(hurt)
        assert all(edit.origin is None or edit.origin.length for edit in done.changes)
