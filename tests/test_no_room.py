"""Where temporary files cannot be made: one clear line and exit code 6, never a guess."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest

from inspector import runs
from inspector.__main__ import main
from inspector.errors import Exit
from inspector.formats.gossip_store import channels, events, outdated
from inspector.kernels import spill
from tests.builders.gossip import healthy

COMMANDS = (("scan",), ("items", "--jsonl"), ("carve", "--format", "gossip-store", "--dry-run"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_for_temporary_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(healthy(16, 60_000, 1))
    assert main([*command, str(path)]) == Exit.CLEAN
    sound = capfd.readouterr().out
    for module, name in ((events, "OWNERS"), (spill, "_KEPT"), (channels, "HELD"), (outdated, "CHUNK")):
        monkeypatch.setattr(module, name, 1)
    assert main([*command, str(path)]) == Exit.CLEAN
    assert capfd.readouterr().out == sound  # in files, and the same

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in (tempfile, outdated, runs):
        monkeypatch.setattr(place, "TemporaryFile", full)
    assert main([*command, str(path)]) == Exit.IO
    told = capfd.readouterr()
    assert "No space left on device" in told.err
    assert not told.out
