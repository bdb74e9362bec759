"""What RocksDB and LevelDB themselves print about damaged databases is known, file by file and kind by kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector.messages.line import read

Open = Callable[[Path], None]


def _rocksdb() -> tuple[Callable[[Path], None], Open]:
    rocksdict: Any = pytest.importorskip("rocksdict")

    def options(create: bool) -> Any:
        found = rocksdict.Options(raw_mode=True)
        found.create_if_missing(create)
        found.set_paranoid_checks(True)
        return found

    def make(path: Path) -> None:
        db = rocksdict.Rdict(str(path), options(True))
        for table in range(2):
            for i in range(300):
                db[b"%d-%05d" % (table, i)] = Random(i).randbytes(40)
            db.flush()
        db.close()

    def opened(path: Path) -> None:
        db = rocksdict.Rdict(str(path), options(False))
        try:
            list(db.items())
        finally:
            db.close()

    return make, opened


def _leveldb() -> tuple[Callable[[Path], None], Open]:
    plyvel: Any = pytest.importorskip("plyvel")

    def make(path: Path) -> None:
        with plyvel.DB(str(path), create_if_missing=True, write_buffer_size=1 << 15) as db:
            for i in range(1500):
                db.put(b"%05d" % i, Random(i).randbytes(40))

    def opened(path: Path) -> None:
        with plyvel.DB(str(path), create_if_missing=False, paranoid_checks=True) as db:
            list(db.iterator(verify_checksums=True))

    return make, opened


def _damaged(data: bytes) -> Iterator[bytes | None]:
    """One file's bytes, damaged; None where it is gone."""
    middle, end = len(data) // 2, len(data)
    yield None
    yield b""
    yield data[:middle]
    yield data[: end - 3]
    yield data + bytes(100)
    for at in (0, middle, max(0, end - 60), max(0, end - 8)):
        yield data[:at] + bytes(len(data[at : at + 16])) + data[at + 16 :]
        yield data[:at] + bytes(b ^ 0x55 for b in data[at : at + 4]) + data[at + 4 :]


@pytest.mark.parametrize("engine", [_rocksdb, _leveldb], ids=["rocksdb", "leveldb"])
def test_every_status_of_an_engine_on_a_damaged_database_is_explained(
    engine: Callable[[], tuple[Callable[[Path], None], Open]], tmp_path: Path
) -> None:
    make, opened = engine()
    whole, copy = tmp_path / "whole", tmp_path / "copy"
    make(whole)
    told: dict[str, str] = {}
    for file in sorted(whole.iterdir()):
        if file.name.startswith("LOG") or file.name in ("LOCK", "IDENTITY"):
            continue
        for changed in _damaged(file.read_bytes()):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(whole, copy)
            (copy / file.name).unlink()
            if changed is not None:
                (copy / file.name).write_bytes(changed)
            try:
                opened(copy)
            except Exception as status:  # noqa: BLE001  rocksdict raises nothing narrower
                line = status.args[0].decode() if isinstance(status.args[0], bytes) else str(status)
                said = read(line)
                told[line] = said.message.id if said else ""
    assert [line for line, known in told.items() if not known] == []
    assert len(set(told.values())) >= 4, told
