"""What a repair leaves out of a damaged file of blocks: each run of whole blocks comes out as a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.format import Extent, Wishes
from inspector.formats import all_formats
from inspector.formats.snarkos_blocks import FORMAT
from inspector.formats.snarkos_blocks.layout import HEAD_SIZE
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource
from tests.builders.snarkos import u
from tests.formats.snarkos_blocks.support import BODIES, DATA, NAME, STARTS, put, scan

BROKEN = put(DATA, STARTS[2] + 8 + HEAD_SIZE, b"\xff" * 8)  # block 2 cannot be taken apart: 0 and 1, then 3 to 7
STRAY = put(DATA, STARTS[1] + 8 + 33, b"\x55" * 32)  # block 1 names another predecessor


def file_of(first: int, last: int) -> bytes:
    return u(last - first + 1, 8) + b"".join(BODIES[first : last + 1])


def extracted(data: bytes, item: str, tmp_path: Path) -> tuple[int, bytes]:
    source, out = tmp_path / NAME, tmp_path / "out.blocks"
    source.write_bytes(data)
    code = main(["extract", str(source), item, "-o", str(out)])
    return code, out.read_bytes() if out.exists() else b""


@pytest.mark.parametrize(
    ("item", "first", "last"),
    [("blocks:0-1", 0, 1), ("block:0", 0, 0), ("block:1", 1, 1), ("blocks:3..7", 3, 7), ("blocks:4-6", 4, 6)],
)
def test_whole_blocks_come_out_of_a_damaged_file_as_a_file(item: str, first: int, last: int, tmp_path: Path) -> None:
    code, data = extracted(BROKEN, item, tmp_path)
    assert (code, data) == (0, file_of(first, last))
    assert scan(data, f"{first}.{last + 1}.blocks").tally.total == 0


@pytest.mark.parametrize(
    ("data", "item", "why"),
    [
        (BROKEN, "blocks:1-3", "block 2 is malformed"),
        (DATA[: STARTS[7] + 600], "block:7", "block 7 is truncated"),
        (DATA, "block:8", "block 8 is not in this file"),
        (DATA, "blocks:0-4000000000", "more blocks than the 8 here"),
        (STRAY, "blocks:0-2", "block 1 does not follow block 0"),
    ],
)
def test_what_is_not_whole_or_does_not_follow_is_refused(
    data: bytes, item: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert extracted(data, item, tmp_path) == (7, b"")
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("item", ["volume-1", "block:", "blocks:5-3"])
def test_another_id_is_no_item(item: str, tmp_path: Path) -> None:
    assert extracted(DATA, item, tmp_path) == (2, b"")


def test_the_scan_and_the_repair_say_how_to_get_what_the_repair_leaves_out() -> None:
    report = scan(BROKEN, NAME)
    assert report.answer.next == (
        "inspector repair {path} -o {path}.repaired",
        "inspector extract {path} blocks:0-1 -o 0.2.blocks",
    )
    done = repair(MemorySource(BROKEN, NAME), all_formats(), None, Wishes(), forced=FORMAT.name, dry_run=True)
    assert any("inspector extract gives out blocks:0-1" in note for note in done.notes)


def test_no_checksum_covers_a_block_and_no_output_says_so() -> None:
    state = inspect(MemorySource(DATA, NAME), (FORMAT,), Wishes(), FORMAT.name).state
    assert FORMAT.extents is not None
    pieces: list[Extent] = list(FORMAT.extents(state, "blocks:0-7"))
    assert [piece.proof for piece in pieces] == ["derived", *["placed"] * 8]
    done = repair(MemorySource(DATA, NAME), all_formats(), None, Wishes(), forced=FORMAT.name, dry_run=True)
    assert done.proof == {"sealed": 0, "derived": 8, "placed": len(DATA) - 8, "none": 0}
    assert "if their hashes hold" in scan(DATA, NAME).answer.loaders[0].outcome
