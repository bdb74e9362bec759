"""Of blocks out of order the fewest move: what stays is the longest chain of blocks that are in order."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from random import Random

import pytest

from inspector.format import Wishes
from inspector.formats.rocksdb import keys, strays
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.database import good_blocks, open_database, pairs_of
from inspector.formats.rocksdb.facts import TableFacts
from inspector.formats.rocksdb.opening import open_table
from inspector.formats.rocksdb.strays import apart, merged
from inspector.formats.rocksdb.walk import walk
from inspector.source import open_source
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Shape
from tests.builders.rocksdb_table import table as table_of
from tests.formats.rocksdb.test_strays import exchanged, made

ORDER = keys.order_of(keys.BYTEWISE)
Bound = tuple[bytes, bytes]


def bound(first: int, last: int, sequence: int = 9) -> Bound:
    name = keys.internal(b"%03d" % first, sequence, keys.PUT), keys.internal(b"%03d" % last, sequence, keys.PUT)
    return min(name), max(name)


def chained(indexes: tuple[int, ...], bounds: list[Bound]) -> bool:
    return all(bounds[one][1] < bounds[two][0] for one, two in pairwise(indexes))


def longest(sound: list[int], bounds: list[Bound]) -> int:
    """The most blocks that can stay, by trying all."""
    return max(n for n in range(len(sound) + 1) if any(chained(picked, bounds) for picked in combinations(sound, n)))


@pytest.mark.parametrize("seed", range(40))
def test_as_many_blocks_stay_as_can(seed: int) -> None:
    rng = Random(seed)
    bounds = [bound(*sorted(rng.sample(range(40), 2))) for _ in range(rng.randrange(1, 9))]
    sound = sorted(rng.sample(range(len(bounds)), rng.randrange(len(bounds) + 1)))
    assert ORDER
    kept = strays._chain(sound, bounds, ORDER)
    assert kept <= {*sound}
    assert chained(tuple(sorted(kept)), bounds)
    assert len(kept) == longest(sound, bounds)


def test_blocks_that_meet_at_a_key_are_in_order_by_the_number_of_its_versions() -> None:
    newer, older = keys.internal(b"b", 9, keys.PUT), keys.internal(b"b", 8, keys.PUT)
    first, last = keys.internal(b"a", 9, keys.PUT), keys.internal(b"c", 9, keys.PUT)
    assert ORDER
    assert strays._chain([0, 1], [(first, newer), (older, last)], ORDER) == {0, 1}
    assert len(strays._chain([0, 1], [(first, older), (newer, last)], ORDER)) == 1


def pair(name: bytes, value: bytes = b"value") -> Pair:
    return keys.internal(name, 9, keys.PUT), value


def test_no_more_is_held_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and the last key of every block, and all entries of those that move."""
    data, _, _ = made(exchanged)
    path = tmp_path / "000009.sst"
    path.write_bytes(data)
    with open_source(str(path)) as source:
        db = open_database(source, Wishes().max_unit)
        for _ in walk(db):
            pass
        member = next(iter(db.facts))
        facts = db.facts[member]
        assert isinstance(facts, TableFacts)
        found = strays.strays_of(db, member)
        assert found.pairs is not None
        blocks = {start: pairs_of(content) for start, _, content in good_blocks(db.table(member))}
        assert len(found.blocks) == 2
        assert [pair for at in blocks for pair in blocks[at] if at in found.blocks] != found.pairs
        assert found.pairs == sorted(found.pairs)
        moved = sum(len(key) + len(value) + 200 for key, value in found.pairs)
        ends = sum(len(held[0][0]) + len(held[-1][0]) + 200 for held in blocks.values())
        assert moved > ends
        for most, own in ((ends - 1, False), (moved - 1, False), (moved, True), (moved + 1, True)):
            facts.strays = None
            monkeypatch.setattr(strays, "MOST", most)
            assert (strays.strays_of(db, member).pairs is not None) is own
        monkeypatch.setattr(strays, "_entries_of", lambda table, blocks: [])
        for most, own in ((ends - 1, False), (ends, True), (ends + 1, True)):
            facts.strays = None
            monkeypatch.setattr(strays, "MOST", most)
            assert (strays.strays_of(db, member).pairs is not None) is own


def test_ranges_of_lost_blocks_are_told_apart_up_to_a_number_and_the_last_ones_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = pairs(0, 90)[::-1]  # so that each block is out of order in itself
    data = table_of(now, Shape(block_size=450)).data
    table = open_table(lambda at, n: data[at : at + n], len(data))
    blocks = [(start, end, pairs_of(content)) for start, end, content in good_blocks(table)]
    assert ORDER
    each = [(s, e, min(k[:-8] for k, _ in held), max(k[:-8] for k, _ in held)) for s, e, held in blocks]
    count = len(each)
    for most in (count + 1, count, count - 1, 1):
        monkeypatch.setattr(strays, "RANGES", most)
        found = strays._behind(table, ORDER)
        chain = strays.chain_of(table, ORDER)
        assert chain
        assert strays.lost(table, chain) == found
        assert found.entries == len(now)
        assert found.blocks == {start for start, _, _ in blocks}
        alone = min(most, count) - 1
        rest = each[alone:]
        last = rest[0][0], rest[-1][1], min(one[2] for one in rest), max(one[3] for one in rest)
        assert found.ranges == (*each[:alone], last)


def test_entries_are_put_between_those_of_a_block_in_order_and_cut_at_its_size() -> None:
    held = [pair(b"a"), pair(b"c"), pair(b"e")]
    more = [pair(b"d"), pair(b"b")]
    assert ORDER
    whole = merged(held, more, ORDER)
    assert [key[:1] for key, _ in whole] == [b"a", b"b", b"c", b"d", b"e"]
    newer = keys.internal(b"c", 10, keys.PUT), b"new"
    assert merged(held, [newer], ORDER)[1:3] == [newer, held[1]]
    each = len(whole[0][0]) + len(whole[0][1])
    for size, counts in ((1, [1] * 5), (each, [1] * 5), (each + 1, [2, 2, 1]), (2 * each, [2, 2, 1]), (9**9, [5])):
        cut = list(apart(iter(whole), size))
        assert [len(one) for one in cut] == counts
        assert [one for run in cut for one in run] == whole
    assert list(apart([], 1)) == []
