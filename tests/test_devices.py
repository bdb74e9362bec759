"""Disks as people have them: no holes, or held by a program in user space."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import SourceError
from inspector.extract import extract
from inspector.format import Extent, Wishes
from inspector.repair import repair
from inspector.source import MemorySource, open_source
from inspector.span import Span
from tests.builders.spdk import Image


@pytest.mark.parametrize("path", ["0000:5e:00.0", "5e:00.1", "/sys/bus/pci/devices/0000:5e:00.0", "/dev/vfio/12345"])
def test_an_nvme_disk_in_user_space_is_refused_with_the_way_back_to_a_block_device(path: str) -> None:
    with pytest.raises(SourceError) as told:
        open_source(path)
    assert "driverctl" in told.value.hint


def test_a_missing_file_has_no_such_hint(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as told:
        open_source(str(tmp_path / "absent.img"))
    assert told.value.hint == ""


def test_zeroes_of_a_device_without_holes_become_holes_of_the_output(tmp_path: Path) -> None:
    image = Image(clusters=64, cluster_size=1 << 20)
    image.lvol("vol", 40, [0, 39])
    data = bytes(image.build())
    result = repair(MemorySource(data), formats.all_formats(), str(tmp_path / "out.img"), Wishes())
    assert result.verified["ok"]
    out = tmp_path / "out.img"
    assert out.read_bytes() == data
    assert out.stat().st_blocks * 512 < 12 << 20
    extents = iter([Extent(0, len(data), Span(0, len(data)), "placed")])
    extract(MemorySource(data), extents, "all", str(tmp_path / "raw"))
    assert (tmp_path / "raw").read_bytes() == data
    assert (tmp_path / "raw").stat().st_blocks * 512 < 16 << 20
