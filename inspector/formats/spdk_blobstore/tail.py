"""What stands behind the store: whether it was put there, or is what bytes put in further ahead have pushed out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from inspector.diagnosis.traces import WIDEST, text_run, translation
from inspector.errors import RefusedError
from inspector.finding import Confidence, Finding, Tally
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import rules as r
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.recover import FIRST_LOOK
from inspector.sanitize import quoted
from inspector.translations import undoing

if TYPE_CHECKING:
    from inspector.formats.spdk_blobstore.state import State

SECTOR: Final = 512
BLOCK: Final = 4096
LEAST: Final = 16  # what ends a sector by itself is shorter: 55 AA, SWAPSPACE2
SEEN: Final = 1 << 16


def put_behind(disk: Disk, size: int) -> tuple[Confidence, str] | None:
    """How sure, and why: what stands behind a store of `size` bytes was put there; None where nothing tells that.

    Bytes put in further ahead push out the store's own last ones, which go on from those before them. What begins
    another way exactly where the store ends does not.
    """
    before, behind = disk.read(size - BLOCK, BLOCK), disk.read(size, SEEN)
    if len(before) < BLOCK or len(behind) < LEAST:
        return None
    text = text_run(behind) == (0, len(behind))
    if text and text_run(before) is None:
        return "certain", "text begins exactly where the store ends, and no text stands before it"
    if before.count(before[:1]) == BLOCK and before[0] not in behind[:LEAST]:
        even = f"{BLOCK} bytes of {before[0]:02x}"
        return "likely", f"the store ends with {even}, and other bytes begin exactly behind it"
    return None


def _others(disk: Disk, size: int) -> Iterator[int]:
    """Where sealed super blocks stand in the first bytes behind a store of `size` bytes, at borders of sectors."""
    end = min(disk.size, size + FIRST_LOOK)
    for low, _, data in disk.windows(size, end, lay.PAGE):
        at = -1 if data is None else data.find(lay.SIGNATURE)
        while data is not None and at >= 0:
            if (disk.base + low + at) % SECTOR == 0 and sb.sealed(disk.read(low + at, lay.PAGE)):
                yield low + at
            at = data.find(lay.SIGNATURE, at + 1)


def check_behind(state: State, size: int, tally: Tally) -> None:
    """Other stores in what stands behind a store of `size` bytes on a larger disk."""
    state.behind = list(_others(state.disk, size))
    for at in state.behind:
        span = state.disk.span(at, at + lay.PAGE)
        text = f"a sealed super block stands at byte {span.start}, {at - size} behind the end of the store"
        tally.put(Finding(r.SECOND, span, text, {"base": span.start}))


def translated(state: State) -> RefusedError | None:
    """Why an image that went through a transfer in text mode is not repaired as it is: what was done can be undone."""
    source, geometry = state.source, state.geometry
    if source.size % SECTOR == 0:
        return None
    sample = source.read(0, WIDEST)
    found = translation(sample)
    command = undoing({"translation": found[0]}) if found else None
    if found is None or command is None:
        return None
    # a volume may hold nothing but a text of Windows: then the image is not longer by one byte for each line
    surplus = source.size - geometry.size if geometry and state.trusted else source.size
    if found[0] == "newlines" and surplus < sample.count(b"\r\n"):
        return None
    path = quoted(source.label)
    return RefusedError(
        f"{found[1]}: clusters stand elsewhere, and every byte of them can be had back",
        f"{command.format(path)} > {quoted(source.label + '.undone')}, and repair that",
    )
