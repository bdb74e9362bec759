"""The general corrector: what a CRC-32C or a hash, and a witness, can undo."""

from __future__ import annotations

from itertools import combinations
from random import Random

import blake3
import pytest
import xxhash
from crc32c import crc32c

from inspector import correct, syndromes
from inspector.correct import SILENT, Candidate, Patch, Word, apply, correct_crc32c, decide
from inspector.correct import Testimony as Said  # pytest takes a name that begins with Test for a test
from inspector.trial import correct_by_trial

PAGE = Word(0, 124, 124)  # as a metadata page: the checksum of what is before it, at its end
PAGE_BITS = 8 * 128


def mask(checksum: int) -> int:
    """How RocksDB stores a checksum (util/crc32c.h)."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def unmask(stored: int) -> int:
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def page(size: int = 128, seed: int = 1) -> bytes:
    content = Random(seed).randbytes(size - 4)
    return content + crc32c(content).to_bytes(4, "little")


def block(seed: int = 2) -> bytes:
    """A block with its type byte and masked checksum."""
    content = Random(seed).randbytes(60) + b"\x01"
    return content + mask(crc32c(content)).to_bytes(4, "little")


def record(body: bytes, time: int = 1_700_000_000) -> bytes:
    """A seeded record: checksum and seed before the body, big-endian."""
    return crc32c(body, time).to_bytes(4, "big") + time.to_bytes(4, "big") + body


def flip(unit: bytes, *bits: int) -> bytes:
    return apply(unit, patch_of(*bits))


def patch_of(*bits: int) -> Patch:
    masks: dict[int, int] = {}
    for bit in bits:
        masks[bit >> 3] = masks.get(bit >> 3, 0) ^ 1 << (bit & 7)
    return tuple(sorted(masks.items()))


def test_every_flipped_bit_of_a_page_is_found() -> None:
    good = page()
    for bit in range(PAGE_BITS):
        found = correct_crc32c(flip(good, bit), PAGE, lambda *_: SILENT)
        assert (found.verdict, found.unit, found.patch) == ("unique", good, patch_of(bit)), bit


def test_flipped_bits_of_a_page_of_4096_bytes_are_found_at_every_byte() -> None:
    good, word = page(4096), Word(0, 4092, 4092)
    for byte in range(4096):
        bit = 8 * byte + byte % 8
        assert [c.patch for c in correct.one_bit(word, flip(good, bit))] == [patch_of(bit)], bit


def test_every_flipped_bit_of_a_block_with_a_masked_checksum_is_found() -> None:
    good = block()
    word = Word(0, 61, 61, stands_for=unmask, stored_as=mask)
    assert word.syndrome(good) == 0
    for bit in range(8 * len(good)):
        assert correct_crc32c(flip(good, bit), word, lambda *_: SILENT).unit == good, bit


def test_every_pair_of_flipped_bits_of_a_short_page_is_found() -> None:
    good, word = page(16), Word(0, 12, 12)
    for pair in combinations(range(128), 2):
        found = correct_crc32c(flip(good, *pair), word, lambda *_: SILENT)
        assert (found.verdict, found.unit) == ("unique", good), pair


def test_two_flipped_bits_of_a_masked_checksum_itself_are_found() -> None:
    good, word = block(), Word(0, 61, 61, stands_for=unmask, stored_as=mask)
    for pair in combinations(range(8 * 61, 8 * 65), 2):
        assert patch_of(*pair) in [one.patch for one in correct.two_bits(word, flip(good, *pair))], pair


def test_pairs_of_flipped_bits_of_a_655_byte_page_are_found() -> None:
    good, word, rng = page(659), Word(0, 655, 655), Random(3)
    for _ in range(100):
        pair = rng.sample(range(8 * 659), 2)
        assert correct_crc32c(flip(good, *pair), word, lambda *_: SILENT).unit == good, pair


def test_a_pair_of_flipped_bits_of_a_long_page_is_listed_and_a_witness_picks_it() -> None:
    good, word = page(4096), Word(0, 4092, 4092)
    bad = flip(good, 100, 31_000)
    assert correct_crc32c(bad, word, lambda *_: SILENT).verdict in ("ambiguous", "unique")
    found = correct_crc32c(bad, word, lambda unit, _: Said(unit == good, "it is the page"))
    assert (found.verdict, found.unit, found.witness) == ("sealed", good, "it is the page")


def test_a_flip_of_the_seed_has_a_twin_in_the_first_four_bytes_and_a_witness_tells_them_apart() -> None:
    word = Word(8, 40, 0, "big", seed=4)
    good = record(Random(4).randbytes(32))
    for bit in range(32, 64):
        found = correct_crc32c(flip(good, bit), word, lambda *_: SILENT)
        assert (found.verdict, len(found.listed)) == ("ambiguous", 2), bit
        assert patch_of(bit) in found.listed
        told = correct_crc32c(flip(good, bit), word, lambda unit, _: Said(unit == good))
        assert (told.verdict, told.unit) == ("sealed", good)


@pytest.mark.parametrize("width", [1, 2, 8, 17, 31, 32])
def test_every_burst_is_among_the_candidates(width: int) -> None:
    good, rng = page(), Random(width)
    for _ in range(40):
        pattern = 1 | 1 << width - 1 | rng.getrandbits(width)
        start = rng.randrange(8 * 124 - width)
        bits = [start + k for k in range(width) if pattern >> k & 1]
        assert patch_of(*bits) in [c.patch for c in correct.burst(PAGE, flip(good, *bits), 32)], bits


def test_bursts_explain_the_checksum_and_stay_where_they_were_asked_for() -> None:
    bad = flip(page(), 300, 310, 331)
    candidates = [c.patch for c in correct.burst(PAGE, bad, 32, (20, 90))]
    assert len(set(candidates)) == len(candidates) > 100
    for patch in candidates:
        assert PAGE.syndrome(apply(bad, patch)) == 0
        assert patch[0][0] >= 20
        assert patch[-1][0] < 90


def test_a_sound_unit_needs_no_correction() -> None:
    assert correct_crc32c(page(), PAGE, lambda *_: SILENT).verdict == "none"


def test_what_a_witness_refutes_is_never_written() -> None:
    assert correct_crc32c(flip(page(), 77), PAGE, lambda *_: Said(False)).verdict == "none"


def test_two_proved_candidates_prove_nothing() -> None:
    both = [Candidate(((1, 1),), "one"), Candidate(((2, 1),), "other")]
    found = decide(bytes(8), both, lambda *_: Said(True, "anything"), 2)
    assert (found.verdict, found.unit, len(found.listed)) == ("ambiguous", b"", 2)


def test_one_proved_candidate_wins_over_silent_ones() -> None:
    both = [Candidate(((1, 1),), "one"), Candidate(((2, 1),), "other")]
    found = decide(bytes(8), both, lambda _, patch: Said(patch[0][0] == 2 or None, "it"), 2)
    assert (found.verdict, found.patch) == ("sealed", ((2, 1),))


def test_what_is_not_sure_is_listed() -> None:
    found = decide(bytes(8), [Candidate(((1, 1),), "one")], lambda *_: SILENT, 2, sure=False)
    assert (found.verdict, found.listed) == ("ambiguous", (((1, 1),),))


def test_the_chance_of_error_is_the_share_of_all_checksums_that_was_tried() -> None:
    unit = page(142)
    found = correct_crc32c(flip(unit, 5, 900), Word(0, 138, 138), lambda *_: SILENT)
    bits = 8 * 142
    assert found.chance == pytest.approx(bits * (bits + 1) / 2 / 2**32)
    assert 0.0001 < found.chance < 0.0002  # of 138 bytes: the 0.02 % that was measured


def test_random_damage_looks_like_two_flipped_bits_as_often_as_predicted() -> None:
    rng, word, hits, trials = Random(9), Word(0, 250, 250), 0, 1500
    for _ in range(trials):
        hits += any(True for _ in correct.two_bits(word, rng.randbytes(254)))
    predicted = trials * word.bits * (word.bits - 1) / 2 / 2**32
    assert abs(hits - predicted) < 4 * predicted**0.5 + 4


def test_what_was_undone_is_told_bit_by_bit() -> None:
    bad = flip(bytes(4), 11)
    assert correct.told(bad, patch_of(11), 0x1000) == ["bit 3 of byte 4097 (0x1001) went 0 to 1"]
    lines = correct.told(bad, patch_of(*range(20)), 0, most=3)
    assert len(lines) == 4
    assert lines[-1] == "and 17 more bits"


def test_a_place_past_655_bytes_is_found_and_one_past_the_end_is_not() -> None:
    for length in (656, 3000, 9000, 65_535):
        effect = syndromes.effects(length)[8 * (length - 1) + 3]
        assert syndromes.one_flip(length, effect) == (0, 3)
        assert syndromes.one_flip(length - 1, effect) is None


def xxh3(covered: bytearray) -> bytes:
    return (xxhash.xxh3_64_intdigest(covered) & 0xFFFFFFFF).to_bytes(4, "little")


def test_every_flipped_bit_under_xxh3_comes_back() -> None:
    content = Random(5).randbytes(200)
    good = content + xxh3(bytearray(content))
    for bit in range(0, 8 * len(good), 3):
        found = correct_by_trial(flip(good, bit), (0, 200), 200, xxh3, lambda *_: SILENT)
        assert (found.verdict, found.unit) == ("unique", good), bit


def test_one_flipped_bit_of_16_kib_under_xxh3_comes_back() -> None:
    content = Random(6).randbytes(16384)
    good = content + xxh3(bytearray(content))
    found = correct_by_trial(flip(good, 131_071), (0, 16384), 16384, xxh3, lambda *_: SILENT)
    assert (found.verdict, found.unit) == ("unique", good)
    assert found.chance == pytest.approx(8 * 16388 / 2**32)


def test_a_long_hash_needs_no_second_witness() -> None:
    content = Random(7).randbytes(500)

    def digest(covered: bytearray) -> bytes:
        return blake3.blake3(bytes(covered)).digest()

    good = content + digest(bytearray(content))
    for bit in (0, 3999, 4000, 8 * 532 - 1):
        found = correct_by_trial(flip(good, bit), (0, 500), 500, digest, lambda *_: SILENT, 32)
        assert (found.verdict, found.unit) == ("sealed", good), bit
    assert correct_by_trial(flip(good, 1, 2), (0, 500), 500, digest, lambda *_: SILENT, 32).verdict == "none"


def test_of_many_candidates_the_first_sixteen_are_listed_and_all_are_counted() -> None:
    for many, kept in ((16, 16), (17, 16)):
        found = decide(bytes(32), [Candidate(((at, 1),), "one") for at in range(many)], lambda *_: SILENT, 2)
        assert (found.verdict, found.count) == ("ambiguous", many)
        assert found.listed == tuple(((at, 1),) for at in range(kept))


@pytest.mark.parametrize(("bits", "tried"), [(32, 1), (64, 1), (65, 2), (96, 1 << 32)])
def test_a_checksum_vouches_for_itself_while_64_of_its_bits_are_left_over(bits: int, tried: int) -> None:
    one = [Candidate(((1, 1),), "one")]
    assert decide(bytes(8), one, lambda *_: SILENT, tried, bits).verdict == "unique"
    found = decide(bytes(8), one, lambda *_: SILENT, tried - 1, bits)
    assert (found.verdict, found.count, found.witness) == ("sealed", 1, f"{bits} bits of the checksum match")


def test_bursts_in_a_record_that_does_not_begin_with_what_is_covered_stay_where_they_were_asked_for() -> None:
    word, good = Word(8, 40, 0, "big", seed=4), record(Random(5).randbytes(32))
    bad = flip(good, 8 * 20, 8 * 20 + 9)
    for within, there in (((20, 22), True), ((21, 40), False), ((8, 21), False), ((0, 64), True)):
        found = [one.patch for one in correct.burst(word, bad, 16, within)]
        assert (patch_of(8 * 20, 8 * 20 + 9) in found) is there, within
        assert all(within[0] <= at < within[1] for patch in found for at, _ in patch)


def test_the_longest_unit_is_corrected_and_one_byte_more_is_not() -> None:
    for more, verdict in ((0, "unique"), (1, "none")):
        body = bytes(syndromes.LONGEST + more)
        good = bytes(8) + body + crc32c(body).to_bytes(4, "little")
        word = Word(8, 8 + len(body), 8 + len(body))
        assert correct_crc32c(flip(good, 8 * 100 + 3), word, lambda *_: SILENT, most=1).verdict == verdict


@pytest.mark.parametrize(
    ("word", "good"), [(PAGE, page()), (Word(0, 61, 61, stands_for=unmask, stored_as=mask), block())]
)
def test_two_flips_of_the_stored_checksum_are_found(word: Word, good: bytes) -> None:
    rng = Random(5)
    for _ in range(24):
        pair = rng.sample(range(8 * word.stored, 8 * word.stored + 32), 2)
        assert [one.patch for one in correct.two_bits(word, flip(good, *pair))] == [patch_of(*pair)]


@pytest.mark.parametrize(("bits", "tried", "sealed"), [
    (63, 0, True), (64, 0, True), (64, 1, False), (66, 3, True), (66, 4, False), (72, 255, True), (72, 256, False),
])  # fmt: skip
def test_64_bits_beyond_those_of_the_trials_need_no_witness(bits: int, tried: int, sealed: bool) -> None:
    one = Candidate(((0, 1),), "a flip")
    found = decide(bytes(4), [one], lambda *_: SILENT, tried, bits)
    assert found.verdict == ("sealed" if sealed else "unique")
    assert decide(bytes(4), [one], lambda *_: SILENT, tried, bits, sure=False).verdict == "ambiguous"


@pytest.mark.parametrize(("more", "verdict"), [(0, "unique"), (1, "ambiguous")])
def test_a_pair_of_flips_is_unique_up_to_655_bytes_wherever_they_begin(more: int, verdict: str) -> None:
    length = 655 + more
    content = Random(4).randbytes(length)
    good = bytes(100) + content + crc32c(content).to_bytes(4, "little")
    word = Word(100, 100 + length, 100 + length)
    found = correct_crc32c(flip(good, 8 * 120, 8 * 700 + 3), word, lambda *_: SILENT)
    assert found.verdict == verdict
    assert patch_of(8 * 120, 8 * 700 + 3) in (found.patch, *found.listed)


def test_what_a_correction_tells_of_each_bit() -> None:
    unit = bytes([0b0000_0101, 0xFF])
    assert correct.told(unit, ((0, 0b11), (1, 0x80)), 16) == [
        "bit 0 of byte 16 (0x10) went 0 to 1", "bit 1 of byte 16 (0x10) went 1 to 0",
        "bit 7 of byte 17 (0x11) went 0 to 1",
    ]  # fmt: skip
    many = correct.told(unit, ((0, 0xFF), (1, 3)))
    assert (len(many), many[0], many[8]) == (9, "bit 0 of byte 0 (0x0) went 0 to 1", "and 2 more bits")
    assert len(correct.told(unit, ((0, 0xFF),))) == 8
    assert (correct.flips(((0, 0xFF), (1, 3))), correct.difference(b"abc", b"aac")) == (10, ((1, 3),))


@pytest.mark.parametrize(("more", "verdict"), [(0, "unique"), (1, "none")])
def test_a_mebibyte_is_the_most_that_is_corrected_wherever_it_begins(more: int, verdict: str) -> None:
    length = (1 << 20) + more
    content = bytes(length)
    good = bytes(64) + content + crc32c(content).to_bytes(4, "little")
    found = correct_crc32c(flip(good, 8 * 70 + 1), Word(64, 64 + length, 64 + length), lambda *_: SILENT, most=1)
    assert (found.verdict, found.patch) == (verdict, patch_of(8 * 70 + 1) if not more else ())


@pytest.mark.parametrize(("tried", "chance"), [(0, 0.0), (1 << 30, 0.25), (1 << 32, 1.0), (1 << 40, 1.0)])
def test_the_chance_is_the_share_of_all_checksums_that_was_tried(tried: int, chance: float) -> None:
    assert correct.Correction("unique", tried=tried).chance == chance
    assert correct.Correction("unique", tried=tried, bits=64).chance == tried / 2**64
    assert correct.NONE.chance == 0.0
