"""Whether a finished output still holds something private, in any of the shapes in which programs print bytes.

Each shape of six bytes or more is found by its first six bytes in a table, so the search is linear in the output
whatever the number of originals.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Final, TypeAlias

from msgspec import Struct

from inspector.sanitize import clean

LEAST: Final = 6  # bytes: shorter ones occur everywhere by chance
CHUNK: Final = 64  # a longer original is searched in pieces, so that a part of it is found, too
MOST_CHUNKS: Final = 64
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS: Final = tuple(one + two for one in BASE58 for two in BASE58)
_TEN: Final = 58**10
_SIMPLE: Final = re.compile(r"[ !#-\[\]-~]*")  # what nobody escapes
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
KIN: Final = 8  # first bytes that kin have in common
FEW: Final = 16  # kin that are not worth a group


class Hit(Struct, frozen=True):
    start: int
    end: int
    number: int  # of the original


def base58(raw: bytes) -> str:
    """Base 58 in Bitcoin's and libp2p's alphabet."""
    number, pairs = int.from_bytes(raw, "big"), []
    while number:  # ten digits at a time: long numbers are divided slowly
        number, low = divmod(number, _TEN)
        for _ in range(5):
            low, pair = divmod(low, len(_PAIRS))
            pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + "".join(pairs).lstrip("1")


def plain_shapes(text: str, raw: bytes) -> set[bytes]:
    """How inspector itself prints it: as it is, escaped for JSON or a terminal, in hexadecimal."""
    shapes = {text.encode("utf-8", "surrogatepass"), raw.hex().encode()}
    if not _SIMPLE.fullmatch(text):
        shapes |= {encode_basestring_ascii(text)[1:-1].encode()}
        shapes |= {encode_basestring(text)[1:-1].encode("utf-8", "surrogatepass")}
        shapes |= {clean(text, 1 << 30).encode("utf-8", "surrogatepass")}
    return {shape for shape in shapes if len(shape) >= LEAST}


def shapes(text: str, raw: bytes, pieces: bool = True) -> set[bytes]:
    """All that count as a leak; empty for what is too short or too simple to be told from chance.

    Without `pieces` only the whole counts: parts of a damaged record may rightly stand elsewhere.
    """
    if len(raw) < LEAST or len(set(raw)) < 3:
        return set()
    if pieces and len(raw) > CHUNK:
        found: set[bytes] = set()
        for at in range(0, min(len(raw) - CHUNK + 1, MOST_CHUNKS * CHUNK), CHUNK):
            piece = raw[at : at + CHUNK]
            found |= shapes(piece.decode("latin-1"), piece)
        return found
    found = plain_shapes(text, raw)
    for way in WAYS if len(raw) <= CHUNK else WAYS[:-1]:
        found |= way(raw)
    return {shape for shape in found if len(shape) >= LEAST}


def _as_it_is(raw: bytes) -> set[bytes]:
    return {raw}


def _base16(raw: bytes) -> set[bytes]:
    return {raw.hex().encode(), raw.hex().upper().encode()}


def _base64(raw: bytes) -> set[bytes]:
    found = set()
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + raw)
        # characters at both ends also hold bits of what lies beside
        inner = coded[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6]
        found |= {inner, inner.translate(_URL_SAFE)}
    return found


def _base58(raw: bytes) -> set[bytes]:
    return {base58(raw).encode()}


Way: TypeAlias = Callable[[bytes], set[bytes]]
# the last for a key at most: nobody prints more so, and it takes the square of the length
WAYS: Final[tuple[Way, ...]] = (_as_it_is, _base16, _base64, _base58)


def _one_of(numbers: set[int]) -> bytes:
    """The pattern of one byte out of these."""
    return b"[" + re.escape(bytes(sorted(numbers))) + b"]"


class Kin(Struct):
    """Originals of the same length with the same first bytes, each known by its number and as hexadecimal."""

    raw: list[bytes]
    numbers: list[int]

    def heads(self) -> list[tuple[bytes, Way]] | None:
        """The first bytes of what each way makes of every one of them; None where they are not all the same.

        What lies between the lowest and the highest bytes with this beginning begins as both do: digits in any base
        are in the order of the bytes.
        """
        tail = len(self.raw[0]) - KIN
        low, high = (self.raw[0][:KIN] + end * tail for end in (b"\0", b"\xff"))
        found = []
        for way in WAYS:
            ends = [{(shape[:LEAST], len(shape)) for shape in way(one) if len(shape) >= LEAST} for one in (low, high)]
            if ends[0] != ends[1]:
                return None
            found += [(head, way) for head, _ in ends[0]]
        return found


class Search:
    """All shapes of all originals, to be looked for in bytes at once."""

    def __init__(self) -> None:
        self._lengths: dict[bytes, list[int]] = {}  # first bytes -> lengths of the shapes that begin so, longest first
        self._shapes: dict[bytes, int] = {}
        self._kin: dict[bytes, list[tuple[Kin, Way]]] = {}  # first bytes -> whose shapes are not worked out yet

    def add(self, number: int, found: Iterable[bytes]) -> None:
        for shape in found:  # there may be a hundred thousand of them
            if shape in self._shapes:
                continue
            self._shapes[shape] = number
            if (lengths := self._lengths.get(shape[:LEAST])) is None:
                self._lengths[shape[:LEAST]] = [len(shape)]
            elif len(shape) not in lengths:
                lengths.append(len(shape))
                lengths.sort(reverse=True)

    def add_kin(self, kin: Kin) -> None:
        """Work their shapes out when something begins as they do; at once where that may be anything."""
        heads = kin.heads() if len(kin.raw) > FEW else None
        for head, way in heads or ():
            self._lengths.setdefault(head, [])
            self._kin.setdefault(head, []).append((kin, way))
        if heads is None:
            for way in WAYS:
                self._work_out(kin, way)

    def _work_out(self, kin: Kin, way: Way) -> None:
        for number, raw in zip(kin.numbers, kin.raw, strict=True):
            self.add(number, (shape for shape in way(raw) if len(shape) >= LEAST))

    def hits(self, data: bytes) -> Iterator[Hit]:
        """The longest shape at each place where one begins, in order; they may overlap."""
        heads = self._lengths
        if not heads:
            return
        first, *others = (_one_of(set(place)) for place in zip(*heads, strict=False))
        begins = re.compile(first + b"(?=" + b"".join(others) + b")")  # each byte is one that a shape has there
        places = [i for m in begins.finditer(data) if data[(i := m.start()) : i + LEAST] in heads]
        for head in {data[at : at + LEAST] for at in places} & self._kin.keys():
            for kin, way in self._kin.pop(head):
                self._work_out(kin, way)
        for at in places:
            for length in heads[data[at : at + LEAST]]:
                number = self._shapes.get(data[at : at + length])
                if number is not None:
                    yield Hit(at, at + length, number)
                    break
