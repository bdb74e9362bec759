"""A walk whose tiles are wanted twice: those of a store that is not too large stay in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from inspector.format import Stretch
from inspector.formats.gossip_store.walk import Store, walk

REMEMBERED = 3 << 18  # tiles, of some 25 bytes each; with more the store is read again


class Columns(Struct, frozen=True):
    """What a repair needs of a batch; the other columns and the bytes are let go."""

    flags: array[int]
    owners: array[int]


class Twice:
    """The walk over `store`, and the same tiles once more when it has ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: list[Stretch] = []
        self._tiles = 0
        self._ended = False

    def first(self) -> Iterator[Stretch]:
        for stretch in walk(self._store):
            self._tiles += len(stretch)
            if self._tiles > REMEMBERED:
                self._kept.clear()
            else:
                self._kept.append(_without_bytes(stretch))
            yield stretch
        self._ended = True

    def again(self) -> Iterable[Stretch]:
        return self._kept if self._ended and self._tiles <= REMEMBERED else walk(self._store)


def _without_bytes(stretch: Stretch) -> Stretch:
    batch = stretch.columns.get("batch")
    if batch is None:
        return stretch
    return replace(
        stretch, columns={"batch": Columns(batch.flags, batch.owners), "odd": stretch.columns["odd"]}, counts=None
    )
