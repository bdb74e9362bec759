"""A log followed while it is written: each line as it lands, and whether it is text."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from inspector.follow import AppendOnly, Landed, UnfollowableError
from inspector.formats.kad_trace.lines import MAX_LINE, Block, blocks
from inspector.formats.kad_trace.packed import MAGIC
from inspector.formats.kad_trace.state import readable
from inspector.source import Source

WINDOW = 4 << 20
KEY = "line"


class LogFollower(AppendOnly):
    """See `inspector.follow.Follower`; a line carries no checksum that a second look could ask."""

    torn_matters = False  # programs write their logs in blocks, and a block may end inside a line

    judges_all = False  # stalls are told by the events of many lines

    def advance(self, source: Source) -> Iterator[Landed]:
        if self.at == 0 and source.read(0, 3) == MAGIC:
            raise UnfollowableError("a packed log")
        while self.at < source.length():
            data = source.read(self.at, WINDOW)
            last = self.at + len(data) >= source.length()
            cut = data.rfind(b"\n") + 1
            if not cut and len(data) > MAX_LINE:
                yield Landed("broken", self.at, self.at + len(data), "a line of more than 1 MiB")
                return
            if cut:
                wrong = yield from self._lines(data[:cut])
                if wrong:
                    return
            if last:
                break
        if self.at < source.length():
            yield Landed("unfinished", self.at, source.length(), "a line without its end")

    def _lines(self, data: bytes) -> Generator[Landed, None, bool]:
        begin, count = self.at, 0
        for block in blocks([data], self.at):
            suspects = block.suspects()
            bad = min((i for i in suspects if not readable(block.line(i))), default=None)
            count += len(block.starts) if bad is None else bad
            if bad is None:
                self.at = block.end
                continue
            self.at, end = block.bounds(bad)
            if self.at > begin:
                yield Landed("sound", begin, self.at, "", {KEY: count})
            yield Landed("broken", self.at, end, _words(block, bad))
            return True
        yield Landed("sound", begin, self.at, "", {KEY: count})
        return False

    def heal(self, source: Source, start: int, end: int) -> Mapping[str, int]:
        return {KEY: source.read(start, end - start).count(b"\n")}

    def sound(self, source: Source, start: int, end: int) -> bool:
        data = source.read(start, end - start)
        return data.endswith(b"\n") and all(readable(line) for line in data.split(b"\n"))


def _words(block: Block, index: int) -> str:
    raw = block.line(index)
    if not raw.strip(b"\0"):
        return "zeroes where a line was due"
    return "zeroes inside a line" if 0 in raw else "a line that is no text"


def follow(saved: Mapping[str, Any] | None) -> LogFollower:
    """A follower at the beginning, or where a saved one was."""
    return LogFollower(saved)
