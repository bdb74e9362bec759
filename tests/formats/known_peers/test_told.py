"""Why a list is damaged, what a merge writes of several, and which bytes of it are others in a masked copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from inspector.finding import Tally
from inspector.format import Wishes
from inspector.formats.known_peers import carve as carving
from inspector.formats.known_peers.carve import carve
from inspector.formats.known_peers.causes import cause_of
from inspector.formats.known_peers.flip import one_flip
from inspector.formats.known_peers.masking import mask
from inspector.formats.known_peers.payload import Address, Peer, parse_payload
from inspector.formats.known_peers.place import _heads_before, hunt
from inspector.formats.known_peers.scale import write_compact
from inspector.formats.known_peers.slots import LATEST, is_sealed
from inspector.formats.known_peers.state import State, open_state
from inspector.formats.known_peers.views import answer
from inspector.source import MemorySource
from tests.builders import known_peers as build
from tests.builders.known_peers import WROTE, S
from tests.formats.known_peers.test_merge import merged

BROKEN = b"\1\0"  # a count that is longer than the codec allows


def opened(data: bytes) -> State:
    return open_state(MemorySource(data, "known_addresses.bin"), None, Wishes())


def cause(data: bytes, slot: int = 0) -> tuple[str, str]:
    state = opened(data)
    found = cause_of(state, state.slots[slot])
    return found.name, found.confidence


def entries(count: int, first: int = 0) -> bytes:
    return build.payload(build.peers(count, first))[13:]


def head(declared: int, at: int = WROTE) -> bytes:
    return build.payload((), at)[:12] + write_compact(declared)


@pytest.mark.parametrize(("fewer", "name"), [(-2, "torn-write"), (-1, "unknown"), (2, "unknown"), (3, "torn-write")])
def test_another_list_shows_where_the_entries_are_not_as_many_as_are_declared(fewer: int, name: str) -> None:
    """Four entries, one that breaks off, six of whichever list: eleven in all."""
    data = build.slot(head(11 + fewer) + entries(4) + BROKEN + b"\x11" * 8 + entries(6, 50) + b"\x99" * 32)
    assert cause(data + bytes(S)) == (name, "likely" if name != "unknown" else "possible")
    # beside a newer list of which the digest holds it is less sure that this one was being written
    newer = build.slot(build.seal(build.payload(build.peers(2), WROTE + 1)))
    assert cause(data + newer) == (name, "possible")
    older = build.slot(build.seal(build.payload(build.peers(2), WROTE)))
    assert cause(data + older)[1] == ("likely" if name != "unknown" else "possible")


@pytest.mark.parametrize(("length", "name"), [(256, "unknown"), (257, "overwritten")])
def test_more_bytes_than_an_entry_has_were_never_a_part_of_the_list(length: int, name: str) -> None:
    data = head(11) + entries(4) + BROKEN + b"\x11" * (length - 2) + entries(6, 50)
    assert cause(build.slot(data) + bytes(S)) == (name, "possible")


def test_entries_may_be_longer_than_that() -> None:
    """An entry of 300 bytes in the list: as many may be one broken entry."""
    long = Peer(build.peer(9).raw, tuple(Address(b"\x36\x50" + b"%080d" % n) for n in range(3)))
    entry = build.payload([long])[13:]
    for more, name in ((0, "unknown"), (1, "overwritten")):
        data = head(12) + entry + entries(4) + BROKEN + b"\x11" * (len(entry) - 2 + more) + entries(6, 50)
        assert cause(build.slot(data) + bytes(S)) == (name, "possible")


@pytest.mark.parametrize(("less", "confidence"), [(0, "likely"), (1, "possible")])
def test_a_block_that_covers_what_is_no_entry_was_written_there(less: int, confidence: str) -> None:
    """Entries end shortly behind a boundary of 512 bytes, and something else goes on up to the next one, or nearly."""
    count = next(n for n in range(1, 60) if n % 4 and (len(head(20) + entries(n)) % 512) < 60)
    begin = head(count + 7) + entries(count)
    filled = 512 - len(begin) % 512 - less
    data = begin + BROKEN + b"\x11" * (filled - 2) + entries(6, 50) + b"\x99" * 32
    assert cause(build.slot(data) + bytes(S)) == ("overwritten", confidence)


@pytest.mark.parametrize(
    ("start", "stop", "confidence"),
    [
        (4096, 4096 + 64, "likely"),
        (512 * 9, 512 * 9 + 70, "likely"),
        (4100, 4096 + 512, "possible"),  # it ends on a boundary, and other bytes of the list stand before it
        (4101, 4101 + 64, "possible"),
    ],
)
def test_zeroes_in_a_list_are_sure_where_they_begin_on_a_boundary(start: int, stop: int, confidence: str) -> None:
    data = bytearray(build.store(build.seal(build.payload(build.peers(100))), b""))
    data[start:stop] = bytes(stop - start)
    assert cause(bytes(data)) == ("zeroed-range", confidence)


def test_zeroes_from_the_head_of_slot_b_to_a_page_are_sure() -> None:
    page = 118 * 4096  # the first boundary in slot B, which begins at byte 1410 of page 117
    assert page - S == 4096 - 1410
    for stop, confidence in ((page, "likely"), (page - 4096 + 2048, "likely"), (page - 7, "possible")):
        for first in (b"", build.seal(build.payload(build.peers(2), WROTE - 1))):  # also beside a slot of zeroes
            data = bytearray(build.store(first, build.seal(build.payload(build.peers(100)))))
            data[S:stop] = bytes(stop - S)
            assert cause(bytes(data), 1) == ("zeroed-range", confidence)


def test_63_zeroes_are_none() -> None:
    for count, name in ((63, "unknown"), (64, "zeroed-range")):
        data = build.slot(head(11) + entries(4) + BROKEN + b"\x11" * 9 + bytes(count) + b"\x11" * 9) + bytes(S)
        state = opened(data)
        assert state.slots[0].torn_at == len(head(11) + entries(4))
        # what lies behind the place where decoding stopped is not a part of the list
        assert cause_of(state, state.slots[0]).name != "zeroed-range"
        whole = bytearray(build.store(build.seal(build.payload(build.peers(100))), b""))
        at = 5001
        whole[at : at + count] = bytes(count)
        whole[at - 1] = whole[at + count] = 0xAA
        assert (cause(bytes(whole))[0] == "zeroed-range") == (name == "zeroed-range")


def test_every_length_count_and_flag_of_a_list_is_put_right() -> None:
    listed = tuple(build.peer(n, 3) for n in range(5))
    unit = build.seal(build.payload(listed))
    places, at = [12], 13
    for peer in listed:
        places += [at, at + 1 + len(peer.raw)]
        at += 2 + len(peer.raw)
        for address in peer.addresses:
            places += [at, at + 1 + len(address.raw)]
            at += 2 + len(address.raw) + (0 if address.failed is None else 8)
    assert at + 32 == len(unit)
    for place in places:
        for bit in (0, 5):
            bad = unit[:place] + bytes([unit[place] ^ 1 << bit]) + unit[place + 1 :] + bytes(64)
            found = one_flip(bad, 3)
            assert found is not None, (place, bit)
            assert (found.at, found.bit, found.data) == (place, bit, unit)


def test_a_list_of_v1_may_begin_with_the_file() -> None:
    body = build.payload(build.peers(2), generation=1)
    assert list(_heads_before(body, 9)) == [(0, 1)]
    assert list(_heads_before(b"\7" * 5 + body, 14)) == [(1, 3), (5, 1)]
    assert list(_heads_before(b"\7" * 8 + body, 17)) == [(4, 3), (0, 2), (8, 1)]
    assert list(_heads_before(body[1:], 8)) == []
    late = build.payload(build.peers(2), LATEST, generation=1)
    assert list(_heads_before(late, 9)) == []


def test_old_entries_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(list(carve(entries(5), 0))) == 5
    monkeypatch.setattr(carving, "MAX_CARVED", 3)
    assert len(list(carve(entries(5), 0))) == 3


def test_a_payload_is_sealed_by_the_digest_that_follows_it() -> None:
    body = build.payload(build.peers(2))
    unit = build.seal(body)
    assert is_sealed(unit, 0, len(body))
    assert is_sealed(b"\7" * 5 + unit, 5, 5 + len(body))
    assert not is_sealed(unit[:-1], 0, len(body))
    assert not is_sealed(unit, 0, len(body) - 1)
    broken = body[:-1]
    torn = broken + blake3(broken[: parse_payload(broken, 0, len(broken), 3).end]).digest()
    assert parse_payload(torn, 0, len(broken), 3).error is not None
    assert list(hunt(lambda at, n: (torn + bytes(2000))[at : at + n], 2000)) == []


def test_peers_that_only_an_unsealed_list_names_are_counted() -> None:
    refused = Peer(b"\x13\x01", build.peer(1).addresses)
    loose = build.payload([*build.peers(4), build.peer(70), refused]) + b"\7" * 32
    state = opened(build.store(build.seal(build.payload(build.peers(4))), loose))
    words = [line for line in answer(state, Tally()).words if "that no sealed list names" in line]
    assert words == ["1 peer that no sealed list names can be read; --accept unsealed writes them as well."]
    same = opened(build.store(build.seal(build.payload(build.peers(4))), build.payload(build.peers(3)) + b"\7" * 32))
    assert not [line for line in answer(same, Tally()).words if "that no sealed list names" in line]


def test_a_merge_writes_two_slots_of_one_list_and_nothing_behind_them(tmp_path: Path) -> None:
    one = build.store(build.seal(build.payload(build.peers(3), WROTE - 5)), b"")
    two = build.slot(build.seal(build.payload(build.peers(2, 40), WROTE)), build.payload(build.peers(9, 90))) + bytes(S)
    done = merged(tmp_path, one, two)
    body = build.payload([*build.peers(2, 40), *build.peers(3)], WROTE)
    assert (tmp_path / "out.bin").read_bytes() == build.store(build.seal(body), build.seal(body))
    assert done.plan.counts == {"peers": 5, "sound_slots": 2}


@pytest.mark.parametrize(("time", "sealed", "written"), [(7, True, 7), (7, False, 0)])
def test_the_time_of_a_merged_list_is_one_that_can_be_or_one_that_is_proved(
    time: int, sealed: bool, written: int, tmp_path: Path
) -> None:
    body = build.payload(build.peers(3), time)
    data = build.store(build.seal(body) if sealed else body + b"\7" * 32, b"")
    merged(tmp_path, data, data, wishes=Wishes(accept=frozenset({"unsealed"})))
    assert opened((tmp_path / "out.bin").read_bytes()).slots[0].payload.timestamp == written


def masked(data: bytes, hide: bool = True) -> bytes:
    out = bytearray(data)
    state = opened(data)
    for at, new in mask(state, lambda kind, text: f"{kind}:{blake3(text.encode()).hexdigest()}", lambda a, b: hide):
        out[at : at + len(new)] = new
    assert len(out) == len(data)
    return bytes(out)


def shape(data: bytes) -> list[Any]:
    return [
        (
            s.verdict,
            s.offset,
            s.end,
            s.payload.timestamp,
            [(p.start, p.end, [a.failed for a in p.addresses]) for p in s.payload.peers],
        )
        for s in opened(data).slots
    ]


def test_a_masked_list_has_other_peers_at_the_same_places() -> None:
    older = build.seal(build.payload(build.peers(9, 90), WROTE - 9))
    data = build.slot(build.seal(build.payload(build.peers(4))), older) + build.slot(older)
    other = masked(data)
    assert shape(other) == shape(data)
    before, after = opened(data), opened(other)
    assert [(p.start, p.end) for p in after.carved] == [(p.start, p.end) for p in before.carved]
    for one, two in zip(before.slots, after.slots, strict=True):
        for old, new in zip(one.payload.peers, two.payload.peers, strict=True):
            assert old.raw != new.raw
            assert old.raw[:-32] == new.raw[:-32]
            assert not new.problem
    assert all(build.peer(n).raw[-32:] not in other for n in (*range(4), *range(90, 99)))


def test_bytes_before_and_behind_the_slots_are_masked_where_it_is_asked() -> None:
    data = b"\x99" * 33 + build.store(build.seal(build.payload(build.peers(4))), b"") + b"\x88" * 40
    other = masked(data)
    assert other[0] != data[0]
    assert other[1:33] != data[1:33]
    assert other[-40:] != data[-40:]
    kept = masked(data, hide=False)
    assert (kept[:33], kept[-40:]) == (data[:33], data[-40:])
    assert shape(other) == shape(kept) == shape(data)


def test_a_flipped_bit_is_flipped_in_the_masked_copy_too() -> None:
    data = bytearray(build.store(build.seal(build.payload(build.peers(4))), b""))
    data[30] ^= 4
    other = masked(bytes(data))
    (flip,) = opened(other).flips.values()
    assert (flip.at, flip.bit) == (30, 2)
    assert shape(other)[0][:3] == shape(bytes(data))[0][:3]


def test_an_old_entry_right_behind_a_list_is_masked_as_one() -> None:
    data = build.small(build.seal(build.payload(build.peers(2), cache=4)) + entries(3, 90) + b"\x77" * 9, b"")
    before, after = opened(data), opened(masked(data))
    assert before.carved[0].start == before.slots[0].end
    assert [(p.start, p.end) for p in after.carved] == [(p.start, p.end) for p in before.carved]
    assert all(new.raw != old.raw and not new.problem for old, new in zip(before.carved, after.carved, strict=True))
    assert masked(data)[after.carved[-1].end :][:9] != b"\x77" * 9


@pytest.mark.parametrize("at", [0, WROTE + 77])
def test_a_merged_list_may_be_of_the_asked_time(at: int, tmp_path: Path) -> None:
    data = build.small(build.seal(build.payload(build.peers(3), cache=4)), b"")
    merged(tmp_path, data, data, wishes=Wishes(touch=True, at=at))
    assert opened((tmp_path / "out.bin").read_bytes()).slots[0].payload.timestamp == at
