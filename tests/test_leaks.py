"""Finished output is looked through by one search first: it must find all that either of the two finds."""

from __future__ import annotations

from random import Random

import pytest

from inspector.leaks import CHUNK, Search, plain_shapes, shapes
from inspector.redact import Redactor, canonical

ALPHABET = 'ab01é\n\\"<&x_-'


def original(rng: Random) -> tuple[str, str]:
    """A noun and a text: short, simple, long, hexadecimal, quoted, with what has to be escaped."""
    length = rng.choice((2, 5, 6, 7, 20, CHUNK, CHUNK + 1, 3 * CHUNK))
    raw = bytes(rng.choice((rng.randrange(256), 0)) for _ in range(length))
    some = "".join(rng.choice(ALPHABET[: rng.choice((2, 4, 13))]) for _ in range(length))
    return rng.choice((("key", f"0x{raw.hex()}"), ("key", f"'{some}'"), ("path", some), ("node", raw.hex())))


@pytest.mark.parametrize("seed", range(40))
def test_output_without_any_original_is_the_same_for_both_ways_to_look(seed: int) -> None:
    rng = Random(seed)
    redactor, known = Redactor(), [original(rng) for _ in range(12)]
    for noun, text in known:
        redactor.know(noun, text)
    redactor.withhold(rng.randbytes(40))
    seen = 0
    for _ in range(60):
        noun, text = rng.choice((*known, original(rng)))
        found = sorted(plain_shapes(text, canonical(noun, text))) or [b""]
        data = rng.randbytes(30) + rng.choice(found)[rng.choice((0, 0, 0, 1)) :] + rng.randbytes(30)
        late, leaks = redactor.search(plain=True)[0], redactor.search()[0]
        apart = not [*late.hits(data), *leaks.hits(data)]
        assert redactor.holds_none(data) is apart
        seen += not apart
    assert seen


@pytest.mark.parametrize("seed", range(30))
def test_kin_are_found_in_each_shape_as_if_each_had_been_worked_out_before(seed: int) -> None:
    rng = Random(seed)
    length = rng.choice((9, 12, 20, 33, CHUNK))
    begin = bytes(rng.choice((0, 0, 1, 255, rng.randrange(256))) for _ in range(rng.choice((7, 8, length - 1))))
    raws = {begin + rng.randbytes(length - len(begin)) for _ in range(rng.choice((5, 60)))}
    redactor, before, told = Redactor(), Search(), []
    for raw in sorted(raws):
        redactor.know("key", raw.hex())
        before.add(0, shapes(raw.hex(), raw))
        told += sorted(shapes(raw.hex(), raw))
    assert told
    for shape in rng.sample(told, min(20, len(told))):
        for part in (shape, shape[:-1]):
            data = b"\x80" + part + b"\x81" + rng.randbytes(9) + shape
            found, names = [*redactor.search()[0].hits(data)], redactor.search()[1]
            assert [(hit.start, hit.end) for hit in found] == [(hit.start, hit.end) for hit in before.hits(data)]
            assert found
            for hit in found:
                raw = bytes.fromhex(names[hit.number].partition("\0")[2])
                assert data[hit.start : hit.end] in shapes(raw.hex(), raw)
