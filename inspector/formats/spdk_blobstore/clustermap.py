"""Where a blob's clusters lie: its own map in runs, and its content through the chain of snapshots."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from msgspec import Struct

from inspector.formats.spdk_blobstore import layout as lay
from inspector.formats.spdk_blobstore.blobs import Blob

HOLE, UNKNOWN = 0, -1
NO_LIMIT = 1 << 62  # clusters of a blob whose size is lost


class Run(Struct, frozen=True):
    """Clusters [at, at + count) of a blob; `cluster` is the first on disk, HOLE or UNKNOWN (then `why`)."""

    at: int
    count: int
    cluster: int
    why: str = ""
    owner: int = 0  # the blob in the chain whose map says so

    @property
    def end(self) -> int:
        return self.at + self.count


class Slot(Struct, frozen=True):
    """An extent page of a blob: where its 512 clusters start, and its words or why there are none."""

    at: int
    page: int
    words: array[int] | None
    why: str = ""


Slots = Callable[[Blob], Iterator[Slot | Run]]


def own_runs(blob: Blob, slots: Slots, in_range: Callable[[int], bool]) -> Iterator[Run]:
    """The blob's own map from 0 to its size, without gaps; clusters out of range are UNKNOWN."""
    limit = blob.clusters if blob.clusters is not None else NO_LIMIT
    at = 0
    for part in slots(blob):
        if at >= limit:
            return
        if isinstance(part, Run):
            at = min(part.end, limit)
            yield from _ranged(Run(part.at, at - part.at, part.cluster, part.why, blob.id), in_range)
            continue
        end = min(part.at + lay.PER_EXTENT_PAGE, limit)
        if part.words is None:
            yield Run(part.at, end - part.at, UNKNOWN, part.why, blob.id)
        else:
            yield from _coalesce(blob.id, part.at, part.words[: end - part.at], end, in_range)
        at = end
    if at < limit and (blob.broken is None or blob.attached):
        if blob.clusters is not None:
            yield Run(at, limit - at, HOLE, "", blob.id)
    elif at < limit and blob.broken is not None:
        why = f"its chain of metadata pages breaks at page {blob.broken.page}"
        yield Run(at, limit - at, UNKNOWN, why, blob.id)


def _ranged(run: Run, in_range: Callable[[int], bool]) -> Iterator[Run]:
    if run.cluster <= 0 or (in_range(run.cluster) and in_range(run.cluster + run.count - 1)):
        yield run
    else:
        yield Run(run.at, run.count, UNKNOWN, f"cluster {run.cluster} lies outside the store's data", run.owner)


def _coalesce(owner: int, at: int, words: array[int], end: int, in_range: Callable[[int], bool]) -> Iterator[Run]:
    start, length = 0, len(words)
    while start < length:
        first = words[start]
        stop = start + 1
        step = 1 if first else 0
        while stop < length and words[stop] == first + step * (stop - start):
            stop += 1
        yield from _ranged(Run(at + start, stop - start, first, "", owner), in_range)
        start = stop
    if at + length < end:  # the page was written when the blob was shorter
        yield Run(at + length, end - at - length, HOLE, "", owner)


def resolve(chain: list[Callable[[], Iterator[Run]]], sizes: list[int], bottom: str = "") -> Iterator[Run]:
    """The content of chain[0]: each cluster from the first map that has it, HOLE where none does.

    `sizes` are clusters of each map. Below a map that ends, zeroes are read. `bottom` is why what the last map
    lacks is unknown (a lost parent, an external snapshot); empty where it is zeroes.
    """
    layers = [_Layer(runs()) for runs in chain]
    at, limit = 0, sizes[0]
    pending: Run | None = None
    while at < limit:
        run = _first(layers, sizes, at, limit, bottom)
        if pending is not None and _joins(pending, run):
            pending = Run(pending.at, pending.count + run.count, pending.cluster, pending.why, pending.owner)
        else:
            if pending is not None:
                yield pending
            pending = run
        at = run.end
    if pending is not None:
        yield pending


class _Layer:
    """One map read forward."""

    def __init__(self, runs: Iterator[Run]) -> None:
        self._runs = runs
        self._now: Run | None = next(runs, None)

    def covering(self, at: int) -> Run | None:
        while self._now is not None and self._now.end <= at:
            self._now = next(self._runs, None)
        return self._now if self._now is not None and self._now.at <= at else None


def _first(layers: list[_Layer], sizes: list[int], at: int, limit: int, bottom: str) -> Run:
    end = limit
    for layer, size in zip(layers, sizes, strict=True):
        if at >= size:
            return Run(at, end - at, HOLE)
        end = min(end, size)
        run = layer.covering(at)
        if run is None:
            continue
        end = min(end, run.end)
        if run.cluster != HOLE:
            cluster = run.cluster if run.cluster == UNKNOWN else run.cluster + at - run.at
            return Run(at, end - at, cluster, run.why, run.owner)
    return Run(at, end - at, UNKNOWN if bottom else HOLE, bottom)


def _joins(left: Run, right: Run) -> bool:
    if left.cluster <= 0 or right.cluster <= 0:
        return left.cluster == right.cluster and left.why == right.why
    return left.owner == right.owner and left.cluster + left.count == right.cluster


__all__ = ["HOLE", "NO_LIMIT", "UNKNOWN", "Run", "Slot", "own_runs", "resolve"]
