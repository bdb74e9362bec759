"""A log without the lines that are no text; every other line byte for byte. A packed log is written unpacked."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.errors import RefusedError
from inspector.format import UNIT, Edit, Plan, Stretch, Wishes
from inspector.formats.kad_trace.lines import Block, blocks
from inspector.formats.kad_trace.packed import Member, Unpacked
from inspector.formats.kad_trace.state import KIND_LINE, State, open_log, tiles
from inspector.formats.kad_trace.views import followed
from inspector.span import Span


def plan(state: State, wishes: Wishes) -> Plan:
    size = state.source.size
    damaged = state.damaged or any(m.problem for m in state.unpacked.members)
    if not damaged:
        return Plan(
            [Edit("kept", Span(0, size), units=state.lines)] if size else [], size, notes=["nothing to leave out"]
        )
    notes = ["what the log tells about bootstraps stays as it is; only lines that are no text are left out"]
    if any(boot.hidden for boot in followed(state)):
        notes = [
            "only lines that are no text are left out; what they may have hidden of a bootstrap looks like silence "
            "then: judge a stall by the damaged log"
        ]
    if not state.packed:
        return Plan(_lines(state), size, notes=notes)
    accepted = "unsealed" in wishes.accept
    notes.append("the log is written unpacked")
    if not accepted and all(m.problem for m in state.unpacked.members):
        raise RefusedError(
            "no gzip member has a good checksum: no text of this log is proved",
            f"--accept unsealed writes the {state.text_size} bytes that could be unpacked",
        )
    if not accepted and any(m.problem for m in state.unpacked.members):
        notes.append("--accept unsealed also writes the text of a gzip member whose checksum does not hold")
    return Plan(_unpacked(state, accepted), state.text_size, notes=notes)


def _lines(state: State) -> Iterator[Edit]:
    """Neighbouring tiles of one fate become one edit."""
    at, kept, units = 0, True, 0
    end = 0
    for block in blocks(state.text()):
        stretch = _tiled(state, block)
        starts = [*stretch.starts, stretch.end]
        for index, kind in enumerate(stretch.kinds):
            good = kind == KIND_LINE
            if good != kept:
                yield from _edit(at, starts[index], kept, units)
                at, kept, units = starts[index], good, 0
            units += stretch.roles[index] == UNIT
        end = stretch.end
    yield from _edit(at, end, kept, units)


def _tiled(state: State, block: Block) -> Stretch:
    """The tiles of a block; the damage that they note was told by a scan."""
    return tiles(open_log(state.source, None, Wishes()), block)


def _edit(start: int, end: int, kept: bool, units: int) -> Iterator[Edit]:
    if start < end and kept:
        yield Edit("kept", Span(start, end), units=units)
    elif start < end:
        yield Edit("lost", Span(start, end), why="no text", units=units)


def _unpacked(state: State, accepted: bool) -> Iterator[Edit]:
    members = state.unpacked.members
    for member in members:
        span = Span(member.start, member.end)
        if not member.problem:
            yield Edit("corrected", span, b"", "sealed", "unpacked", 1)
        elif accepted:
            yield Edit("corrected", span, b"", "none", f"unpacked as far as it goes: {member.problem}", 1)
        else:
            yield Edit("lost", span, why=member.problem, units=1)
    if state.unpacked.rest < state.source.size:
        yield Edit("dropped", Span(state.unpacked.rest, state.source.size), why="bytes behind the last gzip member")
    for block in blocks(Unpacked(state.source.size).text(data for _, data in state.source.windows())):
        stretch = _tiled(state, block)
        starts = [*stretch.starts, stretch.end]
        for start, end, kind in zip(starts, starts[1:], stretch.kinds, strict=False):
            if kind != KIND_LINE:
                continue
            for piece in _sealed_part(members, start, end, accepted):
                data = block.data[piece.start - block.at : piece.end - block.at]
                sealed = not _member_at(members, piece.start).problem
                yield Edit("added", data=data, proof="sealed" if sealed else "none", why="a line of the unpacked text")


def _sealed_part(members: list[Member], start: int, end: int, accepted: bool) -> Iterator[Span]:
    """The part of a line that comes from members that may be written."""
    for member in members:
        low, high = max(start, member.text_start), min(end, member.text_end)
        if low < high and (accepted or not member.problem):
            yield Span(low, high)


def _member_at(members: list[Member], at: int) -> Member:
    return next(m for m in members if m.text_start <= at < m.text_end)
