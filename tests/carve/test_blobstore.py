"""Blobstores somewhere on a disk: found by the super block, copied as they are."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from inspector import mapfile
from inspector.carve import CarveWishes
from inspector.errors import Exit, RefusedError, UsageError
from inspector.formats.spdk_blobstore import carving
from inspector.source import MemorySource, open_source
from tests.builders.spdk import Image
from tests.carve.devices import Run
from tests.carve.devices import run as carve

BASE = 7 * 512


def store(seed: str = "a") -> bytes:
    image = Image(clusters=24)
    image.lvol(f"volume-{seed}", 6, [0, 1, 5])
    image.lvol("other", 3, [2])
    return bytes(image.build())


def run(data: object, folder: Path, **wishes: object) -> Run:
    return carve(data, folder, CarveWishes(**wishes), "spdk-blobstore")  # type: ignore[arg-type]


def test_a_store_behind_any_sector_is_copied_byte_for_byte(tmp_path: Path) -> None:
    for base in (0, BASE, 1 << 20):
        done = run(Random(1).randbytes(base) + store() + bytes(5000), tmp_path)
        assert done.code is Exit.CLEAN
        assert done.out == store()
        assert [s.start for s in done.spans if s.kind == "super block"] == [base]


def test_a_signature_off_a_sector_or_without_its_checksum_is_no_store(tmp_path: Path) -> None:
    assert run(bytes(100) + store(), tmp_path).code is Exit.UNKNOWN_FORMAT
    broken = bytearray(store())
    broken[2000] ^= 1
    done = run(bytes(broken), tmp_path)
    assert done.code is Exit.UNKNOWN_FORMAT
    assert carving.UNSEALED in done.fates()
    assert "metadata pages" in done.carved.haul.empty
    taken = run(bytes(broken), tmp_path, offset=0)
    assert taken.out == bytes(broken)
    assert taken.code is Exit.DAMAGED


def test_of_two_stores_one_must_be_named(tmp_path: Path) -> None:
    data = store() + store("b")
    with pytest.raises(RefusedError) as told:
        run(data, tmp_path)
    assert str(len(store())) in told.value.message
    assert run(data, tmp_path, offset=len(store())).out == store("b")
    with pytest.raises(UsageError):
        run(data, tmp_path, offset=len(data))


def test_a_store_inside_a_volume_is_not_taken_for_the_disks_own(tmp_path: Path) -> None:
    outer = Image(clusters=64, cluster_size=16384)
    outer.lvol("guest", 32, list(range(32)))
    data = bytearray(outer.build())
    inner = Image(clusters=8, cluster_size=16384)
    inner.lvol("x", 1, [0])
    at = 20 * 16384
    data[at : at + 8 * 16384] = inner.build()
    done = run(bytes(data), tmp_path)
    assert done.out == bytes(data)
    assert carving.INSIDE in done.fates()


def test_a_store_longer_than_the_disk_is_copied_as_far_as_it_goes(tmp_path: Path) -> None:
    done = run(store()[:-50_000], tmp_path)
    assert done.out == store()[:-50_000]
    assert done.code is Exit.DAMAGED
    assert any("its end is missing" in note for note in done.carved.notes)


def test_what_was_never_read_is_zero_in_the_image_and_named_in_its_map(tmp_path: Path) -> None:
    data = bytes(BASE) + store()
    head = b"0x0 + 1\n0x0 %d +\n%d 1000 -\n%d %d +\n"
    at = BASE + 200_000
    known = mapfile.parse(head % (at, at, at + 1000, len(data)), "disk.map")
    done = run(mapfile.Rescued(MemorySource(data), *known), tmp_path)
    assert done.out == store()[:200_000] + bytes(1000) + store()[201_000:]
    assert done.code is Exit.LOST
    chart = tmp_path / "carved.map"
    starts, ends = mapfile.parse(chart.read_bytes(), "carved.map")
    assert list(zip(starts, ends, strict=True)) == [(0, 200_000), (201_000, len(store()))]


def test_holes_stay_holes(tmp_path: Path) -> None:
    place = tmp_path / "disk.img"
    with place.open("wb") as file:
        file.seek(1 << 20)
        file.write(store())
        file.truncate(64 << 20)
    with open_source(str(place)) as source:
        done = run(source, tmp_path)
    assert done.out == store()
    assert done.carved.area.bytes < 8 << 20
    assert done.carved.empty > 50 << 20
