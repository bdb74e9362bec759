"""Two-phase commits in a WAL: what is prepared counts from its commit on, and not at all where it is taken back."""

from __future__ import annotations

import pytest

from inspector.format import Wishes
from inspector.formats.rocksdb import batch, keys, view
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.view import Doubts, live_view, wal_operations
from tests.builders.rocksdb import World, log_of, pairs
from tests.contract.corpus import memory


def ops(sequence: int, *names: str) -> bytes:
    return batch.encode(sequence, [(0, keys.PUT, name.encode(), b"v%d" % sequence) for name in names])


def prepared(sequence: int, name: bytes, *inside: str) -> bytes:
    data = ops(sequence, *inside)
    return data[:12] + b"\x09" + data[12:] + b"\x0a" + bytes([len(name)]) + name


def step(sequence: int, tag: bytes, name: bytes) -> bytes:
    return batch.encode(sequence, []) + tag + bytes([len(name)]) + name


COMMIT, ROLLBACK = b"\x0b", b"\x0c"


def seen(*records: bytes, most: int | None = None) -> tuple[list[tuple[bytes, int, bytes]], Doubts]:
    """Key, sequence number and value of what the WAL makes effective, in this order."""
    world = World()
    world.add(9, pairs(0, 3))
    world.wals[14] = log_of(list(records), 14)
    world.log_number = 14
    doubts = Doubts()
    with memory(world.members()) as source:
        db = open_store(source, None, Wishes())
        found = [(op.entry.key, op.entry.sequence, op.entry.value) for _, op in wal_operations(db, doubts)]
        family = view.families(db)[0]
        live = {one.key for one in live_view(db, family)}
        assert {key for key, _, _ in found} <= live
    return found, doubts


def test_what_is_prepared_comes_with_its_commit_and_its_numbers() -> None:
    found, doubts = seen(
        prepared(11_000, b"one", "a", "b"), ops(11_000, "c"), step(11_001, COMMIT, b"one"), ops(11_003, "d")
    )
    assert found == [(b"c", 11_000, b"v11000"), (b"a", 11_001, b"v11000"), (b"b", 11_002, b"v11000"),
                     (b"d", 11_003, b"v11003")]  # fmt: skip
    assert doubts.prepared
    assert not doubts.said


def test_what_is_taken_back_or_never_committed_does_not_count() -> None:
    found, doubts = seen(
        prepared(11_000, b"one", "a"), prepared(11_000, b"two", "b"), step(11_000, ROLLBACK, b"one"),
        step(11_000, COMMIT, b"one"), ops(11_000, "c"),
    )  # fmt: skip
    assert found == [(b"c", 11_000, b"v11000")]
    assert list(doubts.said) == [
        "a prepared transaction was never committed; its operations are not part of the live view"
    ]


def test_a_name_may_be_used_again() -> None:
    found, doubts = seen(
        prepared(11_000, b"x", "a"), step(11_000, ROLLBACK, b"x"), prepared(11_000, b"x", "b"),
        step(11_000, COMMIT, b"x"), step(11_001, COMMIT, b"x"),
    )  # fmt: skip
    assert found == [(b"b", 11_000, b"v11000")]
    assert not doubts.said


@pytest.mark.parametrize(("most", "kept"), [(3, 3), (2, 2)])
def test_of_what_is_prepared_so_much_is_held_and_room_comes_back(
    most: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MAX_PREPARED", most)
    for end in (COMMIT, ROLLBACK):
        found, _ = seen(
            prepared(11_000, b"one", "a", "b"), step(11_000, end, b"one"), prepared(11_002, b"two", "c", "d", "e"),
            step(11_002, COMMIT, b"two"),
        )  # fmt: skip
        before = 2 if end == COMMIT else 0
        assert [key for key, _, _ in found][before:] == [b"c", b"d", b"e"][:kept]
