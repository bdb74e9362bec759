"""A sample of `python -m tests.surroundings`: commands where something that every process has is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import SAMPLES
from tests.faults_cases import CASES
from tests.surroundings import every

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["scan text", "records", "repair database", "extract", "report zip"])
def test_nothing_is_half_done_or_called_a_bug_where_something_is_missing(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    assert not every(case, tuple(n for n in SURROUNDS if n != "no more memory" or name != "repair database"))


SURROUNDS = (
    *("stdout closed", "stdout full", "all closed", "no environment", "no folder", "no temporary files"),
    *("16 descriptors", "files of 1000 bytes", "no more memory"),
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_process_from_outside_leaves_nothing_half_done(number: int, tmp_path: Path) -> None:
    """A folder is written under a name of its own: killed without a word, it would stay."""
    script = (
        "import os, sys, time\n"
        "from inspector import repair\n"
        "real = repair.write_edit\n"
        "def slow(*a, **k):\n"
        "    print('writing', flush=True); time.sleep(30)\n"
        "repair.write_edit = slow\n"
        "from inspector.__main__ import entry\n"
        "sys.argv = ['inspector', 'repair', sys.argv[1], '-o', sys.argv[2], '--copy']\n"
        "entry()\n"
    )
    command = [sys.executable, "-c", script, str(SAMPLES / "rocksdb" / "lost-edit"), str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        assert os.listdir(tmp_path) == [".out.inspector-partial"]  # noqa: PTH208
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == -number
    assert time.monotonic() - began < 10
    assert b"interrupted" in err
    assert not list(tmp_path.iterdir())
