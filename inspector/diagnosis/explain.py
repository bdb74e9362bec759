"""One place after the other: the first explanation that the bytes bear out, from what proves most to what is left."""

from __future__ import annotations

from msgspec import Struct

from inspector.counted import counted
from inspector.diagnosis import between, contents, copied, grids, kinship, moves, traces
from inspector.diagnosis.bytes_at import BytesAt
from inspector.diagnosis.model import Clue
from inspector.diagnosis.places import Place, Region
from inspector.diagnosis.scene import CLOSE, Scene, misplaced
from inspector.finding import UNKNOWN_CAUSE, Cause, Confidence
from inspector.format import Unit
from inspector.span import Span

_PROVED = frozenset({"bit-flip", "appended-store", "unreadable-medium", "truncated"})
_RUNS = frozenset({"zeroed-range", "ones-range"})
FEWEST = 12  # units from which the lengths of all are known
MANY = 3  # broken units in a row, in each of which a few bits are no explanation
FAR = 2048  # bytes before the first wrong one in which bytes that were put in may begin
BITS = 1 << 16  # bytes of a unit in which a few flipped bits were looked for


class _At(Struct):
    """A place and what is asked about it; `whole` is the region as far as its units reach."""

    scene: Scene
    place: Place
    region: Region
    read: BytesAt
    unit: moves.UnitAt
    whole: Place

    def copy(self) -> Clue | None:
        return copied.copy_clue(self.read, self.unit, self.whole, self.scene.budget, self.scene.places)


def explain(scene: Scene, place: Place, region: Region) -> Clue | None:
    """The best supported cause of a place; None where its bytes tell nothing that its findings do not say.

    `region` is the place with the damaged units that follow it at once: what hit all of them is looked for there.
    """
    member = place.span.member
    read, unit = scene.read(member), scene.unit_at(member)
    told = best_of(place)
    at = _At(scene, place, region, read, unit, scene.reach(region.place))
    translated = _translation(scene, member)
    if translated:
        return translated
    if told and _settled(told):
        return None
    moved = None if scene.fits(member) else moves.before_the_start(read, unit, place)
    moved = moved or _by_length(scene, read, unit, place) or copied.at_one(read, unit, at.whole, scene.budget)
    if moved:
        return moved
    first = unit(place.start, read)
    if region.single and first is not None and first.sound and first.end >= at.whole.end:
        # its bytes hold: what is wrong with it is not in them
        return misplaced(scene, read, place) or at.copy() or _longer(scene, read, place)
    exchanged = misplaced(scene, read, place)
    if exchanged and exchanged.name == "swapped":
        return exchanged
    few = contents.specks(read, unit, scene.reach(place))
    return few or grids.moved(scene, place, at.whole) or _by_run(at, told, exchanged)


def _settled(told: Cause) -> bool:
    """Whether the format itself knows the cause better than any look at the bytes."""
    if told.name in _PROVED:
        return told.confidence != "possible"
    return told.name in ("shifted", "swapped") and told.confidence == "certain"


def _by_run(at: _At, told: Cause | None, exchanged: Clue | None) -> Clue | None:
    """A run of zeroes or ones that explains the place; where none does, what flipped bits or other bytes say."""
    scene, read, place = at.scene, at.read, at.place
    marks = scene.marks
    run, more = contents.run_clue(read, at.unit, at.whole, marks, at.region.parts, scene.doubts, scene.mixed)
    if run and run.confidence != "certain" and _beside(scene, read, at.whole, run):
        run, more = None, True
    if run and run.confidence != "possible":
        short = run.confidence != "certain" and run.span.length < contents.SECTOR  # a footer has such zeroes
        return _cut_off(scene, read, at.unit, place, run) or (_longer(scene, read, place) if short else None) or run
    refuted = told is not None and told.name in _RUNS and more
    if refuted:
        told = None  # there is such a run, and it does not explain what is wrong here
    if told and told.name == "multi-bit" and told.confidence == "certain" and at.region.single:
        return None
    core = _core(read, at.unit, at.whole)
    flipped = exchanged or (_flipped(scene, place, core) if at.region.single else None)
    if flipped:
        return flipped
    if contents.TEXT in marks and contents.packed(read, place):
        # what marks of a text and of other files would say of packed bytes is chance; they stand nowhere twice
        return copied.copy_clue(read, at.unit, place, scene.budget, scene.places)
    foreign = contents.foreign_clue(
        read, at.whole, marks, lambda: scene.kin(place.span.member), scene.plain, scene.values
    )
    if contents.TEXT in marks:
        return foreign or contents.binary_clue(read, at.whole)
    if foreign and foreign.confidence == "certain":
        return moves.inserted(read, at.unit, core, scene.budget, not scene.doubts) or foreign
    nothing = Clue("unknown", "possible", UNKNOWN_CAUSE.because, place.span) if refuted else None
    return _by_neighbours(at, core, foreign) or _by_what_is_left(at, core, told) or run or nothing


def _by_neighbours(at: _At, core: Place, foreign: Clue | None) -> Clue | None:
    """Bytes that stand elsewhere too, came from another place, or moved."""
    scene, read, unit = at.scene, at.read, at.unit
    return (
        contents.newlines_clue(read, at.whole)
        or at.copy()
        or between.within(read, unit, core, scene.places)
        or between.swapped(read, unit, core, at.whole, scene.places, scene.budget, not scene.doubts)
        or (between.tails(read, unit, core, scene.places, scene.budget) if not scene.doubts else None)
        or between.replaced(read, core, scene.places)
        or _shift(scene, read, unit, core, at.place)
        or foreign
    )


def _by_what_is_left(at: _At, core: Place, told: Cause | None) -> Clue | None:
    scene, read, unit = at.scene, at.read, at.unit
    broken = sum(not ((one := unit(part.start, read)) and one.sound) for part in at.region.parts)
    return _cut(scene, read, unit, at.place) or _rest(scene, read, unit, core, told, broken)


def _beside(scene: Scene, read: BytesAt, whole: Place, run: Clue) -> bool:
    """Whether the rest of a page that a run is a part of is of another kind: then the run came with that page."""
    if scene.mixed or contents.TEXT in scene.marks:
        return False
    member, size = whole.span.member, contents.PAGE
    before = (max(whole.start, run.span.start // size * size), run.span.start)
    behind = (run.span.end, min(whole.end, -(-run.span.end // size) * size))
    sides = (Place(Span(low, high, member), []) for low, high in (before, behind) if high - low >= 2 * contents.SECTOR)
    return any(kinship.strange(read, side, scene.kin(member), scene.budget) for side in sides)


def _core(read: BytesAt, unit: moves.UnitAt, whole: Place) -> Place:
    """The place without the sound units that it begins with: a log doubts a record for its lost continuation."""
    start = whole.start
    for _ in range(contents.CHAIN):
        found = unit(start, read)
        if found is None or not found.sound or not start < found.end < whole.end:
            break
        start = found.end
    return Place(Span(start, whole.end, whole.span.member), whole.findings) if start > whole.start else whole


def best_of(place: Place) -> Cause | None:
    """The surest cause that the format names for this place."""
    order: dict[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}
    named = [f.cause for f in place.findings if f.cause.name != "unknown"]
    return min(named, key=lambda c: order[c.confidence], default=None)


def _translation(scene: Scene, member: str) -> Clue | None:
    """A transfer in text mode hits the whole member at once."""
    if member not in scene.translated:
        scene.translated[member] = None
        read = scene.read(member)
        if contents.TEXT not in scene.marks or read(0, len(contents.GZIP)) == contents.GZIP:
            first = next((p for p in scene.places if p.span.member == member), None)
            starts = {0, max(0, first.start - 4096)} if first else {0}
            for at in sorted(starts):
                found = traces.translation(_enough(read, at))
                if found:
                    facts: traces.Facts = {"translation": found[0]}
                    span = read.span(0, read.size)
                    scene.translated[member] = Clue("shifted", "certain", found[1], span, facts, whole=True)
                    break
    return scene.translated[member]


def _enough(read: BytesAt, at: int) -> bytes:
    """A sample that has line ends in it, as far as a file of no disk's size has any: a blobstore begins with few."""
    sample = read(at, traces.SAMPLE)
    if read.size % contents.SECTOR == 0 or sample.count(b"\n") != sample.count(b"\r\n"):
        return sample
    longer = traces.SAMPLE
    while sample.count(b"\n") < traces.TOLD and longer < min(read.size - at, traces.WIDEST):
        longer *= 4
        sample = read(at, longer)
    return sample


def _flipped(scene: Scene, place: Place, core: Place) -> Clue | None:
    """One or two flipped bits that make the unit's checksum hold."""
    asked = scene.traits.flipped if scene.traits else None
    if asked is None or not scene.budget.spend(1 + (place.end - place.start) // 256):
        return None
    found = asked(scene.state, place.span) or (asked(scene.state, core.span) if core.start > place.start else None)
    if found is None:
        return None
    bits, because = found
    return Clue("bit-flip" if bits == 1 else "multi-bit", "certain" if bits == 1 else "likely", because, place.span)


def _by_length(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """The member's length is wrong, and with the length put right units hold: behind the place, or around it."""
    surplus = scene.surplus(place.span.member)
    if not surplus or _padded(read, surplus):
        return None
    found = moves.displaced(read, unit, place, surplus, scene.budget)
    if found or abs(surplus) > moves.LONGEST:
        return found
    if surplus < 0:
        return moves.zeroes_lost(read, unit, place, -surplus)
    first = unit(place.start, read)
    if first is None or first.sound:
        return None
    stop = min(place.end, first.end, read.size) + 1
    return moves.put_in(read, unit, place.start, surplus, (max(place.start, stop - FAR), stop), scene.budget, True)


def _padded(read: BytesAt, surplus: int) -> bool:
    """Whether what a member has too much are zeroes behind its end, and its own end is no zeroes."""
    if not 0 < surplus < 1 << 20 or surplus >= read.size:
        return False
    own = read(read.size - surplus - traces.CHANCE, traces.CHANCE)
    return bool(own.strip(b"\0")) and not read(read.size - surplus, surplus).strip(b"\0")


def _longer(scene: Scene, read: BytesAt, place: Place) -> Clue | None:
    """A member that knows its own length and has another."""
    surplus = scene.surplus(place.span.member)
    tailed = scene.traits is not None and scene.traits.tailed
    return moves.of_length(read, place, surplus) if tailed and surplus and not _padded(read, surplus) else None


def _cut_off(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place, run: Clue) -> Clue | None:
    """Bytes are missing from the member, and the zeroes of this unit go on into free room: they are its own."""
    surplus = scene.surplus(place.span.member)
    first = unit(place.start, read)
    if surplus >= 0 or first is None or run.span.end <= first.end or -surplus > CLOSE:
        return None
    return moves.of_length(read, place, surplus)


def _shift(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place, part: Place) -> Clue | None:
    surplus = scene.surplus(place.span.member)
    # zeroes behind the end are not what moved this
    zeroes = surplus > 0 and read.zeroed(read.size - surplus, surplus)
    if surplus and not (zeroes and (surplus % 512 == 0 or _padded(read, surplus))):
        first = unit(place.start, read)
        last = first is not None and first.end >= read.size - surplus and place.end < read.size
        more = surplus > 0 and place.start < read.size - surplus
        if more or last or (scene.traits and scene.traits.tailed):
            return moves.of_length(read, place, surplus)
    found = _followed(scene, read, unit, place)
    if found:
        return found
    for one in (place, part) if part.end < place.end else (place,):
        found = moves.inserted(read, unit, one, scene.budget, not scene.doubts)
        if not found and scene.alone(one) and grids.drift(scene, one) != 0:
            found = moves.lost(read, unit, one, scene.budget)
        if found:
            return found
    return None


def _followed(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """The unit behind the broken one stands elsewhere than where the broken one ends."""
    asked = scene.traits.follower if scene.traits else None
    first = unit(place.start, read)
    if asked is None or first is None:
        return None
    limit = min(read.size, place.end + (1 << 17))
    begins = asked(scene.state, place.span.member, place.start, read, limit)
    if begins is None or begins == first.end:
        return None
    return moves.by_follower(read, unit, place, first.end, begins)


def _cut(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """The file ends inside the unit."""
    if place.end < read.size:
        return None
    if scene.traits and scene.traits.tailed and (blank := moves.blank_end(read, place)):
        return blank
    asked = scene.traits.endless if scene.traits else None
    why = asked(scene.state, place.span.member) if asked else None
    if why:
        return Clue("truncated", "likely", why, place.span)
    first = unit(place.start, read)
    if first is None or first.end <= read.size:
        return None
    edge = traces.alignment(read.size)
    tail = f", on a boundary of {edge} bytes ({traces.NAMES[edge]}; by chance one in {edge:,})" if edge else ""
    told = best_of(place)
    if told and told.name in ("torn-write", "truncated"):
        return None
    because = f"the file ends {first.end - read.size:,} bytes before the unit does{tail}"
    return Clue("truncated", "likely", because, place.span, {"missing": first.end - read.size})


def _rest(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place, told: Cause | None, parts: int) -> Clue | None:
    """What is left: bytes that are not of this store's kind, or a few wrong bits in a unit that stands in its place."""
    weak = told is None or told.confidence == "possible"
    if told and not weak and told.name not in ("overwritten", "torn-write", "multi-bit"):
        return None
    first = unit(place.start, read)
    length = place.end - place.start
    missing = _no_units(scene, read, unit, place)
    if missing:
        return missing
    affords = not scene.mixed and scene.budget.spend(kinship.trials_of(place))
    kin = scene.kin(place.span.member) if affords else b""
    odd = kinship.strange(read, place, kin, scene.budget, scene.lone(place)) if affords else None
    if odd and told and told.name == "torn-write" and _runs_out(read, first, place.start, odd[0]):
        return None
    empty = contents.emptied(read, place) if odd else None
    if odd and empty and empty.span.start <= odd[0] and odd[1] <= empty.span.end:
        return empty  # what is strange is that nothing is there
    if odd:
        start, end = odd
        whole = _block_inside(place, first.end if first is not None else place.start)
        if whole and whole[1] >= CLOSE and whole[0] <= start and end <= whole[0] + whole[1]:
            start, end = whole[0], whole[0] + whole[1]
        low, high = max(start, place.start), min(end, place.end)
        edge = traces.block_of(start, end)  # no evidence by itself: the place is looked at sector by sector
        facts: traces.Facts = {"alignment": edge} if edge else {}
        tail = f", as whole blocks of {edge} bytes ({traces.NAMES[edge]})" if edge else ""
        because = f"bytes [{low}, {high}) are not of the kind that this store holds{tail}"
        return Clue("overwritten", "likely", because, read.span(low, high), facts)
    if told and told.name != "unknown":
        return None
    if parts < MANY and _in_place(read, unit, place):
        if length > BITS or any(f.cause.name == "unknown" and f.cause != UNKNOWN_CAUSE for f in place.findings):
            return None  # too long to be tried, or the format knows why it cannot be told
        because = "the unit stands in its place, nothing in it is of another kind, and no one flipped bit explains it"
        return Clue("multi-bit", "possible", because, place.span)
    if moves.between_sound(read, unit, place) and length < 512:
        known = moves.lengths_behind(read, unit, place.end)
        if length in known and length not in {a + b for a in known for b in known}:
            because = f"{length} bytes are one unit, whose beginning cannot be read: a few bits of it"
            return Clue("multi-bit", "possible", because, place.span)
        if moves.whole_units(read, unit, place):
            because = (
                f"{length} bytes are as long as whole units here: none is missing, and what a unit begins with is gone"
            )
            return Clue("overwritten", "possible", because, place.span)
        if not scene.alone(place):
            return None  # the other end of a block that hit both places is as likely
        lying = counted(length, "byte between two sound units is", "bytes between two sound units are")
        because = f"{lying} no unit: bytes are missing among them or were put in"
        return Clue("shifted", "possible", because, place.span)
    head = first.end if first is not None else place.start
    if place.end > head and length >= 512:
        empty = contents.emptied(read, place)
        if empty is not None:
            return empty
        block = _block_inside(place, head)
        tail = f"; a block of {block[1]} bytes at {block[0]} covers them" if block else ""
        because = f"nothing in {length:,} bytes is what was due, and no shift explains it{tail}"
        kin = scene.kin(place.span.member)
        foreign = block is not None and (scene.mixed or not kinship.familiar(read, place, kin, scene.budget))
        return Clue("overwritten", "likely" if foreign else "possible", because, place.span)
    return None


def _runs_out(read: BytesAt, first: Unit | None, start: int, odd: int) -> bool:
    """Whether a unit whose head is not among strange bytes goes on past the end of its member."""
    return first is not None and first.end > read.size and odd >= start + moves.IN_HEADER


def _no_units(scene: Scene, read: BytesAt, unit: moves.UnitAt, place: Place) -> Clue | None:
    """A place between sound units of few lengths that no number of such units fills: its length was changed."""
    length = place.end - place.start
    if not scene.doubts or not moves.between_sound(read, unit, place) or not scene.alone(place):
        return None  # a unit with a checksum tells more than its length
    lengths = moves.lengths_behind(read, unit, place.end, FEWEST)
    if moves.fits(length, lengths) is not False:
        return None
    some = ", ".join(map(str, sorted(lengths)[:4]))
    because = f"{length:,} bytes are no whole units of this store ({some} bytes): bytes are missing or too many here"
    return Clue("shifted", "possible", because, place.span)


def _in_place(read: BytesAt, unit: moves.UnitAt, place: Place) -> bool:
    """Whether broken units follow each other to the very end of the place, or one passes it."""
    at = place.start
    for _ in range(moves.DOUBTED):
        found = unit(at, read)
        if found is None or (found.sound and at == place.start):
            return False
        if found.end >= place.end:
            return found.end == place.end or (at == place.start and not moves.between_sound(read, unit, place))
        at = found.end
    return False


def _block_inside(place: Place, head: int) -> tuple[int, int] | None:
    """An aligned block that begins in the first broken unit and ends before the place does."""
    for at, size in traces.aligned_within(place.start, max(head, place.start + 64)):
        if at + size <= place.end:
            return at, size
    return None
