"""Stores that may have any name are found in a folder by how they begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.cli import inputs
from inspector.cli.inputs import targets
from inspector.errors import UnknownFormatError
from inspector.formats import all_formats
from inspector.source import open_source
from tests.builders.gossip import healthy
from tests.builders.spdk_samples import clean, cut_short, partition, super_wiped


def found(folder: Path) -> list[str]:
    with open_source(str(folder)) as source:
        return [Path(target.path).name for target in targets(str(folder), source, all_formats(), None)]


def test_images_of_disks_are_found_beside_other_stores_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "gossip_store").write_bytes(healthy(16, 3000))
    (tmp_path / "a.img").write_bytes(clean())
    (tmp_path / "backup of monday").write_bytes(partition())
    (tmp_path / "short").write_bytes(cut_short())
    (tmp_path / "wiped.raw").write_bytes(super_wiped())
    (tmp_path / "b.img").write_bytes(bytes(1 << 20))
    (tmp_path / "notes.txt").write_text("SPDKBLOB\n" * 3)
    (tmp_path / "iso").write_bytes(bytes(510) + b"\x55\xaa" + bytes(40_000))
    assert found(tmp_path) == ["a.img", "backup of monday", "gossip_store", "short", "wiped.raw"]


def test_only_so_many_files_are_searched_the_largest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_CLAIMS", 2)
    for number in range(4):
        (tmp_path / f"disk-{number}").write_bytes(clean() + bytes(512 * number))
    assert found(tmp_path) == ["disk-2", "disk-3"]


def test_an_image_in_a_folder_with_a_known_store_is_a_target_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(clean())
    assert found(tmp_path) == ["disk.img"]


def test_a_folder_without_an_image_says_that_any_name_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(bytes(1 << 16))
    with pytest.raises(UnknownFormatError) as raised:
        found(tmp_path)
    assert "any that begins as one" in dict(raised.value.tried)["spdk-blobstore"]
