"""How many tables of a folder stay open: all of small ones, a few of large ones."""

from __future__ import annotations

import pytest

from inspector.formats.rocksdb import database
from tests.builders.rocksdb import pairs
from tests.builders.rocksdb_table import table
from tests.contract.corpus import memory


@pytest.mark.parametrize(("small", "size", "opened"), [(512, 16 << 20, 90), (80, 16 << 20, 80), (512, 0, 64)])
def test_small_tables_stay_open(small: int, size: int, opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OPEN_SMALL", small)
    monkeypatch.setattr(database, "OPEN_BYTES", size)
    data = table(pairs(0, 5)).data
    with memory({f"{number:06d}.sst": data for number in range(90)}) as source:
        db = database.open_database(source)
        first = [db.table(member.name) for member in source.members]
        again = [db.table(member.name) for member in reversed(source.members)]
        assert sum(one is other for one, other in zip(reversed(first), again, strict=True)) == opened


def test_a_large_table_closes_many_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = table(pairs(0, 5)).data, table(pairs(0, 500)).data
    monkeypatch.setattr(database, "OPEN_BYTES", 90 * len(small))
    with memory({f"{number:06d}.sst": small for number in range(89)} | {"000099.sst": large}) as source:
        db = database.open_database(source)
        first = [db.table(member.name) for member in source.members]
        kept = [db.table(member.name) is one for member, one in zip(source.members[-60:], first[-60:], strict=True)]
        assert all(kept)
        assert db.table("000000.sst") is not first[0]


def test_a_forgotten_table_is_opened_anew_and_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(pairs(0, 5)).data
    monkeypatch.setattr(database, "OPEN_BYTES", 70 * len(data))
    with memory({f"{number:06d}.sst": data for number in range(70)}) as source:
        db = database.open_database(source)
        names = [member.name for member in source.members]
        first = [db.table(name) for name in names]
        for name in names[:5]:
            db.forget(name)
            db.forget(name)
            assert db.table(name) is not first[names.index(name)]
        assert [db.table(name) for name in names[5:]] == first[5:]
        assert len({id(db.table(name)) for name in names}) == 70
