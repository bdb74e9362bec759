"""Which bytes of a source a capsule holds, which are zeroes, and which another walk vouches for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from inspector import capsule
from inspector.capsule_file import COPY
from inspector.recorder import Recorder
from inspector.source import Source
from inspector.span import Run, merged
from inspector.uniform import only_zeroes

UNIT: Final = 4096  # runs of zeroes are found in units of this size


def chart_of(source: Source, recorder: Recorder, data: IO[bytes], told: IO[bytes]) -> tuple[list[dict[str, Any]], int]:
    """Copy what was read; each member's ranges, runs of zeroes and runs vouched for, and the bytes copied."""
    members, total = [], 0
    for member in source.members:
        ranges: list[tuple[int, int]] = []
        zeros: list[tuple[int, int]] = []
        for start, end in recorder.noted.wanted(member.name):
            for at, upto, piece in _pieces(source, member.name, start, end):
                into = ranges if piece else zeros
                if into and into[-1][1] == at:
                    into[-1] = (into[-1][0], upto)
                else:
                    into.append((at, upto))
                total += data.write(piece)
        whole = sum(end - start for start, end in (*ranges, *zeros)) == member.size  # then nobody need be believed
        extents = [] if member.secret else [(s.start, s.end) for s in source.data_ranges(member.name)]
        members.append(
            {
                "name": member.name,
                "size": member.size,
                "mtime_ns": member.mtime_ns,
                "ranges": ranges,
                "zeros": zeros,
                "vouched": [] if whole else list(_runs_of(recorder, member.name, told)),
                "extents": extents,
            }
        )
    data.flush()
    told.flush()
    return members, total


def _runs_of(recorder: Recorder, member: str, told: IO[bytes]) -> Iterator[capsule.Run]:
    """Which walk, start, end, and where its words are put in `told`, of each run of a member that is vouched for."""
    noted = recorder.noted
    for (name, what), runs in sorted(noted.runs.items()):
        for start, (end, place, length) in sorted(runs.items()) if name == member else ():
            noted.told.seek(place)
            yield what, start, end, told.tell(), told.write(noted.told.read(length))


def held_of(chart: Mapping[str, Any]) -> list[Run]:
    return merged((*chart["ranges"], *chart["zeros"]))


def vouched_of(chart: Mapping[str, Any]) -> list[Run]:
    return merged((start, end) for _, start, end, _, _ in chart["vouched"])


def _pieces(source: Source, member: str, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """[start, end) in order as runs [low, high) with their bytes; of those that are all zero without."""
    at = start
    while at < end:
        if (hole := min(source.hole_end(at, member), end)) > at:
            yield at, hole, b""
            at = hole
            continue
        data = source.read(at, min(COPY - at % COPY, end - at), member)
        low = 0
        if data and only_zeroes(data):
            yield at, at + len(data), b""
            low = len(data)
        while low < len(data):
            high = low
            empty = _empty(data, low, at)
            while high < len(data) and _empty(data, high, at) == empty:
                high = min(len(data), high + UNIT - (at + high) % UNIT)
            yield at + low, at + high, b"" if empty else data[low:high]
            low = high
        at += len(data)
        if not data:
            return


def _empty(data: bytes, low: int, base: int) -> bool:
    high = min(len(data), low + UNIT - (base + low) % UNIT)
    return data.count(0, low, high) == high - low
