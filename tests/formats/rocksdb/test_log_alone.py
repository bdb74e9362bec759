"""A log away from its folder: known whatever it is called, and repaired as the file that its name says it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.__main__ import main
from inspector.formats.rocksdb import batch, keys
from inspector.formats.rocksdb.log_writer import frame
from tests.builders.rocksdb import log_of, wal


def test_a_log_that_begins_with_an_empty_batch_is_known_by_what_follows(tmp_path: Path) -> None:
    full = batch.encode(5, [(0, keys.PUT, b"key", b"value" * 9000)])
    path = tmp_path / "a copy"
    path.write_bytes(log_of([batch.encode(5, []), full, full]))
    assert main(["scan", "-q", str(path)]) in (0, 3)


@pytest.mark.parametrize("hurt", [False, True])
def test_records_of_the_log_that_was_recycled_stay_what_they_are(hurt: bool, tmp_path: Path) -> None:
    data = bytearray()
    for i in range(300):
        ops = [(0, keys.PUT, b"wal-%06d" % i, b"w" * 300)]
        data += frame(batch.encode(100 + i, ops), len(data), 4)
    if hurt:
        data[50_000] ^= 8
    path = tmp_path / "000012.log"
    path.write_bytes(data)
    assert main(["scan", "-q", str(path)]) == 0
    assert main(["repair", str(path), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_bytes() == bytes(data)


def test_a_log_that_ends_in_its_first_record_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "000004.log"
    path.write_bytes(wal(1, 7)[0][:-9])
    assert main(["scan", "-q", str(path)]) == 0
    assert main(["repair", str(path), "-o", str(tmp_path / "mended")]) == 0
    assert (tmp_path / "mended").read_bytes() == path.read_bytes()


def test_a_log_in_which_nothing_was_written_since_it_was_recycled_shows_no_record(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its own number is in its name alone: every record is whole, and none is of this log."""
    path = tmp_path / "000014.log"
    path.write_bytes(wal(5, 100, number=5)[0])
    assert main(["records", str(path), "--jsonl"]) == 0
    assert capfd.readouterr().out == ""
    assert main(["show", str(path), "10"]) == 0
    assert "of an earlier log" in capfd.readouterr().out
    path.rename(tmp_path / "000005.log")
    assert main(["records", str(tmp_path / "000005.log"), "--jsonl"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 5
