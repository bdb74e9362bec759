"""Recognising a CDN file and walking its blocks, on past damage: nothing in it has a checksum, only structure."""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from inspector.format import FRAME, GAP, UNIT, Claim, State, Stretch, Wishes, tile
from inspector.formats.snarkos.authority import read_authority
from inspector.formats.snarkos.layout import HEADER_FAST, HEADER_SIZE, HEIGHT, NETWORK, ROUND, TIMESTAMP
from inspector.formats.snarkos.names import NETWORKS
from inspector.formats.snarkos.reading import Cursor, MalformedError
from inspector.formats.snarkos_blocks import layout as at
from inspector.formats.snarkos_blocks.layout import Head
from inspector.source import Source
from inspector.uniform import only_zeroes

WINDOW: Final = 1 << 20
TILES: Final = 1024
PADDING: Final = 64  # zeroes that no block ends with
MAX_LATEST: Final = 1 << 16
VOTES: Final = 33  # blocks that say which network this is
VOTED: Final = 1 << 24  # bytes in which the next of them is searched
NAME: Final = re.compile(r"(\d{1,10})\.(\d{1,10})\.blocks")


class Blocks(Struct):
    """One file. The columns hold a value per block that was found, in file order."""

    source: Source
    wishes: Wishes
    latest: bool
    claimed: int | None = None  # by the count at the head
    named: tuple[int, int] | None = None  # heights [start, end) by the file's name
    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    heights: array[int] = field(default_factory=lambda: array("I"))
    marks: array[int] = field(default_factory=lambda: array("B"))
    network: int | None = None  # what most of the first blocks say; None before the walk, or where none is found
    height: int | None = None  # the median of their heights
    latest_text: dict[str, object] | None = None
    latest_why: str = ""
    anchor: tuple[int, int | None] = (-1, -1)  # where the last search began, and what it found


def claim(source: Source, lower: State | None) -> Claim:
    if source.member("") is None:
        return Claim(0, "a file, not a folder")
    size = source.length("")
    if head_at(source, at.COUNT_SIZE) is not None:
        return Claim(85, "a count and a length lead to a block header")
    name = source.name
    if NAME.fullmatch(name):
        return Claim(30, "it is named as a CDN names its files")
    head = source.read(0, 9)
    sized = len(head) == 9 and int.from_bytes(head[:8], "little") == size - 8 and head[8:] == b"{"
    if sized and b"exclusive_height" in source.read(8, min(size, MAX_LATEST)):
        return Claim(80, "a bincode string with the heights of latest.json")
    return Claim(25, "it is named latest.json") if name == "latest.json" else Claim(0, "no block stands at byte 16")


def open_file(source: Source, lower: State | None, wishes: Wishes) -> Blocks:
    name = source.name
    first = source.read(8, 1)
    latest = name == "latest.json" or (first == b"{" and head_at(source, at.COUNT_SIZE) is None)
    found = Blocks(source, wishes, latest)
    if match := NAME.fullmatch(name):
        found.named = int(match[1]), int(match[2])
    return found


def head_at(source: Source, start: int, network: int | None = None) -> Head | None:
    """The head of a block whose length field stands at `start`, or None where none can be."""
    data = source.read(start, at.LENGTH_SIZE + at.HEAD_SIZE)
    return parse_head(data[at.LENGTH_SIZE :], network)


def parse_head(data: bytes, network: int | None = None) -> Head | None:
    """The fixed fields of a block's first bytes, if all versions and the network fit."""
    if len(data) < at.HEAD_SIZE or data[0] != 1 or data[at.HEADER_AT] != 1 or data[at.METADATA_AT] != 1:
        return None
    values = HEADER_FAST.unpack(data[at.HEADER_AT : at.HEADER_AT + HEADER_SIZE])
    if values[NETWORK] not in NETWORKS or (network is not None and values[NETWORK] != network):
        return None
    return Head(data[1:33], data[33:65], values[NETWORK], values[ROUND], values[HEIGHT], values[TIMESTAMP])


def walk(blocks: Blocks) -> Iterator[Stretch]:
    if blocks.latest:
        yield from _walk_latest(blocks)
    else:
        yield from _walk_blocks(blocks)


def _walk_latest(blocks: Blocks) -> Iterator[Stretch]:
    source, size = blocks.source, blocks.source.length("")
    if not size:
        return
    data = source.read(0, min(size, MAX_LATEST))
    try:
        cursor = Cursor(data)
        text = cursor.sized("latest.json")
        cursor.done("latest.json")
        found = json.loads(text)
        if not isinstance(found, dict):
            raise MalformedError("it is no JSON object")
        blocks.latest_text = found
        blocks.latest_why = _disagree(found.get("inclusive_height"), found.get("exclusive_height"))
    except (MalformedError, ValueError, RecursionError) as error:
        blocks.latest_why = str(error)
    yield tile(0, size, UNIT, at.LATEST_KIND, at.MALFORMED if blocks.latest_why else at.SOUND)


def _disagree(inclusive: object, exclusive: object) -> str:
    """Why the two heights of latest.json cannot both be right, or nothing."""
    if not isinstance(inclusive, int) or not isinstance(exclusive, int):
        return "a height is not a number"
    return "" if exclusive == inclusive + 1 else "exclusive_height is not inclusive_height and one more"


class _Tiles(Struct):
    """Tiles being collected, with the heads of the blocks among them."""

    start: int
    starts: array[int] = field(default_factory=lambda: array("Q"))
    roles: array[int] = field(default_factory=lambda: array("B"))
    kinds: array[int] = field(default_factory=lambda: array("H"))
    marks: array[int] = field(default_factory=lambda: array("B"))
    heads: list[Head | None] = field(default_factory=list)

    def add(self, start: int, role: int, kind: int, mark: int, head: Head | None = None) -> None:
        self.starts.append(start)
        self.roles.append(role)
        self.kinds.append(kind)
        self.marks.append(mark)
        self.heads.append(head)

    def take(self, end: int) -> Stretch:
        return Stretch(self.start, end, self.starts, self.roles, self.kinds, self.marks, "", {"heads": self.heads})


def _walk_blocks(blocks: Blocks) -> Iterator[Stretch]:
    source, size = blocks.source, blocks.source.length("")
    if not size:
        return
    here = min(at.COUNT_SIZE, size)
    tiles = _Tiles(0)
    if size < at.COUNT_SIZE:
        tiles.add(0, GAP, at.COUNT, at.GONE)
    else:
        blocks.claimed = int.from_bytes(source.read(0, at.COUNT_SIZE), "little")
        tiles.add(0, FRAME, at.COUNT, at.SOUND)
    _vote(blocks, size)
    while here < size:
        if len(tiles.starts) >= TILES:
            yield tiles.take(here)
            tiles = _Tiles(here)
        end, mark, head = _judge(blocks, here, size)
        if mark == at.GONE:
            tiles.add(here, GAP, at.UNREAD, at.GONE)
        else:
            tiles.add(here, UNIT, at.BLOCK, mark, head)
            _note(blocks, here, end, mark, head)
        here = end
    yield tiles.take(size)


def _vote(blocks: Blocks, size: int) -> None:
    """Take the network and about the height from several blocks: one flipped bit must not hide all blocks."""
    heads: list[Head] = []
    here = at.COUNT_SIZE
    while here < size and len(heads) < VOTES:
        head = head_at(blocks.source, here)
        end = here + at.LENGTH_SIZE + int.from_bytes(blocks.source.read(here, at.LENGTH_SIZE), "little")
        if head is not None:
            heads.append(head)
        if head is None or end > size or (end < size and head_at(blocks.source, end) is None):
            found = _search(blocks, here + 1, min(size, VOTED))
            if found is None:
                break
            end = found
        here = end
    if heads:
        blocks.network = Counter(head.network for head in heads).most_common(1)[0][0]
        blocks.height = sorted(head.height for head in heads)[len(heads) // 2]


def _note(blocks: Blocks, start: int, end: int, mark: int, head: Head | None) -> None:
    blocks.starts.append(start)
    blocks.ends.append(end)
    blocks.marks.append(mark)
    blocks.heights.append(head.height if head else 0xFFFFFFFF)


def _judge(blocks: Blocks, start: int, size: int) -> tuple[int, int, Head | None]:
    """End, mark and head of what stands at `start`."""
    source = blocks.source
    data = source.read(start, at.LENGTH_SIZE + at.HEAD_SIZE)
    length = int.from_bytes(data[:8], "little")
    head = parse_head(data[8:], blocks.network)
    end = start + at.LENGTH_SIZE + length
    fits = len(data) >= at.LENGTH_SIZE and length > at.HEAD_SIZE and end <= size
    if fits and _confirmed(blocks, head, end, size):
        why = why_malformed(blocks, start, end, head)
        return end, at.MALFORMED if why else at.SOUND, head
    anchor = _anchor(blocks, start + 1, size)
    if anchor is None and head is not None and end > size:
        return size, at.TRUNCATED, head
    if fits and head is not None and (anchor is None or end <= anchor):
        # nothing confirms this end: the length may be wrong, or what follows may be damaged; no hash can decide here
        return end, at.MALFORMED, head
    return (size if anchor is None else anchor), at.GONE, None


def _confirmed(blocks: Blocks, head: Head | None, end: int, size: int) -> bool:
    """Whether a block may end here: the file does, a header follows, or what follows names this block's hash.

    Of a block that a download cut before its previous hash only the length can speak: its upper bytes are zero.
    """
    if end == size or head_at(blocks.source, end, blocks.network) is not None:
        return True
    if len(blocks.starts) + 1 == blocks.claimed and _appended(blocks, end, size):
        return True
    follows = blocks.source.read(end, at.LENGTH_SIZE + 65)
    if len(follows) < at.LENGTH_SIZE + 65:
        return head is not None and not any(follows[5:8]) and follows[8:9] in (b"", b"\1")
    return head is not None and follows[at.LENGTH_SIZE + 33 :] == head.hash


def _appended(blocks: Blocks, end: int, size: int) -> bool:
    """Whether what follows the last block that the file counts is nothing, or another such file.

    Were bytes put into that block, its own end would stand there: a few counts and ids, and never so many zeroes.
    """
    if head_at(blocks.source, end + at.COUNT_SIZE, blocks.network) is not None:
        return True
    rest = blocks.source.read(end, min(size - end, WINDOW))
    return len(rest) >= PADDING and not rest.strip(b"\0")


def why_malformed(blocks: Blocks, start: int, end: int, head: Head | None) -> str:
    """Why the part of a block that can be taken apart here is malformed, or nothing."""
    if head is None:
        return _misfit(blocks.source.read(start + at.LENGTH_SIZE, at.HEAD_SIZE), blocks.network)
    if end - start > blocks.wishes.max_unit:
        return ""
    cursor = Cursor(blocks.source.read(start + at.LENGTH_SIZE + at.HEAD_SIZE, end - start - 8 - at.HEAD_SIZE))
    try:
        read_authority(cursor)
        cursor.version((1,), "ratifications")
    except MalformedError as error:
        return error.why
    return ""


def _misfit(data: bytes, network: int | None) -> str:
    """What is wrong with the fixed fields that `parse_head` refuses."""
    for offset, what in ((0, "block"), (at.HEADER_AT, "header"), (at.METADATA_AT, "metadata")):
        if data[offset : offset + 1] not in (b"", b"\1"):
            return f"{what} version {data[offset]}, not 1"
    if len(data) < at.HEAD_SIZE:
        return "it ends inside its header"
    found = int.from_bytes(data[at.METADATA_AT + 1 : at.METADATA_AT + 3], "little")
    return f"network {found}, most blocks say {network}" if found in NETWORKS else f"network {found} does not exist"


def flipped(data: bytes, network: int | None) -> tuple[int, int] | None:
    """Offset and bit of the one flip that makes the fixed fields fit, or None where no single one does."""
    if network is None or len(data) < at.HEAD_SIZE:
        return None
    due = {
        0: 1,
        at.HEADER_AT: 1,
        at.METADATA_AT: 1,
        at.METADATA_AT + 1: network & 0xFF,
        at.METADATA_AT + 2: network >> 8,
    }
    wrong = {place: data[place] ^ byte for place, byte in due.items() if data[place] != byte}
    if len(wrong) != 1 or (diff := next(iter(wrong.values()))).bit_count() != 1:
        return None
    return next(iter(wrong)), diff.bit_length() - 1


def _anchor(blocks: Blocks, start: int, size: int) -> int | None:
    """The next offset at which a block begins whose length leads to the end or to another block.

    A search that began earlier and found nothing before `start` holds on: the whole walk is linear.
    """
    began, found = blocks.anchor
    if began < 0 or began > start or (found is not None and found < start):
        found = _search(blocks, start, size)
        blocks.anchor = start, found
    return found


def _search(blocks: Blocks, start: int, size: int) -> int | None:
    source = blocks.source
    networks = NETWORKS if blocks.network is None else (blocks.network,)
    pattern = re.compile(b"|".join(re.escape(b"\x01" + n.to_bytes(2, "little")) for n in networks))
    lead = at.LENGTH_SIZE + at.METADATA_AT
    for here in range(start, size, WINDOW):
        window = source.read(here, WINDOW + lead + 3)
        if only_zeroes(window):
            continue
        for found in pattern.finditer(window, lead):
            i = found.start() - lead
            # two version bytes at fixed distances tell most chance hits, without a read
            if window[i + 8] != 1 or window[i + 8 + at.HEADER_AT] != 1:
                continue
            begin = here + i
            head = head_at(source, begin, blocks.network)
            if head is None or not _near(blocks, head):
                continue
            end = begin + 8 + int.from_bytes(window[i : i + 8], "little")
            if begin + at.HEAD_SIZE + 8 < end <= size and (end == size or head_at(source, end, blocks.network)):
                return begin
    return None


def _near(blocks: Blocks, head: Head) -> bool:
    """Whether a height can belong to this file: a cheap test against bytes that only look like a header."""
    if blocks.named is not None:
        return blocks.named[0] <= head.height < blocks.named[1]
    return blocks.height is None or abs(head.height - blocks.height) < 1 << 20
