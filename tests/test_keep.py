"""Copies of corrupt files that could not be made at once."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.test_watch import Stage


def test_a_copy_that_cannot_be_kept_is_tried_again_and_said_only_when_something_changed(tmp_path: Path) -> None:
    """A full disk may have room again before the next corrupt file takes the place of this one."""
    kept = tmp_path / "later"
    stage = Stage(tmp_path, keep_in=kept)
    stage.store.refused()
    told = [[e for e in stage.poll(20) if e.event == "corrupt-file"] for _ in range(3)]
    assert [len(events) for events in told] == [1, 0, 0]
    assert stage.watch.unkept == 1
    kept.mkdir()
    assert not [e for e in stage.poll(1) if e.event == "corrupt-file"]  # not at every look: all of it is read for that
    [event] = [e for e in stage.poll(20) if e.event == "corrupt-file"]
    assert Path(event.evidence["kept"]).read_bytes() == (tmp_path / "gossip_store.corrupt").read_bytes()
    assert stage.watch.unkept == 0


def test_a_corrupt_file_that_cannot_be_looked_at_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    stage = Stage(tmp_path, keep_in=kept)
    real = os.open

    def refuses(path: object, *rest: object, **words: object) -> int:
        if str(path).endswith(".corrupt"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *rest, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuses)
    stage.store.refused()
    told = [e.evidence for _ in range(3) for e in stage.poll() if e.event == "corrupt-file"]
    assert [one["not_kept"] for one in told] == ["it cannot be read: Permission denied"]
    assert stage.watch.unkept == 1
    monkeypatch.setattr(os, "open", real)
    assert [e.evidence["how"] for e in stage.poll() if e.event == "corrupt-file"]
    assert stage.watch.unkept == 0
