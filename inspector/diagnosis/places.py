"""From findings to places: which of them are about bytes that are wrong, and where each place begins and ends."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from inspector.finding import Finding, Severity
from inspector.span import Span

_WRITTEN = frozenset({"software-rule-violation", "newer-version"})


class Place(Struct):
    """Bytes that are wrong, with the findings that say so; `explained` when an event covers it."""

    span: Span
    findings: list[Finding]
    explained: bool = False

    @property
    def start(self) -> int:
        return self.span.start

    @property
    def end(self) -> int:
        return self.span.end


def is_damage(found: Finding) -> bool:
    """About bytes that are not what was written, as far as the rule tells; not about what a program wrote wrong."""
    if not found.bytes_known or found.cause.name in _WRITTEN or found.rule.code.startswith("INS"):
        return False
    if found.cause.name == "unknown" and found.cause.confidence == "certain":
        return False  # legal, or told elsewhere
    return found.rule.severity is not Severity.NOTE or found.cause.name != "unknown"


def places(findings: Iterable[Finding], codes: frozenset[str]) -> list[Place]:
    """Places in order; findings about the same bytes are one. `codes` are the rules that are about bytes."""
    out: list[Place] = []
    for found in sorted(findings, key=lambda f: (f.span.member, f.span.start, -f.span.end)):
        if found.rule.code not in codes or not is_damage(found):
            continue
        last = out[-1] if out else None
        if last and last.span.member == found.span.member and found.span.start <= last.end and _same(last, found):
            last.findings.append(found)
            last.span = Span(last.start, max(last.end, found.span.end), found.span.member)
        else:
            out.append(Place(found.span, [found]))
    return out


def _same(place: Place, found: Finding) -> bool:
    """Units that merely touch stay apart: each may have its own flipped bit."""
    return found.span.start < place.end or found.span.length == 0 or place.span.length == 0


class Region(Struct, frozen=True):
    """A place with the damaged units that follow it at once; `parts` are all of them."""

    place: Place
    parts: tuple[Place, ...]

    @property
    def single(self) -> bool:
        return len(self.parts) == 1


def region_of(place: Place, found: list[Place]) -> Region:
    """A place and those that follow it without a sound byte between: what hit several units hit them at once."""
    end, parts = place.end, [place]
    at = next(i for i, one in enumerate(found) if one is place)
    for other in found[at + 1 :]:
        if other.span.member != place.span.member or other.start > end or other.explained or _flipped(other):
            break
        end = max(end, other.end)
        parts.append(other)
    return Region(Place(Span(place.start, end, place.span.member), place.findings), tuple(parts))


def _flipped(place: Place) -> bool:
    """Whether the format has proved another cause for it."""
    return any(f.cause.name == "bit-flip" and f.cause.confidence == "certain" for f in place.findings)
