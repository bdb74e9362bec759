"""One flipped bit found by trying them all, for checksums that are no CRC (XXH3, BLAKE3, XXH32).

A 16 KiB block has 131,072 bits and XXH3 takes half a microsecond for it, so trying all takes less than 0.1 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from inspector.correct import NONE, Candidate, Correction, Witness, decide

LONGEST = 1 << 16  # bytes: the time is the square of the length

Matches = Callable[[bytearray], bool]  # whether the checksum of the covered bytes is the stored one


def flipped(covered: bytes, matches: Matches, start: int = 0) -> Iterator[Candidate]:
    """Single flips of the covered bytes, which lie at `start` of the unit, that make the checksum match."""
    trial = bytearray(covered)
    for at in range(len(trial)):
        right = trial[at]
        for mask in (1, 2, 4, 8, 16, 32, 64, 128):
            trial[at] = right ^ mask
            if matches(trial):
                yield Candidate(((start + at, mask),), "one flipped bit")
        trial[at] = right


def stored_flip(stored: bytes, computed: bytes, at: int) -> Iterator[Candidate]:
    """The single flip of the stored checksum, which lies at `at`, that makes it the computed one."""
    wrong = [(k, a ^ b) for k, (a, b) in enumerate(zip(stored, computed, strict=True)) if a != b]
    if len(wrong) == 1 and wrong[0][1].bit_count() == 1:
        yield Candidate(((at + wrong[0][0], wrong[0][1]),), "one flipped bit")


def correct_by_trial(
    unit: bytes,
    covered: tuple[int, int],
    stored_at: int,
    digest: Callable[[bytearray], bytes],
    witness: Witness,
    size: int = 4,
    search: Callable[[bytes], Iterable[int]] | None = None,
) -> Correction:
    """One flipped bit in a unit whose checksum is no CRC: `digest` of the covered bytes gives the stored `size` bytes.

    Covered bytes and stored checksum lie in the unit. Longer than 64 KiB, or nothing wrong: the verdict is "none".
    `search` gives the bits of the covered bytes whose flip makes it match, where something faster than `digest` can.
    """
    start, end = covered
    stored = unit[stored_at : stored_at + size]
    computed = digest(bytearray(unit[start:end]))
    if computed == stored or end - start > LONGEST:
        return NONE

    def candidates() -> Iterator[Candidate]:
        yield from stored_flip(stored, computed, stored_at)
        if search is None:
            yield from flipped(unit[start:end], lambda trial: digest(trial) == stored, start)
            return
        for bit in search(unit[start:end]):
            yield Candidate(((start + (bit >> 3), 1 << (bit & 7)),), "one flipped bit")

    return decide(unit, candidates(), witness, 8 * (end - start + size), 8 * size)
