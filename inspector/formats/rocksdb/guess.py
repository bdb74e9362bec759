"""Which checksum, framing and base a table has whose footer is lost: what makes its first blocks hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.counted import counted
from inspector.formats.rocksdb import checksums
from inspector.formats.rocksdb.carve import REACH, Carver, Context, Found, Read, sound

_GUESS: Final = 10_000_000  # nanoseconds for each guess at the checksum type of a table without a footer
_GUESSES: Final = 600_000_000  # for all of them, and for each byte: enough for blocks of 4 KB of the default type
_GUESSES_PER_BYTE: Final = 400
_SCAN: Final = 200  # for each byte in which beginnings of blocks are looked for
_KINDS: Final = (checksums.XXH3, checksums.CRC32C, checksums.XXHASH64, checksums.XXHASH)
_GUESS_AT: Final = (0, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 28)


def guess_context(read: Read, size: int, leveldb: bool, begin: int = 0, part: int = 1) -> Context | str:
    """Checksum type, framing and base of a table whose footer is lost, from its first blocks that verify.

    Looked for are those in [begin, size). The first block usually decides; where it is damaged, windows further on are
    tried. What was tried, in words, where none of it found a block. It takes one of so many parts of what may be spent
    where nothing else is known of the table.
    """
    if leveldb:
        return Context(checksums.CRC32C, 0, -1, frozenset({0, 1, 2}))
    left, trials = (_GUESSES + _GUESSES_PER_BYTE * (size - begin)) // part, list(_trials(size - begin))
    cut = False  # a trial was given up before its window ended
    for made, (start, base, kind) in enumerate(trials):
        if left <= 0:
            return f"{made} of {len(trials)} trials for its checksum type were made before they cost too much"
        context = Context(kind, base, 5 if base == 0 else 6)
        first = begin + max(start, 0)
        trial = Carver(read, first, min(size, first + 4 * REACH), context)
        trial.meter.left = allowed = min(left, _GUESS if base == 0 else 10 * _GUESS)
        found = trial.first() if start < 0 else trial.following(first)
        left -= allowed - trial.meter.left + (_SCAN * (trial.end - first) if start >= 0 else 0)
        cut = cut or trial.meter.left <= 0
        if found and (base is None or _confirmed(read, size, found, trial.context)):
            return trial.context
    places = {begin + max(start, 0) for start, _, _ in trials}
    ended = ", some of them given up" if cut else ""
    where = _places(places, size - begin)
    return f"{len(trials)} trials for its checksum type found no block{ended}; they look into {where}"


def _places(places: set[int], size: int) -> str:
    if size <= 4 * REACH:
        return "all of it"
    return f"{4 * REACH >> 10} KiB at {counted(len(places), 'place')}, the last of them {max(places):,}"


def _trials(size: int) -> Iterator[tuple[int, int | None, int]]:
    """Where to begin (-1: at the first byte only), base and checksum type, the likeliest first.

    A base mostly comes with XXH3.
    """
    starts = (-1, *(at for at in _GUESS_AT if at < max(size, 1)))
    yield from ((start, 0, kind) for start in starts[:2] for kind in _KINDS)
    # a base must be learnt from two blocks at each beginning that is tried: only a few windows are worth that
    based = [start for start in starts if start <= _GUESS_AT[1]]
    yield from ((start, None, checksums.XXH3) for start in based)
    yield from ((start, 0, kind) for start in starts[2:] for kind in _KINDS)
    yield from ((start, None, kind) for start in based for kind in _KINDS if kind != checksums.XXH3)


def _confirmed(read: Read, size: int, found: Found, context: Context) -> bool:
    """A second witness for the first block: it decodes, or, where that needs a dictionary, its successor verifies."""
    assert found.size is not None
    if sound(context, read(found.offset, found.size), found.type):
        return True
    follower = Carver(read, found.end, min(size, found.end + 4 * REACH), context)
    follower.meter.left = _GUESS
    return follower.first() is not None
