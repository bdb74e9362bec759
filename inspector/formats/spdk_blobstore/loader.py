"""What SPDK and Longhorn's engine do when they load this store: release builds, as measured and read.

A total function of the state. It looks at the bytes as they lie on disk: what inspector corrected is broken to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct, field

from inspector.format import Outcome
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store

UPSTREAM, LONGHORN, LONGHORN_7 = "SPDK", "Longhorn SPDK engine", "Longhorn SPDK engine with cluster checksums"
PROGRAMS = (UPSTREAM, LONGHORN, LONGHORN_7)
MAX_NAME = {UPSTREAM: 64, LONGHORN: 256, LONGHORN_7: 256}
LOOKED_AT = 4096  # pages that fail their checksum
DROPPED = "dropped silently, its clusters become free"


class Load(Struct):
    """`code` 0 and no `crash`: the store comes up, without the volumes in `missing`."""

    program: str
    code: int = 0
    message: str = ""
    crash: str = ""
    recovers: bool = False
    missing: dict[int, str] = field(default_factory=dict)  # blob -> why
    wrong: dict[int, str] = field(default_factory=dict)  # blobs that come up with wrong content
    notes: list[str] = field(default_factory=list)

    @property
    def comes_up(self) -> bool:
        return self.code == 0 and not self.crash

    def outcome(self, release: str = "") -> Outcome:
        if self.crash:
            return Outcome(self.program, release, "dies at every load", self.crash)
        if self.code:
            return Outcome(self.program, release, f"refuses the store with {self.code}", self.message)
        words = "recovers and loads" if self.recovers else "loads"
        if self.missing:
            words += f" without {len(self.missing)} of its volumes"
        if self.wrong:
            words += f", {len(self.wrong)} with wrong content"
        return Outcome(self.program, release, words, "; ".join([*self.notes, *list(self.missing.values())[:4]]))


def load(state: State, program: str) -> Load:
    """What `program` makes of this store."""
    data, found = state.super_data, Load(program)
    moved = state.disk.moved
    if not sb.sealed(data) or (moved is not None and moved.at < lay.PAGE):
        return _refuse(found, -84, "")
    g = sb.parse(data)
    if not 1 <= g.version <= 3 or (g.size or state.disk.size) > state.disk.span(0, state.disk.size).length:
        return _refuse(found, -84, "")
    store = state.store
    if store is None:
        return _refuse(found, -84, "the geometry contradicts itself")
    if g.bstype != sb.LVOLSTORE:
        return _refuse(found, -6, "")
    if program == LONGHORN and g.page_size != lay.PAGE:  # its releases read md_page_size as reserved bytes
        return _refuse(found, -19, "")
    found.recovers = g.clean != 1 or not g.blobid_mask[1]
    on_disk = {b.id: b for b in store.blobs.values() if not _broken_on_disk(state, b)}
    if found.recovers and _replay_fails(state, store, on_disk, program, found):
        return found
    _missing(state, store, on_disk, found)
    if found.recovers:
        for half in state.half:
            if half.kills and half.blob in on_disk:
                found.crash = "SIGSEGV in bs_blob_list_remove (debug builds: Assertion '*clone_entry != NULL' failed)"
                return found
            if half.operation == "delete" and half.step == 3 and half.shared:
                found.notes.append(f"{half.shared} shared clusters are subtracted twice from the free ones")
    if g.super_blob not in on_disk:
        return _refuse(found, -19, "" if found.recovers else _mismatch(g.super_blob))
    _names(store, on_disk, program, found)
    return found


def _refuse(found: Load, code: int, message: str) -> Load:
    found.code, found.message = code, message
    return found


def _broken_on_disk(state: State, blob: Blob) -> bool:
    return any(_unreadable(state, page) for page in blob.pages[:1])


def _unreadable(state: State, page: int) -> bool:
    """A page that is read corrected, or elsewhere, and that the program finds broken."""
    moved, g = state.disk.moved, state.geometry
    return page in state.mended or (moved is not None and g is not None and g.md_at(page) + lay.PAGE > moved.at)


def _replay_fails(state: State, store: Store, on_disk: dict[int, Blob], program: str, found: Load) -> bool:
    """A recovery reads the whole metadata and refuses the store where one page of a chain cannot be used."""
    for fault in store.extent_faults:
        if fault.blob in on_disk:
            _refuse(found, -84, "")
            return True
    if any(_unreadable(state, page) for page in store.extent_owners):
        _refuse(found, -84, "")
        return True
    for blob in on_disk.values():
        if blob.unknown or (blob.checksums and program != LONGHORN_7):
            _refuse(found, -84, "")
            return True
    return False


def _mismatch(blob: int) -> str:
    return f"Metadata page {blob & 0xFFFFFFFF} crc mismatch for blobid 0x{blob:x}"


def _rootless(state: State, store: Store) -> Iterator[int]:
    """Volumes that a recovery does not find: first pages that fail their checksum and still say whose they are."""
    bad = (page for start, end, _ in state.region.runs(pg.BAD) for page in range(start, end))
    for page in islice(bad, LOOKED_AT):
        if store.read_page(page)[:8] == pg.root_id(page).to_bytes(8, "little"):
            yield pg.root_id(page)


def _missing(state: State, store: Store, on_disk: dict[int, Blob], found: Load) -> None:
    bad = {fault.blob: fault.why for fault in store.extent_faults}
    for page in store.extent_owners:
        if _unreadable(state, page):
            bad.update(dict.fromkeys(store.extent_owners[page], f"extent page {page} crc mismatch"))
    if not found.recovers:
        differences = mk.compare(store)
        pages = next((d for d in differences if d.kind == mk.PAGES and d.header_ok), None)
        for difference in differences:
            if difference.kind == mk.BLOBS and difference.header_ok:
                hidden = {1 << 32 | bit for bit in difference.missing}
                bad.update({blob: "its root is not marked" for blob in hidden if blob in on_disk})
                gone = [bit for bit in difference.extra if not (pages and mk.unborn(store, bit, pages))]
                bad.update({pg.root_id(page): _mismatch(pg.root_id(page)) for page in gone})
            if difference.kind == mk.CLUSTERS and difference.missing_count and difference.header_ok:
                bad.update(dict.fromkeys(_users(store, set(difference.missing)), "a cluster is not marked: -22"))
    else:
        bad.update(dict.fromkeys(_rootless(state, store), DROPPED))
    bad.update({blob: "out of range: -22" for blob, _, _ in store.out_of_range})
    bad.update(dict.fromkeys(store.thick_holes, "thick with holes: -22"))
    for blob in store.blobs.values():
        if blob.id not in on_disk:
            bad[blob.id] = DROPPED if found.recovers else _mismatch(blob.id)
        elif blob.refused:
            bad[blob.id] = f"-22: {blob.refused[0]}"
        elif blob.broken and blob.broken.kind in ("stale", "foreign"):
            found.wrong[blob.id] = f"{blob.name} takes the page of blob 0x{blob.broken.holder:x} for its own"
        elif any(_unreadable(state, page) for page in blob.pages):
            bad[blob.id] = "crc mismatch on a page of its chain"
        elif blob.broken:
            bad[blob.id] = f"metadata page {blob.broken.page} cannot be used"
    found.missing = {blob: f"{_name(store, blob)}: {why}" for blob, why in bad.items()}
    _descendants(store, found)


def _descendants(store: Store, found: Load) -> None:
    """Whoever stands on a missing snapshot is missing too."""
    lost = list(found.missing) + [p for p in store.children if p not in store.blobs]
    while lost:
        for child in store.children.get(lost.pop(), ()):
            if child not in found.missing:
                found.missing[child] = f"{_name(store, child)}: Snapshot fail"
                lost.append(child)


def _users(store: Store, clusters: set[int]) -> Iterator[int]:
    for blob in store.blobs.values():
        for run in store.own(blob):
            if run.cluster > 0 and any(run.cluster <= c < run.cluster + run.count for c in clusters):
                yield blob.id
                break


def _names(store: Store, on_disk: dict[int, Blob], program: str, found: Load) -> None:
    for blob in on_disk.values():
        if blob.id == store.geometry.super_blob or blob.id in found.missing:
            continue
        value = blob.xattrs.get(b"name")
        if value is None or len(value) > MAX_NAME[program] or b"\0" not in value:
            _refuse(found, -22, "Cannot assign lvol name")
            return


def _name(store: Store, blob: int) -> str:
    found = store.blobs.get(blob)
    return found.name if found else f"0x{blob:x}"


__all__ = ["LONGHORN", "LONGHORN_7", "PROGRAMS", "UPSTREAM", "Load", "load"]
