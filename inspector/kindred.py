"""The units of a store that carry the same ids as what is needed: a damage may show only beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from inspector.finding import Finding
from inspector.source import Source

if TYPE_CHECKING:
    from inspector.units import Units

Kin = Callable[[bytes], Iterable[bytes]]  # the ids in the bytes of a unit

MOST_IDS: Final = 32  # ids that are looked for in the whole source
MOST_KIN: Final = 400  # units that carry the same id as damage does, the first and the last of them
LONGEST: Final = 1 << 16  # bytes of a unit in which ids are looked for
CHUNK: Final = 4 << 20


def related(source: Source, units: Units, findings: Sequence[Finding], needed: set[int], kin: Kin) -> set[int]:
    """Units with the same ids as what is needed, and those right behind."""
    found: set[int] = set()
    ids: dict[bytes, None] = {}
    right: dict[int, tuple[int, int]] = {}
    for f in findings:
        at, bit = f.evidence.get("flip_at"), f.evidence.get("flip_bit")
        if isinstance(at, int) and isinstance(bit, int) and f.span.start <= at < f.span.start + LONGEST:
            right[f.span.start] = (at, 1 << bit)
    for index in sorted(needed)[:MOST_KIN]:
        start, end = units.span(index)
        raw = source.read(start, min(end - start, LONGEST))
        ids.update(dict.fromkeys(kin(raw)))
        if start in right:  # a flipped bit may be one of an id
            at, bit = right[start]
            ids.update(dict.fromkeys(kin(raw[: at - start] + bytes([raw[at - start] ^ bit]) + raw[at - start + 1 :])))
    telling = [
        one for one in ids if one and one.count(one[0]) != len(one)
    ]  # bytes that are all the same are nobody's id
    for needle in telling[:MOST_IDS]:
        more = _carriers(source, units, needle)
        found |= more | {i + 1 for i in more if i + 1 < len(units.starts)}
    return found


def _carriers(source: Source, units: Units, needle: bytes) -> set[int]:
    """The first and the last units in which these bytes stand, each found once."""
    found: list[int] = []
    tail = b""
    for start, data in source.windows(size=CHUNK):
        base, held = start - len(tail), tail + data
        place = held.find(needle)
        while place >= 0:
            index = units.at(base + place)
            if not found or found[-1] != index:
                found.append(index)
            place = held.find(needle, max(place + 1, units.span(index)[1] - len(needle) + 1 - base))
        tail = held[-len(needle) + 1 :]
        if len(found) > 4 * MOST_KIN:
            found = found[: MOST_KIN // 2] + found[-MOST_KIN:]
    return set(found[: MOST_KIN // 2]) | set(found[-MOST_KIN // 2 :])
