"""Log lines tied to the bytes of a store: still bad, good now, moved, past the end, another file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from inspector.formats import all_formats
from inspector.inspect import Report, inspect
from inspector.messages.line import read
from inspector.reporting.hide import hiding
from inspector.reporting.logs import KEPT, Heard, hear
from inspector.reporting.tie import tie
from inspector.source import open_source

SAMPLES = Path(__file__).parent.parent.parent / "samples"
_REPORTS: dict[str, Report] = {}


def report(name: str) -> Report:
    if name not in _REPORTS:
        _REPORTS[name] = inspect(open_source(str(SAMPLES / name)), all_formats())
    return _REPORTS[name]


CHECKSUM = "gossip_store/checksum-at-3044.gossip_store"
DELETED = "gossip_store/delete-entry.gossip_store"
CLEAN = "gossip_store/clean-v16.gossip_store"
TIES = [
    (CHECKSUM, "gossip_store: bad checksum offset 3044: 0102", "still bad: channel_update at 3044", 3044),
    (CHECKSUM, "gossip_store: bad checksum at offset 3194(was at 3044): 00", "good now: channel_update at 3194", 3194),
    (CLEAN, "gossip_store: bad checksum offset 3044: 0102", "moved: no record begins at byte 3044 now", 2954),
    (CHECKSUM, "gossip_store only processed 3044 bytes of 9194 (expected 9194)", "still bad", 3044),
    (CHECKSUM, "only processed 3044 bytes of 9194", "the size it names is this store's", 3044),
    (CLEAN, "gossip_store only processed 3044 bytes of 90000 (expected 9)", "this store is shorter", 2954),
    (DELETED, "gossip_store: get delete entry offset 47/9122", "as the message says", 47),
    (CLEAN, "gossip_store: get delete entry offset 47/9122", "live now: channel_announcement at 47", 47),
    (CLEAN, "gossip_store: get delete entry offset 41434415/5949", "past the end: this store has 9,122 bytes", None),
    (CHECKSUM, "Unknown record 258@3056 (size 138) in gossmap: ignoring", "still bad: channel_update at 3044", 3044),
    (CHECKSUM, "Unknown record 258@3044 (size 138) in gossmap: ignoring", "moved: no record begins at byte 3044", 3044),
    (CHECKSUM, "Truncated gossmap record @3044/9194 (len 1): waiting", "still bad", 3044),
    ("rocksdb/data-bit.sst", "Corruption: block checksum mismatch: stored = 1, computed = 2, type = 4  in "
     "/db/data-bit.sst offset 1685 size 562", "still bad", 1685),
    ("rocksdb/data-bit.sst", "Corruption: block checksum mismatch: expected 1, got 2  in "
     "/db/000012.sst offset 1 size 5", "another file", None),
    ("rocksdb/clean-db", "Corruption: block checksum mismatch: expected 1, got 2  in /db/000099.sst offset 1 size 5",
     "gone: this store has no 000099.sst", None),
    ("snarkos/heights-missing", "Missing block hash for block 2", "still bad: block 2: damaged", None),
    ("snarkos/heights-missing", "Failed to load block 4 from the ledger", "there: block 4", 24440),
    ("snarkos/heights-missing", "Failed to load block 99 from the ledger", "not there", None),
    ("spdk_blobstore/clean.img", "lvol with name vol-a already exists", "there: lvol vol-a", 28672),
    ("spdk_blobstore/clean.img", "lvol with name vol-z already exists", "not there", None),
    ("spdk_blobstore/root-bit.img", "Metadata page 0 crc mismatch for blobid 0x100000000", "", 16384),
]  # fmt: skip


@pytest.mark.parametrize(("store", "line", "verdict", "start"), TIES, ids=range(len(TIES)))
def test_a_message_is_held_against_the_bytes_that_it_names(
    store: str, line: str, verdict: str, start: int | None
) -> None:
    said = read(line)
    assert said is not None
    tied = tie(said, report(store))
    assert tied is not None
    assert verdict in tied.verdict
    assert tied.start == start


def test_a_message_about_another_kind_of_store_is_tied_to_nothing() -> None:
    said = read("gossip_store: bad checksum offset 3044: 0102")
    assert said is not None
    assert tie(said, report("rocksdb/data-bit.sst")) is None


def heard(tmp_path: Path, data: bytes, name: str = "a.log") -> Heard:
    (tmp_path / name).write_bytes(data)
    return hear([(name, str(tmp_path / name))], report(CHECKSUM))


LINE = b"2024-05-14T05:43:21Z **BROKEN** gossipd: gossip_store: bad checksum offset 3044: 00\n"


def test_a_log_is_counted_whole_and_kept_in_part(tmp_path: Path) -> None:
    found = heard(tmp_path, b"noise\n" + LINE * 1000)
    assert found.counts["cln-bad-checksum"] == 1000
    assert len(found.lines) == KEPT
    assert [line.number for line in found.lines[:2]] == [2, 3]
    assert found.lines[-1].number == 1001


def test_a_packed_log_says_the_same(tmp_path: Path) -> None:
    hide = hiding(None, ())
    plain = heard(tmp_path, LINE * 3).document(hide)
    packed = heard(tmp_path, gzip.compress(LINE * 3), "a.log.gz").document(hide)
    assert [line | {"log": ""} for line in packed["lines"]] == [line | {"log": ""} for line in plain["lines"]]


def test_a_packed_log_that_is_cut_gives_what_is_there(tmp_path: Path) -> None:
    whole = gzip.compress(LINE * 3 + bytes(range(256)) * 50)
    found = heard(tmp_path, whole[:-20], "a.log.gz")
    assert found.counts["cln-bad-checksum"] == 3
    assert "damaged" in found.notes[0]


def test_a_line_without_end_is_no_trouble(tmp_path: Path) -> None:
    found = heard(tmp_path, b"x" * (5 << 20) + b"\n" + LINE[:-1] + b"0" * (3 << 20))
    assert found.counts["cln-bad-checksum"] == 1


def test_bytes_that_are_no_text_are_no_trouble(tmp_path: Path) -> None:
    found = heard(tmp_path, bytes(range(256)) * 1000 + b"\n\xff\xfe bad checksum offset 12\n" + LINE)
    assert found.counts == {"cln-bad-checksum": 1}
