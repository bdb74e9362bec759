"""One block as it begins at an offset, for whoever asks whether bytes would make sense if they were other ones."""

from __future__ import annotations

from inspector.format import Reading, Traits, Unit
from inspector.formats.snarkos.authority import read_authority
from inspector.formats.snarkos.reading import Cursor, MalformedError
from inspector.formats.snarkos_blocks import layout as lay
from inspector.formats.snarkos_blocks.walk import Blocks, parse_head

LONGEST = 1 << 24


def unit(blocks: Blocks, member: str, at: int, read: Reading) -> Unit | None:
    """The block whose length stands at `at`. Nothing is sealed: a sound one is named by the next, or the last."""
    if blocks.latest or at < lay.COUNT_SIZE:
        return None
    data = read(at, lay.LENGTH_SIZE + lay.HEAD_SIZE)
    length = int.from_bytes(data[:8], "little")
    head = parse_head(data[8:], blocks.network)
    if not lay.HEAD_SIZE < length < LONGEST:
        return None
    end = at + lay.LENGTH_SIZE + length
    if head is None:
        return Unit(end, False)  # five upper bytes of the length are zero: it can be read
    follows = read(end, lay.LENGTH_SIZE + lay.HEAD_SIZE)
    after = parse_head(follows[8:], blocks.network)
    whole = after.previous == head.hash if after else (not follows and len(read(end - 1, 1)) == 1)
    return Unit(end, whole and _reads(read(at + lay.LENGTH_SIZE + lay.HEAD_SIZE, length - lay.HEAD_SIZE)))


def follower(blocks: Blocks, member: str, at: int, read: Reading, limit: int) -> int | None:
    """Where the block begins that names the hash of the one at `at`."""
    head = parse_head(read(at + lay.LENGTH_SIZE, lay.HEAD_SIZE), blocks.network)
    if head is None:
        return None
    behind = at + lay.LENGTH_SIZE + 1 + 32
    found = read(behind, limit - behind).find(head.hash)
    begin = behind + found - lay.LENGTH_SIZE - 33
    if found < 0 or parse_head(read(begin + lay.LENGTH_SIZE, lay.HEAD_SIZE), blocks.network) is None:
        return None
    return begin


def _reads(rest: bytes) -> bool:
    cursor = Cursor(rest)
    try:
        read_authority(cursor)
        cursor.version((1,), "ratifications")
    except MalformedError:
        return False
    return True


TRAITS = Traits(unit, follower=follower, apart=frozenset({"SNB001", "SNB005", "SNB006", "SNB007", "SNB008"}))
