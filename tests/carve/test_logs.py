"""Write batches among other bytes: each piece of a log becomes a log that reads clean."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import zstandard

from inspector import search
from inspector.carve import Carved, CarveWishes, Found, carve
from inspector.carvers import carver
from inspector.errors import Exit
from inspector.formats.rocksdb import batch, carving_logs, keys
from inspector.formats.rocksdb.log import BLOCK, LogReader
from inspector.formats.rocksdb.log_writer import frame
from inspector.formats.rocksdb.logical import WHOLE, Assembler
from inspector.source import MemorySource
from tests.builders.rocksdb import log_of, wal


def run(data: bytes, folder: Path) -> tuple[Carved, list[Found], dict[str, bytes]]:
    out = folder / f"logs-{len(list(folder.iterdir()))}"
    spans: list[Found] = []

    def report(carved: Carved) -> None:
        spans.extend(carved.haul.spans())

    done = carve(MemorySource(data), carver("rocksdb-log"), str(out), CarveWishes(), report=report)
    return done, spans, {p.name: p.read_bytes() for p in sorted(out.rglob("*.log"))}


def batches(log: bytes) -> list[bytes]:
    """Of a log from offset 0, by the reader that knows nothing of carving."""
    pieces = LogReader(lambda at, n: log[at : at + n], len(log)).pieces()
    return [record.data for record in Assembler().records(pieces) if record.fate == WHOLE]


def put(sequence: int, size: int, count: int = 1) -> bytes:
    rng = Random(sequence)
    return batch.encode(sequence, [(0, keys.PUT, b"key-%d" % i, rng.randbytes(size)) for i in range(count)])


@pytest.mark.parametrize("number", [None, 14])
@pytest.mark.parametrize("offset", [0, 1, 511, 4096 * 3 + 5])
def test_a_log_at_any_offset_comes_back_batch_by_batch(number: int | None, offset: int, tmp_path: Path) -> None:
    made = [put(100 + i, Random(i).choice((5, 40, 300, 9000, 70_000))) for i in range(30)]
    data = Random(1).randbytes(offset) + log_of(made, number) + Random(2).randbytes(5000)
    done, spans, found = run(data, tmp_path)
    assert done.code is Exit.CLEAN
    assert [batches(log) for log in found.values()] == [made]
    assert {s.out for s in spans} == {"000001.log"}
    assert (spans[0].start, spans[-1].end) == (offset, offset + len(log_of(made, number)))


def test_a_log_from_its_middle_on_is_read_across_the_ends_of_its_blocks(tmp_path: Path) -> None:
    data, starts = wal(3000, 7)
    cut = starts[1000] + 3
    _, _, found = run(data[cut:], tmp_path)
    assert batches(found["000001.log"]) == batches(data)[1001:]


def test_a_record_whose_rest_is_elsewhere_is_counted_as_lost(tmp_path: Path) -> None:
    made = [put(1, 50), put(2, 90_000), put(3, 50)]
    data = log_of(made)
    done, spans, found = run(data[: BLOCK + 100] + bytes(3000) + data[-200:], tmp_path)
    assert done.code is Exit.LOST
    assert carving_logs.TORN in {s.fate for s in spans}
    assert sorted(b for log in found.values() for b in batches(log)) == [made[0], made[2]]


def test_pieces_are_logs_of_their_own_in_the_order_of_their_sequence_numbers(tmp_path: Path) -> None:
    late, early = wal(20, 500)[0], wal(20, 100)[0]
    done, _, found = run(late + bytes(700) + early + bytes(9) + late, tmp_path)
    assert [batches(log) for log in found.values()] == [batches(early), batches(late)]
    assert done.haul.sums.units["duplicate"] == 20


def test_the_older_records_of_a_file_that_was_used_again_are_a_log_of_their_own(tmp_path: Path) -> None:
    new, old = wal(10, 900, number=22)[0], wal(60, 100, number=17)[0]
    recycled = new + old[len(new) :]
    _, _, found = run(recycled, tmp_path)
    assert [batches(log) for log in found.values()] == [batches(old)[10:], batches(new)]
    plain, older = wal(10, 900)[0], wal(60, 100)[0]
    _, _, found = run(plain + older[len(plain) :], tmp_path)
    assert [batches(log) for log in found.values()] == [batches(older)[10:], batches(plain)]


def test_compressed_logs_are_unpacked(tmp_path: Path) -> None:
    made = [put(i, 200, 3) for i in range(1, 40, 3)]
    out = bytearray(frame((7).to_bytes(4, "little"), 0, alone=9))
    for body in made:
        out += frame(zstandard.ZstdCompressor().compress(body), len(out))
    _, _, found = run(b"x" * 77 + bytes(out), tmp_path)
    assert [batches(log) for log in found.values()] == [made]


def test_windows_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Random(9).randbytes(500) + wal(900, 7)[0] + bytes(100) + wal(300, 5000, number=3)[0]
    expected = run(data, tmp_path)[1:]
    for size in (5000, 33_333):
        monkeypatch.setattr(search, "WINDOW", size)
        assert run(data, tmp_path)[1:] == expected, size


def test_damage_costs_the_record_that_has_it(tmp_path: Path) -> None:
    data, starts = wal(50, 7)
    damaged = bytearray(data)
    damaged[starts[20] + 30] ^= 1
    _, _, found = run(bytes(damaged), tmp_path)
    assert [len(batches(log)) for log in found.values()] == [20, 29]


def test_bytes_that_hold_nothing_are_said_to_hold_nothing(tmp_path: Path) -> None:
    fake = (b"\xff" * 4 + b"\x40\0\1" + (77).to_bytes(8, "little") + b"\1\0\0\0\1" + b"a" * 9) * 3000
    for data in (b"", bytes(100_000), Random(3).randbytes(200_000), fake, b"\1" * 60_000):
        done, spans, found = run(data, tmp_path)
        assert (done.code, spans, found) == (Exit.UNKNOWN_FORMAT, [], {})
