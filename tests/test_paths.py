"""Names inside files, and files that are no files: nothing outside of a store is opened, nothing special is touched."""

from __future__ import annotations

import ctypes
import io
import json
import os
import shutil
import socket
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from inspector import capsule
from inspector.__main__ import main
from inspector.cli.inputs import is_capsule
from inspector.edits import link_member
from inspector.errors import SourceError
from inspector.format import Edit
from inspector.source import open_source
from inspector.span import Span
from tests.builders.spdk import Image

SAMPLES = Path(__file__).parents[1] / "samples"
COMMANDS = (
    "scan db --json",
    "records db --jsonl",
    "items db --json",
    "show db 5",
    "repair db --dry-run",
    "repair db -o out",
    "repair db -o copied --copy",
    "diff db db",
    "report db -o report.html",
    "capture db -o db.capsule --no-redact",
    "excerpt db -o small",
    "carve db/MANIFEST-000005 --format rocksdb-log -o carved",
    "dev inject db -o hurt --damage flip --seed 1",
)


class Opened:
    """Paths that this process opened, as the interpreter's own audit tells them; a hook cannot be taken out again."""

    def __init__(self) -> None:
        self.on, self.paths = False, list[str]()
        sys.addaudithook(self.note)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event in ("open", "os.listdir", "os.scandir", "os.link", "os.rename") and args:
            self.paths.append(str(args[0]))


OPENED = Opened()


class Swap:
    """Puts a link in the place of a folder at the n-th time that something is opened or listed."""

    def __init__(self) -> None:
        self.left, self.seen, self.folder, self.link = -1, 0, Path(), Path()
        sys.addaudithook(self.note)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if self.left < 0 or event not in ("open", "os.scandir", "os.listdir"):
            return
        self.seen += 1
        self.left -= 1
        if self.left < 0:
            self.folder.rename(self.folder.with_name("moved"))
            self.folder.symlink_to(self.link)

    def at(self, n: int, folder: Path, link: Path) -> None:
        self.seen, self.folder, self.link, self.left = 0, folder, link, n


SWAP = Swap()


class Notified:
    """What the kernel tells of folders: each open of them, and of what is in them (inotify)."""

    def __init__(self, *folders: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for folder in folders:
            assert libc.inotify_add_watch(self.fd, os.fsencode(folder), 0x20) > 0  # IN_OPEN

    def any(self) -> bool:
        try:
            return bool(os.read(self.fd, 1 << 16))
        except BlockingIOError:
            return False


def hostile_store(folder: Path, pointer: bytes) -> None:
    """A database whose names lead to `outside`, with things in it that are no files."""
    shutil.copytree(SAMPLES / "rocksdb" / "clean-db", folder / "db")
    shutil.copytree(SAMPLES / "rocksdb" / "clean-db", folder / "outside")
    db = folder / "db"
    (db / "CURRENT").write_bytes(pointer)
    (db / "000009.sst").unlink()
    (db / "000009.sst").symlink_to("../outside/000009.sst")
    (db / "archive").symlink_to("../outside")
    (db / "000015.log").symlink_to("/dev/zero")
    os.mkfifo(db / "000016.log")
    (db / "000017.sst").mkdir()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(db / "LOCK"))
    with (db / "OPTIONS-000007").open("a") as options:
        options.write(f"  wal_dir={folder / 'outside'}\n  db_log_dir={folder / 'outside'}\n")


@pytest.mark.parametrize(
    "pointer",
    [b"../outside/MANIFEST-000005\n", b"archive/MANIFEST-000005\n", b"MANIFEST-000005\0/../x\n", b"/dev/zero\n"],
)
def test_no_name_in_a_store_leads_out_of_it(pointer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile_store(tmp_path, pointer)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted((tmp_path / "outside").iterdir())}
    monkeypatch.chdir(tmp_path)
    OPENED.paths.clear()
    OPENED.on = True
    try:
        codes = [main(line.split()) for line in COMMANDS]
    finally:
        OPENED.on = False
    assert 1 not in codes
    touched = [p for p in OPENED.paths if "outside" in p or p.endswith(("000015.log", "000016.log", "LOCK", "zero"))]
    assert touched == []
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted((tmp_path / "outside").iterdir())} == before
    for made in ("out", "copied", "small", "hurt"):
        for path in (tmp_path / made).rglob("*") if (tmp_path / made).is_dir() else ():
            assert not path.is_symlink(), path
            assert path.is_file() or path.is_dir(), path


@pytest.mark.parametrize("name", ["../../victim", "/victim", "a/../../victim", "..", "-o", "x\ny"])
def test_no_name_of_a_volume_is_where_something_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "one" / "two"
    folder.mkdir(parents=True)
    image = Image()
    image.lvol(name, 2, [0])
    (folder / "disk.img").write_bytes(image.build())
    monkeypatch.chdir(folder)
    assert main(["extract", "disk.img", "-o", "out", "--", name]) == 0
    assert main(["items", "disk.img", "--json"]) == 0
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")} == {
        *("one", "one/two", "one/two/disk.img", "one/two/out")
    }


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "x\0y", ".."])
def test_no_member_of_a_capsule_leads_out_of_it(name: str, tmp_path: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    member = {"name": name, "size": 4, "ranges": [], "zeros": [[0, 4]], "extents": [], "vouched": []}
    manifest = {
        "schema": capsule.SCHEMA,
        "members": [member],
        "sha256": empty,
        "vouched_sha256": empty,
        "source": {"kind": "folder", "name": "db"},
        "detected": ["rocksdb", 50, "x"],
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for entry, data in (("capsule.json", json.dumps(manifest)), ("data", ""), ("vouched", "")):
            archive.writestr(entry, data)
    (tmp_path / "x.capsule").write_bytes(out.getvalue())
    with pytest.raises(SourceError, match="leads out"):
        capsule.open_capsule(str(tmp_path / "x.capsule"))


def test_a_pipe_is_not_opened_to_see_whether_it_is_a_capsule(tmp_path: Path) -> None:
    """A writer that waits for a reader would find one, and lose it at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    woken: list[int] = []

    def write() -> None:
        fd = os.open(pipe, os.O_WRONLY)
        woken.append(fd)
        os.close(fd)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.05)
    assert not is_capsule(str(pipe))
    time.sleep(0.05)
    assert woken == []
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    writer.join(5)
    assert woken


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/proc/self/mem", "/dev"])
def test_devices_are_not_opened_to_see_whether_they_are_capsules(path: str) -> None:
    OPENED.paths.clear()
    OPENED.on = True
    try:
        assert not is_capsule(path)
    finally:
        OPENED.on = False
    assert path in ("/proc/self/mem",) or OPENED.paths == []


def test_what_is_linked_is_the_file_that_was_read(tmp_path: Path) -> None:
    """Something else may have its name by then."""
    (tmp_path / "db" / "inner").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for folder, text in (("db/inner", b"ours"), ("outside", b"theirs")):
        (tmp_path / folder / "file").write_bytes(text)
    with open_source(str(tmp_path / "db")) as source:
        assert source.read(0, 4, "inner/file") == b"ours"
        (tmp_path / "db" / "inner").rename(tmp_path / "db" / "moved")
        (tmp_path / "db" / "inner").symlink_to(tmp_path / "outside")
        edit = Edit("kept", Span(0, 4, "inner/file"), out="inner/file", whole=True)
        assert link_member(source, edit, tmp_path / "out")
    assert (tmp_path / "out" / "inner" / "file").read_bytes() == b"ours"


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is what sees an open")
@pytest.mark.parametrize("line", ["scan top --json", "report top -o out.html --no-environment"])
def test_no_folder_that_becomes_a_link_leads_out_at_any_moment(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is opened next when a folder in a scanned folder is swapped: the scan stays in the folder."""
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "outside"
    for place in (outside, tmp_path / "top" / "db"):
        shutil.copytree(SAMPLES / "rocksdb" / "clean-db", place)
        shutil.copy(SAMPLES / "gossip_store" / "checksum-at-3044.gossip_store", place / "gossip_store")
        (place / "000009.sst").write_bytes(bytes(100))  # so that it is read again, past the cache
    (tmp_path / "top" / "db" / "checkpoint").mkdir()
    shutil.copy(SAMPLES / "gossip_store" / "checksum-at-3044.gossip_store", tmp_path / "top" / "b.gossip_store")
    told = Notified(outside)
    n = swaps = 0
    while True:
        SWAP.at(n, tmp_path / "top" / "db", outside)
        code = main([*line.split(), *(("--force",) if "report" in line else ())])
        done = SWAP.left < 0
        SWAP.left = -1
        assert not told.any(), f"opened at {n}"
        if not done:
            break
        assert code != 1
        (tmp_path / "top" / "db").unlink()
        (tmp_path / "top" / "moved").rename(tmp_path / "top" / "db")
        swaps, n = swaps + 1, n + 3  # every third: the whole range costs five seconds
    assert swaps > 3
