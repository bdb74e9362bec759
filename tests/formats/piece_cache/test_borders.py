"""Caches of elements of 152 bytes: what each tile, finding and step of a repair is, at every border."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from blake3 import blake3

from inspector.copies import Merge
from inspector.finding import Tally
from inspector.format import FREE, GAP, UNIT, Query, Wishes
from inspector.formats.piece_cache import elements as elements_of
from inspector.formats.piece_cache.elements import (
    BAD,
    KIND_CUT,
    KIND_EMPTY,
    KIND_PIECE,
    State,
    begins_none,
    claim,
    open_cache,
    walk,
)
from inspector.formats.piece_cache.hunting import Hunt
from inspector.formats.piece_cache.merging import merge
from inspector.formats.piece_cache.units import surplus, unit
from inspector.formats.piece_cache.views import answer, check, items, plan, records, show
from inspector.source import MemorySource
from tests.proof_stores import ELEMENT, tiny_elements

EMPTY = bytes(ELEMENT)
Tile = tuple[int, int, int, int, int]


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with tiny_elements():
        yield


def piece(index: int, salt: int = 0) -> bytes:
    body = index.to_bytes(8, "little") + blake3(b"%d %d" % (index, salt)).digest(length=ELEMENT - 40)
    return body + blake3(body).digest()


def hurt(element: bytes, at: int = 70) -> bytes:
    return element[:at] + bytes([element[at] ^ 0x55]) + element[at + 1 :]


A, B, C = piece(7), piece(8), piece(0x0101)


def walked(data: bytes) -> tuple[State, list[Tile]]:
    state = open_cache(MemorySource(data, "piece_cache.bin"), None, Wishes())
    tiles = [(s.start, s.end, s.roles[0], s.kinds[0], s.marks[0]) for s in walk(state)]
    assert [t[0] for t in tiles] == [0, *(t[1] for t in tiles)][: len(tiles)]
    assert (tiles[-1][1] if tiles else 0) == len(data)
    return state, tiles


def found(data: bytes) -> list[tuple[str, int, int, dict[str, Any], str, str | None]]:
    state = open_cache(MemorySource(data, "piece_cache.bin"), None, Wishes())
    tally = Tally()
    check(state, walk(state), tally)
    return [
        (f.rule.code, f.span.start, f.span.end, dict(f.evidence), f.level.value, f.salvage) for f in tally.findings()
    ]


def repaired(data: bytes) -> tuple[bytes, list[tuple[str, int, int, int]]]:
    """The new file, and what became of each stretch: action, start, end, units."""
    state, _ = walked(data)
    made = plan(state, Wishes())
    assert made.size is not None
    out, steps = bytearray(made.size), list[tuple[str, int, int, int]]()
    for edit in made.edits:
        assert edit.origin is not None
        steps.append((edit.action, edit.origin.start, edit.origin.end, edit.units))
        if edit.action == "kept":
            assert edit.at is not None
            out[edit.at : edit.at + edit.origin.length] = data[edit.origin.start : edit.origin.end]
    return bytes(out), steps


def test_tiles_are_elements_and_what_is_not_whole() -> None:
    state, tiles = walked(A + EMPTY + hurt(B) + C[:100])
    assert tiles == [
        (0, 152, UNIT, KIND_PIECE, 0),
        (152, 304, FREE, KIND_EMPTY, 0),
        (304, 456, UNIT, KIND_PIECE, BAD),
        (456, 556, GAP, KIND_CUT, BAD),
    ]
    assert (state.good, state.empty, state.bad, list(state.bad_at), state.cut) == (1, 1, 1, [2], 100)
    assert (state.seen, state.last_bad, state.moved) == ({7: 0}, True, [])
    assert walked(b"")[1] == []


@pytest.mark.parametrize(
    ("data", "name", "strength"),
    [
        (A, "x", 98),
        (A[:-1], "x", 0),
        (A + b"\0", "x", 0),
        (EMPTY * 3 + A, "x", 98),
        (EMPTY * 4 + A, "x", 0),
        (EMPTY * 4 + A, "piece_cache.old", 70),
        (EMPTY * 3 + A + b"\0", "piece_cache.bin", 98),
        (b"", "piece_cache.bin", 70),
        (b"", "x", 0),
        (A[:-1], "piece_cache.bin", 70),
        (hurt(A) + B, "x", 98),
    ],
)
def test_a_cache_is_known_by_one_of_its_first_four_elements_else_by_its_name(
    data: bytes, name: str, strength: int
) -> None:
    assert claim(MemorySource(data, name), None).strength == strength


@pytest.mark.parametrize("more", [1, 40, 75, 76, 77, 151])
def test_pieces_behind_bytes_that_were_put_in_go_back_to_their_places(more: int) -> None:
    data = A + hurt(B) + b"\x11" * more + C + piece(9)
    by = more if more <= 75 else more - 152
    last = {"count": 2, "by": by}
    length = 152 + more
    codes = [(code, start, end) for code, start, end, *_ in found(data)]
    expected = [("PCH001", 152, 152 + length), ("PCH004", 152 + length, 152 + length + 304)]
    if more == 151:  # one byte too few for two bad ones
        assert found(data)[0][3]["lost"] == 1
    assert codes[:2] == expected
    assert found(data)[1][3] == last
    fixed, steps = repaired(data)
    places = (304, 456) if more <= 75 else (456, 608)
    assert [fixed[p : p + 152] for p in places] == [C, piece(9)]
    assert fixed[:152] == A
    assert len(fixed) == places[1] + 152
    assert steps[1] == ("lost", 152, 152 + length, 1 if more <= 75 else 2)


def test_each_stretch_of_moved_pieces_is_told_once_per_distance() -> None:
    data = A + b"\x11" * 9 + B + C + hurt(piece(4)) + b"\x11" * 5 + piece(9) + piece(10)
    first, second = 152 + 9, 152 + 9 + 3 * 152 + 5
    moved = [(start, end, more) for code, start, end, more, *_ in found(data) if code == "PCH004"]
    assert moved == [
        (first, first + 304, {"count": 2, "by": 9}),
        (second, second + 304, {"count": 2, "by": 14}),
    ]
    data = A + b"\x11" * 9 + B + hurt(piece(4)) + C  # of one distance, but for a bad one between them
    moved = [(start, end, more) for code, start, end, more, *_ in found(data) if code == "PCH004"]
    assert [more for *_, more in moved] == [{"count": 1, "by": 9}] * 2
    data = A + b"\x11" * 9 + B + EMPTY + C
    moved = [(start, end, more) for code, start, end, more, *_ in found(data) if code == "PCH004"]
    assert moved == [(first, first + 456, {"count": 2, "by": 9})]


@pytest.mark.parametrize(
    ("tail", "severity", "salvage"),
    [
        (bytes(7), "error", "lost"),  # so may a piece index begin
        (bytes(8), "warning", "kept"),
        (bytes(151), "warning", "kept"),
        (bytes(7) + b"\1", "warning", "kept"),  # an index of 2^56
        ((1 << 48).to_bytes(8, "little"), "error", "lost"),
        (((1 << 48) + 1).to_bytes(8, "little"), "warning", "kept"),
        (b"\x05" + bytes(90), "error", "lost"),
    ],
)
def test_what_lies_behind_the_last_element_is_lost_where_a_piece_may_begin(
    tail: bytes, severity: str, salvage: str
) -> None:
    assert found(A + tail) == [
        ("PCH002", 152, 152 + len(tail), {"stored": len(tail), "needed": 152}, severity, salvage)
    ]
    fixed, steps = repaired(A + tail)
    assert steps == [("kept", 0, 152, 1), ("lost" if salvage == "lost" else "dropped", 152, 152 + len(tail), 0)]
    zeroes = not any(tail)
    assert fixed == (A + EMPTY if salvage == "lost" or zeroes else A)


def test_a_sound_cache_is_copied() -> None:
    data = A + EMPTY + B + EMPTY
    assert repaired(data) == (
        data,
        [("kept", 0, 152, 1), ("kept", 152, 304, 0), ("kept", 304, 456, 1), ("kept", 456, 608, 0)],
    )


def test_how_far_above_the_known_pieces_an_index_must_be() -> None:
    high = 1 << 50
    for index, none in ((16 * high, False), (16 * high + 1, True)):
        state, _ = walked(piece(high) + index.to_bytes(8, "little"))
        assert begins_none(state) == none
    state, _ = walked(piece(high) + hurt(A) + ((1 << 60).to_bytes(8, "little")))
    assert not begins_none(state)  # it may be a part of the bad one


def test_a_piece_in_several_elements_is_counted_and_the_first_two_are_named() -> None:
    assert found(A + B + A + A + B) == [("PCH003", 304, 456, {"piece_index": 7, "first": 0, "count": 3}, "note", None)]


def test_a_bad_element_says_which_piece_it_was() -> None:
    ((code, start, end, more, severity, salvage),) = found(A + hurt(B))
    assert (code, start, end, severity, salvage) == ("PCH001", 152, 304, "error", "lost")
    assert (more["element"], more["piece_index"]) == (1, 8)
    assert more["computed"] == blake3(hurt(B)[:-32]).hexdigest()
    assert more["stored"] == B[-32:].hex()


@pytest.mark.parametrize(("byte", "bit"), [(0, 0), (0, 7), (31, 7), (16, 3)])
def test_the_flipped_bit_of_a_digest_is_named_by_its_place_in_the_file(byte: int, bit: int) -> None:
    at = 120 + byte
    bad = B[:at] + bytes([B[at] ^ 1 << bit]) + B[at + 1 :]
    ((_, _, _, more, *_),) = found(A + bad)
    assert (more["flipped_byte"], more["flipped_bit"]) == (152 + at, bit)


def test_records_are_those_that_are_asked() -> None:
    state, _ = walked(A + EMPTY + hurt(B) + C)

    def asked(**query: Any) -> list[tuple[int, str, str]]:
        return [(e.span.start, e.kind, e.state) for e in records(state, Query(**query))]

    everything = [(0, "piece", "ok"), (152, "empty", "ok"), (304, "piece", "bad checksum"), (456, "piece", "ok")]
    assert asked() == everything
    assert asked(kinds=frozenset({"empty"})) == everything[1:2]
    assert asked(damaged=True) == everything[2:3]
    assert asked(start=152) == everything[1:]
    assert asked(start=151) == everything
    assert asked(end=304) == everything[:2]
    assert asked(end=305) == everything[:3]
    fields = [dict(e.fields) for e in records(state, Query())]
    assert [(f["element"], f.get("piece_index")) for f in fields] == [(0, 7), (1, None), (2, 8), (3, 0x0101)]
    told = [(i.id, i.fields["element"], i.spans[0].start, i.spans[0].end) for i in items(state)]
    assert told == [("piece:7", 0, 0, 152), ("piece:257", 3, 456, 608)]


def test_each_byte_is_shown_in_its_element() -> None:
    data = A + hurt(B) + b"\x11" * 9 + C + EMPTY + B[:50]
    state, _ = walked(data)
    for at, start, end, state_of in (
        (0, 0, 152, "good"),
        (151, 0, 152, "good"),
        (152, 152, 313, "bad"),
        (312, 152, 313, "bad"),
        (313, 313, 465, "good"),
        (464, 313, 465, "good"),
        (465, 465, 617, "empty"),
        (617, 617, 667, "cut"),
        (666, 617, 667, "cut"),
    ):
        shown = show(state, "", at)
        assert shown is not None
        assert (shown.span.start, shown.span.end, shown.state) == (start, end, state_of), at
        assert [f.rule.code for f in shown.findings] == (["PCH001"] if state_of == "bad" else [])
    assert show(state, "", -1) is None
    assert show(state, "", len(data)) is None


def told(data: bytes) -> Any:
    state, _ = walked(data)
    return answer(state, Tally())


def test_the_answer_counts_what_the_farmer_uses() -> None:
    good = told(A + EMPTY)
    assert good.summary == {
        "elements": 2, "good": 1, "empty": 1, "bad": 0, "cut_bytes": 0, "bad_elements": [], "moved": 0,
    }  # fmt: skip
    assert (good.loaders[0].outcome, good.loaders[0].message, good.next) == ("loads; uses every piece", "", ())
    assert len(good.words) == 1
    bad = told(A + hurt(B) + b"\x11" * 9 + C + EMPTY)
    assert bad.summary == {
        "elements": 4, "good": 2, "empty": 1, "bad": 1, "cut_bytes": 0, "bad_elements": [1], "moved": 1,
    }  # fmt: skip
    assert bad.loaders[0].outcome == "loads; skips 2 pieces, each with a warning"
    assert bad.loaders[0].message == "Hash doesn't match, corrupted piece in cache"
    assert (len(bad.next), len(bad.words)) == (1, 3)
    cut = told(A + B[:20])
    assert cut.loaders[0].outcome == "loads; uses every piece"
    assert (len(cut.next), len(cut.words), cut.summary["cut_bytes"]) == (1, 2, 20)


@pytest.mark.parametrize(("rest", "more"), [(0, 0), (1, 1), (76, 76), (77, -75), (151, -1)])
def test_bytes_beside_whole_elements_are_counted_to_the_nearer_side(rest: int, more: int) -> None:
    state, _ = walked(A + B[:rest])
    assert surplus(state, "") == more


def test_a_unit_is_due_at_multiples_and_where_pieces_moved_to() -> None:
    data = A + b"\x11" * 9 + B + C + b"\xff" * 30
    state, _ = walked(data)

    def asked(at: int) -> tuple[int, bool] | None:
        one = unit(state, "", at, lambda begin, count: data[begin : begin + count])
        return None if one is None else (one.end, one.sound)

    assert asked(0) == (152, True)
    assert asked(152) == (304, False)
    assert asked(161) == (313, True)
    assert asked(313) == (465, True)
    assert asked(162) is None
    assert asked(465) is None  # what lies there begins no element


def test_a_hunt_looks_two_elements_far_and_no_further() -> None:
    def after(data: bytes) -> int | None:
        return Hunt(MemorySource(data, "x")).next(0)

    # so close that the place is known from the length of the file
    assert after(hurt(A) + b"\x11" * 151 + B) == 303
    assert after(hurt(A) + b"\x11" * 152 + B) == 152  # two bad ones, and nothing moved
    assert after(hurt(A) + b"\x11" * 153 + B) is None
    # else by how its index begins: zeroes above the lower half of it
    tail = b"\x11" * 33
    for more in (1, 40, 151):
        assert after(hurt(A) + b"\x11" * more + B + tail) == 152 + more
    assert after(hurt(A) + b"\x11" * 153 + B + tail) is None


@pytest.mark.parametrize("index", [1, 0xFF, 0x100, 0x1FF, 0x1_0000, 0x12_3456, 0x0100_0000, 0xFFFF_FFFF])
def test_a_piece_is_found_by_any_index_that_the_chain_has(index: int) -> None:
    data = hurt(A) + b"\x11" * 20 + piece(index) + b"\x11" * 33
    assert Hunt(MemorySource(data, "x")).next(0) == 172


def merged(*copies: bytes) -> tuple[Merge, bytes]:
    states = [walked(data)[0] for data in copies]
    made = merge(states, Wishes(), None)
    assert made.size is not None
    out = bytearray(made.size)
    for take in made.takes:
        assert take.origin is not None
        assert take.at is not None
        out[take.at : take.at + 152] = copies[take.copy][take.origin.start : take.origin.end]
    return made, bytes(out)


def test_the_copy_with_most_good_pieces_is_taken_first_and_the_first_of_two() -> None:
    one, two = A + EMPTY, piece(9) + B
    made, out = merged(one, two)
    assert (made.order, out) == ((1, 0), piece(9) + B)  # no place is left for the other
    assert made.counts == {"pieces": 2, "pieces_without_a_place": 1}
    made, out = merged(two, A + C)
    assert (made.order, out) == ((0, 1), piece(9) + B)
    assert made.counts == {"pieces": 2, "pieces_without_a_place": 2}


def test_a_merged_cache_is_as_long_as_the_longest_copy() -> None:
    made, out = merged(A + EMPTY, B + C + hurt(A) + piece(9)[:40])
    assert (made.size, out) == (4 * 152, B + C + A + EMPTY)
    assert [(loss.copy, loss.span.start) for loss in made.losses] == []
    made, out = merged(A, hurt(B))
    assert out == A
    assert [(loss.copy, loss.span.start, loss.span.end, loss.why) for loss in made.losses] == [
        (1, 0, 152, "piece 8 by its own word is good in no copy")
    ]


def test_a_piece_that_moved_is_merged_to_its_place() -> None:
    _, out = merged(A + hurt(B) + b"\x11" * 9 + C, EMPTY)
    assert out == A + EMPTY + C + EMPTY  # the longer copy has three whole elements and some bytes
    _, out = merged(b"\x11" * 9 + C + A, B)
    assert out[:152] == C  # nine bytes further on than it was
    assert {out[152 * n : 152 * n + 152] for n in range(len(out) // 152)} >= {A, B, C}


def test_what_is_remembered_of_many_elements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_INDEXES", "MAX_BAD", "MAX_MOVED"):
        monkeypatch.setattr(elements_of, name, 2)
    pieces = [piece(n) for n in range(1, 5)]
    state, _ = walked(b"".join(pieces) + pieces[3] + pieces[0] + b"".join(map(hurt, pieces)))
    assert (list(state.seen), state.twice, list(state.bad_at), state.bad) == ([1, 2], 1, [6, 7], 4)
    data = b"".join(b"\x11" * 9 + one for one in pieces)
    state, _ = walked(data)
    assert ([run.by for run in state.moved], state.moved_pieces) == ([9, 18], 4)


def test_a_hunt_ends_with_its_tries() -> None:
    data = hurt(A) + b"\x11" * 20 + B + b"\x11" * 33
    for tries, place, left in ((0, None, 0), (1, 172, -3)):  # an index of one byte may begin at four places
        hunt = Hunt(MemorySource(data, "x"))
        hunt.tries = tries
        assert (hunt.next(0), hunt.tries) == (place, left)


def test_a_piece_between_two_distances_is_not_passed_over() -> None:
    """The length of the file tells where the last one stands; the one before it stands elsewhere."""
    data = A + b"\x11" * 9 + B + b"\x11" * 9 + C + b"\x11" * 9 + piece(9)
    assert walked(data)[0].good == 4


def test_of_pieces_whose_place_is_taken_each_is_placed_once() -> None:
    _, out = merged(A + B + EMPTY + EMPTY, C + EMPTY, piece(9) + C, C + piece(9))
    assert {out[n : n + 152] for n in range(0, 608, 152)} == {A, B, C, piece(9)}
    made, out = merged(A + B, C + EMPTY, C + piece(9))
    assert (out, made.counts) == (A + B, {"pieces": 2, "pieces_without_a_place": 3})
