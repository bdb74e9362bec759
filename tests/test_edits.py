"""Repair copies runs of the source by one call where it can, and to the same bytes where it cannot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from inspector.edits import COPY, write_edit
from inspector.errors import SourceError
from inspector.format import Edit
from inspector.formats import all_formats
from inspector.inspect import inspect
from inspector.source import open_source
from inspector.span import Span

SAMPLE = Path(__file__).parent.parent / "samples" / "gossip_store" / "signed-flips.gossip_store"
DATA = bytes(range(256)) * 2048 + b"end"


def copied(path: Path, *spans: tuple[int, int]) -> bytes:
    out = path.with_name("out")
    fd = os.open(out, os.O_RDWR | os.O_CREAT)
    try:
        with open_source(str(path)) as source:
            at = 0
            for start, end in spans:
                at = write_edit(source, Edit("kept", Span(start, end)), fd, at)
            assert at == sum(end - start for start, end in spans)
    finally:
        os.close(fd)
    return out.read_bytes()


@pytest.mark.parametrize("works", ["whole", "half", "never"])
def test_a_run_is_copied_whatever_the_system_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: str) -> None:
    real, calls = os.copy_file_range, [0]

    def called(src: int, dst: int, count: int, at: int, to: int) -> int:
        calls[0] += 1
        if works == "never" or (works == "half" and calls[0] > 1):
            raise OSError(errno.EXDEV, "another file system")
        return real(src, dst, count // 2 if works == "half" else count, at, to)

    monkeypatch.setattr(os, "copy_file_range", called)
    (tmp_path / "in").write_bytes(DATA)
    spans = ((5, 5 + COPY + 7), (0, 9), (COPY, len(DATA)))
    assert copied(tmp_path / "in", *spans) == b"".join(DATA[start:end] for start, end in spans)
    assert calls[0] >= 1


def test_a_source_that_was_cut_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(DATA)
    with open_source(str(tmp_path / "in")) as source, (tmp_path / "out").open("wb") as out:
        os.truncate(tmp_path / "in", COPY + 100)
        with pytest.raises(SourceError):
            write_edit(source, Edit("kept", Span(0, len(DATA))), out.fileno(), 0)


def test_without_causes_the_findings_are_the_same_places() -> None:
    with open_source(str(SAMPLE)) as source:
        told, untold = (inspect(source, all_formats(), causes=causes) for causes in (True, False))
    assert told.diagnosis is not None
    assert untold.diagnosis is None
    places = [[(f.rule.code, f.span, f.salvage) for f in report.tally.findings()] for report in (told, untold)]
    assert places[0] == places[1]
    assert places[0]
