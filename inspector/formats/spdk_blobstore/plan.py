"""A repaired image: what is proved stays, half-done snapshots are finished or undone, masks are computed anew.

Volumes that would read wrong bytes are left out with their descendants; they can still be extracted from the
original. `--accept unsealed` keeps them, with zeroes (or the parent's bytes) where their map is lost.
"""

from __future__ import annotations

from array import array

from msgspec.structs import replace

from inspector.correct import told
from inspector.counted import counted, plural
from inspector.errors import RefusedError
from inspector.finding import Severity, Tally
from inspector.format import Plan, Wishes
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.blobs import SNAP, SNAPRM, SNAPTMP, Blob
from inspector.formats.spdk_blobstore.check import check, lost_roots, of_lost_volumes
from inspector.formats.spdk_blobstore.crash import HalfDone, half_done
from inspector.formats.spdk_blobstore.disk import Moved
from inspector.formats.spdk_blobstore.image import edits, untouched
from inspector.formats.spdk_blobstore.moved import undone
from inspector.formats.spdk_blobstore.recover import IO_UNIT
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.tail import translated
from inspector.formats.spdk_blobstore.workshop import Workshop, read_only, renamed, without_internal

RECOVERED_NAME = b"recovered"


def plan(state: State, wishes: Wishes) -> Plan:
    """Raises RefusedError where a choice is the user's."""
    store = state.ready()
    if store is None or state.geometry is None:
        raise RefusedError(f"{state.source.label}: no geometry could be found", "nothing can be rebuilt from here")
    if "unsealed" not in wishes.accept and (refused := translated(state)):
        raise refused
    if state.how == "ambiguous":
        sizes = "; ".join(f"{c.geometry.cluster_size} ({', '.join(c.because)})" for c in state.candidates)
        raise RefusedError(
            f"several cluster sizes fit: {sizes}", f"--cluster-size {state.candidates[0].geometry.cluster_size}"
        )
    space = sum(high - low for low, high in state.disk.data_ranges(0, state.disk.size)) + state.disk.base
    if not damaged(state):
        return Plan(untouched(state, Workshop(state)), space, size=state.source.size, after=_after)
    if state.odd_end and state.disk.moved is None:
        taken = "taken to stand behind the store, as accepted" if "unsealed" in wishes.accept else None
        appended = state.put_behind
        if because := appended[1] if appended else taken:
            state = _without_tail(state, store, because)
    size = _full_size(state, store)
    shop = Workshop(state)
    if state.how in ("recovered", "given"):
        shop.notes.append(f"the size of the smallest request is on no other page: {IO_UNIT} bytes are taken for it")
    _corrected(state, shop)
    _put_back(state, shop)
    left = "items --lost of the original gives what is left of it, and the output has its clusters free"
    for page in lost_roots(state, store):
        shop.notes.append(f"the volume of metadata page {page} is lost: {left}")
        there = pg.STATE_NAMES[state.region.state_of(page)]
        shop.clear(page, "lost", f"metadata page {page}: the root of a volume lay here, and the page is {there}")
    for page in of_lost_volumes(state, store) if store.orphan_extents else ():
        shop.notes.append(f"the volume of extent page {page} is lost: {left}")
        shop.clear(page, "lost", f"metadata page {page}: an extent page of a volume whose root is lost")
    for pair in () if state.wishes.no_correct else state.crossed:
        for page, other in ((pair.page, pair.other), (pair.other, pair.page)):
            pages = ", ".join(map(str, pair.circle)) or f"{page} and {other}"
            why = f"extent pages {pages} carry each other's volume{'s' * bool(pair.circle)}: they changed places"
            shop.put(page, state.disk.read(shop.geometry.md_at(page), lay.PAGE), "corrected", "derived", why)
    _accepted(shop)
    for half in half_done(shop.store):
        _finish(shop, half)
    shop.refresh()
    _strays(shop)
    _whole(shop)
    _no_shared(shop)
    return Plan(edits(state, shop), space + (16 << 20), size=size, notes=shop.notes, after=_after)


def damaged(state: State) -> bool:
    """Something stands against the store that the loader does not set right by itself."""
    tally = Tally(2)
    check(state, (), tally)
    return bool(tally.severity_count(Severity.ERROR) or tally.severity_count(Severity.WARNING))


def _without_tail(state: State, store: Store, because: str) -> State:
    """The store without what stands behind it."""
    g = store.geometry
    tail = Moved(g.size, state.disk.size - g.size, because)
    return replace(state, disk=undone(state.disk, tail))


def _full_size(state: State, store: Store) -> int:
    """The size of the output; an image that is cut short is extended only where nothing lay."""
    g = store.geometry
    if state.odd_end:
        behind, whole = plural(state.disk.size - g.size, "byte"), state.disk.base + g.size
        raise RefusedError(
            f"the image ends inside a sector, {behind} behind its store: where they were put in, all behind them moved",
            f"copy the disk again; --accept unsealed takes them for what stands behind it, as head -c {whole} does",
        )
    if g.size <= state.disk.size:
        return state.disk.source.size
    if g.md_at(g.md_len) > state.disk.size:
        raise RefusedError(
            f"the image ends inside its metadata, {g.size - state.disk.size} bytes before the store does",
            "extract what is there; the volumes whose metadata is missing cannot be known",
        )
    lost = sum(1 for cluster in store.used if g.cluster_at(cluster + 1) > state.disk.size)
    if lost and "unsealed" not in state.wishes.accept:
        raise RefusedError(
            f"{g.size - state.disk.size} bytes are missing at the end, and {lost} clusters of volumes with them",
            "extract what is there, or --accept unsealed to have zeroes in their place",
        )
    return state.disk.base + g.size


def _corrected(state: State, shop: Workshop) -> None:
    """Pages with one flipped bit are restored; those that nothing explains are left zero."""
    for page in state.mended:
        data = state.disk.read(shop.geometry.md_at(page), lay.PAGE)
        found = state.corrections[page]
        bit = told(state.disk.raw(shop.geometry.md_at(page), lay.PAGE), found.patch)[0]
        if found.verdict == "sealed":
            shop.put(page, data, "corrected", "sealed", f"{bit}: the checksum holds, {found.witness}")
        else:
            shop.put(page, data, "corrected", "none", f"{bit}: the checksum holds, as accepted")
    for start, end, kind in state.region.runs(pg.BAD, pg.UNREADABLE):
        for page in range(start, end):
            if page not in state.mended and page not in state.homes:
                why = "its checksum does not hold" if kind == pg.BAD else "the medium does not deliver it"
                shop.clear(page, "lost", f"metadata page {page}: {why}")


def _put_back(state: State, shop: Workshop) -> None:
    """Pages go where they belong; what lay there goes where they lay, if it belongs there."""
    for one in state.homes.values():
        shop.put(one.home, one.data, "corrected", "sealed", f"{one.what}, which lay at {one.at}")
        if one.page is None or one.page in state.homes:
            continue
        if one.back is None:
            shop.clear(one.page, "dropped", f"{one.what} lay here, and goes to metadata page {one.home}")
        else:
            shop.put(one.page, one.back, "corrected", "sealed", f"metadata page {one.page}, which lay in {one.home}")


def _accepted(shop: Workshop) -> None:
    """Chains that were continued by id and number get their pages in a row again."""
    for blob in shop.store.blobs.values():
        if not blob.attached:
            continue
        for place, page in enumerate(blob.pages):
            following = blob.pages[place + 1] if place + 1 < len(blob.pages) else lay.NO_PAGE
            shop.relink(page, place, following, f"{blob.name}: page {place} of its chain, as accepted")
        shop.notes.append(f"{blob.name}: attributes on the lost page of its chain are gone")
    shop.refresh()


def _finish(shop: Workshop, half: HalfDone) -> None:
    """Finish or undo a half-done snapshot as the loader would, and as it should where it dies."""
    blob, other = shop.store.blobs[half.blob], shop.store.blobs.get(half.other)
    if half.verdict == "stuck" or other is None:
        return
    mark = SNAPTMP if half.operation == "create" else SNAPRM
    why = f"{blob.name}: snapshot {half.operation} stopped after write {half.step}"
    if half.verdict == "discard":
        theirs = {page for page in other.runs[::2] if page} if other.mapping == "table" else set()
        extents = [page for page in blob.runs[::2] if page and blob.mapping == "table"]
        for page in [*blob.pages, *(p for p in extents if p not in theirs)]:
            shop.clear(page, "dropped", why)
        return
    for page in blob.pages:
        shop.rewrite(page, without_internal(mark), f"{why}, its mark is taken off")
    shop.refresh()
    shop.rewrite(blob.root, read_only, f"{why}, it is a snapshot again")
    if half.operation == "delete" and half.shared:
        _unmerge(shop, blob, other, why)
    shop.refresh()


def _unmerge(shop: Workshop, snapshot: Blob, child: Blob, why: str) -> None:
    """Take from the child what the interrupted delete had copied into its map; it reads the same through its parent."""
    theirs = dict(_table(shop.store, snapshot))
    for at, page in list(_table(shop.store, child)):
        if at not in theirs:
            continue
        mine, below = shop.store.extent_body(page).extent, shop.store.extent_body(theirs[at]).extent
        new = array("I", mine)
        for number in range(min(len(mine), len(below))):
            if mine[number] and mine[number] == below[number]:
                new[number] = 0
        if new != mine:
            _put_extent(shop, page, at, new, f"{why}, the clusters stay with the snapshot")


def _table(store: Store, blob: Blob) -> list[tuple[int, int]]:
    """(first cluster, page) of each usable extent page."""
    found, at = [], 0
    for page, count in zip(blob.runs[::2], blob.runs[1::2], strict=False):
        if blob.mapping == "table" and page:
            if store.slot(page, at).words is not None:
                found.append((at, page))
            at += lay.PER_EXTENT_PAGE
        else:
            at += count * lay.PER_EXTENT_PAGE
    return found


def _put_extent(shop: Workshop, page: int, start: int, words: array[int], why: str, owner: int | None = None) -> None:
    body = start.to_bytes(4, "little") + b"".join(word.to_bytes(4, "little") for word in words)
    blob = pg.parse(shop.store.read_page(page)).id if owner is None else owner
    new = pg.build(blob, 0, lay.NO_PAGE, pg.descriptor(lay.EXTENT_PAGE, body))
    shop.put(page, new, "corrected" if owner is None else "added", "derived", why)


def _strays(shop: Workshop) -> None:
    """Sealed pages that lie where they do not belong would stay findings for ever."""
    region = shop.store.region
    for page in [page for page, kind in zip(region.index, region.kind, strict=True) if kind == pg.STRAY]:
        shop.notes.append(f"metadata page {page} lies where it does not belong and is left out")
        shop.clear(page, "dropped", f"metadata page {page} lies where it does not belong")
    shop.refresh()


def _whole(shop: Workshop) -> None:
    """Leave out, or with `unsealed` patch, every volume that would read wrong; again until none is left."""
    while True:
        _super_blob(shop)
        wrong = _wrong(shop.store, shop)
        if not wrong:
            return
        if "unsealed" not in shop.accept:
            _with_children(shop.store, wrong)
        for blob_id, why in wrong.items():
            blob = shop.store.blobs[blob_id]
            if "unsealed" in shop.accept and _patch(shop, blob, why):
                continue
            for page in blob.pages:
                shop.clear(page, "lost", f"{blob.name}: {why}")
            other = "; --accept anchored takes the pages that were found" if blob.resumed else ""
            shop.notes.append(f"{blob.name} is left out ({why}): extract it from the original image{other}")
        shop.refresh()


def _wrong(store: Store, shop: Workshop) -> dict[int, str]:
    found: dict[int, str] = {}
    for fault in store.extent_faults:
        found[fault.blob] = fault.why
    found.update({blob: "it maps clusters outside of the store" for blob, _, _ in store.out_of_range})
    found.update(dict.fromkeys(store.overclaimed, "its map names more than the store has"))
    found.update(dict.fromkeys(store.thick_holes, "it is thick and has holes"))
    found.update(dict.fromkeys(store.circles(), "its chain of snapshots runs in a circle"))
    names: dict[bytes, int] = {}
    for blob in store.blobs.values():
        if blob.broken:
            found[blob.id] = "its chain of metadata pages is broken"
        elif blob.refused or blob.problems:
            found[blob.id] = (blob.refused + blob.problems)[0]
        elif blob.parent is not None and blob.parent not in store.blobs:
            found[blob.id] = f"its snapshot 0x{blob.parent:x} is lost"
        elif blob.id != store.geometry.super_blob and store.geometry.bstype == sb.LVOLSTORE:
            _name(shop, blob, names, found)
    return found


def _with_children(store: Store, wrong: dict[int, str]) -> None:
    """What stands on a volume that is left out goes with it: at once, because a chain of snapshots may be long."""
    level = list(wrong)
    while level:
        below = sorted(child for blob in level for child in store.children.get(blob, ()) if child not in wrong)
        wrong.update((child, f"its snapshot 0x{store.blobs[child].parent:x} is lost") for child in below)
        level = below


def _name(shop: Workshop, blob: Blob, names: dict[bytes, int], found: dict[int, str]) -> None:
    name = blob.xattrs.get(b"name", b"").split(b"\0")[0]
    if name and name not in names:
        names[name] = blob.id
        return
    if "name" not in shop.accept:
        what = f"two volumes are named {blob.name}" if name else f"volume 0x{blob.id:x} has no name"
        raise RefusedError(what, "--accept name gives it a name made of its own and its id")
    new = (name[:40] + b"-" if name else b"blob-") + f"{blob.root:x}".encode()
    shop.rewrite(blob.root, renamed(new), f"{blob.name} is named {new.decode('ascii', 'replace')}")
    names[new] = blob.id


def _patch(shop: Workshop, blob: Blob, why: str) -> bool:
    """Make the volume loadable with zeroes or its parent's bytes where its map is lost; only what is understood."""
    faults = [fault for fault in shop.store.extent_faults if fault.blob == blob.id]
    if faults:
        for fault in faults:
            if fault.page >= shop.geometry.md_len or shop.store.region.row(fault.page) is not None:
                return False  # the page is another's, or lies nowhere
            count = min(lay.PER_EXTENT_PAGE, (blob.clusters or 0) - fault.at)
            empty = array("I", bytes(4 * count))
            text = f"{blob.name}: clusters from {fault.at} on read as unallocated (--accept unsealed)"
            _put_extent(shop, fault.page, fault.at, empty, text, blob.id)
        lost = len(faults) * lay.PER_EXTENT_PAGE
        shop.notes.append(f"{blob.name}: up to {lost} clusters read as unallocated, not as written")
        return True
    if blob.parent is not None and blob.parent not in shop.store.blobs:
        for page in blob.pages:
            shop.rewrite(page, without_internal(SNAP), f"{blob.name}: its lost snapshot reads as zeroes")
        shop.notes.append(f"{blob.name}: what came from its lost snapshot reads as zeroes")
        return True
    if blob.broken and blob.mapping == "table" and blob.clusters is not None and _covered(blob):
        shop.relink(blob.pages[-1], len(blob.pages) - 1, lay.NO_PAGE, f"{blob.name}: its chain ends before the break")
        shop.notes.append(f"{blob.name}: attributes and a parent named on lost pages are gone")
        return True
    return False


def _covered(blob: Blob) -> bool:
    slots = sum(1 if page else count for page, count in zip(blob.runs[::2], blob.runs[1::2], strict=False))
    return blob.clusters is not None and slots * lay.PER_EXTENT_PAGE >= blob.clusters


def _super_blob(shop: Workshop) -> None:
    """Without the blob that describes the lvolstore nothing loads; a new one is made on request."""
    g = shop.geometry
    if g.super_blob == lay.NO_BLOB or g.super_blob in shop.store.blobs:
        return
    if "name" not in shop.accept:
        raise RefusedError(
            "the lvolstore's name and uuid are lost, and without them nothing loads",
            "--accept name makes new ones; or extract the volumes into another store",
        )
    page = g.super_blob & 0xFFFFFFFF
    uuid = f"00000000-0000-4000-8000-{pg.checksum(bytes(lay.PAGE)) ^ g.md_start:012x}".encode() + b"\0"
    body = pg.descriptor(lay.FLAGS, lay.FLAGS_BODY.fast().pack(lay.HAS_TABLE, 0, 0))
    body += pg.xattr(b"uuid", uuid) + pg.xattr(b"name", RECOVERED_NAME + b"\0")
    body += pg.descriptor(lay.EXTENT_TABLE, bytes(8))
    shop.put(
        page,
        pg.build(g.super_blob, 0, lay.NO_PAGE, body),
        "lost",
        "none",
        "a new name and uuid stand for it, as accepted",
    )
    shop.notes.append(f"the lvolstore is named {RECOVERED_NAME.decode()} and has uuid {uuid[:-1].decode()}")
    shop.refresh()


def _no_shared(shop: Workshop) -> None:
    if shop.store.shared_count:
        first = shop.store.shared[0]
        names = " and ".join(shop.store.blobs[blob].name for blob in first.owners)
        shared = counted(shop.store.shared_count, "cluster belongs", "clusters belong")
        raise RefusedError(
            f"{shared} to two volumes, the first to {names}",
            "extract both volumes, compare them with a replica or backup, then delete one",
        )


def _after(source: str, output: str) -> tuple[str, ...]:
    return (
        f"inspector items {output}",
        "Stop spdk_tgt before you go on (Longhorn: disable scheduling on the disk and stop its instance manager).",
        f"Keep the original. To put the image on a disk of the same size: dd if={output} of=DEVICE bs=4M conv=fsync",
        "`inspector repair --patch FILE` and `inspector apply` change only the listed pages instead of a whole disk.",
        "Attach it to a test spdk_tgt first (bdev_aio_create, bdev_lvol_get_lvols) and compare a volume's checksum.",
    )
