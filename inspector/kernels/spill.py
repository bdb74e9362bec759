"""Facts about owners that no longer fit in memory, in temporary files partitioned by owner."""

import sys
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inspector.runs import Runs

PARTITIONS: Final = 16
_KEPT: Final = 1 << 13  # values held per partition before they are written
_CHUNK: Final = 3 << 12  # values per read: whole facts
_ROWS: Final = 24 << 12  # bytes of events that become rows at a time
_BATCH: Final = 4096  # events that are given out at a time


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
            from tempfile import TemporaryFile

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


class EventRuns:
    """Flat triples in any order, read back sorted in batches: beyond a few MiB they are sorted in a file."""

    def __init__(self) -> None:
        self._runs: Runs | None = None

    def extend(self, events: "array[int]") -> None:
        if not events:
            return
        if self._runs is None:
            from inspector.runs import Runs  # only here: few stores contradict themselves

            self._runs = Runs(24, 32_768)
        big = events
        if sys.byteorder == "little":
            big = events[:]
            big.byteswap()
        data = big.tobytes()
        for at in range(0, len(data), _ROWS):
            piece = data[at : at + _ROWS]
            self._runs.extend([piece[i : i + 24] for i in range(0, len(piece), 24)])

    def batches(self) -> Iterator["array[int]"]:
        if self._runs is None:
            return
        rows = iter(self._runs)
        while data := b"".join(islice(rows, _BATCH)):
            found = array("Q", data)
            if sys.byteorder == "little":
                found.byteswap()
            yield found
        self._runs.close()
