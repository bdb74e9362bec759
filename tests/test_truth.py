"""What is said after damage, against what was done."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

import pytest

from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.spdk import Image

SAMPLES = Path(__file__).parents[1] / "samples"
LOG = (SAMPLES / "kad_trace" / "stalled.log").read_bytes()


def scan(data: bytes, name: str) -> Report:
    return inspect(MemorySource(data, name), all_formats())


@pytest.mark.parametrize("bad", ["deflated data", "checksum"])
def test_text_before_the_damage_of_a_packed_log_is_read(bad: str) -> None:
    noise = b"".join(b"2024-05-30T12:00:00.%06dZ DEBUG x: %s\n" % (i, Random(i).randbytes(20).hex().encode())
                     for i in range(3000))  # fmt: skip
    packed = bytearray(gzip.compress(LOG + noise, 9, mtime=0))
    at = len(packed) // 2 if bad == "deflated data" else len(packed) - 6
    packed[at] ^= 4
    report = scan(bytes(packed), "node.log.gz")
    assert "1 stalled" in report.answer.words[0]
    [found] = [f for f in report.tally.findings() if f.rule.code == "KDT023"]
    read = int(found.message.split("; ")[1].split(" ")[0])
    assert read == len(LOG + noise) if bad == "checksum" else read > len(LOG + noise) // 3
    assert found.cause.name == "unknown"  # and never that the gzip in it is another program's
    assert report.diagnosis is not None
    assert report.diagnosis.verdict == "unknown"


def test_a_block_behind_lost_bytes_is_not_called_misplaced() -> None:
    data = (SAMPLES / "snarkos_blocks" / "0.5.blocks").read_bytes()
    report = scan(data[:3500] + bytes(1500) + data[5000:5600] + data[5700:], "0.5.blocks")
    assert "SNB004" in {code for code, _ in report.tally.counts}
    assert [f for f in report.tally.findings() if f.cause.name == "swapped"] == []


def test_volumes_that_an_image_was_cut_out_of_are_not_said_to_be_whole() -> None:
    image = Image()
    whole = image.lvol("whole", 2, [0, 1])
    cut = image.lvol("cut", 8, list(range(8)))
    first = image.cluster_size * image.vols[cut].map[5] + 1000
    data = bytes(image.build())[:first]
    report = scan(data, "disk.img")
    assert "cut: 48,152 bytes are unknown." in report.answer.words
    assert not any("whole" in words for words in report.answer.words)
    form = next(f for f in report.layers if f.extents)
    assert form.extents is not None
    for name, blob in (("whole", whole), ("cut", cut)):
        runs = list(form.extents(report.state, name))
        lost = sum(run.length for run in runs if run.proof == "none")
        assert lost == (48152 if name == "cut" else 0)  # of the run that is cut in two only what is not here
        wanted, at = image.logical(blob), 0
        for run in runs:
            assert run.at == at
            if run.origin is not None:
                assert data[run.origin.start : run.origin.end] == wanted[at : at + run.length]
            at += run.length
        assert at == len(wanted)


def test_a_table_that_stands_in_the_place_of_another_one_is_not_the_other_one() -> None:
    folder = SAMPLES / "rocksdb" / "clean-db"
    members = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    source = MemorySource({**members, "000009.sst": members["000011.sst"]}, "db")
    report = inspect(source, all_formats())
    [found] = [f for f in report.tally.findings() if f.rule.code == "RDB016"]
    assert (found.level, found.salvage, found.span.member) == ("error", "lost", "000009.sst")
    assert any("lost" in words for words in report.answer.words)
    done = repair(source, all_formats(), None, Wishes(), dry_run=True)
    assert done.records["lost"] is None  # how many were in it nobody knows
