"""Findings about the store: super block, masks, pages. Those about blobs come from `blob_check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from inspector.correct import flips, told
from inspector.counted import counted, plural, put_in
from inspector.finding import Cause, Evidence, Finding, Rule, Salvage, Severity, Tally
from inspector.format import Stretch
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore import masks as mk
from inspector.formats.spdk_blobstore import page as pg
from inspector.formats.spdk_blobstore import rules as r
from inspector.formats.spdk_blobstore import superblock as sb
from inspector.formats.spdk_blobstore.blob_check import check_blobs
from inspector.formats.spdk_blobstore.causes import cause_of
from inspector.formats.spdk_blobstore.crossed import Crossed
from inspector.formats.spdk_blobstore.disk import Disk, Moved
from inspector.formats.spdk_blobstore.homes import Strayed
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.span import Span

if TYPE_CHECKING:
    from inspector.formats.spdk_blobstore import mask_causes, tail
else:  # of damaged masks, and of images longer than their store only
    from inspector.postponed import Postponed

    mask_causes = Postponed("inspector.formats.spdk_blobstore.mask_causes")
    tail = Postponed("inspector.formats.spdk_blobstore.tail")


MOST_ORPHANS = 4096  # extent pages without an owner of which every cluster is looked at


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    """Read all stretches (the scan happens in them), then judge."""
    for _ in stretches:
        pass
    if state.disk.base:
        text = f"the store starts at byte {state.disk.base}, in {state.where}"
        span, evidence = state.disk.span(0, lay.PAGE), {"base": state.disk.base}
        tally.put(Finding(r.PARTITION, span, text, evidence))
    if state.disk.moved is not None:
        _moved(state, state.disk.moved, tally)
    _check_super(state, tally)
    store = state.ready()
    if store is None or state.geometry is None:
        return
    if state.how in ("sealed", "mended"):
        _check_masks(state, store, tally)
    _check_pages(state, store, tally)
    check_blobs(state, store, tally)


def _moved(state: State, moved: Moved, tally: Tally) -> None:
    low, high = _among_zeroes(state.disk, moved)
    where = "here" if moved.by > 0 or low == high else "somewhere in these zeroes"
    text = f"{put_in(moved.by)} {where}; what is behind is read where it stands now"
    cause = Cause("shifted", "certain", moved.because)
    span = Span(state.disk.base + low, state.disk.base + high)
    tally.put(Finding(r.MOVED, span, text, {"count": moved.by}, cause, "kept"))


def _among_zeroes(disk: Disk, moved: Moved) -> tuple[int, int]:
    """Where it may have been, as the image stands: lost bytes that read as zeroes among zeroes were any of them."""
    if moved.by > 0:
        return moved.at, moved.at + moved.by
    if moved.fill.strip(b"\0") or moved.by % lay.PAGE == 0:  # whole pages: those around them tell where they were
        return moved.at, moved.at
    before = disk.read(max(0, moved.at - lay.PAGE), min(moved.at, lay.PAGE))
    behind = disk.read(moved.at + moved.lost, lay.PAGE)
    low = moved.at - len(before) + len(before.rstrip(b"\0"))
    return low, moved.at + len(behind) - len(behind.lstrip(b"\0"))


def _check_super(state: State, tally: Tally) -> None:
    data, span = state.super_data, state.disk.span(0, lay.PAGE)
    evidence: Evidence = {
        "stored": sb.stored_crc(data) if len(data) == lay.PAGE else None,
        "computed": pg.checksum(data) if len(data) == lay.PAGE else None,
    }
    saved: Salvage = "corrected" if state.how in ("mended", "recovered", "given") else "lost"
    if state.how in ("recovered", "given"):
        evidence = {**evidence, "geometry": state.candidates[0].because}  # what speaks for it, and what against it
    if not sb.sealed(data):
        if data[:8] == lay.SIGNATURE or state.super_bit is not None:
            message = "the super block's checksum does not hold" + _how(state)
            cause = cause_of(data, state.super_bit)
            if state.disk.size < lay.PAGE:
                cause = Cause(
                    "truncated", "certain", f"the file ends inside the super block, after {state.disk.size} bytes"
                )
            tally.put(Finding(r.SUPER_CHECKSUM, span, message, evidence, cause, saved))
        else:
            zero = not any(data)
            cause = Cause("zeroed-range", "certain", "page 0 is all zero") if zero else cause_of(data)
            message = ("page 0 is all zero" if zero else "page 0 is not a super block") + _how(state)
            tally.put(Finding(r.SUPER_LOST, span, message, evidence, cause, saved))
    g = state.geometry if state.how in ("sealed", "mended") else None
    if sb.sealed(data) and g is None:
        why = sb.impossible(sb.parse(data), state.disk.size)
        message = "; ".join(why) + _how(state)
        cause = Cause("software-rule-violation", "likely", "the checksum holds")
        tally.put(Finding(r.SUPER_IMPOSSIBLE, span, message, {"fields": why}, cause, saved))
    if state.how == "ambiguous":
        lines = [f"{c.geometry.cluster_size}: {'; '.join(c.because)}" for c in state.candidates]
        message = f"{len(lines)} cluster sizes fit: {', '.join(str(c.geometry.cluster_size) for c in state.candidates)}"
        tally.put(Finding(r.AMBIGUOUS, span, message, {"candidates": lines}))
    if g is None:
        return
    _check_fields(state, g, tally)


def _how(state: State) -> str:
    return {
        "mended": f"; bit {state.super_bit} was flipped, corrected",
        "recovered": "; the geometry is borne out by the rest of the disk",
        "given": "; the cluster size was given by the user",
        "ambiguous": "; several geometries fit",
        "none": "; no metadata page was found either",
    }.get(state.how, "")


def _check_fields(state: State, g: sb.Geometry, tally: Tally) -> None:
    span = state.disk.span(0, lay.PAGE)
    if g.size > state.disk.size:
        missing = state.disk.span(state.disk.size, state.disk.size)
        message = f"{g.size - state.disk.size} of {g.size} bytes are missing at the end"
        odd = (g.size - state.disk.size) % 512  # no disk ends so: bytes may as well be lost inside a cluster
        why = "the super block names a larger size" + (", and no disk ends inside a sector" if odd else "")
        cause = Cause("truncated", "likely" if odd else "certain", why)
        if state.disk.moved is not None and state.disk.moved.by >= g.size - state.disk.size:
            cause = Cause("shifted", "certain", "what was put in pushed them out at the end")
        evidence = {"needed": g.size, "left": state.disk.size}
        tally.put(Finding(r.CUT_SHORT, missing, message, evidence, cause, "lost"))
    elif odd := state.odd_end:
        behind = state.disk.size - g.size
        message = f"{plural(behind, 'byte')} behind the store, {odd} of them in no whole sector"
        cause = Cause("shifted", "possible", "no disk ends inside a sector: bytes were put in, or stand behind it")
        place = state.disk.span(state.disk.size - odd, state.disk.size)
        if appended := state.put_behind:
            cause = Cause("shifted", *appended)
            place = state.disk.span(g.size, state.disk.size)
        tally.put(Finding(r.ODD_END, place, message, {}, cause, "kept"))
    if 0 < g.size < state.disk.size and state.disk.moved is None:
        tail.check_behind(state, g.size, tally)
    if g.clean != 1:
        store = state.ready()
        unborn = store is not None and mk.never_written(store)
        text = "masks were never written" if unborn else "masks are older than the metadata"
        tally.put(
            Finding(r.NOT_CLEAN, state.disk.span(0x10, 0x14), f"clean flag {g.clean}: {text}", {"clean": g.clean})
        )
    if g.bstype != sb.LVOLSTORE:
        message = f"the store's type is {g.bstype.rstrip(bytes(1))!r}"
        tally.put(Finding(r.BSTYPE, state.disk.span(0x38, 0x48), message))
    assert span.start <= span.end


def _check_masks(state: State, store: Store, tally: Tally) -> None:
    g = store.geometry
    if g.clean != 1:
        return
    found = mk.compare(store)
    for difference in found:
        if not difference.header_ok:
            span = state.disk.span(difference.start, difference.start + sb.MASK_HEAD)
            kind, length = difference.header
            message = (
                f"the {mk.NAMES[difference.kind]} mask starts with type {kind} and {length} bits, "
                f"not {difference.due[0]} and {difference.due[1]}"
            )
            cause, other = mask_causes.of_mask(store, difference, found)
            evidence: Evidence = {"stored": list(difference.header), "computed": list(difference.due)}
            if other is not None:
                evidence = {**evidence, "exchanged_with": state.disk.base + other}
            tally.put(Finding(r.MASK_HEAD, span, message, evidence, cause, "corrected"))
    by_kind = {d.kind: d for d in found if d.header_ok}
    lost_roots = _check_roots(state, store, by_kind.get(mk.BLOBS), by_kind.get(mk.PAGES), tally)
    explained = bool(lost_roots) or any(True for _ in state.region.runs(pg.BAD, pg.UNREADABLE)) or any(
        b.broken for b in store.blobs.values()
    )  # fmt: skip
    explained = explained or bool(store.extent_faults) or bool(state.half)
    rules: tuple[tuple[int, Rule, Rule], ...] = (
        (mk.PAGES, r.PAGE_UNMARKED, r.PAGE_LEAKED),
        (mk.CLUSTERS, r.CLUSTER_UNMARKED, r.CLUSTER_LEAKED),
    )
    for kind, unmarked, leaked in rules:
        difference_ = by_kind.get(kind)
        if difference_ is not None:
            _bits(state, difference_, difference_.missing, difference_.missing_count, unmarked, None, tally)
            level = Severity.NOTE if explained else None
            extra = [bit for bit in difference_.extra if kind != mk.PAGES or bit not in lost_roots]
            count = difference_.extra_count - (len(difference_.extra) - len(extra))
            _bits(state, difference_, extra, count, leaked, level, tally)


def _bits(
    state: State, d: mk.Difference, bits: list[int], count: int, rule: Rule, level: Severity | None, tally: Tally
) -> None:
    """One finding for all bits of a mask that differ in one way."""
    if not count or not bits:
        return
    what = "clusters" if d.kind == mk.CLUSTERS else "pages"
    shown = ", ".join(str(bit) for bit in bits[:8]) + (", ..." if count > 8 else "")
    note = " (of what was lost)" if level is Severity.NOTE else ""
    message = f"{counted(count, what[:-1])} {rule.slug.rsplit('-', 1)[1]}{note}: {shown}"
    span = state.disk.span(d.byte_of(bits[0]), d.byte_of(bits[-1]) + 1)
    saved: Salvage = "kept"
    tally.put(Finding(rule, span, message, {"count": count, what: bits[:100]}, salvage=saved, severity=level))


def _check_roots(
    state: State, store: Store, d: mk.Difference | None, pages: mk.Difference | None, tally: Tally
) -> set[int]:
    """Marked roots that are not there (their pages are returned), and roots that are not marked."""
    if d is None:
        return set()
    if d.missing_count:
        for bit in d.missing:
            blob = store.blobs[1 << 32 | bit]
            span = state.disk.span(d.byte_of(bit), d.byte_of(bit) + 1)
            text = f"{blob.name} (page {bit}) is not in the mask of volumes"
            tally.put(Finding(r.ROOT_UNMARKED, span, text, {"page": bit}, salvage="kept"))
    unborn = [bit for bit in d.extra if pages and mk.unborn(store, bit, pages)]
    for bit in unborn:
        span = state.disk.span(d.byte_of(bit), d.byte_of(bit) + 1)
        text = f"the mask of volumes names page {bit}, where no volume is"
        tally.put(Finding(r.ROOT_MARKED, span, text, {"page": bit}, salvage="kept"))
    gone = [bit for bit in d.extra if bit not in unborn]
    for bit in gone:
        kind = state.region.state_of(bit)
        if kind in (pg.BAD, pg.UNREADABLE):
            continue  # told as the page's own finding
        span = state.disk.span(store.page_at(bit), store.page_at(bit) + lay.PAGE)
        text = f"the mask names a volume at page {bit}; a {pg.STATE_NAMES[kind]} page lies there"
        cause = Cause("zeroed-range", "likely", "the page is zero") if kind == pg.ZERO else Cause("overwritten")
        tally.put(Finding(r.ROOT_LOST, span, text, {"page": bit}, cause, "lost"))
    return set(gone)


def lost_roots(state: State, store: Store) -> list[int]:
    """Pages that the masks of a store that was unloaded name as the roots of volumes, and that hold something else."""
    if store.geometry.clean != 1:
        return []
    found = {d.kind: d for d in mk.compare(store) if d.header_ok}
    named, pages = found.get(mk.BLOBS), found.get(mk.PAGES)
    told = (pg.BAD, pg.UNREADABLE)  # of which the page's own finding tells
    gone = [bit for bit in (named.extra if named else ()) if state.region.state_of(bit) not in told]
    return [bit for bit in gone if not (pages and mk.unborn(store, bit, pages))]


def of_lost_volumes(state: State, store: Store) -> list[int]:
    """Orphan extent pages whose writer has no root where no mask tells which roots there were.

    A delete takes a volume's extent pages before its root, so that none of them is left; unless it stopped half way.
    """
    if state.half or (store.geometry.clean == 1 and any(d.kind == mk.BLOBS and d.header_ok for d in mk.compare(store))):
        return []
    found = []
    for page in store.orphan_extents[:MOST_ORPHANS]:
        row = state.region.row(page)
        if row is None or state.region.id[row] in store.blobs:
            continue
        if not store.used.covers(store.extent_body(page).extent):
            found.append(page)
    return found


def _check_pages(state: State, store: Store, tally: Tally) -> None:
    for start, end, _ in state.region.runs(pg.BAD):
        tally.add_each(r.PAGE_CHECKSUM, range(start, end), lambda page: _bad_page(state, store, page))
    tally.add_each(r.PAGE_STRAY, [*state.region.rows(pg.STRAY)], lambda row: _stray(state, store, row))
    for pair in state.crossed:
        tally.put(_crossed(state, store, pair))
    for one in state.homes.values():
        for at in _misplaced(state, store, one):
            tally.add(r.PAGE_STRAY, lambda one=one, at=at: _home(state, store, one, at))  # type: ignore[misc]
    for blob, pages in store.orphan_chains.items():
        tally.add_each(r.ORPHAN_CHAIN, pages, lambda page, blob=blob: _orphan_chain(state, store, page, blob))  # type: ignore[misc]
    lost = of_lost_volumes(state, store) if store.orphan_extents else []
    told = set(lost)
    left_over = [page for page in store.orphan_extents if page not in told] if told else store.orphan_extents
    tally.add_each(r.ORPHAN_EXTENT, left_over, lambda page: _orphan(state, store, page))
    tally.add_each(r.EXTENT_OF_LOST, lost, lambda page: _orphan(state, store, page, r.EXTENT_OF_LOST))
    left = state.region.skipped + store.left_out
    if left:
        text = f"{left} pages or blobs were not examined"
        span = state.disk.span(store.page_at(0), store.page_at(store.geometry.md_len))
        tally.put(Finding(r.TOO_MANY, span, text, {"count": left}))


def _stray(state: State, store: Store, row: int) -> Finding:
    page, blob = state.region.index[row], state.region.id[row]
    span = state.disk.span(store.page_at(page), store.page_at(page) + lay.PAGE)
    text = f"page {page} holds the first page of blob 0x{blob:x}"
    if page in (one.page for one in state.homes.values()):
        return Finding(r.PAGE_STRAY, span, f"{text}; a repair puts it back", salvage="corrected")
    return Finding(r.PAGE_STRAY, span, text)


def _misplaced(state: State, store: Store, one: Strayed) -> list[int]:
    """Where what was put back lay, and what lay in its place, as far as nothing else tells of it."""
    row = state.region.row(one.page) if one.page is not None else None
    still = row is not None and state.region.kind[row] == pg.STRAY
    # where a mask or the super block should be something tells of it already
    return ([] if still or one.page is None else [one.at]) + ([store.page_at(one.home)] if one.sealed else [])


def _home(state: State, store: Store, one: Strayed, at: int) -> Finding:
    span = state.disk.span(at, at + lay.PAGE)
    text = f"{one.what} lies here" if at == one.at else f"here belongs {one.what}"
    return Finding(r.PAGE_STRAY, span, f"{text}; a repair puts it back", salvage="corrected")


def _crossed(state: State, store: Store, pair: Crossed) -> Finding:
    at = store.page_at(pair.other if pair.circle else pair.page)
    text, because = pair.told(store.blobs[pair.blob].name, store.blobs[pair.holder].name)
    fixed = "; a repair puts them back" if not state.wishes.no_correct else ""
    evidence: Evidence = {"page": pair.page, "other": pair.other, "blobs": [pair.blob, pair.holder]}
    saved: Salvage = "lost" if state.wishes.no_correct else "corrected"
    span = state.disk.span(at, at + lay.PAGE)
    return Finding(r.PAGE_STRAY, span, text + fixed, evidence, Cause("swapped", "likely", because), saved)


def _orphan_chain(state: State, store: Store, page: int, blob: int) -> Finding:
    span = state.disk.span(store.page_at(page), store.page_at(page) + lay.PAGE)
    text = f"page {page} continues blob 0x{blob:x}, whose chain does not lead to it"
    return Finding(r.ORPHAN_CHAIN, span, text)


def _bad_page(state: State, store: Store, page: int) -> Finding:
    at = store.page_at(page)
    data = state.disk.raw(at, lay.PAGE).ljust(lay.PAGE, b"\0")
    bit = state.mended.get(page)
    what = _role(store, page, data)
    found = state.corrections.get(page)
    fixed = "" if bit is None else f"; bit {bit} was flipped, corrected"
    if found is not None and bit is None:
        fixed = f"; {told(data, found.patch)[0]} would explain it (--accept unique)"
    evidence: Evidence = {
        "page": page,
        "stored": int.from_bytes(data[lay.BODY :], "little"),
        "computed": pg.checksum(data),
        "bit": bit,
    }
    if found is not None:
        speaks = {"witness": found.witness} if found.witness else {"chance_of_error": found.chance}
        evidence = {**evidence, "correction": found.verdict, **speaks}
    message = f"metadata page {page} ({what}): the checksum does not hold{fixed}"
    saved: Salvage = "lost" if bit is None and page not in state.homes else "corrected"
    if page in state.homes:
        fixed = f"; {state.homes[page].what} lies at {state.disk.base + state.homes[page].at}, a repair puts it back"
    cause = cause_of(data, bit)
    if found is not None and found.patch and bit is None:
        count = flips(found.patch)
        because = f"{told(data, found.patch)[0]}: so the checksum holds, and no second witness speaks"
        cause = Cause("bit-flip" if count == 1 else "multi-bit", "likely", because)
    return Finding(r.PAGE_CHECKSUM, state.disk.span(at, at + lay.PAGE), message, evidence, cause, saved)


def _role(store: Store, page: int, data: bytes) -> str:
    blob = store.blobs.get(1 << 32 | page)
    if blob is not None:
        return f"root of {blob.name}"
    if page in store.extent_owners or any(f.page == page for f in store.extent_faults):
        return "an extent page"
    if any(b.broken and b.broken.page == page for b in store.blobs.values()) or page in store.owner:
        return "a continuation page"
    if store.geometry.clean == 1 and store.geometry.blobid_mask[1]:
        at = store.geometry.blobid_mask[0] * store.geometry.page_size + sb.MASK_HEAD + page // 8
        marked = store.disk.read(at, 1)
        if marked and marked[0] >> page % 8 & 1:
            return "root of a volume"
    return "probably a root" if data[lay.DESCRIPTORS_AT] == lay.FLAGS else "of unknown use"


def _orphan(state: State, store: Store, page: int, rule: Rule = r.ORPHAN_EXTENT) -> Finding:
    at = store.page_at(page)
    body = store.extent_body(page)
    row = state.region.row(page)
    writer = state.region.id[row] if row is not None else 0
    mapped = sum(1 for cluster in body.extent if cluster)
    free = sum(1 for cluster in body.extent if cluster and cluster not in store.used)
    text = f"page {page} maps {counted(mapped, 'cluster')}, {free} in no volume; first written by blob 0x{writer:x}"
    evidence: Evidence = {"page": page, "writer": writer, "clusters": mapped, "unowned": free}
    span = state.disk.span(at, at + lay.PAGE)
    if rule is r.ORPHAN_EXTENT:
        return Finding(rule, span, text, evidence)
    there = pg.STATE_NAMES[state.region.state_of(writer & 0xFFFFFFFF)]
    cause = Cause("zeroed-range" if there == "zero" else "overwritten", "possible", f"its first page is {there}")
    return Finding(rule, span, f"{text}, which has no first page any more", evidence, cause, "lost")
