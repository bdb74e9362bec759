"""Both carving kernels against each other and against a search at every offset."""

from __future__ import annotations

import random
import re
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest

from inspector.formats.gossip_store.carving import PLAUSIBLE
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.log_writer import frame
from inspector.kernels import gossip_tiles as tiles
from inspector.kernels import plain_carve, plain_places
from inspector.kernels.plain_structure import plausible
from tests.formats.gossip_store.witness import record_at
from tests.kernels import stores
from tests.kernels.test_walk import HOSTILE, hostile

PLACES: tuple[ModuleType, ...] = (plain_places,)
TWINS: tuple[ModuleType, ...] = (plain_carve,)
if find_spec("inspector.kernels._carve"):
    TWINS = (plain_carve, import_module("inspector.kernels._carve"))
    PLACES = (plain_places, TWINS[1])


def scattered(seed: int) -> bytes:
    """Stores in pieces, noise and zeroes in between; some records damaged."""
    rng = random.Random(seed)
    parts = []
    for _ in range(rng.randrange(1, 9)):
        data = bytearray(stores.random_store(rng, rng.randrange(1, 25))[0])
        for _ in range(rng.choice((0, 0, 1, 4))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        low = rng.randrange(len(data))
        parts.append(bytes(data[low : rng.randrange(low, len(data)) + 1]))
        parts.append(rng.choice((b"", bytes(rng.randrange(300)), rng.randbytes(rng.randrange(300)))))
    return b"".join(parts)


def at_every_offset(data: bytes, at: int = 0) -> list[int]:
    """Where records verify, none inside another: slow, and by other code than the kernels'."""
    found = []
    while at < len(data):
        record = record_at(data, at)
        if record and plausible(data, at + 12, len(record.body), record.end):
            found.append(at)
            at = record.end
        else:
            at += 1
    return found


@pytest.mark.parametrize("twin", TWINS, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
def test_finds_are_those_of_a_search_at_every_offset(twin: ModuleType) -> None:
    for seed in range(60):
        data = scattered(seed)
        finds = twin.gossip_records(data, 0, len(data), 1000)
        assert [at - 1000 for at in finds.starts] == at_every_offset(data), seed


@pytest.mark.skipif(len(TWINS) < 2, reason="the extension was not built here")
def test_both_kernels_give_the_same_values() -> None:
    cases = [scattered(seed) for seed in range(300)] + [hostile(kind, 20_000) for kind in HOSTILE]
    rng = random.Random(5)
    for data in [*cases, b"", b"\x01", bytes(13), bytes(70_000) + b"\x01\x02"]:
        at = rng.randrange(len(data) + 1) if rng.random() < 0.3 else 0
        stop = rng.randrange(at, len(data) + 2)
        plain, compiled = (twin.gossip_records(data, at, stop, 7) for twin in TWINS)
        assert plain == compiled


@pytest.mark.parametrize("twin", TWINS, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
def test_a_record_inside_what_a_damaged_message_claims_is_marked(twin: ModuleType) -> None:
    planted = stores.record(stores.delete(77))
    whole = stores.record(stores.node(stores.node_id(3), planted), 1_600_000_000)
    after = stores.record(stores.amount(5))
    assert len(twin.gossip_records(whole + after, 0, 1 << 20, 0)) == 2  # the planted one is no find
    damaged = bytearray(whole)
    damaged[40] ^= 1
    finds = twin.gossip_records(bytes(damaged) + after, 0, 1 << 20, 0)
    assert list(finds.kinds) == [4103, 4101]
    assert list(finds.marks) == [tiles.ANCHORED, tiles.OK]
    assert (finds.suspect, finds.suspect_end) == (0, len(whole))


def test_runs_of_hex_digits_are_those_of_a_pattern() -> None:
    rng = random.Random(8)
    for _ in range(300):
        parts = [rng.randbytes(rng.randrange(30)) + rng.randbytes(rng.randrange(60)).hex().encode() for _ in range(9)]
        data = b"".join(parts)[rng.randrange(5) :]
        stop = rng.randrange(len(data) + 9)
        expected = [m.span() for m in re.finditer(rb"[0-9a-fA-F]{44,}", data) if m.start() < stop]
        for twin in TWINS:
            assert twin.hex_places(data, stop) == expected


def test_records_of_logs_are_found_by_both_kernels_at_every_offset() -> None:
    rng = random.Random(9)
    for seed in range(150):
        out, expected = bytearray(rng.randbytes(rng.randrange(90))), []
        for _ in range(rng.randrange(6)):
            number = rng.choice((None, 7))
            body = rng.randrange(1 << 40).to_bytes(8, "little") + rng.randrange(1, 9).to_bytes(4, "little")
            body += b"\1" + rng.randbytes(rng.randrange(40))
            record = frame((7).to_bytes(4, "little"), 0, alone=9) if rng.random() < 0.2 else frame(body, 0, number)
            expected.append(len(out))
            if rng.random() < 0.3:
                record = record[:-1] + bytes([record[-1] ^ 1])
                expected.pop()
            out += record + rng.randbytes(rng.choice((0, 0, 5)))
        data, stop = bytes(out), rng.choice((len(out), rng.randrange(len(out) + 3)))
        for twin in PLACES:
            assert twin.log_places(data, stop) == [at for at in expected if at < stop], (seed, twin)
            assert twin.log_places(bytes(5000), 5000) == []


def test_the_next_record_of_any_type_is_the_same_for_both_kernels() -> None:
    rng = random.Random(11)
    for _ in range(150):
        data, expected = bytearray(rng.choice((rng.randbytes(40), b"\1" * 300, bytes(70)))), []
        for kind in rng.choices((1, 2, 3, 4, 5, 8, 9, 10, 11, 130, 131, 0, 12, 129), k=4):
            body = rng.randbytes(4 if kind in (5, 8, 11, 131) else 0) + rng.randbytes(size := rng.randrange(50))
            if kind in (*range(1, 12), 130, 131):
                expected.append(len(data))
            sealed = masked_crc(bytes([kind]) + body).to_bytes(4, "little")
            data += sealed + size.to_bytes(2, "little") + bytes([kind]) + body
            data += rng.randbytes(rng.choice((0, 3)))
        at = rng.randrange(len(data) + 3)
        right = min((place for place in expected if place >= at), default=len(data))
        for twin in PLACES:
            assert twin.log_anchor(bytes(data), at) == right, (at, twin)


def test_eight_bytes_are_found_at_every_offset() -> None:
    rng = random.Random(10)
    one, two = rng.randbytes(8), rng.randbytes(8)
    for _ in range(100):
        parts = [rng.choice((one, two, one[:4], rng.randbytes(rng.randrange(70)))) for _ in range(rng.randrange(20))]
        data = b"".join(parts)
        stop = rng.randrange(len(data) + 2)
        expected = [at for at in range(min(stop, len(data))) if data[at : at + 8] in (one, two)]
        for twin in PLACES:
            assert twin.eight_places(data, stop, one, two) == expected


def test_random_bytes_seldom_look_like_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    class Counted:
        def __init__(self, data: bytes) -> None:
            pass

        def matches(self, *_: int) -> bool:
            nonlocal looked
            looked += 1
            return False

    monkeypatch.setattr(plain_carve, "PartChecksums", Counted)
    rng = random.Random(2)
    # what is looked for is rare: every 16 bytes have a type at the place where one counts
    kinds = [kind.to_bytes(2, "big") for kind in (256, 257, 258, 3503, *range(4101, 4108))]
    size = 40_000
    data = b"".join(rng.randbytes(12) + rng.choice(kinds) for _ in range(size)) + rng.randbytes(1 << 16)
    plain_carve.gossip_records(data, 0, len(data), 0)
    per_type = looked / size
    assert per_type * len(kinds) / 65536 < PLAUSIBLE
