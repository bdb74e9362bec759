"""When a copy has what another one has lost: whole records of the same place, in the same surroundings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inspector.format import Wishes
from inspector.formats.gossip_store import FORMAT
from inspector.formats.gossip_store.alongside import Gap, _between, _places, cover
from inspector.formats.gossip_store.healing import Healing, Region, aligned, heal, regions
from inspector.formats.gossip_store.walk import Store
from inspector.source import MemorySource
from tests.builders import gossip_messages as m
from tests.builders.gossip import Network
from tests.builders.gossip import Store as Made
from tests.formats.gossip_store.witness import Record, walk

KEY, OTHER = (258, 7, 0, 100, 0), (258, 8, 0, 100, 0)


def opened(data: bytes | bytearray) -> Store:
    store: Store = FORMAT.open(MemorySource(bytes(data), "gossip_store"), None, Wishes())
    return store


def net(updates: int = 12) -> Network:
    made = Network(Made(16), seed=5)
    channels = [made.open(made.node(), made.node()) for _ in range(3)]
    for number in range(updates):
        made.update(channels[number % 3], number % 2)
    return made


def records(data: bytes | bytearray) -> list[Record]:
    return list(walk(bytes(data)))


# -- at other offsets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "fits"),
    [(300 - 22, False), (300 - 21, True), (300, True), (16 * 300 + 4096, True), (16 * 300 + 4097, False), (0, False)],
)
def test_what_stands_between_two_records_is_as_long_give_or_take_what_a_compaction_left_out(
    have: int, fits: bool
) -> None:
    """10 bytes to the record before, 270 that are damaged, 20 to the record behind."""
    gap = Gap(1000, 1270, ((KEY, 10),), ((OTHER, 20),), ((1000, 1270),))
    places: dict[Any, Any] = {KEY: (400, 500), OTHER: (500 + have, 900 + have)}
    store: Any = SimpleNamespace(size=5000)
    assert _between(store, gap, store, places) == ((500, 500 + have) if fits else None)


def test_the_nearest_records_that_the_other_copy_has_once_count() -> None:
    gap = Gap(1000, 1270, ((OTHER, 3), (KEY, 10)), ((KEY, 5), (OTHER, 20)), ((1000, 1270),))
    store: Any = SimpleNamespace(size=5000)
    assert _between(store, gap, store, {OTHER: None, KEY: (400, 500)}) is None
    third = (258, 9, 0, 100, 0)
    gap = Gap(1000, 1270, ((OTHER, 3), (KEY, 10)), ((OTHER, 5), (third, 20)), ((1000, 1270),))
    assert _between(store, gap, store, {OTHER: None, KEY: (400, 500), third: (800, 900)}) == (500, 800)
    assert _between(store, gap, store, {third: (800, 900)}) is None


def test_where_a_record_is_asked_for_that_a_copy_has_twice_or_damaged_it_has_no_place() -> None:
    made = net()
    data = made.store.data
    known = {r.at: r for r in records(data) if r.kind == 258}
    asked = {(258, int.from_bytes(r.body[98:106], "big"), 0, r.time, r.body[111]): r for r in known.values()}
    found = _places(opened(data), set(asked))
    assert found == {key: (r.at, r.end) for key, r in asked.items()}
    key, twice = next(iter(asked.items()))
    hurt = bytearray(data)
    hurt[twice.at + 40] ^= 1
    assert key not in _places(opened(hurt), set(asked))
    made.store.append(twice.body, twice.time)
    assert _places(opened(made.store.data), set(asked))[key] is None
    assert _places(opened(data), set()) == {}


@pytest.mark.parametrize("shift", [0, 24])
def test_damage_is_covered_by_a_copy_that_has_it_whole_wherever_it_stands(shift: int) -> None:
    made = net()
    one = bytearray(made.store.data)
    hit = [r for r in records(one) if r.kind == 258][5]
    one[hit.at + 40] ^= 1
    whole = bytes(made.store.data)
    at = records(whole)[2].end
    other = whole[:at] + m_record(shift) + whole[at:] if shift else whole
    healing = Healing()
    cover([(opened(one), healing), (opened(other), Healing())])
    assert healing.covered == [(hit.at, hit.end)]
    assert healing.covers(hit.at, hit.end)
    assert not healing.covers(hit.at - 1, hit.end)
    assert not healing.covers(hit.at, hit.end + 1)


def m_record(size: int) -> bytes:
    """A sound record of so many bytes that one copy alone has."""
    made = Made(16, bare=True)
    made.append(m.delete_chan(99)[: size - 12].ljust(size - 12, b"\0"))
    return made.bytes()[1:]


def test_damage_that_is_damaged_in_the_other_copy_too_is_not_covered() -> None:
    made = net()
    one, two = bytearray(made.store.data), bytearray(made.store.data)
    hit = [r for r in records(one) if r.kind == 258][5]
    one[hit.at + 40] ^= 1
    two[hit.at + 50] ^= 1
    healing = Healing()
    cover([(opened(one), healing), (opened(two), Healing())])
    assert healing.covered == []


# -- at the same offsets ---------------------------------------------------------------------------


def hurt_at(data: bytes | bytearray, *places: Record) -> bytearray:
    out = bytearray(data)
    for place in places:
        out[place.at + 20] ^= 1
    return out


def test_a_damaged_stretch_is_told_with_four_sound_records_on_each_side() -> None:
    data = net().store.bytes()
    known = records(data)
    (region,) = regions(opened(hurt_at(data, known[9], known[10])))
    assert (region.start, region.end) == (known[9].at, known[10].end)
    assert [t[:3] for t in region.before] == [(r.at, r.end, r.kind) for r in known[5:9]]
    assert [t[:3] for t in region.after] == [(r.at, r.end, r.kind) for r in known[11:15]]
    first, second = regions(opened(hurt_at(data, known[2], known[5])))
    assert [t[0] for t in first.before] == [r.at for r in known[:2]]
    assert [t[0] for t in first.after] == [r.at for r in known[3:5]]
    assert [t[0] for t in second.before] == [known[n].at for n in (0, 1, 3, 4)]
    (last,) = regions(opened(hurt_at(data, known[-1])))
    assert (last.end, last.after) == (len(data), [])


def asked(data: bytes | bytearray, other: bytes | bytearray) -> list[tuple[int, int]]:
    (region,) = regions(opened(data))
    return aligned(opened(data), region, opened(other))


def test_another_copy_fills_a_stretch_by_position_where_the_records_around_it_agree() -> None:
    data = net().store.bytes()
    known = records(data)
    hurt = hurt_at(data, known[9], known[10])
    assert asked(hurt, data) == [(r.at, r.end) for r in known[9:11]]
    assert asked(hurt, hurt_at(data, known[9])) == [(known[10].at, known[10].end)]
    assert asked(hurt, net(3).store.bytes()) == []
    moved = data[: known[3].at] + m_record(22) + data[known[3].at :]
    assert asked(hurt, moved) == []


def test_the_first_and_the_last_record_are_filled_too() -> None:
    data = net().store.bytes()
    known = records(data)
    assert asked(hurt_at(data, known[0]), data) == [(known[0].at, known[0].end)]
    assert asked(hurt_at(data, known[-1]), data) == [(known[-1].at, known[-1].end)]
    torn = data[: known[-1].at + 30]
    assert asked(torn, data) == [(known[-1].at, known[-1].end)]
    other = bytearray(data)
    other[known[-1].at + 20] ^= 1
    assert asked(torn, other) == []


def test_behind_the_end_of_the_file_no_record_before_it_may_be_another_one() -> None:
    """One that is damaged in the other copy is none; but two of the four have to agree."""
    made = net()
    data = made.store.bytes()
    known = records(data)
    torn, filled = data[: known[-1].at + 30], [(known[-1].at, known[-1].end)]
    for number in (-2, -5, -6):
        assert asked(torn, hurt_at(data, known[number])) == filled
    assert asked(torn, hurt_at(data, known[-3], known[-4])) == filled
    assert asked(torn, hurt_at(data, known[-3], known[-4], known[-5])) == []
    other = Made(16, bare=True)
    other.append(known[-3].body[:98] + b"channel8" + known[-3].body[106:], known[-3].time, known[-3].flags)
    changed = data[: known[-3].at] + other.bytes()[1:] + data[known[-3].end :]
    assert asked(torn, changed) == []


def test_a_store_without_anything_before_the_damage_starts_where_the_other_does() -> None:
    data = net().store.bytes()
    region = Region(5, 60, [])
    assert aligned(opened(data), region, opened(data)) == []
    assert aligned(opened(data), Region(len(data) + 5, len(data) + 9, [(len(data), len(data) + 5, 0, 0, 0)]),
                   opened(data)) == []  # fmt: skip


def test_a_copy_is_healed_from_two_others_of_which_neither_has_all() -> None:
    data = net().store.bytes()
    known = records(data)
    one = hurt_at(data, known[9], known[10])
    two, three = hurt_at(data, known[9]), hurt_at(data, known[10])
    healing = heal(opened(one), [(4, opened(two)), (6, opened(three))])
    assert sorted((p.start, p.end, p.copy) for p in healing.patches) == [
        (known[9].at, known[9].end, 6), (known[10].at, known[10].end, 4),
    ]  # fmt: skip
    assert healing.covered == [(known[9].at, known[10].end)]
    only = heal(opened(one), [(4, opened(two))])
    assert [(p.start, p.end, p.copy) for p in only.patches] == [(known[10].at, known[10].end, 4)]
