"""Sealed records of a log out of their order whose batches make no sense, or whose numbers go back: repair, excerpt."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.format import Wishes
from inspector.formats import all_formats
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.claim import open_store
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.shrink_log import shrunk_log
from inspector.inspect import inspect
from inspector.repair import repair
from inspector.source import MemorySource, open_source

MOST = (1 << 64) - 1


def put(sequence: int) -> bytes:
    return batch.encode(sequence, [(0, keys.PUT, b"key-%03d" % sequence, b"value")])


def log_of(records: list[bytes]) -> tuple[bytes, list[int]]:
    out, starts = bytearray(), []
    for record in records:
        starts.append(len(out))
        out += frame(record, len(out))
    return bytes(out), starts


@pytest.mark.parametrize("sound", [True, False])
def test_a_record_is_put_back_where_its_numbers_are_missing_unless_its_batch_makes_no_sense(
    sound: bool, tmp_path: Path
) -> None:
    moved = put(5) if sound else put(5)[:-3]
    data, starts = log_of([*map(put, (1, 2, 3, 4)), *map(put, range(6, 30)), moved, *map(put, range(30, 40))])
    path = tmp_path / "000004.log"
    path.write_bytes(data)
    with open_source(str(path)) as source:
        done = repair(source, all_formats(), str(tmp_path / "out.log"), Wishes())
    assert sum(done.bytes[one] for one in ("kept", "corrected", "dropped", "lost")) == len(data)
    about = [edit.action for edit in done.changes if edit.origin and edit.origin.start == starts[28]]
    assert about == (["corrected"] if sound else ["lost"])
    with open_source(str(tmp_path / "out.log")) as source:
        report = inspect(source, all_formats())
    assert report.account.units == (39 if sound else 38)


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([1, 2, 3, 500, 501, 502], True),
        ([1, 2, 3, 500, 3, 4], False),  # it would be a number below none
        ([MOST, MOST, MOST, MOST - 9, MOST - 9, MOST], False),
    ],
)
def test_numbers_go_down_in_a_smaller_log_only_as_far_as_they_reach(numbers: list[int], shown: bool) -> None:
    records = [b"".join([n.to_bytes(8, "little"), put(1)[8:]]) for n in numbers]
    data, starts = log_of([*records[:1], *[put(1)] * 40, *records[1:3], put(4), *[put(400)] * 60, *records[3:]])
    needed = {starts[0], starts[42], *starts[-3:]}
    db = open_store(MemorySource(data, "000004.log"), None, Wishes())
    found = shrunk_log(db, "", lambda start, end: start in needed, 0)
    assert (found is not None) is shown
