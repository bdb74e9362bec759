"""A patch changes exactly what it lists, only where what it replaces is still there, and can be taken back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from inspector import formats, patch
from inspector.descriptors import pwrite_all
from inspector.errors import InspectorError, OutputError, RefusedError, UsageError
from inspector.format import Edit, Plan, Wishes
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource, Source, open_source
from inspector.span import Span
from tests.builders import spdk_samples


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(spdk_samples.create_half())
    return path


def make(image: Path) -> Path:
    out = image.with_suffix(".patch")
    with open_source(str(image)) as source:
        result = repair(source, formats.all_formats(), str(out), Wishes(), patch=True)
    assert result.verified["ok"]
    assert result.size == out.stat().st_size
    return out


def test_a_patch_makes_in_place_what_a_repair_writes_anew(image: Path, tmp_path: Path) -> None:
    before = image.read_bytes()
    made = make(image)
    assert image.read_bytes() == before
    with open_source(str(image)) as source:
        repair(source, formats.all_formats(), str(tmp_path / "whole.img"), Wishes())
    done = patch.apply(patch.read(str(made)), str(image), str(tmp_path / "undo"))
    assert image.read_bytes() == (tmp_path / "whole.img").read_bytes()
    assert (done.already, done.changes) == (0, len(patch.read(str(made)).changes))
    with open_source(str(image)) as source:
        assert not inspect(source, formats.all_formats()).damaged


def test_the_undo_brings_back_every_byte(image: Path, tmp_path: Path) -> None:
    before = image.read_bytes()
    patch.apply(patch.read(str(make(image))), str(image), str(tmp_path / "undo"))
    assert image.read_bytes() != before
    patch.apply(patch.read(str(tmp_path / "undo")), str(image), str(tmp_path / "redo"))
    assert image.read_bytes() == before


def test_one_changed_byte_where_it_would_write_refuses_the_whole_patch(image: Path, tmp_path: Path) -> None:
    made = patch.read(str(make(image)))
    data = bytearray(image.read_bytes())
    data[made.changes[-1].start + 9] ^= 1
    image.write_bytes(data)
    with pytest.raises(RefusedError, match="are not those that the patch replaces"):
        patch.apply(made, str(image), str(tmp_path / "undo"))
    assert image.read_bytes() == data
    assert not (tmp_path / "undo").exists()


def test_another_size_an_existing_undo_and_a_second_time_are_refused(image: Path, tmp_path: Path) -> None:
    made = patch.read(str(make(image)))
    before = image.read_bytes()
    (tmp_path / "undo").write_bytes(b"old")
    with pytest.raises(RefusedError, match="exists"):
        patch.apply(made, str(image), str(tmp_path / "undo"))
    (tmp_path / "long.img").write_bytes(before + b"\0")
    with pytest.raises(RefusedError, match="the patch is for"):
        patch.apply(made, str(tmp_path / "long.img"), str(tmp_path / "u"))
    assert image.read_bytes() == before
    patch.apply(made, str(image), str(tmp_path / "u"))
    with pytest.raises(RefusedError, match="there already"):
        patch.apply(made, str(image), str(tmp_path / "u2"))


def test_a_patch_that_was_half_written_can_be_finished(image: Path, tmp_path: Path) -> None:
    made = patch.read(str(make(image)))
    data = bytearray(image.read_bytes())
    first = made.changes[0]
    data[first.start : first.end] = first.data
    image.write_bytes(data)
    assert patch.apply(made, str(image), str(tmp_path / "undo")).already == 1
    with open_source(str(image)) as source:
        assert not inspect(source, formats.all_formats()).damaged


def test_a_changed_or_cut_patch_is_not_taken(image: Path) -> None:
    made = make(image)
    whole = made.read_bytes()
    lines = whole.splitlines(keepends=True)
    entry = json.loads(lines[1])
    moved = json.dumps({**entry, "start": entry["start"] + 4096}).encode() + b"\n"
    cases = (
        b"",
        b"[]\n",
        b"\xff\n",
        whole[: len(whole) // 2],
        b"".join(lines[:-1]),
        whole + b"{}\n",
        b"".join([lines[0], *lines[2:]]),
        b"".join([lines[0], moved, *lines[2:]]),
        b"".join([lines[0], lines[2], lines[1], *lines[3:]]),
        whole.replace(b'"corrected"', b'"dropped"', 1),
        b"[" * 100_000,
    )
    for number, case in enumerate(cases):
        made.write_bytes(case)
        with pytest.raises(UsageError):
            pytest.fail(f"case {number} was read: {patch.read(str(made))!r:.200}")
    with pytest.raises(InspectorError):
        patch.read(str(made.with_name("absent")))


def test_a_plan_that_moves_bytes_has_no_patch() -> None:
    source = MemorySource(b"0123456789")
    for edits, size in (
        ([Edit("kept", Span(0, 4)), Edit("kept", Span(6, 10), at=4), Edit("dropped", Span(4, 6))], None),
        ([Edit("added", None, b"x")], None),
        ([Edit("kept", Span(5, 10)), Edit("kept", Span(0, 5))], None),
        ([Edit("kept", Span(0, 10), at=0)], 20),
    ):
        with pytest.raises(RefusedError):
            list(patch.changes_of(source, Plan(iter(edits), 0, size=size)))


def test_a_patched_source_reads_as_the_patched_file_at_every_place() -> None:
    under = MemorySource(bytes(range(200)))
    changes = (patch.Change(10, b"x" * 20, ""), patch.Change(50, b"y", ""), patch.Change(190, b"z" * 10, ""))
    want = bytearray(range(200))
    for change in changes:
        want[change.start : change.end] = change.data
    patched = patch.Patched(under, patch.Patch(200, "", changes))
    for at in range(0, 200, 3):
        for n in (1, 7, 45, 200):
            assert patched.read(at, n) == bytes(want[at : at + n])


@pytest.mark.parametrize("how", ["another file", "another byte"])
def test_a_target_that_changed_after_it_was_compared_is_not_written_to(
    how: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write = patch.read(str(make(image))), patch.write
    data = bytearray(image.read_bytes())
    if how == "another byte":
        data[made.changes[0].start] ^= 1

    def meanwhile(path: str, source: Source | None, back: patch.Patch, force: bool = False) -> int:
        if how == "another file":
            (tmp_path / "new").write_bytes(data)
            (tmp_path / "new").replace(image)
        else:
            image.write_bytes(data)
        return write(path, source, back, force)

    monkeypatch.setattr(patch, "write", meanwhile)
    with pytest.raises(RefusedError, match="nothing was written"):
        patch.apply(made, str(image), str(tmp_path / "undo"))
    assert image.read_bytes() == data
    assert not (tmp_path / "undo").exists()


def test_a_name_that_another_file_took_while_it_was_written_is_said(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, put = patch.read(str(make(image))), pwrite_all
    other = image.read_bytes()

    def meanwhile(fd: int, data: bytes, at: int) -> int:
        if patch.read(str(tmp_path / "undo")) and image.stat().st_ino == os.fstat(fd).st_ino:
            (tmp_path / "new").write_bytes(other)
            (tmp_path / "new").replace(image)
        return put(fd, data, at)

    undo = str(tmp_path / "undo")
    real = patch.write

    def written(*args: Any, **words: Any) -> int:
        done = real(*args, **words)
        monkeypatch.setattr(patch, "pwrite_all", meanwhile)
        return done

    monkeypatch.setattr(patch, "write", written)
    with pytest.raises(OutputError, match="another file now"):
        patch.apply(made, str(image), undo)
    assert image.read_bytes() == other
