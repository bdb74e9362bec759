"""Corrections laid over a source: what is read, and what a plan over them becomes."""

from __future__ import annotations

from random import Random

from inspector.format import Edit
from inspector.overlay import Overlay, Piece, corrected_edits
from inspector.source import MemorySource
from inspector.span import Span

BELOW = bytes(range(100))


def over(*pieces: tuple[int, bytes]) -> Overlay:
    return Overlay(MemorySource(BELOW), [Piece(at, data, "sealed", "why") for at, data in pieces])


def test_reads_anywhere_see_the_pieces() -> None:
    pieces = [(10, b"abcd"), (14, b"ef"), (98, b"yz")]
    whole = bytearray(BELOW)
    for at, data in pieces:
        whole[at : at + len(data)] = data
    seen, rng = over(*pieces), Random(1)
    assert seen.read(0, 1000) == bytes(whole)
    for _ in range(300):
        at, count = rng.randrange(100), rng.randrange(1, 40)
        assert seen.read(at, count) == bytes(whole)[at : at + count]


def test_kept_bytes_under_a_piece_become_corrected_ones() -> None:
    seen = over((10, b"abcd"), (30, b"ef"))
    edits = list(corrected_edits([Edit("kept", Span(0, 100), units=7)], seen))
    told = [(e.action, e.origin and (e.origin.start, e.origin.end), e.data, e.units) for e in edits]
    assert told == [
        ("kept", (0, 10), None, 5),
        ("corrected", (10, 14), b"abcd", 1),
        ("kept", (14, 30), None, 0),
        ("corrected", (30, 32), b"ef", 1),
        ("kept", (32, 100), None, 0),
    ]


def test_a_piece_across_two_edits_counts_once() -> None:
    seen = over((10, b"abcd"))
    first = Edit("corrected", Span(10, 12), b"XY", "derived", "flags", 1)
    edits = list(corrected_edits([first, Edit("kept", Span(12, 20))], seen))
    assert edits[0] is first
    assert [(e.action, e.data, e.units) for e in edits[1:]] == [("corrected", b"cd", 0), ("kept", None, 0)]


def test_what_is_dropped_stays_dropped() -> None:
    gone = Edit("dropped", Span(5, 20), units=1)
    assert list(corrected_edits([gone], over((10, b"abcd")))) == [gone]


def test_a_folder_inside_shows_its_own_pieces() -> None:
    below = MemorySource({"db/3": BELOW, "e": BELOW})
    seen = Overlay(below, [Piece(4, b"xy", "sealed", "why", member=name) for name in ("db/3", "e")])
    inner = seen.inside("db")
    assert inner.read(3, 4, "3") == b"\x03xy\x06"
    assert inner.member("e") is None
