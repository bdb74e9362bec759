"""What bytes tell of the cause of their damage: the exact run, the exact bit, and how sure that is."""

from __future__ import annotations

import struct
from random import Random

import crc32c
import pytest

from inspector.finding import Cause
from inspector.formats.gossip_store import evidence
from inspector.formats.gossip_store.evidence import Run, body_cause, is_uniform, length_cause, longest_run
from inspector.source import MemorySource

NOISE = Random(3).randbytes(4000).replace(b"\0", b"\1").replace(b"\xff", b"\1")
LOOK = 1 << 13


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "LOOK", LOOK)


def at_300(body: bytes, time: int = 1_700_000_007, flags: int = 0x2000) -> bytearray:
    """A record that begins at 300."""
    return bytearray(NOISE[:300] + struct.pack(">HHII", flags, len(body), crc32c.crc32c(body, time), time) + body)


@pytest.mark.parametrize(
    ("start", "end", "unit", "alone", "among"),
    [
        (4096, 8192, 4096, "certain", "certain"), (4096, 8000, 4096, "certain", "likely"),
        (4000, 8192, 4096, "certain", "likely"), (512, 1024, 512, "certain", "certain"),
        (512, 4096, 4096, "certain", "likely"), (100, 1024, 512, "certain", "likely"),
        (1024, 2000, 512, "certain", "likely"), (100, 2000, None, "likely", "likely"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("value", "name"), [(0, "zeroed-range"), (0xFF, "ones-range")])
def test_a_run_is_the_surer_the_more_of_its_ends_lie_on_a_border_of_blocks(
    start: int, end: int, unit: int | None, alone: str, among: str, value: int, name: str
) -> None:
    run = Run(start, end, value)
    assert run.alignment == unit
    assert (run.cause(alone=True).name, run.cause(alone=True).confidence) == (name, alone)
    assert (run.cause().name, run.cause().confidence) == (name, among)


@pytest.mark.parametrize("size", [1, 4096, LOOK, LOOK + 1, 2 * LOOK + 5])
def test_a_stretch_is_all_zero_or_it_is_not_whatever_stands_around_it(size: int) -> None:
    data = bytearray(b"\1" + bytes(size) + b"\1")
    assert is_uniform(MemorySource(bytes(data), "x"), 1, 1 + size)
    for at in {1, 1 + size // 2, size}:
        data[at] = 1
        assert not is_uniform(MemorySource(bytes(data), "x"), 1, 1 + size)
        data[at] = 0


def test_what_is_shorter_than_48_bytes_is_no_run() -> None:
    assert longest_run(MemorySource(NOISE + bytes(47) + NOISE, "x"), 0, 8047) is None
    assert longest_run(MemorySource(NOISE + bytes(48) + NOISE, "x"), 0, 8048) == Run(4000, 4048, 0)


def test_the_longest_run_counts_and_of_equals_the_first_within_the_stretch() -> None:
    data = NOISE + bytes(60) + NOISE + b"\xff" * 61 + NOISE + bytes(60) + NOISE + bytes(90)
    assert longest_run(MemorySource(data, "x"), 0, len(data) - 90) == Run(8060, 8121, 0xFF)
    assert longest_run(MemorySource(data, "x"), 0, 8060 + 60) == Run(4000, 4060, 0)
    assert longest_run(MemorySource(data, "x"), 4001, 8060 + 60) == Run(8060, 8120, 0xFF)


@pytest.mark.parametrize("more", [0, 1, LOOK, LOOK + 7])
@pytest.mark.parametrize("value", [0, 0xFF])
def test_a_run_beyond_what_is_searched_is_followed_to_both_its_ends(more: int, value: int) -> None:
    data = NOISE + bytes([value]) * (LOOK - 4000 + more) + NOISE
    for start in (0, 4000, 4001):
        for end in (len(data), len(data) - 4000, len(data) - 4001):
            found = longest_run(MemorySource(data, "x"), start, end)
            assert found == Run(max(4000, start), min(LOOK + more, end), value)


def test_the_end_of_a_long_stretch_is_searched_too() -> None:
    data = NOISE * 5 + bytes(64) + NOISE * 3
    assert longest_run(MemorySource(data, "x"), 0, 20_000 + LOOK) == Run(20_000, 20_064, 0)
    assert longest_run(MemorySource(data, "x"), 0, 20_016 + LOOK) == Run(20_000, 20_064, 0)
    assert longest_run(MemorySource(data, "x"), 0, 20_017 + LOOK) is None


def cause_of(data: bytes | bytearray, torn: bool = False) -> tuple[Cause, dict[str, int | str]]:
    return body_cause(MemorySource(bytes(data), "x"), 300, len(data), torn)


@pytest.mark.parametrize("byte", [4, 5, 69, 137])
@pytest.mark.parametrize("bit", [0, 7])
def test_the_one_flipped_bit_of_a_body_is_named(byte: int, bit: int) -> None:
    data = at_300(NOISE[:138])
    data[312 + byte] ^= 1 << bit
    cause, told = cause_of(data)
    assert (cause.name, cause.confidence) == ("bit-flip", "certain")
    assert (told["flip_at"], told["flip_bit"], told.get("or_at")) == (312 + byte, bit, None)
    assert cause.because == f"one flipped bit in the body, bit {bit} of byte {312 + byte}, explains it"


@pytest.mark.parametrize("byte", range(4))
@pytest.mark.parametrize("bit", [0, 7])
@pytest.mark.parametrize("in_time", [False, True])
def test_a_flip_of_the_time_and_one_of_the_first_four_bytes_look_the_same_and_both_are_named(
    byte: int, bit: int, in_time: bool
) -> None:
    """The checksum continues from the time, least byte first: nobody is sent to the one of them alone."""
    data = at_300(NOISE[:138])
    data[311 - byte if in_time else 312 + byte] ^= 1 << bit
    cause, told = cause_of(data)
    assert (cause.name, cause.confidence) == ("bit-flip", "certain")
    assert (told["flip_at"], told["or_at"], told["flip_bit"]) == (312 + byte, 311 - byte, bit)
    assert f"byte {312 + byte}, or that bit of byte {311 - byte} in the header's time" in cause.because


@pytest.mark.parametrize("at", range(304, 308))
@pytest.mark.parametrize("bit", [0, 7])
def test_the_one_flipped_bit_of_the_stored_checksum_is_named(at: int, bit: int) -> None:
    data = at_300(NOISE[:138])
    data[at] ^= 1 << bit
    cause, told = cause_of(data)
    assert (cause.name, cause.confidence) == ("bit-flip", "certain")
    assert (told["flip_at"], told["flip_bit"], told.get("or_at")) == (at, bit, None)
    assert "in the stored checksum" in cause.because
    stored, time = struct.unpack_from(">II", data, 304)
    assert (told["stored"], told["computed"]) == (stored, crc32c.crc32c(NOISE[:138], time))


@pytest.mark.parametrize(("length", "run"), [(63, False), (64, True)])
def test_a_run_of_64_bytes_is_the_cause_and_a_shorter_one_is_not(length: int, run: bool) -> None:
    data = at_300(NOISE[:138])
    data[340 : 340 + length] = bytes(length)
    cause, told = cause_of(data)
    assert cause.name == ("zeroed-range" if run else "unknown")
    ends = (told.get("run_start"), told.get("run_end"), told.get("run_value"))
    assert ends == ((340, 404, 0) if run else (None, None, None))


def test_damage_that_says_nothing_is_unknown_or_an_append_that_did_not_finish() -> None:
    data = at_300(NOISE[:138])
    data[320:330] = NOISE[1000:1010]
    assert cause_of(data)[0].name == "unknown"
    assert (cause_of(data, torn=True)[0].name, cause_of(data, torn=True)[0].confidence) == ("torn-write", "likely")


@pytest.mark.parametrize(
    ("claimed", "right", "verifies", "name", "sure"),
    [
        (139, 138, True, "bit-flip", "certain"), (138, 138 + 32768, True, "bit-flip", "certain"),
        (139, 138, False, "bit-flip", "likely"), (0, 128, True, "bit-flip", "certain"),
        (0, 138, True, "zeroed-range", "likely"), (0, 138, False, "zeroed-range", "likely"),
        (141, 138, True, "overwritten", "possible"), (141, 138, False, "unknown", "possible"),
    ],
)  # fmt: skip
def test_what_a_wrong_length_tells(claimed: int, right: int, verifies: bool, name: str, sure: str) -> None:
    cause = length_cause(claimed, right, verifies)
    assert (cause.name, cause.confidence) == (name, sure)


def test_the_bit_of_a_length_is_numbered_from_the_least() -> None:
    assert length_cause(138 ^ 8, 138, True).because == "bit 3 of the length is flipped: 130 stands for 138"


def test_a_sound_body_has_no_flipped_bit() -> None:
    assert evidence.flipped_bit(b"abc", 5, 5) is None
