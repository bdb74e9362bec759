"""Run a command line in this process with the tiny format, and keep what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import inspector.formats
from inspector.__main__ import main
from tests.cli import tiny_format as tiny


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `inspector ARGUMENTS` in a fresh folder; the tiny format is the only one."""
    monkeypatch.setattr(inspector.formats, "all_formats", lambda: (tiny.FORMAT,))
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "INSPECTOR_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(list(arguments))
        told = capfd.readouterr()
        return Ran(code, told.out, told.err)

    return call


GOOD = tiny.store(
    tiny.record(tiny.NAME, b"vol1"),
    tiny.record(tiny.NAME, b"snap/vol1"),
    tiny.record(tiny.TEXT, b"hello world"),
    tiny.record(tiny.TEXT | tiny.DELETED, b"gone"),
    tiny.record(tiny.NAME, b"leaf/snap"),
)
HELLO = (30, 47)  # the span of the text record in GOOD


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.tiny").write_bytes(GOOD)
    return "good.tiny"


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """GOOD with one bit of a body flipped: one record is lost, nothing else."""
    data = bytearray(GOOD)
    data[GOOD.index(b"hello")] ^= 1
    (tmp_path / "bad.tiny").write_bytes(data)
    return "bad.tiny"


@pytest.fixture
def torn(tmp_path: Path) -> str:
    (tmp_path / "torn.tiny").write_bytes(GOOD[:-3])
    return "torn.tiny"
