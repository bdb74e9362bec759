"""Tiles and edits of a store that moved, told in places of the source: each of its bytes once, also what was put in."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from inspector.counted import plural
from inspector.format import GAP, UNIT, Edit, Stretch, tile
from inspector.formats.spdk_blobstore.disk import Disk, Moved
from inspector.span import Span

BATCH: Final = 1 << 16  # tiles


def tiles(stretches: Iterator[Stretch], disk: Disk, foreign: int, bad: int) -> Iterator[Stretch]:
    """Stretches of the store as it was -> of the source as it is; `foreign` is the kind of bytes that were put in.

    A unit with such bytes inside is one unit, marked `bad`; another tile is cut there.
    """
    moved = disk.moved
    if moved is None:
        yield from stretches
        return
    border, put_in = disk.base + moved.at, max(0, moved.by)
    told = False
    for stretch in stretches:
        if stretch.end <= border:
            yield stretch
            continue
        out = _Row(stretch)
        for i in range(len(stretch)):
            span, role = stretch.span(i), stretch.roles[i]
            low = span.start if span.start < border else max(border, span.start + moved.by)
            high = span.end if span.end <= border else max(border, span.end + moved.by)
            mark = stretch.marks[i]
            inside = span.start < border < span.end
            if inside and role == UNIT:
                told, mark = True, bad
            elif inside:
                out.add(low, stretch, i, mark)
                low = border
            if span.end > border and not told:
                yield from out.take(border)
                if put_in:
                    yield tile(border, border + put_in, GAP, foreign)
                told, low = True, max(low, border + put_in)
            if low < high:
                out.add(low, stretch, i, mark)
            out.end = max(out.end, high)
        yield from out.take(out.end)
    if put_in and not told:
        yield tile(border, border + put_in, GAP, foreign)


class _Row:
    """Tiles that are gathered into one stretch."""

    def __init__(self, stretch: Stretch) -> None:
        self._clear()
        self.end = 0
        self._member = stretch.member

    def _clear(self) -> None:
        self.starts, self.roles = array("Q"), array("B")
        self.kinds, self.marks = array("H"), array("B")

    def add(self, start: int, stretch: Stretch, i: int, mark: int) -> None:
        self.starts.append(start)
        self.roles.append(stretch.roles[i])
        self.kinds.append(stretch.kinds[i])
        self.marks.append(mark)

    def take(self, end: int) -> Iterator[Stretch]:
        if self.starts:
            yield Stretch(
                self.starts[0], end, self.starts, self.roles, self.kinds, self.marks, self._member
            )  # fmt: skip
            self._clear()


def edits(found: Iterator[Edit], disk: Disk) -> Iterator[Edit]:
    """Edits of the store as it was -> of the source as it is; what was put in is dropped, lost bytes are zero."""
    moved = disk.moved
    if moved is None:
        yield from found
        return
    border, told = disk.base + moved.at, moved.by <= 0
    for edit in found:
        span = edit.origin
        if span is None or span.end <= border:
            yield edit
            continue
        if not told and (span.start >= border or edit.action == "kept"):
            head, edit = _cut(edit, border)
            if head is not None:
                yield head
            yield _dropped(border, moved)
        told = True
        yield from _behind(edit, border, moved)
    if not told:
        yield _dropped(border, moved)


def _cut(edit: Edit, border: int) -> tuple[Edit | None, Edit]:
    """The part before the border, None if there is none, and the rest."""
    span = edit.origin
    assert span is not None
    if span.start >= border:
        return None, edit
    assert edit.at is not None
    rest = replace(edit, origin=Span(border, span.end, span.member), at=edit.at + border - span.start, units=0)
    return replace(edit, origin=Span(span.start, border, span.member)), rest


def _behind(edit: Edit, border: int, moved: Moved) -> Iterator[Edit]:
    """An edit that ends behind the border; the bytes that are lost have no place, and are left zero."""
    span = edit.origin
    assert span is not None
    if edit.action == "kept" and moved.lost:
        head, edit = _cut(edit, border)
        if head is not None:
            yield head
        span = edit.origin
        assert span is not None
        assert edit.at is not None
        skip = min(span.length, max(0, border + moved.lost - span.start))
        if moved.fill and span.start <= border:
            yield Edit("added", None, moved.fill, "derived", "bytes that are the same in every store", at=edit.at)
        if skip == span.length:
            return
        edit = replace(edit, at=edit.at + skip)
        span = Span(span.start + skip, span.end, span.member)
    low = span.start if span.start < border else max(border, span.start + moved.by)
    yield replace(edit, origin=Span(low, max(border, span.end + moved.by), span.member))


def _dropped(border: int, moved: Moved) -> Edit:
    why = f"{plural(moved.by, 'byte')} put in: {moved.because}"
    return Edit("dropped", Span(border, border + moved.by), None, "none", why)
