"""A snapshot half made or half deleted when the power went."""

from __future__ import annotations

import struct

import pytest

from inspector.formats.spdk_blobstore.loader import LONGHORN, load
from tests.builders.spdk import Image
from tests.formats.spdk_blobstore.support import codes, look, read, repaired

SIZE = 16384


def half_made(step: int, *, parent: bool = True) -> tuple[Image, int, int, bytearray]:
    """A snapshot create cut after write `step`: (image, original, half-made snapshot, bytes)."""
    image = Image()
    base = image.lvol("base", 4, [0, 1], snapshot=True) if parent else None
    mark: dict[bytes, bytes] = {}
    if step < 3:
        head = image.lvol("head", 4, [2], parent=base)
        places = image.vols[head].map if step == 2 else {}
        mark[b"SNAPTMP"] = struct.pack("<Q", head)
        tmp = image.lvol("tmp", 4, [], parent=base if step == 2 else None, internal=mark, at=dict(places))
    else:
        root = image.take_page()
        del image.pages[root]
        tmp = 1 << 32 | root
        mark[b"SNAPTMP"] = struct.pack("<Q", 1 << 32 | root + 2)
        tmp = image.lvol("tmp", 4, [2], parent=base, internal=mark)
        head = image.lvol("head", 4, [], parent=tmp)
    return image, head, tmp, image.build(clean=False)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_half_made_snapshot_costs_the_original_nothing(step: int) -> None:
    image, head, tmp, data = half_made(step)
    report = look(data)
    (half,) = report.state.half
    assert (half.operation, half.step, half.verdict) == ("create", step, "keep" if step == 3 else "discard")
    assert codes(report) == (["SPB040"] if step == 2 else [])
    found = load(report.state, LONGHORN)
    assert bool(found.crash) == (step == 2)
    assert read(report, "head") == (image.logical(head), [])
    fixed = repaired(data)
    if step != 2:
        assert fixed == data  # the loader recovers from it without loss
    again = look(fixed)
    assert codes(again) == []
    assert load(again.state, LONGHORN).comes_up
    assert read(again, "head") == (image.logical(head), [])
    assert (tmp in again.state.store.blobs) == (step != 2)


def test_a_half_made_first_snapshot_does_not_kill_the_loader() -> None:
    *_, data = half_made(2, parent=False)
    report = look(data)
    assert not report.state.half[0].kills
    assert load(report.state, LONGHORN).comes_up


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_half_deleted_snapshot_costs_its_child_nothing(step: int) -> None:
    image = Image()
    base = image.lvol("base", 4, [0, 1], snapshot=True)
    child_root = max(image.pages) + 3
    snap = image.lvol(
        "snap", 4, [1, 2], parent=base, snapshot=True, internal={b"SNAPRM": struct.pack("<Q", 1 << 32 | child_root)}
    )
    merged = dict(image.vols[snap].map) if step >= 2 else {}
    child = image.lvol("child", 4, [3], parent=snap if step < 3 else base, at=merged)
    assert child == 1 << 32 | child_root
    data = image.build(clean=False)
    report = look(data)
    (half,) = report.state.half
    assert (half.operation, half.step, half.verdict) == ("delete", step, "keep" if step < 3 else "discard")
    assert codes(report) == ([] if step == 1 else ["SPB041"])
    assert read(report, "child") == (image.logical(child), [])
    again = look(repaired(data))
    assert codes(again) == []
    assert read(again, "child") == (image.logical(child), [])
    assert again.state.store.shared_count == 0
    assert (snap in again.state.store.blobs) == (step < 3)
    if step == 2:
        assert read(again, "snap") == (image.logical(snap), [])
