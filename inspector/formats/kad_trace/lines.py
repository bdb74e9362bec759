"""Text cut into lines with their offsets, a block of a few MiB at a time.

Nothing here looks at a single line unless its block holds bytes that text never holds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from msgspec import Struct

from inspector.kernels.lines import line_starts, lines_never_text, lines_with
from inspector.kernels.log import NEVER, survey
from inspector.source import Source

MAX_LINE = 1 << 20
NONE = array("B")
Pull = Callable[[bytes], bytes]  # takes the begin of a line that was left over; gives that and what follows it


class Words(Struct, frozen=True):
    """What a survey looks for: lines with one of `hits`, and how often `counted` stands in the text."""

    hits: tuple[bytes, ...]
    counted: bytes


class Block(Struct, frozen=True):
    """Whole lines: line i is [starts[i], starts[i+1]) of the text and number `first + i`; `over` is part of a line
    longer than 1 MiB and has a single start. The block is the first `size` bytes of `data`: to cut off what follows
    them would cost more than to find its lines. Of surveyed text, `flags` has one entry per line."""

    at: int
    data: bytes
    size: int
    starts: array[int]
    first: int
    over: bool = False
    flags: array[int] = NONE
    counted: int = 0

    @property
    def end(self) -> int:
        return self.at + self.size

    def bounds(self, index: int) -> tuple[int, int]:
        return self.starts[index], self.starts[index + 1] if index + 1 < len(self.starts) else self.end

    def line(self, index: int) -> bytes:
        """The bytes of a line without its line end."""
        start, end = self.bounds(index)
        raw = self.data[start - self.at : end - self.at]
        return raw[:-1].removesuffix(b"\r") if raw.endswith(b"\n") else raw

    def lines_with(self, needles: Iterable[bytes]) -> set[int]:
        """Numbers of lines (in this block) that contain any of the needles."""
        return lines_with(self.data[: self.size], self.starts, self.at, tuple(needles))

    def suspects(self) -> set[int]:
        """Numbers of lines with a byte that text never holds."""
        if not self.flags:
            return lines_never_text(self.data[: self.size], self.starts, self.at)
        noted = self.flags.tobytes()
        return {i for i, flag in enumerate(noted) if flag & NEVER} if NEVER in noted or NEVER + 1 in noted else set()


def blocks(chunks: Iterable[bytes], at: int = 0) -> Iterator[Block]:
    """Blocks of whole lines, in order and without a hole; the last line may lack its end."""
    return _blocks(partial(_next, filter(None, chunks)), at, None)


def surveyed(source: Source, window: int, words: Words) -> Iterator[Block]:
    """The blocks of a file, surveyed."""
    return _blocks(_file(source, window), 0, words)


def surveyed_text(chunks: Iterable[bytes], words: Words) -> Iterator[Block]:
    """The blocks of a text, surveyed."""
    return _blocks(partial(_next, filter(None, chunks)), 0, words)


def _next(chunks: Iterator[bytes], carry: bytes) -> bytes:
    chunk = next(chunks, b"")
    return carry + chunk if carry else chunk


def _file(source: Source, window: int) -> Pull:
    """Reads the few bytes of a line that a window cut in two once more: that is cheaper than to join all the others."""
    at = 0

    def pull(carry: bytes) -> bytes:
        nonlocal at
        data = source.read(at - len(carry), len(carry) + window)
        at += len(data) - len(carry)
        return data

    return pull


def _blocks(pull: Pull, at: int, words: Words | None) -> Iterator[Block]:
    carry, line, over = b"", 1, False
    while len(data := pull(carry)) > len(carry):
        if over:
            cut = data.find(b"\n") + 1
            piece, data = (data[:cut], data[cut:]) if cut else (data, b"")
            yield Block(at, piece, len(piece), array("Q", [at]), line, True)
            at += len(piece)
            over, line = not cut, line + bool(cut)
        cut = data.rfind(b"\n") + 1
        if cut:
            block = _block(at, data, cut, line, words)
            yield from _without_long(block, words)
            at, line = at + cut, line + len(block.starts)
        carry = data[cut:]
        if len(carry) > MAX_LINE:
            yield Block(at, carry, len(carry), array("Q", [at]), line, True)
            at, carry, over = at + len(carry), b"", True
    if carry:
        yield _block(at, carry, len(carry), line, words)


def _block(at: int, data: bytes, size: int, line: int, words: Words | None) -> Block:
    if words is None:
        data = data[:size]
        return Block(at, data, size, line_starts(data, at), line)
    starts, flags, counted = survey(data, size, at, words.hits, words.counted)
    return Block(at, data, size, starts, line, False, flags, counted)


def _without_long(block: Block, words: Words | None) -> Iterator[Block]:
    """The block, cut apart at lines longer than a line may be."""
    if block.size <= MAX_LINE:
        yield block
        return
    begin = 0
    for index in _long_lines(block):
        start, end = block.bounds(index)
        if index > begin:
            yield _part(block, begin, index, words)
        data = block.data[start - block.at : end - block.at]
        yield Block(start, data, len(data), array("Q", [start]), block.first + index, True)
        begin = index + 1
    if not begin:
        yield block
    elif begin < len(block.starts):
        yield _part(block, begin, len(block.starts), words)


def _long_lines(block: Block) -> Iterator[int]:
    """A line of more than 1 MiB covers a multiple of 1 MiB: only lines at those places are measured."""
    seen = -1
    for at in range(block.at, block.end, MAX_LINE):
        index = bisect_right(block.starts, at) - 1
        start, end = block.bounds(index)
        if index != seen and end - start > MAX_LINE:
            yield index
        seen = index


def _part(block: Block, begin: int, end: int, words: Words | None) -> Block:
    start, stop = block.starts[begin], block.bounds(end - 1)[1]
    data = block.data[start - block.at : stop - block.at]
    return _block(start, data, len(data), block.first + begin, words)
