"""Every system call of a repair fails once: the input stays what it was, the output is whole or absent."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inspector import formats
from inspector import repair as repair_module
from inspector.errors import Exit, InspectorError, OutputError, RefusedError
from inspector.format import Wishes
from inspector.repair import Result, repair
from inspector.source import open_source
from tests.builders.gossip import healthy

SAMPLE = Path(__file__).parents[1] / "samples" / "gossip_store" / "zeroed-hole.gossip_store"
CALLS = [
    *("open", "close", "pread", "pwrite", "fsync", "link", "unlink", "replace", "rename", "stat", "lstat"),
    *("fstat", "fchown", "fchmod", "statvfs", "ftruncate", "lseek"),
]


class Faults:
    """Counts the system calls of this process and lets the n-th one fail."""

    def __init__(self) -> None:
        self.on, self.count, self.fail_at, self.code = False, 0, 0, errno.EIO
        self.failed = ""

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **words: Any) -> Any:
            if not self.on:
                return real(*args, **words)
            self.count += 1
            if self.count != self.fail_at:
                return real(*args, **words)
            self.failed = f"{name}{args!r}"
            if name == "close":
                real(*args, **words)  # a failing close closes all the same
            raise OSError(self.code, os.strerror(self.code))

        return call

    @contextmanager
    def armed(self, fail_at: int, code: int = errno.EIO) -> Iterator[None]:
        self.count, self.fail_at, self.code, self.failed = 0, fail_at, code, ""
        self.on = True
        try:
            yield
        finally:
            self.on = False


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    made = Faults()
    for name in CALLS:
        monkeypatch.setattr(os, name, made.wrap(name, getattr(os, name)))
    monkeypatch.setattr(repair_module, "writers_of", lambda _: [])  # looks at other processes: never the same twice
    return made


def mend(path: Path, output: Path, force: bool = False) -> Result:
    with open_source(str(path)) as source:
        return repair(source, formats.all_formats(), str(output), Wishes(), force=force)


def no_tmpfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that cannot make files without a name."""
    real = os.open

    def without(path: Any, flags: int, *rest: Any, **words: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *rest, **words)

    monkeypatch.setattr(os, "open", without)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("way", ["unnamed", "named", "unnamed-force", "named-force"])
def test_whichever_system_call_fails_nothing_is_lost(
    way: str, code: int, faults: Faults, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if way.startswith("named"):
        no_tmpfile(monkeypatch)
    force = way.endswith("force")
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    before = source.read_bytes()
    whole = tmp_path / "whole"
    with faults.armed(0):
        mend(source, whole)
        calls = faults.count
    right = whole.read_bytes()
    assert calls > 20
    old = b"an older file at the target"
    for n in range(1, calls + 40):
        folder = tmp_path / f"run{n}"
        folder.mkdir()
        target = folder / "out"
        if force:
            target.write_bytes(old)
        ended: object = None
        with faults.armed(n, code):
            try:
                ended = mend(source, target, force)
            except InspectorError as error:
                ended = error
        words = f"call {n}: {faults.failed}"
        assert source.read_bytes() == before, words
        left = {p.name: p.read_bytes() for p in folder.iterdir()}
        if isinstance(ended, InspectorError):
            assert ended.code in (Exit.IO, Exit.REFUSED, Exit.UNVERIFIED), f"{words}: {ended!r}"
            assert ended.message
            named = set(left) - {"out"}
            assert not named or faults.failed.startswith("unlink"), f"{words} left {named}"
            assert left.get("out") in (right, old if force else None, None if not force else old), words
        else:
            assert left == {"out": right}, words
        if not faults.failed:
            assert isinstance(ended, Result)
            break
    else:
        pytest.fail("the repair made more calls than without a fault")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_short_writes_are_continued(size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mend(SAMPLE, tmp_path / "whole")
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, memoryview(data)[:size], at))
    mend(SAMPLE, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_write_that_writes_nothing_ends_with_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: 0)
    with pytest.raises(OutputError):
        mend(SAMPLE, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((real[0], real[1], real[2], 1, 1, *tuple(real)[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(RefusedError, match="space"):
        mend(SAMPLE, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_output_may_not_be_the_input_by_any_name(tmp_path: Path) -> None:
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "hard").hardlink_to(source)
    (tmp_path / "soft").symlink_to(source)
    (tmp_path / "sub").mkdir()
    for name in ("gossip_store.corrupt", "hard", "soft", "sub/../gossip_store.corrupt"):
        for force in (False, True):
            with pytest.raises(RefusedError):
                mend(source, tmp_path / name, force)
    assert source.read_bytes() == SAMPLE.read_bytes()


def test_the_input_may_be_named_by_a_link_and_the_output_not(tmp_path: Path) -> None:
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "soft").symlink_to(source)
    with pytest.raises(RefusedError):
        mend(tmp_path / "soft", source, force=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RefusedError):
        mend(source, tmp_path / "dangling", force=True)
    assert not (tmp_path / "nowhere").exists()
    assert source.read_bytes() == SAMPLE.read_bytes()


def test_an_output_that_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"precious")
    with pytest.raises(RefusedError, match="exists"):
        mend(SAMPLE, target)
    assert target.read_bytes() == b"precious"
    mend(SAMPLE, target, force=True)
    assert target.read_bytes()[:1] == b"\x10"


def test_an_output_that_appears_meanwhile_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = os.fsync

    def other_program_writes(fd: int) -> None:
        (tmp_path / "out").write_bytes(b"theirs")
        real(fd)

    monkeypatch.setattr(os, "fsync", other_program_writes)
    with pytest.raises(RefusedError, match="exists"):
        mend(SAMPLE, tmp_path / "out")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("out", b"theirs")]


def test_a_store_that_another_process_writes_to_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    script = "import sys,time; f=open(sys.argv[1],'r+b'); print('ready',flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(source)], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            with pytest.raises(RefusedError, match="open for writing"):
                mend(source, tmp_path / "out")
        finally:
            writer.kill()
    assert not (tmp_path / "out").exists()
    mend(source, tmp_path / "out")


def test_a_running_lightningd_is_told_by_its_lock(tmp_path: Path) -> None:
    source = tmp_path / "gossip_store"
    source.write_bytes(SAMPLE.read_bytes())
    pid_file = tmp_path / "lightningd-bitcoin.pid"
    pid_file.write_text("1\n")
    script = textwrap.dedent(
        """
        import fcntl, sys, time
        f = open(sys.argv[1], "r+b")
        fcntl.lockf(f, fcntl.LOCK_EX)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script, str(pid_file)], stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout is not None
            owner.stdout.readline()
            with pytest.raises(RefusedError, match="running"):
                mend(source, tmp_path / "out")
        finally:
            owner.kill()
    mend(source, tmp_path / "out")


def test_a_source_that_shrinks_while_it_is_copied_gives_no_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    real = os.pwrite

    def shrink(fd: int, data: Any, at: int) -> int:
        os.truncate(source, 9000)
        return real(fd, data, at)

    monkeypatch.setattr(os, "pwrite", shrink)
    with pytest.raises(InspectorError) as refusal:
        mend(source, tmp_path / "out")
    assert refusal.value.code in (Exit.IO, Exit.UNVERIFIED)
    assert [p.name for p in tmp_path.iterdir()] == ["gossip_store.corrupt"]


def test_a_source_that_grows_is_repaired_as_far_as_it_was_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    mend(source, tmp_path / "before")
    real = os.pwrite

    def grow(fd: int, data: Any, at: int) -> int:
        with source.open("ab") as more:
            more.write(b"more")
        return real(fd, data, at)

    monkeypatch.setattr(os, "pwrite", grow)
    result = mend(source, tmp_path / "out")
    assert any("while it was read" in note for note in result.notes)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "before").read_bytes()


def test_killed_in_the_middle_nothing_has_the_name_of_the_output(tmp_path: Path) -> None:
    """SIGKILL at many moments: the target is whole or absent, the input untouched, and the next run goes through."""
    source = tmp_path / "gossip_store.corrupt"
    data = healthy(16, 2_000_000, seed=1)
    data = data[:1_000_000] + bytes(4096) + data[1_004_096:]
    source.write_bytes(data)
    mend(source, tmp_path / "right")
    right = (tmp_path / "right").read_bytes()
    script = (
        "import sys\nfrom inspector import formats\nfrom inspector.format import Wishes\n"
        "from inspector.repair import repair\nfrom inspector.source import open_source\n"
        "print('ready', flush=True)\n"
        "with open_source(sys.argv[1]) as s: repair(s, formats.all_formats(), sys.argv[2], Wishes())\n"
    )
    command = [sys.executable, "-c", script, str(source), str(tmp_path / "out")]
    for wait in (0.0, 0.03, 0.08, 0.15):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        assert source.read_bytes() == data
        if (tmp_path / "out").exists():
            assert (tmp_path / "out").read_bytes() == right
            (tmp_path / "out").unlink()
    mend(source, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == right
    assert {p.name for p in tmp_path.iterdir()} == {"gossip_store.corrupt", "right", "out"}


def test_what_an_interrupted_run_left_is_named_and_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left = tmp_path / ".out.inspector-partial"
    left.write_bytes(b"half")
    result = mend(SAMPLE, tmp_path / "out")
    assert any(str(left) in note for note in result.notes)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_owner_and_mode_of_the_source_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "gossip_store.corrupt"
    source.write_bytes(SAMPLE.read_bytes())
    source.chmod(0o640)
    mend(source, tmp_path / "out")
    ours, theirs = (tmp_path / "out").stat(), source.stat()
    assert (ours.st_mode, ours.st_uid, ours.st_gid) == (theirs.st_mode, theirs.st_uid, theirs.st_gid)
