"""From builders' rows to folders on disk and back to reports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inspector import formats
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.repair import Result, repair
from inspector.source import open_source
from tests.builders.snarkos import Rows
from tests.builders.snarkos_stores import write_folder
from tests.builders.snarkos_wal import write_wal

FORMATS = formats.all_formats()


def on_disk(folder: Path, batches: Iterable[Rows]) -> Path:
    return write_folder(folder, write_wal(batches))


def scan(path: Path) -> Report:
    with open_source(str(path)) as source:
        return inspect(source, FORMATS)


def mend(path: Path, output: Path, archive: bool = False) -> Result:
    with open_source(str(path)) as source:
        return repair(source, FORMATS, str(output), Wishes(archive=archive))


def heights(ranges: Iterable[Iterable[int]]) -> set[int]:
    """Inclusive ranges of a summary as a set."""
    return {h for first, last in ranges for h in range(first, last + 1)}
