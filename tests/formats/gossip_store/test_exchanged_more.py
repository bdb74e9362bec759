"""Pages that changed places in a circle, with other damage in them, or where their borders tell little."""

from __future__ import annotations

from json import loads
from pathlib import Path
from random import Random
from re import findall

import pytest

from inspector.__main__ import main
from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.gossip_store.exchanged import exchanges
from inspector.formats.gossip_store.known import Known
from inspector.formats.gossip_store.walk import open_store
from inspector.inspect import inspect
from inspector.overlay import Overlay
from inspector.source import MemorySource
from tests import damage
from tests.builders.gossip import Store, healthy
from tests.formats.gossip_store.test_exchanged import SIZES, mended, swapped

UNDONE = ("GSP003", "GSP004", "GSP005", "GSP006", "GSP012")


def circled(data: bytes, size: int, places: list[int]) -> bytes:
    """Each place holds what belongs in the next one."""
    out = bytearray(data)
    for here, there in zip(places, [*places[1:], places[0]], strict=True):
        out[here * size : (here + 1) * size] = data[there * size : (there + 1) * size]
    return bytes(out)


def put_back(data: bytes) -> bytes:
    store = open_store(MemorySource(data), None, Wishes())
    found = exchanges(store, Known.of(store).areas)
    return Overlay(store.source, [piece for one in found for piece in one.pieces]).read(0, len(data))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [3, 4, 7])
def test_pages_that_changed_places_in_a_circle_go_back(size: int, count: int, tmp_path: Path) -> None:
    whole = healthy(14, 160_000, size)
    pages = len(whole) // size
    places = Random(size + count).sample(range(pages), count)
    assert mended(circled(whole, size, places), tmp_path) == whole


@pytest.mark.parametrize("places", [[6, 7, 8], [6, 8, 7], [6, 7, 9, 10], [0, 3, 1], [2, 3, 9, 4]])
def test_neighbours_in_a_circle_go_back(places: list[int]) -> None:
    whole = healthy(16, 160_000, 2)
    for size in (512, 4096, 8192):
        assert put_back(circled(whole, size, places)) == whole


def test_a_circle_is_one_event_and_every_damage_in_it_is_told_so() -> None:
    bad = circled(healthy(16, 120_000, 3), 4096, [4, 19, 11])
    found = [f for f in inspect(MemorySource(bad), all_formats()).tally.findings() if f.rule.code in UNDONE]
    assert found
    assert {(f.cause.name, f.cause.confidence, f.salvage) for f in found} == {("swapped", "certain", "corrected")}
    because = "the pages of 4096 bytes at 16384, 45056, 77824 changed places in a circle"
    assert all(f.cause.because.startswith(because) for f in found)
    others = {f.evidence["exchanged_with"] for f in found}
    assert others <= {16384, 45056, 77824}


@pytest.mark.parametrize("at", [2000, 30, 4070])
def test_damage_in_a_page_that_moved_is_corrected_in_its_place(at: int, tmp_path: Path) -> None:
    """Inside, in the record over its beginning, and in the one over its end: each has its checksum in the end."""
    whole = healthy(16, 120_000, 3)
    bad = damage.flip_bit(swapped(whole, 4096, (20, 27)), 20 * 4096 + at, 3).data
    pages = damage.flip_bit(whole, 27 * 4096 + at, 3).data
    assert put_back(bad) == pages
    assert mended(bad, tmp_path, "--accept", "unique") == whole


def test_what_cannot_be_corrected_in_a_page_that_moved_is_all_that_is_lost(tmp_path: Path) -> None:
    whole = healthy(14, 120_000, 3)
    hit = 27 * 4096 + 2000
    pages = whole[:hit] + bytes(64) + whole[hit + 64 :]
    alone, both = tmp_path / "alone", tmp_path / "both"
    alone.mkdir()
    both.mkdir()
    assert mended(swapped(pages, 4096, (20, 27)), both, code=4) == mended(pages, alone, code=4)


def test_pages_that_begin_with_the_same_byte_go_back_by_their_ends() -> None:
    """Each record ends one byte behind a border: where those bytes are equal, the border holds with either page."""
    rng = Random(7)
    made = Store(14)
    made.append(b"\x01\x02" + rng.randbytes(242))
    for last in range(100):
        for byte in (last if last != 60 else 20, 100 + last):
            made.append(b"\x01\x02" + rng.randbytes(241) + bytes([byte]))
    whole = made.bytes()
    one, two = (page for page in range(2, len(whole) // 512) if whole[512 * page] == 20)
    bad = swapped(whole, 512, (one, two))
    store = open_store(MemorySource(bad), None, Wishes())
    assert len(Known.of(store).areas) == 2  # the ends alone
    assert put_back(bad) == whole


def test_a_page_in_which_a_version_seems_to_stand_goes_back_from_the_start(tmp_path: Path) -> None:
    """One byte in sixteen passes for a version: the store seems to begin in the middle of the page that came first."""
    whole = healthy(10, 120_000, 5)
    hits = 0
    for two in range(1, len(whole) // 4096):
        bad = swapped(whole, 4096, (0, two))
        if not open_store(MemorySource(bad), None, Wishes()).version_at:
            continue
        hits += 1
        report = inspect(MemorySource(bad), all_formats())
        displaced = next(f for f in report.tally.findings() if f.rule.code == "GSP025")
        assert (displaced.cause.name, displaced.cause.confidence) == ("swapped", "certain")
        assert mended(bad, tmp_path, "--force") == whole
    assert hits


@pytest.mark.parametrize("version", [9, 10, 12, 14, 16])
def test_the_version_is_the_one_that_the_first_page_tells(version: int) -> None:
    bad = swapped(healthy(version, 120_000, 5), 4096, (0, 6))
    answer = inspect(MemorySource(bad), all_formats()).answer
    assert answer is not None
    assert answer.version == str(version)
    assert answer.because == "by the version byte of the first page, which changed places and stands at 24576"
    assert f"(version {version}," in answer.words[0]
    alone = bytearray(healthy(version, 120_000, 5))
    alone[0] = 0xFF
    guessed = inspect(MemorySource(bytes(alone)), all_formats()).answer
    assert guessed is not None
    assert guessed.because.startswith("a guess: the records fit version" if version < 15 else "the records are of")


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_scan_calls_lost_what_a_repair_loses(
    seed: int, noise: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the borders of exchanged pages damage is one gap with what is undone, and deleted records are no loss."""
    rng = Random(seed)
    whole = healthy(rng.choice((9, 12, 14, 16)), 14_000, seed)
    pages = rng.sample(range(len(whole) // 512), 2)
    bad = swapped(whole, 512, (pages[0], pages[1]))
    for page in rng.choices(pages, k=rng.choice((1, 2))):
        at = 512 * page + rng.choice((rng.randrange(512), rng.randrange(20), 511 - rng.randrange(20)))
        if noise:
            bad = damage.noise(bad, at, min(len(bad), at + rng.randrange(2, 60)), seed).data
        else:
            bad = damage.flip_bit(bad, at, rng.randrange(8)).data
    path = tmp_path / "x.gossip_store"
    path.write_bytes(bad)
    main(["repair", str(path), "--dry-run", "--json"])
    ledger = loads(capsys.readouterr().out)
    report = inspect(MemorySource(bad, "gossip_store"), all_formats())
    assert report.answer is not None
    told = next((line for line in report.answer.words if line.startswith("Lost:")), "")
    kinds = findall(r"\d (?:channel|node|private)_", told)  # records that are counted, whose bytes are not told
    lost = sum(int(number.replace(",", "")) for number in findall(r"([\d,]+) bytes in which", told))
    if kinds or "amount" in told:
        assert lost < ledger["bytes"]["lost"]
    else:
        assert lost == ledger["bytes"]["lost"]
