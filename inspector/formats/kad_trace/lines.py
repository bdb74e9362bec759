"""Text cut into lines with their offsets, a block of a few MiB at a time.

Nothing here looks at a single line unless its block holds bytes that text never holds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inspector.kernels.lines import line_starts, lines_never_text, lines_with

MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: line i is [starts[i], starts[i+1]) of the text and number `first + i`; `over` is part of a line
    longer than 1 MiB and has a single start."""

    at: int
    data: bytes
    starts: array[int]
    first: int
    over: bool = False

    @property
    def end(self) -> int:
        return self.at + len(self.data)

    def bounds(self, index: int) -> tuple[int, int]:
        return self.starts[index], self.starts[index + 1] if index + 1 < len(self.starts) else self.end

    def line(self, index: int) -> bytes:
        """The bytes of a line without its line end."""
        start, end = self.bounds(index)
        raw = self.data[start - self.at : end - self.at]
        return raw[:-1].removesuffix(b"\r") if raw.endswith(b"\n") else raw

    def lines_with(self, needles: Iterable[bytes]) -> set[int]:
        """Numbers of lines (in this block) that contain any of the needles."""
        return lines_with(self.data, self.starts, self.at, tuple(needles))

    def suspects(self) -> set[int]:
        """Numbers of lines with a byte that text never holds."""
        return lines_never_text(self.data, self.starts, self.at)


def blocks(chunks: Iterable[bytes], at: int = 0) -> Iterator[Block]:
    """Blocks of whole lines, in order and without a hole; the last line may lack its end."""
    carry, line, over = b"", 1, False
    for chunk in chunks:
        if over:
            cut = chunk.find(b"\n") + 1
            piece, chunk = (chunk[:cut], chunk[cut:]) if cut else (chunk, b"")
            yield Block(at, piece, array("Q", [at]), line, True)
            at += len(piece)
            over, line = not cut, line + bool(cut)
        data = carry + chunk if carry else chunk
        cut = data.rfind(b"\n") + 1
        if cut:
            block = _block(at, data[:cut] if cut < len(data) else data, line)
            yield from _without_long(block)
            at, line = at + cut, line + len(block.starts)
        carry = data[cut:]
        if len(carry) > MAX_LINE:
            yield Block(at, carry, array("Q", [at]), line, True)
            at, carry, over = at + len(carry), b"", True
    if carry:
        yield _block(at, carry, line)


def _block(at: int, data: bytes, line: int) -> Block:
    return Block(at, data, line_starts(data, at), line)


def _without_long(block: Block) -> Iterator[Block]:
    """The block, cut apart at lines longer than a line may be."""
    if len(block.data) <= MAX_LINE:
        yield block
        return
    begin = 0
    for index in _long_lines(block):
        start, end = block.bounds(index)
        if index > begin:
            yield _part(block, begin, index)
        data = block.data[start - block.at : end - block.at]
        yield Block(start, data, array("Q", [start]), block.first + index, True)
        begin = index + 1
    if not begin:
        yield block
    elif begin < len(block.starts):
        yield _part(block, begin, len(block.starts))


def _long_lines(block: Block) -> Iterator[int]:
    """A line of more than 1 MiB covers a multiple of 1 MiB: only lines at those places are measured."""
    seen = -1
    for at in range(block.at, block.end, MAX_LINE):
        index = bisect_right(block.starts, at) - 1
        start, end = block.bounds(index)
        if index != seen and end - start > MAX_LINE:
            yield index
        seen = index


def _part(block: Block, begin: int, end: int) -> Block:
    start, stop = block.starts[begin], block.bounds(end - 1)[1]
    data = block.data[start - block.at : stop - block.at]
    return Block(start, data, block.starts[begin:end], block.first + begin)
