"""What is written may not stand under a name that promises other blocks: a node would stop at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inspector.__main__ import main
from tests.contract.corpus import SAMPLES

BLOCKS = SAMPLES / "snarkos_blocks"


@pytest.mark.parametrize(
    ("sample", "name", "right"),
    [("0.9.blocks", "0.9.blocks", "0.5.blocks"), ("truncated.blocks", "0.5.blocks", "0.4.blocks")],
)
def test_a_wrong_name_is_refused_and_the_right_one_told(
    sample: str,
    name: str,
    right: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(BLOCKS / sample, name)
    Path("out").mkdir()
    assert main(["repair", name, "-o", f"out/{name}"]) == 7
    assert f"-o out/{right}" in capsys.readouterr().err
    assert not list(Path("out").iterdir())
    assert main(["repair", name, "-o", f"out/{right}"]) in (0, 4)
    assert main(["scan", f"out/{right}"]) == 0
    assert main(["repair", name, "-o", "out/any"]) in (0, 4)  # a name that promises nothing


def test_of_a_file_whose_name_alone_is_wrong_there_is_no_patch_but_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(BLOCKS / "0.9.blocks", ".")
    assert main(["repair", "0.9.blocks", "--patch", "p"]) == 7
    assert "mv 0.9.blocks 0.5.blocks" in capsys.readouterr().err
    Path("0.9.blocks").rename("0.5.blocks")
    assert main(["scan", "0.5.blocks"]) == 0
