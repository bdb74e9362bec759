"""A sample of `make faults`: of each command some system calls fail, in each way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from inspector import carve, output, patch, repair
from inspector.__main__ import main
from inspector.errors import Exit, OutputError
from inspector.folder import NotOpenedError
from inspector.output import place_file
from tests.faults import SAMPLES, Ways, every
from tests.faults_cases import CASES, MORE, Case

# what looks for other processes is imported before `every` takes these away, as it is after other tests in a worker
BOUND_BEFORE = (carve, patch, repair)
SOME: Ways = {
    "error": (errno.EIO, errno.ENOSPC),
    "interrupt": (0,),
    "kill": (0,),
    "truncate": (0,),
    "replace": (0,),
    "medium": (0,),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whichever_call_fails_the_input_stays_and_the_output_is_whole_or_absent(case: Case) -> None:
    first = 1 + sum(map(ord, case.name)) % 11
    told = every(case, SOME, step=311 if case.name.startswith(("excerpt", "selftest")) else 73, first=first)
    assert not told.wrong, told.wrong[0]
    assert told.outcomes


@pytest.mark.parametrize("name", ["scan gossip", "repair gossip", "extract"])
def test_short_reads_and_writes_change_nothing(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    told = every(case, {"short": (0,)}, step=3)
    assert not told.wrong, told.wrong[0]
    assert {key.split("exit ")[1] for key in told.outcomes} == {str(case.codes[0])}


@pytest.mark.parametrize("way", ["truncate", "replace", "grow"])
def test_a_file_that_moves_while_it_is_read_is_never_called_clean_as_a_whole(way: str) -> None:
    """A store that only grows is checked up to where it ended; any other change makes the result a lower bound."""
    case = Case("scan", "gossip_store/clean-v16.gossip_store", "scan {in} --json", codes=(0,))
    told = every(case, {way: (0,)}, step=2)
    assert not told.wrong, told.wrong[0]
    codes = {key.split("exit ")[1]: count for key, count in told.outcomes.items()}
    before = {"grow": "3", "replace": "5"}.get(way, "")  # it moved before it was opened: what is there then is judged
    assert codes.pop(before, 0) <= 1, told.outcomes
    assert set(codes) <= ({"0"} if way == "grow" else {"9", "3"}), told.outcomes


@pytest.mark.parametrize("command", ["records {in} --jsonl", "items {in} --json", "show {in} 300 --json"])
def test_what_is_told_of_a_file_that_is_cut_meanwhile_is_called_a_lower_bound(command: str) -> None:
    case = Case("told", "gossip_store/clean-v16.gossip_store", command, codes=(0,))
    told = every(case, {"truncate": (0,)})
    assert not told.wrong, told.wrong[0]
    assert any(key.endswith(("exit 9", "exit 5")) for key in told.outcomes), told.outcomes


def test_a_name_that_could_not_be_flushed_is_said_and_the_output_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(output, "_flush_folder", fails)
    with (
        pytest.raises(OutputError, match="whole and in its place") as told,
        place_file(str(tmp_path / "out"), None, 0, force=False) as place,
    ):
        os.pwrite(place.fd, b"data", 0)
    assert "power cut" in told.value.hint
    assert (tmp_path / "out").read_bytes() == b"data"


def test_a_descriptor_that_is_closed_while_a_process_is_looked_at_hides_no_writer(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    (tmp_path / "fd").mkdir()
    (tmp_path / "fdinfo").mkdir()
    for number in range(20):
        (tmp_path / "fd" / str(number)).symlink_to(tmp_path / ("store" if number == 10 else "closed meanwhile"))
    (tmp_path / "fdinfo" / "10").write_text(f"pos:\t0\nflags:\t{os.O_RDWR:o}\n")
    info = (tmp_path / "store").stat()
    assert output._writes(tmp_path, {(info.st_dev, info.st_ino)})


def test_a_storm_of_signals_changes_nothing(tmp_path: Path) -> None:
    """EINTR at every moment: a timer that rings each millisecond while a store is repaired."""
    script = (
        "import signal, sys\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "from inspector.__main__ import main\n"
        "code = main(['repair', sys.argv[1], '-o', sys.argv[2]])\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "sys.exit(code)\n"
    )
    sample = SAMPLES / "gossip_store" / "zeroed-hole.gossip_store"
    for name in ("stormy", "calm"):
        quiet = script.replace("0.001, 0.001", "0" if name == "calm" else "0.001, 0.001")
        done = subprocess.run(
            [sys.executable, "-c", quiet, str(sample), str(tmp_path / name)], capture_output=True, check=False
        )
        assert done.returncode == Exit.LOST, done.stderr
    assert (tmp_path / "stormy").read_bytes() == (tmp_path / "calm").read_bytes()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_file_that_breaks_like_a_pipe_is_an_error_of_input_and_output() -> None:
    case = next(case for case in CASES if case.name == "carve")
    told = every(case, {"error": (errno.EPIPE,)}, step=9)
    assert not told.wrong, told.wrong[0]
    assert told.outcomes["EPIPE: exit 6"]


@pytest.mark.parametrize("name", ["carve", "repair gossip", "apply"])
def test_what_other_processes_do_changes_no_count_of_calls(name: str) -> None:
    """Else a fault strikes another call than the one that is meant, or none."""
    assert all(hasattr(module, "writers_of") for module in BOUND_BEFORE)
    case = next(case for case in CASES if case.name == name)
    alone = every(case, {}).calls
    others = [
        subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        for _ in range(3)
    ]
    try:
        assert every(case, {}).calls == alone
    finally:
        for other in others:
            other.communicate()


def test_an_interrupt_while_a_folder_is_taken_away_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.close

    def close(fd: int) -> None:
        real(fd)
        monkeypatch.setattr(os, "close", real)
        raise KeyboardInterrupt

    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(os, "close", close)
    with pytest.raises(KeyboardInterrupt):
        output.take_away(tmp_path / "folder")


def test_a_folder_that_an_interrupt_meets_on_its_way_out_is_gone_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.unlink

    def unlink(*args: object, **words: object) -> None:
        monkeypatch.setattr(os, "unlink", real)
        raise KeyboardInterrupt

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"")
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(KeyboardInterrupt):
        output.take_away(tmp_path / "folder")
    assert not list(tmp_path.iterdir())


def test_a_passing_folder_does_not_stay_where_its_making_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    real = os.mkdir

    def mkdir(path: Path, mode: int = 0o777) -> None:
        real(path, mode)
        raise KeyboardInterrupt  # made, and nobody was told

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(KeyboardInterrupt), output.passing_folder("inspector-test-"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_database_whose_log_is_cut_meanwhile_is_a_lower_bound() -> None:
    """What stood behind the cut was damaged; what is left verifies, and is not the store that was asked about."""
    case = next(case for case in CASES if case.name == "scan ledger")
    told = every(case, {"truncate": (0,)}, step=9, first=2)
    assert not told.wrong, told.wrong[0]
    assert told.outcomes["truncate: exit 9"]
    assert set(told.outcomes) <= {"truncate: exit 9", "truncate: exit 3"}  # 3: it was cut when all was told


def test_a_file_that_cannot_be_opened_when_it_is_copied_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be opened by somebody else, or a moment later."""
    from inspector.folder import open_inside as real

    def refuses(place: Path, way: str, label: str) -> int:
        if way == "IDENTITY":
            raise NotOpenedError(label, "Permission denied", gone=False)
        return real(place, way, label)

    monkeypatch.setattr("inspector.source.open_inside", refuses)
    code = main(["repair", str(SAMPLES / "snarkos" / "wal-torn"), "-o", str(tmp_path / "out")])
    assert code == Exit.IO
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["show disk", "carve journal"])
def test_what_cannot_be_read_again_is_no_mistake_of_the_user_and_no_bug(name: str) -> None:
    case = next(case for case in MORE if case.name == name)
    told = every(case, {"medium": (0,), "truncate": (0,)})
    assert not told.wrong, told.wrong[0]
    assert any(key.endswith(("exit 6", "exit 9")) for key in told.outcomes), told.outcomes
