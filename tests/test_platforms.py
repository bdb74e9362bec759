"""Systems without Linux's own calls: each command ends as it does here, only without what the system cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[1] / "samples"
STORE = str(SAMPLES / "gossip_store" / "checksum-at-3044.gossip_store")
TABLE = str(SAMPLES / "rocksdb" / "data-bit.sst")
FOLDER = str(SAMPLES / "rocksdb" / "blob-value")

# what macOS and the BSDs do not have; the hook makes every look into /proc fail as it does there
ELSEWHERE = """
import errno, os, sys
for name in ("EREMOTEIO", "EBADE", "EUCLEAN", "ENOMEDIUM", "ECOMM"):
    delattr(errno, name)
for name in dir(os):
    if name.startswith(("posix_fadvise", "POSIX_FADV", "RWF_")) or name in (
        "O_DIRECT", "O_TMPFILE", "O_PATH", "pipe2", "copy_file_range", "sched_getaffinity", "memfd_create"
    ):
        delattr(os, name)
sys.platform = "elsewhere"
def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith("/proc"):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])
sys.addaudithook(hook)
stat = os.stat
def stat_elsewhere(path, *arguments, **named):
    hook("open", [path])
    return stat(path, *arguments, **named)
os.stat = stat_elsewhere
from inspector.__main__ import entry
entry()
"""


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)},
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("scan", STORE), 3),
        (("scan", STORE, "--polite"), 3),
        (("scan", FOLDER), 3),
        (("scan", TABLE, "--max-rate", "20M"), 3),
        (("repair", STORE, "-o", "out"), 4),
        (("repair", TABLE, "-o", "out"), 4),
        (("repair", FOLDER, "-o", "out"), 4),
        (("capture", STORE, "-o", "out"), 0),
        (("excerpt", STORE, "-o", "out"), 0),
        (("report", STORE, "-o", "out.zip"), 3),
        (("carve", STORE, "--format", "gossip-store", "-o", "out"), 0),
        (("merge", STORE, STORE.replace("checksum-at-3044", "clean-v16"), "-o", "out"), 0),
        (("watch", STORE, "--until-damage", "--jsonl"), 3),
        (("dev", "inject", STORE, "-o", "out", "--damage", "flip"), 0),
    ],
    ids=lambda value: "-".join(Path(word).name for word in value) if isinstance(value, tuple) else "",
)
def test_a_command_ends_as_on_linux(words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    ran = run(tmp_path, *words)
    assert ran.returncode == code, ran.stderr
    assert "bug of inspector" not in ran.stderr
    if "-o" in words:
        assert (tmp_path / words[words.index("-o") + 1]).exists()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]  # no temporary name is left


def test_a_refused_output_leaves_no_temporary_name(tmp_path: Path) -> None:
    ran = run(tmp_path, "repair", STORE, "-o", "absent/out")
    assert ran.returncode == 7, ran.stderr
    assert not list(tmp_path.iterdir())
