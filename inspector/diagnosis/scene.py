"""What all places of one inspection share while their causes are looked for."""

from __future__ import annotations

from msgspec import Struct, field

from inspector.diagnosis import kinship, moves
from inspector.diagnosis.bytes_at import Budget, BytesAt, Read
from inspector.diagnosis.model import Clue
from inspector.diagnosis.places import Place
from inspector.format import Format, State, Traits, Unit
from inspector.source import Source
from inspector.span import Span

MOST_UNITS = 4096  # of a member that are known: damaged places one behind the other ask for the same
CLOSE = 4096  # bytes behind a place in which the other end of one block's damage may lie


class Scene(Struct):
    """What all places of one inspection share."""

    source: Source
    form: Format
    state: State
    places: list[Place]
    budget: Budget = field(default_factory=Budget)
    readers: dict[str, BytesAt] = field(default_factory=dict)
    translated: dict[str, Clue | None] = field(default_factory=dict)
    kinds: dict[str, bytes] = field(default_factory=dict)
    units: dict[str, dict[int, Unit | None]] = field(default_factory=dict)  # as they lie, by offset
    plain: dict[str, tuple[int, int]] = field(default_factory=dict)  # the last stretch without another program's marks
    drifts: dict[tuple[str, int, int], int | None] = field(default_factory=dict)  # by member, start, end of a place
    traits: Traits | None = None

    def __post_init__(self) -> None:
        self.traits = self.form.traits() if self.form.traits else None

    def read(self, member: str) -> BytesAt:
        if member not in self.readers:
            grid = self.traits.grid(self.state, member) if self.traits and self.traits.grid else None
            self.readers[member] = BytesAt(self.source, member, self.source.length(member), grid)
        return self.readers[member]

    def unit_at(self, member: str) -> moves.UnitAt:
        """The format's own view of units of this member."""
        traits, state = self.traits, self.state
        own, known = self.read(member), self.units.setdefault(member, {})

        def unit(at: int, read: Read) -> Unit | None:
            if traits is None:
                return None
            if read is not own:
                return traits.unit(state, member, at, read)
            if at not in known:
                if len(known) >= MOST_UNITS:
                    known.clear()
                known[at] = traits.unit(state, member, at, read)
            return known[at]

        return unit

    def kin(self, member: str) -> bytes:
        if member not in self.kinds:
            self.kinds[member] = kinship.kin_of(self.read(member), [self.reach(p) for p in self.places])
        return self.kinds[member]

    def reach(self, place: Place) -> Place:
        """The place with all bytes that belong to it."""
        asked = self.traits.reach if self.traits else None
        return Place(asked(self.state, place.span), place.findings) if asked else place

    @property
    def doubts(self) -> bool:
        """Whether a unit looks wrong when the one behind it is."""
        return self.traits is not None and self.traits.follower is not None

    @property
    def mixed(self) -> bool:
        return self.traits is not None and self.traits.mixed

    @property
    def values(self) -> bool:
        return self.traits is not None and self.traits.values

    def lone(self, place: Place) -> bool:
        """Whether a unit at the place is the only one of its kind."""
        return self.traits is not None and any(f.rule.code in self.traits.lone for f in place.findings)

    @property
    def marks(self) -> frozenset[str]:
        return self.traits.marks if self.traits else frozenset()

    def alone(self, place: Place) -> bool:
        """Whether nothing else is wrong close behind a place; a log that moved is wrong at each of its block's ends."""
        member, end = place.span.member, place.end
        near = [p for p in self.places if p.span.member == member and end <= p.start < end + CLOSE and not p.explained]
        read, unit = self.read(member), self.unit_at(member)
        return all(misplaced(self, read, p) or ((u := unit(p.start, read)) and u.sound) for p in near)

    def fits(self, member: str) -> bool:
        """Whether a member is known to have its right length: nothing was put in."""
        asked = self.traits.surplus if self.traits else None
        return asked is not None and asked(self.state, member) == 0

    def surplus(self, member: str) -> int:
        asked = self.traits.surplus if self.traits else None
        return (asked(self.state, member) or 0) if asked else 0


def misplaced(scene: Scene, read: BytesAt, place: Place) -> Clue | None:
    """A unit that holds, in a place where it cannot have been written."""
    asked = scene.traits.misplaced if scene.traits else None
    found = asked(scene.state, place.span.member, place.start, read) if asked else None
    if found is None:
        return None
    length, member = place.end - place.start, place.span.member
    also = (Span(found.other, found.other + length, member),) if found.other is not None else ()
    return Clue(found.cause, "certain", found.because, place.span, {"carried": True}, also)
