"""Clues from the bytes of a place alone: one value, text, another program's data, a copy, bytes that do not fit."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from inspector.diagnosis import traces
from inspector.diagnosis.bytes_at import BytesAt
from inspector.diagnosis.model import Clue
from inspector.diagnosis.moves import UnitAt, lengths_behind
from inspector.diagnosis.places import Place
from inspector.finding import CauseName, Confidence

LOOK = 1 << 20  # bytes of a place that are looked at
CHAIN = 8
REST = 1024  # bytes of a cut unit that may be left beside a run
SECTOR = 512
BESIDE = 8192  # bytes on either side of a place that stand for its kind in a small store
LETTERS = 24  # of random bytes in a row that all are text: one in 10^9
LOG = 1 << 16  # bytes of a block behind whose damage nothing in it is read
PAGE = 4096
USUAL = 2  # runs in sound bytes nearby that are as long as one in a damaged place
TRANSLATED = 8192  # bytes in which a store has many newlines
SPECKS = 16  # bytes that a few flipped bits reach
SHORTEST = 32  # bytes of one value that no unit is
TEXT = "text"  # among the marks of a format whose own bytes are text
GZIP = b"\x1f\x8b\x08"


def run_clue(
    read: BytesAt, unit: UnitAt, place: Place, own: frozenset[str], parts: tuple[Place, ...], doubted: bool, mixed: bool
) -> tuple[Clue | None, bool]:
    """A run of 00 or FF that explains the place, and whether there is one that does not: more is wrong, or it is usual.

    `doubted`: a unit of this format looks wrong when the one behind it is. Zeroes that mostly lie in sound room beside
    the place are only possible: that room may have been empty all along.
    """
    more, spare = False, None
    data = read(place.start, min(place.end - place.start, LOOK))
    for found in traces.runs(data, place.start, 3):
        run = _grown(read, found)
        all_of_it = run.start <= place.start and place.end <= run.end
        if not (all_of_it and place.end - place.start >= SHORTEST) and _natural(read, place, run):
            more |= not mixed and not all_of_it
            continue
        if TEXT in own and traces.binary(_beside(read, place, run)):
            more = True
            continue
        reached = len(parts) == 1 and parts[0].end < place.end  # one unit, whose length its own bytes no longer say
        broken = tuple(p for p in parts if not ((u := unit(p.start, read)) and u.sound))
        if not _hits(broken, run, doubted) or not (reached or _covers(read, unit, place, run, own, doubted)):
            more = True
            continue
        name: CauseName = "zeroed-range" if not run.value else "ones-range"
        blocks = traces.blocks_of(run.start, run.end)
        run = traces.Run(*blocks, run.value) if blocks else run
        what = f"bytes [{run.start}, {run.end}) are all {run.value:02x}"
        whole = traces.block_of(run.start, run.end)
        tail, found_edges = read.edges(run.start, run.end)
        facts: traces.Facts = {"run_start": run.start, "run_end": run.end, "value": run.value}
        facts |= found_edges
        if run.end >= read.size:
            facts["tail"] = True  # room that was made and never written to
        how: Confidence = "certain" if whole else "likely"
        clue = Clue(name, how, what + tail, read.span(run.start, run.end), facts)
        begins = reached and run.start <= place.start and min(run.end, place.end) - place.start >= SECTOR
        if begins or not _from_room(read, place, run):  # no unit that was written begins with so many zeroes
            return clue, False
        spare = spare or replace(clue, confidence="possible")
    return spare, more


def specks(read: BytesAt, unit: UnitAt, place: Place) -> Clue | None:
    """A few bytes that are not zero in a unit that holds with zeroes alone: it was empty, and none were written."""
    length = place.end - place.start
    data = read(place.start, min(length, 2 * LOOK))
    odd = len(data) - data.count(0)
    if not 0 < odd <= SPECKS or len(data) < length or length < 8 * SHORTEST:
        return None
    found = unit(place.start, lambda at, n: bytes(n))
    if found is None or not found.sound or found.end != place.end:
        return None
    low = len(data) - len(data.lstrip(b"\0"))
    bits = int.from_bytes(data.strip(b"\0"), "little").bit_count()
    where = (
        f"{bits} bits from byte {place.start + low} on are" if bits > 1 else f"one bit of byte {place.start + low} is"
    )
    because = f"{where} all that is not zero, and all of it as zeroes holds"
    first = read.span(place.start + low, place.start + len(data.rstrip(b"\0")))
    if bits == 1:
        return Clue("bit-flip", "certain", because, first)
    return Clue("multi-bit", "likely", because, first)


def emptied(read: BytesAt, place: Place) -> Clue | None:
    """Whole sectors of 00 or FF in a place of which nothing can be read: what lies before them cannot be judged."""
    if place.end - place.start > LOOK:
        return None
    for run in traces.runs(read(place.start, place.end - place.start), place.start, 1):
        low = -(-run.start // SECTOR) * SECTOR
        high = run.end if run.end >= read.size else run.end // SECTOR * SECTOR
        much = high >= read.size or (high - low) * 4 >= place.end - place.start
        if low - run.start <= traces.CHANCE and high - low >= SECTOR and much:
            name: CauseName = "zeroed-range" if not run.value else "ones-range"
            tail, facts = read.edges(low, high)
            because = f"bytes [{low}, {high}) are all {run.value:02x}{tail}"
            facts |= {"run_start": low, "run_end": high, "value": run.value}
            return Clue(name, "likely", because, read.span(low, high), facts)
    return None


def _from_room(read: BytesAt, place: Place, run: traces.Run) -> bool:
    """Whether a run of zeroes is more of the empty room beside a place than of the place, which holds other bytes too.

    Not so at the end of a member: what was never written there tells how the writing stopped.
    """
    if run.value or run.end >= read.size or (run.start <= place.start and place.end <= run.end):
        return False
    inside = min(run.end, place.end) - max(run.start, place.start)
    return run.length - inside >= max(PAGE, inside)


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
    count = 0
    for beside in (
        read(max(0, place.start - (1 << 16)), min(place.start, 1 << 16)),
        read(max(place.end, run.end), 1 << 16),
    ):
        inner = [r for r in traces.runs(beside, 0, len(beside)) if r.start > 0 and r.end < len(beside)]
        count += sum(r.value == run.value and r.length * 2 > run.length for r in inner)
    return count >= USUAL


def _beside(read: BytesAt, place: Place, run: traces.Run) -> bytes:
    """The bytes of a place beside a run in it."""
    before = read(place.start, min(max(0, run.start - place.start), LOOK))
    return before + read(run.end, min(max(0, place.end - run.end), LOOK))


def _hits(parts: tuple[Place, ...], run: traces.Run, doubted: bool) -> bool:
    """Whether the run touches each of the damaged units: it explains none of the others."""
    missed = [p for p in parts if p.start > run.end or p.end < run.start]
    return not missed or (doubted and len(missed) == 1 and missed[0] is parts[0])


def _covers(read: BytesAt, unit: UnitAt, place: Place, run: traces.Run, own: frozenset[str], doubted: bool) -> bool:
    """Whether what lies beside the run can be the rest of units that it cut, and is no other program's."""
    head, longest, broken = place.start, REST, 0
    for _ in range(CHAIN):
        found = unit(head, read)
        if found is None or head > run.start:
            break
        longest = max(longest, found.end - head)
        head = found.end
        broken += not found.sound
        if broken > doubted:
            break
    longest = max([longest, *lengths_behind(read, unit, place.end)])
    if read.grid and read.grid[0] <= LOG and traces.blocks_of(run.start, run.end):
        longest = max(longest, read.grid[0] - run.end % read.grid[0])  # a log goes on at its next block
    if TEXT not in own and place.end - run.end > longest + traces.RUN:
        return False  # more than the rest of one unit is wrong behind it
    head = head if head > place.start else place.start + REST
    if run.start > max(head, place.start + 64):
        return False
    if traces.blocks_of(run.start, run.end):
        return True
    rim = max(place.start, run.start // 4096 * 4096)
    beside = read(rim, run.start - rim)
    return foreign(beside, rim, own) is None


def foreign(data: bytes, at: int, own: frozenset[str]) -> str | None:
    """What these bytes, which lie at `at`, are, where they show that another program wrote them."""
    text = None if TEXT in own else traces.text_run(data)
    if text:
        return f"{text[1] - text[0]} bytes of text"
    magic = traces.magic_in(data, at, own)
    return magic[1] if magic else None


def foreign_clue(
    read: BytesAt,
    place: Place,
    own: frozenset[str],
    kin: Callable[[], bytes],
    plain: dict[str, tuple[int, int]],
    values: bool = False,
) -> Clue | None:
    """Text or another program's marks in a place where this store, whose sound bytes are `kin`, has none.

    `plain` is kept from place to place: the stretch of each member that was last seen to have none.
    """
    end = min(place.end, place.start + LOOK)
    low, high = plain.get(read.member, (end, end))
    if low <= place.start and end <= high:
        return None
    data = read(place.start, end - place.start)
    text = None if TEXT in own else traces.text_run(data)
    magic = traces.magic_in(data, place.start, own)
    if not text and not magic:
        plain[read.member] = place.start, end
        return None
    usual = kin() or read(place.end, BESIDE) + read(max(0, place.start - BESIDE), min(place.start, BESIDE))
    if text and not traces.printed(usual):
        start, end = place.start + text[0], place.start + text[1]
        start, end = traces.blocks_of(start, end) or (start, end)
        tail, facts = read.edges(start, end)
        because = f"{end - start:,} bytes of another program's text lie at {start}{tail}"
        how: Confidence = "certain" if usual else "likely"  # where nothing is sound, text may be what was stored
        if values and not traces.block_of(start, end):
            how = "possible"  # few values of a store may be text, and this one of them
        return Clue("overwritten", how, because, read.span(start, end), {"text": end - start, "at": start} | facts)
    if magic and not traces.magic_in(usual, 0, own):
        at = place.start + magic[0]
        facts = {"magic": magic[1], "at": at}
        unit, begins = traces.alignment(at), ""
        if unit:
            begins = f", from a boundary of {unit} bytes on ({traces.NAMES[unit]}; by chance one in {unit:,})"
            facts |= {"alignment": unit, "one_in": unit}
        because = f"{magic[1]} at {at}{begins}: another file's bytes were written here"
        return Clue("overwritten", "likely", because, read.span(at, min(place.end, at + (unit or SECTOR))), facts)
    return None


def packed(read: BytesAt, place: Place) -> bool:
    """Whether a place in a text begins a gzip member: packed logs are logs."""
    return read(place.start, len(GZIP)) == GZIP


def binary_clue(read: BytesAt, place: Place) -> Clue | None:
    """Bytes that are no text in a text: one that a flipped bit made, or whole sectors."""
    base = max(0, place.start - 4096)  # a line that reads by chance may lie among them
    data = read(base, min(place.end - base + 4096, LOOK))
    odd = traces.not_text(data, place.start - base)
    if odd is None:
        return None
    start, end, count = base + odd[0], base + odd[1], odd[2]
    if count == 1:
        byte = data[odd[0]]
        bits = [bit for bit in range(8) if not traces.not_text(bytes([byte ^ 1 << bit]), 0)]
        if not bits:
            return None
        one = f"bit {bits[-1]}" if len(bits) == 1 or byte & 0x80 else "one bit"
        because = f"byte {start} is no text ({byte:02x}), and with {one} of it flipped it is: all else in the line is"
        return Clue("bit-flip", "likely", because, read.span(start, end), {"flip_at": start})
    low, high = start // SECTOR * SECTOR, -(-end // SECTOR) * SECTOR
    edge = traces.block_of(low, high)
    # some of any bytes are letters: the first that is none lies a little behind the boundary
    if edge is None or start - low > LETTERS or high - end > LETTERS:
        return None
    because = f"bytes [{low}, {high}) are no text, as whole blocks of {edge} bytes ({traces.NAMES[edge]})"
    return Clue("overwritten", "likely", because, read.span(low, high), {"alignment": edge})


def newlines_clue(read: BytesAt, place: Place) -> Clue | None:
    """A part of the file went through a text translation."""
    found = traces.newlines_from(read(place.start, min(max(place.end - place.start, TRANSLATED), LOOK)))
    if found is None or place.start + found[0] >= place.end:
        return None
    start, end, count = place.start + found[0], place.start + found[1], found[2]
    while (more := read(end, LOOK)) and (again := traces.newlines_from(more)) and b"\n" not in more[: again[0]]:
        end, count = end + again[1], count + again[2]
    because = f"each of {count} bytes 0a in [{start}, {end}) follows a 0d: a part was written in text mode"
    facts: traces.Facts = {"translation": "newlines", "at": start}
    return Clue("shifted", "certain", because, read.span(start, end), facts)
