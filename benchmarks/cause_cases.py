"""Damage done to stores of every format, each with the names that its cause may rightly get.

A case is a pure function of format, kind and seed. Where two causes leave the same bytes both names are right, and the
table of kinds says so. Whether damage left evidence is a question about bytes, answered without inspector (`_evident`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from benchmarks.cause_stores import PAGE, SECTOR, STORES, Base, Spans, store
from tests import damage


@dataclass(frozen=True, slots=True)
class Case:
    members: dict[str, bytes]
    label: str
    member: str
    spans: Spans
    right: frozenset[str]
    blame: frozenset[str]  # verdicts that are right
    evident: bool


class NotHereError(Exception):
    """This kind of damage cannot be done to this store."""


# -- damage --------------------------------------------------------------------------------------------------------

Done = tuple[bytes, Spans]
Make = Callable[[Base, Random], Done]


def _done(made: damage.Damaged) -> Done:
    return made.data, made.spans


def _spot(base: Base, rng: Random, room: int = 1) -> int:
    """A place in the regions from which `room` bytes lie in one region."""
    wide = [(a, b) for a, b in (base.units or base.regions) if b - a >= room]
    if not wide:
        raise NotHereError
    start, end = rng.choices(wide, [b - a for a, b in wide])[0]
    return rng.randrange(start, end - room + 1)


def _page(base: Base, rng: Random, size: int = 0) -> tuple[int, int]:
    """An aligned page that lies wholly in a region; sectors where no region is as large."""
    for unit in (size,) if size else (PAGE, SECTOR):
        found = [
            at
            for a, b in base.regions
            for at in range(-(-a // unit) * unit, b - unit + 1, unit)
            if base.data[at : at + unit].count(0) < (unit - 40 if base.label == "disk.img" else unit * 3 // 4)
        ]
        if found:
            at = rng.choice(found)
            return at, at + unit
    raise NotHereError


def _flip(base: Base, rng: Random) -> Done:
    return _done(damage.flip_bit(base.data, _spot(base, rng), rng.randrange(8)))


def _flips(base: Base, rng: Random) -> Done:
    at = _spot(base, rng, 8)
    return _done(damage.flip_bits(base.data, at, at + 8, rng.choice((2, 2, 3, 5)), rng.randrange(1 << 30)))


def _zero_page(base: Base, rng: Random) -> Done:
    return _done(damage.zero(base.data, *_page(base, rng)))


def _zero_sector(base: Base, rng: Random) -> Done:
    return _done(damage.zero(base.data, *_page(base, rng, SECTOR)))


def _zero_some(base: Base, rng: Random) -> Done:
    length = rng.randrange(200, 3000)
    widest = max(b - a for a, b in base.regions)
    length = min(length, widest)
    at = _spot(base, rng, length)
    if base.data[at : at + length].count(0) > length // 2:
        raise NotHereError
    return _done(damage.zero(base.data, at, at + length))


def _ones_page(base: Base, rng: Random) -> Done:
    return _done(damage.ones(base.data, *_page(base, rng)))


def _noise_page(base: Base, rng: Random) -> Done:
    return _done(damage.noise(base.data, *_page(base, rng), rng.randrange(1 << 30)))


_WORDS = b"the quick brown fox jumps over the lazy dog while a log line of another program goes here".split()


def _text_page(base: Base, rng: Random) -> Done:
    start, end = _page(base, rng)
    text = b""
    while len(text) < end - start:
        text += b"%d INFO %s\n" % (rng.randrange(1 << 30), b" ".join(rng.choices(_WORDS, k=9)))
    return _done(damage.overwrite(base.data, start, text[: end - start]))


def _foreign_page(base: Base, rng: Random) -> Done:
    start, end = _page(base, rng)
    # not of a format with records that verify anywhere: one such page can make the file pass for that format
    others = [name for name in ("sst", "peers", "spdk") if store(name, 3).label != base.label]
    other = store(rng.choice(others), rng.randrange(1000)).data
    size = end - start
    pages = [other[at : at + size] for at in range(0, len(other) - size + 1, size)]
    full = [page for page in pages if page.count(0) * 2 < size]
    return _done(damage.overwrite(base.data, start, rng.choice(full)))


def _truncate(base: Base, rng: Random) -> Done:
    start, end = base.regions[-1] if len(base.regions) < 3 else base.regions[len(base.regions) // 2]
    return _done(damage.truncate(base.data, rng.randrange(start + (end - start) // 4, end - 40)))


def _tear(base: Base, rng: Random) -> Done:
    if not base.tail:
        raise NotHereError
    count = rng.randrange(20 if base.completed else 13, len(base.tail) - 1)
    return _done(damage.tear(base.data, base.tail, count, completed=not base.completed))


def _insert(base: Base, rng: Random) -> Done:
    length = rng.choice((1, 2, 7, 40, 300, 512, 4096))
    return _done(damage.splice(base.data, _spot(base, rng), rng.randbytes(length)))


def _lose(base: Base, rng: Random) -> Done:
    length = rng.choice((1, 2, 7, 40, 300, 512, 4096))
    at = _spot(base, rng)
    start, end = next((a, b) for a, b in base.regions if a <= at < b)
    length = min(length, max(1, (end - start) // 3), max(1, end - at - 1))
    return _done(damage.cut(base.data, at, at + length))


def _crlf(base: Base, rng: Random) -> Done:
    return _done(damage.crlf(base.data))


def _utf8(base: Base, rng: Random) -> Done:
    out = base.data.decode("latin-1").encode()
    if out == base.data:
        raise NotHereError
    return out, ((0, len(out)),)


def _replaced(base: Base, rng: Random) -> Done:
    out = base.data.decode("utf-8", "replace").encode()
    if out == base.data:
        raise NotHereError
    return out, ((0, len(out)),)


def _two_pages(base: Base, rng: Random) -> tuple[int, int, int]:
    start, end = _page(base, rng)
    for _ in range(40):
        other, _ = _page(base, rng, end - start)
        same = base.data[other : other + end - start] == base.data[start:end]
        if abs(other - start) >= end - start and not same:
            return start, other, end - start
    raise NotHereError


def _stale(base: Base, rng: Random) -> Done:
    return _done(damage.stale(base.data, *_two_pages(base, rng)))


def _swap(base: Base, rng: Random) -> Done:
    return _done(damage.swap(base.data, *_two_pages(base, rng)))


def _zero_tail(base: Base, rng: Random) -> Done:
    return _done(damage.append(base.data, bytes(rng.choice((512, 4096, 1000, 8192)))))


def _twice(base: Base, rng: Random) -> Done:
    variant = rng.randrange(1000)
    name = next(name for name, (make, _) in STORES.items() if make(0).label == base.label or name == "gossip")
    other = store(name, variant).data
    return _done(damage.append(base.data, base.data if rng.random() < 0.5 else other))


def _before(base: Base, rng: Random) -> Done:
    return _done(damage.splice(base.data, 0, bytes(rng.choice((1, 1, 4, 512)))))


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    make: Make
    right: frozenset[str]
    blame: frozenset[str]
    formats: frozenset[str]


_ALL = frozenset(STORES)
_SEALED = _ALL - {"trace", "blocks", "pieces"}  # a flip in bytes without a short checksum leaves no evidence
_APPENDED = frozenset({"gossip", "wal"})


def _kind(name: str, make: Make, right: str, blame: str, formats: frozenset[str] = _ALL) -> Kind:
    return Kind(name, make, frozenset(right.split()), frozenset(blame.split(", ")), formats)


# a copy that broke off and a write that did are the same bytes; a log that may end anywhere is clean
_CUT = "transfer, interrupted write, clean"
KINDS: tuple[Kind, ...] = (
    _kind("one bit", _flip, "bit-flip", "medium", _SEALED),
    _kind("a few bits", _flips, "multi-bit", "medium", _SEALED),
    _kind("zeroed page", _zero_page, "zeroed-range", "medium"),
    _kind("zeroed sector", _zero_sector, "zeroed-range", "medium"),
    _kind("zeroes anywhere", _zero_some, "zeroed-range", "medium"),
    _kind("ones page", _ones_page, "ones-range", "medium"),
    _kind("noise page", _noise_page, "overwritten", "medium", _ALL - {"pieces"}),  # noise in noise cannot be told
    _kind("text page", _text_page, "overwritten", "medium", _ALL - {"trace"}),
    _kind("other store's page", _foreign_page, "overwritten", "medium"),
    _kind("cut short", _truncate, "truncated torn-write", _CUT),
    _kind("torn append", _tear, "torn-write truncated", _CUT, _APPENDED),
    _kind("bytes inserted", _insert, "shifted", "transfer", _ALL - {"trace"}),
    _kind("bytes lost", _lose, "shifted", "transfer", _ALL - {"trace"}),
    _kind("newlines translated", _crlf, "shifted", "transfer", _ALL - {"trace"}),
    _kind("latin-1 to UTF-8", _utf8, "shifted", "transfer", _ALL - {"trace"}),
    _kind("bad UTF-8 replaced", _replaced, "shifted", "transfer", _ALL - {"trace"}),
    _kind("stale page", _stale, "stale-page", "medium", _ALL - {"trace"}),
    _kind("swapped pages", _swap, "swapped", "medium", _ALL - {"trace", "pieces"}),  # one digest covers 256 pages
    _kind("zeroes appended", _zero_tail, "zeroed-range", _CUT),
    _kind("store appended", _twice, "appended-store", "transfer", frozenset({"gossip"})),
    _kind(
        "zeroes before",
        _before,
        "shifted",
        "transfer",
        frozenset({"gossip", "spdk", "longhorn", "blocks", "peers", "pieces"}),
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def case(name: str, kind: Kind, seed: int) -> Case:
    """The case of this seed; NotHereError where the store has no place for such damage."""
    rng = Random(f"{name}/{kind.name}/{seed}")
    base = store(name, rng.randrange(1 << 20))
    try:
        data, spans = kind.make(base, rng)
    except (ValueError, IndexError) as error:
        raise NotHereError from error
    right, blame = kind.right, kind.blame
    if kind.name == "zeroes before" and spans[0][1] >= SECTOR:
        right |= {"zeroed-range"}  # a sector of zeroes that nothing cuts may be either
    if base.data[:1] == b"\x09" and base.label == "gossip_store" and kind.name == "zeroes before":
        right |= {"software-rule-violation"}  # a known bug of that time leaves the same bytes
        blame |= {"software"}
    if kind.name == "bytes lost" and spans[0][0] > base.last:
        right |= {"truncated", "torn-write"}  # in the last unit nothing behind the hole tells that it is not the end
        blame |= {"interrupted write"}
    if kind.name == "bytes lost" and _like_units(base, len(data), spans[0][0]):
        right |= {"bit-flip", "multi-bit", "overwritten"}  # other units lost whole, and this one hit: the same bytes
        blame |= {"medium"}
    if base.completed and kind.name in ("cut short", "torn append"):  # its mark tells the one from the other
        right = frozenset({"truncated" if kind.name == "cut short" else "torn-write"})
    made = {**base.members, base.member: data}
    return Case(made, base.label, base.member, spans, right, blame, _evident(base, data, spans, kind.name))


def _evident(base: Base, data: bytes, spans: Spans, kind: str) -> bool:
    """Whether the damaged store differs from the healthy one in bytes that its format verifies.

    A cut, a loss or an insertion between two units that need not follow each other leaves a healthy, other store.
    What is as its format has it where nothing was written (a slot, a page of a store whose masks are not in use, the
    room behind the end) is one, too. Text has no checksums: there the damage must leave a byte that no text has.
    """
    if base.label == "node.log":
        return bool(b"".join(data[a:b] for a, b in spans).translate(None, _PRINTED))
    gone = len(base.data) - len(data)
    at = spans[0][0]
    if base.label == "piece_cache.bin" and not gone and data[at : spans[0][1]].strip(b"\0\xff"):
        return all(_packs(data[a:b]) for a, b in spans) or kind in ("stale page", "a few bits")
    if gone > 0 and any(_left_out(base, data, b, gone) for b in base.bounds if abs(b - at) <= SAME):
        return False
    if gone and not (gone < 0 and base.grows):
        return True
    if gone < 0 and base.grows == "zeroes" and data[len(base.data) :].strip(b"\0"):
        return True
    verified = base.verified or base.regions
    changed = [(a, b) for a, b in verified if base.data[a:b] != data[a:b]]
    return any(data[a:b].strip(b"\0") or (a, b) not in base.blank for a, b in changed)


def _like_units(base: Base, size: int, at: int) -> bool:
    """Whether as many bytes are gone as whole units have, so that the head of one and the rest of another are left."""
    return any(bound + len(base.data) - size in base.bounds for bound in base.bounds if at - UNIT < bound <= at)


def _packs(piece: bytes) -> bool:
    """Whether these bytes are no noise: a piece is noise itself, and in it noise cannot be told."""
    return len(zlib.compress(piece, 9)) < len(piece) * 15 // 16


def _left_out(base: Base, data: bytes, bound: int, gone: int) -> bool:
    """Whether the damaged store is the healthy one without some whole units."""
    if bound + gone not in base.bounds and bound != len(data):
        return False
    flags = 2  # of a gossip record: nothing verifies them
    return data[:bound] == base.data[:bound] and data[bound + flags :] == base.data[bound + gone + flags :]


UNIT = 1024  # bytes of the longest unit of a log or a gossip store here
SAME = 64  # bytes that two units may begin or end with alike, so that a loss there is one of whole units
_PRINTED = bytes([9, 10, 13, 27, *range(32, 127)])
