"""One volume from several disks: replicas of it, or images of one disk, cluster by cluster.

A blobstore tells no age, so no copy is believed for being newer. What a snapshot's checksum seals is taken; of what
nothing seals, that on which most copies agree; where they do not agree it is said, with the hash of each.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.copies import Disagreement, Loss, Merge, Take
from inspector.errors import RefusedError, UsageError
from inspector.format import Extent, Proof, Wishes
from inspector.formats.spdk_blobstore.blobs import Blob
from inspector.formats.spdk_blobstore.combining import Layer, Place, combined
from inspector.formats.spdk_blobstore.content import extents
from inspector.formats.spdk_blobstore.names import find
from inspector.formats.spdk_blobstore.state import State
from inspector.formats.spdk_blobstore.store import Store
from inspector.formats.spdk_blobstore.verify import verify_snapshot
from inspector.span import Span

STEP = 1 << 20  # bytes that are compared at once, at most
PAGE = 4096  # bytes that are compared by themselves where the copies of a cluster all differ: damage is mostly smaller
_REPLICA = re.compile(r"-r-[a-zA-Z0-9]{8}(?=\Z|-snap-)")  # what tells one replica's name from another's
UNSURE = "the copies differ and nothing tells which is right; the first of them is written"
_RANK = {"sealed": 0, "placed": 1, "derived": 1}


class Copy(Struct):
    """A volume on one disk, and the extent of it that is looked at."""

    number: int
    state: State
    store: Store
    blob: Blob
    stream: Iterator[Extent]
    now: Extent | None = None
    unknown: int = 0

    def at(self, at: int) -> Extent | None:
        """The extent that holds byte `at`; None past the volume's end."""
        while self.now is None or self.now.at + self.now.length <= at:
            self.now = next(self.stream, None)
            if self.now is None:
                return None
        return self.now if self.now.at <= at else None


class Candidate(Struct, frozen=True):
    copy: Copy
    proof: Proof
    why: str
    origin: Span | None
    data: bytes


class Merger(Struct):
    copies: list[Copy]
    plan: Merge
    size: int
    unit: int
    sealed: set[Place] = field(default_factory=set)  # clusters that a checksum seals together with other copies'
    waiting: list[Take] = field(default_factory=list)
    unsure: int = 0  # bytes of the last cluster of which nothing tells which copy is right

    def takes(self) -> Iterator[Take]:
        at = 0
        counts = self.plan.counts
        while at < self.size:
            found = [(copy, extent) for copy in self.copies if (extent := copy.at(at)) is not None]
            end = min([self.size, *(extent.at + extent.length for _, extent in found)])
            if any(extent.origin is not None or extent.data is not None for _, extent in found):
                end = min(end, at - at % min(self.unit, STEP) + min(self.unit, STEP))
                for take in self._choose(found, at, end):
                    yield from self._joined(take)
            elif not any(extent.proof == "derived" for _, extent in found):
                self._lose(at, end, "no copy knows what is here")
            else:
                counts["zero_bytes"] = counts.get("zero_bytes", 0) + end - at
            at = end
        yield from self.waiting
        self.waiting = []

    def _choose(self, found: list[tuple[Copy, Extent]], at: int, end: int) -> Iterator[Take]:
        """The bytes to take; nothing where they are zeroes or nobody knows them."""
        candidates = [one for copy, extent in found if (one := self._candidate(copy, extent, at, end))]
        if not candidates:
            self._lose(at, end, "no copy knows what is here")
            return
        candidates.sort(key=lambda one: _RANK[one.proof])
        best, why = candidates[0], "sealed by its snapshot's checksum"
        different = {one.data for one in candidates}
        if len(different) > 1:
            best, why, sure = self._settle(candidates)
            digests = tuple((one.copy.number, hashlib.sha256(one.data).hexdigest()) for one in candidates)
            if not sure and best.proof != "sealed":
                takes = list(self._by_page(candidates, at, end))
                lost = self.unsure
                if lost < end - at:
                    told = f"{lost:,} bytes: {why}, else " if lost else ""
                    why = f"{told}most copies agree on each {PAGE} bytes, none has them all"
                self.plan.disagree(Disagreement(at, end - at, digests, best.copy.number, why))
                yield from takes
                return
            self.plan.disagree(Disagreement(at, end - at, digests, best.copy.number, why))
            if not sure:
                self._lose(at, end, UNSURE)
        name = "sealed_bytes" if best.proof == "sealed" else "agreed_bytes" if len(candidates) > 1 else "single_bytes"
        if len(different) > 1 and best.proof != "sealed":
            name = "contested_bytes"
        self.plan.counts[name] = self.plan.counts.get(name, 0) + end - at
        yield from _taken(best, at, 0, end - at)

    def _by_page(self, candidates: list[Candidate], at: int, end: int) -> Iterator[Take]:
        """The same for each page: copies that are damaged in different places agree on all pages."""
        start, taken, self.unsure = 0, candidates[0], 0
        for low in range(0, end - at, PAGE):
            size = min(PAGE, end - at - low)
            pages = [replace(one, data=one.data[low : low + size]) for one in candidates]
            i, sure, name = candidates.index(taken), True, "agreed_bytes"
            if any(page.data != pages[0].data for page in pages):
                best, _, sure = self._settle(pages)
                i = i if pages[i].data == best.data else pages.index(best)
                name = "contested_bytes"
            self.plan.counts[name] = self.plan.counts.get(name, 0) + size
            if not sure:
                self.unsure += size
                self._lose(at + low, at + low + size, UNSURE)
            if candidates[i] is not taken:
                yield from _taken(taken, at, start, low)
                start, taken = low, candidates[i]
        yield from _taken(taken, at, start, end - at)

    def _candidate(self, copy: Copy, extent: Extent, at: int, end: int) -> Candidate | None:
        """What one copy has for [at, end); None where it does not know or the medium does not tell."""
        if extent.proof == "none":
            return None
        if extent.origin is None:
            return Candidate(copy, "derived", extent.why, None, bytes(end - at))
        start, source = extent.origin.start + at - extent.at, copy.state.source
        origin = Span(start, start + end - at, extent.origin.member)
        data = source.read(origin.start, origin.length, origin.member)
        if len(data) < origin.length or any(span.overlaps(origin) for span in source.unreadable):
            return None
        place = copy.number, (copy.state.disk.position(start) or 0) // self.unit
        if place in self.sealed:
            return Candidate(copy, "sealed", "the checksum seals it with clusters of other copies", origin, data)
        return Candidate(copy, extent.proof, extent.why, origin, data)

    def _settle(self, candidates: list[Candidate]) -> tuple[Candidate, str, bool]:
        """Which of several contents is taken, why, and whether that is sure."""
        best = candidates[0]
        if best.proof == "sealed":
            others = {one.data for one in candidates if one.proof == "sealed"}
            return best, "sealed by its snapshot's checksum", len(others) == 1
        (data, most), *rest = Counter(one.data for one in candidates).most_common()
        if most > sum(count for _, count in rest):
            return (
                next(one for one in candidates if one.data == data),
                f"{most} of {len(candidates)} copies agree",
                True,
            )
        return best, "nothing tells which is right", False

    def _joined(self, take: Take) -> Iterator[Take]:
        """Neighbours in both the volume and their copy become one take."""
        last = self.waiting[0] if self.waiting else None
        assert take.origin is not None
        if last is not None and last.origin is not None and _follows(last, take):
            whole = Span(last.origin.start, take.origin.end, take.origin.member)
            self.waiting = [Take(last.copy, whole, None, last.proof, last.why, last.units + 1, last.at)]
            return
        if last is not None:
            yield last
        self.waiting = [take]

    def _lose(self, start: int, end: int, why: str) -> None:
        last = self.plan.losses[-1] if self.plan.losses else None
        if last is not None and last.span.end == start and last.why == why:
            self.plan.losses[-1] = Loss(-1, Span(last.span.start, end), why)
        else:
            self.plan.lose(Loss(-1, Span(start, end), why))


def _taken(one: Candidate, at: int, low: int, high: int) -> Iterator[Take]:
    """Bytes [low, high) of a candidate for the volume's byte `at`, unless they are zeroes."""
    if low < high and one.origin is not None and one.data.count(0, low, high) < high - low:
        origin = Span(one.origin.start + low, one.origin.start + high, one.origin.member)
        yield Take(one.copy.number, origin, None, one.proof, one.why, 1, at + low)


def _follows(last: Take, take: Take) -> bool:
    if last.origin is None or take.origin is None or last.at is None:
        return False
    near = last.origin.end == take.origin.start and last.at + last.origin.length == take.at
    return near and (last.copy, last.proof, last.why) == (take.copy, take.proof, take.why)


def volume_of(name: str) -> str:
    """A replica's or a snapshot's name without what tells it from the other replicas of its volume."""
    return _REPLICA.sub("", name.rpartition("/")[2])


def _find(store: Store, item: str) -> Blob | None:
    found = find(store, item)
    if found is not None:
        return found
    same = [blob for blob in store.blobs.values() if volume_of(blob.text(b"name") or "") == volume_of(item)]
    if len(same) > 1:
        raise UsageError(f"{item} is {' and '.join(sorted(blob.name for blob in same)[:4])} on one disk", "name one")
    return same[0] if same else None


def merge(states: Sequence[State], wishes: Wishes, item: str | None) -> Merge:
    if item is None:
        raise UsageError("of a blobstore one volume is merged at a time: --item VOLUME", "inspector items lists them")
    copies = []
    for number, state in enumerate(states):
        store = state.ready()
        if store is None or not state.trusted:
            raise RefusedError(f"{state.source.label}: where its clusters lie is not certain", "leave this copy out")
        blob = _find(store, item)
        if blob is not None:
            copies.append(Copy(number, state, store, blob, extents(state, f"0x{blob.id:x}")))
    if not copies:
        raise UsageError(f"no copy has an item {item}", "inspector items lists what each has")
    _same_volume(copies, item)
    for copy in copies:
        copy.unknown = sum(e.length for e in extents(copy.state, f"0x{copy.blob.id:x}") if e.proof == "none")
    copies.sort(key=lambda copy: (copy.unknown, copy.number))
    unit = copies[0].store.geometry.cluster_size
    size = max(copy.store.size_of(copy.blob) for copy in copies) * unit
    absent = [n for n in range(len(states)) if all(copy.number != n for copy in copies)]
    told = {c.number: f"{c.blob.name}: {c.unknown:,} bytes unknown; a blobstore tells no age" for c in copies}
    words = tuple(told.get(number, f"it has no {item}") for number in range(len(states)))
    order = (*(copy.number for copy in copies), *absent)
    plan = Merge((), size, order, words, size=size, item=True)
    plan.takes = Merger(copies, plan, size, unit, _combinations(copies)).takes()
    if len({copy.store.size_of(copy.blob) for copy in copies}) > 1:
        plan.notes.append("the copies have different sizes: what only the larger one has is taken from it")
    plan.after = _after
    return plan


def _combinations(copies: list[Copy]) -> set[Place]:
    """Clusters of snapshots of this volume that no copy has whole, and several together have."""
    layers: dict[str, list[Layer]] = {}
    whole: set[str] = set()
    for copy in copies:
        for blob in copy.store.chain(copy.blob)[0]:
            name = volume_of(blob.text(b"name") or "")
            verdict = verify_snapshot(copy.store, blob)
            if verdict is not None and verdict.ok:
                whole.add(name)
            elif verdict is not None and name:
                layers.setdefault(name, []).append(Layer(copy.number, copy.store, blob))
    found: set[Place] = set()
    for name, several in layers.items():
        if name not in whole:
            found |= combined(several)
    return found


def _same_volume(copies: list[Copy], item: str) -> None:
    """Refuse what only shares a name; replicas of one Longhorn volume lie in stores of their own."""
    first = copies[0]
    for other in copies[1:]:
        if first.store.geometry.cluster_size != other.store.geometry.cluster_size:
            sizes = f"{first.store.geometry.cluster_size} and {other.store.geometry.cluster_size}"
            raise RefusedError(f"clusters of {sizes} bytes: these are not copies of one volume")
        names = [copy.blob.text(b"name") or "" for copy in (first, other)]
        replicas = all(_REPLICA.search(name) for name in names) and volume_of(names[0]) == volume_of(names[1])
        if not replicas and not _one_store(first, other):
            raise RefusedError(
                f"{first.state.source.label} and {other.state.source.label} are different stores "
                f"({_named(first)}, {_named(other)}), and {item} is no Longhorn replica",
                "inspector extract writes each by itself",
            )


def _one_store(first: Copy, other: Copy) -> bool:
    """Whether both name one store; where the page that names it is lost, the volume's own id stands in for it."""
    one, two = _store_id(first), _store_id(other)
    if one is None or two is None:
        volume = first.blob.text(b"uuid")
        return one == two or (bool(volume) and volume == other.blob.text(b"uuid"))
    return one == two


def _store_id(copy: Copy) -> str | None:
    blob = copy.store.blobs.get(copy.store.geometry.super_blob)
    return (blob.text(b"uuid") if blob else None) or None


def _named(copy: Copy) -> str:
    return _store_id(copy) or "without uuid"


def _after(source: str, output: str) -> tuple[str, ...]:
    return (
        f"losetup -r -f --show {output}",
        "mount -o ro,norecovery /dev/loopN /mnt (ext4: ro,noload); a journal is replayed on a copy only",
        "ranges that are lost read as zeroes, contested ones as one copy has them: a file system there may look whole "
        "and not be",
    )
