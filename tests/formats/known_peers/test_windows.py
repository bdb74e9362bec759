"""Free bytes are read in windows, trials have an end, and a plan says what it will take: whatever their sizes."""

from __future__ import annotations

from random import Random

import pytest

from inspector.format import Wishes
from inspector.formats.known_peers import FORMAT, flip, state
from inspector.formats.known_peers.payload import Generation, parse_payload, payload_end
from inspector.formats.known_peers.place import Geometry
from inspector.formats.known_peers.plan import List, build_list
from inspector.formats.known_peers.slots import slot_length
from inspector.source import MemorySource
from tests.builders import known_peers as build
from tests.builders.known_peers import S


def opened(data: bytes) -> state.State:
    return state.open_state(MemorySource(data, "known_addresses.bin"), None, Wishes())


@pytest.mark.parametrize("look", [700, 4096, 100_000])
def test_old_entries_are_the_same_however_many_bytes_are_read_at_a_time(
    look: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind zeroes, across windows, and none of them twice."""
    room = slot_length(8)
    entries = [build.payload([build.peer(n, 1 + n % 4)])[13:] for n in range(30)]
    rest = b"".join(bytes(800 * (n % 3)) + entry for n, entry in enumerate(entries))
    torn = build.payload(build.peers(5))[:200]
    data = build.slot(build.seal(build.payload(build.peers(2), cache=8)) + bytes(5000) + rest, room=room)
    data += build.slot(torn + b"\xff" * 9 + rest, room=room)
    usual = opened(data)
    assert len(usual.carved) == 30 + 29  # the first one in slot B is taken for a part of the entry that is broken
    monkeypatch.setattr(state, "LOOK", look)
    found = opened(data)
    assert found.carved == usual.carved
    assert state.regions(found) == state.regions(usual)


def test_the_last_byte_is_found_in_any_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for look in (1, 2, 7, 1 << 20):
        monkeypatch.setattr(state, "LOOK", look)
        for data in (b"", bytes(9), b"\1" + bytes(8), bytes(8) + b"\1", bytes(4) + b"\1\0\0\1\0", b"\1" * 9):
            source = MemorySource(data)
            for start in range(len(data) + 1):
                right = start + len(data[start:].rstrip(b"\0"))
                assert state.last_byte(source, start, len(data)) == right


def test_trials_of_lengths_end_with_the_bytes_that_they_may_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trial that decodes costs the bytes up to where the list ends, and of the last entries those before too."""
    body = build.payload(build.peers(6))
    buf = bytearray(build.seal(body))
    buf[40] ^= 0xFF  # in a key: no length that is tried mends it
    read: list[int | None] = []

    def counted(data: bytes, generation: Generation) -> int | None:
        read.append(payload_end(data, generation))
        return read[-1]

    monkeypatch.setattr(flip, "payload_end", counted)
    payload = parse_payload(bytes(buf), 0, len(buf), 3)
    for most in (0, 1000, 5000):
        read.clear()
        monkeypatch.setattr(flip, "MAX_WORK", most)
        assert list(flip._in_structure(bytes(buf), payload)) == []
        costs = [len(body) if end is None else end for end in read]
        assert sum(costs[:-1]) <= most
    read.clear()
    monkeypatch.setattr(flip, "MAX_WORK", 1 << 30)
    assert list(flip._in_structure(bytes(buf), payload)) == []
    assert len(read) > 40


def test_a_repair_says_how_large_its_output_is() -> None:
    assert FORMAT.plan is not None
    one, torn = build.seal(build.payload(build.peers(2))), build.payload(build.peers(5))[:200]
    for data in (build.store(one, b""), build.store(one, torn), build.store(one, torn)[:-99], build.slot(one) + one):
        plan = FORMAT.plan(opened(data), Wishes())
        size = len(data) if len(data) == 2 * S and torn not in data else 2 * S
        assert (plan.estimate, plan.size or size) == (size, size)
        assert plan.folder is False


@pytest.mark.parametrize("less", [0, 1])
def test_a_list_may_fill_its_slot_to_the_last_byte(less: int) -> None:
    """Of a list that is longer one in fifty is left out at a time, and at least one."""
    for count in (1, 7, 120):
        peers = build.peers(count)
        chosen = List(3, 100, build.WROTE, peers, 0, frozenset({0}), "sealed")
        room = len(build.seal(build.payload(peers))) - less
        made, notes = build_list(chosen, Geometry(2 * room, room, ""))
        left = max(1, count // 50) * less
        assert made == build.seal(build.payload(peers[: count - left]))
        assert notes == ([f"{left} peers do not fit in a slot and are left out"] if less else [])


@pytest.mark.parametrize("known", [0, 2])
def test_of_a_slot_that_breaks_off_all_behind_its_last_entry_is_noise_in_a_disguise(known: int) -> None:
    """Of one without entries its head as well; zeroes stay zeroes, and so does what is not to be hidden."""
    assert FORMAT.mask is not None
    junk = bytes(Random(4).choices(range(4, 256), k=300))
    head = build.payload(build.peers(3))[: len(build.payload(build.peers(known))) + 1]
    data = build.slot(head + b"\xff" + junk) + build.slot(build.seal(build.payload(build.peers(2, 9))))
    found = opened(data)
    assert ([slot.verdict for slot in found.slots], len(found.slots[0].payload.peers)) == (["torn", "good"], known)
    begin, end = found.slots[0].payload.peers[-1].end if known else 0, len(head) + 301
    masked = bytearray(data)
    for at, new in FORMAT.mask(found, lambda noun, text: f"{noun}-{text}", lambda start, end: False):
        masked[at : at + len(new)] = new
    assert masked[begin:S] == data[begin:S]
    for at, new in FORMAT.mask(found, lambda noun, text: f"{noun}-{text}", lambda start, end: True):
        masked[at : at + len(new)] = new
    same = [at for at in range(begin, end) if masked[at] == data[at] != 0]
    assert len(same) < 12
    assert masked[begin] != data[begin]
    assert masked[end:S] == data[end:S]
