"""The contract: what a format gives (`Format`) and the plain values that pass between the steps.

A format is a value made of functions. It never prints and never opens a file; it sees bytes through a `Source`.
The order of one inspection: claim -> open -> walk -> check -> answer; `records`, `show`, `items`, `extents`
and `plan` come on demand, after the same opening. A format that stands on another (`on`) has no `walk`:
it checks what the lower one read.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from inspector.errors import UsageError
from inspector.finding import CauseName, Finding, Rule, Tally
from inspector.private import NOTHING, Private, sound
from inspector.source import Source
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.field import Field
    from inspector.follow import Follower
    from inspector.layout import Layout

# roles of tiles, as small integers so that a stretch holds them in one array of bytes
FRAME, UNIT, OPAQUE, FREE, GAP = range(5)
ROLE_NAMES = ("frame", "unit", "opaque", "free", "gap")

Proof = Literal["sealed", "derived", "placed", "none"]
Action = Literal["kept", "corrected", "dropped", "lost", "added"]
Name = Callable[[str, str], str]  # noun and private original -> pseudonym
Hide = Callable[[int, int], bool]  # whether the damaged bytes [start, end) are to be made unrecognisable
State = Any  # a format's own; nobody else looks inside, except a format that stands on it


class Stretch(Struct, frozen=True):
    """Tiles of one member in bulk: tile i is [starts[i], starts[i+1]), the last ends at `end`.

    `roles` are the constants above, `kinds` keys of `Format.kinds`, `marks` 0 where the tile is sound and one of
    `Format.damaged` where it is not. `columns` hold what the format's own `check` needs.
    """

    start: int
    end: int
    starts: array[int]
    roles: array[int]
    kinds: array[int]
    marks: array[int]
    member: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[int, int] | None = None  # tiles by kind, where the walk has counted them already

    def __len__(self) -> int:
        return len(self.starts)

    def marked(self) -> Iterator[int]:
        """The numbers of the tiles that are marked; a stretch of thousands has few or none."""
        marks = self.marks.tobytes()
        return compress(range(len(marks)), marks) if marks.count(0) < len(marks) else iter(())

    def span(self, i: int) -> Span:
        """Where tile `i` lies."""
        return Span(self.starts[i], self.starts[i + 1] if i + 1 < len(self.starts) else self.end, self.member)


def tile(start: int, end: int, role: int, kind: int = 0, mark: int = 0, member: str = "") -> Stretch:
    """A stretch of a single tile."""
    return Stretch(start, end, array("Q", [start]), array("B", [role]), array("H", [kind]), array("B", [mark]), member)


class Claim(Struct, frozen=True):
    """How sure a format is that a source is its own: 0 not at all ... 100 proved by checksums; and why."""

    strength: int
    because: str


class Wishes(Struct, frozen=True):
    """What the user asked for. A format names those it understands in `Format.wishes`; others are refused."""

    release: str | None = None  # --for v24.11.1
    at: int | None = None  # --at, unix seconds; nothing else may look at a clock
    accept: frozenset[str] = frozenset()  # weaker proofs: unique, anchored, unsealed, name
    compact: bool = False
    to_version: int | None = None
    touch: bool = False
    lost: bool = False
    archive: bool = False
    checksums: bool = False
    cluster_size: int | None = None
    against: tuple[tuple[str, bytes], ...] = ()  # documents of a running system: what they are called, their bytes
    thresholds: Mapping[str, float] = field(default_factory=dict)
    max_unit: int = 64 << 20  # a larger unit is checksummed in a stream and not decoded
    verify_signatures: bool = False  # check the signatures of sound records, too
    no_correct: bool = False  # leave damaged records as they are
    jobs: int | None = None  # threads; None leaves it to the format

    def of_a_copy(self) -> Wishes:
        """What a second look at the output has in common with the first: how it is read, not what is made of it."""
        return Wishes(release=self.release, max_unit=self.max_unit)


def accepting(wishes: Wishes, known: frozenset[str], what: str) -> None:
    """Raise for a proof that means nothing to this format: it must not seem to have been heeded."""
    if strange := wishes.accept - known:
        raise UsageError(
            f"--accept {', '.join(sorted(strange))} means nothing here", f"{what} takes: {', '.join(sorted(known))}"
        )


class Outcome(Struct, frozen=True):
    """What one of the original programs does with this state."""

    program: str  # gossipd, connectd, compactd, upstream spdk_tgt ...
    release: str
    outcome: str  # loads, refuses, renames, stops reading silently, aborts in a loop ...
    message: str = ""  # what it prints


class Answer(Struct, frozen=True):
    """The format's own words about the whole source."""

    version: str
    because: str
    words: tuple[str, ...]  # plain words first: what happened, what was lost, what is at risk
    summary: Mapping[str, Any] = field(default_factory=dict)
    loaders: tuple[Outcome, ...] = ()
    next: tuple[str, ...] = ()  # commands to run now; "{path}" stands for the source
    ribbon: tuple[tuple[int, int, int, int], ...] = ()  # bytes live, deleted, damaged, lost of each equal slice
    unjudged: str = ""  # what is in the source that the format does not read, so that nobody can call it sound


class Entry(Struct, frozen=True):
    """One line of `inspector records`; `fields` are the owner's words, JSON-ready."""

    span: Span
    kind: str
    state: str  # ok, bad checksum, gap ...
    fields: Mapping[str, Any] = field(default_factory=dict)
    note: bool = False  # its bytes are wrong and a scan calls that a note: nothing is lost by it

    @property
    def damaged(self) -> bool:
        return not (self.note or sound(self.state))


class Query(Struct, frozen=True):
    """Filters of `inspector records`. A format names those it understands in `Format.filters`."""

    kinds: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    damaged: bool = False
    deleted: bool | None = None
    start: int = 0
    end: int | None = None
    member: str | None = None
    scid: str | None = None
    node: str | None = None
    text: bool = False
    value_limit: int | None = None
    dump: bool = False  # the original tool's own line format, in `fields["line"]`
    # which of the listed are wanted, for whoever has to hide something in each: a format itself lists all
    pick: Callable[[Iterator[Entry]], Iterator[Entry]] | None = None


class Exhibit(Struct, frozen=True):
    """What `inspector show` puts on the table: bytes with their fields, and what is known about them."""

    title: str
    span: Span
    state: str
    matched: str  # which convention made the asked offset mean this span
    data: bytes = b""  # the first bytes of the span; at most a few KiB
    fields: tuple[Field, ...] = ()
    notes: tuple[str, ...] = ()
    neighbours: tuple[Entry, ...] = ()
    findings: tuple[Finding, ...] = ()


class Item(Struct, frozen=True):
    """What the owner calls it: a channel, a volume, a block, a bootstrap."""

    id: str
    kind: str
    parent: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()


class Extent(Struct, frozen=True):
    """A run of an item's content; origin None with proof "derived" is zeroes that are meant, "none" unknown."""

    at: int
    length: int
    origin: Span | None
    proof: Proof
    why: str = ""
    data: bytes | None = None  # where the content is not the origin's bytes themselves: decompressed, or rendered


class Edit(Struct, frozen=True):
    """One step of a repair. Source bytes named by `origin` are accounted for exactly once over all edits.

    kept: origin is copied (to `at`, or after what was written last). corrected: `data` stands for origin.
    dropped, lost: origin is left out; where `data` is given of what is lost, it stands there without being it.
    added: `data` has no source. `units` counts records. With `whole` the edit is an entire healthy member of a folder,
    which may be linked instead of copied.
    """

    action: Action
    origin: Span | None = None
    data: bytes | None = None
    proof: Proof = "sealed"
    why: str = ""
    units: int = 0
    out: str = ""  # member of the output
    at: int | None = None
    whole: bool = False


class Plan(Struct):
    """A stream of edits, made while it is read; `estimate` bounds the output's size in bytes."""

    edits: Iterable[Edit]
    estimate: int
    folder: bool = False
    size: int | None = None  # the output is extended (sparse) to this many bytes
    notes: list[str] = field(default_factory=list)
    after: Callable[[str, str], tuple[str, ...]] = lambda source, output: ()  # how to put it in place
    # where the output may not have this file name: why not, and the name that it may have
    misnamed: Callable[[str], tuple[str, str] | None] = lambda name: None


class Unit(Struct, frozen=True):
    """What a format sees where a unit begins: where it claims to end, and whether its checksum holds."""

    end: int
    sound: bool


Reading = Callable[[int, int], bytes]  # offset, count -> bytes of one member as they are, or as they may have been


class Misplaced(Struct, frozen=True):
    """Why a unit cannot stand where it does; of two that changed places, where the other one is."""

    cause: CauseName
    because: str
    other: int | None = None


class Traits(Struct, frozen=True, eq=False):
    """What the diagnosis asks a format about bytes; all but `unit` may be None.

    `unit`: what begins at (member, offset) as a reading shows it; None where no unit can.
    `surplus`: bytes that a member has more than it or its store says; None where nothing says. With `tailed` it is
    only told where the member's own end is there, so that a shorter member was not just cut.
    `flipped`: the number of bits whose flip explains a damaged span, and how.
    `misplaced`: why a unit that holds cannot stand at (member, offset).
    `endless`: why a member's end must be missing.
    `reach`: the bytes to look at for a damaged span, where the span ends at the first byte that is wrong.
    `follower`: where the unit behind the one at (member, offset) begins by its own words, looked for up to a limit.
    `marks`: magics that are this format's own. `apart`: rules whose findings follow from damage elsewhere.
    `mixed`: sound bytes of one member are of several kinds, so that a strange kind tells nothing. `lone`: rules whose
    units are alone of their kind in a member: what stands around is of another, and only noise is strange there.
    `values`: units hold what anybody chose to put in, so that text in one of them may be its own.
    `grid`: blocks that the format itself has: their size, where the first begins, what one is called.
    `phase`: how far behind the borders of the grid those stand that the sound units from (member, offset) on were
    written in; None where too few of them tell.
    `lacking`: rules by which a whole record lacks one that damaged bytes beside it may have held.
    """

    unit: Callable[[State, str, int, Reading], Unit | None]
    surplus: Callable[[State, str], int | None] | None = None
    tailed: bool = False
    flipped: Callable[[State, Span], tuple[int, str] | None] | None = None
    misplaced: Callable[[State, str, int, Reading], Misplaced | None] | None = None
    endless: Callable[[State, str], str | None] | None = None
    reach: Callable[[State, Span], Span] | None = None
    follower: Callable[[State, str, int, Reading, int], int | None] | None = None
    marks: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    mixed: bool = False
    values: bool = False
    lone: frozenset[str] = frozenset()
    grid: Callable[[State, str], tuple[int, int, str] | None] | None = None
    phase: Callable[[State, str, int, Reading], int | None] | None = None
    lacking: frozenset[str] = frozenset()


# there is one of each; what is not made costs no start-up
class Format(Struct, frozen=True, eq=False):
    """A format as a value. Functions take the state that `open` made; None means "has no such thing"."""

    name: str
    title: str
    kinds: Mapping[int, str]
    rules: tuple[Rule, ...]
    layouts: Sequence[Layout]
    claim: Callable[[Source, State | None], Claim]
    open: Callable[[Source, State | None, Wishes], State]
    check: Callable[[State, Iterable[Stretch], Tally], None]
    answer: Callable[[State, Tally], Answer]
    walk: Callable[[State], Iterator[Stretch]] | None = None
    on: str | None = None
    damaged: frozenset[int] = frozenset()  # marks of units whose bytes are wrong
    records: Callable[[State, Query], Iterator[Entry]] | None = None
    # records as blocks of JSON lines where that is faster, or None; takes what encodes a value
    lines: Callable[[State, Query, Callable[[Any], bytes]], Iterator[bytes | Entry] | None] | None = None
    show: Callable[[State, str, int], Exhibit | None] | None = None  # member, offset
    items: Callable[[State], Iterator[Item]] | None = None
    item: Callable[[State, str], Item | None] | None = None  # one by its id, also where items gives only ranges
    extents: Callable[[State, str], Iterator[Extent]] | None = None  # item id
    addresses: bool = False  # extents also takes ids that items does not list (a key); it refuses unknown ones itself
    after: Callable[[State, Item, str], tuple[str, ...]] | None = None  # how to use an item extracted to this path
    plan: Callable[[State, Wishes], Plan] | None = None
    busy: Callable[[Source], str | None] | None = None  # the owner runs on it: why writing is refused
    engine: Callable[[str], Mapping[str, Any]] | None = None  # the original engine opens a repaired copy
    filters: frozenset[str] = frozenset()
    wishes: frozenset[str] = frozenset()
    brief: tuple[str, ...] = ()  # fields of an Entry that its owner looks for first, for tables
    standing: frozenset[str] = frozenset()  # codes that no repair can take away: a repaired copy may still show them
    names: tuple[str, ...] = ()  # glob patterns of files that are stores of this format inside a folder
    # where such files have any name: whether one that begins with these 4096 bytes is worth a claim
    begins: Callable[[bytes], bool] | None = None
    compare: Callable[[list[tuple[str, int, int, State]]], tuple[str, ...]] | None = (
        None  # label, size, mtime_ns, state
    )
    merge: Callable[[list[State], Wishes, str | None], Any] | None = None  # copies, item -> copies.Merge
    appends: bool = False  # grows at its end only; what was whole stays whole while it is written
    unpacks: bool = False  # reads packed files, too
    rotates: bool = False  # a log: moved aside as a matter of course, and another begun under its name
    follow: Callable[[Mapping[str, Any] | None], Follower] | None = None  # units as they land; from what it saved
    identities: Callable[[State], Any] | None = None  # comparing.Identities: what is compared with another store
    together: Callable[[list[tuple[str, State]]], tuple[str, ...]] | None = None  # several inputs: label, state
    schema: Mapping[str, Any] = field(default_factory=dict)  # JSON Schema of Answer.summary
    named: bool = False  # a file's name says what none of its bytes do: a repaired one is judged by its source's name
    splices: bool = False  # units follow each other and name no offsets: some can be left out
    kin: Callable[[State, bytes], Iterable[bytes]] | None = None  # bytes that units share with the one given
    slow: Callable[[State], int] | None = None  # units that are read one by one, where most are passed over at once
    # smaller stores of the same format that may show the same, smallest first: (state, where findings and damage lie,
    # units to keep around them); whoever asks inspects them
    excerpts: Callable[[State, Sequence[Span], int], Iterator[Mapping[str, Sequence[Span | bytes]]]] | None = None
    mask: (
        Callable[[State, Callable[[str, str], str], Callable[[int, int], bool]], Iterator[tuple[int, bytes]]] | None
    ) = None  # pseudonyms and noise in place of private bytes, so that every finding stays
    # the same for a store that must be written anew, as the parts of each file
    disguised: Callable[[State, Name, Hide], Mapping[str, Sequence[Span | bytes]]] | None = None
    # whether checksums cover the units; without them a change may leave another healthy store. None: they do
    sealed: Callable[[State], bool] | None = None
    private: Private = NOTHING  # which of its words are somebody's own
    veil: Callable[[Any], Any] | None = None  # set by --redact: a Report with those words replaced
    traits: Callable[[], Traits] | None = None  # what the diagnosis asks; imported only when something is wrong
