"""Two stores thing by thing: a merge join over sorted identities, in bounded memory, counts before the list."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, Any, Final, Literal

from msgspec import Struct, field

from inspector.runs import Runs
from inspector.span import Span

NAMED: Final = 14  # bytes of a name in a key
DIGEST: Final = 16
_PLACE = struct.Struct(">IQQQ")  # number of the member, start, end, what else its format needs
ROW: Final = 2 + NAMED + DIGEST + _PLACE.size
_KEY: Final = 2 + NAMED
_UNPAIRED: Final = 10_000  # things of one name that are paired with each other; more are listed one by one
What = Literal["only_a", "only_b", "changed"]


def key_of(kind: int, name: bytes) -> bytes:
    """What tells a thing from all others: its kind and its name, hashed where that is long."""
    short = name.ljust(NAMED, b"\0") if len(name) <= NAMED else blake2b(name, digest_size=NAMED).digest()
    return kind.to_bytes(2, "big") + short


def digest_of(*parts: bytes | memoryview) -> bytes:
    found = blake2b(digest_size=DIGEST)
    for part in parts:
        found.update(part)
    return found.digest()


def pack(key: bytes, digest: bytes, start: int, end: int, extra: int = 0, member: int = 0) -> bytes:
    return key + digest + _PLACE.pack(member, start, end, extra)


class Row(Struct, frozen=True):
    """One thing of one store."""

    kind: int
    name: bytes  # as in its key
    digest: bytes
    member: int
    start: int
    end: int
    extra: int

    @classmethod
    def of(cls, row: bytes) -> Row:
        place = _PLACE.unpack_from(row, _KEY + DIGEST)
        return cls(int.from_bytes(row[:2], "big"), row[2:_KEY], row[_KEY : _KEY + DIGEST], *place)


class Described(Struct, frozen=True):
    """A thing in its owner's words; made only for things that differ."""

    name: str
    span: Span
    fields: Mapping[str, Any]


class Identities(Struct):
    """All things of a store. `rows` gives packed rows in any order, in batches, and fills `counts` on the way.

    A row is made by `pack`: things are the same where their keys are, and equal where their digests are, too.
    """

    kinds: Mapping[int, str]
    rows: Iterable[list[bytes]]
    describe: Callable[[Row], Described]
    counts: dict[str, int] = field(default_factory=dict)  # what is there and not compared, in the format's words


class Difference(Struct, frozen=True):
    what: What
    kind: str
    a: Described | None
    b: Described | None

    @property
    def name(self) -> str:
        one = self.a or self.b
        return one.name if one else ""

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Fields whose values differ: before, after."""
        if self.a is None or self.b is None:
            return {}
        names = dict.fromkeys([*self.a.fields, *self.b.fields])
        pairs = {name: (self.a.fields.get(name), self.b.fields.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class Comparison(Struct):
    """The counts of a comparison by kind, and its differences, which may be read again and again."""

    a: Identities
    b: Identities
    same: dict[str, int] = field(default_factory=dict)
    only_a: dict[str, int] = field(default_factory=dict)
    only_b: dict[str, int] = field(default_factory=dict)
    altered: dict[str, int] = field(default_factory=dict)
    _spool: IO[bytes] | None = None

    @property
    def total(self) -> int:
        return sum(sum(counts.values()) for counts in (self.only_a, self.only_b, self.altered))

    def differences(self) -> Iterator[Difference]:
        """By kind and name; fields are read from the stores only now."""
        at, size = 0, 1 + 2 * ROW
        while self._spool is not None:
            self._spool.seek(at)
            data = self._spool.read(256 * size)
            if not data:
                return
            at += len(data)
            for i in range(0, len(data), size):
                has, first, second = data[i], data[i + 1 : i + 1 + ROW], data[i + 1 + ROW : i + size]
                one = self.a.describe(Row.of(first)) if has & 1 else None
                two = self.b.describe(Row.of(second)) if has & 2 else None
                kind = int.from_bytes((first if has & 1 else second)[:2], "big")
                what: What = "changed" if has == 3 else "only_a" if has == 1 else "only_b"
                yield Difference(what, self.kind(kind), one, two)

    def kind(self, number: int) -> str:
        return self.a.kinds.get(number) or self.b.kinds.get(number) or f"kind {number}"

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()


def compare(a: Identities, b: Identities) -> Comparison:
    """Every thing of both stores held against the other store."""
    result = Comparison(a, b)
    result._spool = TemporaryFile(prefix="inspector-")  # noqa: SIM115  closed with the comparison
    first, second = _sorted(a), _sorted(b)
    for number, pairs in groupby(_joined(iter(first), iter(second)), key=lambda pair: (pair[0] or pair[1])[:2]):
        kind = result.kind(int.from_bytes(number, "big"))
        same = 0
        for one, two in pairs:
            if one and two and one[_KEY : _KEY + DIGEST] == two[_KEY : _KEY + DIGEST]:
                same += 1
                continue
            counts = result.altered if one and two else result.only_a if one else result.only_b
            counts[kind] = counts.get(kind, 0) + 1
            has = bool(one) | bool(two) << 1
            result._spool.write(bytes([has]) + (one or bytes(ROW)) + (two or bytes(ROW)))
        result.same[kind] = same
    first.close()
    second.close()
    return result


def _sorted(of: Identities) -> Runs:
    rows = Runs(ROW)
    for batch in of.rows:
        rows.extend(batch)
    return rows


def _joined(a: Iterator[bytes], b: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of one key, b"" where a store has none; equal ones first, then the rest in their order."""
    one, two = next(a, b""), next(b, b"")
    while one or two:
        key = min(row[:_KEY] for row in (one, two) if row)
        left: list[bytes] = []
        right: list[bytes] = []
        while True:
            mine, theirs = one[:_KEY] == key, two[:_KEY] == key
            if not mine and not theirs:
                break
            if mine and theirs and one[: _KEY + DIGEST] == two[: _KEY + DIGEST]:
                yield one, two
                one, two = next(a, b""), next(b, b"")
            elif mine and (not theirs or one < two):
                left.append(one)
                one = next(a, b"")
            else:
                right.append(two)
                two = next(b, b"")
            if max(len(left), len(right)) >= _UNPAIRED:
                yield from _paired(left, right)
                left, right = [], []
        yield from _paired(left, right)


def _paired(left: list[bytes], right: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """What is not equal, paired in the order of the stores."""
    place = slice(_KEY + DIGEST, None)
    left.sort(key=lambda row: row[place])
    right.sort(key=lambda row: row[place])
    for i in range(max(len(left), len(right))):
        yield (left[i] if i < len(left) else b""), (right[i] if i < len(right) else b"")
