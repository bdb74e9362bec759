"""Damage undone where it can be proved: candidates from a checksum, a verdict from a second witness.

A checksum alone proves no correction: random damage of a 138-byte record looks like two flipped bits in 0.02 % of
all cases, of a 655-byte one in 0.3 %. So every candidate is applied to a copy and shown to a witness, who must look
at something that depends on the corrected bits: a signature, a decompression, an order, a structure they spell.

    sealed     one candidate, and the witness holds (or the checksum is too long to match by chance)
    unique     one candidate, nobody to ask; `chance` is that of random damage looking like this
    ambiguous  several candidates and no witness among them; they are listed, not picked
    none       nothing tried explains the checksum, or the witness refutes all of it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from inspector import crc32c, syndromes

CERTAIN = 64  # bits of a checksum, beyond those that the trials use up, need no second witness (BLAKE3, SHA-256)
LISTED = 16  # candidates kept of an ambiguous correction
_CHANGED = re.compile(rb"[^\0]")
_STORED = range(32)  # bits of a stored checksum

Verdict = Literal["sealed", "unique", "ambiguous", "none"]
Patch = tuple[tuple[int, int], ...]  # (byte of the unit, mask to XOR), by byte, no mask zero


class Testimony(NamedTuple):
    """What a witness says of one candidate: True proved, False refuted, None nothing that depends on it."""

    holds: bool | None
    because: str = ""


SILENT = Testimony(None)
Witness = Callable[[bytes, Patch], Testimony]  # the corrected unit, what was changed


class Candidate(Struct, frozen=True):
    patch: Patch
    how: str  # what kind of damage it undoes, in words


class Correction(Struct, frozen=True):
    verdict: Verdict
    unit: bytes = b""  # corrected; empty unless sealed or unique
    patch: Patch = ()
    how: str = ""
    witness: str = ""
    tried: int = 0  # damages that were thought of
    bits: int = 32  # of the checksum
    listed: tuple[Patch, ...] = ()  # candidates of an ambiguous one, the first few
    count: int = 0  # candidates that explain the checksum and were not refuted

    @property
    def chance(self) -> float:
        """The chance that damage of no kind that was tried gets some candidate all the same."""
        return min(1.0, self.tried / float(1 << self.bits))


NONE = Correction("none")


def _itself(stored: int) -> int:
    return stored


class Word(Struct, frozen=True):
    """Where the CRC-32C of a unit lies and what it covers; offsets within the unit.

    `stands_for` turns the stored number into the checksum (RocksDB masks it), and `stored_as` a checksum into the
    number that is stored for it. `seed` is the offset of four bytes that the checksum continues from.
    """

    start: int
    end: int
    stored: int
    order: Literal["big", "little"] = "little"
    seed: int | None = None
    stands_for: Callable[[int], int] = _itself
    stored_as: Callable[[int], int] = _itself

    def read(self, unit: bytes, at: int) -> int:
        return int.from_bytes(unit[at : at + 4], self.order)

    def computed(self, unit: bytes) -> int:
        seed = self.read(unit, self.seed) if self.seed is not None else 0
        return crc32c.crc32c(memoryview(unit)[self.start : self.end], seed)

    def syndrome(self, unit: bytes) -> int:
        """0 where the checksum holds."""
        return self.computed(unit) ^ self.stands_for(self.read(unit, self.stored))

    @property
    def bits(self) -> int:
        """All that a flip can hit and the checksum notices."""
        return 8 * (self.end - self.start) + (64 if self.seed is not None else 32)

    def place(self, at: int, bit: int) -> tuple[int, int]:
        """Bit `bit` of the four-byte number at `at`, as (byte, mask)."""
        byte = at + (3 - bit // 8 if self.order == "big" else bit // 8)
        return byte, 1 << bit % 8


def apply(unit: bytes, patch: Patch) -> bytes:
    """A copy of the unit with the patch undone (or done: it is its own inverse)."""
    out = bytearray(unit)
    for at, mask in patch:
        out[at] ^= mask
    return bytes(out)


def difference(old: bytes, new: bytes) -> Patch:
    """The patch that turns one into the other, of equal length."""
    if len(old) != len(new):
        raise ValueError("bytes of different length")
    both = int.from_bytes(old, "big") ^ int.from_bytes(new, "big")
    return tuple((found.start(), found[0][0]) for found in _CHANGED.finditer(both.to_bytes(len(old), "big")))


def flips(patch: Patch) -> int:
    """Bits that a patch changes."""
    return sum(mask.bit_count() for _, mask in patch)


def told(unit: bytes, patch: Patch, base: int = 0, most: int = 8) -> list[str]:
    """Which bit of which byte had gone from what to what; `unit` is as it was found, at offset `base`."""
    lines = []
    for at, mask in patch:
        for bit in range(8):
            if mask >> bit & 1:
                was = unit[at] >> bit & 1
                lines.append(f"bit {bit} of byte {base + at} (0x{base + at:x}) went {1 - was} to {was}")
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more bits"]


def one_bit(word: Word, unit: bytes) -> Iterator[Candidate]:
    """Single flips that explain the checksum: in the covered bytes, the seed, the stored checksum."""
    computed, stored = word.computed(unit), word.read(unit, word.stored)
    syndrome = computed ^ word.stands_for(stored)
    place = syndromes.one_flip(word.end - word.start, syndrome)
    if place:
        yield from (Candidate((spot,), "one flipped bit") for spot in _spots(word, place))
    wrong = stored ^ word.stored_as(computed)
    if wrong.bit_count() == 1:
        yield Candidate((word.place(word.stored, wrong.bit_length() - 1),), "one flipped bit")


def two_bits(word: Word, unit: bytes) -> Iterator[Candidate]:
    """Pairs of flips that explain the checksum; up to 655 bytes at most one, but for the seed's twins."""
    length = word.end - word.start
    computed, stored = word.computed(unit), word.read(unit, word.stored)
    if word.stands_for is _itself and (computed ^ stored).bit_count() & 1:
        return  # an odd number of flips
    for first, second in syndromes.two_flips(length, computed ^ word.stands_for(stored)):
        yield from (_pair(a, b) for a in _spots(word, first) for b in _spots(word, second))
    for bit in _STORED:
        syndrome = computed ^ word.stands_for(stored ^ 1 << bit)
        if syndrome.bit_count() & 1 and (place := syndromes.one_flip(length, syndrome)):
            yield from (_pair(spot, word.place(word.stored, bit)) for spot in _spots(word, place))
    wrong = stored ^ word.stored_as(computed)
    if wrong.bit_count() == 2:
        high, low = wrong.bit_length() - 1, (wrong & -wrong).bit_length() - 1
        yield _pair(word.place(word.stored, high), word.place(word.stored, low))


def _spots(word: Word, place: syndromes.Place) -> list[tuple[int, int]]:
    """(byte, mask) of a covered bit, and its twin: the seed meets the register where the first four bytes do."""
    byte, bit = place
    spots = [(word.start + byte, 1 << bit)]
    if word.seed is not None and byte < 4:
        spots.append(word.place(word.seed, 8 * byte + bit))
    return spots


def _pair(first: tuple[int, int], second: tuple[int, int]) -> Candidate:
    if first[0] == second[0]:
        return Candidate(((first[0], first[1] | second[1]),), "two flipped bits")
    return Candidate((min(first, second), max(first, second)), "two flipped bits")


def burst(word: Word, unit: bytes, width: int, within: tuple[int, int] | None = None) -> Iterator[Candidate]:
    """Damages of up to `width` neighbouring covered bits; `within` are bytes of the unit that they may touch."""
    low, high = within or (word.start, word.end)
    low, high = max(low, word.start), min(high, word.end)
    inside = (low - word.start, high - word.start)
    for byte, mask in syndromes.bursts(word.end - word.start, word.syndrome(unit), width, inside):
        patch = tuple((word.start + byte + k, part) for k, part in enumerate(mask) if part)
        yield Candidate(patch, f"a burst of damage within {width} bits")


def noticed_by(judge: Callable[[bytes], bool], *signs: Callable[[bytes], bool]) -> Witness:
    """A witness made of a judge of whole units (it decompresses, its keys are in order, its structure is sound).

    What the judge rejects is refuted. Proved is only what it notices: with any one changed byte as it was found, it
    rejects the unit, or one of the `signs` that the corrected unit shows is gone. A sound unit need not show a sign
    (a round number, a usual layout). Damage that all of them would pass over says nothing.
    """

    def witness(unit: bytes, patch: Patch) -> Testimony:
        if not judge(unit):
            return Testimony(False)
        shown = [sign for sign in signs if sign(unit)]
        for change in patch:
            found = apply(unit, (change,))
            if judge(found) and all(sign(found) for sign in shown):
                return SILENT
        return Testimony(True, "its structure holds, and notices every changed byte")

    return witness


def decide(
    unit: bytes, candidates: Iterable[Candidate], witness: Witness, tried: int, bits: int = 32, sure: bool = True
) -> Correction:
    """The verdict over all candidates. Without `sure`, one that nobody vouches for is listed, never unique.

    The first two that the witness holds end it: two proved ones that differ prove nothing. So does the first that a
    checksum agrees with which is too long to match by chance.
    """
    silent: list[Candidate] = []
    proved: tuple[Candidate, str] | None = None
    count = 0
    enough = tried < 1 << max(0, bits - CERTAIN)
    for candidate in candidates:
        said = witness(apply(unit, candidate.patch), candidate.patch)
        if said.holds is False:
            continue
        count += 1
        if said.holds and proved is not None and proved[0].patch != candidate.patch:
            both = (proved[0].patch, candidate.patch)
            return Correction("ambiguous", tried=tried, bits=bits, listed=both, count=count)
        if said.holds:
            proved = candidate, said.because
        elif sure and enough:
            because = f"{bits} bits of the checksum match"
            patch = candidate.patch
            return Correction("sealed", apply(unit, patch), patch, candidate.how, because, tried, bits, count=1)
        elif len(silent) < LISTED:
            silent.append(candidate)
    if proved is not None:
        patch = proved[0].patch
        return Correction("sealed", apply(unit, patch), patch, proved[0].how, proved[1], tried, bits, count=count)
    if not count:
        return Correction("none", tried=tried, bits=bits)
    if count == 1 and sure:
        patch = silent[0].patch
        return Correction("unique", apply(unit, patch), patch, silent[0].how, "", tried, bits, count=1)
    listed = tuple(c.patch for c in silent)
    return Correction("ambiguous", how=silent[0].how, tried=tried, bits=bits, listed=listed, count=count)


def correct_crc32c(unit: bytes, word: Word, witness: Witness, most: int = 2) -> Correction:
    """One flipped bit, else two (in units where a pair is unique), that the checksum and the witness agree on.

    A unit whose checksum holds gets the verdict "none": there is nothing to undo. Pairs in longer units are only
    looked for if the caller's `most` is 2 and are then decided by the witness alone.
    """
    if not word.syndrome(unit) or word.end - word.start > syndromes.LONGEST:
        return NONE
    found = decide(unit, one_bit(word, unit), witness, word.bits)
    if found.verdict != "none" or most < 2:
        return found
    short = word.end - word.start <= syndromes.UNIQUE_PAIRS
    return decide(unit, two_bits(word, unit), witness, word.bits * (word.bits + 1) // 2, sure=short)
