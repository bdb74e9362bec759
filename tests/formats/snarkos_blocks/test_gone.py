"""Blocks of which no byte is left: a repair of what is here is not one that loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.formats.snarkos_blocks.layout import METADATA_AT
from tests.builders.snarkos import cdn_file, ledger

WHOLE = cdn_file(ledger(12), 0, 12)


def apart(data: bytes) -> list[bytes]:
    """The blocks of a file, each with its length."""
    at, found = 8, []
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 8], "little")
        found.append(data[at:end])
        at = end
    return found


def file_of(blocks: list[bytes], count: int = 12) -> bytes:
    return count.to_bytes(8, "little") + b"".join(blocks)


def raised(block: bytes) -> bytes:
    """The block with the height of another one, far above it."""
    at = 8 + METADATA_AT + 11
    return block[:at] + (1 << 31).to_bytes(4, "little") + block[at + 4 :]


PARTS = apart(WHOLE)


@pytest.mark.parametrize(
    ("data", "name", "code", "kept"),
    [
        (file_of([*PARTS[:7], PARTS[3], *PARTS[8:]]), "0.12.blocks", 4, PARTS[:7]),  # a copy of one over another
        (file_of([*PARTS[:4], *PARTS[5:]]), "0.12.blocks", 4, PARTS[5:]),
        (file_of(PARTS[:11]), "0.12.blocks", 4, PARTS[:11]),  # cut between two blocks
        (file_of(PARTS[2:]), "0.12.blocks", 4, PARTS[2:]),
        (file_of(PARTS, 13), "0.12.blocks", 0, PARTS),  # a count alone proves nothing
        (file_of(PARTS), "0.13.blocks", 0, PARTS),  # nor does a name
        (file_of([*PARTS[:5], PARTS[4], *PARTS[5:]], 13), "0.12.blocks", 0, PARTS),
        (file_of([PARTS[1], PARTS[0], *PARTS[2:]]), "0.12.blocks", 0, PARTS),
        (file_of([raised(PARTS[0]), *PARTS[1:]]), "0.12.blocks", 0, PARTS[1:]),  # it is here, and left out
        (file_of([*PARTS[:4], *PARTS[5:]]), "blocks", 4, PARTS[5:]),  # a hole, and no name
        (file_of(PARTS[:11]), "blocks", 0, PARTS[:11]),  # nothing but a count
    ],
)
def test_heights_without_a_block_are_lost(data: bytes, name: str, code: int, kept: list[bytes], tmp_path: Path) -> None:
    path, out = tmp_path / name, tmp_path / "out.blocks"
    path.write_bytes(data)
    assert main(["repair", str(path), "-o", str(out)]) == code
    assert apart(out.read_bytes()) == kept
