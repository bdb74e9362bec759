"""What stands for bytes that are not here: given back as it was told, and refused where it does not fit its place."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from inspector.errors import SourceError
from inspector.formats.rocksdb import holding
from inspector.formats.rocksdb.holding import BLOBS, BLOCKS, LOG
from inspector.vouching import Vouched, planes


class Capsule:
    """Keeps what is vouched for, and hands it out."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, int, str], Vouched] = {}

    def vouch(self, what: str, start: int, end: int, told: Callable[[], bytes], member: str = "") -> None:
        self.runs[what, start, member] = Vouched(start, end, told())

    def vouched(self, what: str, at: int, member: str = "") -> Vouched | None:
        return self.runs.get((what, at, member))


def changed(capsule: Any, what: str, at: int, **changes: Any) -> None:
    """The same run with another end, or with other values by their place in the tuple."""
    run = capsule.runs[what, at, "f"]
    values = msgspec.msgpack.decode(run.told)
    for name, value in changes.items():
        if name != "end":
            values[int(name[1:])] = value
    capsule.runs[what, at, "f"] = Vouched(run.start, changes.get("end", run.end), msgspec.msgpack.encode(values))


def blocks() -> Any:
    capsule: Any = Capsule()
    run = SimpleNamespace(entries=9, types={1: 9}, first_key=b"a", last_key=b"z", max_tag=77)
    holding.vouch_blocks(capsule, "f", 100, 500, run, array("I", [1, 2, 300]), array("I", [1, 7, 300]))
    return capsule


def test_blocks_are_given_back_with_both_checksums() -> None:
    found = holding.held_blocks(blocks(), "f", 100)
    assert found is not None
    end, sums, stored, computed = found
    assert (end, list(stored), list(computed)) == (500, [1, 2, 300], [1, 7, 300])
    assert sums[:6] == (9, {1: 9}, b"a", b"z", 77, 3)
    assert holding.held_blocks(blocks(), "f", 101) is None
    assert holding.held_blocks(blocks(), "g", 100) is None


@pytest.mark.parametrize(
    "wrong",
    [{"_2": None}, {"_3": None}, {"_5": 0}, {"_5": 2}, {"_5": 4}, {"_6": bytes(23)}, {"_6": bytes(33)}, {"end": 100},
     {"end": 99}, {"_0": "nine"}],
)  # fmt: skip
def test_blocks_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    capsule = blocks()
    changed(capsule, BLOCKS, 100, **wrong)
    with pytest.raises(SourceError, match="of f does not fit it"):
        holding.held_blocks(capsule, "f", 100)


def test_a_run_of_one_block_is_given_back() -> None:
    capsule: Any = Capsule()
    run = SimpleNamespace(entries=1, types={1: 1}, first_key=b"a", last_key=b"a", max_tag=7)
    holding.vouch_blocks(capsule, "f", 0, 40, run, array("I", [5]), array("I", [6]))
    found = holding.held_blocks(capsule, "f", 0)
    assert found is not None
    assert (found[0], list(found[2]), list(found[3])) == (40, [5], [6])


def test_no_blocks_at_all_are_refused() -> None:
    capsule = blocks()
    changed(capsule, BLOCKS, 100, _5=0, _6=b"")
    with pytest.raises(SourceError):
        holding.held_blocks(capsule, "f", 100)


def log() -> Any:
    capsule: Any = Capsule()
    run = SimpleNamespace(records=3, operations=5, families={0: 5}, sequences=(7, 12), jumps=(0, []), highest=12)
    starts = array("Q", [40, 60, 95])
    holding.vouch_log(capsule, "f", 40, 100, run, starts, array("I", [4, 5, 6]), b"\0\1\0")
    return capsule


def test_records_of_a_log_are_given_back_where_they_begin() -> None:
    held = holding.held_log(log(), "f", 40)
    assert held is not None
    assert (held.end, list(held.starts), list(held.stored)) == (100, [40, 60, 95], [4, 5, 6])
    assert held.sums[:6] == (3, 5, {0: 5}, (7, 12), (0, []), 3)
    assert (held.sums.pads, held.sums.highest) == (b"\0\1\0", 12)
    assert holding.held_log(log(), "f", 0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"_5": 2}, {"_5": 4}, {"_8": b"\0\1"}, {"_8": b"\0\2\0"}, {"end": 101}, {"end": 99}, {"end": 40},
        {"_5": 0, "_6": b"", "_7": b"", "_8": b""},
        {"_6": planes(array("Q", [20, 0, 40]))},  # an empty record
        {"_6": planes(array("Q", [20, 35, 6]))},
        {"_6": planes(array("Q", [(1 << 64) - 1, 35, 5]))},
        {"_7": planes(array("I", [4, 5]))},
    ],
)  # fmt: skip
def test_records_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    capsule = log()
    changed(capsule, LOG, 40, **wrong)
    with pytest.raises(SourceError, match="of f does not fit it"):
        holding.held_log(capsule, "f", 40)


def test_records_of_a_blob_file_are_given_back_and_none_are_not_told() -> None:
    capsule: Any = Capsule()
    holding.vouch_blobs(capsule, "f", array("Q"), 100, array("I"))
    assert capsule.runs == {}
    holding.vouch_blobs(capsule, "f", array("Q", [30, 70]), 100, array("I", [8, 9]))
    found = holding.held_blobs(capsule, "f", 30)
    assert found is not None
    end, starts, stored = found
    assert (end, list(starts), list(stored)) == (100, [30, 70], [8, 9])
    assert holding.held_blobs(capsule, "f", 70) is None
    for wrong in ({"_0": 3}, {"_0": 1}, {"end": 99}, {"_2": b"\1"}):
        again: Any = Capsule()
        holding.vouch_blobs(again, "f", array("Q", [30, 70]), 100, array("I", [8, 9]))
        changed(again, BLOBS, 30, **wrong)
        with pytest.raises(SourceError):
            holding.held_blobs(again, "f", 30)
