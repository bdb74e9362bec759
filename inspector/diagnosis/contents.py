"""Clues from the bytes of a place alone: one value, text, another program's data, a copy, bytes that do not fit."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

from inspector.diagnosis import traces
from inspector.diagnosis.bytes_at import Budget, BytesAt
from inspector.diagnosis.copies import copies, repeats
from inspector.diagnosis.model import Clue
from inspector.diagnosis.moves import UnitAt
from inspector.diagnosis.places import Place
from inspector.finding import CauseName, Confidence

LOOK = 1 << 20  # bytes of a place that are looked at
CHAIN = 8
REST = 1024  # bytes of a cut unit that may be left beside a run
SECTOR = 512
FEW = 8192  # sound bytes that show only a part of a kind
SAMPLES = 400  # places of a member that are looked at for its kind
KIN = 20_000  # bytes of them that are kept
MOST = 1 << 20  # bytes of a place that are held against its kind
MARGIN = 0.04  # of the packed size, by which sectors of one kind differ
TEXT = "text"  # among the marks of a format whose own bytes are text


def run_clue(read: BytesAt, unit: UnitAt, place: Place, own: frozenset[str]) -> Clue | None:
    """A run of 00 or FF that explains the place: nothing else in it has to be wrong."""
    data = read(place.start, min(place.end - place.start, LOOK))
    for found in traces.runs(data, place.start)[:3]:
        run = _grown(read, found)
        if _natural(read, place, run) or not _covers(read, unit, place, run, own):
            continue
        name: CauseName = "zeroed-range" if not run.value else "ones-range"
        blocks = traces.blocks_of(run.start, run.end)
        run = traces.Run(*blocks, run.value) if blocks else run
        what = f"bytes [{run.start}, {run.end}) are all {run.value:02x}"
        whole = traces.block_of(run.start, run.end)
        edge = whole or traces.alignment(run.start) or traces.alignment(run.end)
        facts: dict[str, int | str | bool] = {"run_start": run.start, "run_end": run.end, "value": run.value}
        if edge:
            facts["alignment"] = edge
        if run.end >= read.size:
            facts["tail"] = True  # room that was made and never written to
        ends = "both ends lie" if whole else "one end lies"
        how: Confidence = "certain" if whole else "likely"
        tail = f", and {ends} on a boundary of {edge} bytes" if edge else ", on no block boundary"
        return Clue(name, how, what + tail, read.span(run.start, run.end), facts)
    return None


def _grown(read: BytesAt, run: traces.Run) -> traces.Run:
    """The run to its own ends, up to a MiB each way."""
    start, end = run.start, run.end
    one = bytes([run.value])
    while end - run.end < LOOK and (more := read(end, 4096)):
        kept = len(more) - len(more.lstrip(one))
        end += kept
        if kept < len(more):
            break
    while run.start - start < LOOK and start > 0:
        more = read(max(0, start - 4096), min(4096, start))
        kept = len(more) - len(more.rstrip(one))
        start -= kept
        if kept < len(more):
            break
    return traces.Run(start, end, run.value)


def _natural(read: BytesAt, place: Place, run: traces.Run) -> bool:
    """Whether sound bytes hold such runs among others, so that this one tells nothing; free room is no such run."""
    if traces.blocks_of(run.start, run.end):
        return False
    like = bytes([run.value]) * max(4, run.length // 2 + 1)
    if run.length < traces.RUN:
        near = read(max(0, place.start - (1 << 15)), min(place.start, 1 << 15)), read(place.end, 1 << 15)
        return any(like in side for side in near)
    before = read(max(0, place.start - (1 << 16)), min(place.start, 1 << 16))
    found = traces.runs(before, 0)
    return any(r.value == run.value and r.length * 2 > run.length for r in found if r.start > 0 and r.end < len(before))


def _covers(read: BytesAt, unit: UnitAt, place: Place, run: traces.Run, own: frozenset[str]) -> bool:
    """Whether what lies beside the run can be the rest of units that it cut, and is no other program's."""
    head = place.start
    for _ in range(CHAIN):  # units that look whole and are doubted for what follows them
        found = unit(head, read)
        if found is None or head > run.start:
            break
        head = found.end
    head = head if head > place.start else place.start + REST
    if run.start > max(head, place.start + 64):
        return False
    if traces.blocks_of(run.start, run.end):
        return True
    rim = max(place.start, run.start // 4096 * 4096)
    beside = read(rim, run.start - rim)
    return foreign(beside, own) is None


def foreign(data: bytes, own: frozenset[str]) -> str | None:
    """What these bytes are, where they show that another program wrote them."""
    text = None if TEXT in own else traces.text_run(data)
    if text:
        return f"{text[1] - text[0]} bytes of text"
    magic = traces.magic_in(data, own)
    return magic[1] if magic else None


def foreign_clue(read: BytesAt, place: Place, own: frozenset[str]) -> Clue | None:
    """Text or another program's marks in a place where this format has none."""
    data = read(place.start, min(place.end - place.start, LOOK))
    text = None if TEXT in own else traces.text_run(data)
    if text:
        start, end = place.start + text[0], place.start + text[1]
        because = f"{end - start:,} bytes of another program's text lie at {start}{_edges(start, end)}"
        return Clue("overwritten", "certain", because, read.span(start, end), {"text": end - start, "at": start})
    magic = traces.magic_in(data, own)
    if magic:
        at = place.start + magic[0]
        because = f"{magic[1]} at {at}{_edges(at, at)}: another file's bytes were written here"
        return Clue("overwritten", "likely", because, place.span, {"magic": magic[1], "at": at})
    return None


def _edges(start: int, end: int) -> str:
    unit = traces.alignment(start) or traces.alignment(end)
    return f", on a boundary of {unit} bytes" if unit else ""


def copy_clue(read: BytesAt, place: Place, budget: Budget) -> Clue | None:
    """The place holds bytes that stand elsewhere, too: an old page, or one written to two places."""
    found = copies(read, place.start, max(place.end, place.start + SECTOR), budget)
    if found is None:
        return None
    if found.block is None:
        if found.length < 2 * SECTOR and repeats(read, max(0, place.start - 4096), 2048, budget):
            return None
        how: Confidence = "likely"
        start, end, tail = found.start, found.end, ""
    else:
        how = "certain"
        start, end = found.block
        tail = f", as whole blocks of {traces.block_of(start, end) or SECTOR}"
    there = found.source + start - found.start
    because = f"bytes [{start}, {end}) stand at {there} as well{tail}: a page of another place, or an older one"
    facts: dict[str, int | str | bool] = {"copy_of": there, "length": end - start}
    return Clue("stale-page", how, because, read.span(start, end), facts)


def strange(read: BytesAt, place: Place, kin: bytes) -> tuple[int, int] | None:
    """Sectors of the place that do not pack beside sound bytes as sound sectors do: [start, end) or None."""
    near = read(place.end, 12288) + read(max(0, place.start - 12288), min(place.start, 12288))
    near = kin + _without_runs(near)
    size = SECTOR if len(near) >= 16 * SECTOR else SECTOR // 2
    usual = _usual(near, size)
    if usual is None:
        return None
    low, high = usual  # what packs outside of these is of another kind
    if len(near) < FEW and low < 0.6:
        low, high = 0.0, 0.93  # a small store shows a part of its kind: strange is what knows nothing of it
    start = place.start - place.start % size
    odd: list[int] = []
    sure = False  # one sector alone must differ more
    for at in range(start, min(place.end, start + MOST), size):
        begin, end = max(at, place.start), min(at + size, place.end)
        packed = traces.packs(read(begin, end - begin), near) if end - begin >= size * 3 // 4 else (low + high) / 2
        if not low < packed < high:
            odd.append(at)
            sure |= not low - MARGIN < packed < high + MARGIN
    neighbours = any(b - a == size for a, b in pairwise(odd))
    return (odd[0], odd[-1] + size) if odd and (sure or neighbours) else None


def kin_of(read: BytesAt, places: list[Place]) -> bytes:
    """Sound bytes from all over the member, to know what its own kind looks like."""
    out = bytearray()
    hurt = [p for p in places if p.span.member == read.member]
    for at in range(0, read.size - SECTOR, max(4 * SECTOR, read.size // SAMPLES)):
        if not any(p.start < at + 4 * SECTOR and at < p.end for p in hurt):
            out += _without_runs(read(at, 4 * SECTOR))
    # of many samples an even share of each: zlib looks back over 32 KiB
    share = max(1, -(-len(out) // KIN))
    parts = [out[k : k + SECTOR] for k in range(0, len(out), SECTOR * share)]
    return bytes(b"".join(parts))


def _without_runs(data: bytes) -> bytes:
    """Zeroes and ones tell nothing about a kind."""
    return traces.RUNS.sub(b"", data)


def _usual(near: bytes, size: int) -> tuple[float, float] | None:
    """How well sectors of the neighbourhood pack beside the rest of it: the bounds that none of them passes."""
    if len(near) < 8 * size:
        return None
    step = max(size, len(near) // 24 // size * size)
    found = [
        traces.packs(near[at : at + size], near[:at] + near[at + size :]) for at in range(0, len(near) - size + 1, step)
    ]
    mean, spread = fmean(found), pstdev(found)
    margin = max(MARGIN, 4 * spread)
    return min(min(found) - MARGIN, mean - margin), max(max(found) + MARGIN, mean + margin)
