"""What each reader of a few bytes makes of them as they are, cut at each byte, and with each byte another one.

A line for each reader: how many bytes it was given, how many of these it took, and a digest of all that it said.
`python -m tests.golden.told` writes it anew. Inspection meets few of these bytes: most are behind a checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from inspector import formats
from inspector.format import Format
from inspector.formats.rocksdb.coding import MalformedError as Refused
from inspector.formats.snarkos.reading import MalformedError
from tests.golden.digests import digest

HERE = Path(__file__).parent
HEAD, TAIL, BETWEEN = 90, 40, 30  # bytes of one input that are changed, of longer ones


class Reader(Struct, frozen=True):
    """A function of bytes, and what it is given; `cut` without other changes, where a library decides about them."""

    name: str
    read: Callable[[bytes], object]
    given: Sequence[bytes]
    cut: bool = False


def path_of(form: Format) -> Path:
    return HERE / f"{form.name.replace('-', '_')}.readers.txt"


def readers_of(form: Format) -> list[Reader]:
    from tests.golden import readers_of_ledgers, readers_of_tables  # they are made of what stands here

    return {"rocksdb": readers_of_tables.readers, "snarkos": readers_of_ledgers.readers}[form.name]()


FORMATS = [form for form in formats.all_formats() if form.name in ("rocksdb", "snarkos")]


def changed(raw: bytes, cut: bool = False) -> Iterator[bytes]:
    """The bytes; one more at their end; cut at, and changed at each byte, of many bytes at some in their middle."""
    yield raw
    yield raw + b"\0"
    yield raw + b"\xff"
    for at in _places(len(raw)):
        yield raw[:at]
        if not cut:
            yield raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]
            for other in (0, 1, 0x80, 0xFF)[at % 2 :: 2]:
                yield raw[:at] + bytes([other]) + raw[at + 1 :]


def _places(size: int) -> list[int]:
    if size <= HEAD + TAIL + BETWEEN:
        return list(range(size))
    middle = range(HEAD, size - TAIL, (size - TAIL - HEAD) // BETWEEN)
    return [*range(HEAD), *middle, *range(size - TAIL, size)]


def line(reader: Reader) -> str:
    count = taken = 0
    told = []
    for raw in reader.given:
        for data in changed(raw, reader.cut):
            count += 1
            try:
                told.append(repr(reader.read(data)))
                taken += 1
            except (Refused, MalformedError) as error:
                told.append(str(error))
    return f"{reader.name}: {count} given, {taken} taken, {digest(told, 12)}"


def lines_of(form: Format) -> Iterator[str]:
    for reader in readers_of(form):
        yield line(reader)
