"""One damage, one story: what is lost, where exactly, and under which mark."""

import pytest

from inspector import kernels as k
from tests.conftest import Kernel
from tests.kernels import stores
from tests.kernels.walks import walk

ANN, BEN = stores.node_id(1), stores.node_id(2)
BODIES = (
    stores.announcement(7, (ANN, BEN)),
    stores.amount(5),
    stores.update(7, 0),
    stores.node(ANN, b"seven b", b"\x01\x02ab"),
    stores.update(7, 1),
    stores.node(BEN, b"address"),
)
RECORDS = [stores.record(body, 9) for body in BODIES]
AT = [1 + sum(map(len, RECORDS[:i])) for i in range(len(RECORDS) + 1)]
STORE = b"\x10" + b"".join(RECORDS)


def marks_of(kernel: Kernel, data: bytes) -> list[tuple[int, int]]:
    """(start, mark) of every tile that is not simply good."""
    columns = walk(kernel.GossipWalker, data)[0]
    return [(s, m) for s, m in zip(columns["starts"], columns["marks"], strict=True) if m != k.OK]


def changed(at: int, bits: int, data: bytes = STORE) -> bytes:
    assert bits
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


@pytest.mark.parametrize("i", range(6))
def test_a_flipped_bit_in_a_body_costs_that_record(kernel: Kernel, i: int) -> None:
    assert marks_of(kernel, changed(AT[i] + 12 + 7, 4)) == [(AT[i], k.BAD_CHECKSUM)]


@pytest.mark.parametrize("bit", range(16))
@pytest.mark.parametrize("i", range(6))
def test_a_flipped_bit_in_a_length_costs_nothing_else(kernel: Kernel, i: int, bit: int) -> None:
    data = changed(AT[i] + 2 + (bit < 8), 1 << bit % 8)
    columns = walk(kernel.GossipWalker, data)[0]
    assert columns["starts"] == AT[:-1]
    assert [m for m in columns["marks"] if m] == [k.BAD_LENGTH]
    assert columns["owners"] == walk(kernel.GossipWalker, STORE)[0]["owners"]


def test_a_flipped_length_is_told_even_where_the_next_record_is_bad_too(kernel: Kernel) -> None:
    data = changed(AT[2] + 2, 1, changed(AT[3] + 100, 1))
    assert marks_of(kernel, data) == [(AT[2], k.BAD_LENGTH), (AT[3], k.BAD_CHECKSUM)]


def test_a_length_and_its_body_damaged_together_cost_one_record(kernel: Kernel) -> None:
    data = changed(AT[2] + 2, 1, changed(AT[2] + 40, 1))
    assert marks_of(kernel, data) == [(AT[2], k.BAD_LENGTH)]


def test_neighbours_with_bad_checksums_are_units_as_long_as_their_lengths_lead_on(kernel: Kernel) -> None:
    data = changed(AT[2] + 40, 1, changed(AT[3] + 40, 1, changed(AT[4] + 40, 1)))
    assert marks_of(kernel, data) == [(AT[i], k.BAD_CHECKSUM) for i in (2, 3, 4)]


def test_a_record_planted_in_a_damaged_body_is_never_looked_at(kernel: Kernel) -> None:
    planted = stores.record(stores.update(99, 0))
    host = stores.record(stores.node(ANN, b"", b"\x01" + bytes([len(planted)]) + planted))
    data = STORE + changed(14, 1, host) + RECORDS[1]
    assert data.index(planted) + len(planted) == len(STORE) + len(host)
    assert marks_of(kernel, data) == [(len(STORE), k.BAD_CHECKSUM)]


def test_a_record_planted_in_a_torn_body_is_labelled(kernel: Kernel) -> None:
    planted = stores.record(stores.update(99, 0))
    host = stores.record(stores.node(ANN, b"", b"\x01\xfd\x01\x00" + planted + bytes(256 - len(planted))))
    data = STORE + host[:-50]
    at = len(STORE)
    inside = at + host.index(planted)
    assert marks_of(kernel, data) == [(at, k.GAP), (inside, k.ANCHORED), (inside + len(planted), k.GAP)]


def two_damaged(host: bytes, wrong: int) -> tuple[bytes, int, int]:
    """A host with a wrong length and body, a damaged record behind it, two sound ones: store, host, first sound one."""
    at, sound = len(STORE), len(STORE) + len(host) + len(RECORDS[2])
    data = STORE + host + changed(40, 1, RECORDS[2]) + RECORDS[4] + RECORDS[5]
    return changed(at + 2, wrong >> 8, changed(at + 3, wrong & 0xFF, changed(at + 20, 1, data))), at, sound


@pytest.mark.parametrize("wrong", [0x0101, 0x0181, 0x4001, 0x8002])
def test_a_length_over_sound_records_costs_none_of_them(kernel: Kernel, wrong: int) -> None:
    data, at, sound = two_damaged(RECORDS[3], wrong)
    columns = walk(kernel.GossipWalker, data)[0]
    assert columns["starts"][-2:] == [sound, sound + len(RECORDS[4])]
    assert marks_of(kernel, data) == [(at, k.GAP)]


@pytest.mark.parametrize("wrong", [0x0101, 0x4001, 0x8002])
@pytest.mark.parametrize("place", ["features", "extensions"])
def test_a_record_planted_before_that_length_is_labelled(kernel: Kernel, wrong: int, place: str) -> None:
    planted = stores.record(stores.delete(7))
    if place == "features":
        body = stores.node(ANN, b"seven b", features=planted)
    else:
        body = stores.node(ANN, b"seven b", b"\x03\x02ab\x05" + bytes([len(planted)]) + planted)
    data, at, sound = two_damaged(stores.record(body, 9), wrong)
    inside = data.index(planted)
    found = dict(marks_of(kernel, data))
    assert found.pop(inside) == k.ANCHORED
    assert list(found) == [at, inside + len(planted)]
    assert max(walk(kernel.GossipWalker, data)[0]["starts"]) == sound + len(RECORDS[4])


def test_a_torn_body_and_a_torn_header_cost_the_last_record(kernel: Kernel) -> None:
    assert marks_of(kernel, STORE[:-1]) == [(AT[5], k.TORN_BODY)]
    assert marks_of(kernel, STORE[: AT[5] + 60]) == [(AT[5], k.TORN_BODY)]
    assert marks_of(kernel, STORE[: AT[5] + 11]) == [(AT[5], k.TORN_HEADER)]


def test_a_torn_body_keeps_its_type(kernel: Kernel) -> None:
    columns = walk(kernel.GossipWalker, STORE[:-1])[0]
    assert (columns["kinds"][-1], columns["roles"][-1], columns["owners"][-1]) == (257, k.ROLE_GAP, 0)


def test_a_zeroed_hole_costs_the_records_it_touches(kernel: Kernel) -> None:
    data = STORE[: AT[3] + 5] + bytes(AT[4] + 30 - AT[3] - 5) + STORE[AT[4] + 30 :]
    assert marks_of(kernel, data) == [(AT[3], k.GAP)]


def test_zeroes_between_records_cost_nothing(kernel: Kernel) -> None:
    data = STORE[: AT[3]] + bytes(4096) + STORE[AT[3] :]
    assert marks_of(kernel, data) == [(AT[3], k.GAP)]
    assert walk(kernel.GossipWalker, data)[0]["starts"] == AT[:4] + [at + 4096 for at in AT[3:-1]]


def test_a_second_store_costs_its_version_byte(kernel: Kernel) -> None:
    data = STORE + STORE
    assert marks_of(kernel, data) == [(len(STORE), k.GAP)]
    assert len(walk(kernel.GossipWalker, data)[0]["starts"]) == 13


def test_a_byte_before_the_store_costs_nothing(kernel: Kernel) -> None:
    assert marks_of(kernel, b"\0" + STORE) == [(1, k.GAP)]


def test_a_record_without_a_type_is_too_short(kernel: Kernel) -> None:
    for body in (b"", b"x"):
        data = STORE[: AT[3]] + stores.record(body, 5) + STORE[AT[3] :]
        assert marks_of(kernel, data) == [(AT[3], k.TOO_SHORT)]


def test_a_cut_inside_an_announcement_costs_no_record_after_it(kernel: Kernel) -> None:
    data = STORE[: AT[3] + 50] + STORE[AT[3] + 90 :]
    assert marks_of(kernel, data) == [(AT[3], k.GAP)]
    assert walk(kernel.GossipWalker, data)[0]["starts"] == AT[:4] + [at - 40 for at in AT[4:-1]]


def test_a_gap_is_one_tile_however_many_windows_it_fills(kernel: Kernel) -> None:
    data = STORE + bytes(5 << 20) + STORE
    columns, batches, _ = walk(kernel.GossipWalker, data, 1 << 20)
    assert len(batches) >= 5
    assert [s for s, m in zip(columns["starts"], columns["marks"], strict=True) if m] == [len(STORE)]
