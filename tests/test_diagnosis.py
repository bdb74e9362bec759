"""Causes named against causes made, on every format: a small part of `benchmarks.bench_causes`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from benchmarks.bench_causes import inspected
from benchmarks.bench_causes import told as told_of
from benchmarks.cause_cases import KINDS, case
from benchmarks.cause_stores import STORES
from inspector import formats
from inspector.diagnosis.reread import reread
from inspector.errors import UnknownFormatError
from inspector.inspect import Report, inspect
from inspector.recorder import Recorder
from inspector.source import MemorySource, open_source
from inspector.span import Span
from tests import damage
from tests.builders import gossip, known_peers

PAGE = 4096
SAMPLES = Path(__file__).parents[1] / "samples"
SLOW = {
    "latin-1 to UTF-8",
    "newlines translated",
    "store appended",
}  # all of a store is damaged; the benchmark has them
LEAST = 0.85  # of each format's cases in this small sample; the benchmark's many seeds are held to more


def scanned(data: bytes, name: str = "gossip_store") -> Report:
    return inspect(MemorySource(data, name), formats.all_formats())


@pytest.mark.parametrize("name", STORES)
def test_causes_are_named_as_they_were_made(name: str) -> None:
    right: Counter[bool] = Counter()
    wrong = []
    for kind in KINDS:
        if name not in kind.formats or kind.name in SLOW:
            continue
        found = told_of(name, kind.name, 1000)
        if found is None or not found.evident:
            continue
        assert found.named != "BUG", kind.name
        right[found.right] += 1
        wrong += [] if found.right else [(kind.name, found.named, found.confidence)]
    assert right[True] >= LEAST * right.total() - 1, wrong
    assert not [w for w in wrong if w[2] == "certain"]


def test_a_healthy_store_has_no_diagnosis() -> None:
    assert scanned(gossip.healthy(16)).diagnosis is None


def test_a_zeroed_page_is_one_event_however_many_records_it_hit() -> None:
    data = gossip.healthy(16, 60_000)
    told = scanned(damage.zero(data, 4 * PAGE, 5 * PAGE).data).diagnosis
    assert told is not None
    assert (told.verdict, told.confidence, told.events_total) == ("medium", "certain", 1)
    assert (told.events[0].span, told.events[0].cause.name) == (Span(4 * PAGE, 5 * PAGE), "zeroed-range")
    assert told.sentence.startswith("The disk or the memory did this, not the program: zeroed range")


def test_swapped_pages_are_one_event_with_both_places() -> None:
    data = gossip.healthy(16, 60_000)
    told = scanned(damage.swap(data, 4 * PAGE, 9 * PAGE, PAGE).data).diagnosis
    assert told is not None
    assert told.events_total == 1
    assert (told.events[0].cause.name, told.events[0].facts["other"]) == ("swapped", 9 * PAGE)


def test_two_flips_far_apart_are_two_events() -> None:
    data = gossip.healthy(16, 60_000)
    once = damage.flip_bit(data, 29_000, 1).data  # both in live updates
    told = scanned(damage.flip_bit(once, 43_700, 6).data).diagnosis
    assert told is not None
    assert [e.cause.name for e in told.events] == ["bit-flip", "bit-flip"]


def test_a_store_of_before_v0_10_with_its_version_at_offset_1_is_that_bug() -> None:
    told = scanned(b"\0" + gossip.healthy(9, 30_000)).diagnosis
    assert told is not None
    assert (told.verdict, [issue.id for issue in told.issues]) == ("software", ["ElementsProject/lightning#4376"])


def test_a_transfer_in_text_mode_is_no_bug_and_no_bad_disk() -> None:
    told = scanned(damage.crlf(gossip.healthy(16, 60_000)).data).diagnosis
    assert told is not None
    assert (told.verdict, told.confidence, told.events[0].facts["translation"]) == ("transfer", "certain", "newlines")


@pytest.mark.parametrize(
    ("at", "count", "source"), [(30_007, 600, 29_407), (20_111, 600, 41_000), (9_001, 4096, 25_903)]
)
def test_bytes_put_in_a_second_time_are_no_stale_page(at: int, count: int, source: int) -> None:
    data = gossip.healthy(16, 60_000)
    report = scanned(data[:at] + data[source : source + count] + data[at:])
    assert report.diagnosis is not None
    (event,) = report.diagnosis.events
    assert (event.cause.name, event.cause.confidence, event.facts["inserted"]) == ("shifted", "certain", count)
    assert abs(int(event.facts["at"]) - at) < 8
    over = scanned(data[:at] + data[source : source + count] + data[at + count :]).diagnosis
    assert over is not None
    assert {e.cause.name for e in over.events} == {"overwritten"}


def test_the_same_bytes_get_the_same_diagnosis() -> None:
    made = case("wal", next(k for k in KINDS if k.name == "bytes lost"), 7)
    one, two = inspected(made).diagnosis, inspected(made).diagnosis
    assert one is not None
    assert two is not None
    assert msgspec.structs.replace(one, reread=None) == msgspec.structs.replace(two, reread=None)


def test_damage_that_fills_a_store_stays_within_its_budget() -> None:
    """Every record broken apart: places beyond the limit keep what their format says, and nothing fails."""
    data = bytearray(gossip.healthy(16, 30_000))
    for at in range(100, len(data), 97):
        data[at] ^= 0x55
    report = scanned(bytes(data))
    assert report.diagnosis is not None
    assert not any(code == "INS001" for code, _ in report.tally.counts)


def test_noise_never_makes_the_diagnosis_fail() -> None:
    import random

    for seed in range(12):
        rng = random.Random(seed)
        base = bytearray(gossip.healthy(16, 20_000, seed % 3))
        for _ in range(rng.randrange(1, 9)):
            at = rng.randrange(len(base))
            base[at : at + rng.randrange(1, 600)] = rng.randbytes(rng.randrange(0, 600))
        try:
            report = scanned(bytes(base))
        except UnknownFormatError:
            continue
        assert not any(code == "INS001" for code, _ in report.tally.counts)


def test_reading_again_past_the_cache_gives_the_same_or_says_why_not(tmp_path: Path) -> None:
    path = tmp_path / "gossip_store"
    data = os.urandom(3 * PAGE + 100)
    path.write_bytes(data)
    with open_source(str(path)) as source:
        for span in (Span(0, 10), Span(PAGE - 3, PAGE + 9), Span(3 * PAGE, len(data))):
            again = reread(source, span)
            if again.same is None:
                assert again.way == "not possible"
                assert again.why
            else:
                assert again.same
                assert again.data == data[span.start : span.end]
    assert reread(MemorySource(data), Span(0, 10)).same is None


def test_a_source_that_is_no_file_of_its_own_is_not_read_again_at_the_file_s_offsets(tmp_path: Path) -> None:
    place = tmp_path / "store"
    place.write_bytes(b"other bytes than the source has")
    source = Recorder(MemorySource(b"x" * 31))
    source.kind, source.path = "file", place
    found = reread(source, Span(0, 8))
    assert (found.way, found.same) == ("not possible", None)


def test_ones_in_a_free_metadata_page_are_not_blamed_on_the_zeroes_of_free_pages_before_it() -> None:
    data = bytearray((SAMPLES / "spdk_blobstore" / "clean.img").read_bytes())
    at = 23 * PAGE + 3072  # in a metadata page that nothing uses, behind others that nothing uses
    assert not any(data[at - 2 * PAGE : at + 1024])
    data[at : at + 512] = b"\xff" * 512
    found = scanned(bytes(data), "disk.img").tally.findings()
    assert [(f.cause.name, f.cause.confidence) for f in found] == [("ones-range", "certain")]


def test_a_block_in_a_free_metadata_page_does_not_make_the_free_pages_behind_it_a_zeroed_range() -> None:
    data = bytearray((SAMPLES / "spdk_blobstore" / "clean.img").read_bytes())
    at = 12 * PAGE
    assert not any(data[at : at + 4 * PAGE])
    data[at : at + 512] = data[25 * PAGE : 25 * PAGE + 512]
    told = {(f.cause.name, f.cause.confidence) for f in scanned(bytes(data), "disk.img").tally.findings()}
    assert not told & {("zeroed-range", "certain"), ("zeroed-range", "likely")}


@pytest.mark.parametrize("origin", [700, 2001, 5555])
def test_a_stretch_of_the_store_s_own_bytes_at_offset_1_is_a_write_gone_astray(origin: int) -> None:
    data = bytearray(gossip.healthy(16, 9000, seed=4))
    data[1:301] = data[origin : origin + 300]
    told = scanned(bytes(data)).diagnosis
    assert told is not None
    first = told.events[0]
    assert (first.cause.name, first.span.start) == ("overwritten", 1)
    assert first.facts["copy_of"] == origin


def test_bits_flipped_in_the_free_room_of_two_pages_are_no_blocks_that_changed_places() -> None:
    data = bytearray((SAMPLES / "spdk_blobstore" / "clean.img").read_bytes())
    for at in (27844, 28027, 29088, 29985, 30711):
        data[at] ^= 0x10
    told = inspect(MemorySource(bytes(data), "disk.img"), formats.all_formats()).diagnosis
    assert told is not None
    assert "swapped" not in {event.cause.name for event in told.events}


def test_an_extent_page_that_stands_in_the_place_of_another_is_not_blamed_on_a_program() -> None:
    data = bytearray((SAMPLES / "spdk_blobstore" / "clean.img").read_bytes())
    data[40960:45056] = data[24576:28672]
    told = inspect(MemorySource(bytes(data), "disk.img"), formats.all_formats()).diagnosis
    assert told is not None
    assert told.verdict == "medium"
    assert {event.cause.name for event in told.events} == {"stale-page"}


def test_the_head_of_a_unit_that_is_zero_up_to_a_page_s_end_was_zeroed() -> None:
    base = 479232
    data = bytearray(build_peers(961_284 // 2))
    data[base : base + PAGE] = bytes(PAGE)
    told = inspect(MemorySource(bytes(data), "known_addresses.bin"), formats.all_formats()).diagnosis
    assert told is not None
    assert [event.cause.name for event in told.events] == ["zeroed-range"]


def build_peers(room: int) -> bytes:
    """Two slots of a list of usual size, and longer ones written before them, whose rests lie in the slack."""
    slots = []
    for first in (0, 200):
        old = known_peers.seal(known_peers.payload(known_peers.peers(90, first), 1_717_072_000, 3, 100))
        new = known_peers.seal(known_peers.payload(known_peers.peers(40, first), 1_717_072_496, 3, 100))
        slots.append(known_peers.slot(new, old, room))
    return b"".join(slots)
