"""Bytes put into a blob file or lost from it: the values behind them go back to where the tables point."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inspector.cli.app import run
from inspector.errors import Exit
from inspector.formats.rocksdb import blob
from inspector.formats.rocksdb.checksums import masked_crc
from inspector.formats.rocksdb.reblob import filler

SAMPLE = Path(__file__).parents[3] / "samples" / "rocksdb" / "blob-value"
NAME = "000008.blob"


def whole() -> tuple[bytes, list[blob.BlobRecord]]:
    """A blob file without damage: the sample with the wrong value's checksum as it should be; and its records."""
    data = bytearray((SAMPLE / NAME).read_bytes())
    end = len(data) - blob.FOOTER
    for record in list(blob.records(lambda at, n: bytes(data[at : at + n]), blob.HEADER, end)):
        if record.state == blob.BAD_BODY:
            data[record.start + 28 : record.start + 32] = record.computed.to_bytes(4, "little")
    return bytes(data), list(blob.records(lambda at, n: bytes(data[at : at + n]), blob.HEADER, end))


def repaired(data: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, int, bytes]:
    """Exit codes of scan and repair of the database with this blob file, and the file that was written."""
    shutil.copytree(SAMPLE, folder / "db")
    (folder / "db" / NAME).write_bytes(data)
    scanned = run(["scan", str(folder / "db")])
    code = run(["repair", str(folder / "db"), "-o", str(folder / "out")])
    assert ("nothing is lost" in capsys.readouterr().out) == (code == Exit.CLEAN)
    return scanned, code, (folder / "out" / NAME).read_bytes()


@pytest.mark.parametrize("cut", [0, 17, 40])
@pytest.mark.parametrize("put", [b"", b"x" * 23])
def test_values_behind_the_place_go_back_and_one_is_lost(
    put: bytes, cut: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, records = whole()
    hurt = records[1]
    at = hurt.start + 33
    bad = data[:at] + put + data[at + cut :]
    if bad == data:
        return
    scanned, code, out = repaired(bad, tmp_path, capsys)
    assert (scanned, code) == (Exit.DAMAGED, Exit.LOST)
    assert (
        out[: -blob.FOOTER] == (data[: hurt.start] + filler(hurt.end - hurt.start) + data[hurt.end :])[: -blob.FOOTER]
    )


@pytest.mark.parametrize("first", [0, 1])
def test_a_record_that_was_cut_out_whole_is_lost_and_the_others_go_back(
    first: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, records = whole()
    gone = records[first]
    scanned, code, out = repaired(data[: gone.start] + data[gone.end :], tmp_path, capsys)
    assert (scanned, code) == (Exit.DAMAGED, Exit.LOST)
    assert (
        out[: -blob.FOOTER] == (data[: gone.start] + filler(gone.end - gone.start) + data[gone.end :])[: -blob.FOOTER]
    )


def test_bytes_between_two_records_push_none_out_of_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, records = whole()
    at = records[1].start
    scanned, code, out = repaired(data[:at] + b"y" * 50 + data[at:], tmp_path, capsys)
    assert (scanned, code) == (Exit.DAMAGED, Exit.LOST)  # nobody knows what the bytes between are
    assert out == data


def test_a_blob_file_alone_that_lacks_a_whole_record_is_not_called_without_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, records = whole()
    (tmp_path / NAME).write_bytes(data[: records[1].start] + data[records[1].end :])
    assert run(["scan", str(tmp_path / NAME)]) == Exit.DAMAGED
    assert run(["repair", str(tmp_path / NAME), "-o", str(tmp_path / "out.blob")]) == Exit.LOST
    assert "nothing is lost" not in capsys.readouterr().out


def record(key: bytes, value: bytes) -> bytes:
    head = len(key).to_bytes(8, "little") + len(value).to_bytes(8, "little") + bytes(8)
    return head + masked_crc(head).to_bytes(4, "little") + masked_crc(key + value).to_bytes(4, "little") + key + value


def test_an_older_value_of_a_key_does_not_take_the_place_of_a_lost_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both have one size, and nothing refers to the older one any more."""
    data, records = whole()
    old, new = records[1], records[2]
    key = data[new.start + 32 : new.start + 32 + new.key_size]
    assert (old.end - old.start, old.key_size) == (new.end - new.start, new.key_size)
    older = record(key, bytes(old.value_size))
    bad = bytearray(data[: old.start] + older + data[old.end :])
    bad[new.start + 5] ^= 0x40
    bad[new.start + 60] ^= 0x7F
    _, code, out = repaired(bytes(bad), tmp_path, capsys)
    assert code == Exit.LOST
    assert out[old.start : old.end] == older
    assert out[new.start : new.end] != older
