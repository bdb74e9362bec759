"""What the bytes of values allow to be said: text in a store of texts is its own, and equal bytes prove no move."""

from __future__ import annotations

import json
from random import Random

from inspector import formats
from inspector.finding import Cause, Severity
from inspector.formats.rocksdb import batch, keys
from inspector.inspect import inspect
from inspector.source import MemorySource
from tests import damage
from tests.builders.rocksdb import log_of, pairs
from tests.builders.rocksdb_table import Shape, table

WORDS = ("alpha", "beta", "gamma", "delta", "the", "quick", "brown", "fox", "user", "mail")
LINE = b"2026-11-21T18:00:01Z WARN disk nearly full on /dev/sda1, 812 blocks left; trimming\n"


def document(i: int) -> bytes:
    rng = Random(i)
    return json.dumps({"id": rng.getrandbits(60), "bio": " ".join(rng.choices(WORDS, k=50))}).encode()


def log(values: list[bytes]) -> bytes:
    ops = [[(0, keys.PUT, b"key-%06d" % i, value)] for i, value in enumerate(values)]
    return log_of([batch.encode(100 + i, one) for i, one in enumerate(ops)])


def cause(data: bytes, name: str = "000007.log") -> Cause:
    found = inspect(MemorySource(data, name), formats.all_formats()).tally.findings()
    return next(f.cause for f in found if f.level is Severity.ERROR)


def test_damaged_text_among_texts_was_not_written_by_another_program() -> None:
    data = log([document(i) for i in range(60)])
    for at in (1_000, 7_000, 12_345):
        assert cause(damage.flip_bits(data, at, at + 90, 5, seed=at).data).name != "overwritten"


def test_damaged_text_in_a_table_of_texts_neither() -> None:
    rows = [(key, document(i)) for i, (key, _) in enumerate(pairs(0, 120))]
    data = table(rows, Shape()).data
    assert cause(damage.flip_bits(data, 9_000, 9_090, 5, seed=1).data, "000009.sst").name != "overwritten"


def test_text_among_noise_is_another_programs() -> None:
    data = log([Random(i).randbytes(300) for i in range(60)])
    told = cause(damage.overwrite(data, 8_192, (LINE * 7)[:512]).data)
    assert (told.name, told.confidence) == ("overwritten", "certain")


def test_the_one_long_text_of_a_store_is_not_surely_another_programs() -> None:
    values = [Random(i).randbytes(300) for i in range(400)]
    values[200] = document(3) * 4
    data = log(values)
    at = data.index(document(3)) + 500
    for count in (2, 5, 40):
        told = cause(damage.flip_bits(data, at, at + 90, count, seed=count).data)
        assert (told.name, told.confidence) != ("overwritten", "certain")


def test_equal_bytes_that_fit_anywhere_have_not_changed_places_or_moved() -> None:
    """Any 512 bytes of such values stand for any others, and any record may end with them."""
    data = log([b"w" * Random(i).randrange(5, 300) for i in range(200)])
    for at in (512, 5_632, 13_312, 15_872):
        told = cause(damage.noise(data, at, at + 512, seed=at).data)
        assert told.name == "overwritten", told


def test_a_table_of_which_the_second_half_became_zeroes_was_zeroed() -> None:
    rows = [(key, Random(i).randbytes(300)) for i, (key, _) in enumerate(pairs(0, 28))]
    data = table(rows, Shape(version=6, block_size=2048)).data
    for start in (2_048, 4_096, 6_144):
        told = cause(damage.zero(data, start, len(data)).data, "000009.sst")
        assert told.name == "zeroed-range", (start, told)
