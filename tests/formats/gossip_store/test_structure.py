"""The length that each type must have: by hand at the borders, and two implementations held against each other."""

from __future__ import annotations

from random import Random

import pytest

from inspector.formats.gossip_store.structure import needs, node_at, plausible, well_formed_tlvs
from inspector.kernels import plain_structure

# type, a body up to its last inner length, and what it needs: BOLT 7 and gossip_store_wire.csv, added up by hand
NEEDS = [
    (258, b"", 16, 138), (258, b"", 10, 130), (258, b"", 11, 138),
    (256, bytes(258) + b"\1\2", 16, 432 + 258),
    (257, bytes(66) + b"\0\3" + bytes(75) + b"\1\1", 16, 142 + 3 + 257), (257, bytes(66) + b"\0\3", 16, 145),
    (4104, bytes(10) + b"\1\xb0", 16, 12 + 432), (4102, bytes(2) + b"\0\x8a", 16, 4 + 138),
    (3503, bytes(51) + b"\0\7", 16, 60), (4105, b"", 16, 42), (4105, b"", 15, 10),
    (4101, b"", 16, 10), (4106, b"", 16, 14), (4107, b"", 16, 34), (9999, b"", 16, 2),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "version", "least"), NEEDS)
def test_the_fewest_bytes_of_a_type(kind: int, body: bytes, version: int, least: int) -> None:
    assert needs(kind, body, version) == least
    if kind in (256, 4104, 4102, 3503):
        assert [plausible(kind, body, least + d, version) for d in (-1, 0, 1)] == [False, True, False]


INNER = [  # type, where its inner length stands, what the type has besides
    (256, 258, 432), (257, 66, 142), (4104, 10, 12), (4102, 2, 4), (3503, 51, 53), (4096, 2, 12), (4097, 2, 4),
    (4098, 2, 4), (4100, 2, 4),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "at", "besides"), INNER)
def test_an_inner_length_counts_where_all_of_it_is_there(kind: int, at: int, besides: int) -> None:
    body = bytes(at) + b"\1\7"
    assert needs(kind, body, 16) == needs(kind, body + b"\0", 16) == besides + 263
    assert needs(kind, body[:-1], 16) == needs(kind, b"", 16) == needs(kind, body[:-1], 7)
    assert needs(kind, bytes(at + 2), 16) == besides


@pytest.mark.parametrize(
    ("raw", "well"),
    [
        (b"", True), (b"\1\0", True), (b"\1\2ab", True), (b"\1\2a", False), (b"\1", False), (b"\1\0\1", False),
        (b"\xfd\1\0\0", True), (b"\xfd\1", False), (b"\xfe\0\0\0\1\1x", True), (b"\xff" + bytes(7) + b"\1\0", True),
        (b"\xff" + bytes(7), False), (b"\1\xfd\0\1x", True), (b"\1\xfd\0\2x", False),
        (b"\1\0" * 64, True), (b"\1\0" * 65, False),
    ],
)  # fmt: skip
def test_extensions_are_read_to_their_very_end(raw: bytes, well: bool) -> None:
    assert well_formed_tlvs(raw) is well


def _bigsize(value: int, width: int) -> bytes:
    """In so many bytes behind the first one; that it could be shorter is no matter here."""
    return bytes([value]) if not width else bytes([{2: 0xFD, 4: 0xFE, 8: 0xFF}[width]]) + value.to_bytes(width, "big")


@pytest.mark.parametrize("type_width", [0, 2, 4, 8])
@pytest.mark.parametrize("size_width", [0, 2, 4, 8])
def test_numbers_of_extensions_have_any_width_and_are_whole(type_width: int, size_width: int) -> None:
    for size in (0, 1, 5):
        head = _bigsize(77, type_width) + _bigsize(size, size_width)
        for before in (b"", b"\1\2ab"):
            whole = before + head + bytes(size)
            assert well_formed_tlvs(whole)
            assert not any(well_formed_tlvs(whole[:cut]) for cut in range(len(before) + 1, len(whole)))
            assert not well_formed_tlvs(whole + b"\1")


def test_both_implementations_call_the_same_lengths_plausible() -> None:
    rng = Random(12)
    for kind in (256, 257, 258, 3503, 4101, 4102, 4103, 4104, 4105, 4106, 4107, 4108):
        for _ in range(150):
            body = bytearray(rng.randbytes(600))
            body[:2] = kind.to_bytes(2, "big")
            for at in (2, 10, 51, 66, 258, 270):
                body[at : at + 2] = rng.choice((0, 1, 130, 138, 170, 432, 440)).to_bytes(2, "big")
            inner = {4102: (4, 258), 4104: (12, 256)}.get(kind)
            if inner:
                body[inner[0] : inner[0] + 2] = inner[1].to_bytes(2, "big")
            need = needs(kind, bytes(body), 16)
            for length in {need - 1, need, need + 1, need + 2, 10, 42, 130, 138}:
                if not 2 <= length <= len(body):
                    continue
                theirs = plain_structure.plausible(bytes(body), 0, length, length)
                ours = plausible(kind, bytes(body[:length]), length, 16)
                if inner is None:
                    assert ours == theirs, (kind, length, need)
                else:  # the other one asks what is inside, too
                    assert ours or not theirs, (kind, length, need)


def test_the_node_of_an_announcement_stands_behind_its_features() -> None:
    node = bytes(range(33))
    for features in (0, 1, 300):
        body = b"\1\1" + bytes(64) + features.to_bytes(2, "big") + bytes(features) + bytes(4) + node + bytes(60)
        assert node_at(bytes(7 + 12) + body, 7) == node
    assert node_at(bytes(12) + body[:40], 0) == bytes(33)
