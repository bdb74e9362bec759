"""How many tables lie in other folders, in words; and where a record of a log may go over the end of its block."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.formats.rocksdb import folders, log
from inspector.formats.rocksdb.log import RECYCLABLE_HEADER

TABLES = ["000007.sst", "000009.sst", "000011.sst"]


@pytest.mark.parametrize(
    ("count", "lie", "strike"),
    [(1, "1 of its tables lies in", "000007.sst lies in"),
     (2, "2 of its tables lie in", "000007.sst and 1 more lie in"),
     (3, "3 of its tables lie in", "000007.sst and 2 more lie in")],
)  # fmt: skip
def test_as_many_tables_are_said_to_lie_elsewhere_as_do(
    count: int, lie: str, strike: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Database:
        trusted = True

    db: Any = Database()
    monkeypatch.setattr(folders, "missing", lambda _: TABLES[:count])
    monkeypatch.setattr(folders, "elsewhere", lambda _: "")
    for none_here in (False, True):  # of tables that are listed elsewhere it is known why none is here
        (words,) = folders.words(db, none_here)
        assert words.startswith(f"{lie} other folders (db_paths): ")
    refused = folders.refusal(db)
    assert refused is not None
    assert str(refused).startswith(f"{strike} another folder (db_paths)")
    db.trusted = False
    assert folders.refusal(db) is None


def test_nothing_is_said_where_nothing_lies_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    db: Any = type("Database", (), {"trusted": True})()
    monkeypatch.setattr(folders, "missing", lambda _: [])
    monkeypatch.setattr(folders, "elsewhere", lambda _: "")
    assert list(folders.words(db, none_here=False)) == []
    (words,) = folders.words(db, none_here=True)
    assert words.startswith("No table is here at all: ")
    monkeypatch.setattr(folders, "elsewhere", lambda _: "OPTIONS-000008")
    first, *_ = folders.words(db, none_here=False)
    assert "(wal_dir in OPTIONS-000008)" in first
    assert folders.refusal(db) is None


def test_what_stands_in_a_log_may_go_over_the_end_by_its_length_or_as_a_zero() -> None:
    size = 2048
    for at in (0, 5, 1000):
        room = size - at - RECYCLABLE_HEADER
        for length, over in ((room - 1, False), (room, False), (room + 1, True), (room | 0xFF, True)):
            block = bytearray(b"\xaa" * size)
            block[at + 4 : at + 6] = length.to_bytes(2, "little")
            assert log._may_go_over(bytes(block), at) is (over or length > room)
            block[at] = 0
            assert log._may_go_over(bytes(block), at)
    block = bytearray(b"\xaa" * size)
    last = size - RECYCLABLE_HEADER
    block[last + 4 : last + 6] = bytes(2)
    assert not log._may_go_over(bytes(block), last)
    assert log._may_go_over(bytes(block), last + 1)
