"""Blobs: a root page, its chain of continuation pages, and what their descriptors say together.

A continuation page belongs to a chain when its id and sequence number say so; the original loader looks at neither.
"""

from __future__ import annotations

from array import array
from typing import Literal

from msgspec import Struct, field

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.region import Region
from inspector.formats.spdk_blobstore.superblock import Geometry

BreakKind = Literal["loop", "range", "zero", "bad", "unreadable", "stale", "foreign"]
Mapping = Literal["table", "rle", "none", "mixed"]
MAX_KEPT = 96 << 20  # bytes of chain pages that are kept decoded; 24,576 single-page blobs
SNAP, SNAPTMP, SNAPRM, EXTSNAP = b"SNAP", b"SNAPTMP", b"SNAPRM", b"EXTSNAP"


class Break(Struct, frozen=True):
    """Where a chain stops being sealed: `page` was due to be number `sequence` of the chain."""

    kind: BreakKind
    page: int
    sequence: int
    holder: int = 0  # the blob whose page lies there instead


class Blob(Struct):
    """`clusters` is None where the part of the chain that holds the size is lost."""

    id: int
    pages: list[int]
    flags: tuple[int, int, int] = (0, 0, 0)
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    internal: dict[bytes, bytes] = field(default_factory=dict)
    mapping: Mapping = "none"
    runs: array[int] = field(default_factory=lambda: array("I"))  # rle or table entries, as stored, pairwise
    clusters: int | None = 0
    checksums: list[tuple[int, int]] = field(default_factory=list)
    broken: Break | None = None
    resumed: list[int] = field(default_factory=list)  # later pages of a broken chain, found by id and sequence
    refused: list[str] = field(default_factory=list)  # why a loader refuses the blob
    problems: list[str] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)  # descriptor types
    attached: bool = False  # `resumed` pages were accepted as its content

    @property
    def root(self) -> int:
        return self.id & 0xFFFFFFFF

    @property
    def thin(self) -> bool:
        return bool(self.flags[0] & lay.THIN)

    @property
    def read_only(self) -> bool:
        return bool(self.flags[1] & lay.READ_ONLY)

    @property
    def parent(self) -> int | None:
        """The snapshot that unallocated clusters are read from; only a thin blob has one."""
        return self.reference(SNAP) if self.thin else None

    @property
    def external(self) -> bytes | None:
        return self.internal.get(EXTSNAP) if self.flags[0] & lay.EXTERNAL_SNAPSHOT else None

    def reference(self, name: bytes) -> int | None:
        """The blob id held by an internal attribute."""
        value = self.internal.get(name)
        return int.from_bytes(value, "little") if value is not None and len(value) == 8 else None

    def text(self, name: bytes) -> str | None:
        """An attribute as text, up to its first NUL; never decoded strictly."""
        value = self.xattrs.get(name)
        return None if value is None else value.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")

    @property
    def name(self) -> str:
        return self.text(b"name") or f"0x{self.id:x}"


def collect(disk: Disk, geometry: Geometry, region: Region) -> tuple[dict[int, Blob], dict[int, int], int]:
    """All blobs with a sealed root by id, the owner of each chain page, and how many were too many to keep."""
    blobs: dict[int, Blob] = {}
    owner: dict[int, int] = {}
    kept, left_out = 0, 0
    for row in region.rows(pg.ROOT):
        if kept > MAX_KEPT:
            left_out += 1
            continue
        blob = _chain(disk, geometry, region, row, owner)
        blobs[blob.id] = blob
        kept += len(blob.pages) * lay.PAGE
    spare = _unclaimed(region, owner)
    for blob in blobs.values():
        if blob.broken and blob.id in spare:
            blob.resumed = _resume(region, spare[blob.id], blob.broken)
    return blobs, owner, left_out


def _chain(disk: Disk, geometry: Geometry, region: Region, row: int, owner: dict[int, int]) -> Blob:
    root = region.index[row]
    blob = Blob(region.id[row], [root])
    owner[root] = blob.id
    following = region.next[row]
    while following != lay.NO_PAGE:
        sequence = len(blob.pages)
        wrong = _why_not(region, geometry, following, blob, sequence, owner)
        if wrong:
            blob.broken = wrong
            break
        at = region.row(following)
        assert at is not None
        owner[following] = blob.id
        blob.pages.append(following)
        following = region.next[at]
    _read(disk, geometry, blob, blob.pages)
    return blob


def _why_not(
    region: Region, geometry: Geometry, page: int, blob: Blob, sequence: int, owner: dict[int, int]
) -> Break | None:
    if page >= geometry.md_len:
        return Break("range", page, sequence)
    if owner.get(page) == blob.id:
        return Break("loop", page, sequence)
    at = region.row(page)
    if at is None:
        state = region.state_of(page)
        kinds: dict[int, BreakKind] = {pg.ZERO: "zero", pg.BAD: "bad", pg.UNREADABLE: "unreadable"}
        return Break(kinds.get(state, "range"), page, sequence)
    if region.kind[at] != pg.CONT:
        return Break("foreign", page, sequence, region.id[at])
    if region.id[at] != blob.id or region.sequence[at] != sequence:
        return Break("stale", page, sequence, region.id[at])
    return None


def _read(disk: Disk, geometry: Geometry, blob: Blob, pages: list[int]) -> None:
    """Put what the descriptors of these pages say into the blob."""
    for number in pages:
        body = pg.read_body(disk.read(geometry.md_at(number), lay.PAGE).ljust(lay.PAGE, b"\0"))
        if body.flags is not None and number == blob.root:
            blob.flags = body.flags
        for name, value in body.xattrs.items():
            blob.xattrs.setdefault(name, value)
        for name, value in body.internal.items():
            blob.internal.setdefault(name, value)
        blob.checksums += body.checksums
        blob.unknown += body.unknown
        room = max(0, pg.MOST_PROBLEMS - len(blob.problems))
        blob.problems += [f"page {number}: {problem}" for problem in body.problems[:room]]
        _read_map(blob, body, number)
    if blob.mapping == "rle":
        blob.clusters = sum(blob.runs[1::2])
    if blob.broken and not blob.attached and (blob.mapping != "table"):
        blob.clusters = None
    _judge(blob)


def _read_map(blob: Blob, body: pg.Body, number: int) -> None:
    if body.rle is not None:
        if blob.mapping in ("table", "mixed"):
            blob.mapping = "mixed"
            return
        blob.mapping = "rle"
        blob.runs.extend(body.rle)
    if body.table_clusters is not None:
        if blob.mapping in ("rle", "mixed"):
            blob.mapping = "mixed"
            return
        if blob.mapping == "table" and body.table_clusters != blob.clusters:
            blob.refused.append(f"page {number} says {body.table_clusters} clusters, an earlier page {blob.clusters}")
        else:
            blob.clusters = body.table_clusters
        blob.mapping = "table"
        blob.runs.extend(body.table)


def _judge(blob: Blob) -> None:
    unknown = blob.flags[0] & ~lay.KNOWN_INVALID_FLAGS
    if unknown:
        blob.refused.append(f"flag bits 0x{unknown:x} that no known release writes")
    if blob.mapping == "mixed":
        blob.refused.append("both a run-length map and an extent table")
    if blob.mapping == "table" and not blob.flags[0] & lay.HAS_TABLE:
        blob.refused.append("an extent table without its flag")
    for name in (SNAP, SNAPTMP, SNAPRM):
        if name in blob.internal and len(blob.internal[name]) != 8:
            blob.problems.append(f"internal xattr {name.decode()} is not 8 bytes long")


def _unclaimed(region: Region, owner: dict[int, int]) -> dict[int, list[int]]:
    """Rows of continuation pages that no chain holds, by blob id."""
    spare: dict[int, list[int]] = {}
    for row in region.rows(pg.CONT):
        if region.index[row] not in owner:
            spare.setdefault(region.id[row], []).append(row)
    return spare


def _resume(region: Region, rows: list[int], broken: Break) -> list[int]:
    """Pages of the same blob that come after the break, in order; empty where one place has two candidates."""
    by_sequence: dict[int, list[int]] = {}
    for row in rows:
        if region.sequence[row] >= broken.sequence:
            by_sequence.setdefault(region.sequence[row], []).append(row)
    if any(len(found) > 1 for found in by_sequence.values()):
        return []
    return [region.index[by_sequence[sequence][0]] for sequence in sorted(by_sequence)]


def attach(disk: Disk, geometry: Geometry, blob: Blob) -> None:
    """Take the pages found by id and sequence as the rest of a broken chain (`--accept anchored`)."""
    blob.attached = True
    blob.pages = [*blob.pages, *blob.resumed]
    runs, blob.runs = blob.runs, array("I")
    blob.xattrs, blob.internal, blob.checksums, blob.problems, blob.refused = {}, {}, [], [], []
    blob.mapping, blob.clusters = "none", 0
    _read(disk, geometry, blob, blob.pages)
    if blob.mapping == "none":
        blob.runs, blob.clusters = runs, None
