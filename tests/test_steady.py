"""A database that its program goes on writing while it is scanned: one moment of it is judged, whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector import formats, live, steady
from inspector.errors import Exit, OutOfTime
from inspector.inspect import Report
from inspector.source import open_source
from tests.faults import SAMPLES

HOLDS = (
    "import fcntl, sys\n"
    "lock = open(sys.argv[1], 'a')\n"
    "fcntl.lockf(lock, fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLES / "rocksdb" / "clean-db", tmp_path / "db"))


@pytest.fixture
def owner(database: Path) -> Iterator[None]:
    """Another process that holds the lock of the database."""
    command = [sys.executable, "-c", HOLDS, str(database / "LOCK")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def scan(database: Path, meanwhile: Callable[[], object], progress: Callable[[], object] = lambda: None) -> Report:
    """`meanwhile` happens before each further look, `progress` once while the first one reads."""
    waiting = [progress]

    def once(_: int, __: int) -> None:
        if waiting:
            waiting.pop()()

    def sleep(_: float) -> None:
        meanwhile()

    with open_source(str(database)) as source:
        report = live.inspect(source, formats.all_formats(), progress=once, sleep=sleep)
        assert report.exit_code() in (Exit.CLEAN, Exit.DAMAGED, Exit.PARTIAL)
        return report


def nothing() -> None:
    pass


@pytest.mark.usefixtures("owner")
def test_tables_deleted_by_a_compaction_meanwhile_are_no_loss(database: Path) -> None:
    def compact() -> None:
        for table in database.glob("*.sst"):
            table.unlink()

    report = scan(database, nothing, compact)
    assert not list(database.glob("*.sst"))
    assert report.exit_code() is Exit.CLEAN
    assert report.live["held"] == len(report.source.members)
    assert "went" not in report.partial


@pytest.mark.usefixtures("owner")
def test_a_journal_that_grows_meanwhile_is_judged_up_to_where_it_ended(database: Path) -> None:
    journal = next(database.glob("*.log"))

    def grow() -> None:
        with journal.open("ab") as more:
            more.write(b"half a record")

    report = scan(database, nothing, grow)
    assert report.exit_code() is Exit.CLEAN
    assert "grew" in report.live["changed"]


@pytest.mark.usefixtures("owner")
def test_damage_that_stays_is_damage_whoever_has_the_database_open(database: Path) -> None:
    looks: list[None] = []
    table = min(database.glob("*.sst"))
    data = bytearray(table.read_bytes())
    data[20] ^= 1
    table.write_bytes(data)
    report = scan(database, lambda: looks.append(None))
    assert report.exit_code() is Exit.DAMAGED
    assert len(looks) == 1  # the second look says the same


@pytest.mark.usefixtures("owner")
def test_damage_that_heals_before_the_second_look_is_transient(database: Path) -> None:
    table = min(database.glob("*.sst"))
    right = table.read_bytes()
    table.write_bytes(bytes([right[0] ^ 1]) + right[1:])
    report = scan(database, lambda: table.write_bytes(right))
    assert report.exit_code() is Exit.CLEAN
    assert ("INS004", "note") in report.tally.counts
    assert report.live["transient"] >= 1


def test_a_database_whose_owner_nobody_sees_is_looked_at_again(database: Path) -> None:
    journal = next(database.glob("*.log"))
    report = scan(database, nothing, lambda: journal.write_bytes(journal.read_bytes() + bytes(7)))
    assert report.exit_code() is Exit.CLEAN
    assert report.live["held"]


def test_names_that_never_stand_still_are_not_waited_for_without_end(database: Path) -> None:
    count = iter(range(10_000))

    def churn(*_: object) -> bool:
        (database / f"{next(count):06}.sst").write_bytes(b"new")
        return True

    waits: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steady, "_held", churn)
        assert steady.steady(str(database), waits.append) is None
    assert len(waits) == steady.TRIES


def test_a_folder_with_more_files_than_may_be_open_is_read_as_before(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady, "_room", lambda _: 4)
    assert steady.steady(str(database)) is None


def test_a_file_that_goes_away_after_the_list_was_made_ends_no_scan(database: Path) -> None:
    """Nobody holds the lock, and the rest of the database says what is missing: damage, or a lower bound, no error."""
    with open_source(str(database)) as source:
        min(database.glob("*.sst")).unlink()
        report = live.inspect(source, formats.all_formats(), sleep=lambda _: None)
    assert report.exit_code() is Exit.DAMAGED
    assert "INS001" not in {code for code, _ in report.tally.counts}


@pytest.mark.usefixtures("owner")
def test_a_time_limit_within_the_second_look_leaves_what_the_first_one_found(database: Path) -> None:
    table = min(database.glob("*.sst"))
    table.write_bytes(bytes([table.read_bytes()[0] ^ 1]) + table.read_bytes()[1:])

    def rings() -> None:
        raise OutOfTime

    report = scan(database, rings)
    assert report.exit_code() is Exit.DAMAGED
    assert "time limit" in report.partial
