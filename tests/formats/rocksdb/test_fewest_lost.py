"""What damage costs of a table that nothing counts: the blocks that it hit, and not those that stand behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.formats.rocksdb import properties
from inspector.formats.rocksdb.block import Pair
from inspector.formats.rocksdb.properties import PREFIX
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import Built, Shape, table
from tests.formats.rocksdb.test_strays import entries_of

KEYS = 200


def held(built: Built) -> list[list[Pair]]:
    """The entries of each block."""
    every, out = pairs(0, KEYS), []
    for count in built.counts:
        out.append(every[:count])
        every = every[count:]
    return out


def named(path: Path, capsys: pytest.CaptureFixture[str], code: str) -> set[int]:
    """Where the findings of one rule begin."""
    capsys.readouterr()
    assert main(["scan", str(path), "--json"]) == 3
    return {one["start"] for one in json.loads(capsys.readouterr().out)["findings"] if one["code"] == code}


@pytest.mark.parametrize("version", [2, 5])
@pytest.mark.parametrize(("one", "two"), [(1, 7), (0, 9), (0, 1), (3, -1)])
def test_two_blocks_in_each_others_place_cost_no_other_block(
    version: int, one: int, two: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an index, and the end that counts the entries, a block with late keys made all behind it out of order."""
    every = held(table(pairs(0, KEYS), Shape(version=version, block_size=450)))
    order = [*range(len(every))]
    order[one], order[two] = order[two], order[one]
    built = table([pair for i in order for pair in every[i]], Shape(version=version, block_size=450))
    if built.counts != [len(every[i]) for i in order]:
        pytest.skip("blocks of other sizes are cut elsewhere")
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    path.write_bytes(built.data[: built.places["index"].offset + 3])  # the index and all behind it are gone
    moved = {one % len(every), two % len(every)}
    moved = moved if abs(one % len(every) - two % len(every)) > 1 else {one, two}
    astray = named(path, capsys, "RDB015")
    assert astray <= {built.blocks[i].offset for i in moved}
    assert len(astray) == (1 if moved == {0, 1} else 2)
    assert main(["repair", str(path), "-o", str(out)]) == 4
    lost = {i for i, at in enumerate(built.blocks) if at.offset in astray}
    assert entries_of(out) == [pair for i, k in enumerate(order) if i not in lost for pair in every[k]]


def test_a_footer_that_leads_to_the_index_in_place_of_the_metaindex_is_not_believed(tmp_path: Path) -> None:
    """Every value of an index is a handle, as of a metaindex.

    Where the metaindex is damaged, and its handle has 4 bytes, the handle of the index stands where a footer of the
    oldest kind has that of the metaindex: all data blocks were taken for blocks of unknown names then, and lost.
    """
    every = pairs(0, 600)
    built = table(every, Shape(version=2, block_size=450, checksum=1, index="full"))
    metaindex = built.places["metaindex"]
    assert metaindex.offset >= 1 << 14  # 3 bytes
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    at = metaindex.offset + 9
    path.write_bytes(built.data[:at] + built.data[at + 1 :])
    assert main(["repair", str(path), "-o", str(out)]) in (0, 4)
    assert entries_of(out) == every


def test_a_highest_number_that_most_entries_pass_is_what_changed(tmp_path: Path) -> None:
    """Properties of a table without checksums: a repair obeyed them, and left out all entries that were newer."""
    every = pairs(0, KEYS)
    stated = {
        PREFIX + name.encode(): properties.number(value)
        for name, value in {"num.entries": KEYS, "num.data.blocks": 1, "key.largest.seqno": 150}.items()
    }
    built = table(every, Shape(version=5, checksum=0, block_size=450, properties=stated))
    assert len(built.counts) > 2
    path, out = tmp_path / "000009.sst", tmp_path / "out.sst"
    path.write_bytes(built.data)
    assert main(["repair", str(path), "-o", str(out)]) == 0
    assert entries_of(out) == every
