"""A volume whose root page became zeroes: its mask still names it, and no repair may call that lossless."""

from __future__ import annotations

from pathlib import Path

from inspector import formats
from inspector.finding import Severity
from inspector.format import Wishes
from inspector.inspect import inspect
from inspector.repair import Result, repair
from inspector.source import MemorySource, open_source
from tests import damage
from tests.builders.spdk import Image


def mend(data: bytes, folder: Path) -> Result:
    (folder / "disk.img").write_bytes(data)
    with open_source(str(folder / "disk.img")) as source:
        return repair(source, formats.all_formats(), str(folder / "out.img"), Wishes())


def roots(data: bytes) -> list[int]:
    """Where pages lie whose id says that they are the root at their own place, super blob left out."""
    start = int.from_bytes(data[0x30:0x34], "little") * 4096
    pages = range(start, start + int.from_bytes(data[0x34:0x38], "little") * 4096, 4096)
    ids = {at: int.from_bytes(data[at : at + 8], "little") for at in pages if any(data[at : at + 4096])}
    return [at for at, number in ids.items() if number == 1 << 32 | (at - start) // 4096][1:]


def test_each_erased_root_is_counted_as_lost(tmp_path: Path) -> None:
    image = Image()
    for i in range(3):
        image.lvol(f"vol-{i}", 3, [0, 1])
    data = bytes(image.build())
    found = roots(data)
    assert len(found) == 3
    for count in (1, 2):
        hurt = data
        for at in found[:count]:
            hurt = damage.zero(hurt, at, at + 4096).data
        result = mend(hurt, tmp_path)
        assert (result.code, result.records["lost"], result.bytes["lost"]) == (4, count, count * 4096)
        (tmp_path / "out.img").unlink()


def test_a_bit_of_the_mask_that_never_named_a_volume_is_no_loss(tmp_path: Path) -> None:
    image = Image()
    image.lvol("vol", 3, [0, 1])
    data = bytes(image.build())
    mask = int.from_bytes(data[0x48:0x4C], "little") * 4096
    result = mend(damage.flip_bit(data, mask + 5 + 1, 3).data, tmp_path)
    assert (result.code, result.bytes["lost"]) == (0, 0)


def test_a_root_that_another_page_was_written_over_is_lost_too(tmp_path: Path) -> None:
    image = Image()
    for i in range(3):
        image.lvol(f"vol-{i}", 3, [0, 1])
    data = bytearray(image.build())
    one, two, _ = roots(bytes(data))
    data[one : one + 4096] = data[two : two + 4096]
    result = mend(bytes(data), tmp_path)
    assert (result.code, result.records["lost"], result.bytes["lost"]) == (4, 1, 4096)


def test_without_masks_the_extent_page_that_is_left_tells_of_the_lost_volume(tmp_path: Path) -> None:
    image = Image()
    for i in range(3):
        image.lvol(f"vol-{i}", 3, [0, 1])
    healthy = bytes(image.build(clean=False))
    assert not inspect(MemorySource(healthy), formats.all_formats()).damaged
    at = roots(healthy)[1]
    data = damage.zero(healthy, at, at + 4096).data
    report = inspect(MemorySource(data), formats.all_formats())
    assert [f.rule.code for f in report.tally.findings() if f.level is Severity.ERROR] == ["SPB018"]
    result = mend(data, tmp_path)
    assert (result.code, result.bytes["lost"]) == (4, 4096)
