"""What a shell completes: commands, options, and the values that inspector knows; files are left to the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector import formats
from inspector.cli import completing
from inspector.cli.completing import completion
from inspector.damage import KINDS
from inspector.formats import all_formats
from inspector.formats.gossip_store.carving import parse_network
from inspector.formats.spdk_blobstore.state import ACCEPTS
from inspector.render.schemas import SCHEMAS

ROOT = Path(__file__).parents[2]
NAMES = [form.name for form in all_formats()]


def completed(*words: str) -> list[str]:
    """What bash is given for the last of these words."""
    asked = {
        "COMP_WORDS": " ".join(("inspector", *words)),
        "COMP_CWORD": str(len(words)),
        "_INSPECTOR_COMPLETE": "complete_bash",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "inspector"], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("sc",), ["scan", "schema"]),
        (("scan", "--max-f"), ["--max-findings"]),
        (("scan", "--format", ""), NAMES),
        (("scan", "--format", "snark"), ["snarkos", "snarkos-blocks"]),
        (("scan", "--accept", "un"), ["unique", "unsealed"]),
        (("scan", "--fail-on", ""), ["error", "warning", "note"]),
        (("carve", "--format", "rocks"), ["rocksdb-sst", "rocksdb-log"]),
        (("carve", "--chain", "t"), ["testnet"]),
        (("formats", "kn"), ["known-peers"]),
        (("explain", "SPB01"), [r.code for f in all_formats() for r in f.rules if r.code.startswith("SPB01")]),
        (("schema", "sc"), [name for name in SCHEMAS if name.startswith("sc")]),
        (("dev", "inject", "--damage", "fli"), ["flip", "flips"]),
        (("dev", "in"), ["inject"]),
        (("scan", "goss"), []),  # a file, which bash completes itself
        (("scan", "--log", "l"), []),
    ],
)
def test_bash_is_given_what_inspector_knows(words: tuple[str, ...], found: list[str]) -> None:
    assert found or len(words) > 1
    assert completed(*words) == found


def test_values_are_those_that_are_taken() -> None:
    assert set(completing.PROOFS) == ACCEPTS
    assert set(completion("damages")("")) == set(KINDS)
    for name in completion("networks")(""):
        parse_network(name)
    assert {f.replace("-", "_") for f in completion("formats")("")} == set(formats.MODULES)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The surroundings of a user whose shell is bash, with `inspector` on the way."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "inspector"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m inspector "$@"\n')
    command.chmod(0o755)
    (tmp_path / "a store").write_bytes(b"")
    return {
        **os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_what_is_installed_for_bash_completes_in_bash(home: dict[str, str]) -> None:
    installed = subprocess.run(
        ["inspector", "--install-completion", "bash"], env=home, capture_output=True, text=True, check=True
    )
    assert "installed in" in installed.stdout
    script = (
        'source "$HOME/.bashrc"; COMP_WORDS=(inspector scan --format kad); COMP_CWORD=3; '
        '_inspector_completion inspector; echo "${COMPREPLY[*]}"; complete -p inspector'
    )
    done = subprocess.run(["bash", "-c", script], env=home, capture_output=True, text=True, check=True)
    assert done.stdout == "kad-trace\ncomplete -o default -F _inspector_completion inspector\n"


@pytest.mark.parametrize(
    ("shell", "asked", "found"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "inspector scan --format kad"}, "_arguments '*: :((\"kad-trace\"))'"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "inspector scan "}, "_files"),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "inspector scan --format kad", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "kad-trace",
        ),
    ],
)
def test_other_shells_are_given_the_same(shell: str, asked: dict[str, str], found: str) -> None:
    surroundings = {**os.environ, **asked, "_INSPECTOR_COMPLETE": f"complete_{shell}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "inspector"], env=surroundings, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (found, "")
