"""Inspections of images in memory, and the words tests use for damage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from inspector.format import Wishes
from inspector.formats.spdk_blobstore import FORMAT
from inspector.formats.spdk_blobstore.content import extents
from inspector.inspect import Report, inspect
from inspector.source import MemorySource, Source

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "spdk_blobstore"


def look(data: bytes | bytearray | Source, **wishes: object) -> Report:
    source = data if isinstance(data, Source) else MemorySource(bytes(data))
    return inspect(source, (FORMAT,), Wishes(**wishes))  # type: ignore[arg-type]


def codes(report: Report, *, notes: bool = False) -> list[str]:
    """Codes of errors and warnings in the order of their places, of notes too on request."""
    return [f.rule.code for f in report.tally.findings() if notes or f.level.value != "note"]


def place(report: Report, code: str) -> tuple[int, int]:
    found = [f for f in report.tally.findings() if f.rule.code == code]
    assert len(found) == 1, [f.message for f in found]
    return found[0].span.start, found[0].span.end


def flip(data: bytearray, at: int, mask: int = 1) -> None:
    data[at] ^= mask


def scramble(data: bytearray, at: int, length: int = 64) -> None:
    """Damage that no single bit explains; it always changes every byte."""
    for i in range(at, at + length):
        data[i] ^= 0x5A


def read(report: Report, item: str) -> tuple[bytes, list[tuple[int, int]]]:
    """Content of an item and the ranges without a proof."""
    out, unknown = bytearray(), []
    for extent in extents(report.state, item):
        assert extent.at == len(out)
        if extent.proof == "none":
            unknown.append((extent.at, extent.at + extent.length))
        if extent.origin is None or extent.proof == "none":
            out += bytes(extent.length)
        else:
            out += report.source.read(extent.origin.start, extent.length)
    return bytes(out), unknown


def repaired(data: bytes | bytearray, accept: Iterable[str] = (), **wishes: object) -> bytearray:
    """The repaired image in memory; holds the ledger to account for every byte."""
    report = look(data, accept=frozenset(accept), **wishes)
    assert FORMAT.plan is not None
    plan = FORMAT.plan(report.state, Wishes(accept=frozenset(accept), **wishes))  # type: ignore[arg-type]
    out = bytearray(plan.size or len(data))
    told = 0
    for edit in plan.edits:
        if edit.origin is not None:
            assert edit.origin.start == told
            told = edit.origin.end
        if edit.action in ("kept", "corrected", "added") or edit.data is not None:
            start, end = (edit.origin.start, edit.origin.end) if edit.origin else (0, 0)
            piece = edit.data if edit.data is not None else bytes(data[start:end])
            assert edit.at is not None
            out[edit.at : edit.at + len(piece)] = piece
    assert told == len(data)
    return out


def ids(found: Sequence[object]) -> set[str]:
    return {str(getattr(item, "id", item)) for item in found}
