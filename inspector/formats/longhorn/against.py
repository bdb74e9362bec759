"""Disk against memory: every statement of the given documents held against the lvols on disk."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.finding import Cause, Evidence, Finding, Rule, Salvage, Severity
from inspector.formats.longhorn import rules as r
from inspector.formats.longhorn.memory import Lvol, Memory, ReplicaSaid, number
from inspector.formats.longhorn.names import HEAD, short, understand
from inspector.formats.longhorn.replicas import Replica, short_of
from inspector.formats.spdk_blobstore import State as Lower
from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.store import Store
from inspector.span import Span

STALE = Cause("unknown", "possible", "memory and disk were not taken at the same moment, or one of them is wrong")


class Comparison:
    """One disk and what was said about it."""

    def __init__(self, lower: Lower, store: Store, replicas: dict[str, Replica], memory: Memory) -> None:
        self._lower, self._store, self._replicas, self._memory = lower, store, replicas, memory
        self._lvols = {b.text(b"name") or "": b for b in store.blobs.values() if b.id != store.geometry.super_blob}
        own = store.blobs.get(store.geometry.super_blob)
        self._uuid = own.text(b"uuid") if own is not None else None
        self._chained: set[str] = set()  # heads that were told as missing from the chain already

    def findings(self) -> Iterator[Finding]:
        yield from self._loop()
        for said in self._memory.replicas:
            if self._foreign(said.store_uuid):
                yield self._other(said.where, said.name, said.store_uuid)
            else:
                yield from self._replica(said)
        yield from self._listed()
        if self._memory.lists_all:
            yield from self._unlisted()

    def _foreign(self, uuid: str | None) -> bool:
        return uuid is not None and self._uuid is not None and uuid.lower() != self._uuid.lower()

    def _other(self, where: str, name: str, uuid: str | None) -> Finding:
        text = f"{where}: {name} is of lvolstore {uuid}, this disk is {self._uuid}"
        return Finding(r.OTHER_DISK, Span(0, 0), text, bytes_known=False)

    def _at(self, blob: Blob | None) -> Span:
        if blob is None:
            return Span(0, 0)
        at = self._store.page_at(blob.root)
        return self._lower.disk.span(at, at + lay.PAGE)

    def _make(
        self,
        rule: Rule,
        blob: Blob | None,
        text: str,
        evidence: Evidence | None = None,
        salvage: Salvage | None = None,
        level: Severity | None = None,
    ) -> Finding:
        known = blob is not None
        return Finding(rule, self._at(blob), text, evidence or {}, STALE, salvage, level, bytes_known=known)

    def _loop(self) -> Iterator[Finding]:
        """The crash loop in a log: a create that fails because the name exists, and it does exist on disk."""
        for name, line in {**self._memory.created, **self._memory.exists}.items():
            blob = self._lvols.get(name)
            if blob is None or understand(name).role != "head":
                continue
            second = next((other for other in self._memory.refused if name in other), None)
            self._chained.add(name)
            evidence: Evidence = {"log": [line] if second in (None, line) else [line, second]}
            text = f"{name} is on disk and healthy, and the engine tries to create it again and again"
            yield self._make(r.HEAD_NOT_IN_CHAIN, blob, text, evidence, "kept")

    def _replica(self, said: ReplicaSaid) -> Iterator[Finding]:
        disk = self._replicas.get(said.name)
        head = disk.head if disk is not None else None
        if disk is None:
            yield self._make(r.LVOL_NOT_ON_DISK, None, f"{said.where}: replica {said.name} is not on this disk")
            return
        if head is not None and said.head is None and said.name not in self._chained:
            self._chained.add(said.name)
            text = f"{said.where}: replica {said.name} has no head there; on disk it is healthy"
            evidence: Evidence = {"state": said.state, "error": said.error[:400]}
            yield self._make(r.HEAD_NOT_IN_CHAIN, head, text, evidence, "kept")
        if head is None and said.head is not None:
            text = f"{said.where}: the head of {said.name} is not on disk"
            yield self._make(r.LVOL_NOT_ON_DISK, None, text, salvage="lost")
        yield from self._spec(said, head)
        yield from self._snapshots(said, disk)

    def _spec(self, said: ReplicaSaid, head: Blob | None) -> Iterator[Finding]:
        if head is None or head.clusters is None or said.spec_size is None:
            return
        size = head.clusters * self._store.geometry.cluster_size
        if size > said.spec_size:
            text = f"{head.name} has {size} bytes on disk, the volume is specified with {said.spec_size}"
            yield self._make(r.HEAD_DOOMED, head, text, {"disk": size, "specified": said.spec_size}, "kept")
        elif size < said.spec_size:
            text = f"{head.name} has {size} bytes on disk, the volume is specified with {said.spec_size}"
            yield self._make(r.SIZE_DIFFERS, head, text, {"disk": size, "specified": said.spec_size})

    def _snapshots(self, said: ReplicaSaid, disk: Replica) -> Iterator[Finding]:
        on_disk = {short_of(disk, blob): blob for blob in disk.snapshots}
        told = {short(said.name, name): entry for name, entry in said.snapshots.items()}
        for name, blob in on_disk.items():
            if name not in told:
                yield self._make(r.SNAPSHOT_NOT_IN_MEMORY, blob, f"{said.where}: {blob.name} is not in the map")
        for name in told:
            if name not in on_disk:
                text = f"{said.where}: snapshot {name} of {said.name} is not on disk"
                yield self._make(r.SNAPSHOT_NOT_ON_DISK, None, text, {"snapshot": name}, "lost")
        blobs: dict[str | None, Blob] = {**on_disk, **({HEAD: disk.head} if disk.head else {})}
        entries = {**told, **({HEAD: said.head} if said.head else {})}
        for name, entry in entries.items():
            found = blobs.get(name)
            if found is not None:
                yield from self._fields(said, disk, found, entry)

    def _fields(self, said: ReplicaSaid, disk: Replica, blob: Blob, entry: dict[str, object]) -> Iterator[Finding]:
        parent = self._store.blobs.get(blob.parent) if blob.parent is not None else None
        real = short_of(disk, parent) if parent in disk.snapshots else parent.name if parent is not None else None
        claimed = entry.get("parent")
        if isinstance(claimed, str) and (short(said.name, claimed) if claimed else None) != (real or None):
            text = f"{blob.name}: parent {real} on disk, {claimed or None} in {said.where}"
            yield self._make(r.PARENT_DIFFERS, blob, text, {"disk": real, "memory": claimed})
        children = entry.get("children")
        if isinstance(children, dict | list):
            names = {short(said.name, str(child)) for child in list(children)[:10_000]}
            own = {short_of(disk, self._store.blobs[c]) for c in self._store.children.get(blob.id, ())}
            if names != own:
                shown = {"disk": sorted(str(n) for n in own), "memory": sorted(names)[:100]}
                text = f"{blob.name}: children {shown['disk']} on disk, {shown['memory']} in {said.where}"
                yield self._make(r.CHILDREN_DIFFER, blob, text, shown)
        yield from self._checksum(said, blob, number(entry.get("snapshot_checksum")))

    def _checksum(self, said: ReplicaSaid, blob: Blob, claimed: int | None) -> Iterator[Finding]:
        value = blob.xattrs.get(b"checksum")
        if claimed is not None and value is not None and len(value) == 8:
            stored = int.from_bytes(value, "little")
            if stored != claimed:
                text = f"{blob.name}: checksum {stored} on disk, {claimed} in {said.where}"
                yield self._make(r.CHECKSUM_DIFFERS, blob, text, {"stored": stored, "computed": claimed})

    def _listed(self) -> Iterator[Finding]:
        """Each lvol that a list names, held against the disk."""
        told_other: set[str] = set()
        for said in self._memory.lvols.values():
            if self._foreign(said.store):
                if said.store not in told_other:
                    told_other.add(str(said.store))
                    yield self._other(said.where, said.name, said.store)
                continue
            blob = self._lvols.get(said.name)
            if blob is None:
                rule = r.SNAPSHOT_NOT_ON_DISK if understand(said.name).role.endswith("snapshot") else r.LVOL_NOT_ON_DISK
                yield self._make(rule, None, f"{said.where}: {said.name} is not on disk", salvage="lost")
            else:
                yield from self._one(said, blob)

    def _one(self, said: Lvol, blob: Blob) -> Iterator[Finding]:
        uuid = blob.text(b"uuid")
        if said.uuid is not None and uuid is not None and said.uuid.lower() != uuid.lower():
            text = f"{blob.name}: uuid {uuid} on disk, {said.uuid} in {said.where}"
            yield self._make(r.IDENTITY_DIFFERS, blob, text, {"disk": uuid, "memory": said.uuid})
        size = None if blob.clusters is None else blob.clusters * self._store.geometry.cluster_size
        if said.size is not None and size is not None and said.size != size:
            text = f"{blob.name}: {size} bytes on disk, {said.size} in {said.where}"
            yield self._make(r.SIZE_DIFFERS, blob, text, {"disk": size, "memory": said.size})
        if not said.tells_parent:
            return
        parent = self._store.blobs.get(blob.parent) if blob.parent is not None else None
        real = parent.text(b"name") if parent is not None else None
        if said.parent != real:
            text = f"{blob.name}: parent {real} on disk, {said.parent} in {said.where}"
            yield self._make(r.PARENT_DIFFERS, blob, text, {"disk": real, "memory": said.parent})
        own = {self._store.blobs[c].text(b"name") or "" for c in self._store.children.get(blob.id, ())}
        if said.children is not None and set(said.children) != own:
            shown: Evidence = {"disk": sorted(own), "memory": sorted(said.children)[:100]}
            text = f"{blob.name}: children {shown['disk']} on disk, {shown['memory']} in {said.where}"
            yield self._make(r.CHILDREN_DIFFER, blob, text, shown)

    def _unlisted(self) -> Iterator[Finding]:
        """Lvols on disk that a full list lacks."""
        where = next((said.where for said in self._memory.lvols.values()), "the list")
        ours = [said for said in self._memory.lvols.values() if not self._foreign(said.store)]
        if len(ours) < 2:
            return  # of another disk, or an answer about one volume only
        for name, blob in self._lvols.items():
            if name in self._memory.lvols or name in self._chained:
                continue
            role = understand(name).role
            if role == "head":
                text = f"{where}: {name} is on disk and healthy, and the running engine does not have it"
                yield self._make(r.HEAD_NOT_IN_CHAIN, blob, text, salvage="kept")
            elif role.endswith("snapshot"):
                yield self._make(r.SNAPSHOT_NOT_IN_MEMORY, blob, f"{where}: {name} is not in the list")
            else:
                yield self._make(r.LVOL_NOT_IN_MEMORY, blob, f"{where}: {name} is not in the list")
