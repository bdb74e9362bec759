"""Sources that are missing, empty, moving, endless or not files at all."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from inspector import formats
from inspector.errors import Exit, InspectorError, RefusedError, SourceError, UnknownFormatError
from inspector.format import Wishes
from inspector.inspect import Report, inspect
from inspector.repair import repair
from inspector.source import Source, open_source
from tests.builders.gossip import Store, healthy

SAMPLE = Path(__file__).parents[1] / "samples" / "gossip_store" / "zeroed-hole.gossip_store"
PROOF = bool(os.environ.get("INSPECTOR_PROOF"))  # `make proof`: what takes too long for every run


def scan(path: Path | str, wishes: Wishes | None = None, forced: str | None = None) -> Report:
    with open_source(str(path)) as source:
        return inspect(source, formats.all_formats(), wishes, forced)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file") as refusal:
        scan(tmp_path / "nowhere")
    assert refusal.value.code is Exit.IO


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gossip_store").write_bytes(b"\x10")
    (tmp_path / "gossip_store").chmod(0)
    with pytest.raises(SourceError, match="Permission"):
        scan(tmp_path / "gossip_store")


def test_an_empty_store_is_damage_and_an_empty_file_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "gossip_store").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert scan(tmp_path / "gossip_store").exit_code() is Exit.DAMAGED
    with pytest.raises(UnknownFormatError):
        scan(tmp_path / "notes.txt")
    assert scan(tmp_path / "notes.txt", forced="gossip-store").exit_code() is Exit.DAMAGED


@pytest.mark.parametrize(("version", "code"), [(7, 0), (9, 0), (15, 0), (16, 0)])
def test_a_store_of_one_byte_is_healthy_and_empty(version: int, code: int, tmp_path: Path) -> None:
    (tmp_path / "gossip_store").write_bytes(bytes([version]))
    report = scan(tmp_path / "gossip_store")
    assert report.exit_code() == code
    assert report.account.units == 0


def test_a_file_of_keys_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "hsm_secret").write_bytes(bytes(32))
    with pytest.raises(RefusedError, match="keys"):
        scan(tmp_path / "hsm_secret")


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(SAMPLE.read_bytes()))
    writer.start()
    report = scan(pipe)
    writer.join()
    assert (report.source.size, report.exit_code()) == (SAMPLE.stat().st_size, Exit.DAMAGED)


def test_a_pipe_that_takes_the_name_of_a_member_holds_nobody_up(tmp_path: Path) -> None:
    """The folder was listed with a file of that name, which another program then replaced."""
    (tmp_path / "CURRENT").write_bytes(b"MANIFEST-000001\n")
    with open_source(str(tmp_path)) as source:
        (tmp_path / "CURRENT").unlink()
        os.mkfifo(tmp_path / "CURRENT")
        assert source.read(0, 10, "CURRENT") == bytes(10)
        assert source.closed == {"CURRENT": "not a file any more"}
        assert "CURRENT was removed or replaced" in source.changed


def test_standard_input_is_read_to_its_end() -> None:
    command = [sys.executable, "-m", "inspector", "scan", "-", "--json"]
    done = subprocess.run(command, input=SAMPLE.read_bytes(), capture_output=True, check=False)
    assert done.returncode == Exit.DAMAGED, done.stderr
    assert b"GSP006" in done.stdout


@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/mem"])
def test_what_is_no_store_is_one_line_and_no_traceback(path: str) -> None:
    with pytest.raises(InspectorError):
        scan(path)


class Moving(Source):
    """A file that another program changes while it is read: after the first window it has another size."""

    def __init__(self, path: Path, size: int) -> None:
        with open_source(str(path)) as real:
            super().__init__(str(path), "file", path, list(real.members))
        self._new_size = size
        self.reads = 0

    def _pread(self, member: str, n: int, at: int) -> bytes:
        self.reads += 1
        if self.reads == 4:
            assert self.path is not None
            os.truncate(self.path, self._new_size)
        return super()._pread(member, n, at)


@pytest.mark.parametrize("size", [0, 1, 5_000, 3_000_000, 20_000_000], ids=lambda s: f"to-{s}")
def test_a_file_that_changes_its_size_while_it_is_read_is_a_lower_bound(size: int, tmp_path: Path) -> None:
    path = tmp_path / "gossip_store"
    path.write_bytes(healthy(16, 9_000_000, seed=1))
    source = Moving(path, size)
    with source:
        report = inspect(source, formats.all_formats())
    assert source.reads > 4
    assert report.partial
    codes = {code for code, _ in report.tally.counts}
    assert "INS003" in codes
    bugs = [f.evidence["traceback"] for f in report.tally.findings() if f.rule.code == "INS001"]
    assert not bugs, bugs[0]
    assert report.exit_code() in (Exit.PARTIAL, Exit.DAMAGED)


def sparse(path: Path, size: int) -> tuple[int, int]:
    """A store of version 12, then a hole, then more of its records up to `size`; the hole's start and end."""
    first, last = healthy(12, 200_000, seed=1), Store(12)
    for k in range(300):
        last.append(b"\x10\x07" + k.to_bytes(8))
    tail = bytes(last.data[1:])
    with path.open("wb") as file:
        file.write(first)
        file.seek(size - len(tail))
        file.write(tail)
    return len(first), size - len(tail)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(4_400_000_000, id="4.4-GB"),
        pytest.param(33_000_000_000, id="33-GB", marks=pytest.mark.skipif(not PROOF, reason="make proof")),
    ],
)
def test_a_huge_sparse_file_streams_through_with_64_bit_offsets(size: int, tmp_path: Path) -> None:
    path = tmp_path / "gossip_store"
    start, end = sparse(path, size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = scan(path, Wishes(release="v23.11"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120 * 1024  # KiB
    told = {f.rule.code: f for f in report.tally.findings()}
    assert (told["GSP006"].span.start, told["GSP006"].span.end) == (start, end)
    assert told["GSP032"].span.start == 1 << 32
    assert report.account.kinds[4103] >= 300
    assert sum(report.account.roles) == size
    assert path.stat().st_blocks * 512 < 10_000_000


def test_an_interrupted_repair_leaves_nothing_and_touches_nothing(tmp_path: Path) -> None:
    """Ctrl-C at several moments: exit 130 with one line, no temporary name, and no output but a whole one."""
    source = tmp_path / "gossip_store.corrupt"
    data = healthy(16, 6_000_000, seed=1)[:-70]
    source.write_bytes(data)
    seen = set()
    start = "import sys; from inspector.__main__ import entry; print(1, flush=True); entry()"
    for wait in (0.0, 0.05, 0.15, 0.3, 0.45):  # after the interpreter has begun: before, it answers itself
        command = [sys.executable, "-c", start, "repair", str(source), "-o", str(tmp_path / "out")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            time.sleep(wait)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        seen.add(process.returncode)
        assert b"__main__.py" not in errors  # no traceback of this program
        assert source.read_bytes() == data
        left = {p.name for p in tmp_path.iterdir()} - {"gossip_store.corrupt"}
        if process.returncode == Exit.LOST or left:  # the signal came when the output had its name: it is whole
            assert left == {"out"}
            assert scan(tmp_path / "out").exit_code() is Exit.CLEAN
            (tmp_path / "out").unlink()
    assert seen <= {Exit.INTERRUPTED, Exit.LOST, -signal.SIGINT}


def test_a_repair_from_standard_input_goes_to_the_named_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "repair", "-", "-o", str(tmp_path / "out")],
        input=SAMPLE.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == Exit.LOST, done.stderr
    assert scan(tmp_path / "out").exit_code() is Exit.CLEAN


def test_a_folder_is_not_one_store(tmp_path: Path) -> None:
    (tmp_path / "gossip_store").write_bytes(SAMPLE.read_bytes())
    with pytest.raises(UnknownFormatError):
        scan(tmp_path)


def test_a_store_of_versions_2_to_6_is_read_and_never_repaired(tmp_path: Path) -> None:
    for version in range(2, 7):
        path = tmp_path / f"v{version}.gossip_store"
        path.write_bytes(healthy(version, 30_000, seed=1))
        report = scan(path)
        assert report.exit_code() is Exit.CLEAN
        assert {code for code, _ in report.tally.counts} == {"GSP029"}
        assert report.account.units > 50
        with open_source(str(path)) as source, pytest.raises(RefusedError):
            repair(source, formats.all_formats(), str(tmp_path / "out"), Wishes())
