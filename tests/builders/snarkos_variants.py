"""The ways in which a ledger is left behind, each with what is true about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.builders.snarkos import Block, Rows, element, key, ledger, sized, state, u, vec


@dataclass(frozen=True, slots=True)
class Variant:
    """Batches to write, in order; `good` are the live rows that a repair must arrive at, None where none can."""

    name: str
    batches: list[Rows]
    prefix: int
    first_bad: int | None
    classes: list[str]
    good: Rows | None


def _without(blocks: list[Block], *gone: bytes) -> list[Rows]:
    """The blocks' batches without some rows."""
    return [{k: v for k, v in block.rows().items() if k not in gone} for block in blocks]


def clean(n: int = 12) -> Variant:
    blocks = ledger(n)
    return Variant("clean", [b.rows() for b in blocks], n, None, [], state(blocks))


def not_finalised(n: int = 12) -> Variant:
    """The process ended between the two batches of the last block (snarkVM#2218)."""
    blocks = ledger(n)
    batches = [*(b.rows() for b in blocks[:-1]), blocks[-1].insert]
    return Variant("tip-not-finalised", batches, n - 1, n - 1, ["A"], state(blocks[:-1]))


def partly_written(n: int = 12, maps: frozenset[int] = frozenset(range(2, 10))) -> Variant:
    """Before snarkVM#1762 each map wrote its own batch: only some maps have the last block."""
    blocks = ledger(n)
    some = {k: v for k, v in blocks[-1].insert.items() if k[2] in maps}
    batches = [*(b.rows() for b in blocks[:-1]), some]
    return Variant("tip-partly-written", batches, n - 1, n - 1, ["B"], state(blocks[:-1]))


def gap(n: int = 12, at: int = 5) -> Variant:
    """Map 4 has no hash for one height; map 5 and the header still know it."""
    blocks = ledger(n)
    return Variant("id-gap", _without(blocks, key(4, u(at, 4))), at, at, ["C"], state(blocks))


def stale_reverse(n: int = 12, at: int = 6) -> Variant:
    """Map 5 leads a block's hash to the height before."""
    blocks = ledger(n)
    batches = [b.rows() for b in blocks]
    batches[-1] = {**batches[-1], key(5, blocks[at].hash): u(at - 1, 4)}
    return Variant("stale-reverse", batches, at, at, ["C"], state(blocks))


def root_gone(n: int = 12, at: int = 4) -> Variant:
    """Neither map 2 nor map 3 has a block's state root; the next header repeats it."""
    blocks = ledger(n)
    batches = _without(blocks, key(2, u(at, 4)), key(3, blocks[at].root))
    return Variant("state-root-gone", batches, at, at, ["C"], state(blocks))


def header_mismatch(n: int = 12, at: int = 7) -> Variant:
    """A header's previous state root is not that of the block before: nothing here tells the right header."""
    blocks = ledger(n)
    own = key(6, blocks[at].hash)
    header = bytearray(blocks[at].insert[own])
    header[8 + 1 + 5] ^= 0x40
    batches = [b.rows() for b in blocks]
    batches[at] = {**batches[at], own: bytes(header)}
    return Variant("header-mismatch", batches, at, at, ["D"], None)


def orphans(n: int = 12) -> Variant:
    """A transaction and its transition, of a block of which nothing else was written."""
    blocks, lost = ledger(n), ledger(1, seed=99)[0]
    some = {k: v for k, v in lost.insert.items() if k[2] in (17, 29, 30, 31, 32, 33, 34, 35, 51, 52)}
    batches = [*(b.rows() for b in blocks), some]
    return Variant("orphan-transaction", batches, n, None, ["B"], state(blocks))


def finalised_ahead(n: int = 12) -> Variant:
    """The committee store has a block that the block store lacks (snarkOS#2974): mappings cannot go back."""
    blocks = ledger(n)
    batches = [*(b.rows() for b in blocks[:-1]), blocks[-1].finalize]
    return Variant("finalised-ahead", batches, n - 1, n - 1, ["D"], None)


def transition_gone(n: int = 12, at: int = 3) -> Variant:
    """A transition's commitment is not there: nothing else says it."""
    blocks = ledger(n)
    gone = next(k for k in blocks[at].insert if k[2] == 55)
    return Variant("transition-row-gone", _without(blocks, gone), at, at, ["D"], None)


def reverse_maps_gone(n: int = 12) -> Variant:
    """Every reverse map and index is empty; all follow from the others."""
    blocks = ledger(n)
    derived = (3, 5, 8, 11, 13, 20, 30, 33, 35, 43, 54, 56)
    batches = [{k: v for k, v in b.rows().items() if k[2] not in derived} for b in blocks]
    return Variant("reverse-maps-gone", batches, 0, 0, ["C"], state(blocks))


ALL: tuple[Callable[[], Variant], ...] = (
    clean,
    not_finalised,
    partly_written,
    gap,
    stale_reverse,
    root_gone,
    header_mismatch,
    orphans,
    finalised_ahead,
    transition_gone,
    reverse_maps_gone,
)

__all__ = ["ALL", "Variant", "element", "ledger", "sized", "vec"]
