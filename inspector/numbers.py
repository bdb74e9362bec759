"""A column of numbers that may not fit in memory: most of it in a temporary file, a few pages of it at hand."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from tempfile import TemporaryFile, gettempdir
from typing import IO, Final

from inspector.errors import OutputError

HELD: Final = 1 << 20  # numbers that need no file
PAGE: Final = 1 << 12  # numbers that are read at a time
PAGES: Final = 64  # of them that stay in memory


class Numbers:
    """Numbers from 0 to 2^64 - 1, added at the end and read anywhere."""

    def __init__(self) -> None:
        self._count = 0
        self._last = array("Q")  # those that are not in the file
        self._file: IO[bytes] | None = None
        self._pages: dict[int, array[int]] = {}

    def __len__(self) -> int:
        return self._count

    def extend(self, more: Iterable[int]) -> None:
        before = len(self._last)
        self._last.extend(more)
        self._count += len(self._last) - before
        if len(self._last) >= HELD:
            self._write()

    def _write(self) -> None:
        whole = len(self._last) // PAGE * PAGE
        try:
            if self._file is None:
                self._file = TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed by the collector
            self._file.write(self._last[:whole].tobytes())
            self._file.flush()  # it is read by its descriptor
        except OSError as error:
            raise OutputError(f"{gettempdir()}: {error.strerror or error}", "set TMPDIR") from error
        del self._last[:whole]

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self._count:
            raise IndexError(index)
        first = self._count - len(self._last)
        if index >= first:
            return self._last[index - first]
        number, place = divmod(index, PAGE)
        page = self._pages.pop(number, None)
        if page is None:
            assert self._file is not None
            page = array("Q", os.pread(self._file.fileno(), 8 * PAGE, 8 * PAGE * number))
            if len(self._pages) >= PAGES:
                del self._pages[next(iter(self._pages))]  # the one that was not asked for longest
        self._pages[number] = page
        return page[place]
