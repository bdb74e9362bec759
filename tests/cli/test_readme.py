"""What the README shows is what its commands print."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from inspector.__main__ import main

ROOT = Path(__file__).parents[2]
LEFT_OUT = "..."  # a line that stands for the rest of an output
# how the medium could be asked again depends on the file system
_MEDIUM = re.compile(r"^  read again past the page cache.*\n", re.MULTILINE)


def _sessions() -> list[list[str]]:
    """The lines of each console block: a command behind a dollar sign, what it prints, its exit code."""
    blocks = re.findall(
        r"^```\n(\$ inspector .*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [block.splitlines() for block in blocks]


@pytest.mark.parametrize("session", _sessions(), ids=lambda lines: lines[0][12:40])
def test_a_command_of_the_readme_prints_what_it_shows(
    session: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in {word for word in shlex.split(session[0]) if word.startswith("samples/")}:  # owned by who runs this
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    end = session.index("$ echo $?")
    code = main(shlex.split(session[0])[2:])
    told = capfd.readouterr()
    shown = _MEDIUM.sub("", "\n".join(session[1:end]) + "\n").splitlines()
    printed = _MEDIUM.sub("", told.out).splitlines()
    if shown[-1] == LEFT_OUT:
        shown, printed = shown[:-1], printed[: len(shown) - 1]
    assert printed == shown
    assert code == int(session[end + 1])
