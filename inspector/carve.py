"""find -> choose -> write -> verify -> place: a store made of what verifies among any bytes.

A `Carver` knows how things of one kind are found and what becomes of them; here is what they have in common: the
ledger of all that was found, the output that appears verified or not at all, and the exit code.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, field

from inspector.account import Progress
from inspector.errors import Exit, RefusedError
from inspector.ledger import DRY, unverified
from inspector.mapfile import Rescued
from inspector.output import Place, place_file, place_folder, preflight, writers_of
from inspector.sanitize import for_shell
from inspector.search import Area
from inspector.source import Member, Source

WRITTEN, DUPLICATE = "written", "duplicate"


class CarveWishes(Struct, frozen=True):
    """What the user asked for; a carver names those it understands in `Carver.wishes`."""

    to_version: int | None = None
    accept: frozenset[str] = frozenset()
    verify_signatures: bool = False
    chain: str | None = None
    offset: int | None = None


class Found(Struct, frozen=True):
    """One thing that verifies; `fate` is "written", "duplicate" or why it was left out."""

    start: int
    end: int
    kind: str
    fate: str
    encoding: str = "bytes"
    out: str = ""  # member of the output
    rest: int | None = None  # where the next piece begins of what lies in several; after the last one, the first


class Sums(Struct):
    """Units and bytes of the source by fate; what a store needs and no source has is `added`."""

    units: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)  # units by kind
    proof: Counter[str] = field(default_factory=Counter)  # bytes of the output
    pieces: int = 0  # finds beyond one for each unit
    added: int = 0

    def add(self, fate: str, units: int, size: int) -> None:
        self.units[fate] += units
        self.bytes[fate] += size


class Haul(Struct):
    """What a carver found, judged but not yet written.

    `lost` names fates that cost the owner something: with one of them the exit code is 4. `write` fills the place
    and returns what was verified; it raises UnverifiedError. `chance` is the expected number of false finds.
    """

    sums: Sums
    spans: Callable[[], Iterator[Found]]  # in order of their offsets
    write: Callable[[Place], dict[str, Any]]
    estimate: int
    lost: frozenset[str] = frozenset()
    chance: float = 0.0
    because: str = ""  # of the chance
    version: str = ""
    empty: str = ""  # why there is nothing to write
    choice: tuple[str, str] | None = None  # what the user must decide before anything is written, and how
    damaged: bool = False  # what was written is a true copy of something damaged; `write` may tell
    partial: str = ""  # why the search is not complete
    notes: list[str] = field(default_factory=list)
    after: Callable[[str], tuple[str, ...]] = lambda output: ()
    last: Callable[[int], list[Found]] | None = None  # the last of `spans`, where they need not all be read for it
    close: Callable[[], None] = lambda: None


class Carver(Struct, frozen=True):
    """A kind of thing that can be carved, as a value."""

    name: str
    title: str
    format: str  # the format that inspects what was made of the finds
    hunt: Callable[[Area, CarveWishes, Progress | None], Haul]
    folder: bool = False
    wishes: frozenset[str] = frozenset()
    verified: str = "read again and inspected whole: clean"  # in words


class Carved(Struct):
    """The result of one run; a dry run has no output."""

    source: Source
    carver: Carver
    area: Area
    haul: Haul
    output: str | None
    size: int = 0
    sha256: str | None = None
    unreadable: int = 0
    unknown: int = 0
    verified: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    after: tuple[str, ...] = ()
    code: Exit = Exit.CLEAN

    @property
    def empty(self) -> int:
        """Bytes of holes: nothing was ever written there."""
        return self.source.size - self.area.bytes - self.area.skipped - self.unknown


def carve(
    source: Source,
    carver: Carver,
    output: str | None,
    wishes: CarveWishes,
    *,
    force: bool = False,
    progress: Progress | None = None,
    report: Callable[[Carved], None] = lambda carved: None,
) -> Carved:
    """Find, choose, and with `output` write and verify; `report` sees the result while the finds can still be listed.

    Raises RefusedError where something writes to the source or the output is not safe to make.
    """
    if source.kind == "folder":
        raise RefusedError(f"{source.label}: a folder", "name one file or device; a tar of the folder is bytes, too")
    if output is not None:
        preflight(output, source, 0, force, folder=carver.folder)
    writers = writers_of(source) if output is not None else []
    if writers:
        raise RefusedError(
            f"{source.label} is open for writing by {', '.join(writers)}", "stop that program first, or carve a copy"
        )
    area = Area.of(source)
    haul = carver.hunt(area, wishes, progress)
    try:
        carved = Carved(source, carver, area, haul, None, notes=list(haul.notes))
        if isinstance(source, Rescued):
            carved.unknown, carved.unreadable = source.unknown, source.failed
        else:
            carved.unreadable = sum(span.length for span in source.unreadable)
        if output is not None and haul.choice:
            raise RefusedError(*haul.choice)
        if output is None or haul.empty:
            carved.verified = unverified(haul.empty or DRY)
        else:
            _write(carved, output, force)
        if not source.still_same():
            carved.notes.append(f"{source.changed}: carve it again when nothing writes to it")
        carved.code = _code(carved)
        report(carved)
        return carved
    finally:
        haul.close()


def _write(carved: Carved, output: str, force: bool) -> None:
    haul, source = carved.haul, carved.source
    placed = (
        place_folder(output, None, haul.estimate)  # a folder does not get the mode of a file
        if carved.carver.folder
        else place_file(output, source, haul.estimate, force, mode=0o600)
    )
    with placed as place:
        place.notes = carved.notes = [*carved.notes, *place.notes]
        carved.verified = haul.write(place)
        carved.notes = place.notes
        carved.sha256 = carved.verified.pop("sha256", None)
        if place.folder is not None:
            carved.size = sum(p.stat().st_size for p in place.folder.rglob("*") if p.is_file())
        else:
            carved.size = os.fstat(place.fd).st_size
    carved.output = output
    carved.after = haul.after(for_shell(output))


def _code(carved: Carved) -> Exit:
    """9 the search is not complete; 5 nothing found; 4 not all of it written, or not all bytes known; 3 damaged; 0."""
    haul = carved.haul
    if haul.partial or carved.source.changed:
        return Exit.PARTIAL
    if haul.empty:
        return Exit.UNKNOWN_FORMAT
    if carved.unreadable or carved.unknown or any(haul.sums.units[fate] for fate in haul.lost):
        return Exit.LOST
    return Exit.DAMAGED if haul.damaged else Exit.CLEAN


def opened(place: Place) -> Source:
    """The file that is being written, to be read again."""
    info = os.fstat(place.fd)
    written = Source(place.target.name, "file", None, [Member("", info.st_size, info.st_mtime_ns)])
    written._files[""] = os.dup(place.fd)
    return written
