"""Updates that need no row: with and without that short cut, and with the least of memory, a carve finds the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from inspector.carve import CarveWishes
from inspector.formats.gossip_store import outdated
from inspector.formats.gossip_store.finds import FoundTable
from tests import damage
from tests.builders.gossip import DELETED, ZOMBIE, Network, Store, healthy
from tests.builders.gossip_signed import signed_store
from tests.carve.devices import Run, run, shuffled
from tests.formats.gossip_store.witness import walk

TESTNET = bytes.fromhex("43497fd7f826957108f4a30fd9cec3ae") + bytes(16)


def told(done: Run) -> tuple[object, ...]:
    sums = done.carved.haul.sums
    fates = sorted((span.start, span.end, span.kind, span.fate) for span in done.spans)
    return done.out, done.code, sums.units, sums.bytes, sums.found, done.carved.notes, fates


def ages(seed: int) -> bytes:
    """Three states of one store, the newest in the middle, one of them cut in the middle of a record."""
    one = healthy(16, 12_000, seed)
    return one[: len(one) // 2] + bytes(700) + one + bytes(33) + one[: len(one) // 3]


def hurt(seed: int) -> bytes:
    rng = Random(seed)
    data = healthy(16, 15_000, seed)
    for _ in range(12):
        at = rng.randrange(1, len(data) - 300)
        data = damage.zero(data, at, at + rng.choice((1, 90, 300))).data
    return data + healthy(16, 15_000, seed)


def logged(seed: int) -> bytes:
    """A store, and a log that says the same messages again."""
    data = healthy(16, 6_000, seed) + signed_store(3, 3)[1:]
    return data + b"\n" + b"".join(r.body.hex().encode() + b"\n" for r in walk(data))


def flagged(seed: int) -> bytes:
    """Flags alone differ between copies: no checksum covers them."""
    rng, data = Random(seed), bytearray(healthy(16, 8_000, seed))
    for record in walk(bytes(data)):
        if rng.random() < 0.2:
            data[record.at] ^= rng.choice((DELETED, ZOMBIE)) >> 8
    return bytes(data) + bytes(100) + healthy(16, 8_000, seed)


def equal_times(seed: int) -> bytes:
    """Updates of one second that differ, deleted and live, in two copies."""
    net, rng = Network(Store(16), seed), Random(seed)
    one, two = net.node(), net.node()
    for _ in range(3):
        net.open(one, two)
    for _ in range(60):
        net.time -= rng.choice((0, 7, 7, 14))
        net.update(rng.choice(net.channels), rng.randrange(2))
    return net.store.bytes() + bytes(100) + net.store.bytes()[: rng.randrange(3000, 9000)]


def networks(seed: int) -> bytes:
    one, other = healthy(16, 8_000, seed), bytearray(healthy(16, 5_000, seed))
    at = other.find(TESTNET[:8])
    assert at < 0
    return bytes(other.replace(bytes.fromhex("6fe28c0ab6f1b372"), TESTNET[:8])) + one


DEVICES: tuple[Callable[[int], bytes], ...] = (
    ages,
    hurt,
    logged,
    flagged,
    equal_times,
    networks,
    lambda seed: shuffled(healthy(16, 20_000, seed), 4, seed, 1024),
    lambda seed: healthy(12, 8_000, seed) + healthy(13, 8_000, seed),
)


@pytest.mark.parametrize("device", range(len(DEVICES)))
@pytest.mark.parametrize("accept", [(), ("anchored",)])
def test_what_needs_no_row_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: int, accept: tuple[str, ...]
) -> None:
    wishes = CarveWishes(accept=frozenset(accept))
    for seed in range(2):
        data = DEVICES[device](seed)
        short = told(run(data, tmp_path, wishes))
        with monkeypatch.context() as patch:
            patch.setattr(FoundTable, "_update", lambda *_: False)
            plain = told(run(data, tmp_path, wishes))
        assert short == plain, seed
        with monkeypatch.context() as patch:
            for name, value in (("NEWEST", 4), ("CHUNK", 3), ("FEW", 0), ("ODD", 1), ("PARTS", 2)):
                patch.setattr(outdated, name, value)
            least = told(run(data, tmp_path, wishes))
        assert least[:-1] == plain[:-1], seed
