"""Lengths, times and limits of a list of peers, each at the border: what the node takes and what it leaves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from inspector.finding import Tally
from inspector.format import Wishes
from inspector.formats.known_peers.carve import carve
from inspector.formats.known_peers.check import check, duplicates, findings
from inspector.formats.known_peers.flip import MAX_HASHED, Hashing
from inspector.formats.known_peers.identity import peer_problem
from inspector.formats.known_peers.loader import choose, outcomes
from inspector.formats.known_peers.payload import Address, Generation, Peer
from inspector.formats.known_peers.place import measure
from inspector.formats.known_peers.plan import limited
from inspector.formats.known_peers.slots import Slot, cache_for, read_slot, slot_length
from inspector.formats.known_peers.state import State, claim, open_state
from inspector.source import MemorySource
from tests.builders import known_peers as build
from tests.builders.known_peers import WROTE, S

EARLIEST, LATEST = 1_690_000_000, 4_102_444_800
DAY = 86_400


def opened(data: bytes, **wishes: Any) -> State:
    return open_state(MemorySource(data, "known_addresses.bin"), None, Wishes(**wishes))


def told(data: bytes, **wishes: Any) -> list[tuple[str, int, int, dict[str, Any]]]:
    return [(f.rule.code, f.span.start, f.span.end, dict(f.evidence)) for f in findings(opened(data, **wishes))]


def listed(*peers: Peer, at: int = WROTE, generation: Generation = 3, cache: int = 100) -> bytes:
    return build.seal(build.payload(peers, at, generation, cache))


@pytest.mark.parametrize(
    ("cache", "length"), [(1, 4847), (4, 19265), (63, 302819), (64, 307626), (100, 480642), (10_000, 48_060_042)]
)
def test_a_slot_has_the_length_that_the_program_computes(cache: int, length: int) -> None:
    """8 bytes of time, a compact count, 4806 for each peer, and the digest."""
    assert slot_length(cache) == length
    assert cache_for(length) == cache
    assert cache_for(length - 1) is None
    assert cache_for(length + 1) is None


def test_no_peers_are_no_cache() -> None:
    assert [cache_for(length) for length in (0, 40, 41, 42, 4846)] == [None] * 5


def head(cache: int, time: int, width: int = 4) -> bytes:
    return (cache.to_bytes(width, "little") + time.to_bytes(8, "little")).ljust(16, b"\0")


@pytest.mark.parametrize(
    ("size", "first", "room", "words"),
    [
        (2 * S, b"", S, "the length fits a cache of 100 peers"),
        (2 * 4847, head(7, WROTE), 4847, "the length fits a cache of 1 peers"),
        (2 * S + 1, head(7, WROTE), slot_length(7), "slot A says a cache of 7 peers"),
        (2 * S - 2, head(7, WROTE), slot_length(7), "slot A says a cache of 7 peers"),
        (99, head(7, EARLIEST + 1), slot_length(7), "slot A says a cache of 7 peers"),
        (99, head(7, EARLIEST), S, "the nearest known layout has a cache of 100 peers"),
        (99, head(7, LATEST - 1), slot_length(7), "slot A says a cache of 7 peers"),
        (99, head(7, LATEST), S, "the nearest known layout has a cache of 100 peers"),
        (99, head(0, WROTE), S, "the nearest known layout has a cache of 100 peers"),
        (99, head(1_000_000, WROTE), slot_length(1_000_000), "slot A says a cache of 1000000 peers"),
        (99, head(1_000_001, WROTE), S, "the nearest known layout has a cache of 100 peers"),
        (99, head(7, WROTE, 8), slot_length(7), "slot A says a cache of 7 peers"),
        (48_540_683, b"", S, "the nearest known layout has a cache of 100 peers"),
        (48_540_685, b"", 48_060_042, "the nearest known layout has a cache of 10000 peers"),
    ],
)
def test_the_length_of_a_slot_comes_from_the_file_else_from_slot_a(
    size: int, first: bytes, room: int, words: str
) -> None:
    found = measure(size, first)
    assert (found.size, found.room, found.because, found.half) == (size, room, words, size // 2)
    assert found.right_length == (size == 2 * room)


TWO = build.peers(2)
BODY = build.payload(TWO)


@pytest.mark.parametrize(
    ("buf", "room", "verdict", "torn_at"),
    [
        (b"", 999, "absent", None),
        (bytes(999), 999, "zero", None),
        (bytes(998) + b"\1", 999, "bad checksum", None),  # a list of no peers and a time of none
        (build.seal(BODY), 999, "good", None),
        (BODY + bytes(32), len(BODY) + 32, "bad checksum", None),
        (BODY + bytes(31), len(BODY) + 99, "cut", len(BODY) + 31),
        (BODY[:60], 60, "torn", 53),
        (BODY[:60], 61, "cut", 53),
        (build.payload([Peer(b"\x13\x01", ())]) + bytes(40), 999, "torn", 13),  # such a hash names no peer
    ],
)
def test_a_slot_is_what_its_bytes_say(buf: bytes, room: int, verdict: str, torn_at: int | None) -> None:
    slot = read_slot(buf, 1, 5000, room)
    assert (slot.verdict, slot.torn_at) == (verdict, None if torn_at is None else torn_at + 5000)
    assert (slot.index, slot.offset, slot.room, slot.limit) == (1, 5000, room, 5000 + len(buf))


@pytest.mark.parametrize(("behind", "verdict"), [(255, "cut"), (256, "torn")])
def test_a_list_that_breaks_off_within_255_bytes_of_the_end_was_cut(behind: int, verdict: str) -> None:
    first = build.payload([build.peer(1, 1)] * 2)
    at = len(build.payload([build.peer(1, 1)]))
    buf = first[:at] + b"\1\0" + b"\7" * (behind - 2)  # a count that is longer than needed
    slot = read_slot(buf, 0, 0, 10_000)
    assert (slot.verdict, slot.torn_at, len(slot.payload.peers)) == (verdict, at, 1)
    assert read_slot(buf, 0, 0, len(buf)).verdict == "torn"  # nothing is missing


@pytest.mark.parametrize(
    ("data", "generation"),
    [
        (head(100, WROTE), 3), (head(10_000, WROTE), 3), (head(4, WROTE), 3), (head(100, WROTE, 8), 2),
        (WROTE.to_bytes(8, "little"), 1), (head(99, WROTE), 3), (head(100, EARLIEST), 3), (head(100, LATEST, 8), 3),
        (head(100, LATEST - 1, 8), 2), (head(100, EARLIEST + 1, 8), 2), (EARLIEST.to_bytes(8, "little"), 3),
        ((EARLIEST + 1).to_bytes(8, "little"), 1), (LATEST.to_bytes(8, "little"), 3), (head(99, WROTE, 8), 3),
    ],
)  # fmt: skip
def test_without_a_digest_the_head_tells_the_generation(data: bytes, generation: int) -> None:
    found = read_slot(data.ljust(300, b"\xff"), 0, 0, slot_length(4))
    assert found.payload.generation == generation


def slots(a: bytes, b: bytes) -> tuple[Slot, Slot]:
    return read_slot(a, 0, 0, S), read_slot(b, 1, S, S)


@pytest.mark.parametrize(
    ("size", "a", "b", "index", "why"),
    [
        (0, b"", b"", None, "an empty file is a new file"),
        (1, b"", b"", None, "half of a 1-byte file is 0 bytes, which is no chunk size"),
        (2 * S, listed(*TWO), listed(*TWO, at=WROTE + 1), 1, "slot B has the later time"),
        (2 * S, listed(*TWO), listed(*TWO, at=WROTE - 1), 0, "slot A has the later time"),
        (2 * S, listed(*TWO), listed(*TWO), 0, "both times are equal and slot A is kept on a tie"),
        (2 * S, listed(*TWO, generation=2), listed(*TWO), 1, "only slot B has a good digest"),
        (2 * S, listed(*TWO), BODY + bytes(40), 0, "only slot A has a good digest"),
        (2 * S, listed(*TWO, generation=2), bytes(S), None, "no half of the file has a good digest"),
    ],
)
def test_the_node_takes_the_newest_good_list_of_its_generation(
    size: int, a: bytes, b: bytes, index: int | None, why: str
) -> None:
    found = choose(size, slots(a, b), 3)
    assert (found.slot.index if found.slot else None, found.why, found.panics) == (index, why, size == 1)


def outcome(a: bytes, b: bytes, size: int = 2 * S, at: int | None = None, length: int = 2 * S) -> list[tuple[str, str]]:
    return [(one.outcome, one.message) for one in outcomes(size, slots(a, b), length, at)]


QUIET = "starts with an empty list, silently at the usual log level"
RESIZED = "; then resizes the file and copies the list into both slots without a digest"
LOADS = "loads 2 of 2 peers from slot A (only slot A has a good digest)"
HASH = "Hash doesn't match, possible disk corruption or file was just created, ignoring (debug)"
DECODE = "Failed to decode encodable known peers (debug)"
SHORT = "Not enough bytes to decode checksum, file was likely corrupted (debug)"


def test_each_generation_of_the_node_loads_its_own_lists_only() -> None:
    assert outcome(listed(*TWO), bytes(S)) == [(LOADS, ""), (QUIET, ""), (QUIET, "")]
    assert outcome(listed(*TWO, generation=2), bytes(S)) == [(QUIET, ""), (LOADS, ""), (QUIET, "")]
    assert outcome(listed(*TWO, generation=1), bytes(S)) == [(QUIET, ""), (QUIET, ""), (LOADS, "")]
    assert outcome(bytes(S), bytes(S)) == [(QUIET, HASH), (QUIET, DECODE), (QUIET, HASH)]
    assert outcome(BODY + bytes(40), b"") == [(QUIET, HASH), (QUIET, ""), (QUIET, "")]
    assert outcome(BODY + bytes(31), b"") == [(QUIET, SHORT), (QUIET, ""), (QUIET, "")]
    assert outcome(BODY[:60], b"") == [(QUIET, DECODE), (QUIET, ""), (QUIET, "")]


def test_a_file_of_another_length_is_resized_and_a_new_one_is_not() -> None:
    assert outcome(listed(*TWO), b"", 2 * S - 2)[0] == (LOADS + RESIZED, "")
    assert outcome(bytes(9), b"", 18)[0][0] == QUIET + RESIZED
    assert outcome(b"", b"", 0) == [(QUIET, "")] * 3
    assert [one for one, _ in outcome(b"", b"", 1)] == ["panics at every start"] * 3


def test_since_v3_a_list_is_used_for_24_hours() -> None:
    old = "ignores the list: it is older than 24 hours"
    assert outcome(listed(*TWO), b"", at=WROTE + DAY)[0][0] == LOADS
    assert outcome(listed(*TWO), b"", at=WROTE + DAY + 1)[0][0] == old
    assert outcome(listed(*TWO, generation=2), b"", at=WROTE + DAY + 1)[1][0] == LOADS
    assert [c for c, *_ in told(build.store(listed(*TWO), b""), at=WROTE + DAY)] == []
    ((code, start, end, evidence),) = told(build.store(listed(*TWO), b""), at=WROTE + DAY + 1)
    assert (code, start, end) == ("KNP013", 0, len(BODY) + 32)
    assert evidence == {"timestamp": WROTE, "at": WROTE + DAY + 1, "age": DAY + 1}
    assert told(build.store(listed(*TWO), b""), at=WROTE) == []
    ((code, _, _, evidence),) = told(build.store(listed(*TWO), b""), at=WROTE - 1)
    assert (code, evidence["age"]) == ("KNP014", -1)


def address(length: int, number: int = 0) -> Address:
    """/dns4 with a name, of so many bytes in all."""
    name = b"%d" % number
    size = length - 2 if length < 130 else length - 3
    coded = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return Address(b"\x36" + coded + name.rjust(size, b"a"))


@pytest.mark.parametrize(
    ("addresses", "evidence"),
    [
        (tuple(address(150, n) for n in range(30)), None),
        (tuple(address(9, n) for n in range(31)), {"addresses": 31, "longest_address": 9}),
        ((address(9), address(151)), {"addresses": 2, "longest_address": 151}),
    ],
)
def test_thirty_addresses_of_150_bytes_are_what_the_node_writes(
    addresses: tuple[Address, ...], evidence: dict[str, int] | None
) -> None:
    one = Peer(build.peer(1).raw, addresses)
    assert all(len(a.raw) in (9, 150, 151) and not a.problem for a in addresses)
    found = told(build.store(listed(build.peer(2, 1), one), b""))
    start = len(build.payload([build.peer(2, 1)]))
    end = len(build.payload([build.peer(2, 1), one]))
    assert found == ([("KNP009", start, end, evidence)] if evidence else [])


@pytest.mark.parametrize(("count", "cache", "most"), [(100, 100, 100), (101, 100, 100), (5, 4, 4), (4, 4, 4)])
def test_more_peers_than_the_cache_holds_are_told(count: int, cache: int, most: int) -> None:
    body = build.payload([build.peer(n, 1) for n in range(count)], cache=cache)
    found = told(build.store(build.seal(body), b""))
    right = ("KNP009", 0, len(body) + 32, {"peers": count, "cache_size": most})
    assert found == ([right] if count > most else [])
    if cache == 100:  # before v2 a list did not say its cache
        body = build.payload([build.peer(n, 1) for n in range(count)], generation=1)
        assert [code for code, *_ in told(build.store(build.seal(body), b""))] == (["KNP009"] if count > 100 else [])


def test_what_is_there_twice_is_counted() -> None:
    one, other = build.peer(1, 2), build.peer(2, 3)
    twice = Peer(other.raw, (*other.addresses, other.addresses[0], other.addresses[0]))
    assert [duplicates(peers) for peers in ((), (one, other), (one, one), (one, one, one), (one, twice))] == [
        0,
        0,
        1,
        2,
        2,
    ]
    found = told(build.store(listed(one, one, twice), b""))
    assert found == [("KNP010", 0, len(listed(one, one, twice)), {"duplicates": 3})]


def test_two_lists_of_one_time_are_told_unless_they_are_one() -> None:
    a, b = listed(*TWO), listed(*build.peers(3))
    assert told(build.store(a, b)) == [("KNP012", S, S + len(b), {"timestamp": WROTE})]
    assert told(build.store(a, a)) == []
    old = listed(*TWO, generation=1)
    assert told(build.store(a, old)) == [("KNP011", S, S + len(old), {"generations": ["v3", "v1"]})]


def test_old_entries_are_counted_from_the_first_to_the_last() -> None:
    old = build.payload(build.peers(9, 50))
    new = listed(build.peer(1, 1))
    data = build.slot(new, old) + bytes(S)
    before = opened(build.store(build.seal(old), b"")).slots[0].payload.peers
    left = [p for p in before if p.start >= len(new)]
    evidence = {"peers": len(left), "not_listed": len(left)}
    assert told(data) == [("KNP015", left[0].start, left[-1].end, evidence)]
    again = build.slot(new, old) + build.slot(listed(left[0], at=WROTE - 9))
    assert told(again)[-1][3] == {"peers": len(left), "not_listed": len(left) - 1}


def test_entries_in_free_bytes_are_found_one_after_the_other() -> None:
    peers = build.peers(4)
    data = build.payload(peers)[13:]
    begins = [0]
    for peer in peers:
        begins.append(begins[-1] + len(build.payload([peer])) - 13)
    assert [(p.start, p.end) for p in carve(b"\7" * 5 + data, 1000)] == [
        (1005 + start, 1005 + end) for start, end in pairwise(begins)
    ]
    assert list(carve(data[:-1], 0)) == list(carve(data, 0))[:-1]
    assert [p.start for p in carve(data[1:], 0)] == [begin - 1 for begin in begins[1:-1]]
    assert list(carve(build.payload([build.peer(1, 0)])[13:], 0)) == []  # a peer without an address is none


def test_a_file_is_known_by_its_digests_then_its_name_then_a_peer_then_its_length() -> None:
    def strength(data: bytes, name: str = "anything") -> int:
        return claim(MemorySource(data, name), None).strength

    whole = build.store(listed(*TWO), b"")
    assert strength(whole) == strength(whole, "known_addresses.bin") == 97
    assert strength(build.store(listed(*TWO, at=0), b"")) == 60  # no time: bytes that are good by chance
    assert strength(build.store(BODY + bytes(40), b"")) == 60
    assert strength(build.store(build.payload([Peer(b"\x13\x01", ())]) + bytes(40), b"")) == 0
    assert strength(bytes(2 * S)) == 45
    assert strength(bytes(2 * S - 1)) == 0
    assert strength(bytes(2 * slot_length(4))) == 0
    assert strength(b"", "known_addresses.bin") == strength(b"x", "known_addresses.old") == 70
    assert strength(build.slot(listed(*TWO))[:9000]) == 97  # slot A says how long it is
    assert strength(listed(*TWO, at=LATEST).ljust(9000, b"\0")) == 0


def test_trials_are_bounded_by_the_bytes_that_they_hash() -> None:
    """Every bit of so many bytes, and all of these each time."""
    hashing = Hashing()
    assert MAX_HASHED == 1300 << 20
    assert hashing.takes(9 << 10)
    assert hashing.left == (1300 << 20) - 8 * (9 << 10) ** 2
    left = Hashing(800)
    assert not left.takes(11)
    assert left.left == 800
    assert left.takes(10)
    assert left.left == 0
    assert left.takes(0)


def test_one_byte_is_told_alone_and_nothing_is_none() -> None:
    assert told(b"x") == [("KNP007", 0, 1, {})]
    assert told(b"") == []
    tally = Tally()
    check(opened(b"x"), (), tally)
    assert tally.total == 1


@pytest.mark.parametrize(
    ("data", "evidence", "cause", "start"),
    [
        (build.store(listed(*TWO), b"")[:-7], -7, ("truncated", "likely"), 2 * S - 7),
        (build.store(listed(*TWO), b"") + b"\0", 1, ("unknown", "possible"), 2 * S),
        (build.slot(listed(*TWO)) + bytes(33) + build.slot(listed(*TWO)), 33, ("shifted", "certain"), 2 * S),
    ],
)
def test_a_wrong_length_is_told_with_the_right_one(
    data: bytes, evidence: int, cause: tuple[str, str], start: int
) -> None:
    (found,) = [f for f in findings(opened(data)) if f.rule.code == "KNP006"]
    size = 2 * S + evidence
    assert found.evidence == {"stored": size, "computed": 2 * S, "half": size // 2, "slot": S}
    assert ((found.cause.name, found.cause.confidence), found.span.start, found.span.end) == (cause, start, size)


def test_a_repair_keeps_as_much_of_a_peer_as_the_node_does() -> None:
    peer = Peer(build.peer(1).raw, tuple(address(9, n) for n in range(31)))
    assert [len(one.addresses) for one in limited([peer], 9)] == [30]
    long = Peer(build.peer(2).raw, (address(150), address(151), address(9)))
    assert [[len(a.raw) for a in one.addresses] for one in limited([long], 9)] == [[150, 9]]
    assert len(limited([peer, long], 1)) == 1


def test_the_shortest_peer_id_has_a_hash_of_nothing() -> None:
    assert [peer_problem(raw) for raw in (b"", b"\0", b"\0\0")] == ["a peer id of 0 bytes", "a peer id of 1 bytes", ""]
    assert peer_problem(bytes([0, 42]) + bytes(42)) == ""
    assert peer_problem(bytes([0, 43]) + bytes(43)) == "an inline key of 43 bytes, 42 are allowed"
    assert peer_problem(bytes([0x12, 32]) + bytes(32)) == ""
    assert peer_problem(bytes([0x12, 31]) + bytes(31)) == "a SHA-256 of 31 bytes"
    assert peer_problem(bytes([0, 2, 1])) == "the multihash says 2 bytes and holds 1"
    assert peer_problem(b"\x13\0") == "hash function 0x13 is not used for peer ids"
