"""Where the record goes on that a border of pages cuts, wherever it is cut and however long it is."""

from __future__ import annotations

import struct
from random import Random

import pytest
from crc32c import crc32c

from inspector.format import Wishes
from inspector.formats.gossip_store.borders import LONGEST, UNSEEN, Borders
from inspector.formats.gossip_store.walk import Store
from inspector.source import MemorySource
from inspector.span import merged

SIZE, HERE, THERE = 512, 8, 16  # of a page, and the two that change places
WORK = 1 << 24
HEADER = 12


def record(length: int, rng: Random) -> bytes:
    body = b"\x10\x05" + rng.randbytes(length - 2)
    return struct.pack(">HHII", 0x2000, length, crc32c(body, 7), 7) + body


def cut(stub: int, length: int) -> tuple[bytes, list[tuple[int, int]]]:
    """A store, and its records, of which one has so many bytes before page HERE; then those two pages exchanged."""
    rng, out, spans = Random(stub * 10_007 + length), bytearray(b"\x10"), []
    for end in (HERE * SIZE - stub, 0, 24 * SIZE):
        while len(out) < end:
            room = end - len(out)
            spans.append((len(out), len(out) + (room if room < 400 else 150)))
            out += record(spans[-1][1] - spans[-1][0] - HEADER, rng)
        if not end:
            spans.append((len(out), len(out) + HEADER + length))
            out += record(length, rng)
    one, two = (bytes(out[page * SIZE : (page + 1) * SIZE]) for page in (HERE, THERE))
    out[HERE * SIZE : (HERE + 1) * SIZE], out[THERE * SIZE : (THERE + 1) * SIZE] = two, one
    return bytes(out), spans


def borders(data: bytes, areas: list[tuple[int, int]], work: int = WORK) -> Borders:
    return Borders(Store(MemorySource(data), Wishes(), len(data), 16, None, 0, 1), areas, work)


@pytest.mark.parametrize("length", [2, 3, 300, 499, 500, 501, 1011, 1012, 1013, 1500, 3000])
def test_a_cut_record_goes_on_with_the_page_that_stood_behind_it(length: int) -> None:
    for stub in [*range(1, HEADER + 3), 40]:
        data, spans = cut(stub, length)
        edges = [page * SIZE for page in (HERE, HERE + 1, THERE, THERE + 1)]
        areas = merged([span for span in spans if any(span[0] < edge < span[1] for edge in edges)])
        found = borders(data, areas).joins(SIZE)
        if stub < HEADER + length:  # else it ends before the border
            assert THERE * SIZE in found.get(HERE * SIZE, ()), stub
            # where fewer bytes are cut off than flags and a length take, another record may begin with the same ones
            assert stub < UNSEEN or found[HERE * SIZE] == [THERE * SIZE]
        assert all(at in edges for at in found)
        assert borders(data, areas, 0).joins(SIZE) == {}


def test_the_damage_at_a_border_touches_it_or_ends_as_far_before_it_as_flags_and_a_length_reach() -> None:
    areas = [(1000, 2048 - UNSEEN), (4090, 4100), (9000, 9000 + LONGEST + 1), (9000 + LONGEST + 4096, 1 << 20)]
    one = borders(bytes(1 << 20), areas)
    assert [one.area(at) for at in (999, 1000, 2048, 2049)] == [None, areas[0], areas[0], None]
    assert [one.area(at) for at in (4089, 4090, 4104, 4105)] == [None, areas[1], areas[1], None]
    short = borders(bytes(1 << 20), areas[:2])
    assert short.at(1024) == [1024, 2048, 4096]
    assert short.at(4096) == [4096]
    assert all(at > 9000 + LONGEST + 4000 for at in one.at(512) if at > 4600)  # the long one is no border's damage


def test_damage_as_long_as_two_records_is_a_borders_own() -> None:
    size = 1 << 20
    for length, found in ((LONGEST - 1, [4096]), (LONGEST, [4096]), (LONGEST + 1, [])):
        assert [at for at in borders(bytes(size), [(4000, 4000 + length)]).at(4096) if at < 8000] == found
    for end in (4096 - UNSEEN - 1, 4096 - UNSEEN, 4096 - UNSEEN + 1):
        assert borders(bytes(size), [(4000, end)]).at(4096) == ([4096] if end >= 4096 - UNSEEN else [])
    assert borders(bytes(8192), [(4000, 8192)]).at(4096) == [4096]  # behind the last page is no border
    assert borders(bytes(8193), [(4000, 8193)]).at(4096) == [4096, 8192]
    assert borders(bytes(size), [(4000, 4094), (4095, 4100)]).at(4096) == [4096]  # and none is told twice


def test_the_record_before_a_border_is_the_last_that_lengths_lead_to() -> None:
    rng = Random(1)
    data = record(100, rng) + record(200, rng) + record(300, rng)
    one = borders(data, [(0, len(data))])
    ends = [112, 112 + 212, 112 + 212 + 312]
    for border, last in ((11, 0), (12, 0), (111, 0), (112, 112), (113, 112), (323, 112), (324, 324), (500, 324)):
        assert one._last(0, border) == last
    assert one._last(ends[1], ends[1]) == ends[1]
    assert one._last(ends[1] + 1, ends[1]) is None
    assert borders(bytes(HEADER + 1) * 2, [])._last(0, HEADER) is None  # no record is empty
    assert borders(record(300, rng), [])._last(0, HEADER) == 0


@pytest.mark.parametrize("length", [400, 1024, 1025, 1500])
def test_each_trial_costs_itself_and_the_bytes_it_reads_anew(length: int) -> None:
    """Pages of 2048 bytes, of which the first 1024 are read once: only a record that goes on for longer costs more."""
    rng, size = Random(length), 2048
    data = bytearray(bytes(3 * size) + rng.randbytes(4 * size))
    stub = record(length + 1, rng)
    data[3 * size - HEADER - 1 : 3 * size] = stub[: HEADER + 1]
    data[5 * size : 5 * size + length] = stub[HEADER + 1 :]
    pages = [page * size for page in range(7)]
    more = length if length > 1024 else 0
    for count in (1, 2, 6):
        spent = count * (1024 + more)
        for work, tried in ((spent, count), (spent + 1, count + 1), (spent - 1, count)):
            one = borders(bytes(data), [], work)
            found = one._continued(stub[: HEADER + 1], 3 * size, pages, size)
            tried = min(tried, 6)  # all but the page that stands there
            assert found == ([(5 * size, 5 * size + length)] if tried >= 5 else [])
            assert one.left == work - tried * (1024 + more)
