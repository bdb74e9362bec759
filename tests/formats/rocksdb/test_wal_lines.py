"""Operations of a WAL as lines of JSON: what the blocks say is what the entries say, in the same order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inspector import formats
from inspector.format import Query, Wishes
from inspector.formats.rocksdb import batch, disguise, keys
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.lines import LARGEST, MANY, MOST, lines
from inspector.formats.rocksdb.records import records
from inspector.kernels.rocksdb import batch_sums
from inspector.render import record_lines
from inspector.render.encoding import encode
from inspector.source import MemorySource
from tests.builders import rocksdb
from tests.builders.bomb_crowds import hurt

PUT = (0, keys.PUT, b"key", b"value")
FULL = batch.encode(7, [PUT, (3, keys.PUT, b"\xff" * 200, bytes(9000)), (0, keys.DELETE, b"\n", b"")])
LOGS: dict[str, Callable[[], bytes]] = {
    "puts and deletes": lambda: rocksdb.log_of([FULL, batch.encode(10, [PUT])]),
    "more than a block of lines": lambda: rocksdb.log_of([batch.encode(1, [PUT] * (2 * MANY + 1))]),
    "more than a block of bytes": lambda: rocksdb.log_of([batch.encode(1, [(0, keys.PUT, b"k", bytes(MOST))] * 3)]),
    "marks among them": lambda: rocksdb.log_of(
        [FULL[:8] + b"\2\0\0\0" + FULL[12:23] + bytes([batch.NOOP]) * 3 + FULL[12:23] + b"\x0b\2id"]
    ),
    "counts too many": lambda: rocksdb.log_of([FULL[:8] + b"\x09\0\0\0" + FULL[12:], FULL]),
    "breaks off": lambda: rocksdb.log_of([FULL[:-1], FULL[:30], FULL[:5], b"", FULL]),
    "unknown operation": lambda: rocksdb.log_of([FULL + b"\x7f", FULL]),
    "numbers at their end": lambda: rocksdb.log_of([batch.encode(LARGEST - 2, [PUT] * 4)]),
    "damaged and torn": lambda: hurt(rocksdb.wal(300, 1)[0], [900, 5000])[:-20],
    "pages that moved": lambda: rocksdb.wal(900, 1)[0][32768:] + rocksdb.wal(900, 1)[0],
    "no record": lambda: bytes(100_000),
}


@pytest.mark.parametrize("make", LOGS.values(), ids=LOGS)
def test_lines_are_those_of_the_entries(make: Callable[[], bytes]) -> None:
    source = MemorySource(make(), "000014.log")
    db = open_store(source, None, Wishes())
    found = lines(db, Query(), lambda value: encode(value, pretty=False))
    assert found is not None
    told = b"".join(one if isinstance(one, bytes) else record_lines.as_json(one) + b"\n" for one in found)
    entries = list(records(db, Query()))
    assert told == b"".join(record_lines.as_json(one) + b"\n" for one in entries)
    assert [one.fields["count"] for one in entries if one.kind == "mark" and not one.fields["id"]] in ([], [3])


def test_filters_and_other_files_are_listed_one_by_one() -> None:
    db = open_store(MemorySource(LOGS["puts and deletes"](), "000014.log"), None, Wishes())
    for query in (Query(text=True), Query(value_limit=3), Query(damaged=True), Query(start=9)):
        assert lines(db, query, encode) is None
    manifest = open_store(MemorySource(rocksdb.World().manifest(), "MANIFEST-000005"), None, Wishes())
    assert lines(manifest, Query(), encode) is None
    folder = MemorySource({"000014.log": LOGS["puts and deletes"]()})
    assert lines(open_store(folder, None, Wishes()), Query(), encode) is None
    assert any(f.lines is not None and f.name == "rocksdb" for f in formats.all_formats())


def test_a_batch_that_miscounts_is_as_one_that_makes_no_sense_and_is_not_read_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For an excerpt that is written anew, which asks it twice of each batch."""
    miscounted = FULL[:8] + b"\x09\0\0\0" + FULL[12:]
    steps = disguise._operations(FULL)
    assert steps is not None
    assert len(steps) == 3
    assert disguise._operations(miscounted) is disguise._operations(FULL[:-1]) is disguise._operations(FULL[:5]) is None
    if batch_sums(FULL) is None:
        pytest.skip("the plain twin leaves counting to the reader of batches")
    monkeypatch.delattr(batch, "operations")
    assert disguise._operations(miscounted) is None
