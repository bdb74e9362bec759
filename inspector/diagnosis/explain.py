"""One place after the other: the first explanation that the bytes bear out, from what proves most to what is left."""

from __future__ import annotations

from dataclasses import dataclass, field

from inspector.diagnosis import contents, moves, traces
from inspector.diagnosis.bytes_at import Budget, BytesAt, Read
from inspector.diagnosis.model import Clue
from inspector.diagnosis.places import Place
from inspector.finding import UNKNOWN_CAUSE, Cause, Confidence
from inspector.format import Format, State, Traits, Unit
from inspector.source import Source

_PROVED = frozenset({"bit-flip", "appended-store", "unreadable-medium", "truncated"})
CLOSE = 4096  # bytes behind a place in which the other end of one block's damage may lie
BITS = 1 << 16  # bytes of a unit in which a few flipped bits were looked for


@dataclass(slots=True)
class Scene:
    """What all places of one inspection share."""

    source: Source
    form: Format
    state: State
    places: list[Place]
    budget: Budget = field(default_factory=Budget)
    readers: dict[str, BytesAt] = field(default_factory=dict)
    translated: dict[str, Clue | None] = field(default_factory=dict)
    kinds: dict[str, bytes] = field(default_factory=dict)
    traits: Traits | None = None

    def __post_init__(self) -> None:
        self.traits = self.form.traits() if self.form.traits else None

    def read(self, member: str) -> BytesAt:
        if member not in self.readers:
            self.readers[member] = BytesAt(self.source, member, self.source.length(member))
        return self.readers[member]

    def unit_at(self, member: str) -> moves.UnitAt:
        """The format's own view of units of this member."""
        traits, state = self.traits, self.state

        def unit(at: int, read: Read) -> Unit | None:
            return traits.unit(state, member, at, read) if traits else None

        return unit

    def kin(self, member: str) -> bytes:
        if member not in self.kinds:
            self.kinds[member] = contents.kin_of(self.read(member), [self.reach(p) for p in self.places])
        return self.kinds[member]

    def reach(self, place: Place) -> Place:
        """The place with all bytes that belong to it."""
        asked = self.traits.reach if self.traits else None
        return Place(asked(self.state, place.span), place.findings) if asked else place

    @property
    def mixed(self) -> bool:
        return self.traits is not None and self.traits.mixed

    @property
    def marks(self) -> frozenset[str]:
        return self.traits.marks if self.traits else frozenset()

    def alone(self, place: Place) -> bool:
        """Whether nothing else is wrong close behind a place; a log that moved is wrong at each of its block's ends."""
        member, end = place.span.member, place.end
        near = [p for p in self.places if p.span.member == member and end <= p.start < end + CLOSE and not p.explained]
        return all(_misplaced(self, self.read(member), p) for p in near)

    def surplus(self, member: str) -> int:
        asked = self.traits.surplus if self.traits else None
        return (asked(self.state, member) or 0) if asked else 0


def explain(scene: Scene, place: Place, region: Place) -> Clue | None:
    """The best supported cause of a place; None where its bytes tell nothing that its findings do not say.

    `region` is the place with the damaged units that follow it at once: what hit all of them is looked for there.
    """
    member = place.span.member
    read, unit = scene.read(member), scene.unit_at(member)
    told = best_of(place)
    region = scene.reach(region)
    translated = _translation(scene, member)
    if translated:
        return translated
    if told and told.name in _PROVED and told.confidence != "possible":
        return None
    if told and told.name == "shifted" and told.confidence == "certain":
        return None
    run = contents.run_clue(read, unit, region, scene.marks)
    if run:
        surplus = scene.surplus(member)
        put_in = surplus > 0 and abs(run.span.length - surplus) <= traces.CHANCE
        return (moves.displaced(read, unit, place, surplus, scene.budget) if put_in else None) or run
    if told and told.name == "multi-bit" and told.confidence == "certain":
        return None
    flipped = _misplaced(scene, read, place) or _flipped(scene, place)
    if flipped:
        return flipped
    if contents.TEXT in scene.marks:
        return contents.foreign_clue(read, region, scene.marks)
    foreign = contents.foreign_clue(read, region, scene.marks)
    if foreign and foreign.confidence == "certain":
        return foreign
    return (
        contents.copy_clue(read, region, scene.budget)
        or _displaced(scene, read, unit, region)
        or moves.swapped(read, unit, place, region, scene.places, scene.budget)
        or _shift(scene, read, unit, region)
        or foreign
        or _cut(scene, read, unit, place)
        or _rest(scene, read, unit, region, told)
    )


def best_of(place: Place) -> Cause | None:
    """The surest cause that the format names for this place."""
    order: dict[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}
    named = [f.cause for f in place.findings if f.cause.name != "unknown"]
    return min(named, key=lambda c: order[c.confidence], default=None)


def _translation(scene: Scene, member: str) -> Clue | None:
    """A transfer in text mode hits the whole member at once."""
    if member not in scene.translated:
        scene.translated[member] = None
        if contents.TEXT not in scene.marks:
            read = scene.read(member)
            first = next((p for p in scene.places if p.span.member == member), None)
            starts = {0, max(0, first.start - 4096)} if first else {0}
            for at in sorted(starts):
                found = traces.translation(read(at, traces.SAMPLE))
                if found:
                    facts: dict[str, int | str | bool] = {"translation": found[0]}
                    span = read.span(0, read.size)
                    scene.translated[member] = Clue("shifted", "certain", found[1], span, facts, whole=True)
                    break
    return scene.translated[member]


def _misplaced(scene: Scene, read: BytesAt, place: Place) -> Clue | None:
    """A unit that holds, in a place where it cannot have been written."""
    asked = scene.traits.misplaced if scene.traits else None
    found = asked(scene.state, place.span.member, place.start, read) if asked else None
    return Clue(found[0], "certain", found[1], place.span) if found else None


def _flipped(scene: Scene, place: Place) -> Clue | None:
    """One or two flipped bits that make the unit's checksum hold."""
    asked = scene.traits.flipped if scene.traits else None
    if asked is None or not scene.budget.spend(1 + (place.end - place.start) // 256):
        return None
    found = asked(scene.state, place.span)
    if found is None:
        return None
    bits, because = found
    return Clue("bit-flip" if bits == 1 else "multi-bit", "certain" if bits == 1 else "likely", because, place.span)


def _displaced(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """The member's length is wrong, and what lies behind the place has moved by as much."""
    surplus = scene.surplus(place.span.member)
    return moves.displaced(read, unit, place, surplus, scene.budget) if surplus else None


def _shift(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    surplus = scene.surplus(place.span.member)
    # zeroes behind the end are not what moved this
    if surplus and (surplus < 0 or surplus % 512 or read(read.size - surplus, surplus).strip(b"\0")):
        first = unit(place.start, read)
        last = first is not None and first.end >= read.size - surplus and place.end < read.size
        more = surplus > 0 and place.start < read.size - surplus
        if more or last or (scene.traits and scene.traits.tailed):
            return moves.of_length(read, place, surplus)
    found = _followed(scene, read, unit, place)
    if found:
        return found
    found = moves.inserted(read, unit, place, scene.budget)
    return found or (moves.lost(read, unit, place, scene.budget) if scene.alone(place) else None)


def _followed(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """The unit behind the broken one stands elsewhere than where the broken one ends."""
    asked = scene.traits.follower if scene.traits else None
    first = unit(place.start, read)
    if asked is None or first is None:
        return None
    limit = min(read.size, place.end + (1 << 17))
    begins = asked(scene.state, place.span.member, place.start, read, limit)
    return moves.by_follower(read, place, begins - first.end) if begins is not None and begins != first.end else None


def _cut(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """The file ends inside the unit."""
    if place.end < read.size:
        return None
    asked = scene.traits.endless if scene.traits else None
    why = asked(scene.state, place.span.member) if asked else None
    if why:
        return Clue("truncated", "likely", why, place.span)
    first = unit(place.start, read)
    if first is None or first.end <= read.size:
        return None
    edge = traces.alignment(read.size)
    tail = f", on a boundary of {edge} bytes" if edge else ""
    told = best_of(place)
    if told and told.name in ("torn-write", "truncated"):
        return None
    because = f"the file ends {first.end - read.size:,} bytes before the unit does{tail}"
    return Clue("truncated", "likely", because, place.span, {"missing": first.end - read.size})


def _rest(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place, told: Cause | None) -> Clue | None:
    """What is left: bytes that are not of this store's kind, or a few wrong bits in a unit that stands in its place."""
    weak = told is None or told.confidence == "possible"
    if told and not weak and told.name not in ("overwritten", "torn-write", "multi-bit"):
        return None
    first = unit(place.start, read)
    length = place.end - place.start
    odd = None if scene.mixed else contents.strange(read, place, scene.kin(place.span.member))
    if odd:
        start, end = odd
        edge = traces.block_of(start, end)
        tail = f", as whole blocks of {edge}" if edge else ""
        because = f"bytes [{start}, {end}) are not of the kind that this store holds{tail}"
        facts: dict[str, int | str | bool] = {"alignment": edge} if edge else {}
        return Clue("overwritten", "likely", because, read.span(max(start, place.start), min(end, place.end)), facts)
    if told and told.name != "unknown":
        return None
    if first is not None and first.end >= place.end and not first.sound:
        if length > BITS or any(f.cause.name == "unknown" and f.cause != UNKNOWN_CAUSE for f in place.findings):
            return None  # too long to be tried, or the format knows why it cannot be told
        because = "the unit stands in its place, nothing in it is of another kind, and no one bit explains its checksum"
        return Clue("multi-bit", "possible", because, place.span)
    if moves.between_sound(read, unit, place) and length < 512:
        if moves.whole_units(read, unit, place):
            because = (
                f"{length} bytes are as long as whole units here: none is missing, and what a unit begins with is gone"
            )
            return Clue("overwritten", "possible", because, place.span)
        if not scene.alone(place):
            return None  # the other end of a block that hit both places is as likely
        because = f"{length} bytes between two sound units are the rest of one or two: bytes are missing among them"
        return Clue("shifted", "possible", because, place.span)
    head = first.end if first is not None else place.start
    if place.end > head and length >= 512:
        block = _block_inside(place, head)
        tail = f"; a block of {block[1]} bytes at {block[0]} covers them" if block else ""
        because = f"nothing in {length:,} bytes is what was due, and no shift explains it{tail}"
        return Clue("overwritten", "likely" if block else "possible", because, place.span)
    return None


def _block_inside(place: Place, head: int) -> tuple[int, int] | None:
    """An aligned block that begins in the first broken unit and ends before the place does."""
    for at, size in traces.aligned_within(place.start, max(head, place.start + 64)):
        if at + size <= place.end:
            return at, size
    return None
