"""Lists of peers against a second reader that shares no code: what decodes, to which peers, and where it ends."""

from __future__ import annotations

from random import Random

import pytest

from inspector.formats.known_peers import payload as paying
from inspector.formats.known_peers.payload import (
    NEWEST_FIRST,
    Address,
    Generation,
    Payload,
    Peer,
    parse_payload,
    payload_end,
    read_peer,
    write_payload,
)
from inspector.formats.known_peers.scale import Malformed, compact, write_compact
from tests.builders import known_peers as build

Read = tuple[int, list[tuple[bytes, list[tuple[bytes, int | None]]]], int]  # time, peers, where it ends


class EndsError(Exception):
    """The bytes are no list."""


def number(data: bytes, at: int) -> tuple[int, int]:
    """SCALE's compact integer: two low bits are the mode, and only the shortest form is one."""
    if at >= len(data):
        raise EndsError
    mode = data[at] % 4
    if mode == 3:
        count = data[at] // 4 + 4
        if at + 1 + count > len(data) or not data[at + count] or (count == 4 and data[at + 4] < 64):
            raise EndsError
        return int.from_bytes(data[at + 1 : at + 1 + count], "little"), at + 1 + count
    count = 1 << mode
    if at + count > len(data):
        raise EndsError
    value = int.from_bytes(data[at : at + count], "little") // 4
    if value < (0, 64, 16384)[mode]:
        raise EndsError
    return value, at + count


def piece(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = number(data, at)
    if at + length > len(data):
        raise EndsError
    return data[at : at + length], at + length


def second_reading(data: bytes, generation: Generation) -> Read:
    at = {1: 0, 2: 8, 3: 4}[generation]
    if at + 8 > len(data) or (generation == 2 and not any(data[:8])):
        raise EndsError
    time = int.from_bytes(data[at : at + 8], "little")
    count, at = number(data, at + 8)
    peers = []
    for _ in range(count):
        name, at = piece(data, at)
        more, at = number(data, at)
        addresses: list[tuple[bytes, int | None]] = []
        for _ in range(more):
            address, at = piece(data, at)
            flag = data[at : at + 1]
            if flag == b"\0":
                failed, at = None, at + 1
            elif flag == b"\1" and at + 9 <= len(data):
                failed, at = int.from_bytes(data[at + 1 : at + 9], "little"), at + 9
            else:
                raise EndsError
            addresses.append((address, failed))
        peers.append((name, addresses))
    return time, peers, at


def agree(data: bytes, generation: Generation) -> bool:
    """Whether it is a list, to both."""
    found = parse_payload(data, 0, len(data), generation)
    try:
        time, peers, end = second_reading(data, generation)
    except EndsError:
        assert found.error is not None
        assert payload_end(data, generation) is None
        return False
    assert found.error is None
    assert payload_end(data, generation) == found.end == end
    assert (found.timestamp, found.declared) == (time, len(peers))
    assert [(p.raw, [(a.raw, a.failed) for a in p.addresses]) for p in found.peers] == peers
    return True


LONG = Peer(build.peer(1).raw, (Address(b"\x36\x3e" + b"a" * 62), Address(b"\x36\x40" + b"b" * 64, 5), Address(b"", 7)))
MANY = Peer(build.peer(2).raw, tuple(Address(b"\x06\0" + bytes([n]), None if n % 3 else n) for n in range(65)))
# more than are passed at once, of every length that one byte tells, and a second such run behind one that was dialled
CROWD = Peer(build.peer(4).raw, tuple(Address(b"a" * (n % 65), 5 if n == 100 else None) for n in range(300)))
LISTS = [build.peers(2), (LONG,), (MANY, build.peer(3)), (CROWD, CROWD), (), (Peer(b"", ()), Peer(b"\0", ()))]


@pytest.mark.parametrize("generation", NEWEST_FIRST)
@pytest.mark.parametrize("listed", LISTS, ids=["two", "long", "many", "crowd", "none", "nameless"])
def test_every_byte_of_a_list_means_what_it_means_to_the_codec(
    listed: tuple[Peer, ...], generation: Generation
) -> None:
    data = write_payload(generation, 100, build.WROTE, listed) + b"\5\4\3\2"
    assert agree(data, generation)
    sound = 0
    for at in range(0, len(data), 1 if len(data) < 500 else 9 if len(data) < 5000 else 79):
        assert not agree(data[:at], generation) or at >= len(data) - 4
        for other in (data[at] ^ 1, data[at] ^ 2, data[at] ^ 4, 0, 0xFF):
            sound += agree(data[:at] + bytes([other]) + data[at + 1 :], generation)
    assert sound > len(data) // (9 if len(data) < 5000 else 79)  # keys and times may be any


def test_a_list_is_read_within_its_bytes_and_what_follows_them_is_none_of_it() -> None:
    data = build.payload(build.peers(3))
    for end in range(len(data) + 1):
        inside = parse_payload(data, 0, end, 3)
        alone = parse_payload(data[:end], 0, end, 3)
        assert inside == alone
        assert [p.end <= end for p in inside.peers] == [True] * len(inside.peers)


def test_a_list_that_begins_later_is_the_same_list() -> None:
    data = build.payload(build.peers(3))
    there, here = parse_payload(b"\7" * 40 + data, 40, 40 + len(data), 3), parse_payload(data, 0, len(data), 3)
    assert (there.start, there.end, there.length) == (40, 40 + len(data), len(data))
    assert [(p.raw, p.start - 40, p.end - 40) for p in there.peers] == [(p.raw, p.start, p.end) for p in here.peers]
    assert (there.timestamp, there.cache_size, there.declared) == (build.WROTE, 100, 3)


def test_random_entries_are_read_alike() -> None:
    rng = Random(11)
    for _ in range(400):
        listed = tuple(
            Peer(rng.randbytes(rng.randrange(4)), tuple(
                Address(rng.randbytes(rng.choice((0, 1, 63, 64, 70))), rng.choice((None, rng.randrange(1 << 64))))
                for _ in range(rng.randrange(4))
            )) for _ in range(rng.randrange(4))
        )  # fmt: skip
        data = bytearray(write_payload(3, 100, build.WROTE, listed))
        assert agree(bytes(data), 3)
        data[rng.randrange(12, len(data))] ^= 1 << rng.randrange(8)
        agree(bytes(data), 3)


@pytest.mark.parametrize(
    ("raw", "value"),
    [("00", 0), ("fc", 63), ("0101", 64), ("fdff", 16383), ("02000100", 16384), ("feffffff", (1 << 30) - 1),
     ("0300000040", 1 << 30), ("03ffffffff", (1 << 32) - 1), ("070000000001", 1 << 32),
     ("33" + "ff" * 16, (1 << 128) - 1), ("ff" + "00" * 66 + "01", 1 << 528)],
)  # fmt: skip
def test_a_count_has_one_form(raw: str, value: int) -> None:
    data = bytes.fromhex(raw)
    assert write_compact(value) == data
    assert compact(data, 0, len(data)) == number(data, 0) == (value, len(data))
    assert compact(b"\0" + data, 1, len(data) + 1) == (value, len(data) + 1)
    for end in range(len(data)):
        short = compact(data, 0, end)
        assert isinstance(short, Malformed)
        assert short.at == 0


def error(found: Payload) -> tuple[int, str] | None:
    return None if found.error is None else (found.error.at, found.error.why)


def test_what_stops_a_list_is_said_with_its_place() -> None:
    data = build.payload([build.peer(1, 1)])
    assert error(parse_payload(data, 0, 11, 3)) == (11, "the bytes end inside the header")
    assert error(parse_payload(data, 0, 12, 3)) == (12, "the bytes end where a count is due")
    assert error(parse_payload(bytes(8) + data, 0, 99, 2)) == (0, "a cache size of 0, which the codec refuses")
    # id of 38 bytes behind its length, then how many addresses, then the length of the first
    assert error(parse_payload(data, 0, 51, 3)) == (13, "a length of 38 bytes, 37 are left")
    assert error(parse_payload(data, 0, 53, 3)) == (
        52,
        "1 addresses declared, 0 are left".replace("0 are", "0 bytes are"),
    )
    assert error(parse_payload(data, 0, 54, 3)) == (52, "1 addresses declared, 1 bytes are left")
    flag = len(data) - 9
    assert data[flag] == 1
    why = "the time of a failed dial is neither absent (0) nor present (1)"
    assert error(parse_payload(data, 0, len(data) - 1, 3)) == (flag, why)
    assert error(parse_payload(data, 0, flag, 3)) == (flag, why)
    assert error(parse_payload(data[:flag] + b"\2" + data[flag + 1 :], 0, len(data), 3)) == (flag, why)


def test_a_list_of_more_than_is_kept_is_said_to_have_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paying, "MAX_KEPT", 3)
    three, four = (build.payload(build.peers(n), build.WROTE + n) for n in (3, 4))
    assert error(parse_payload(three, 0, len(three), 3)) is None
    found = parse_payload(four, 0, len(four), 3)
    assert error(found) == (found.peers[-1].end, "4 peers declared; only 3 are read")
    assert (len(found.peers), found.declared) == (3, 4)
    assert (payload_end(three, 3), payload_end(four, 3)) == (len(three), None)


def test_the_addresses_of_all_peers_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paying, "MAX_KEPT_ADDRESSES", 6)
    six = build.payload([build.peer(1, 3), build.peer(2, 3)], build.WROTE + 1)
    seven = build.payload([build.peer(1, 3), build.peer(2, 4)], build.WROTE + 2)
    assert (error(parse_payload(six, 0, len(six), 3)), payload_end(six, 3)) == (None, len(six))
    found = parse_payload(seven, 0, len(seven), 3)
    assert error(found) == (found.peers[0].end, "more than 6 addresses in one slot; no more are read")
    assert payload_end(seven, 3) is None
    one = build.payload([build.peer(1, 7)], build.WROTE + 3)
    assert error(parse_payload(one, 0, len(one), 3)) == (52, f"7 addresses declared, {len(one) - 53} bytes are left")
    assert payload_end(one, 3) is None


def test_addresses_take_two_bytes_at_least() -> None:
    """As many as the bytes that are left can hold are begun, and one more is refused before anything is read."""
    empty = b"\0\0" * 3  # three addresses of no bytes that never failed
    assert read_peer(b"\0" + write_compact(3) + empty, 0, 8) == Peer(b"", (Address(b""),) * 3, 0, 8)
    refused = read_peer(b"\0" + write_compact(4) + empty, 0, 8)
    assert refused == Malformed(1, "4 addresses declared, 6 bytes are left")


def test_lists_are_kept_while_their_weight_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = paying._parse

    def parse_and_count(buf: bytes, start: int, end: int, generation: Generation) -> Payload:
        read.append(len(buf))
        return real(buf, start, end, generation)

    monkeypatch.setattr(paying, "_parse", parse_and_count)
    monkeypatch.setattr(paying, "LIGHT", 10)
    monkeypatch.setattr(paying, "MOST_WEIGHT", 102)
    parse = paying._Parsed()
    # a weight is its peers, its addresses, and a 64th of its bytes: 2 peers with 16 and 4 with 30 of 6 bytes each
    lists = [build.payload([Peer(b"\0", (Address(b"x"),) * 10) for _ in range(3)], time) for time in range(4)]
    weight = 3 + 30 + (len(lists[0]) >> 6)
    assert weight == 34
    for _ in range(2):
        for data in lists[:3]:
            assert parse(data, 0, len(data), 3).error is None
    assert len(read) == 3  # all three are kept, 102 of 102
    parse(lists[3], 0, len(lists[3]), 3)
    parse(lists[1], 0, len(lists[1]), 3)
    assert len(read) == 4
    parse(lists[0], 0, len(lists[0]), 3)  # the oldest went
    assert len(read) == 5
    light = build.payload([Peer(b"\0", (Address(b"x"),) * 9)])
    for _ in range(2):
        parse(light, 0, len(light), 3)
    assert len(read) == 7  # sooner read than kept
