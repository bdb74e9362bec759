"""Facts about owners that no longer fit in memory, in temporary files partitioned by owner."""

from array import array
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Final

PARTITIONS: Final = 16
_KEPT: Final = 1 << 13  # values held per partition before they are written
_CHUNK: Final = 3 << 15  # values per read: whole facts


class Spill:
    """Facts are three 64-bit values: the owner, the fact's code, the offset. Order within a partition is kept."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._files: list[IO[bytes] | None] = [None] * PARTITIONS
        self._waiting = [array("Q") for _ in range(PARTITIONS)]

    def add(self, slot: int, facts: "array[int]") -> None:
        """Facts whose owners all belong to partition `slot`."""
        waiting = self._waiting[slot]
        waiting.extend(facts)
        if len(waiting) >= _KEPT:
            self._write(slot)

    def _write(self, slot: int) -> None:
        file = self._files[slot]
        if file is None:
            file = self._files[slot] = TemporaryFile(dir=self._folder, prefix="inspector-")  # noqa: SIM115
        file.write(self._waiting[slot].tobytes())
        del self._waiting[slot][:]

    def take(self) -> Iterator[Iterator["array[int]"]]:
        """Each partition's facts in chunks, in the order they were added; a partition's file closes behind it."""
        for slot in range(PARTITIONS):
            yield self._read(slot)

    def _read(self, slot: int) -> Iterator["array[int]"]:
        file, self._files[slot] = self._files[slot], None
        if file is not None:
            with file:
                file.seek(0)
                while chunk := file.read(8 * _CHUNK):
                    yield array("Q", chunk)
        waiting, self._waiting[slot] = self._waiting[slot], array("Q")
        if waiting:
            yield waiting


def in_order(events: "array[int]") -> "array[int]":
    """Flat triples, sorted."""
    triples = sorted(zip(events[0::3], events[1::3], events[2::3], strict=True))
    return array("Q", [value for triple in triples for value in triple])
