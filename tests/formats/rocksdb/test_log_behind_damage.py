"""What verifies behind a damaged place of a log's block is read together, and told as piece by piece."""

from __future__ import annotations

import random

import pytest

from inspector.formats.rocksdb import batch, keys, log
from inspector.formats.rocksdb.log_writer import frame

Told = tuple[list[log.Piece], int | None, int | None]


def told(data: bytes, number: int | None, begin: int = 0) -> Told:
    reader = log.LogReader(lambda at, n: data[at : at + n], len(data), number, begin)
    return list(reader.pieces()), reader.number, reader.gave_up


def written(rng: random.Random, number: int | None) -> bytearray:
    out = bytearray()
    while len(out) < 4 * log.BLOCK:
        body = batch.encode(len(out), [(0, keys.PUT, rng.randbytes(9), rng.randbytes(rng.choice((3, 90, 9000))))])
        out += frame(body, len(out), number)
    return out


@pytest.mark.parametrize("number", [None, 7])
@pytest.mark.parametrize("seed", range(12))
def test_a_log_with_damage_is_the_same_read_together_and_piece_by_piece(number: int | None, seed: int) -> None:
    rng = random.Random(seed)
    data = written(rng, number)
    for _ in range(rng.randrange(1, 30)):
        at = rng.randrange(len(data) - 600)
        way = rng.randrange(5)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at : at + 512] = bytes(512)
        elif way == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 40))
        elif way == 3:
            del data[at : at + rng.randrange(1, 40)]
        else:
            data[at : at + 300] = data[at + 300 : at + 600]
    asked = (bytes(data), number), (bytes(data), None), (bytes(data), number, log.BLOCK + 100)
    together = [told(*one) for one in asked]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log.Sound, "__init__", _none)
        alone = [told(*one) for one in asked]
    assert together == alone
    for pieces, _, _ in together[:2]:
        assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert any(piece.state == log.GOOD for piece in together[0][0])


def _none(self: log.Sound, block: bytes, base: int, number: int | None) -> None:
    self._block, self._base, self.starts, self.types, self.stored, self.stop = block, base, [], b"", [], 0  # type: ignore[assignment]
    self.whole = True
