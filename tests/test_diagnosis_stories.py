"""What happened to a store, one story each: the cause and the verdict that a maintainer would give."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.cause_stores import store
from benchmarks.cause_table import markdown
from inspector import formats
from inspector.diagnosis import Diagnosis
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests.builders import gossip
from tests.builders import gossip_messages as m

STORE = gossip.healthy(16, 200_000, 3)
LINE = b"2026-11-21T18:00:01Z WARN disk nearly full on /dev/sda1, 812 blocks left; trimming\n"


def put(data: bytes, at: int, other: bytes) -> bytes:
    return data[:at] + other + data[at + len(other) :]


def told(data: bytes, label: str = "gossip_store") -> Diagnosis:
    found = inspect(MemorySource(data, label), formats.all_formats()).diagnosis
    assert found is not None
    return found


def records(data: bytes) -> list[bytes]:
    found, at = [], 1
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append(data[at:end])
        at = end
    return found


def crlf(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + data[start:end].replace(b"\n", b"\r\n") + data[end:]


def met(data: bytes) -> bytes:
    """Two writers: the second record lands in the middle of the first."""
    all_of_it = records(data)
    head, one, two = b"".join(all_of_it[:200]), all_of_it[200], all_of_it[201]
    return data[:1] + head + one[:70] + two + one[70:] + b"".join(all_of_it[202:260])


def exchanged(data: bytes, one: int, two: int, size: int) -> bytes:
    low, high = data[one : one + size], data[two : two + size]
    return data[:one] + high + data[one + size : two] + low + data[two + size :]


STORIES = {
    "one part went through text mode": (crlf(STORE, 100_000, len(STORE)), "shifted", "certain", "transfer"),
    "so did a window of it": (crlf(STORE, 98_304, 106_496), "shifted", "certain", "transfer"),
    "two writers met": (met(gossip.healthy(15, 90_000, 2)), "shifted", "certain", "software"),
    "a log line was put in": (STORE[:50_011] + LINE + STORE[50_011:], "shifted", "certain", "transfer"),
    "stretches changed places": (exchanged(STORE, 60_000, 90_000, 1000), "swapped", "certain", "medium"),
    "large blocks changed places": (exchanged(STORE, 65_536, 131_072, 65_536), "swapped", "certain", "medium"),
    "a sector of another place": (put(STORE, 51_200, STORE[39_193:39_705]), "stale-page", "likely", "medium"),
    "a page of another store": (
        put(STORE, 45_056, gossip.healthy(16, 200_000, 8)[45_056:49_152]),
        "overwritten",
        "likely",
        "medium",
    ),
    "an erased block": (put(STORE, 131_072, b"\xff" * 65_536), "ones-range", "certain", "medium"),
    "an encrypted page": (
        put(STORE, 45_056, bytes(byte ^ 0xA7 for byte in STORE[45_056:49_152])),
        "overwritten",
        "likely",
        "medium",
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_the_story_is_told(name: str) -> None:
    data, cause, confidence, verdict = STORIES[name]
    found = told(data)
    assert (found.events[0].cause.name, found.events[0].cause.confidence) == (cause, confidence)
    assert found.verdict == verdict


def test_a_file_s_mark_is_found_at_a_sector_of_the_file_and_not_of_the_place() -> None:
    jpeg = bytes.fromhex("ffd8ffe000104a464946") + Random(5).randbytes(4086)
    found = told(put(STORE, 40_960, jpeg)).events[0]
    assert (found.cause.name, found.facts["magic"], found.span.start) == ("overwritten", "a JPEG image", 40_960)


def test_zeroes_in_a_strange_page_do_not_explain_the_rest_of_it() -> None:
    page = Random(1).randbytes(1500) + bytes(1200) + Random(2).randbytes(1396)
    assert told(put(STORE, 73_728, page)).events[0].cause.name == "overwritten"


def test_noise_over_the_ends_of_two_records_of_one_length_is_no_insertion() -> None:
    """What is left of both joins to a record that holds: they end alike."""
    names = {e.cause.name for e in told(put(STORE, 70_016, Random(1).randbytes(64))).events}
    assert "shifted" not in names


def test_a_blobstore_behind_zeroes_is_found_and_nothing_in_it_is_called_damaged() -> None:
    report = inspect(MemorySource(bytes(4) + store("spdk", 0).data, "disk.img"), formats.all_formats())
    assert [f.rule.code for f in report.tally.findings() if f.level.value != "note"] == ["SPB011"]
    assert report.diagnosis is not None
    assert (report.diagnosis.verdict, report.diagnosis.confidence) == ("transfer", "certain")


def test_what_a_boundary_is_worth_is_said() -> None:
    facts = told(put(STORE, 131_072, bytes(65_536))).events[0].facts
    assert (facts["alignment"], facts["block"], facts["one_in"]) == (4096, "a page", 4096**2)


def test_a_run_with_one_end_on_a_boundary_is_not_certain() -> None:
    found = told(put(STORE, 61_440, bytes(1500))).events[0]
    assert (found.cause.name, found.cause.confidence, found.facts["one_in"]) == ("zeroed-range", "likely", 2048)


def causes_of(data: bytes, *codes: str) -> list[tuple[str, str, str]]:
    report = inspect(MemorySource(data, "gossip_store"), formats.all_formats())
    return [(f.rule.code, f.cause.name, f.cause.because[:12]) for f in report.tally.findings() if f.rule.code in codes]


def test_what_the_records_behind_zeroes_lack_follows_from_the_zeroes_and_not_from_the_writer() -> None:
    """A channel's records stand together: not only the first behind its lost announcement lacks it."""
    start, end = _channel(STORE)
    lacking = causes_of(put(STORE, start, bytes(end - start)), "GSP015", "GSP018")
    assert lacking[0] == ("GSP015", "zeroed-range", "follows from")
    assert set(lacking[1:]) == {("GSP018", "unknown", "what it lack")}


def test_what_a_record_lacks_is_the_writer_s_doing_only_where_all_before_it_verifies() -> None:
    start, end = _channel(STORE)
    without = STORE[:start] + STORE[end:]
    assert {name for _, name, _ in causes_of(without, "GSP015", "GSP018")} == {"software-rule-violation"}
    before = causes_of(put(without, start - 50_000, bytes(600)), "GSP015", "GSP018")
    assert ("GSP015", "unknown", "what it lack") in before
    behind = causes_of(put(without, len(without) - 9_000, bytes(600)), "GSP015")
    assert behind[0] == ("GSP015", "software-rule-violation", "each record ")


@pytest.mark.parametrize("old", [20_480, 51_200, 81_920])
def test_records_in_a_page_of_another_place_are_there_twice_because_of_the_page(old: int) -> None:
    found = causes_of(put(STORE, 102_400, STORE[old : old + 2048]), "GSP017", "GSP020")
    assert found
    assert {name for _, name, _ in found} == {"stale-page"}


def test_what_the_second_end_of_a_page_cut_off_follows_from_the_page_too() -> None:
    found = causes_of(put(STORE, 102_400, STORE[51_200:53_248]), "GSP015")
    assert found == [("GSP015", "stale-page", "follows from")]


def test_updates_behind_the_first_record_that_lacks_its_channel_lack_it_for_the_same_reason() -> None:
    store, noise, node = gossip.Store(16), m.Noise(Random(5)), bytes(33)
    start = 0
    for block in range(700_000, 700_020):
        channel = m.scid(block, 1, 0)
        start = store.append(m.channel_announcement(noise, channel, node, node))
        store.append(m.amount(1000))
        for direction in (0, 1):
            store.append(m.channel_update(noise, channel, direction, gossip.START), gossip.START)
    found = causes_of(put(store.bytes(), start, bytes(432)), "GSP015", "GSP018")
    assert [(code, name) for code, name, _ in found] == [("GSP015", "zeroed-range")] + [("GSP018", "zeroed-range")] * 2


def _channel(data: bytes) -> tuple[int, int]:
    """Where an announcement stands that an amount and an update follow, in bytes."""
    at = 1
    kinds = [(record[12:14], len(record)) for record in records(data)]
    for (kind, size), (second, _), (third, _) in zip(kinds, kinds[1:], kinds[2:], strict=False):
        if at > 60_000 and (kind, second, third) == (b"\x01\x00", b"\x10\x05", b"\x01\x02"):
            return at, at + size
        at += size
    raise AssertionError("no such channel")


def test_the_table_counts_what_was_missed_and_what_was_falsely_certain() -> None:
    from benchmarks.bench_causes import Told

    rows = [
        Told("gossip", "one bit", 1, "bit-flip", "certain", True, "medium", "certain", True, True, ""),
        Told("gossip", "one bit", 2, "shifted", "certain", False, "transfer", "certain", False, True, ""),
        Told("gossip", "one bit", 3, "missed", "", False, "unknown", "", False, True, ""),
        Told("gossip", "one bit", 4, "missed", "", False, "unknown", "", False, False, ""),
    ]
    text = markdown(rows)
    assert "| gossip | 3 | 1 | 1 | 0 | 1 | 33.3 % | 1 | 1 |" in text
    assert "| one bit | transfer | 1 |" in text
