"""Findings about replicas on disk, and with --against about disk and memory together."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.counted import counted
from inspector.finding import Finding, Rule, Tally
from inspector.format import Stretch
from inspector.formats.longhorn import rules as r
from inspector.formats.longhorn.against import Comparison
from inspector.formats.longhorn.replicas import Replica
from inspector.formats.longhorn.state import State
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.store import Store


def check(state: State, stretches: Iterable[Stretch], tally: Tally) -> None:
    store = state.store
    if store is None:
        return
    for replica in state.replicas.values():
        _replica(state, store, replica, tally)
    strangers = [blob for blob, what in state.named.items() if what.role == "other"]
    tally.add_each(r.STRANGER, strangers, lambda blob: _stranger(state, store, store.blobs[blob]))
    if state.memory is not None:
        for finding in Comparison(state.lower, store, state.replicas, state.memory).findings():
            tally.put(finding)


def _put(state: State, store: Store, blob: Blob, rule: Rule, text: str, tally: Tally) -> None:
    tally.put(_of(state, store, blob, rule, text))


def _of(state: State, store: Store, blob: Blob, rule: Rule, text: str) -> Finding:
    at = store.page_at(blob.root)
    return Finding(rule, state.lower.disk.span(at, at + lay.PAGE), text)


def _stranger(state: State, store: Store, blob: Blob) -> Finding:
    return _of(state, store, blob, r.STRANGER, f"{blob.name} is not named by Longhorn")


def _replica(state: State, store: Store, replica: Replica, tally: Tally) -> None:
    half = {h.blob for h in state.lower.half} | {h.other for h in state.lower.half}
    if replica.head is None and replica.snapshots:
        newest = replica.snapshots[-1]
        _put(
            state,
            store,
            newest,
            r.HEADLESS,
            f"{replica.name}: {counted(len(replica.snapshots), 'snapshot')}, no head",
            tally,
        )
    elif replica.head is not None and replica.head.id not in half:
        children = store.children.get(replica.head.id, [])
        if children or replica.head.read_only:
            why = f"{counted(len(children), 'volume stands', 'volumes stand')} on it" if children else "it is read-only"
            _put(state, store, replica.head, r.HEAD_DOOMED, f"{replica.name}: its head is a snapshot ({why})", tally)
    for blob in replica.snapshots:
        if not blob.read_only and blob.id not in half:
            _put(state, store, blob, r.SNAPSHOT_WRITABLE, f"{blob.name} is not read-only", tally)
    for blob in replica.leftovers:
        _put(state, store, blob, r.LEFTOVER, f"{blob.name} ({state.named[blob.id].role})", tally)
