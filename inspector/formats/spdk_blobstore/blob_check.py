"""Findings about blobs: chains, maps, the snapshot tree, half-done operations, names."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from itertools import combinations

from inspector.finding import Cause, Evidence, Finding, Rule, Salvage, Severity, Tally
from inspector.formats.spdk_blobstore import blob_rules as b
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.blobs import SNAP, Blob
from inspector.formats.spdk_blobstore.crash import HalfDone
from inspector.formats.spdk_blobstore.state import State, target
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.verify import verify_clusters, verify_snapshot
from inspector.span import Span

_UUID = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\0?\Z")
SOFTWARE = Cause("software-rule-violation", "likely", "the checksum of the page holds")
UPSTREAM_NAME = 64


def check_blobs(state: State, store: Store, tally: Tally) -> None:
    circles = store.circles()
    for blob in store.blobs.values():
        _structure(state, store, blob, tally)
        _parents(state, store, blob, circles, tally)
        if state.wishes.checksums and state.trusted:
            _content(state, store, blob, tally)
    for fault in store.extent_faults:
        at = store.page_at(fault.page) if fault.page < store.geometry.md_len else store.page_at(0)
        owner = store.blobs[fault.blob]
        text = f"{owner.name}: {fault.why}; clusters {fault.at} to {fault.at + lay.PER_EXTENT_PAGE - 1} are unknown"
        evidence: Evidence = {"page": fault.page, "first_cluster": fault.at, "blob": fault.blob}
        tally.put(Finding(b.EXTENT_LOST, state.disk.span(at, at + lay.PAGE), text, evidence, salvage="lost"))
    for blob_id, at, cluster in store.out_of_range:
        text = f"{store.blobs[blob_id].name}: its cluster {at} is said to lie at cluster {cluster} of {store.total}"
        span = _root(state, store, store.blobs[blob_id])
        tally.put(Finding(b.OUT_OF_RANGE, span, text, {"cluster": cluster, "at": at}, SOFTWARE, "lost"))
    _shared(state, store, tally)
    for half in state.half:
        _half(state, store, half, tally)
    _names(state, store, tally)


def _root(state: State, store: Store, blob: Blob) -> Span:
    at = store.page_at(blob.root)
    return state.disk.span(at, at + lay.PAGE)


def _put(
    state: State,
    store: Store,
    blob: Blob,
    rule: Rule,
    text: str,
    tally: Tally,
    evidence: Evidence | None = None,
    cause: Cause = SOFTWARE,
    salvage: Salvage | None = None,
    level: Severity | None = None,
) -> None:
    span = _root(state, store, blob)
    tally.put(Finding(rule, span, f"{blob.name}: {text}", evidence or {}, cause, salvage, level))


def _structure(state: State, store: Store, blob: Blob, tally: Tally) -> None:
    if blob.broken:
        _broken(state, store, blob, tally)
    if blob.refused:
        _put(state, store, blob, b.REFUSED, "; ".join(blob.refused[:4]), tally)
    for problem in blob.problems[:8]:
        _put(state, store, blob, b.OVERRUN, problem, tally, salvage="lost")
    if blob.id in store.thick_holes:
        _put(state, store, blob, b.THICK_HOLES, "thick, and not all of its clusters are allocated", tally)
    if blob.id in store.overclaimed:
        _put(
            state,
            store,
            blob,
            b.OVERCLAIM,
            f"its {'extent table names more pages' if blob.mapping == 'table' else 'run lengths name more clusters'} "
            "than the store has",
            tally,
            salvage="lost",
        )
    if blob.checksums or blob.unknown:
        kinds = sorted({lay.CHECKSUM} if blob.checksums else set()) + sorted(set(blob.unknown))
        program = target(state.wishes.release or "")
        strange = blob.unknown or (program is not None and program != "longhorn-checksums")
        level = Severity.WARNING if store.geometry.clean != 1 and strange else None
        text = f"descriptors of type {', '.join(str(k) for k in kinds)}"
        cause = Cause("newer-version", "likely", "no earlier release writes them")
        _put(state, store, blob, b.NEWER, text, tally, {"types": kinds}, cause, level=level)


def _broken(state: State, store: Store, blob: Blob, tally: Tally) -> None:
    broken = blob.broken
    assert broken is not None
    stale = broken.kind in ("stale", "foreign")
    rule = b.CHAIN_STALE if stale else b.CHAIN_BROKEN
    why = {
        "loop": "which is already part of the chain",
        "range": "which lies outside the metadata",
        "zero": "which is zero",
        "bad": "whose checksum does not hold",
        "unreadable": "which the medium does not deliver",
        "stale": f"which is sealed and belongs to blob 0x{broken.holder:x}",
        "foreign": f"which is no continuation page (of blob 0x{broken.holder:x})",
    }[broken.kind]
    text = f"page {broken.sequence} of its chain was due at page {broken.page}, {why}"
    if blob.resumed:
        text += f"; page {', '.join(map(str, blob.resumed))} continues it by id and number (--accept anchored)"
    at = store.page_at(broken.page) if broken.page < store.geometry.md_len else store.page_at(blob.pages[-1])
    cause = {
        "stale": Cause("stale-page", "likely", "an older page with a valid checksum shows through a lost write"),
        "zero": Cause("zeroed-range", "likely", "the page is zero"),
        "unreadable": Cause("unreadable-medium", "certain", "the read failed"),
    }.get(broken.kind, Cause("unknown"))
    evidence: Evidence = {
        "blob": blob.id, "page": broken.page, "sequence": broken.sequence, "holder": broken.holder,
        "resumes_at": blob.resumed,
    }  # fmt: skip
    saved: Salvage = "kept" if blob.attached else "lost"
    span = state.disk.span(at, at + lay.PAGE)
    tally.put(Finding(rule, span, f"{blob.name}: {text}", evidence, cause, saved))


def _parents(state: State, store: Store, blob: Blob, circles: set[int], tally: Tally) -> None:
    if SNAP in blob.internal and not blob.thin:
        _put(state, store, blob, b.PARENT_IGNORED, "thick, and names a parent", tally)
    if blob.external is not None:
        text = (
            f"stands on the external snapshot {blob.external[:64].rstrip(bytes(1)).decode('utf-8', 'backslashreplace')}"
        )
        _put(state, store, blob, b.EXTERNAL, text, tally, cause=Cause("unknown"))  # nothing is wrong with it
    parent = blob.parent
    if parent is not None and parent not in store.blobs:
        text = f"its snapshot 0x{parent:x} is lost; what it did not write itself is unknown"
        _put(state, store, blob, b.PARENT_LOST, text, tally, {"parent": parent}, Cause("unknown"), "lost")
    elif blob.id in circles:
        _put(state, store, blob, b.PARENT_CYCLE, "its chain of snapshots leads back to it", tally, salvage="lost")


def _shared(state: State, store: Store, tally: Tally) -> None:
    """Clusters with two owners; those of a half-done snapshot are that finding's, not this one's."""
    pairs = {frozenset((half.blob, half.other)) for half in state.half}
    twins = _twin_pages(store) if store.shared else {}
    for found in store.shared:
        if frozenset(found.owners) in pairs:
            continue
        at = store.geometry.cluster_at(found.cluster)
        names = [store.blobs[o].name for o in dict.fromkeys(found.owners)]
        text = f"cluster {found.cluster} is in the maps of {' and '.join(names)}"
        evidence: Evidence = {"cluster": found.cluster, "blobs": list(found.owners)}
        span = state.disk.span(at, at + store.geometry.cluster_size)
        cause = next((twins[pair] for pair in combinations(sorted(set(found.owners)), 2) if pair in twins), SOFTWARE)
        tally.add(b.SHARED, lambda s=span, t=text, e=evidence, c=cause: Finding(b.SHARED, s, t, e, c))  # type: ignore[misc]


def _twin_pages(store: Store) -> dict[tuple[int, int], Cause]:
    """Pairs of blobs that have the same extent page, byte for byte: no program writes one twice."""
    first: dict[bytes, int] = {}
    found: dict[tuple[int, int], Cause] = {}
    for page, owners in sorted(store.extent_owners.items()):
        other = first.setdefault(blake2b(store.read_page(page), digest_size=16).digest(), page)
        if other == page:
            continue
        because = f"extent page {page} is byte for byte page {other}: one of them was written to the wrong place"
        for one in owners:
            for two in store.extent_owners[other]:
                found.setdefault((min(one, two), max(one, two)), Cause("stale-page", "likely", because))
    return found


def _half(state: State, store: Store, half: HalfDone, tally: Tally) -> None:
    blob = store.blobs[half.blob]
    other = store.blobs.get(half.other)
    if half.verdict == "stuck":
        text = f"marked for a snapshot {half.operation} with 0x{half.other:x}, which is not there"
        _put(state, store, blob, b.HALF_STUCK, text, tally)
        return
    assert other is not None
    rule = b.HALF_CREATE if half.operation == "create" else b.HALF_DELETE
    last = {"create": 4, "delete": 6}[half.operation]
    loader = {"keep": "keeps it", "discard": "discards it"}[half.verdict]
    text = f"{half.operation} stopped after write {half.step} of {last} (with {other.name}); the load {loader}"
    bad = half.kills or (half.operation == "delete" and half.shared > 0)
    if half.kills:
        text += " and dies doing it, at every start"
    elif bad:
        text += f"; {half.shared} clusters are in both maps"
    evidence: Evidence = {
        "operation": half.operation, "step": half.step, "verdict": half.verdict, "kills": half.kills,
        "shared": half.shared, "other": half.other,
    }  # fmt: skip
    cause = Cause("torn-write", "certain", "the operation's mark is still there")
    level = Severity.WARNING if bad else None
    _put(state, store, blob, rule, text, tally, evidence, cause, "kept", level)


def _names(state: State, store: Store, tally: Tally) -> None:
    g = store.geometry
    if g.super_blob not in store.blobs:
        at = store.page_at(g.super_blob & 0xFFFFFFFF)
        if g.super_blob != lay.NO_BLOB and at + lay.PAGE <= state.disk.size:
            text = f"blob 0x{g.super_blob:x}, which describes the lvolstore, is lost"
            tally.put(Finding(b.SUPER_BLOB, state.disk.span(at, at + lay.PAGE), text, salvage="lost"))
    if g.bstype.rstrip(b"\0") != b"LVOLSTORE":
        return  # names are the lvol layer's
    lvols = [blob for blob in store.blobs.values() if blob.id != g.super_blob]
    counts = Counter(blob.xattrs[b"name"].split(b"\0")[0] for blob in lvols if b"name" in blob.xattrs)
    long = [blob for blob in lvols if len(blob.xattrs.get(b"name", b"")) > UPSTREAM_NAME]
    for blob in lvols:
        name = blob.xattrs.get(b"name", b"").split(b"\0")[0]
        if not name and not (blob.broken and not blob.attached):
            _put(state, store, blob, b.NAME_MISSING, f"page {blob.root} has no name", tally)
        elif counts[name] > 1:
            _put(state, store, blob, b.NAME_TWICE, f"{counts[name]} volumes have this name", tally)
        if not _UUID.match(blob.xattrs.get(b"uuid", b"")):
            _put(state, store, blob, b.UUID_BAD, "no valid uuid", tally)
    if long:
        upstream = target(state.wishes.release or "") == "spdk"
        text = f"{len(long)} of {len(lvols)} volumes have a name of more than {UPSTREAM_NAME} bytes"
        level = Severity.WARNING if upstream else None
        who = Cause("newer-version", "likely", "Longhorn's engine writes names of 256 bytes")
        tally.put(Finding(b.NAME_LONG, _root(state, store, long[0]), text, {"count": len(long)}, who, severity=level))


def _content(state: State, store: Store, blob: Blob, tally: Tally) -> None:
    verdict = verify_snapshot(store, blob)
    if verdict is not None and not verdict.ok:
        evidence: Evidence = {"stored": verdict.stored, "computed": verdict.computed}
        text = "its own clusters do not match the checksum attribute"
        _put(state, store, blob, b.SNAPSHOT_CONTENT, text, tally, evidence, Cause("unknown"), "lost")
    for one in verify_clusters(store, blob):
        if not one.ok:
            at = store.geometry.cluster_at(one.place)
            text = f"{blob.name}: cluster {one.cluster} (at cluster {one.place}) does not match its checksum"
            evidence = {"stored": one.stored, "computed": one.computed, "cluster": one.cluster}
            span = state.disk.span(at, at + store.geometry.cluster_size)
            tally.put(Finding(b.CLUSTER_CONTENT, span, text, evidence, Cause("unknown"), "lost"))
