"""Command lines over a file of these bytes, in this process: no exit code tells of a bug, what comes out is clean."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inspector.__main__ import main

ACTIVE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
ROOM = "/dev/shm" if Path("/dev/shm").is_dir() else None
BUG, IO, UNVERIFIED = 1, 6, 8
REPORTS = ("md", "html", "json", "sarif")

# {s} the damaged store, {o} the sound one, {n} an output, {at} an offset in the store, {f} its format
LINES: tuple[tuple[str, ...], ...] = (
    ("scan", "{s}", "--format", "{f}"),
    ("scan", "{s}", "--json", "--redact"),
    ("repair", "{s}", "-o", "{n}", "--format", "{f}", "--json", "--copy"),
    ("repair", "{s}", "-o", "{n}", "--compact"),
    ("repair", "{s}", "--patch", "{n}", "--format", "{f}"),
    ("repair", "{s}", "-o", "{n}", "--accept", "unique", "--format", "{f}"),
    ("records", "{s}", "--jsonl", "--format", "{f}"),
    ("records", "{s}", "--csv", "--damaged"),
    ("records", "{s}", "--text", "--format", "{f}"),
    ("show", "{s}", "{at}", "--format", "{f}"),
    ("show", "{s}", "{at}", "--json", "--redact", "--format", "{f}"),
    ("items", "{s}", "--format", "{f}"),
    ("excerpt", "{s}", "-o", "{n}", "--format", "{f}"),
    ("excerpt", "{s}", "-o", "{n}", "--redact", "--format", "{f}"),
    ("diff", "{o}", "{s}", "--format", "{f}"),
    ("merge", "{s}", "{o}", "-o", "{n}", "--format", "{f}"),
    ("carve", "{s}", "-o", "{n}"),
    ("capture", "{s}", "-o", "{n}", "--no-environment", "--format", "{f}"),
    *(("report", "{s}", "-o", "{n}." + suffix, "--no-environment", "--format", "{f}") for suffix in REPORTS),
    ("report", "{s}", "-o", "{n}.html", "--no-environment", "--no-redact", "--format", "{f}"),
)


def drive(form: str, members: dict[str, bytes], sound: dict[str, bytes], number: int, at: int) -> None:
    """Run one command line; raises AssertionError where a promise is broken."""
    with tempfile.TemporaryDirectory(dir=ROOM, prefix="fuzz-") as name:
        folder = Path(name)
        store, other, output = folder / "store", folder / "sound", folder / "out"
        words = LINES[number % len(LINES)]
        _write(store, members)
        if "{o}" in words:
            _write(other, sound)
        asked = [word.format(s=store, o=other, n=output, at=at, f=form) for word in words]
        code, told = run(asked)
        line = " ".join(words)
        assert code not in (BUG, IO, UNVERIFIED), f"{line}: exit {code}\n{told[-3000:]}"
        assert not (found := ACTIVE.search(told)), f"{line}: a character that a terminal obeys: {found}"
        for written in folder.glob("out.*"):
            if written.suffix[1:] in REPORTS:
                text = written.read_text()
                assert not (found := ACTIVE.search(text)), f"{line}: in the report: {found}"


def _write(place: Path, members: dict[str, bytes]) -> None:
    if set(members) == {""}:
        place.write_bytes(members[""])
        return
    for name, data in members.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


def run(words: list[str]) -> tuple[int, str]:
    """The exit code and what went to standard output and error."""
    with _caught() as file:
        code = main(words)
    size = os.fstat(file).st_size
    text = os.pread(file, size, 0).decode(errors="surrogateescape")
    os.close(file)
    return code, text


@contextmanager
def _caught() -> Iterator[int]:
    file = os.memfd_create("told")
    kept = [(stream, os.dup(stream.fileno())) for stream in (sys.stdout, sys.stderr)]
    try:
        for stream, _ in kept:
            stream.flush()
            os.dup2(file, stream.fileno())
        yield file
    finally:
        for stream, before in kept:
            stream.flush()
            os.dup2(before, stream.fileno())
            os.close(before)
