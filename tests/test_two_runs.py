"""Two runs that write one output at the same time: never half of one under the name of the other."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from inspector.errors import RefusedError
from inspector.output import place_file, place_folder


def test_a_folder_that_another_run_is_writing_is_left_alone(tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    with place_folder(target, None, 0) as first:
        assert first.folder is not None
        (first.folder / "file").write_bytes(b"first")
        with pytest.raises(RefusedError, match="another run"), place_folder(target, None, 0):
            pass
        assert (first.folder / "file").read_bytes() == b"first"
    assert (tmp_path / "out" / "file").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def _taken_over(folder: Path | None) -> None:
    assert folder is not None
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "file").write_bytes(b"half of the other")


def test_a_folder_that_was_taken_over_is_not_given_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system without locks, where a run that goes on looks like what an interrupted one left."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    target = str(tmp_path / "out")
    with pytest.raises(RefusedError, match="another run"), place_folder(target, None, 0) as first:
        _taken_over(first.folder)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.inspector-partial" / "file").exists()  # the other run's, which goes on
    with place_folder(target, None, 0) as third:
        assert len(third.notes) == 1
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_another_run_is_writing_is_left_alone(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named:
        monkeypatch.setattr(os, "O_TMPFILE", 0)
    target = str(tmp_path / "out")
    with place_file(target, None, 0, force=True) as first:
        os.pwrite(first.fd, b"first", 0)
        if named:
            with pytest.raises(RefusedError, match="another run"), place_file(target, None, 0, force=True):
                pass
        else:  # each has its own file without a name: the last to end wins, as a whole
            with place_file(target, None, 0, force=True) as second:
                os.pwrite(second.fd, b"second", 0)
    assert (tmp_path / "out").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208


def test_a_link_with_the_name_of_a_left_over_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / ".out.inspector-partial").symlink_to(tmp_path / "precious")
    with place_folder(str(tmp_path / "out"), None, 0):
        pass
    assert sorted(os.listdir(tmp_path)) == ["out", "precious"]  # noqa: PTH208
