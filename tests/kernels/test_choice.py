"""Which kernel runs, and that both mean the same by their numbers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.kernels import gossip_tiles
from tests.conftest import kernels

FOLDER = Path(gossip_tiles.__file__).parent


def ask(wanted: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"{before}\nimport inspector.kernels as k; print(k.WHICH, k.GossipWalker.__module__)"
    env = {"INSPECTOR_KERNEL": wanted, "PYTHONPATH": str(FOLDER.parents[1])}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


WITHOUT = "import sys; sys.modules['inspector.kernels._gossip'] = None"


def test_plain_can_be_asked_for() -> None:
    assert ask("plain").stdout.split() == ["plain", "inspector.kernels.plain_gossip"]


@pytest.mark.skipif("compiled" not in kernels(), reason="the extension was not built here")
def test_compiled_runs_where_it_was_built() -> None:
    for wanted in ("", "compiled"):
        assert ask(wanted).stdout.split() == ["compiled", "inspector.kernels._gossip"]


def test_without_the_extension_plain_runs_unless_compiled_is_asked_for() -> None:
    assert ask("", WITHOUT).stdout.split() == ["plain", "inspector.kernels.plain_gossip"]
    refused = ask("compiled", WITHOUT)
    assert refused.returncode == 1
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: INSPECTOR_KERNEL=compiled, but the extension was not built")


def test_any_other_choice_is_refused() -> None:
    assert "it may be plain or compiled" in ask("fast").stderr


def numbers(header: str) -> dict[str, int]:
    """The enumerators and plain numbers that a C header defines."""
    text = re.sub(r"/\*.*?\*/", "", (FOLDER / header).read_text(), flags=re.DOTALL)
    found = {name: int(value) for name, value in re.findall(r"#define GOSSIP_(\w+) (\d+)\n", text)}
    for block in re.findall(r"\benum\s*\{([^}]*)\}", text):
        value = -1
        for entry in block.split(","):
            name, _, given = entry.strip().partition("=")
            value = int(given, 0) if given else value + 1
            found[name.strip()] = value
    return found


@pytest.mark.parametrize(
    ("header", "known"),
    [("gossip_walk.h", 15), ("gossip_owners.h", 10), ("gossip_oddities.h", 6), ("gossip_structure.h", 1)],
)
def test_c_and_python_mean_the_same_by_a_number(header: str, known: int) -> None:
    shared = {name: value for name, value in numbers(header).items() if hasattr(gossip_tiles, name)}
    assert len(shared) == known
    assert shared == {name: getattr(gossip_tiles, name) for name in shared}
