"""Decoders take every row that a builder writes, and refuse every damaged one with a reason and nothing else."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.format import Query, Wishes
from inspector.formats.snarkos import maps, names
from inspector.formats.snarkos.layout import HEADER, HEADER_FAST
from inspector.formats.snarkos.reading import FIELD_ORDER, Cursor, MalformedError
from inspector.formats.snarkos.records import records, row
from inspector.formats.snarkos.takes import TAKES
from inspector.span import Span
from tests.builders.snarkos import Rows, ledger, sized, state, u

ROWS: Rows = state(ledger(12))
ONE_OF_EACH = {key[2]: (key, value) for key, value in sorted(ROWS.items())}
HERE = Span(0, 1, "x")


def test_every_map_that_a_ledger_uses_has_a_row_here() -> None:
    unused = {0, 1, 36, 41, 44, 45, 46, 49}  # BFT storage and kinds of inputs and outputs
    assert set(ONE_OF_EACH) == set(range(60)) - unused


@pytest.mark.parametrize("number", sorted(ONE_OF_EACH), ids=maps.name_of)
def test_a_row_is_decoded_whole(number: int) -> None:
    key, value = ONE_OF_EACH[number]
    entry = row(key, value, HERE)
    assert entry.state == "ok", entry.fields
    assert entry.kind == maps.MAPS[number].name


@pytest.mark.parametrize("number", sorted(ONE_OF_EACH), ids=maps.name_of)
def test_every_truncation_of_a_row_is_malformed_or_means_less(number: int) -> None:
    key, value = ONE_OF_EACH[number]
    for size in range(0, len(value), max(1, len(value) // 60)):
        entry = row(key, value[:size], HERE)
        assert entry.state in ("ok", "malformed")
        if entry.state == "ok":  # only where the value is nothing, or bytes that nothing measures
            assert number in (0, 1)


@pytest.mark.parametrize("number", sorted(ONE_OF_EACH), ids=maps.name_of)
def test_mutated_rows_never_raise_anything_but_malformed(number: int) -> None:
    rng = Random(number)
    key, value = ONE_OF_EACH[number]
    for _ in range(60):
        hurt = bytearray(value or b"\0")
        for _ in range(rng.randrange(1, 4)):
            hurt[rng.randrange(min(len(hurt), 40))] ^= 1 << rng.randrange(8)
        assert row(key, bytes(hurt), HERE).state in ("ok", "malformed")


@settings(max_examples=300, deadline=None)
@given(number=st.integers(0, 59), key=st.binary(max_size=80), value=st.binary(max_size=400))
def test_random_rows_are_rows_or_malformed(number: int, key: bytes, value: bytes) -> None:
    from inspector.formats.snarkos.network import Network
    from inspector.formats.snarkos.rows import Places

    assert row(maps.join(0, number, key), value, HERE).state in ("ok", "malformed")
    network = Network(0, Places())
    if number in TAKES:
        with suppress(MalformedError):
            TAKES[number](network, key, value, bytes(16))


@pytest.mark.parametrize("count", [2**64 - 1, 2**40, 10_000])
def test_a_count_that_exceeds_the_bytes_left_allocates_nothing(count: int) -> None:
    for number in (12, 14, 15, 34, 42, 58):
        key, value = ONE_OF_EACH[number]
        entry = row(key, count.to_bytes(8, "little") + value[8:], HERE)
        assert entry.state == "malformed"
        assert "do not fit" in str(entry.fields["why"])


def test_a_number_above_the_field_is_no_field_element() -> None:
    Cursor((FIELD_ORDER - 1).to_bytes(32, "little")).field()
    for wrong in (FIELD_ORDER, FIELD_ORDER + 1, 2**256 - 1):
        with pytest.raises(MalformedError, match="canonical"):
            Cursor(wrong.to_bytes(32, "little")).field()


def test_a_header_reads_the_same_by_layout_and_by_struct() -> None:
    data = ROWS[next(k for k in ROWS if k[2] == 6)][8:]
    parsed = HEADER.parse(data)
    assert parsed is not None
    assert tuple(parsed.values()) == HEADER_FAST.unpack(data)


# the test vectors of BIP 350
@pytest.mark.parametrize("text", ["A1LQFN3A", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"])
def test_ids_are_written_in_bech32m(text: str) -> None:
    prefix, _, body = text.lower().rpartition("1")
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{alphabet.index(c):05b}" for c in body[:-6])
    raw = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - len(bits) % 8, 8))
    assert names.bech32m(prefix, raw) == text.lower()


def test_a_row_of_an_unknown_map_is_carried_as_it_is() -> None:
    entry = row(maps.join(0, 77, b"key"), b"value", HERE)
    assert (entry.state, entry.fields["value"]) == ("unknown map", b"value".hex())


def test_records_can_be_asked_for_by_map() -> None:
    from inspector.formats.rocksdb.claim import open_store
    from inspector.formats.snarkos.ledger import open_ledger
    from inspector.source import MemorySource
    from tests.builders.snarkos_wal import write_wal

    source = MemorySource(write_wal(b.rows() for b in ledger(5)))
    found = open_ledger(source, open_store(source, None, Wishes()), Wishes())
    headers = list(records(found, Query(kinds=frozenset({"block.header"}))))
    assert [e.state for e in headers] == ["ok"] * 5
    assert {e.fields["value"]["height"] for e in headers} == set(range(5))


def literal(kind: int, raw: bytes) -> bytes:
    return b"\0" + u(kind, 2) + raw


def test_plaintexts_read_as_aleo_writes_them() -> None:
    member = literal(12, u(100, 8))
    inner = b"\2" + u(2, 4) + (u(4, 2) + literal(9, b"\7")) * 2
    struct = b"\1\2" + b"\6amount" + sized16(member) + b"\4list" + sized16(inner)
    cases = {
        literal(12, u(100, 8)): "100u64",
        literal(4, b"\xff"): "-1i8",
        literal(1, b"\1"): True,
        literal(2, u(5, 32)): "5field",
        literal(16, u(3, 2) + b"a\x1bb"): "a\\x1bb",
        struct: {"amount": "100u64", "list": ["7u8", "7u8"]},
    }
    for raw, read in cases.items():
        assert maps.decode_value(37, b"\1" + sized(raw)) == read
        assert maps.decode_value(59, sized(b"\0" + raw)) == read
    assert maps.decode_value(9, sized(b"\1" + u(2, 4) + b"\1\1" + u(7, 8) + b"\1\2" + u(9, 8))) == {
        "count": 2,
        "content": [{"block_reward": 7}, {"puzzle_reward": 9}],
    }


def sized16(raw: bytes) -> bytes:
    return u(len(raw), 2) + raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\3",
        literal(17, u(1, 4)),
        literal(12, u(1, 7)),
        literal(12, u(1, 9)),
        b"\2" + b"\xff" * 4,
        b"\1\xff",
        b"".join(b"\2" + u(1, 4) + u(7 * (40 - n), 2) for n in range(40)),
        b"\0\2\0" + b"\xff" * 32,
    ],
)
def test_a_plaintext_of_another_kind_is_carried_as_it_is(raw: bytes) -> None:
    found = maps.decode_value(37, b"\1" + sized(raw))
    assert isinstance(found, dict)
    assert found["bytes"] == len(raw)
