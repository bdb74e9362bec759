"""What `open` makes: where the store lies, its geometry and how that is known, and the store once it is scanned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, field

from inspector.correct import Correction
from inspector.errors import UsageError
from inspector.finding import Confidence
from inspector.format import Claim, Wishes
from inspector.formats.spdk_blobstore import homes, moved
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.assemble import build
from inspector.formats.spdk_blobstore.crash import HalfDone, half_done
from inspector.formats.spdk_blobstore.crossed import Crossed, crossed, put_back
from inspector.formats.spdk_blobstore.disk import Disk
from inspector.formats.spdk_blobstore.homes import Strayed
from inspector.formats.spdk_blobstore.identify import identify, partitions
from inspector.formats.spdk_blobstore.mend import bit_of, mend, mend_super
from inspector.formats.spdk_blobstore.recover import FIRST_LOOK, Candidate, candidates, find_roots, md_start
from inspector.formats.spdk_blobstore.region import Region, scan
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.superblock import Geometry
from inspector.source import Source
from inspector.undone import written

# pages found by id and number alone; zeroes where a map is lost; names and uuids that are made up; a flipped bit that
# only the checksum speaks for
ACCEPTS = frozenset({"anchored", "unsealed", "name", "unique"})
TARGETS = ("spdk", "longhorn", "longhorn-checksums")
How = Literal["sealed", "mended", "recovered", "given", "ambiguous", "none"]


class State(Struct):
    source: Source
    wishes: Wishes
    disk: Disk
    where: str  # "" or the partition that holds the store
    super_data: bytes  # page 0 as it lies there
    how: How = "none"
    geometry: Geometry | None = None
    super_bit: int | None = None  # the flipped bit of a corrected super block
    super_fix: Correction | None = None
    candidates: list[Candidate] = field(default_factory=list)
    region: Region = field(default_factory=Region)
    mended: dict[int, int] = field(default_factory=dict)  # corrected page -> the bit that was flipped
    corrections: dict[int, Correction] = field(default_factory=dict)  # page -> what undoes it, taken or not
    crossed: list[Crossed] = field(default_factory=list)  # extent pages that changed places; put back where allowed
    homes: dict[int, Strayed] = field(default_factory=dict)  # pages that lay elsewhere, by where they belong
    half: list[HalfDone] = field(default_factory=list)
    store: Store | None = None
    behind: list[int] = field(default_factory=list)  # super blocks of other stores behind this one, once checked
    strays: list[tuple[int, int | None]] | None = None  # of `units`: sealed pages elsewhere, once one was looked for

    def scan(self) -> Iterator[tuple[int, int]]:
        """Read the metadata region once; yields page ranges as they are done. The store is there afterwards."""
        assert self.geometry is not None
        if self.store is not None:
            return
        self.region = Region()
        yield from scan(self.disk, self.geometry, self.region)
        self.corrections = dict(mend(self.disk, self.geometry, self.region, self.wishes))
        self.mended = {p: bit_of(one) for p, one in self.corrections.items() if written(one, self.wishes)}
        self.store = self._built()
        if not self.wishes.no_correct and self._of_one_size():
            self.store, found = homes.put_back(self.store, self._built)
            self.homes = {one.home: one for one in found}
        self.crossed = list(crossed(self.store))
        if self.crossed and not self.wishes.no_correct:
            put_back(self.store, self.crossed)
            self.store = self._built()
        self.half = half_done(self.store)

    def _of_one_size(self) -> bool:
        """Not so where bytes were put in or taken out: pages then moved with the clusters, which nothing puts back."""
        assert self.geometry is not None
        return not 0 < abs(self.disk.size - self.geometry.size) < MOVED

    def _built(self) -> Store:
        assert self.geometry is not None
        return build(self.disk, self.geometry, self.region, self.wishes.accept)

    def ready(self) -> Store | None:
        """The store, scanned if it was not yet; None where no geometry is known."""
        if self.geometry is not None:
            for _ in self.scan():
                pass
        return self.store

    @property
    def odd_end(self) -> int:
        """Bytes of an image behind its last whole sector, where it is longer than its store."""
        return self.disk.size % 512 if self.geometry is not None and self.disk.size > self.geometry.size else 0

    @property
    def put_behind(self) -> tuple[Confidence, str] | None:
        """Why an odd end was put behind the store, so that nothing of it moved; None where nothing tells that."""
        if not self.odd_end or self.geometry is None:
            return None
        from inspector.formats.spdk_blobstore.tail import put_behind

        return put_behind(self.disk, self.geometry.size)

    @property
    def trusted(self) -> bool:
        """The geometry is proved, so that clusters lie where the maps say."""
        return self.how in ("sealed", "mended", "recovered", "given")


def target(release: str) -> str | None:
    """The program that --for names: `spdk`, `longhorn` or `longhorn-checksums`, with a release after it or not."""
    name = re.split(r"[ @=:/]|-?v?\d", release.lower())[0]
    return name if name in TARGETS else None


MOVED = 1 << 20  # bytes by which a disk that grew, or a copy that stopped, differs at least


def locate(source: Source) -> tuple[Disk, str]:
    """The store in a source: at its start, in the first partition that holds one, or behind other bytes."""
    whole = Disk(source)
    if whole.read(0, len(lay.SIGNATURE)) == lay.SIGNATURE:
        return whole, ""
    for start, end, which in partitions(whole.read):
        part = Disk(source, start, end)
        if part.read(0, len(lay.SIGNATURE)) == lay.SIGNATURE:
            return part, which
    behind = moved.before(whole)
    return (whole if behind is None else moved.undone(whole, behind)), ""


def begins(head: bytes) -> bool:
    """Whether an image may begin so: a super block, however damaged, a partition table, or zeroes where one was."""
    return head[:8] == lay.SIGNATURE or head[510:512] == b"\x55\xaa" or (len(head) >= lay.PAGE and not any(head))


def claim(source: Source, lower: object) -> Claim:
    """Sure when a super block is sealed; nearly sure when its pages are there without it."""
    if source.kind == "folder":
        return Claim(0, "a folder, not an image or a device")
    disk, which = locate(source)
    data = disk.read(0, lay.PAGE)
    behind = f" in {which} at byte {disk.base}" if disk.base else ""
    if sb.sealed(data):
        return Claim(100, f"super block with signature SPDKBLOB and a valid checksum{behind}")
    if data[:8] == lay.SIGNATURE:
        return Claim(70, f"signature SPDKBLOB{behind}, but the super block's checksum does not hold")
    roots = find_roots(disk, FIRST_LOOK)
    start = md_start(roots)
    if start is None:
        roots = moved.loose_roots(disk, FIRST_LOOK)
    if roots and (start is not None or len(roots) > 1):
        return Claim(60, f"no super block, but {len(roots)} sealed blobstore root pages from byte {min(roots)} on")
    name = identify(disk.read)
    if name is None and any(True for _ in partitions(disk.read)):
        name = "a partition table, and none of its partitions starts with a blobstore"
    return Claim(0, name or "no SPDKBLOB signature and no blobstore metadata page in the first 16 MiB")


def open_store(source: Source, lower: object, wishes: Wishes) -> State:
    """Find the geometry: sealed, one bit away, borne out by what is left, or given by the user."""
    if wishes.release is not None and target(wishes.release) is None:
        raise UsageError(f"--for {wishes.release}: not a program that loads blobstores", f"known: {', '.join(TARGETS)}")
    strange = wishes.accept - ACCEPTS
    if strange:
        raise UsageError(
            f"--accept {min(strange)} means nothing to a blobstore", f"known: {', '.join(sorted(ACCEPTS))}"
        )
    disk, where = locate(source)
    data = disk.read(0, lay.PAGE)
    state = State(source, wishes, disk, where, data)
    if sb.sealed(data) and not sb.impossible(sb.parse(data), max(disk.size, sb.parse(data).size)):
        state.geometry, state.how = sb.parse(data), "sealed"
        _no_other_size(state, wishes)
        found = moved.inside(disk, state.geometry) if disk.moved is None else None
        if found is not None:
            state.disk = moved.undone(disk, found)
        return state
    fixed = None if sb.sealed(data) else mend_super(disk, wishes)
    if fixed is not None:
        state.geometry, state.super_fix = fixed
        state.super_bit = bit_of(state.super_fix)
        state.how = "mended"
        _no_other_size(state, wishes)
        return state
    behind = None if sb.sealed(data) else moved.in_super(disk)
    if behind is not None:
        state.disk = disk = moved.undone(disk, behind)
        state.super_data = data = disk.read(0, lay.PAGE)
        if sb.sealed(data) and not sb.impossible(sb.parse(data), max(disk.size, sb.parse(data).size)):
            state.geometry, state.how = sb.parse(data), "sealed"
            _no_other_size(state, wishes)
            return state
    state.candidates = candidates(disk, wishes.cluster_size)
    if not state.candidates:
        return state
    state.geometry = state.candidates[0].geometry
    if wishes.cluster_size:
        state.how = "given"
    else:
        state.how = "recovered" if len(state.candidates) == 1 else "ambiguous"
    return state


def _no_other_size(state: State, wishes: Wishes) -> None:
    """A sealed cluster size is not open to choice."""
    known = state.geometry.cluster_size if state.geometry is not None else None
    if wishes.cluster_size is not None and wishes.cluster_size != known:
        raise UsageError(f"the super block is sealed and says clusters of {known} bytes", "leave out --cluster-size")
